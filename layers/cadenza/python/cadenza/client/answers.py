# Made by `make client` from the API's document: change the routes and models there.

"""What the API answers."""

from __future__ import annotations

import datetime as dt
from typing import Literal
from uuid import UUID

from pydantic import JsonValue

from cadenza.client.api import Answer
from cadenza.client.kinds import (
    ActionKind,
    AddressCheck,
    AiOutcome,
    Approval,
    ApprovalAct,
    ApprovalMode,
    Assigned,
    AuditAct,
    BatchStatus,
    By,
    CampaignKind,
    CampaignStatus,
    CampaignType,
    Channel,
    CompanyOrder,
    ConsentAct,
    ConsentBasis,
    ConsentOutcome,
    ContactKind,
    ContactPolicy,
    Decided,
    DropReason,
    EnrolmentStatus,
    FailedKind,
    FindingCode,
    FitLevel,
    Gate,
    JobKind,
    JobStatus,
    Kind,
    LeadStatus,
    LegacyOutcome,
    MessageStatus,
    Passed,
    Placed,
    QueueName,
    ResumePolicy,
    Role,
    RowOutcome,
    Security,
    SendState,
    Severity,
    SimulateEntryKind,
    SuppressionChannel,
    TimelineEntryKind,
    Tone,
    Topic,
    UnknownPolicy,
    Verdict,
    Work,
)


class Analysis(Answer):
    """What an analyst found on a site, and what it took. ``size`` is read from the report's size claims."""

    report: SiteReport
    size: CompanySize
    stats: AnalysisStats
    model: str
    prompt_version: str
    cost_usd_micros: int
    created_at: dt.datetime


class AnalysisFigures(Answer):
    """The four figures of an analysis; all are nothing for a site that could not be read.

    ``site_analysis_success``: at least one claim was proved. ``contact_extraction_success``: at least one contact was
    found. ``contacts_created`` counts those that were not known before.
    """

    contacts_found: int = 0
    contacts_created: int = 0
    site_analysis_success: bool = False
    contact_extraction_success: bool = False


class AnalysisStats(Answer):
    """How much was looked at and how much was believed. ``texts_replaced`` counts claims put back to their quote.

    ``drop_reasons`` says of each reason how many of the ``claims_dropped`` it was; those that nothing was dropped for
    are left out.
    """

    pages_read: int = 0
    pages_set_aside: int = 0
    claims_proposed: int = 0
    claims_kept: int = 0
    claims_dropped: int = 0
    drop_reasons: dict[DropReason, int]
    texts_replaced: int = 0
    contacts_found: int = 0
    people_found: int = 0
    contacts_dropped: int = 0


class ApiKey(Answer):
    """An API key without itself; ``prefix`` is how it begins ("" of older ones).

    ``rate_per_s`` and ``burst`` are its own limits, null: the installation's. ``last_used_on`` is a UTC day.
    """

    id: UUID
    name: str
    prefix: str
    role: Role
    rate_per_s: float | None
    burst: int | None
    created_at: dt.datetime
    last_used_on: dt.date | None
    revoked_at: dt.datetime | None


class AuditRecord(Answer):
    """Who did what, and when. ``key_id`` null: the system did it."""

    id: UUID
    act: AuditAct
    key_id: UUID | None
    subject_id: UUID | None
    detail: dict[str, JsonValue]
    at: dt.datetime


class AutomaticJob(Answer):
    """A plan that a fully automated campaign has ordered. ``waits_for`` says what it waits for; "": it does not."""

    id: UUID
    kind: JobKind
    lead_id: UUID | None
    contact_id: UUID | None
    campaign_id: UUID | None
    status: JobStatus
    attempts_made: int
    reason: str
    result: dict[str, JsonValue]
    queued_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    next_attempt_at: dt.datetime | None
    attempt: int
    """The number of the attempt that is under way, or was the last."""
    waits_for: str
    """Its turn, what went wrong, or the switch."""


class AutomationSettings(Answer):
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

    working_hours_start: dt.time | None = None
    working_hours_end: dt.time | None = None
    working_days: tuple[int, ...]
    holidays_country: str = ""
    extra_holidays: tuple[dt.date, ...] = ()
    daily_cap: int | None = None
    stagger_s: int = 5
    lead_stagger_s: int = 1
    ai_concurrency: int = 5
    ai_daily_budget_usd_micros: int | None = None
    unknown_bound_s: int = 86400
    unknown_policy: UnknownPolicy = "fail"
    offline_fallback: bool = True
    retry_when_budget_renews: bool = False
    stop_company_on_reply: bool = False
    soft_bounce_limit: int | None = 3
    soft_bounce_days: int = 30
    absence_days: int = 7
    scan_window_s: int = 60
    contact_gap_s: int = 86400
    frequency_cap: int | None = None
    frequency_days: int = 7
    domain_gap_s: int = 0
    max_bounce_percent: float | None = 4.0
    max_complaint_percent: float | None = 0.08
    reputation_days: int = 7
    reputation_min_sent: int = 100
    country_policy: CountryPolicy
    approval_mode: ApprovalMode = "automatic"
    approval_first_n: int = 0
    enabled: bool | None = None


class AwaitedEvent(Answer):
    """An event that would lead on now, or will from ``opens_at`` on. Null: at once, or without an end."""

    on: str
    to: str
    opens_at: dt.datetime | None
    until: dt.datetime | None


