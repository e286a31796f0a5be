# Made by `make client` from the API's document: change the routes and models there.

"""What the API takes: the keywords of the client's methods, and what is nested in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Required, TypedDict

from cadenza.client.kinds import (
    ApprovalMode,
    CampaignKind,
    CampaignType,
    ClonedContacts,
    CompanyOrder,
    ConsentBasis,
    ContactKind,
    ContactPolicy,
    Day,
    Grade,
    Id,
    Instant,
    JobKind,
    LeadStatus,
    PlanEvent,
    ResumePolicy,
    Role,
    Security,
    SuppressionChannel,
    TimeOfDay,
    UnknownPolicy,
)


class AutomationSettings(TypedDict, total=False):
    """What holds for every campaign of the workspace, unless it says otherwise.

    Null caps mean no limit. ``lead_stagger_s`` lies between the crawls of sites that come in at once, ``stagger_s``
    between two plans of one lead. At most ``ai_concurrency`` calls of a model are under way at once; what they cost in
    a UTC day, in millionths of a US dollar, never passes ``ai_daily_budget_usd_micros``. ``unknown_bound_s`` is how
    long a message whose fate is unknown waits for news of it, and ``unknown_policy`` says what becomes of it then;
    ``offline_fallback`` allows reports and plans by rule where a model has none, or the budget allows no more.
    ``retry_when_budget_renews``: what was skipped for the budget of a UTC day is asked for again once that is over.
    ``stop_company_on_reply``: one person's reply stops what goes to everybody of the same lead. An address's
    ``soft_bounce_limit``-th soft bounce within ``soft_bounce_days`` acts as a hard one (null: none does). An absence
    note without a date holds its person for ``absence_days``. Opens and clicks within ``scan_window_s`` of delivery are
    taken for a scanner's (0: none are).

    ``contact_gap_s`` lies between messages of two campaigns to one person (a plan's own steps pace themselves);
    ``frequency_cap`` is how many messages a person may have in ``frequency_days`` (of 24 hours) over all campaigns;
    ``domain_gap_s`` lies between two mails to one domain, but for those of mailbox providers; 0 means none.

    A campaign or a sender is paused when, over ``reputation_days`` UTC days and at least ``reputation_min_sent``
    messages, as many percent as said bounce for good or bring complaints; null pauses nothing.

    ``country_policy`` is what is asked for before people of a country are written to.

    ``approval_mode`` says whether people look at plans before anything is sent: never, at each, or until
    ``approval_first_n`` of a campaign's plans have been approved. It binds plans that are made from now on.

    ``enabled`` is the switch of automation; left out, or null, it stays as it is (`toggle_automation` turns it too).
    """

    working_hours_start: TimeOfDay | None
    working_hours_end: TimeOfDay | None
    working_days: Sequence[int]
    holidays_country: str
    extra_holidays: Sequence[Day]
    daily_cap: int | None
    stagger_s: int
    lead_stagger_s: int
    ai_concurrency: int
    ai_daily_budget_usd_micros: int | None
    unknown_bound_s: int
    unknown_policy: UnknownPolicy
    offline_fallback: bool
    retry_when_budget_renews: bool
    stop_company_on_reply: bool
    soft_bounce_limit: int | None
    soft_bounce_days: int
    absence_days: int
    scan_window_s: int
    contact_gap_s: int
    frequency_cap: int | None
    frequency_days: int
    domain_gap_s: int
    max_bounce_percent: float | None
    max_complaint_percent: float | None
    reputation_days: int
    reputation_min_sent: int
    country_policy: CountryPolicy
    approval_mode: ApprovalMode
    approval_first_n: int
    enabled: bool | None


class Cadence(TypedDict, total=False):
    """How long to wait, ISO 8601 each, and how often to write at most.

    ``no_open_after`` counts from the first mail if nobody opened it, ``interested_after`` from a click to its answer,
    ``follow_up_after`` from one mail to the next, ``give_up_after`` from the last mail to the end.
    """

    no_open_after: str
    follow_up_after: str
    interested_after: str
    give_up_after: str
    max_emails: int


class CampaignBrief(TypedDict, total=False):
    """What the planner is told: what is offered, to what end, in which tone, at what pace."""

    offering: str
    goal: str
    ask: str
    link: str | None
    language: str
    time_zone: str
    quiet_hours: Hours | None
    cadence: Cadence


class CampaignChange(TypedDict, total=False):
    """What is to change of a campaign; what is left out stays. A ``brief`` or ``rules`` are replaced as a whole.

    Null takes the sender, the content, the cap or the approval mode away. The kind stays: clone it to another one.
    """

    name: str | None
    type: CampaignType | None
    sender_id: Id | None
    template_id: Id | None
    workflow_id: Id | None
    brief: CampaignBrief | None
    rules: CampaignRules | None
    daily_cap: int | None
    approval_mode: ApprovalMode | None
    approval_first_n: int | None
    intake: Intake | None
    company_order: CompanyOrder | None
    company_gap: str | None


class CampaignRules(TypedDict, total=False):
    """What a campaign may say itself about when it sends; whatever it leaves out comes from the workspace."""

    working_hours_start: TimeOfDay | None
    working_hours_end: TimeOfDay | None
    working_days: Sequence[int] | None
    holidays_country: str | None
    extra_holidays: Sequence[Day] | None


class ConfirmedMigration(TypedDict, total=False):
    """A migration that has been previewed: the same fields, and the preview's token."""

    plan: Mapping[str, object] | None
    plan_id: Id | None
    enrolment_ids: Sequence[Id] | None
    node_map: Mapping[str, str]
    cursor: Id | None
    token: str


class Consent(TypedDict, total=False):
    """On what ground the person is written to. ``source`` says where that is to be seen: a form, a contract, a note."""

    basis: ConsentBasis
    source: str
    at: Instant | None


class ContactChange(TypedDict, total=False):
    """What is to change; what is not named stays. ``email`` and ``phone`` null take them away."""

    email: str | None
    phone: str | None
    name: str
    first_name: str
    last_name: str
    title: str
    time_zone: str
    country: str
    language: str
    lead_id: Id | None
    consent: Consent


class CountryPolicy(TypedDict, total=False):
    """What is asked for by country. ``otherwise`` judges the countries that are not named, and people of none.

    Cold mail to companies is judged differently from country to country, so nothing is refused unless the workspace
    says so.
    """

    countries: Mapping[str, ContactPolicy]
    otherwise: ContactPolicy


class Hours(TypedDict, total=False):
    """A half-open window [start, end) of wall-clock time, ``HH:MM``; it may cross midnight."""

    start: Required[str]
    end: Required[str]


class Intake(TypedDict, total=False):
    """Whom a fully automated campaign takes; an empty list takes all.

    ``countries`` (ISO 3166-1 alpha-2) and ``languages`` (ISO 639-1) are the person's, else their site's: who has none
    is not taken where some are named. Without ``kinds``, shared mailboxes are taken where a site names nobody.
    ``highest_role_rank``: 1 is who decides; 100 are shared mailboxes. One of ``title_words`` stands in their title.
    ``domains`` are their company's, with all that lies under them; ``sources`` those of the lists that brought the
    company. ``least_fit``: how well the company fits what is offered, at least. ``exclusive``: nobody who is in another
    campaign, whatever has become of that.
    """

    countries: Sequence[str]
    languages: Sequence[str]
    kinds: Sequence[ContactKind]
    highest_role_rank: int | None
    title_words: Sequence[str]
    domains: Sequence[str]
    sources: Sequence[str]
    least_fit: Literal["medium", "high"] | None
    exclusive: bool


class LeadFilter(TypedDict, total=False):
    """Which leads; what is left out filters nothing. ``source`` is that of the list that brought them.

    ``unassigned``: no campaign was given them. ``created_until`` is not among them.
    """

    status: LeadStatus | None
    batch_id: Id | None
    source: str
    created_since: Instant | None
    created_until: Instant | None
    unassigned: bool


class NewApiKey(TypedDict, total=False):
    """A key to make. ``rate_per_s`` and ``burst`` bound it below what the installation allows every key."""

    name: Required[str]
    role: Required[Role]
    rate_per_s: float | None
    burst: int | None


class NewCampaign(TypedDict, total=False):
    """A campaign to create. It starts as a draft, and what it lacks may be given until it starts.

    Its ``kind`` says what it sends: ``ai`` a plan that is written for each contact from ``brief``; ``template`` one
    mail, that of ``template_id``; ``workflow`` the mails of ``workflow_id``. Of ``brief`` the last two need nothing;
    its ``time_zone`` and ``quiet_hours`` hold for them as well.

    ``approval_mode`` (with ``approval_first_n``) may be stricter than the workspace's: of the two the stricter holds.
    What people have written needs no approval.

    ``intake`` is for fully automated ones: whom they take by themselves (if not said, everybody). With the
    ``company_order`` `one_after_another` the people of a company are taken one by one, ``company_gap`` apart (ISO
    8601), until somebody replies.
    """

    name: Required[str]
    kind: CampaignKind
    type: CampaignType
    sender_id: Id | None
    template_id: Id | None
    workflow_id: Id | None
    brief: CampaignBrief
    rules: CampaignRules
    daily_cap: int | None
    approval_mode: ApprovalMode | None
    approval_first_n: int
    intake: Intake | None
    company_order: CompanyOrder
    company_gap: str


class NewContact(TypedDict, total=False):
    """A person added by hand."""

    email: str | None
    phone: str | None
    name: str
    first_name: str
    last_name: str
    title: str
    time_zone: str
    country: str
    language: str
    lead_id: Id | None
    consent: Consent


class NewLead(TypedDict, total=False):
    """A company site, and the campaign that is to take its contacts."""

    url: Required[str]
    campaign_id: Id | None


class NewLeadBatch(TypedDict, total=False):
    """A list of company sites, with people if they are known, and the campaign that is to take them.

    ``source`` says where the list comes from, for people to read.
    """

    rows: Required[Sequence[Mapping[str, object]]]
    """An object of texts: url, email, phone, name, first_name, last_name, title, time_zone, country, language,
    consent_basis, consent_source, consent_at. Only url is needed; what can be wrong with one is told of its row.
    """
    campaign_id: Id | None
    source: str


class NewSender(TypedDict, total=False):
    """Who sends. The postal address stands in every mail (15 U.S.C. 7704(a)(5), CAN-SPAM).

    With ``smtp`` the mail leaves through that mailbox, else through SES, which ``ses`` may say more about.
    """

    name: Required[str]
    email: Required[str]
    company: Required[str]
    postal_address: Required[str]
    reply_to: str
    daily_cap: int | None
    warm_up: WarmUp | None
    smtp: NewSmtp | None
    ses: SesAccount | None


class NewSmtp(TypedDict, total=False):
    """A mailbox and its password, which is stored apart and never shown again."""

    host: Required[str]
    port: int
    security: Security
    username: str
    password: str


class NewSuppression(TypedDict, total=False):
    """An address, number or domain that may never be written to again. It is stored in its normal form."""

    channel: Required[SuppressionChannel]
    address: Required[str]
    reason: str
    note: str


class NewTemplate(TypedDict, total=False):
    """A mail with variables, such as ``{{ first_name }}``. With ``html_body`` it has two forms."""

    name: Required[str]
    subject: Required[str]
    text_body: Required[str]
    html_body: str


class NewWorkflow(TypedDict, total=False):
    """Templates that are sent one after the other, until somebody replies."""

    name: Required[str]
    steps: Required[Sequence[WorkflowStepInput]]


class PlanOfDraft(TypedDict, total=False):
    """Another plan for a draft, all of it."""

    plan: Mapping[str, object]
    """A plan: see docs/plans.md and GET /v1/plans/schema."""


class PlanToCheck(TypedDict, total=False):
    """A plan that may have faults."""

    plan: Required[Mapping[str, object]]
    """A plan: see docs/plans.md and GET /v1/plans/schema."""


class PlanToPreview(TypedDict, total=False):
    """A plan, the send node whose mail is wanted, and who writes to whom; what is left out is made up."""

    plan: Required[Mapping[str, object]]
    """A plan: see docs/plans.md and GET /v1/plans/schema."""
    node: Required[str]
    recipient: SampleRecipient
    sender: SampleSender


class PlanToSimulate(TypedDict, total=False):
    """A plan, whom it is tried on, and what that contact does.

    ``start`` is when the contact is enrolled, now if not said; ``zone`` is the contact's, the plan's if not said;
    ``holidays_country`` (ISO 3166-1 alpha-2) is the country whose public holidays are kept.
    """

    plan: Required[Mapping[str, object]]
    """A plan: see docs/plans.md and GET /v1/plans/schema."""
    start: Instant | None
    zone: str
    holidays_country: str
    events: Sequence[TapeEntry]


class PurgeWanted(TypedDict, total=False):
    """Messages to delete for good. ``confirm``: the queue's name once more."""

    message_ids: Sequence[str] | None
    all: bool
    confirm: Required[str]


class ReasonInput(TypedDict, total=False):
    """Why; it is kept with the campaign or sender."""

    reason: str


class Resumption(TypedDict, total=False):
    """What becomes of what the pause held back."""

    policy: ResumePolicy


class RetryWanted(TypedDict, total=False):
    """Which jobs to ask for again: the oldest ``limit`` of this status, and of what else is given.

    ``reason``: words that theirs contains, in any case.
    """

    status: Required[Literal["FAILED", "SKIPPED"]]
    reason: str | None
    kind: JobKind | None
    campaign_id: Id | None
    limit: int


class SampleRecipient(TypedDict, total=False):
    """Somebody made up, to try a plan's words on."""

    email: str
    name: str
    first_name: str
    last_name: str
    title: str
    company: str
    domain: str


class SampleSender(TypedDict, total=False):
    """Who would send."""

    name: str
    email: str
    company: str
    postal_address: str
    reply_to: str


class SenderChange(TypedDict, total=False):
    """What is to change of a sender; what is left out stays. Null takes a cap or a warm-up away.

    The address stays: another address is another sender, with a reputation of its own.
    """

    name: str
    company: str
    postal_address: str
    reply_to: str
    daily_cap: int | None
    warm_up: WarmUp | None


class SesAccount(TypedDict, total=False):
    """How SES sends for this identity. ``tenant`` keeps its reputation apart; "" is the installation's own."""

    tenant: str


class TapeEntry(TypedDict, total=False):
    """One event: ``after`` (ISO 8601) the latest send, or ``at`` an instant (RFC 3339).

    It is about the message of ``node``, or else about the latest one. ``hard`` belongs to bounces, which are hard
    unless it says false.
    """

    on: Required[PlanEvent]
    after: str | None
    at: str | None
    node: str | None
    hard: bool | None
    grade: Grade


class TemplateChange(TypedDict, total=False):
    """What is to change of a template; what is left out stays."""

    name: str | None
    subject: str | None
    text_body: str | None
    html_body: str | None


class WantedApproval(TypedDict, total=False):
    """An approval: of the plan that was seen (``plan_hash``), or, with "", of whatever plan the draft has."""

    plan_hash: str


class WantedApprovals(TypedDict, total=False):
    """Which drafts of a campaign are to go: those that are named, or all that wait (1,000 at a time)."""

    enrolment_ids: Sequence[Id]
    all: bool


class WantedClone(TypedDict, total=False):
    """What a clone is called ("" names it after the original), and whether the same people are in it."""

    name: str
    contacts: ClonedContacts


class WantedEnrolments(TypedDict, total=False):
    """Who is to be in the campaign: ``contact_id`` or ``contact_ids``. Without a ``plan`` one is made for each."""

    contact_id: Id | None
    contact_ids: Sequence[Id]
    plan: Mapping[str, object] | None


class WantedHold(TypedDict, total=False):
    """Nothing goes to the person before ``until``."""

    until: Instant | None
    reason: str


class WantedLeads(TypedDict, total=False):
    """Which leads the campaign is to have: those that are named (1,000), or the oldest 1,000 that ``filter`` finds."""

    lead_ids: Sequence[Id]
    filter: LeadFilter | None


class WantedMigration(TypedDict, total=False):
    """What is to move where. Either ``plan`` or ``plan_id`` names the new plan.

    ``enrolment_ids`` left out means the open ones, a batch at a time: the oldest after ``cursor``. ``node_map`` says
    which node of the new plan takes over a node that has changed its name.
    """

    plan: Mapping[str, object] | None
    plan_id: Id | None
    enrolment_ids: Sequence[Id] | None
    node_map: Mapping[str, str]
    cursor: Id | None


class WantedRun(TypedDict, total=False):
    """A batch: of one campaign or of all that take people; at most ``limit`` people, from ``cursor`` on.

    ``dry_run`` shows what would be done.
    """

    campaign_id: Id | None
    limit: int
    cursor: Id | None
    dry_run: bool


class WantedStart(TypedDict, total=False):
    """When a campaign is to start by itself, in RFC 3339."""

    starts_at: Instant | None


class WantedSwitch(TypedDict, total=False):
    """On or off, and why."""

    enabled: Required[bool]
    reason: str


class WarmUp(TypedDict, total=False):
    """How a new sender's cap grows while mailbox providers get to know it.

    On the n-th UTC day after ``starts_on`` it is ``first_day × factor^n + step × n``, rounded down, and never more than
    ``ceiling``; before that day it is as on it. The sender's own ``daily_cap`` holds as well.
    """

    starts_on: Required[Day]
    first_day: Required[int]
    factor: float
    step: int
    ceiling: Required[int]


class WhichLetters(TypedDict, total=False):
    """Messages by their ids, or all of the caller's."""

    message_ids: Sequence[str] | None
    all: bool


class WorkflowStepInput(TypedDict, total=False):
    """A mail of a workflow, ``delay`` (ISO 8601) after the one before was sent; the first, after the enrolment."""

    template_id: Required[Id]
    delay: str
