"""What the API reads: one statement a question, newest first, through row-level security.

Lists page by id: public ids are UUIDv7, so their order is that of creation, and a cursor is the last id shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    case,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
    text,
)

from cadenza.api import approval_models, lead_models, models, people_models
from cadenza.api.models import Page
from cadenza.campaigns.model import CampaignBrief
from cadenza.contacts import permission
from cadenza.contacts.addresses import email
from cadenza.core import tables
from cadenza.core.errors import NotFound
from cadenza.core.states import (
    Approval,
    CampaignStatus,
    EnrolmentStatus,
    JobKind,
    JobStatus,
    LeadStatus,
    SuppressionChannel,
)
from cadenza.delivery.providers.accounts import SES, SMTP
from cadenza.leads.batches import RowOutcome
from cadenza.leads.fit import assess
from cadenza.leads.report import AnalysisFigures, SiteReport

M = TypeVar("M", bound=BaseModel)
A = TypeVar("A", bound=models.Answer)
Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list: at most ``limit`` rows, older than ``cursor``."""

    limit: int
    cursor: UUID | None = None


def _page(
    conn: Connection,
    answer: type[A],
    query: Select[Any],
    key: ColumnElement[UUID],
    part: Slice,
    *,
    oldest_first: bool = False,
) -> Page[A]:
    if part.cursor is not None:
        query = query.where(key > part.cursor if oldest_first else key < part.cursor)
    # One row more than shown says whether there is another page.
    ordered = query.order_by(key if oldest_first else key.desc())
    rows = conn.execute(ordered.limit(part.limit + 1)).mappings().all()
    items = tuple(answer.model_validate(dict(row)) for row in rows[: part.limit])
    return Page[A](items=items, next_cursor=rows[part.limit - 1]["id"] if len(rows) > part.limit else None)


def _one(conn: Connection, answer: type[M], query: Select[Any], what: str, key: UUID, **more: object) -> M:
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound(what, key)
    return answer.model_validate({**row, **more})


def _all(conn: Connection, answer: type[M], query: Select[Any]) -> tuple[M, ...]:
    return tuple(answer.model_validate(dict(row)) for row in conn.execute(query).mappings())


def _equal(wanted: Mapping[Column[Any], object]) -> list[Condition]:
    """Filters that the caller has given; None filters nothing."""
    return [column == value for column, value in wanted.items() if value is not None]


# --- leads and their people --------------------------------------------------------------------------------------

_LEADS, _CONTACTS, _SUPPRESSIONS = tables.leads, tables.contacts, tables.suppressions
_CAMPAIGNS, _ENROLMENTS, _SENDERS = tables.campaigns, tables.contact_campaigns, tables.sender_identities

_PEOPLE = select(
    _CONTACTS,
    func.jsonb_build_object(
        "basis", _CONTACTS.c.consent_basis, "source", _CONTACTS.c.consent_source, "at", _CONTACTS.c.consent_at
    ).label("consent"),
    literal_column(permission.suppressed("contacts"), Boolean).label("suppressed"),
    literal_column(permission.refused("contacts"), Boolean).label("refused"),
)


def leads(conn: Connection, part: Slice, *, status: LeadStatus | None) -> Page[models.Lead]:
    """Sites."""
    query = select(_LEADS).where(*_equal({_LEADS.c.status: status}))
    return _page(conn, models.Lead, query, _LEADS.c.id, part)


def lead(conn: Connection, lead_id: UUID) -> models.Lead:
    """One site."""
    return _one(conn, models.Lead, select(_LEADS).where(_LEADS.c.id == lead_id), "lead", lead_id)