class Bar(Answer):
    """How many replies took [``from_s``, ``to_s``) seconds; null: without an end."""

    from_s: int
    to_s: int | None
    replies: int


class BatchesToldRow(Answer):
    """What became of a row; ``contact`` is null where it brought nobody.

    ``line`` is the line of the sheet that the row begins on, or the number of the object, from 1. ``same_as`` is the
    earlier line with the same site. ``problems`` of a row that is not refused are its contact's; ``notes`` are for
    people to read. Nobody's name or address stands in it.
    """

    line: int
    outcome: RowOutcome
    lead_id: UUID | None = None
    domain: str = ""
    same_as: int | None = None
    contact: RowOutcome | None = None
    contact_id: UUID | None = None
    problems: tuple[ToldProblem, ...] = ()
    notes: tuple[str, ...] = ()


class Block(Answer):
    """A gate that is closed now. ``clears_at`` is null when only a person, or an event, can open it.

    ``verdict`` is what the gate says, as the outbox records it; ``steps`` explain ``clears_at``, one a line.
    """

    gate: Gate
    verdict: str
    reason: str
    since: dt.datetime | None = None
    clears_at: dt.datetime | None = None
    steps: tuple[str, ...] = ()


class Breaker(Answer):
    """A provider that has failed. ``open_until`` null: it is well; past: the next call tries it."""

    provider: str
    failures: int
    open_until: dt.datetime | None
    reason: str
    updated_at: dt.datetime


class Budget(Answer):
    """How the workspace stands today (UTC). Null: there is no limit. ``reserved`` is what calls under way may cost."""

    budget_usd_micros: int | None
    spent_usd_micros: int
    reserved_usd_micros: int
    left_usd_micros: int | None
    under_way: int
    concurrency: int


class Cadence(Answer):
    """How long to wait, ISO 8601 each, and how often to write at most.

    ``no_open_after`` counts from the first mail if nobody opened it, ``interested_after`` from a click to its answer,
    ``follow_up_after`` from one mail to the next, ``give_up_after`` from the last mail to the end.
    """

    no_open_after: str = "P2D"
    follow_up_after: str = "P3D"
    interested_after: str = "P1D"
    give_up_after: str = "P5D"
    max_emails: int = 3


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
    created_at: dt.datetime
    starts_at: dt.datetime | None
    started_at: dt.datetime | None
    paused_at: dt.datetime | None
    resumed_at: dt.datetime | None
    intake_closed_at: dt.datetime | None
    finished_at: dt.datetime | None


class CampaignBrief(Answer):
    """What the planner is told: what is offered, to what end, in which tone, at what pace."""

    offering: str = ""
    goal: str = "a short first conversation"
    ask: str = ""
    link: str | None = None
    language: str = "en"
    time_zone: str = "UTC"
    quiet_hours: Hours | None = None
    cadence: Cadence


class CampaignDetail(Answer):
    """A campaign with what was said about it and where it stands. ``approval_mode`` null: the workspace's alone.

    ``emails_scheduled`` is ``sent + failed + skipped + remaining``; ``not_reached`` was ahead of enrolments that ended.
    A template or workflow campaign has one plan (``plan_id``), null until somebody is enrolled or it starts. ``intake``
    is what a fully automated one takes by itself; of others it means nothing.
    """

    emails_scheduled: int
    sent: int
    failed: int
    skipped: int
    remaining: int
    not_reached: int
    id: UUID
    name: str
    kind: CampaignKind
    type: CampaignType
    status: CampaignStatus
    status_reason: str
    sender_id: UUID | None
    daily_cap: int | None
    created_at: dt.datetime
    starts_at: dt.datetime | None
    started_at: dt.datetime | None
    paused_at: dt.datetime | None
    resumed_at: dt.datetime | None
    intake_closed_at: dt.datetime | None
    finished_at: dt.datetime | None
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


class CampaignFit(Answer):
    """How well the site fits what a campaign offers."""

    campaign_id: UUID
    campaign_name: str
    fit: Fit


class CampaignLead(Answer):
    """A lead that a campaign was given, or of which it has taken somebody by itself (``given_at`` null).

    Of its people, ``on_order`` have a plan on order, ``enrolled`` are or were in the campaign, ``open`` of these are
    under way, ``waiting`` are to have their turn; ``next_at`` is when the next of these has it, if that is known.
    """

    id: UUID
    domain: str
    company_name: str
    status: LeadStatus
    failure_reason: str
    given_at: dt.datetime | None
    on_order: int
    enrolled: int
    open: int
    waiting: int
    next_at: dt.datetime | None


class CampaignOfDraft(Answer):
    """The campaign that a draft is in."""

    id: UUID
    name: str
    status: CampaignStatus


class CampaignRules(Answer):
    """What a campaign may say itself about when it sends; whatever it leaves out comes from the workspace."""

    working_hours_start: dt.time | None = None
    working_hours_end: dt.time | None = None
    working_days: tuple[int, ...] | None = None
    holidays_country: str | None = None
    extra_holidays: tuple[dt.date, ...] | None = None


class CampaignSchedule(Answer):
    """What is behind and ahead of some of a campaign's enrolments, as of ``as_of``; whoever came last comes first.

    A page is of enrolments, so that filters may leave it empty though there are more. ``note`` says what is to be known
    of all that lies ahead: that the campaign is paused, or has not begun.
    """

    items: tuple[ContactSend, ...]
    next_cursor: UUID | None
    campaign_id: UUID
    status: CampaignStatus
    note: str
    as_of: dt.datetime


