"""What the API reads of campaigns' leads and of automatic work."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, literal_column, select, text

from cadenza.api import automation_models
from cadenza.api.models import Page
from cadenza.api.queries import JobFilter, chosen_jobs
from cadenza.api.reading import Slice, page_of
from cadenza.core import tables
from cadenza.core.errors import NotFound
from cadenza.core.states import CampaignType, EnrolmentStatus, JobKind, JobStatus, TurnStatus
from cadenza.core.tables.base import literals
from cadenza.leads.automatic import IS_TAKING


def campaign_leads(conn: Connection, campaign_id: UUID, part: Slice) -> Page[automation_models.CampaignLead]:
    """The campaign's leads, the newest lead first.

    Raises:
        NotFound: No such campaign.
    """
    if conn.execute(text("SELECT id FROM campaigns WHERE id = :id"), {"id": campaign_id}).first() is None:
        raise NotFound("campaign", campaign_id)
    parameters = {"campaign_id": campaign_id, "cursor": part.cursor, "limit": part.limit + 1}
    rows = conn.execute(_LEADS, parameters).mappings().all()
    items = tuple(automation_models.CampaignLead.model_validate(dict(row)) for row in rows[: part.limit])
    more = len(rows) > part.limit
    return Page[automation_models.CampaignLead](items=items, next_cursor=items[-1].id if more else None)


_OPEN = literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)
_LEADS = text(f"""
    WITH own AS (
        SELECT t.lead_id, t.created_at AS given_at FROM campaign_leads t WHERE t.campaign_id = :campaign_id
        UNION ALL
        SELECT j.lead_id, NULL FROM jobs j WHERE j.campaign_id = :campaign_id AND j.lead_id IS NOT NULL
        UNION ALL
        SELECT t.lead_id, NULL FROM campaign_turns t WHERE t.campaign_id = :campaign_id
    ), page AS MATERIALIZED (
        SELECT own.lead_id, max(own.given_at) AS given_at FROM own
        WHERE CAST(:cursor AS uuid) IS NULL OR own.lead_id < :cursor
        GROUP BY own.lead_id ORDER BY own.lead_id DESC LIMIT :limit
    )
    SELECT l.id, l.domain, l.company_name, l.status, l.failure_reason, page.given_at, p.on_order, p.enrolled, p.open,
           w.waiting, w.next_at
    FROM page JOIN leads l ON l.id = page.lead_id
    CROSS JOIN LATERAL (
        SELECT count(e.id) AS enrolled, count(e.id) FILTER (WHERE e.status IN ({_OPEN})) AS open,
               count(j.id) FILTER (WHERE e.id IS NULL) AS on_order
        FROM contacts k
        LEFT JOIN contact_campaigns e ON e.contact_id = k.id AND e.campaign_id = :campaign_id
        LEFT JOIN jobs j ON j.kind = '{JobKind.PLANNING}' AND j.business_key = :campaign_id || ':' || k.id::text
            AND j.status IN ({literals(JobStatus.QUEUED, JobStatus.ACTIVE)})
        WHERE k.lead_id = l.id) AS p
    CROSS JOIN LATERAL (
        SELECT count(*) AS waiting, min(t.due_at) AS next_at FROM campaign_turns t
        WHERE t.campaign_id = :campaign_id AND t.lead_id = l.id AND t.status = '{TurnStatus.WAITING}') AS w
    ORDER BY l.id DESC
""")


def switch(conn: Connection, workspace_id: UUID) -> automation_models.Switched:
    """How the switch stands."""
    row = conn.execute(_SWITCH, {"id": workspace_id}).mappings().one()
    return automation_models.Switched.model_validate(dict(row))


_SWITCH = text(f"""
    SELECT s.enabled,
           ARRAY(SELECT c.id FROM campaigns c WHERE c.workspace_id = s.workspace_id AND {IS_TAKING} ORDER BY 1)
               AS campaigns,
           CASE WHEN s.enabled THEN 0 ELSE (
               SELECT count(*) FROM jobs j JOIN campaigns c ON c.id = j.campaign_id
               WHERE c.workspace_id = s.workspace_id AND c.type = '{CampaignType.FULLY_AUTOMATED}'
                 AND j.kind = '{JobKind.PLANNING}' AND j.status = '{JobStatus.QUEUED}') END AS held
    FROM automation_settings s WHERE s.workspace_id = :id
""")


def automatic_jobs(conn: Connection, part: Slice, which: JobFilter) -> Page[automation_models.AutomaticJob]:
    """The ledger's view of what fully automated campaigns have ordered."""
    jobs, campaigns = tables.jobs, tables.campaigns
    automated = campaigns.c.type == literal_column(f"'{CampaignType.FULLY_AUTOMATED}'")
    query = chosen_jobs(which, select(jobs).join(campaigns, campaigns.c.id == jobs.c.campaign_id).where(automated))
    return page_of(conn, automation_models.AutomaticJob, query, jobs.c.id, part)
