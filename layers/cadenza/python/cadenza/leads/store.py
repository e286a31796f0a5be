"""Leads in SQL: sites, their pages, their analyses, and the campaigns that take their contacts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Row, text

from cadenza.core.ids import CampaignId, LeadId, WorkspaceId, new_id
from cadenza.core.states import CAMPAIGN_ENDED, LEAD_MOVES, JobKind, JobStatus, LeadStatus, sources
from cadenza.core.tables.base import literals
from cadenza.leads.model import Page
from cadenza.leads.report import Analysis, SiteReport

PAGE_SEEN: Final = "page"
"""The ``event`` of a delivery that reports a page."""
ENDED: Final = "ended"
"""The ``event`` of a delivery that reports the end of a crawl."""


@dataclass(frozen=True, slots=True)
class Lead:
    """A company site.

    ``crawl_id`` is the provider's id of the crawl under way or last finished, "" before any; ``crawl_started_at`` is
    when the provider took it.
    """

    id: LeadId
    workspace_id: WorkspaceId
    domain: str
    url: str
    status: LeadStatus
    crawl_id: str
    crawl_started_at: datetime | None
    failure_reason: str


def add(conn: Connection, workspace_id: WorkspaceId, domain: str, url: str, now: datetime) -> tuple[Lead, bool]:
    """Add a site, or find it; True if it is new."""
    inserted = conn.execute(
        text("""
            INSERT INTO leads (id, workspace_id, domain, url, status, created_at, updated_at)
            VALUES (:id, :workspace_id, :domain, :url, :status, :now, :now)
            ON CONFLICT (workspace_id, domain) DO NOTHING
        """),
        {
            "id": new_id(),
            "workspace_id": workspace_id,
            "domain": domain,
            "url": url,
            "status": LeadStatus.NEW,
            "now": now,
        },
    )
    row = conn.execute(
        text("SELECT * FROM leads WHERE workspace_id = :workspace_id AND domain = :domain"),
        {"workspace_id": workspace_id, "domain": domain},
    ).one()
    return _lead(row), inserted.rowcount > 0


def find(conn: Connection, lead_id: LeadId, *, lock: bool = False) -> Lead | None:
    """The lead, locked against moves if so wanted."""
    query = "SELECT * FROM leads WHERE id = :id" + (" FOR UPDATE" if lock else "")
    row = conn.execute(text(query), {"id": lead_id}).first()
    return None if row is None else _lead(row)


def _lead(row: Row[tuple[object, ...]]) -> Lead:
    return Lead(
        id=row.id,
        workspace_id=row.workspace_id,
        domain=row.domain,
        url=row.url,
        status=LeadStatus(row.status),
        crawl_id=row.crawl_id or "",
        crawl_started_at=row.crawl_started_at,
        failure_reason=row.failure_reason,
    )


def move(conn: Connection, lead_id: LeadId, target: LeadStatus, now: datetime, *, reason: str = "") -> bool:
    """Move the lead. False (zero rows): its state does not allow it, or there is no such lead."""
    moved = conn.execute(
        text("""
            UPDATE leads SET status = :target, failure_reason = :reason, updated_at = :now
            WHERE id = :id AND status = ANY(:sources)
        """),
        {"id": lead_id, "target": target, "reason": reason, "now": now, "sources": list(sources(LEAD_MOVES, target))},
    )
    return moved.rowcount > 0


def begin_crawl(conn: Connection, lead_id: LeadId, now: datetime) -> None:
    """Move the lead to crawling and forget an earlier crawl. Zero rows: it is crawling already, our process died."""
    conn.execute(
        text("""
            UPDATE leads SET status = :crawling, crawl_id = NULL, crawl_started_at = NULL, failure_reason = '',
                   updated_at = :now
            WHERE id = :id AND status = ANY(:sources)
        """),
        {
            "id": lead_id,
            "crawling": LeadStatus.CRAWLING,
            "now": now,
            "sources": list(sources(LEAD_MOVES, LeadStatus.CRAWLING)),
        },
    )


def note_crawl(conn: Connection, lead_id: LeadId, crawl_id: str, now: datetime) -> None:
    """Remember the provider's id of the crawl under way. Zero rows: the crawl has been reported already."""
    conn.execute(
        text("""
            UPDATE leads SET crawl_id = :crawl_id, crawl_started_at = :now, updated_at = :now
            WHERE id = :id AND status = :crawling
        """),
        {"id": lead_id, "crawl_id": crawl_id, "now": now, "crawling": LeadStatus.CRAWLING},
    )