class CheckedPlan(Answer):
    """Whether a plan would run, and what is to be said about it."""

    runs: bool
    findings: tuple[Finding, ...]


class Claim(Answer):
    """A statement about the company and its proof: ``quote`` stands verbatim on ``page_url`` (`evidence.verified`)."""

    topic: Topic
    text: str
    page_url: str
    quote: str


class CompanySize(Answer):
    """What a site says; null where it does not."""

    employees: Figure | None = None
    locations: Figure | None = None
    founded: Year | None = None


class Consent(Answer):
    """On what ground the person is written to. ``source`` says where that is to be seen: a form, a contract, a note."""

    basis: ConsentBasis = "none"
    source: str = ""
    at: dt.datetime | None = None


class ConsentRecord(Answer):
    """A suppression that was taken back (``was`` says what it had been), or a person who was erased."""

    id: UUID
    act: ConsentAct
    contact_id: UUID | None
    channel: str
    address: str
    was: dict[str, JsonValue]
    reason: str
    key_id: UUID | None
    at: dt.datetime


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
    address_checked_at: dt.datetime | None
    suppressed: bool
    refused: bool
    created_at: dt.datetime
    erased_at: dt.datetime | None


class ContactSend(Answer):
    """One message of an enrolment, sent or not. ``step`` counts them on its way, from 1.

    ``planned_at`` is null where it will never come. What lies ahead holds if nobody reacts and no cap or gap is in the
    way; ``why`` leads to its instant.
    """

    node: str
    visit: int
    step: int
    state: SendState
    planned_at: dt.datetime | None
    sent_at: dt.datetime | None = None
    message_id: UUID | None = None
    reason: str = ""
    why: tuple[str, ...] = ()
    enrolment_id: UUID
    contact: Enrolled


class CountryPolicy(Answer):
    """What is asked for by country. ``otherwise`` judges the countries that are not named, and people of none.

    Cold mail to companies is judged differently from country to country, so nothing is refused unless the workspace
    says so.
    """

    countries: dict[str, ContactPolicy]
    otherwise: ContactPolicy = "allowed"


class Counts(Answer):
    """How many rows are in which state; states that no row is in are left out."""

    leads: dict[LeadStatus, int]
    enrolments: dict[EnrolmentStatus, int]
    messages: dict[MessageStatus, int]
    jobs: dict[JobStatus, int]


class DatabaseHealth(Answer):
    """What the database says of itself. ``schema_version`` differs from ``schema_wanted`` while a deployment runs."""

    round_trip_ms: int
    schema_version: str
    schema_wanted: str


class DeadLetter(Answer):
    """A message that broke its function, or met the same trouble for a day.

    ``type`` "" and ``wrong``: it is none of our messages, because of these fields. ``error`` is what the job ledger
    says about its work; "" where it says nothing. ``receives`` counts this look too. A body that is not JSON is a text.
    """

    message_id: str
    type: str
    ids: dict[str, tuple[str, ...]]
    body: JsonValue
    wrong: tuple[str, ...]
    error: str
    sent_at: dt.datetime
    first_received_at: dt.datetime
    receives: int


class DeadLetterQueue(Answer):
    """How many messages are in a queue's DLQ, of the whole installation and roughly, as SQS counts."""

    queue: QueueName
    depth: int


class DeadLetterQueues(Answer):
    """All dead-letter queues."""

    items: tuple[DeadLetterQueue, ...]


class DeadLetters(Answer):
    """The caller's messages in a DLQ, the oldest first. ``complete`` false: there are more than could be looked at."""

    items: tuple[DeadLetter, ...]
    complete: bool


class Decision(Answer):
    """Who changed, approved or rejected a draft. ``key_id`` null: it follows from others' approval."""

    at: dt.datetime
    act: ApprovalAct
    key_id: UUID | None
    plan_id: UUID
    reason: str


class Draft(Answer):
    """An enrolment that waits for approval. ``subject`` is its first node's, before it is filled in.

    ``plan_hash`` is what an approval may name, so that it is for what was seen.
    """

    id: UUID
    campaign: CampaignOfDraft
    contact: Enrolled
    lead: LeadOfDraft | None
    approval: Approval
    status: EnrolmentStatus
    reason: str
    plan_id: UUID
    plan_hash: str
    source: str
    subject: str
    created_at: dt.datetime


class DraftAnswer(Answer):
    """What became of one draft, and in words why."""

    enrolment_id: UUID
    outcome: Decided
    detail: str


class DraftAnswers(Answer):
    """What became of each. ``released`` more need not be approved any more; ``waiting`` still wait."""

    items: tuple[DraftAnswer, ...]
    released: int
    waiting: int


class DraftDetail(Answer):
    """A draft with its plan, what is to be said about it, its mails as they would leave, and what was done to it."""

    id: UUID
    campaign: CampaignOfDraft
    contact: Enrolled
    lead: LeadOfDraft | None
    approval: Approval
    status: EnrolmentStatus
    reason: str
    plan_id: UUID
    plan_hash: str
    source: str
    subject: str
    created_at: dt.datetime
    plan: dict[str, JsonValue]
    findings: tuple[PreviewFinding, ...]
    mails: tuple[Preview, ...]
    decisions: tuple[Decision, ...]


