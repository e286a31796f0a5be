"""What delivery is made of: a claimed message, the mail made of it, the gate's verdicts, a provider's answers.

Pure types. Permanent outcomes are values; trouble that may pass raises `cadenza.core.errors.Retryable`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Protocol, runtime_checkable
from uuid import UUID

from pydantic import JsonValue

from cadenza.core.errors import Retryable
from cadenza.core.ids import CampaignId, EnrolmentId, MessageId, SenderId, WorkspaceId
from cadenza.core.states import Channel

# --- the gate ----------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What the gate says of one queued message. What follows from each: `DISPOSITIONS`."""

    OK = "ok"
    CAMPAIGN_ENDED = "campaign_ended"
    ENROLMENT_ENDED = "enrolment_ended"
    NO_ADDRESS = "no_address"
    NO_SENDER = "no_sender"
    SUPPRESSED = "suppressed"
    NO_CONSENT = "no_consent"
    CAMPAIGN_NOT_RUNNING = "campaign_not_running"
    STALE = "stale"
    """It came due during a pause of its campaign, which goes on without it."""
    SENDER_PAUSED = "sender_paused"
    NOT_DUE = "not_due"
    HELD = "held"
    WINDOW_CLOSED = "window_closed"
    CONTACT_GAP = "contact_gap"
    """Another campaign has just written to the person."""
    FREQUENCY = "frequency"
    """The person has had what a person may have for now, over all campaigns."""
    DOMAIN_GAP = "domain_gap"
    """A mail to the person's domain has just gone."""
    CAP_REACHED = "cap_reached"
    PACED = "paced"
    """Its provider takes no more at once than others of its batch."""


class Disposition(StrEnum):
    """What becomes of a message that the gate has judged."""

    CLAIM = "claim"
    """It is ours to send, now."""
    SKIP = "skip"
    """It will never be sent."""
    WAIT = "wait"
    """It stays queued until a person acts (a pause ends), which brings it back."""
    PUT_OFF = "put_off"
    """It stays queued and gets a later instant."""


DISPOSITIONS: Mapping[Verdict, Disposition] = {
    Verdict.OK: Disposition.CLAIM,
    Verdict.CAMPAIGN_ENDED: Disposition.SKIP,
    Verdict.ENROLMENT_ENDED: Disposition.SKIP,
    Verdict.NO_ADDRESS: Disposition.SKIP,
    Verdict.NO_SENDER: Disposition.SKIP,
    Verdict.SUPPRESSED: Disposition.SKIP,
    Verdict.NO_CONSENT: Disposition.SKIP,
    Verdict.CAMPAIGN_NOT_RUNNING: Disposition.WAIT,
    Verdict.STALE: Disposition.SKIP,
    Verdict.SENDER_PAUSED: Disposition.WAIT,
    Verdict.NOT_DUE: Disposition.PUT_OFF,
    Verdict.HELD: Disposition.PUT_OFF,
    Verdict.WINDOW_CLOSED: Disposition.PUT_OFF,
    Verdict.CONTACT_GAP: Disposition.PUT_OFF,
    Verdict.FREQUENCY: Disposition.PUT_OFF,
    Verdict.DOMAIN_GAP: Disposition.PUT_OFF,
    Verdict.CAP_REACHED: Disposition.PUT_OFF,
    Verdict.PACED: Disposition.PUT_OFF,
}


LEASE = timedelta(minutes=20)
"""Longer than any function may run (15 minutes), so that an expired lease means that the attempt is dead."""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One claim of a batch. Rows carry its id, so that only its holder may say how they ended."""

    id: UUID
    at: datetime
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class Stay:
    """A message and its place in its enrolment: (node, visit) names one stay in a node."""

    message_id: MessageId
    enrolment_id: EnrolmentId
    campaign_id: CampaignId
    node: str
    visit: int


@dataclass(frozen=True, slots=True)
class Judged:
    """A queued message that was not claimed, and why not.

    ``clears_at`` is when what keeps it back is over, where its verdict has such an instant; ``caps`` are the keys of
    the caps that it counts for.
    """

    stay: Stay
    verdict: Verdict
    due_at: datetime
    clears_at: datetime | None = None
    caps: tuple[str, ...] = ()


# --- a claimed message -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Content:
    """What the plan says in the message's node. ``html`` "" means: made from ``body``."""

    subject: str = ""
    body: str = ""
    html: str = ""


