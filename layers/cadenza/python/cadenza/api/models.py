"""What the API takes and answers. The field names are the contract: a changed meaning is a new name."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, StringConstraints, computed_field

from cadenza.campaigns.model import CampaignBrief, FirstN, WarmUp
from cadenza.campaigns.timeline import Entry
from cadenza.contacts.countries import CountryPolicy
from cadenza.contacts.model import ContactKind
from cadenza.contacts.people import Consent
from cadenza.core.ids import CampaignId
from cadenza.core.queues import MAX_DELAY_S
from cadenza.core.states import (
    AddressCheck,
    Approval,
    ApprovalMode,
    CampaignKind,
    CampaignStatus,
    Channel,
    EnrolmentStatus,
    JobKind,
    JobStatus,
    LeadStatus,
    MessageStatus,
    ResumePolicy,
    UnknownPolicy,
)
from cadenza.delivery.providers.accounts import SesAccount, SmtpAccount
from cadenza.engine.rules import EVERY_DAY, CampaignRules, Holidays, HolidaysOf, WorkingDays, WorkingHours
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
    resumed_at: datetime | None
    finished_at: datetime | None


class Counts(Answer):
    """How many rows are in which state; states that no row is in are left out."""

    leads: Mapping[LeadStatus, int]
    enrolments: Mapping[EnrolmentStatus, int]
    messages: Mapping[MessageStatus, int]
    jobs: Mapping[JobStatus, int]


class CampaignDetail(Campaign):
    """A campaign with what was said about it and where it stands. ``approval_mode`` null: the workspace's alone."""

    brief: CampaignBrief
    rules: CampaignRules
    approval_mode: ApprovalMode | None
    approval_first_n: int
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


# --- rules --------------------------------------------------------------------------------------------------------


Positive = Annotated[int, Field(ge=1, le=2_147_483_647)]


Percent = Annotated[float, Field(gt=0, le=100, multiple_of=0.01)]


class AutomationSettings(WorkingHours):
    """What holds for every campaign of the workspace, unless it says otherwise.

    Null caps mean no limit. ``lead_stagger_s`` lies between the crawls of sites that come in at once, ``stagger_s``
    between two plans of one lead. At most ``ai_concurrency`` calls of a model are under way at once; what they cost in
    a UTC day, in millionths of a US dollar, never passes ``ai_daily_budget_usd_micros``. ``unknown_bound_s`` is how
    long a message whose fate is unknown waits for news of it, and ``unknown_policy`` says what becomes of it then;
    ``offline_fallback`` allows reports and plans by rule where a model has none, or the budget allows no more.
    ``stop_company_on_reply``: one person's reply stops what goes to everybody of the same lead. An address's
    ``soft_bounce_limit``-th soft bounce within ``soft_bounce_days`` acts as a hard one (null: none does). An absence
    note without a date holds its person for ``absence_days``. Opens and clicks within ``scan_window_s`` of delivery
    are taken for a scanner's (0: none are).

    ``contact_gap_s`` lies between messages of two campaigns to one person (a plan's own steps pace themselves);
    ``frequency_cap`` is how many messages a person may have in ``frequency_days`` (of 24 hours) over all campaigns;
    ``domain_gap_s`` lies between two mails to one domain, but for those of mailbox providers; 0 means none.

    A campaign or a sender is paused when, over ``reputation_days`` UTC days and at least ``reputation_min_sent``
    messages, as many percent as said bounce for good or bring complaints; null pauses nothing.

    ``country_policy`` is what is asked for before people of a country are written to.

    ``approval_mode`` says whether people look at plans before anything is sent: never, at each, or until
    ``approval_first_n`` of a campaign's plans have been approved. It binds plans that are made from now on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", from_attributes=True)

    working_days: WorkingDays = EVERY_DAY
    holidays_country: HolidaysOf = ""
    extra_holidays: Holidays = ()
    daily_cap: Positive | None = None
    stagger_s: int = Field(default=5, ge=0, le=MAX_DELAY_S)
    lead_stagger_s: int = Field(default=1, ge=0, le=MAX_DELAY_S)
    ai_concurrency: int = Field(default=5, ge=1, le=1000)
    ai_daily_budget_usd_micros: int | None = Field(default=None, ge=0, le=10**15)
    unknown_bound_s: int = Field(default=86_400, ge=60, le=30 * 86_400)
    unknown_policy: UnknownPolicy = UnknownPolicy.FAIL
    offline_fallback: bool = True
    stop_company_on_reply: bool = False
    soft_bounce_limit: int | None = Field(default=3, ge=1, le=100)
    soft_bounce_days: int = Field(default=30, ge=1, le=366)
    absence_days: int = Field(default=7, ge=1, le=90)
    scan_window_s: int = Field(default=60, ge=0, le=3600)
    contact_gap_s: int = Field(default=86_400, ge=0, le=30 * 86_400)
    frequency_cap: Positive | None = None
    frequency_days: int = Field(default=7, ge=1, le=90)
    domain_gap_s: int = Field(default=0, ge=0, le=7 * 86_400)
    max_bounce_percent: Percent | None = 4.0
    max_complaint_percent: Percent | None = 0.08
    reputation_days: int = Field(default=7, ge=1, le=90)
    reputation_min_sent: int = Field(default=100, ge=1, le=1_000_000)
    country_policy: CountryPolicy = CountryPolicy()
    approval_mode: ApprovalMode = ApprovalMode.AUTOMATIC
    approval_first_n: FirstN = 0


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