class EditedPlan(Answer):
    """The plan that a draft has now, and what is to be said about it. Nothing of it keeps the plan from being sent."""

    id: UUID
    hash: str
    version: str
    source: str
    plan: dict[str, JsonValue]
    created_at: dt.datetime
    findings: tuple[PreviewFinding, ...]


class Ending(Answer):
    """How the enrolment ended, as its last audit row says."""

    at: dt.datetime
    node: str
    cause: str
    rule: str


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
    next_due_at: dt.datetime | None
    created_at: dt.datetime
    finished_at: dt.datetime | None


class EnrolmentAnswer(Answer):
    """What became of one contact, and in words why. ``enrolment_id`` is there if they are enrolled now."""

    contact_id: UUID
    outcome: Placed
    detail: str
    enrolment_id: UUID | None


class EnrolmentAnswers(Answer):
    """What became of each contact."""

    items: tuple[EnrolmentAnswer, ...]


class EnrolmentDetail(Answer):
    """An enrolment with its messages, in the order in which they were queued."""

    id: UUID
    campaign_id: UUID
    contact: Enrolled
    plan_id: UUID
    status: EnrolmentStatus
    approval: Approval
    current_node: str
    visit: int
    reason: str
    next_due_at: dt.datetime | None
    created_at: dt.datetime
    finished_at: dt.datetime | None
    messages: tuple[Message, ...]


class EnrolmentMove(Answer):
    """What becomes of one enrolment. ``reason`` says why it cannot move, or why it ends where the new plan leads."""

    enrolment_id: UUID
    moves: bool
    reason: str = ""
    from_plan_id: UUID
    from_node: str
    to_node: str
    status: EnrolmentStatus
    cancelled: tuple[PlannedAction, ...] = ()
    scheduled: tuple[PlannedAction, ...] = ()
    message: QueuedMessage | None = None


class Entry(Answer):
    """One thing that happened, or is planned to.

    ``detail`` says what, in fields that depend on the kind; ``why`` has one reason a line, the first cause first.
    """

    at: dt.datetime
    kind: TimelineEntryKind
    node: str
    detail: dict[str, JsonValue]
    why: tuple[str, ...] = ()


class Erased(Answer):
    """What an erasure did. Asked again, nothing is left to do: ``erased_at`` is the first time's."""

    contact_id: UUID
    erased_at: dt.datetime
    enrolments_stopped: int = 0
    plans_buried: int = 0


class Explanation(Answer):
    """Why nothing is sent to one contact now, and when something will be.

    ``will_send_at`` holds if nobody does anything; ``will_send_why`` leads to it, or says why it is null.
    """

    enrolment_id: UUID
    status: EnrolmentStatus
    reason: str
    node: str
    at: dt.datetime
    next: tuple[NextStep, ...]
    blocked_by: tuple[Block, ...]
    awaits: tuple[AwaitedEvent, ...]
    will_send_node: str
    will_send_at: dt.datetime | None
    will_send_why: tuple[str, ...]
    ended: Ending | None


class Failed(Answer):
    """A job that has failed, was skipped, or failed and waits for its next attempt; or a message that was not sent.

    ``id`` is the job's or the message's. Jobs are tried again by `POST /v1/jobs/{id}/retry`.
    """

    id: UUID
    kind: FailedKind
    status: str
    reason: str
    lead_id: UUID | None
    contact_id: UUID | None
    campaign_id: UUID | None
    enrolment_id: UUID | None
    failed_at: dt.datetime
    retry: Retry


class Fault(Answer):
    """What is wrong with a field of a row ("": the row), and what would make it right."""

    field: str
    detail: str


class Figure(Answer):
    """From ``least`` to ``most``; null where the sentence leaves that end open ("over 40", "up to 40").

    ``approximate``: the sentence says "about".
    """

    least: int | None
    most: int | None
    approximate: bool = False
    page_url: str
    quote: str


class Figures(Answer):
    """How many messages came how far, each counted once whatever was reported how often; ``people…`` counts people.

    ``planned`` is all that got as far as the outbox: ``waiting + failed + skipped + sent``. ``delivered`` were reported
    so, or shown to be by what followed. ``arrived`` are sent ones that did not bounce, as far as is known: what people
    did is a rate of these, because not every provider reports deliveries. An open is somebody's if a person opened,
    clicked or answered; ``…_by_machine`` counts what only machines did.
    """

    planned: int = 0
    waiting: int = 0
    failed: int = 0
    skipped: int = 0
    sent: int = 0
    delivered: int = 0
    arrived: int = 0
    bounced_hard: int = 0
    bounced_soft: int = 0
    opened: int = 0
    opened_by_machine: int = 0
    clicked: int = 0
    clicked_by_machine: int = 0
    replied: int = 0
    replied_by_machine: int = 0
    complained: int = 0
    unsubscribed: int = 0
    people: int = 0
    people_opened: int = 0
    people_clicked: int = 0
    people_replied: int = 0
    people_unsubscribed: int = 0
    delivery_rate: float | None
    """Delivered of sent."""
    bounce_rate: float | None
    """Hard bounces of sent, as the reputation counts them."""
    open_rate: float | None
    """Opened by people, of arrived."""
    click_rate: float | None
    """Clicked by people, of arrived."""
    reply_rate: float | None
    """Answered by people, of arrived."""
    complaint_rate: float | None
    """Complaints of arrived."""
    unsubscribe_rate: float | None
    """Opt-outs of arrived."""
    people_reply_rate: float | None
    """People who answered, of people written to."""