def lead_detail(conn: Connection, lead_id: UUID) -> models.LeadDetail:
    """One site with all that hangs on it."""
    table = tables.jobs
    people = _PEOPLE.where(_CONTACTS.c.lead_id == lead_id)
    jobs = _all(conn, models.Job, select(table).where(table.c.lead_id == lead_id).order_by(table.c.id))
    analysis = _newest_analysis(conn, lead_id)
    return _one(
        conn,
        models.LeadDetail,
        select(_LEADS).where(_LEADS.c.id == lead_id),
        "lead",
        lead_id,
        analysis=analysis,
        figures=_figures(jobs),
        fits=_fits(conn, lead_id, analysis),
        contacts=_all(conn, models.Contact, people.order_by(_CONTACTS.c.role_rank, _CONTACTS.c.id)),
        jobs=jobs,
    )


def _figures(jobs: Sequence[models.Job]) -> AnalysisFigures:
    results = [job.result for job in jobs if job.kind is JobKind.ANALYSIS]
    return AnalysisFigures.model_validate(results[-1] if results else {})


def _newest_analysis(conn: Connection, lead_id: UUID) -> models.Analysis | None:
    table = tables.lead_analyses
    query = select(table).where(table.c.lead_id == lead_id).order_by(table.c.created_at.desc()).limit(1)
    row = conn.execute(query).mappings().first()
    if row is None:
        return None
    report = SiteReport.model_validate(row["report"])
    return models.Analysis.model_validate({**row, "report": report, "size": report.size})


def _fits(conn: Connection, lead_id: UUID, analysis: models.Analysis | None) -> tuple[models.CampaignFit, ...]:
    """How the site fits each campaign that takes it; nothing is known of one that has not been analysed."""
    if analysis is None:
        return ()
    taken = tables.campaign_leads
    query = select(_CAMPAIGNS).join(taken, taken.c.campaign_id == _CAMPAIGNS.c.id).where(taken.c.lead_id == lead_id)
    rows = conn.execute(query.order_by(_CAMPAIGNS.c.id)).mappings()
    briefs = [(row, CampaignBrief.model_validate(row["brief"])) for row in rows]
    return tuple(
        models.CampaignFit(
            campaign_id=row["id"], campaign_name=row["name"], fit=assess(brief.offering, brief.goal, analysis.report)
        )
        for row, brief in briefs
    )


_BATCHES = tables.lead_batches

_COUNTED = tuple(f"{whose}{outcome}" for whose in ("", "contacts_") for outcome in RowOutcome)
_BATCH_COLUMNS: list[ColumnElement[Any]] = [
    *(_BATCHES.c[name] for name in ("id", "source", "status", "campaign_id", "created_at")),
    _BATCHES.c.total_rows.label("rows"),
    *(_BATCHES.c.counts[name].as_integer().label(name) for name in _COUNTED),
]
_BATCH = select(*_BATCH_COLUMNS)


def lead_batches(conn: Connection, part: Slice) -> Page[lead_models.LeadBatch]:
    """Lists of leads that were taken in."""
    return _page(conn, lead_models.LeadBatch, _BATCH, _BATCHES.c.id, part)


@dataclass(frozen=True, slots=True)
class RowFilter:
    """Which rows of a report, and what became of their contacts; None means any. Rows after the line ``after``."""

    limit: int
    outcome: RowOutcome | None = None
    contact: RowOutcome | None = None
    after: int = 0


_ROWS = text("""
    SELECT r.told FROM lead_batches b, jsonb_array_elements(b.report -> 'rows') WITH ORDINALITY AS r(told, n)
    WHERE b.id = :id AND (r.told ->> 'line')::int > :after
      AND (CAST(:outcome AS text) IS NULL OR r.told ->> 'outcome' = :outcome)
      AND (CAST(:contact AS text) IS NULL OR r.told ->> 'contact' = :contact)
    ORDER BY r.n LIMIT :limit + 1
""")


