"""SendGrid's signed event webhook: an array of events, of which those about our messages become signals.

Shapes: "Event Webhook Reference"; signature: "Getting Started with the Event Webhook Security Features" (both Twilio
SendGrid documentation). Mails name our message by the custom argument `MESSAGE_ARGUMENT`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from cadenza.core.errors import ConfigurationError, FieldProblem, InvalidInput, Unauthorised
from cadenza.core.ids import MessageId
from cadenza.core.log import get_logger
from cadenza.core.messages import Grade, SignalKind, SignalReported
from cadenza.signals.grading import Clue, Evidence, Grading, clues, conclude
from cadenza.signals.payloads import json_value

PROVIDER: Final = "sendgrid"
MESSAGE_ARGUMENT: Final = "cadenza-message-id"
TOLERANCE: Final = timedelta(hours=25)
"""SendGrid tries again for a day. A replay within it changes nothing: ``sg_event_id`` is taken once, for good."""

SIGNATURE_HEADER: Final = "x-twilio-email-event-webhook-signature"
TIMESTAMP_HEADER: Final = "x-twilio-email-event-webhook-timestamp"

_EXPECTED: Final = "this is not a batch of SendGrid's events"
_KINDS: Final[Mapping[str, SignalKind]] = MappingProxyType(
    {
        "processed": SignalKind.SENT,
        "delivered": SignalKind.DELIVERED,
        "open": SignalKind.OPENED,
        "click": SignalKind.CLICKED,
        "bounce": SignalKind.BOUNCED,
        "spamreport": SignalKind.COMPLAINED,
        "unsubscribe": SignalKind.UNSUBSCRIBED,
        "group_unsubscribe": SignalKind.UNSUBSCRIBED,
        "dropped": SignalKind.FAILED,
    }
)
_DROPS: Final[Mapping[str, SignalKind]] = MappingProxyType(
    {
        "Bounced Address": SignalKind.BOUNCED,
        "Unsubscribed Address": SignalKind.UNSUBSCRIBED,
        "Spam Reporting Address": SignalKind.COMPLAINED,
    }
)
"""Reasons of a drop that say something of the person: what they did before, with another mail of the same account."""


class _Event(BaseModel):
    model_config = ConfigDict(extra="ignore", populate_by_name=True)

    message_id: UUID = Field(alias=MESSAGE_ARGUMENT)
    event: str
    event_id: str = Field(alias="sg_event_id", min_length=1, max_length=256)
    timestamp: int = Field(ge=0, le=253_402_300_799)
    type: str = ""
    reason: str = ""
    user_agent: str | None = Field(default=None, alias="useragent")
    machine_open: bool = Field(default=False, alias="sg_machine_open")


def verify(key: str, headers: Mapping[str, str], raw_body: bytes, now: datetime) -> None:
    """Make certain that SendGrid signed the batch (ECDSA over timestamp and body), within `TOLERANCE`.

    Raises:
        Unauthorised: A header is missing or malformed, the signature is wrong, or the timestamp is too far off.
        ConfigurationError: The key is not a base64 DER public key of an elliptic curve.
    """
    # Heavy, and only for this source.
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm  # noqa: PLC0415
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey  # noqa: PLC0415
    from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415
    from cryptography.hazmat.primitives.serialization import load_der_public_key  # noqa: PLC0415

    try:
        public_key = load_der_public_key(b64decode(key, validate=True))
    except (ValueError, UnsupportedAlgorithm):
        public_key = None
    if not isinstance(public_key, EllipticCurvePublicKey):
        raise ConfigurationError("sendgrid_webhook_key in the app secret is not SendGrid's verification key")
    timestamp = headers.get(TIMESTAMP_HEADER, "")
    try:
        signed_at = datetime.fromtimestamp(int(timestamp), UTC)
        signature = b64decode(headers.get(SIGNATURE_HEADER, ""), validate=True)
    except (ValueError, OverflowError, OSError):
        raise Unauthorised("the webhook's signature headers are missing or malformed") from None
    if abs(now - signed_at) > TOLERANCE:
        raise Unauthorised("the webhook was signed too long ago, or in the future")
    try:
        public_key.verify(signature, timestamp.encode() + raw_body, ECDSA(SHA256()))
    except InvalidSignature:
        raise Unauthorised("the webhook's signature does not match") from None


def parse(raw_body: bytes) -> list[SignalReported]:
    """The signals of a verified batch. Events that are not ours, or say nothing of a message, are counted and left.

    Raises:
        InvalidInput: Not a JSON array of objects.
    """
    batch = json_value(raw_body, _EXPECTED)
    if not isinstance(batch, list):
        raise InvalidInput(_EXPECTED, (FieldProblem("", "must be an array"),))
    signals: list[SignalReported] = []
    for place, payload in enumerate(batch):
        if not isinstance(payload, dict):
            raise InvalidInput(_EXPECTED, (FieldProblem(f"/{place}", "must be an object"),))
        signal = _signal(payload)
        if signal is not None:
            signals.append(signal)
    if len(signals) < len(batch):
        get_logger().info("sendgrid.ignored", count=len(batch) - len(signals))
    return signals


def _signal(payload: dict[str, JsonValue]) -> SignalReported | None:
    try:
        event = _Event.model_validate(payload)
    except ValidationError:
        return None  # another mail of the same account; the rest of the batch is not to be lost for it
    kind = _KINDS.get(event.event)
    if kind is None:
        return None
    if kind is SignalKind.FAILED:
        kind = _DROPS.get(event.reason, kind)
    grading = _grade(event, kind)
    return SignalReported(
        provider=PROVIDER,
        provider_event_id=event.event_id,
        message_id=MessageId(event.message_id),
        kind=kind,
        occurred_at=datetime.fromtimestamp(event.timestamp, UTC),
        grade=grading.grade,
        grade_reasons=grading.reasons,
        # "blocked" is a refusal of this mail or this sender, not of the address.
        hard=event.type != "blocked" if kind is SignalKind.BOUNCED else None,
        payload=payload,
    )


def _grade(event: _Event, kind: SignalKind) -> Grading:
    if kind not in {SignalKind.OPENED, SignalKind.CLICKED}:
        return conclude(())
    found = [*clues(Evidence(user_agent=event.user_agent))]
    if event.machine_open:
        found.append(Clue(Grade.LIKELY_MACHINE, "privacy_proxy"))
    return conclude(found)