class Finding(Answer):
    """What the compiler says. An error refuses the plan; ``pointer`` (RFC 6901) leads into it."""

    code: FindingCode
    severity: Severity
    pointer: str
    message: str
    fix: str


class Fit(Answer):
    """The level, the claims it rests on, and why in words."""

    level: FitLevel
    reasons: tuple[FitReason, ...] = ()
    why: str


class FitReason(Answer):
    """A claim of the site, and the words that it shares with the offering."""

    words: tuple[str, ...]
    claim: Claim


class FunnelReport(Answer):
    """What came of messages, in total and line by line. ``cut``: there are more lines than are shown."""

    campaign_id: UUID | None
    since: dt.date | None
    until: dt.date | None
    zone: str
    by: By
    total: Figures
    items: tuple[Line, ...]
    cut: bool


class Header(Answer):
    """One header field, as it would leave (RFC 2047 words stay encoded)."""

    name: str
    value: str


class Health(Answer):
    """Whether the API can work."""

    database: bool


class HoldStatus(Answer):
    """The person's hold; ``until`` null: there is none."""

    until: dt.datetime | None = None
    reason: str = ""
    created_at: dt.datetime | None = None


class Hours(Answer):
    """A half-open window [start, end) of wall-clock time, ``HH:MM``; it may cross midnight."""

    start: str
    end: str


class ImportReport(Answer):
    """What became of a list: every row of it. ``halted`` enrolments were open and have ended."""

    rows: int
    created: int
    known: int
    refused: int
    halted: int
    items: tuple[ImportedRow, ...]


class ImportedRow(Answer):
    """What became of one row; ``line`` is the line of the file that it begins on, ``detail`` says why."""

    line: int
    outcome: ConsentOutcome
    detail: str


class InstallationHealth(Answer):
    """How the installation is. `down` is answered with 503; ``database`` null: it did not answer."""

    verdict: Verdict
    checked_at: dt.datetime
    reasons: tuple[ReasonOutput, ...]
    queues: tuple[QueueHealth, ...]
    workers: tuple[WorkerHealth, ...]
    overdue: tuple[Overdue, ...]
    breakers: tuple[Breaker, ...]
    database: DatabaseHealth | None
    next_wake: NextWake | None


class Intake(Answer):
    """Whom a fully automated campaign takes; an empty list takes all.

    ``countries`` (ISO 3166-1 alpha-2) and ``languages`` (ISO 639-1) are the person's, else their site's: who has none
    is not taken where some are named. Without ``kinds``, shared mailboxes are taken where a site names nobody.
    ``highest_role_rank``: 1 is who decides; 100 are shared mailboxes. One of ``title_words`` stands in their title.
    ``domains`` are their company's, with all that lies under them; ``sources`` those of the lists that brought the
    company. ``least_fit``: how well the company fits what is offered, at least. ``exclusive``: nobody who is in another
    campaign, whatever has become of that.
    """

    countries: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    kinds: tuple[ContactKind, ...] = ()
    highest_role_rank: int | None = None
    title_words: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    least_fit: Literal["medium", "high"] | None = None
    exclusive: bool = True


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
    queued_at: dt.datetime
    started_at: dt.datetime | None
    finished_at: dt.datetime | None
    next_attempt_at: dt.datetime | None
    attempt: int
    """The number of the attempt that is under way, or was the last."""


class Lead(Answer):
    """A company site."""

    id: UUID
    domain: str
    url: str
    company_name: str
    status: LeadStatus
    failure_reason: str
    created_at: dt.datetime
    updated_at: dt.datetime


class LeadAnswer(Answer):
    """What became of a lead, and in words why. ``plans`` were ordered for people of it just now."""

    lead_id: UUID
    domain: str
    outcome: Assigned
    detail: str
    plans: int


class LeadAnswers(Answer):
    """What became of each lead. ``more``: the filter finds others besides; ask again."""

    items: tuple[LeadAnswer, ...]
    more: bool


class LeadBatch(Answer):
    """A list that was taken in. ``created``, ``merged`` and ``refused`` add up to ``rows``; so do contacts to
    theirs.

    ``running``: its crawls and plans are still being handed out.
    """

    id: UUID
    source: str
    status: BatchStatus
    campaign_id: UUID | None
    rows: int
    created: int
    merged: int
    refused: int
    contacts_created: int
    contacts_merged: int
    contacts_refused: int
    created_at: dt.datetime


class LeadBatchReport(Answer):
    """A list with what became of its rows, and how far the leads are that it has brought.

    ``items`` are some of the rows, in the list's order; ``next_after`` is null with the last of them, else it goes into
    ``after``. ``ignored_columns`` of a sheet were not read.
    """

    id: UUID
    source: str
    status: BatchStatus
    campaign_id: UUID | None
    rows: int
    created: int
    merged: int
    refused: int
    contacts_created: int
    contacts_merged: int
    contacts_refused: int
    created_at: dt.datetime
    leads: dict[LeadStatus, int]
    ignored_columns: tuple[str, ...]
    items: tuple[BatchesToldRow, ...]
    next_after: int | None


class LeadDetail(Answer):
    """A site with its newest analysis, its people (who decides first) and its jobs (oldest first).

    ``figures`` are those of the newest analysis job; ``fits`` has one entry a campaign that takes the site.
    """

    id: UUID
    domain: str
    url: str
    company_name: str
    status: LeadStatus
    failure_reason: str
    created_at: dt.datetime
    updated_at: dt.datetime
    analysis: Analysis | None
    figures: AnalysisFigures
    fits: tuple[CampaignFit, ...]
    contacts: tuple[Contact, ...]
    jobs: tuple[Job, ...]


