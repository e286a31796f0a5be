"""What the API takes and answers. The field names are the contract: a changed meaning is a new name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Generic, Self, TypeVar
from uuid import UUID

import idna
from pydantic import BaseModel, ConfigDict, Field, JsonValue, StringConstraints, model_validator

from cadenza.campaigns.model import CampaignBrief
from cadenza.campaigns.timeline import Entry
from cadenza.contacts.model import ContactKind
from cadenza.core.ids import CampaignId
from cadenza.core.queues import MAX_DELAY_S
from cadenza.core.states import (
    CampaignKind,
    CampaignStatus,
    Channel,
    EnrolmentStatus,
    JobKind,
    JobStatus,
    LeadStatus,
    MessageStatus,
    SuppressionChannel,
    UnknownPolicy,
)
from cadenza.engine.rules import EVERY_DAY, CampaignRules, Holidays, HolidaysOf, WorkingDays, WorkingHours
from cadenza.leads.report import AnalysisStats, SiteReport


class Taken(BaseModel):
    """A request body. Unknown fields are refused: they are typing errors."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Answer(BaseModel):
    """An answer, made from a row."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


A = TypeVar("A", bound=Answer)


class Page(Answer, Generic[A]):
    """Some of a list, newest first. ``next_cursor`` is null on the last page."""

    items: tuple[A, ...]
    next_cursor: UUID | None


# --- leads -------------------------------------------------------------------------------------------------------


class NewLead(Taken):
    """A company site, and the campaign that is to take its contacts."""

    url: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]
    campaign_id: CampaignId | None = None


class Lead(Answer):
    """A company site."""

    id: UUID
    domain: str
    url: str
    company_name: str
    status: LeadStatus
    failure_reason: str
    created_at: datetime
    updated_at: datetime


class Analysis(Answer):
    """What an analyst found on a site, and what it took."""

    report: SiteReport
    stats: AnalysisStats
    model: str
    prompt_version: str
    cost_usd_micros: int
    created_at: datetime


class Contact(Answer):
    """A person or shared mailbox. ``suppressed``: the address may never be written to."""

    id: UUID
    lead_id: UUID | None
    email: str | None
    phone: str | None
    name: str
    title: str
    kind: ContactKind
    role_rank: int
    time_zone: str
    country: str
    language: str
    source: dict[str, JsonValue]
    suppressed: bool
    created_at: datetime


class Job(Answer):
    """One piece of work: what became of it and why. ``attempts_made`` counts failed attempts."""

    id: UUID
    kind: JobKind
    lead_id: UUID | None
    contact_id: UUID | None
    campaign_id: UUID | None
    status: JobStatus
    attempts_made: int
    reason: str
    result: dict[str, JsonValue]
    queued_at: datetime
    started_at: datetime | None
    finished_at: datetime | None
    next_attempt_at: datetime | None


class LeadDetail(Lead):
    """A site with its newest analysis, its people (who decides first) and its jobs (oldest first)."""

    analysis: Analysis | None
    contacts: tuple[Contact, ...]
    jobs: tuple[Job, ...]


# --- campaigns ---------------------------------------------------------------------------------------------------


class Sender(Answer):
    """Who sends."""

    id: UUID
    name: str
    email: str
    reply_to: str
    company: str
    postal_address: str
    provider: str
    daily_cap: int | None
    paused_at: datetime | None
    paused_reason: str
    created_at: datetime


class Reason(Taken):
    """Why; it is kept with the campaign."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class Campaign(Answer):
    """A campaign."""

    id: UUID
    name: str
    kind: CampaignKind
    status: CampaignStatus
    status_reason: str
    sender_id: UUID | None
    daily_cap: int | None
    created_at: datetime
    started_at: datetime | None
    paused_at: datetime | None
    finished_at: datetime | None


class Counts(Answer):
    """How many rows are in which state; states that no row is in are left out."""

    leads: Mapping[LeadStatus, int]
    enrolments: Mapping[EnrolmentStatus, int]
    messages: Mapping[MessageStatus, int]
    jobs: Mapping[JobStatus, int]


class CampaignDetail(Campaign):
    """A campaign with what was said about it and where it stands."""

    brief: CampaignBrief
    rules: CampaignRules
    counts: Counts


class Plan(Answer):
    """An immutable plan. ``hash`` is the SHA-256 of its canonical JSON; ``source`` says who wrote it."""

    id: UUID
    hash: str
    version: str
    source: str
    plan: dict[str, JsonValue]
    created_at: datetime