@dataclass(frozen=True, slots=True)
class Recipient:
    """Who gets the message. ``address`` is what the gate judged. ``company`` and ``domain`` come from the lead."""

    address: str
    name: str = ""
    first_name: str = ""
    last_name: str = ""
    title: str = ""
    company: str = ""
    domain: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """The identity that sends. ``provider`` names one of the installation's providers; ``settings`` are what it reads.

    No secret is in the settings: see `cadenza.delivery.providers.passwords`.
    """

    id: SenderId
    email: str
    name: str = ""
    reply_to: str = ""
    company: str = ""
    postal_address: str = ""
    provider: str = "ses"
    settings: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])

    @property
    def domain(self) -> str:
        """What stands after the "@"."""
        return self.email.rpartition("@")[2]


@dataclass(frozen=True, slots=True)
class EarlierMail:
    """A mail of the same enrolment that was sent before: the conversation that this one goes on with."""

    message_id: MessageId
    sender_domain: str
    provider: str
    provider_message_id: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that is ours to send, with everything needed to do so. ``content`` None: the plan has no such node."""

    stay: Stay
    workspace_id: WorkspaceId
    channel: Channel
    recipient: Recipient
    sender: Sender
    content: Content | None
    brief: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    thread: tuple[EarlierMail, ...] = ()


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A queued message and when it is due: what a hint or a wake needs."""

    id: MessageId
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Deferral:
    """A queued message gets a new window [``due_at``, ``closes_at``) (None: open end), and the reason is kept.

    ``booked_on`` is the UTC day in whose caps it has a place, if it was put off by one.
    """

    id: MessageId
    due_at: datetime
    closes_at: datetime | None
    reason: str
    booked_on: date | None = None


# --- providers ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it goes out: RFC 5322 bytes and the envelope. ``message_id`` travels as a tag, to find it again."""

    message_id: MessageId
    sender: str
    to: str
    subject: str
    raw: bytes
    identity: Sender


@dataclass(frozen=True, slots=True)
class Sent:
    """The provider has taken it."""

    provider_message_id: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """Refused for good; ``reason`` is for people."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """Nobody knows whether the provider took it: the request was out, and no answer came."""

    reason: str


Outcome = Sent | Rejected | Ambiguous


class MessageTrouble(Retryable):
    """Trouble with this message alone: the others of its sender go on. ``said`` is for people, never for a log."""

    def __init__(self, detail: str, said: str = "") -> None:
        super().__init__(detail)
        self.said = said or detail


class SenderTrouble(MessageTrouble):
    """Trouble with this sender: its other messages would meet it too, those of other senders would not."""


class SenderRefused(SenderTrouble):
    """The sender itself is refused (its credentials, its address): until a person acts, nothing of it is taken."""


class Provider(Protocol):
    """What the sender needs of a mail service."""

    def send(self, mail: Mail) -> Outcome:
        """Hand over one mail.

        Raises:
            Retryable: It was certainly not taken, and another try may succeed. `MessageTrouble` and its kinds say how
                far the trouble reaches; any other reaches all that this provider sends.
        """
        ...

    def header_id(self, mail: EarlierMail) -> str:
        """The Message-ID header, with brackets, under which the recipient has ``mail``."""
        ...

    def close(self) -> None:
        """Drop connections; the provider stays usable. A frozen function wakes up to dead ones."""
        ...


@dataclass(frozen=True, slots=True)
class Quota:
    """What a provider's account allows: ``a_day`` in any 24 hours (None: no limit), of which ``sent`` are used."""

    a_day: int | None
    sent: int
    per_second: float


@runtime_checkable
class Metered(Protocol):
    """A provider whose account has a quota that can be asked for. One that is not takes whatever it is given."""

    def quota(self) -> Quota | None:
        """What the account allows now; None if it does not say."""
        ...


@dataclass(frozen=True, slots=True)
class Result:
    """How one attempt at one message ended, at ``at``."""

    claimed: Claimed
    outcome: Outcome
    at: datetime
    subject: str = ""