class LeadOfDraft(Answer):
    """The site that a draft's contact was found on."""

    id: UUID
    domain: str
    company_name: str


class LegacyToldRow(Answer):
    """What became of a row, by the place where it stands in the export and the id that it had there.

    Nobody's name or address stands in it.
    """

    kind: Kind | None = None
    place: str
    old_id: str = ""
    outcome: LegacyOutcome
    notes: tuple[str, ...] = ()
    problems: tuple[Fault, ...] = ()


class LettersMoved(Answer):
    """What became of messages. ``not_found``: named, but not seen, or not yours. ``undone``: SQS refused them.

    ``complete`` false: there were more than one request takes (500); ask again.
    """

    queue: QueueName
    count: int
    message_ids: tuple[str, ...]
    not_found: tuple[str, ...]
    undone: tuple[str, ...]
    complete: bool


class Line(Answer):
    """The figures of one campaign, sender, step, plan or day.

    ``key`` is its id, number or date; ``label`` its name, address, node, or the plan's hash.
    """

    planned: int = 0
    waiting: int = 0
    failed: int = 0
    skipped: int = 0
    sent: int = 0
    delivered: int = 0
    arrived: int = 0
    bounced_hard: int = 0
    bounced_soft: int = 0
    opened: int = 0
    opened_by_machine: int = 0
    clicked: int = 0
    clicked_by_machine: int = 0
    replied: int = 0
    replied_by_machine: int = 0
    complained: int = 0
    unsubscribed: int = 0
    people: int = 0
    people_opened: int = 0
    people_clicked: int = 0
    people_replied: int = 0
    people_unsubscribed: int = 0
    key: str
    label: str
    delivery_rate: float | None
    """Delivered of sent."""
    bounce_rate: float | None
    """Hard bounces of sent, as the reputation counts them."""
    open_rate: float | None
    """Opened by people, of arrived."""
    click_rate: float | None
    """Clicked by people, of arrived."""
    reply_rate: float | None
    """Answered by people, of arrived."""
    complaint_rate: float | None
    """Complaints of arrived."""
    unsubscribe_rate: float | None
    """Opt-outs of arrived."""
    people_reply_rate: float | None
    """People who answered, of people written to."""


class Me(Answer):
    """Who is asking: their workspace and their key, with its role."""

    workspace: WorkspaceName
    api_key: ApiKey


class Message(Answer):
    """An outbox row: a message of one visit of a node. ``reason`` says why it was not, or not yet, sent."""

    id: UUID
    node: str
    visit: int
    channel: Channel
    status: MessageStatus
    due_at: dt.datetime
    sent_at: dt.datetime | None
    to_address: str
    subject: str
    provider: str
    provider_message_id: str | None
    reason: str


class Migration(Answer):
    """Who moves and who stays. ``next_cursor`` is null when nobody is left; ``plan_id`` until the plan is stored."""

    campaign_id: UUID
    plan_id: UUID | None
    plan_hash: str
    moving: int
    staying: int
    items: tuple[EnrolmentMove, ...]
    next_cursor: UUID | None


class MigrationPreview(Answer):
    """What a migration would do if it were done now. ``token`` is what asks for exactly this, within an hour."""

    campaign_id: UUID
    plan_id: UUID | None
    plan_hash: str
    moving: int
    staying: int
    items: tuple[EnrolmentMove, ...]
    next_cursor: UUID | None
    at: dt.datetime
    token: str


class NextStep(Answer):
    """A live action or an open message. ``event`` is "" for sends; ``status`` is the row's own."""

    kind: ActionKind
    node: str
    event: str
    status: str
    due_at: dt.datetime
    closes_at: dt.datetime | None
    why: tuple[str, ...]


class NextWake(Answer):
    """The next timer too far off for a queue. ``exists``: whether its schedule does; null: nobody could tell."""

    due_at: dt.datetime
    bucket: dt.datetime
    exists: bool | None


class Outlook(Answer):
    """What one policy would do. Sends are mails that wait to go out; timers end a wait, and send nothing themselves.

    ``now`` go on at once (sends one after the other), ``moved`` get a later instant, ``dropped`` are never sent, and
    ``unchanged`` stay at theirs. ``first_send_at``: the next send that is not among those that go on at once.
    """

    policy: ResumePolicy
    sends_now: int = 0
    sends_moved: int = 0
    sends_dropped: int = 0
    sends_unchanged: int = 0
    timers_now: int = 0
    timers_moved: int = 0
    timers_unchanged: int = 0
    spread_s: int = 0
    first_send_at: dt.datetime | None = None


class Overdue(Answer):
    """Work of the caller's workspace (of all, for a key of the installation) that should have been done by now."""

    work: Work
    amount: int
    oldest_since: dt.datetime
    overdue_s: float


class PersonalData(Answer):
    """A person's rows, each table in order of time. ``plans`` are those written for them, with their copy."""

    contact: dict[str, JsonValue]
    holds: tuple[dict[str, JsonValue], ...]
    suppressions: tuple[dict[str, JsonValue], ...]
    enrolments: tuple[dict[str, JsonValue], ...]
    approvals: tuple[dict[str, JsonValue], ...]
    transitions: tuple[dict[str, JsonValue], ...]
    actions: tuple[dict[str, JsonValue], ...]
    messages: tuple[dict[str, JsonValue], ...]
    events: tuple[dict[str, JsonValue], ...]
    plans: tuple[dict[str, JsonValue], ...]
    jobs: tuple[dict[str, JsonValue], ...]
    ai_usage: tuple[dict[str, JsonValue], ...]
    log: tuple[dict[str, JsonValue], ...]


