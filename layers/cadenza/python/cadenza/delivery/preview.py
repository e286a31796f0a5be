"""A mail as it would leave, made by the code that sends, with links that do nothing.

A preview's links lead below ``/preview``, where nobody records anything; they are signed with no key of ours; and the
message that they name does not exist. So nothing done to a preview is ever taken for a recipient's doing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from cadenza.core.ids import MessageId
from cadenza.delivery.compose import Composed, compose
from cadenza.delivery.model import Claimed, Provider, Rejected
from cadenza.delivery.render import FaultCode, faults
from cadenza.planning.findings import Finding, Severity
from cadenza.planning.model import json_pointer
from cadenza.signals.links import Links

PREVIEW_ID: Final = MessageId(UUID(int=0))
"""No outbox row has it: ids are UUIDv7."""

_NO_KEY: Final = "a preview: this key is public and opens nothing"


class PreviewCode(StrEnum):
    """Why there is no mail to show, besides `FaultCode`."""

    NO_SENDER = "no_sender"
    NOT_SENDABLE = "not_sendable"


_FIXES: Final[Mapping[StrEnum, str]] = {
    FaultCode.MISSING_CONTENT: "Write a body or an html part.",
    FaultCode.MISSING_POSTAL_ADDRESS: "Give the sender a postal address: every mail must carry one.",
    FaultCode.BAD_TEMPLATE: "Use {{ name }}, {name}, {% if name %} and the filters default, lower, upper, title, trim.",
    FaultCode.UNKNOWN_VARIABLE: "Name one of the known variables.",
    FaultCode.MISSING_VALUE: "Say what to write instead: {{ name | default('there') }} or {% if name %}…{% endif %}.",
}


@dataclass(frozen=True, slots=True)
class Preview:
    """What would leave, or (``composed`` None) why nothing would."""

    node: str
    composed: Composed | None
    findings: tuple[Finding, ...]

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """The header section as it would leave, unfolded (RFC 5322 §2.2.3)."""
        if self.composed is None:
            return ()
        section = self.composed.mail.raw.partition(b"\r\n\r\n")[0].decode("ascii")
        lines = section.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")
        return tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))


def preview(
    message: Claimed, position: int, public_url: str, providers: Mapping[str, Provider], now: datetime
) -> Preview:
    """Show the message's mail. ``position`` is its node's place in the plan, for the findings' pointers."""
    links = Links(f"{public_url.rstrip('/')}/preview", _NO_KEY)
    shown = replace(message, stay=replace(message.stay, message_id=PREVIEW_ID))
    node = message.stay.node
    if found := faults(shown, links):
        return Preview(node, None, tuple(_finding(f.code, position, f.field, f.message, _FIXES[f.code]) for f in found))
    composed = compose(shown, links, providers, now)
    if isinstance(composed, Rejected):
        fix = "Mend the address or the node's channel."
        return Preview(node, None, (_finding(PreviewCode.NOT_SENDABLE, position, "", composed.reason, fix),))
    return Preview(node, composed, ())


def no_sender(node: str) -> Preview:
    """The campaign has nobody who sends."""
    fix = "Choose one when you create the campaign: POST /v1/senders, then sender_id."
    return Preview(node, None, (Finding(PreviewCode.NO_SENDER, Severity.ERROR, "", "the campaign has no sender", fix),))


def _finding(code: StrEnum, position: int, field: str, message: str, fix: str) -> Finding:
    pointer = json_pointer("nodes", position, *([field] if field else []))
    return Finding(code, Severity.ERROR, pointer, message, fix)
