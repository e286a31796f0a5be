"""The generic event source: any system that signs the Standard Webhooks way can report what became of a message.

Body: ``{"type": "message.bounced", "timestamp": "2026-01-13T10:00:00Z", "data": {"message_id": "…", "hard": true}}``.
Types are ``message.`` and one of `REPORTABLE`. ``hard`` belongs to bounces, which need it; ``user_agent`` (of opens and
clicks) is graded if it is there. The signature's scheme: standardwebhooks.com, "Webhook signature".
"""

from __future__ import annotations

import hmac
from binascii import Error as Base64Error
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, StrictBool
from standardwebhooks import Webhook

from cadenza.core.errors import ConfigurationError, FieldProblem, InvalidInput, Unauthorised
from cadenza.core.ids import MessageId
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.signals.grading import Evidence, Grading, clues, conclude
from cadenza.signals.payloads import json_object, read

PROVIDER: Final = "events"
TOLERANCE: Final = timedelta(minutes=5)
"""How far a sender's clock may be from ours, and for how long a captured request could be replayed."""
MAX_EVENT_ID_CHARS: Final = 256

REPORTABLE: Final = tuple(kind for kind in SignalKind if kind is not SignalKind.SENT)
"""That a message was sent is known from whoever we handed it to, and from nobody else."""

_TYPES: Final = {f"message.{kind}": kind for kind in REPORTABLE}
_EXPECTED: Final = "this is not a message event"


def _kind(value: object) -> SignalKind:
    if not isinstance(value, str) or value not in _TYPES:
        raise ValueError(f"must be one of {', '.join(_TYPES)}")
    return _TYPES[value]


def _utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("is out of range") from None


class _Data(BaseModel):
    message_id: UUID
    hard: StrictBool | None = None
    user_agent: str | None = None


class _Event(BaseModel):
    type: Annotated[SignalKind, BeforeValidator(_kind)]
    timestamp: Annotated[AwareDatetime, AfterValidator(_utc)]
    data: _Data


def verify(secret: str, headers: Mapping[str, str], raw_body: bytes, now: datetime) -> str:
    """The event's id (``webhook-id``), once it is certain that a holder of ``secret`` signed it within `TOLERANCE`.

    The library signs; comparing is ours, because the library's own check reads the clock.

    Raises:
        Unauthorised: A header is missing or malformed, no signature matches, or the timestamp is too far off.
        ConfigurationError: The secret is not base64 (``whsec_…``).
    """
    event_id, timestamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    try:
        signed_at = datetime.fromtimestamp(int(timestamp), UTC)
        body = raw_body.decode()
    except (ValueError, OverflowError, OSError):
        raise Unauthorised("the webhook's signature headers are missing or malformed") from None
    if not event_id or len(event_id) > MAX_EVENT_ID_CHARS:
        raise Unauthorised("the webhook's signature headers are missing or malformed")
    if abs(now - signed_at) > TOLERANCE:
        raise Unauthorised("the webhook was signed too long ago, or in the future")
    try:
        expected = Webhook(secret).sign(event_id, signed_at, body).encode()
    except Base64Error:
        raise ConfigurationError("the webhook's secret in the app secret is not base64 (whsec_…)") from None
    # Several signatures are sent while a secret is being rotated; one that matches is enough.
    given = headers.get("webhook-signature", "").encode().split()
    if not any(hmac.compare_digest(expected, signature) for signature in given):
        raise Unauthorised("the webhook's signature does not match")
    return event_id


def parse(event_id: str, raw_body: bytes) -> SignalReported:
    """The signal that a verified event reports.

    Raises:
        InvalidInput: Not JSON, or not of the documented shape; the problems point at the fields.
    """
    payload = json_object(raw_body, _EXPECTED)
    event = read(_Event, payload, _EXPECTED)
    bounced = event.type is SignalKind.BOUNCED
    if bounced and event.data.hard is None:
        problem = FieldProblem("/data/hard", "says whether a bounce is permanent (true) or transient (false)")
        raise InvalidInput(_EXPECTED, (problem,))
    grading = _grade(event)
    return SignalReported(
        provider=PROVIDER,
        provider_event_id=event_id,
        message_id=MessageId(event.data.message_id),
        kind=event.type,
        occurred_at=event.timestamp,
        grade=grading.grade,
        grade_reasons=grading.reasons,
        hard=event.data.hard if bounced else None,
        payload=payload,
    )


def _grade(event: _Event) -> Grading:
    if event.type not in {SignalKind.OPENED, SignalKind.CLICKED}:
        return conclude(())
    return conclude(clues(Evidence(user_agent=event.data.user_agent)))