class Plan(Answer):
    """An immutable plan. ``hash`` is the SHA-256 of its canonical JSON; ``source`` says who wrote it."""

    id: UUID
    hash: str
    version: str
    source: str
    plan: dict[str, JsonValue]
    created_at: dt.datetime


class PlannedAction(Answer):
    """A timer, or a send that is still to be queued (``event`` ""). ``why`` explains its instant."""

    kind: ActionKind
    event: str
    due_at: dt.datetime
    why: tuple[str, ...]


class Preview(Answer):
    """A node's mail; null where ``findings`` say why there is none."""

    node: str
    mail: PreviewedMail | None
    findings: tuple[PreviewFinding, ...]


class PreviewFinding(Answer):
    """What keeps the mail from leaving (an error), or is to be said about it. ``pointer`` leads into the plan."""

    code: str
    severity: Severity
    pointer: str
    message: str
    fix: str


class PreviewedMail(Answer):
    """A mail as it would leave, but for its links: they lead below ``/preview``, and nothing is recorded of them.

    ``eml`` is all of it (RFC 5322), for a mail program to show.
    """

    sender: str
    to: str
    subject: str
    text: str
    html: str
    headers: tuple[Header, ...]
    eml: str


class QueueHealth(Answer):
    """A queue, of the whole installation; approximate, and null if SQS did not answer. ``dead``: in its DLQ.

    ``oldest_overdue_s`` is exact, from the database: of overdue work that the queue's messages are about. It is always
    null for engagement-events, whose messages bring what exists nowhere else yet.
    """

    name: QueueName
    worker: str
    waiting: int | None
    in_flight: int | None
    delayed: int | None
    dead: int | None
    oldest_overdue_s: float | None


class QueuedContact(Answer):
    """Whom a campaign takes. ``begins_at`` is when planning may begin; null: their turn is to come (or a dry run)."""

    contact_id: UUID
    lead_id: UUID | None
    campaign_id: UUID
    begins_at: dt.datetime | None


class QueuedMessage(Answer):
    """A queued message. Kept, it takes its content from the new plan; withdrawn, it is never sent."""

    message_id: UUID
    kept: bool
    due_at: dt.datetime
    closes_at: dt.datetime | None


class Ran(Answer):
    """What a batch came to. With ``next_cursor`` there are more people to look at, from there."""

    queued: tuple[QueuedContact, ...]
    skipped: tuple[SkippedContact, ...]
    next_cursor: UUID | None
    dry_run: bool


class ReasonOutput(Answer):
    """Why something is not well (``what``), and what to do (``steps``)."""

    verdict: Verdict
    what: str
    detail: str
    steps: str


class ReplyTimeReport(Answer):
    """How long people took to answer, from the sending of the message that they answered; no items without replies."""

    campaign_id: UUID | None
    since: dt.date | None
    until: dt.date | None
    zone: str
    replies: int
    median_s: float | None
    p90_s: float | None
    items: tuple[Bar, ...]


class Report(Answer):
    """A whole import. ``applied`` is false for a dry run, whose rows are those that applying it would tell.

    ``counts`` are rows by kind and outcome (``campaign.created``).
    """

    applied: bool
    counts: dict[str, int]
    rows: tuple[LegacyToldRow, ...]


class ResumePreview(Answer):
    """What resuming now would do, by policy; nothing is changed."""

    paused_at: dt.datetime
    paused_s: int
    outlooks: tuple[Outlook, ...]


class Retried(Answer):
    """Jobs that were asked for again; they begin one by one between ``first_at`` and ``last_at``.

    ``remaining``: jobs like them that have not been asked for again.
    """

    count: int
    by_kind: dict[JobKind, int]
    first_at: dt.datetime | None
    last_at: dt.datetime | None
    remaining: int


class Retry(Answer):
    """Whether it can be tried again. ``why_not`` says why not, or that nobody needs to ask.

    ``next_attempt_at`` and ``delay_s`` (from now): when it is tried again by itself; null: it is not.
    """

    eligible: bool
    why_not: str
    delay_s: float | None
    next_attempt_at: dt.datetime | None
    attempts_made: int
    attempt: int


class RetryStatistic(Answer):
    """Jobs of one kind and reason: how many are FAILED or SKIPPED now, and what asking again has come to."""

    kind: JobKind
    reason: str
    failed: int
    retried: int
    succeeded: int
    failed_again: int
    pending: int
    success_rate: float | None
    """Of the retries that have ended, how many succeeded (0 to 1); null: none has ended."""


class RetryStatistics(Answer):
    """By kind and reason, the most frequent first, 200 at most."""

    since: dt.datetime
    items: tuple[RetryStatistic, ...]


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
    warm_up: WarmUp | None
    paused_at: dt.datetime | None
    paused_reason: str
    resumed_at: dt.datetime | None
    created_at: dt.datetime


class SesAccount(Answer):
    """How SES sends for this identity. ``tenant`` keeps its reputation apart; "" is the installation's own."""

    tenant: str = ""