class Enrolled(Answer):
    """Who is enrolled."""

    id: UUID
    email: str | None
    name: str
    title: str


class Enrolment(Answer):
    """One contact in one campaign. ``current_node`` is "" before the start."""

    id: UUID
    campaign_id: UUID
    contact: Enrolled
    plan_id: UUID
    status: EnrolmentStatus
    current_node: str
    visit: int
    reason: str
    next_due_at: datetime | None
    created_at: datetime
    finished_at: datetime | None


class Message(Answer):
    """An outbox row: a message of one visit of a node. ``reason`` says why it was not, or not yet, sent."""

    id: UUID
    node: str
    visit: int
    channel: Channel
    status: MessageStatus
    due_at: datetime
    sent_at: datetime | None
    to_address: str
    subject: str
    provider: str
    provider_message_id: str | None
    reason: str


class EnrolmentDetail(Enrolment):
    """An enrolment with its messages, in the order in which they were queued."""

    messages: tuple[Message, ...]


class Timeline(Answer):
    """What happened to an enrolment and why, oldest first; what lies ahead comes last."""

    items: tuple[Entry, ...]


# --- people and rules --------------------------------------------------------------------------------------------


class NewSuppression(Taken):
    """An address, number or domain that may never be written to again. It is stored in its normal form."""

    channel: SuppressionChannel
    address: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, min_length=1, max_length=254)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = "operator"

    @model_validator(mode="after")
    def _normal(self) -> Self:
        pattern, wanted = _ADDRESSES[self.channel]
        address = self.address
        if self.channel is SuppressionChannel.DOMAIN:
            try:
                address = idna.encode(address.removeprefix("@").rstrip("."), uts46=True).decode()
            except idna.IDNAError:
                address = ""
        if not re.fullmatch(pattern, address):
            raise ValueError(f"address must be {wanted}")
        return self.model_copy(update={"address": address})


_ADDRESSES: Mapping[SuppressionChannel, tuple[str, str]] = {
    SuppressionChannel.EMAIL: (r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"),
    SuppressionChannel.PHONE: (r"\+[1-9]\d{6,14}", "a telephone number in E.164 form, such as +4930123456"),
    SuppressionChannel.DOMAIN: (r"[a-z0-9-]+(\.[a-z0-9-]+)+", "a domain name"),
}


class Suppression(Answer):
    """Never again."""

    id: UUID
    channel: SuppressionChannel
    address: str
    reason: str
    source: str
    created_at: datetime


Positive = Annotated[int, Field(ge=1, le=2_147_483_647)]


class AutomationSettings(WorkingHours):
    """What holds for every campaign of the workspace, unless it says otherwise.

    Null caps mean no limit. ``stagger_s`` lies between two plans of one lead; ``unknown_bound_s`` is how long a message
    whose fate is unknown waits for news of it, and ``unknown_policy`` says what becomes of it then;
    ``offline_fallback`` allows plans by rule where a model has none.
    ``stop_company_on_reply``: one person's reply stops what goes to everybody of the same lead. An address's
    ``soft_bounce_limit``-th soft bounce within ``soft_bounce_days`` acts as a hard one (null: none does). An absence
    note without a date holds its person for ``absence_days``. Opens and clicks within ``scan_window_s`` of delivery
    are taken for a scanner's (0: none are).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    working_days: WorkingDays = EVERY_DAY
    holidays_country: HolidaysOf = ""
    extra_holidays: Holidays = ()
    daily_cap: Positive | None = None
    stagger_s: int = Field(default=5, ge=0, le=MAX_DELAY_S)
    unknown_bound_s: int = Field(default=86_400, ge=60, le=30 * 86_400)
    unknown_policy: UnknownPolicy = UnknownPolicy.FAIL
    offline_fallback: bool = True
    stop_company_on_reply: bool = False
    soft_bounce_limit: int | None = Field(default=3, ge=1, le=100)
    soft_bounce_days: int = Field(default=30, ge=1, le=366)
    absence_days: int = Field(default=7, ge=1, le=90)
    scan_window_s: int = Field(default=60, ge=0, le=3600)


# --- everything else ---------------------------------------------------------------------------------------------


class FieldError(Answer):
    """A field that is wrong: an RFC 6901 pointer into the body, or ``/name`` of a parameter."""

    pointer: str
    detail: str


class Problem(Answer):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: tuple[FieldError, ...] = ()


class Health(Answer):
    """Whether the API can work."""

    database: bool
