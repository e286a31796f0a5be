"""What the API reads of sites, the lists that they came on, and people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Connection,
    func,
    literal_column,
    not_,
    or_,
    select,
    text,
)

from cadenza.api import lead_models, models, people_models
from cadenza.api.models import Page
from cadenza.api.reading import Slice, all_of, equal, one_of, page_of
from cadenza.campaigns.model import CampaignBrief
from cadenza.contacts import permission
from cadenza.contacts.addresses import email
from cadenza.core import tables
from cadenza.core.states import (
    JobKind,
    LeadStatus,
    SuppressionChannel,
)
from cadenza.leads.batches import RowOutcome
from cadenza.leads.fit import assess
from cadenza.leads.report import AnalysisFigures, SiteReport

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
    query = select(_LEADS).where(*equal({_LEADS.c.status: status}))
    return page_of(conn, models.Lead, query, _LEADS.c.id, part)


def lead(conn: Connection, lead_id: UUID) -> models.Lead:
    """One site."""
    return one_of(conn, models.Lead, select(_LEADS).where(_LEADS.c.id == lead_id), "lead", lead_id)


def lead_detail(conn: Connection, lead_id: UUID) -> models.LeadDetail:
    """One site with all that hangs on it."""
    table = tables.jobs
    people = _PEOPLE.where(_CONTACTS.c.lead_id == lead_id)
    jobs = all_of(conn, models.Job, select(table).where(table.c.lead_id == lead_id).order_by(table.c.id))
    analysis = _newest_analysis(conn, lead_id)
    return one_of(
        conn,
        models.LeadDetail,
        select(_LEADS).where(_LEADS.c.id == lead_id),
        "lead",
        lead_id,
        analysis=analysis,
        figures=_figures(jobs),
        fits=_fits(conn, lead_id, analysis),
        contacts=all_of(conn, models.Contact, people.order_by(_CONTACTS.c.role_rank, _CONTACTS.c.id)),
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
    return page_of(conn, lead_models.LeadBatch, _BATCH, _BATCHES.c.id, part)


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
    return one_of(
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
    query = _PEOPLE.where(*equal({_CONTACTS.c.lead_id: which.lead_id}))
    if which.email is not None:
        query = query.where(func.lower(_CONTACTS.c.email) == email(which.email).lower())
    if which.suppressed is not None:
        condition = literal_column(permission.suppressed("contacts"), Boolean)
        query = query.where(condition if which.suppressed else not_(condition))
    return page_of(conn, models.Contact, query, _CONTACTS.c.id, part)


def contact(conn: Connection, contact_id: UUID) -> models.Contact:
    """One person."""
    return one_of(conn, models.Contact, _PEOPLE.where(_CONTACTS.c.id == contact_id), "contact", contact_id)


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
    query = select(_SUPPRESSIONS).where(*equal({columns.channel: which.channel, columns.reason: which.reason}))
    if which.address is not None:
        known_as = func.fingerprint(workspace_id, columns.channel, which.address)
        query = query.where(or_(columns.address == which.address, columns.address == known_as))
    return page_of(conn, people_models.Suppression, query, columns.id, part)


def suppression(conn: Connection, suppression_id: UUID) -> people_models.Suppression:
    """One suppression."""
    query = select(_SUPPRESSIONS).where(_SUPPRESSIONS.c.id == suppression_id)
    return one_of(conn, people_models.Suppression, query, "suppression", suppression_id)


def consent_log(conn: Connection, part: Slice) -> Page[people_models.ConsentRecord]:
    """Suppressions taken back, and people erased."""
    table = tables.consent_log
    return page_of(conn, people_models.ConsentRecord, select(table), table.c.id, part)
