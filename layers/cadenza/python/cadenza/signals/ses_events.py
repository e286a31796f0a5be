"""Amazon SES's event publishing: what a configuration set reports about a mail, as one signal.

Shapes and meanings: "Contents of event data that Amazon SES publishes to Amazon SNS" (Amazon SES developer guide).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, Field, JsonValue

from cadenza.core.ids import MessageId
from cadenza.core.log import get_logger
from cadenza.core.messages import Grade, SignalKind, SignalReported
from cadenza.signals.grading import Clue, Evidence, Grading, clues, conclude
from cadenza.signals.payloads import read

PROVIDER: Final = "ses"
MESSAGE_TAG: Final = "cadenza-message-id"
"""The tag that `cadenza.delivery.providers.ses` gives each mail."""

_NO_COMPLAINTS: Final = frozenset({"not-spam", "auth-failure"})
"""Feedback types (RFC 5965 §7.3, RFC 6591 §3.1) in which nobody complains: a mail taken out of the junk folder, and a
receiver's report on our DKIM or SPF."""


class _Mail(BaseModel):
    timestamp: AwareDatetime
    tags: Mapping[str, Sequence[str]] = Field(default_factory=dict[str, Sequence[str]])


class _At(BaseModel):
    timestamp: AwareDatetime


class _Recipient(BaseModel):
    status: str = ""
    diagnostic: str = Field(default="", alias="diagnosticCode")


class _Bounce(_At):
    type: str = Field(alias="bounceType")
    subtype: str = Field(default="", alias="bounceSubType")
    recipients: Sequence[_Recipient] = Field(default=(), alias="bouncedRecipients")


class _Complaint(_At):
    feedback: str | None = Field(default=None, alias="complaintFeedbackType")


class _Engagement(_At):
    user_agent: str | None = Field(default=None, alias="userAgent")


class _Topics(BaseModel):
    unsubscribe_all: bool = Field(default=False, alias="unsubscribeAll")


class _Subscription(_At):
    preferences: _Topics = Field(default=_Topics(), alias="newTopicPreferences")


class _Event(BaseModel):
    type: str = Field(alias="eventType")
    mail: _Mail
    delivery: _At | None = None
    bounce: _Bounce | None = None
    complaint: _Complaint | None = None
    open: _Engagement | None = None
    click: _Engagement | None = None
    subscription: _Subscription | None = None


class _Meaning(BaseModel):
    kind: SignalKind
    at: datetime
    grading: Grading = Grading(Grade.HUMAN)
    hard: bool | None = None


def parse(event_id: str, payload: dict[str, JsonValue]) -> SignalReported | None:
    """The signal that an event reports; None if it says nothing of a message of ours. ``event_id`` is SNS's MessageId.

    Raises:
        InvalidInput: Not of the documented shape; the problems point at the fields.
    """
    event = read(_Event, payload, "this is not an event of SES")
    message_id, meaning = _message_id(event.mail), _meaning(event)
    if message_id is None or meaning is None:
        # SES has events that say nothing of a person (DeliveryDelay), adds new ones, and sends mails of others.
        get_logger().info("ses.ignored", event_type=event.type, ours=message_id is not None)
        return None
    return SignalReported(
        provider=PROVIDER,
        provider_event_id=event_id,
        message_id=message_id,
        kind=meaning.kind,
        occurred_at=meaning.at,
        grade=meaning.grading.grade,
        grade_reasons=meaning.grading.reasons,
        hard=meaning.hard,
        payload=payload,
    )


def _message_id(mail: _Mail) -> MessageId | None:
    for value in mail.tags.get(MESSAGE_TAG, ()):
        try:
            return MessageId(UUID(value))
        except ValueError:
            return None
    return None


def _meaning(event: _Event) -> _Meaning | None:
    match event:
        case _Event(type="Send"):
            return _Meaning(kind=SignalKind.SENT, at=event.mail.timestamp)
        case _Event(type="Delivery", delivery=_At() as delivery):
            return _Meaning(kind=SignalKind.DELIVERED, at=delivery.timestamp)
        case _Event(type="Bounce", bounce=_Bounce() as bounce):
            return _bounced(bounce)
        case _Event(type="Complaint", complaint=_Complaint() as complaint) if complaint.feedback not in _NO_COMPLAINTS:
            return _Meaning(kind=SignalKind.COMPLAINED, at=complaint.timestamp)
        case _Event(type="Open", open=_Engagement() as seen) | _Event(type="Click", click=_Engagement() as seen):
            kind = SignalKind.CLICKED if event.click else SignalKind.OPENED
            return _Meaning(kind=kind, at=seen.timestamp, grading=_grade(seen))
        case _Event(type="Reject" | "Rendering Failure"):
            return _Meaning(kind=SignalKind.FAILED, at=event.mail.timestamp)
        case _Event(type="Subscription", subscription=_Subscription() as change) if change.preferences.unsubscribe_all:
            return _Meaning(kind=SignalKind.UNSUBSCRIBED, at=change.timestamp)
        case _:
            return None


def _bounced(bounce: _Bounce) -> _Meaning:
    """Permanent is hard; Transient and Undetermined are soft, whatever their subtype ("Bounce types", SES guide).

    Permanent has General, NoEmail, Suppressed and OnAccountSuppressionList: the last two were not even tried, since the
    address has bounced or complained before. Transient has General, MailboxFull, MessageTooLarge, ContentRejected and
    AttachmentRejected: the address is right, this mail or this day was not.
    """
    if bounce.type == "Transient" and bounce.subtype == "General" and not any(map(_is_refusal, bounce.recipients)):
        # What SES makes of an automatic response that comes to the Return-Path: nobody refused the mail.
        return _Meaning(
            kind=SignalKind.REPLIED, at=bounce.timestamp, grading=conclude([Clue(Grade.MACHINE, "auto_reply")])
        )
    return _Meaning(kind=SignalKind.BOUNCED, at=bounce.timestamp, hard=bounce.type == "Permanent")


def _is_refusal(recipient: _Recipient) -> bool:
    """Whether a mail server said so: it then gave a status or its own words."""
    return bool(recipient.status or recipient.diagnostic)


def _grade(seen: _Engagement) -> Grading:
    return conclude(clues(Evidence(user_agent=seen.user_agent)))