def lead_batch(conn: Connection, batch_id: UUID, which: RowFilter) -> lead_models.LeadBatchReport:
    """One list, with a part of its report."""
    rows = conn.execute(_ROWS, {**asdict(which), "id": batch_id}).scalars().all()
    items = rows[: which.limit]
    brought = select(_LEADS.c.status, func.count().label("leads")).where(_LEADS.c.batch_id == batch_id)
    stands = {row.status: row.leads for row in conn.execute(brought.group_by(_LEADS.c.status))}
    query = _BATCH.add_columns(_BATCHES.c.report["ignored_columns"].label("ignored_columns"))
    next_after = items[-1]["line"] if len(rows) > which.limit else None
    return _one(
        conn,
        lead_models.LeadBatchReport,
        query.where(_BATCHES.c.id == batch_id),
        "lead batch",
        batch_id,
        leads=stands,
        items=items,
        next_after=next_after,
    )


@dataclass(frozen=True, slots=True)
class ContactFilter:
    """Which people; None means any."""

    lead_id: UUID | None = None
    email: str | None = None
    suppressed: bool | None = None


def contacts(conn: Connection, part: Slice, which: ContactFilter) -> Page[models.Contact]:
    """People and shared mailboxes."""
    query = _PEOPLE.where(*_equal({_CONTACTS.c.lead_id: which.lead_id}))
    if which.email is not None:
        query = query.where(func.lower(_CONTACTS.c.email) == email(which.email).lower())
    if which.suppressed is not None:
        condition = literal_column(permission.suppressed("contacts"), Boolean)
        query = query.where(condition if which.suppressed else not_(condition))
    return _page(conn, models.Contact, query, _CONTACTS.c.id, part)


def contact(conn: Connection, contact_id: UUID) -> models.Contact:
    """One person."""
    return _one(conn, models.Contact, _PEOPLE.where(_CONTACTS.c.id == contact_id), "contact", contact_id)


@dataclass(frozen=True, slots=True)
class SuppressionFilter:
    """Which suppressions; None means any. ``address`` is in its normal form, or a fingerprint."""

    channel: SuppressionChannel | None = None
    reason: str | None = None
    address: str | None = None


def suppressions(
    conn: Connection, part: Slice, which: SuppressionFilter, workspace_id: UUID
) -> Page[people_models.Suppression]:
    """Who may never be written to. An address is also found by its fingerprint, should its owner have been erased."""
    columns = _SUPPRESSIONS.c
    query = select(_SUPPRESSIONS).where(*_equal({columns.channel: which.channel, columns.reason: which.reason}))
    if which.address is not None:
        known_as = func.fingerprint(workspace_id, columns.channel, which.address)
        query = query.where(or_(columns.address == which.address, columns.address == known_as))
    return _page(conn, people_models.Suppression, query, columns.id, part)


def suppression(conn: Connection, suppression_id: UUID) -> people_models.Suppression:
    """One suppression."""
    query = select(_SUPPRESSIONS).where(_SUPPRESSIONS.c.id == suppression_id)
    return _one(conn, people_models.Suppression, query, "suppression", suppression_id)


def consent_log(conn: Connection, part: Slice) -> Page[people_models.ConsentRecord]:
    """Suppressions taken back, and people erased."""
    table = tables.consent_log
    return _page(conn, people_models.ConsentRecord, select(table), table.c.id, part)


# --- campaigns ---------------------------------------------------------------------------------------------------

# Each provider's settings under the provider's name; what another one would read is null.
_SENDER = select(
    _SENDERS,
    *(case((_SENDERS.c.provider == name, _SENDERS.c.provider_settings)).label(name) for name in (SES, SMTP)),
)


def senders(conn: Connection, part: Slice) -> Page[models.Sender]:
    """Who sends."""
    return _page(conn, models.Sender, _SENDER, _SENDERS.c.id, part)


def sender(conn: Connection, sender_id: UUID) -> models.Sender:
    """One sender."""
    return _one(conn, models.Sender, _SENDER.where(_SENDERS.c.id == sender_id), "sender", sender_id)


def campaigns(conn: Connection, part: Slice, *, status: CampaignStatus | None) -> Page[models.Campaign]:
    """Campaigns."""
    query = select(_CAMPAIGNS).where(*_equal({_CAMPAIGNS.c.status: status}))
    return _page(conn, models.Campaign, query, _CAMPAIGNS.c.id, part)