def take_delivery(conn: Connection, lead: Lead, crawl_id: str, delivery_id: str, event: str, now: datetime) -> bool:
    """Record a webhook call of the crawl provider. False: it was recorded before, and is to have no effect again."""
    inserted = conn.execute(
        text("""
            INSERT INTO crawl_deliveries (workspace_id, lead_id, delivery_id, crawl_id, event, at)
            VALUES (:workspace_id, :lead_id, :delivery_id, :crawl_id, :event, :now)
            ON CONFLICT (lead_id, delivery_id) DO NOTHING
        """),
        {
            "workspace_id": lead.workspace_id,
            "lead_id": lead.id,
            "delivery_id": delivery_id,
            "crawl_id": crawl_id,
            "event": event,
            "now": now,
        },
    )
    return inserted.rowcount > 0


def knows_delivery(conn: Connection, lead_id: LeadId, delivery_id: str) -> bool:
    """Whether this webhook call has been recorded, and so has had its effect."""
    query = text("SELECT EXISTS (SELECT FROM crawl_deliveries WHERE lead_id = :lead_id AND delivery_id = :delivery_id)")
    return bool(conn.execute(query, {"lead_id": lead_id, "delivery_id": delivery_id}).scalar())


def note_progress(conn: Connection, lead: Lead, crawl_id: str, now: datetime, *, pages: int = 0) -> None:
    """Show on the crawl's job that it lives: what the provider counts, or what it has reported if that is more.

    Zero rows: the job is not under way. The caller has locked the lead, so that no report is counted too few.
    """
    conn.execute(
        text("""
            UPDATE jobs SET result = result || jsonb_build_object(
                'pages_read', greatest(CAST(:pages AS bigint),
                    (SELECT count(*) FROM crawl_deliveries
                     WHERE lead_id = :lead_id AND crawl_id = :crawl_id AND event = :page)),
                'last_sign_at', CAST(:now AS timestamptz))
            WHERE kind = :crawl AND business_key = :key AND status = :active
        """),
        {
            "pages": pages,
            "lead_id": lead.id,
            "crawl_id": crawl_id,
            "page": PAGE_SEEN,
            "now": now,
            "crawl": JobKind.CRAWL,
            "key": str(lead.id),
            "active": JobStatus.ACTIVE,
        },
    )


def save_pages(conn: Connection, lead: Lead, pages: Sequence[Page], now: datetime) -> None:
    """Store the pages; one crawled before under the same URL is replaced."""
    # Two pages of one crawl can claim the same URL; an upsert may touch a row once only.
    unique = {page.url: page for page in pages}
    rows = [{"url": url, "page": page.model_dump(mode="json")} for url, page in unique.items()]
    conn.execute(
        text("""
            INSERT INTO lead_pages (workspace_id, lead_id, url, page, fetched_at)
            SELECT :workspace_id, :lead_id, url, page, CAST(:now AS timestamptz)
            FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(url text, page jsonb)
            ON CONFLICT (lead_id, url) DO UPDATE SET page = excluded.page, fetched_at = excluded.fetched_at
        """),
        # Postgres' jsonb knows no NUL character; a page that carries one loses it, not its place.
        {
            "workspace_id": lead.workspace_id,
            "lead_id": lead.id,
            "rows": json.dumps(rows).replace("\\u0000", ""),
            "now": now,
        },
    )


def pages(conn: Connection, lead_id: LeadId) -> list[Page]:
    """The lead's pages in the order in which they were crawled."""
    rows = conn.execute(text("SELECT page FROM lead_pages WHERE lead_id = :id ORDER BY id"), {"id": lead_id})
    return [Page.model_validate(page) for page in rows.scalars()]