class ShownApiKey(Answer):
    """A new API key. ``key`` is shown here and never again."""

    id: UUID
    name: str
    prefix: str
    role: Role
    rate_per_s: float | None
    burst: int | None
    created_at: dt.datetime
    last_used_on: dt.date | None
    revoked_at: dt.datetime | None
    key: str


class SimulatedEntry(Answer):
    """One line of a simulation's timeline. ``at`` is in UTC, with a Z."""

    at: str
    node: str
    kind: SimulateEntryKind
    detail: dict[str, JsonValue]


class SimulatedRun(Answer):
    """What one enrolment does; ``outcome`` is the status in which it ends."""

    timeline: tuple[SimulatedEntry, ...]
    findings: tuple[Finding, ...]
    outcome: EnrolmentStatus


class SiteReport(Answer):
    """What a site says about its company. Every claim has passed `evidence.verified`. ``language`` is a primary tag."""

    domain: str
    company_name: str = ""
    language: str = ""
    tone: Tone = "neutral"
    country: str = ""
    claims: tuple[Claim, ...] = ()


class SkippedContact(Answer):
    """Who was not taken, and why. ``opens_at`` is when time alone would change that."""

    contact_id: UUID
    lead_id: UUID | None
    reason: Passed
    detail: str
    opens_at: dt.datetime | None


class SmtpAccount(Answer):
    """Somebody's own mailbox, by SMTP. The password is kept elsewhere; without a ``username`` nobody logs in."""

    host: str
    port: int = 587
    security: Security = "starttls"
    username: str = ""


class StoredTemplate(Answer):
    """A template as it is now, and what is to be said about it. Nothing of it keeps the template from being sent."""

    id: UUID
    name: str
    subject: str
    text_body: str
    html_body: str
    created_at: dt.datetime
    updated_at: dt.datetime
    findings: tuple[PreviewFinding, ...]


class StoredWorkflow(Answer):
    """A workflow as it is now, and what is to be said about it. Nothing of it keeps it from being sent."""

    id: UUID
    name: str
    steps: tuple[WorkflowStepOutput, ...]
    created_at: dt.datetime
    updated_at: dt.datetime
    findings: tuple[PreviewFinding, ...]


class Suppression(Answer):
    """Never again. ``source`` is api, import, signal or erasure; ``created_by`` the API key that did it.

    An address that begins with ``sha256:`` is the fingerprint of one whose owner has asked to be forgotten.
    """

    id: UUID
    channel: SuppressionChannel
    address: str
    reason: str
    note: str
    source: str
    created_by: UUID | None
    created_at: dt.datetime


class Switched(Answer):
    """How the switch stands, and which campaigns it is for; ``held`` of their plans wait for it."""

    enabled: bool
    campaigns: tuple[UUID, ...]
    held: int


class Template(Answer):
    """A mail that people have written, with variables."""

    id: UUID
    name: str
    subject: str
    text_body: str
    html_body: str
    created_at: dt.datetime
    updated_at: dt.datetime


class Timeline(Answer):
    """What happened to an enrolment and why, oldest first; what lies ahead comes last."""

    items: tuple[Entry, ...]


class ToldProblem(Answer):
    """What is wrong with a field, and what would make it right; ``field`` "" is the whole row."""

    field: str
    detail: str


class Usage(Answer):
    """The use of AI, day by day, the newest first."""

    first: dt.date
    last: dt.date
    today: Budget
    items: tuple[Used, ...]
    breakers: tuple[Breaker, ...]
    total_calls: int
    """How many calls of these days there were."""
    total_cost_usd_micros: int
    """What they cost, in millionths of a US dollar."""


class Used(Answer):
    """What calls of one kind took on a UTC day.

    ``unusable`` ones were paid for, but refused, cut off or wrong. Of ``unknown`` ones nobody heard how they ended:
    they count with the most that they can have cost. Without a known price (``priced``) the cost is given as 0.
    """

    day: dt.date
    purpose: str
    model: str
    prompt_version: str
    outcome: AiOutcome
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    priced: bool


class WarmUp(Answer):
    """How a new sender's cap grows while mailbox providers get to know it.

    On the n-th UTC day after ``starts_on`` it is ``first_day × factor^n + step × n``, rounded down, and never more than
    ``ceiling``; before that day it is as on it. The sender's own ``daily_cap`` holds as well.
    """

    starts_on: dt.date
    first_day: int
    factor: float = 1
    step: int = 0
    ceiling: int


class WorkerHealth(Answer):
    """A function. ``last_at``: when it last got something done, to the minute; null: never.

    ``silent``: work is overdue, and it has done nothing since that was due. One that nobody asks is idle, and well.
    """

    worker: str
    last_at: dt.datetime | None
    age_s: float | None
    detail: dict[str, JsonValue]
    silent: bool


class Workflow(Answer):
    """Templates that are sent one after the other, until somebody replies."""

    id: UUID
    name: str
    steps: tuple[WorkflowStepOutput, ...]
    created_at: dt.datetime
    updated_at: dt.datetime


class WorkflowStepOutput(Answer):
    """A mail of a workflow, ``delay`` (ISO 8601) after the one before was sent; the first, after the enrolment."""

    template_id: UUID
    template_name: str
    delay: str


class WorkspaceName(Answer):
    """The workspace that a key opens."""

    id: UUID
    name: str


class Year(Answer):
    """A year of the common era."""

    year: int
    page_url: str
    quote: str