def campaign_detail(conn: Connection, campaign_id: UUID) -> models.CampaignDetail:
    """One campaign with its counts."""
    query = select(_CAMPAIGNS).where(_CAMPAIGNS.c.id == campaign_id)
    counts = _counts(conn, campaign_id)
    return _one(conn, models.CampaignDetail, query, "campaign", campaign_id, counts=counts)


def _counts(conn: Connection, campaign_id: UUID) -> models.Counts:
    """How many of a campaign's rows are in which state, all in one statement."""
    messages, jobs, taken = tables.outbound_messages, tables.jobs, tables.campaign_leads
    parts = [
        select(literal(name).label("what"), status.label("status"), func.count().label("rows"))
        .select_from(source)
        .where(campaign == campaign_id)
        .group_by(status)
        for name, source, status, campaign in (
            ("leads", taken.join(_LEADS), _LEADS.c.status, taken.c.campaign_id),
            ("enrolments", _ENROLMENTS, _ENROLMENTS.c.status, _ENROLMENTS.c.campaign_id),
            ("messages", messages, messages.c.status, messages.c.campaign_id),
            ("jobs", jobs, jobs.c.status, jobs.c.campaign_id),
        )
    ]
    counts: dict[str, dict[str, int]] = {"leads": {}, "enrolments": {}, "messages": {}, "jobs": {}}
    for row in conn.execute(parts[0].union_all(*parts[1:])).mappings():
        counts[row["what"]][row["status"]] = row["rows"]
    return models.Counts.model_validate(counts)


def _told(table: Table, answer: type[models.Answer], name: str) -> ColumnElement[Any]:
    """The columns of ``table`` that ``answer`` tells, as one document."""
    parts = (part for field in answer.model_fields for part in (literal_column(f"'{field}'", Text), table.c[field]))
    return func.jsonb_build_object(*parts).label(name)


_ACTIONS = tables.scheduled_actions
_ENROLLED = select(
    _ENROLMENTS,
    _told(_CONTACTS, models.Enrolled, "contact"),
    select(func.min(_ACTIONS.c.due_at))
    .where(_ACTIONS.c.enrolment_id == _ENROLMENTS.c.id)
    .scalar_subquery()
    .label("next_due_at"),
).join(_CONTACTS, _CONTACTS.c.id == _ENROLMENTS.c.contact_id)


def enrolments(
    conn: Connection, part: Slice, *, campaign_id: UUID | None, contact_id: UUID | None, status: EnrolmentStatus | None
) -> Page[models.Enrolment]:
    """Who is in which campaign."""
    wanted = {
        _ENROLMENTS.c.campaign_id: campaign_id,
        _ENROLMENTS.c.contact_id: contact_id,
        _ENROLMENTS.c.status: status,
    }
    return _page(conn, models.Enrolment, _ENROLLED.where(*_equal(wanted)), _ENROLMENTS.c.id, part)


def enrolment_detail(conn: Connection, enrolment_id: UUID) -> models.EnrolmentDetail:
    """One enrolment with its messages."""
    outbox = tables.outbound_messages
    sent = select(outbox).where(outbox.c.enrolment_id == enrolment_id).order_by(outbox.c.id)
    query = _ENROLLED.where(_ENROLMENTS.c.id == enrolment_id)
    messages = _all(conn, models.Message, sent)
    return _one(conn, models.EnrolmentDetail, query, "enrolment", enrolment_id, messages=messages)


def plan(conn: Connection, plan_id: UUID) -> models.Plan:
    """One plan."""
    plans = tables.campaign_plans
    return _one(conn, models.Plan, select(plans).where(plans.c.id == plan_id), "plan", plan_id)


# --- approval ----------------------------------------------------------------------------------------------------

