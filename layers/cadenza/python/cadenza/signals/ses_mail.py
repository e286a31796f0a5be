"""Mail that Amazon SES received for us: the notification of a receipt rule's SNS action, with the mail in it.

Shape: "Contents of notifications for Amazon SES email receiving" (Amazon SES developer guide). At most 150 KB a mail.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, Literal

from pydantic import AwareDatetime, BaseModel, Field, JsonValue

from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.messages import MailReceived
from cadenza.signals import mail_in
from cadenza.signals.payloads import decoded, read

RECEIVED: Final = "Received"

_EXPECTED: Final = "this is not a mail that SES received"
_FAIL: Final = "FAIL"


class _Verdict(BaseModel):
    status: str = ""


class _Action(BaseModel):
    encoding: Literal["UTF-8", "UTF8", "BASE64"] = "UTF-8"


class _Receipt(BaseModel):
    timestamp: AwareDatetime
    recipients: Sequence[str] = ()
    dmarc: _Verdict = Field(default=_Verdict(), alias="dmarcVerdict")
    virus: _Verdict = Field(default=_Verdict(), alias="virusVerdict")
    action: _Action = _Action()


class _Received(BaseModel):
    receipt: _Receipt
    content: str | None = None


def parse(payload: dict[str, JsonValue]) -> MailReceived | None:
    """The message that carries the mail on; None if it is nothing for us.

    Raises:
        InvalidInput: Not of the documented shape, or without the mail's content (an action of another kind).
    """
    received = read(_Received, payload, _EXPECTED)
    if received.content is None:
        raise InvalidInput(_EXPECTED, (FieldProblem("/content", "is missing: the receipt rule needs an SNS action"),))
    receipt = received.receipt
    if receipt.virus.status == _FAIL:
        return None
    content = received.content
    return mail_in.take(
        decoded(content, "/content", _EXPECTED) if receipt.action.encoding == "BASE64" else content.encode(),
        receipt.timestamp,
        recipients=tuple(receipt.recipients),
        authentic=receipt.dmarc.status != _FAIL,
    )
