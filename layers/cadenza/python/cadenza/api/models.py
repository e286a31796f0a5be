"""What the API takes and answers. The field names are the contract: a changed meaning is a new name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, JsonValue, StringConstraints, computed_field

from cadenza.campaigns.intake import Intake
from cadenza.campaigns.model import CampaignBrief, WarmUp
from cadenza.campaigns.timeline import Entry
from cadenza.contacts.model import ContactKind
from cadenza.contacts.people import Consent
from cadenza.core.ids import CampaignId
from cadenza.core.states import (
    AddressCheck,
    Approval,
    ApprovalMode,
    CampaignKind,
    CampaignStatus,
    CampaignType,
    Channel,
    CompanyOrder,
    EnrolmentStatus,
    JobKind,
    JobStatus,
    LeadStatus,
    MessageStatus,
    ResumePolicy,
)
from cadenza.delivery.providers.accounts import SesAccount, SmtpAccount
from cadenza.engine.rules import CampaignRules
from cadenza.figures.counts import SendCounts
from cadenza.leads.fit import Fit
from cadenza.leads.report import AnalysisFigures, AnalysisStats, SiteReport
from cadenza.leads.size import CompanySize


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
    """What an analyst found on a site, and what it took. ``size`` is read from the report's size claims."""

    report: SiteReport
    size: CompanySize
    stats: AnalysisStats
    model: str
    prompt_version: str
    cost_usd_micros: int
    created_at: datetime


class Contact(Answer):
    """A person or shared mailbox. ``suppressed``: they may never be written to.

    ``refused``: the workspace's policy for their country asks for more consent than there is. ``address_check`` says
    whether the address takes mail: nobody is planned for at ``no_domain``, ``no_mx`` or ``disposable``. Whose data was
    erased (``erased_at``) has nothing left but an id.
    """

    id: UUID
    lead_id: UUID | None
    email: str | None
    phone: str | None
    name: str
    first_name: str
    last_name: str
    title: str
    kind: ContactKind
    role_rank: int
    time_zone: str
    country: str
    language: str
    source: dict[str, JsonValue]
    consent: Consent
    address_check: AddressCheck
    address_checked_at: datetime | None
    suppressed: bool
    refused: bool
    created_at: datetime
    erased_at: datetime | None


class Job(Answer):
    """One piece of work: what became of it and why.

    ``attempts_made`` counts the failed attempts before the one that is under way, or was the last: ``attempt`` is its
    number. A QUEUED job is not begun before ``next_attempt_at``; ``reason`` says what it waits for.
    """

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

    @computed_field
    @property
    def attempt(self) -> int:
        """The number of the attempt that is under way, or was the last."""
        return self.attempts_made + 1


class CampaignFit(Answer):
    """How well the site fits what a campaign offers."""

    campaign_id: UUID
    campaign_name: str
    fit: Fit


class LeadDetail(Lead):
    """A site with its newest analysis, its people (who decides first) and its jobs (oldest first).

    ``figures`` are those of the newest analysis job; ``fits`` has one entry a campaign that takes the site.
    """

    analysis: Analysis | None
    figures: AnalysisFigures
    fits: tuple[CampaignFit, ...]
    contacts: tuple[Contact, ...]
    jobs: tuple[Job, ...]


# --- campaigns ---------------------------------------------------------------------------------------------------


def _none_if_empty(document: object) -> object:
    """A stored document that says nothing is none."""
    return document or None


class Sender(Answer):
    """Who sends, and how: ``smtp`` or ``ses``, by ``provider``. A password is never shown.

    ``warm_up`` bounds a day's messages beside ``daily_cap``; a reputation counts from ``resumed_at``.
    """

    id: UUID
    name: str
    email: str
    reply_to: str
    company: str
    postal_address: str
    provider: str
    smtp: SmtpAccount | None
    ses: SesAccount | None
    daily_cap: int | None
    warm_up: Annotated[WarmUp | None, BeforeValidator(_none_if_empty)]
    paused_at: datetime | None
    paused_reason: str
    resumed_at: datetime | None
    created_at: datetime


class Reason(Taken):
    """Why; it is kept with the campaign or sender."""

    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class Resumption(Taken):
    """What becomes of what the pause held back."""

    policy: ResumePolicy = ResumePolicy.SHIFT


class Campaign(Answer):
    """A campaign. ``starts_at``: it starts by itself then. Since ``intake_closed_at`` it takes nobody in any more."""

    id: UUID
    name: str
    kind: CampaignKind
    type: CampaignType
    status: CampaignStatus
    status_reason: str
    sender_id: UUID | None
    daily_cap: int | None
    created_at: datetime
    starts_at: datetime | None
    started_at: datetime | None
    paused_at: datetime | None
    resumed_at: datetime | None
    intake_closed_at: datetime | None
    finished_at: datetime | None


class Counts(Answer):
    """How many rows are in which state; states that no row is in are left out."""

    leads: Mapping[LeadStatus, int]
    enrolments: Mapping[EnrolmentStatus, int]
    messages: Mapping[MessageStatus, int]
    jobs: Mapping[JobStatus, int]


class CampaignDetail(Campaign, SendCounts):
    """A campaign with what was said about it and where it stands. ``approval_mode`` null: the workspace's alone.

    ``emails_scheduled`` is ``sent + failed + skipped + remaining``; ``not_reached`` was ahead of enrolments that ended.
    A template or workflow campaign has one plan (``plan_id``), null until somebody is enrolled or it starts.
    ``intake`` is what a fully automated one takes by itself; of others it means nothing.
    """

    template_id: UUID | None
    workflow_id: UUID | None
    plan_id: UUID | None
    brief: CampaignBrief
    rules: CampaignRules
    approval_mode: ApprovalMode | None
    approval_first_n: int
    intake: Intake
    company_order: CompanyOrder
    company_gap: str
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
    """One contact in one campaign. ``current_node`` is "" before the start.

    A draft whose ``approval`` is wanted does not begin; where it is wanted still, an ended one was never decided on.
    """

    id: UUID
    campaign_id: UUID
    contact: Enrolled
    plan_id: UUID
    status: EnrolmentStatus
    approval: Approval
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