_PLANS = tables.campaign_plans
_DRAFTS = (
    select(
        _ENROLMENTS,
        _told(_CAMPAIGNS, approval_models.CampaignOfDraft, "campaign"),
        _told(_CONTACTS, models.Enrolled, "contact"),
        case((_LEADS.c.id.is_not(None), _told(_LEADS, approval_models.LeadOfDraft, "lead"))).label("lead"),
        _PLANS.c.hash.label("plan_hash"),
        _PLANS.c.source,
        _PLANS.c.plan,
        literal_column(
            """
            coalesce((SELECT n ->> 'subject' FROM jsonb_array_elements(campaign_plans.plan -> 'nodes') AS n
                      WHERE n ->> 'id' = campaign_plans.plan ->> 'startNodeId' LIMIT 1), '')
            """,
            Text,
        ).label("subject"),
    )
    .join(_CAMPAIGNS, _CAMPAIGNS.c.id == _ENROLMENTS.c.campaign_id)
    .join(_CONTACTS, _CONTACTS.c.id == _ENROLMENTS.c.contact_id)
    .join(_PLANS, _PLANS.c.id == _ENROLMENTS.c.plan_id)
    .outerjoin(_LEADS, _LEADS.c.id == _CONTACTS.c.lead_id)
)


def drafts(conn: Connection, part: Slice, *, campaign_id: UUID | None) -> Page[approval_models.Draft]:
    """What waits for approval, the longest first."""
    # As literals, so that the partial index of what waits serves.
    waiting = (
        _ENROLMENTS.c.approval == literal_column(f"'{Approval.WANTED}'", Text),
        _ENROLMENTS.c.status == literal_column(f"'{EnrolmentStatus.DRAFT}'", Text),
    )
    query = _DRAFTS.where(*waiting, *_equal({_ENROLMENTS.c.campaign_id: campaign_id}))
    return _page(conn, approval_models.Draft, query, _ENROLMENTS.c.id, part, oldest_first=True)


def draft(conn: Connection, enrolment_id: UUID, **more: object) -> approval_models.DraftDetail:
    """One draft, with ``more`` that is to be looked at."""
    query = _DRAFTS.where(_ENROLMENTS.c.id == enrolment_id)
    return _one(conn, approval_models.DraftDetail, query, "enrolment", enrolment_id, **more)


def plan_of(conn: Connection, enrolment_id: UUID) -> models.Plan:
    """The plan that an enrolment has now."""
    query = select(_PLANS).join(_ENROLMENTS, _ENROLMENTS.c.plan_id == _PLANS.c.id)
    return _one(conn, models.Plan, query.where(_ENROLMENTS.c.id == enrolment_id), "enrolment", enrolment_id)


# --- operations --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; None means any."""

    status: JobStatus | None = None
    kind: JobKind | None = None
    lead_id: UUID | None = None
    contact_id: UUID | None = None
    campaign_id: UUID | None = None
    reason: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def jobs(conn: Connection, part: Slice, which: JobFilter) -> Page[models.Job]:
    """The ledger."""
    table = tables.jobs
    wanted = {
        table.c.status: which.status,
        table.c.kind: which.kind,
        table.c.lead_id: which.lead_id,
        table.c.contact_id: which.contact_id,
        table.c.campaign_id: which.campaign_id,
    }
    query = select(table).where(*_equal(wanted))
    if which.reason is not None:
        query = query.where(table.c.reason.icontains(which.reason, autoescape=True))
    if which.since is not None:
        query = query.where(table.c.queued_at >= which.since)
    if which.until is not None:
        query = query.where(table.c.queued_at < which.until)
    return _page(conn, models.Job, query, table.c.id, part)


def job(conn: Connection, job_id: UUID) -> models.Job:
    """One job."""
    return _one(conn, models.Job, select(tables.jobs).where(tables.jobs.c.id == job_id), "job", job_id)


def automation_settings(conn: Connection, workspace_id: UUID) -> models.AutomationSettings:
    """The workspace's settings."""
    table = tables.automation_settings
    columns = [table.c[name] for name in models.AutomationSettings.model_fields]
    query = select(*columns).where(table.c.workspace_id == workspace_id)
    return _one(conn, models.AutomationSettings, query, "settings of workspace", workspace_id)
