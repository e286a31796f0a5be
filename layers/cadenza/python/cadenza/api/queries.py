"""What the API reads of campaigns, drafts and jobs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    case,
    func,
    literal,
    literal_column,
    select,
)

from cadenza.api import approval_models, models, settings_models
from cadenza.api.models import Page
from cadenza.api.reading import Slice, all_of, equal, one_of, page_of
from cadenza.core import tables
from cadenza.core.ids import CampaignId
from cadenza.core.states import (
    Approval,
    CampaignStatus,
    EnrolmentStatus,
    JobKind,
    JobStatus,
)
from cadenza.delivery.providers.accounts import SES, SMTP
from cadenza.figures.counts import send_counts

_LEADS, _CONTACTS, _SUPPRESSIONS = tables.leads, tables.contacts, tables.suppressions
_CAMPAIGNS, _ENROLMENTS, _SENDERS = tables.campaigns, tables.contact_campaigns, tables.sender_identities
# --- campaigns ---------------------------------------------------------------------------------------------------

# Each provider's settings under the provider's name; what another one would read is null.
_SENDER = select(
    _SENDERS,
    *(case((_SENDERS.c.provider == name, _SENDERS.c.provider_settings)).label(name) for name in (SES, SMTP)),
)


def senders(conn: Connection, part: Slice) -> Page[models.Sender]:
    """Who sends."""
    return page_of(conn, models.Sender, _SENDER, _SENDERS.c.id, part)


def sender(conn: Connection, sender_id: UUID) -> models.Sender:
    """One sender."""
    return one_of(conn, models.Sender, _SENDER.where(_SENDERS.c.id == sender_id), "sender", sender_id)


def campaigns(conn: Connection, part: Slice, *, status: CampaignStatus | None) -> Page[models.Campaign]:
    """Campaigns."""
    query = select(_CAMPAIGNS).where(*equal({_CAMPAIGNS.c.status: status}))
    return page_of(conn, models.Campaign, query, _CAMPAIGNS.c.id, part)


def campaign_detail(conn: Connection, campaign_id: UUID) -> models.CampaignDetail:
    """One campaign with its counts."""
    query = select(_CAMPAIGNS).where(_CAMPAIGNS.c.id == campaign_id)
    counts, sends = _counts(conn, campaign_id), send_counts(conn, CampaignId(campaign_id))
    return one_of(conn, models.CampaignDetail, query, "campaign", campaign_id, counts=counts, **dict(sends))


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


def told(table: Table, answer: type[models.Answer], name: str) -> ColumnElement[Any]:
    """The columns of ``table`` that ``answer`` tells, as one document."""
    parts = (part for field in answer.model_fields for part in (literal_column(f"'{field}'", Text), table.c[field]))
    return func.jsonb_build_object(*parts).label(name)


_ACTIONS = tables.scheduled_actions
_ENROLLED = select(
    _ENROLMENTS,
    told(_CONTACTS, models.Enrolled, "contact"),
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
    return page_of(conn, models.Enrolment, _ENROLLED.where(*equal(wanted)), _ENROLMENTS.c.id, part)


def enrolment_detail(conn: Connection, enrolment_id: UUID) -> models.EnrolmentDetail:
    """One enrolment with its messages."""
    outbox = tables.outbound_messages
    sent = select(outbox).where(outbox.c.enrolment_id == enrolment_id).order_by(outbox.c.id)
    query = _ENROLLED.where(_ENROLMENTS.c.id == enrolment_id)
    messages = all_of(conn, models.Message, sent)
    return one_of(conn, models.EnrolmentDetail, query, "enrolment", enrolment_id, messages=messages)


def plan(conn: Connection, plan_id: UUID) -> models.Plan:
    """One plan."""
    plans = tables.campaign_plans
    return one_of(conn, models.Plan, select(plans).where(plans.c.id == plan_id), "plan", plan_id)


# --- approval ----------------------------------------------------------------------------------------------------

_PLANS = tables.campaign_plans
_DRAFTS = (
    select(
        _ENROLMENTS,
        told(_CAMPAIGNS, approval_models.CampaignOfDraft, "campaign"),
        told(_CONTACTS, models.Enrolled, "contact"),
        case((_LEADS.c.id.is_not(None), told(_LEADS, approval_models.LeadOfDraft, "lead"))).label("lead"),
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
    query = _DRAFTS.where(*waiting, *equal({_ENROLMENTS.c.campaign_id: campaign_id}))
    return page_of(conn, approval_models.Draft, query, _ENROLMENTS.c.id, part, oldest_first=True)


def draft(conn: Connection, enrolment_id: UUID, **more: object) -> approval_models.DraftDetail:
    """One draft, with ``more`` that is to be looked at."""
    query = _DRAFTS.where(_ENROLMENTS.c.id == enrolment_id)
    return one_of(conn, approval_models.DraftDetail, query, "enrolment", enrolment_id, **more)


def plan_of(conn: Connection, enrolment_id: UUID) -> models.Plan:
    """The plan that an enrolment has now."""
    query = select(_PLANS).join(_ENROLMENTS, _ENROLMENTS.c.plan_id == _PLANS.c.id)
    return one_of(conn, models.Plan, query.where(_ENROLMENTS.c.id == enrolment_id), "enrolment", enrolment_id)


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
    return page_of(conn, models.Job, chosen_jobs(which, select(tables.jobs)), tables.jobs.c.id, part)


def chosen_jobs(which: JobFilter, query: Select[Any]) -> Select[Any]:
    """Those of a query's jobs that are asked for."""
    table = tables.jobs
    wanted = {
        table.c.status: which.status,
        table.c.kind: which.kind,
        table.c.lead_id: which.lead_id,
        table.c.contact_id: which.contact_id,
        table.c.campaign_id: which.campaign_id,
    }
    query = query.where(*equal(wanted))
    if which.reason is not None:
        query = query.where(table.c.reason.icontains(which.reason, autoescape=True))
    if which.since is not None:
        query = query.where(table.c.queued_at >= which.since)
    if which.until is not None:
        query = query.where(table.c.queued_at < which.until)
    return query


def job(conn: Connection, job_id: UUID) -> models.Job:
    """One job."""
    return one_of(conn, models.Job, select(tables.jobs).where(tables.jobs.c.id == job_id), "job", job_id)


def automation_settings(conn: Connection, workspace_id: UUID) -> settings_models.AutomationSettings:
    """The workspace's settings."""
    table = tables.automation_settings
    columns = [table.c[name] for name in settings_models.AutomationSettings.model_fields]
    query = select(*columns).where(table.c.workspace_id == workspace_id)
    return one_of(conn, settings_models.AutomationSettings, query, "settings of workspace", workspace_id)
