"""What the API reads: one statement a question, newest first, through row-level security.

Lists page by id: public ids are UUIDv7, so their order is that of creation, and a cursor is the last id shown.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import (
    Boolean,
    Column,
    ColumnElement,
    Connection,
    Select,
    Text,
    case,
    func,
    literal,
    literal_column,
    not_,
    or_,
    select,
)

from cadenza.api import models, people_models
from cadenza.api.models import Page
from cadenza.campaigns.model import CampaignBrief
from cadenza.contacts import permission
from cadenza.contacts.addresses import email
from cadenza.core import tables
from cadenza.core.errors import NotFound
from cadenza.core.states import CampaignStatus, EnrolmentStatus, JobKind, JobStatus, LeadStatus, SuppressionChannel
from cadenza.delivery.providers.accounts import SES, SMTP
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


def _page(conn: Connection, answer: type[A], query: Select[Any], key: ColumnElement[UUID], part: Slice) -> Page[A]:
    if part.cursor is not None:
        query = query.where(key < part.cursor)
    # One row more than shown says whether there is another page.
    rows = conn.execute(query.order_by(key.desc()).limit(part.limit + 1)).mappings().all()
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


_ACTIONS = tables.scheduled_actions
_ENROLLED = select(
    _ENROLMENTS,
    func.jsonb_build_object(
        *(
            part
            for name in models.Enrolled.model_fields
            for part in (literal_column(f"'{name}'", Text), _CONTACTS.c[name])
        )
    ).label("contact"),
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


# --- operations --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which jobs; None means any."""

    status: JobStatus | None = None
    kind: JobKind | None = None
    lead_id: UUID | None = None
    campaign_id: UUID | None = None


def jobs(conn: Connection, part: Slice, which: JobFilter) -> Page[models.Job]:
    """The ledger."""
    table = tables.jobs
    wanted = {
        table.c.status: which.status,
        table.c.kind: which.kind,
        table.c.lead_id: which.lead_id,
        table.c.campaign_id: which.campaign_id,
    }
    return _page(conn, models.Job, select(table).where(*_equal(wanted)), table.c.id, part)


def automation_settings(conn: Connection, workspace_id: UUID) -> models.AutomationSettings:
    """The workspace's settings."""
    table = tables.automation_settings
    columns = [table.c[name] for name in models.AutomationSettings.model_fields]
    query = select(*columns).where(table.c.workspace_id == workspace_id)
    return _one(conn, models.AutomationSettings, query, "settings of workspace", workspace_id)