def save_analysis(conn: Connection, lead: Lead, analysis: Analysis, input_hash: str, now: datetime) -> None:
    """Store the analysis; the same input is analysed once."""
    conn.execute(
        text("""
            INSERT INTO lead_analyses (id, workspace_id, lead_id, input_hash, report, stats, model, prompt_version,
                                       cost_usd_micros, created_at)
            VALUES (:id, :workspace_id, :lead_id, :input_hash, CAST(:report AS jsonb), CAST(:stats AS jsonb), :model,
                    :version, :cost, :now)
            ON CONFLICT (lead_id, input_hash) DO NOTHING
        """),
        {
            "id": new_id(),
            "workspace_id": lead.workspace_id,
            "lead_id": lead.id,
            "input_hash": input_hash,
            "report": analysis.report.model_dump_json(),
            "stats": analysis.stats.model_dump_json(),
            "model": analysis.analyst,
            "version": analysis.version,
            "cost": analysis.usage.cost_usd_micros if analysis.usage is not None else 0,
            "now": now,
        },
    )
    conn.execute(
        text("UPDATE leads SET company_name = :name WHERE id = :id"),
        {"id": lead.id, "name": analysis.report.company_name},
    )


def report(conn: Connection, lead_id: LeadId) -> SiteReport | None:
    """The lead's newest report."""
    found = conn.execute(
        text("SELECT report FROM lead_analyses WHERE lead_id = :id ORDER BY created_at DESC LIMIT 1"), {"id": lead_id}
    ).scalar()
    return None if found is None else SiteReport.model_validate(found)


def assign(conn: Connection, campaign_id: CampaignId, lead: Lead, now: datetime) -> None:
    """Let the campaign take the lead's contacts. The caller has locked the campaign."""
    conn.execute(
        text("""
            INSERT INTO campaign_leads (campaign_id, lead_id, workspace_id, created_at)
            VALUES (:campaign_id, :lead_id, :workspace_id, :now)
            ON CONFLICT (campaign_id, lead_id) DO NOTHING
        """),
        {"campaign_id": campaign_id, "lead_id": lead.id, "workspace_id": lead.workspace_id, "now": now},
    )


def taking_campaigns(conn: Connection, lead_id: LeadId) -> list[CampaignId]:
    """The campaigns that take this lead's contacts and have not ended."""
    rows = conn.execute(
        text(f"""
            SELECT c.id FROM campaign_leads l JOIN campaigns c ON c.id = l.campaign_id
            WHERE l.lead_id = :id AND c.status NOT IN
                ({literals(*CAMPAIGN_ENDED)})
            ORDER BY c.id
        """),
        {"id": lead_id},
    )
    return list(rows.scalars())


def offline_fallback(conn: Connection, workspace_id: WorkspaceId) -> bool:
    """Whether sites may be read by rule where a model has no answer."""
    query = text("SELECT offline_fallback FROM automation_settings WHERE workspace_id = :id")
    return bool(conn.execute(query, {"id": workspace_id}).scalar())


def stagger_s(conn: Connection, workspace_id: WorkspaceId) -> int:
    """Seconds between two plans on order in this workspace."""
    found = conn.execute(
        text("SELECT stagger_s FROM automation_settings WHERE workspace_id = :id"), {"id": workspace_id}
    ).scalar()
    return int(found or 0)


def lead_stagger_s(conn: Connection, workspace_id: WorkspaceId) -> int:
    """Seconds between the crawls of two sites that come in at once."""
    query = text("SELECT lead_stagger_s FROM automation_settings WHERE workspace_id = :id")
    return int(conn.execute(query, {"id": workspace_id}).scalar() or 0)


def workspace_exists(conn: Connection, workspace_id: WorkspaceId) -> bool:
    """Whether this installation knows the workspace."""
    query = text("SELECT EXISTS (SELECT FROM workspaces WHERE id = :id)")
    return bool(conn.execute(query, {"id": workspace_id}).scalar())
