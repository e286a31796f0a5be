"""Imports of leads in SQL: a constant number of statements, however long the list."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.ids import BatchId, CampaignId, LeadId, WorkspaceId, new_id
from cadenza.core.messages import PlanWanted
from cadenza.core.states import BATCH_MOVES, BatchStatus, JobKind, JobStatus, LeadStatus, sources
from cadenza.core.tables.base import literals
from cadenza.leads.importing import Site


@dataclass(frozen=True, slots=True)
class Known:
    """A site that is in the database now, locked; ``new``: this import has brought it."""

    id: LeadId
    status: LeadStatus
    new: bool


@dataclass(frozen=True, slots=True)
class Batch:
    """What an import was asked for."""

    id: BatchId
    workspace_id: WorkspaceId
    source: str
    campaign_id: CampaignId | None
    rows: int


def add(conn: Connection, batch: Batch, now: datetime) -> None:
    """Add the import; its campaign follows with its `report`, once that is locked."""
    conn.execute(
        text(f"""
            INSERT INTO lead_batches (id, workspace_id, source, status, total_rows, created_at)
            VALUES (:id, :workspace_id, :source, '{BatchStatus.RUNNING}', :rows, :now)
        """),
        {
            "id": batch.id,
            "workspace_id": batch.workspace_id,
            "source": batch.source,
            "rows": batch.rows,
            "now": now,
        },
    )


def add_leads(conn: Connection, batch: Batch, sites: Sequence[Site], now: datetime) -> dict[str, Known]:
    """Add the sites, or find them; by domain, each locked until the transaction ends. Two statements.

    The locks order us and analyses that end just now: they see what we add, or we see what they have found.
    """
    rows = [{"id": str(new_id()), "domain": site.domain, "url": site.url} for site in sites]
    parameters = {"rows": json.dumps(rows), "workspace_id": batch.workspace_id, "batch_id": batch.id, "now": now}
    new = set(conn.execute(_ADD_LEADS, parameters).scalars())
    found = conn.execute(_LOCK_LEADS, {"workspace_id": batch.workspace_id, "domains": [x.domain for x in sites]})
    return {row.domain: Known(LeadId(row.id), LeadStatus(row.status), row.domain in new) for row in found}


# In one order for everybody: two imports of one list wait for each other, and for nothing else.
_ADD_LEADS = text(f"""
    INSERT INTO leads (id, workspace_id, batch_id, domain, url, status, created_at, updated_at)
    SELECT r.id, :workspace_id, :batch_id, r.domain, r.url, '{LeadStatus.NEW}', CAST(:now AS timestamptz),
           CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, domain text, url text)
    ORDER BY r.domain
    ON CONFLICT (workspace_id, domain) DO NOTHING
    RETURNING domain
""")

_LOCK_LEADS = text("""
    SELECT id, domain, status FROM leads WHERE workspace_id = :workspace_id AND domain = ANY(:domains)
    ORDER BY id FOR UPDATE
""")


def assign(conn: Connection, batch: Batch, lead_ids: Sequence[LeadId], now: datetime) -> None:
    """Let the batch's campaign take the leads' contacts. The caller has locked the campaign."""
    conn.execute(
        text("""
            INSERT INTO campaign_leads (campaign_id, lead_id, workspace_id, created_at)
            SELECT :campaign_id, l.id, :workspace_id, CAST(:now AS timestamptz)
            FROM unnest(CAST(:ids AS uuid[])) AS l(id) ORDER BY l.id
            ON CONFLICT (campaign_id, lead_id) DO NOTHING
        """),
        {
            "campaign_id": batch.campaign_id,
            "workspace_id": batch.workspace_id,
            "ids": list(lead_ids),
            "now": now,
        },
    )


def put_off(conn: Connection, plans: Sequence[PlanWanted], stagger_s: int, now: datetime) -> None:
    """Give the plans on order their instants, ``stagger_s`` apart: then their turn comes, not before."""
    if plans:
        pairs = [{"contact_id": str(plan.contact_id), "campaign_id": str(plan.campaign_id)} for plan in plans]
        conn.execute(_PUT_OFF, {"rows": json.dumps(pairs), "stagger_s": stagger_s, "now": now})


_PUT_OFF = text(f"""
    UPDATE jobs j SET next_attempt_at = CAST(:now AS timestamptz) + (r.n - 1) * CAST(:stagger_s AS int) * interval '1 s'
    FROM ROWS FROM (jsonb_to_recordset(CAST(:rows AS jsonb)) AS (contact_id uuid, campaign_id uuid))
        WITH ORDINALITY AS r(contact_id, campaign_id, n)
    WHERE j.kind = '{JobKind.PLANNING}' AND j.business_key = r.campaign_id::text || ':' || r.contact_id::text
      AND j.status = '{JobStatus.QUEUED}'
""")


def report(conn: Connection, batch: Batch, counts: Mapping[str, int], told: Mapping[str, object]) -> None:
    """Keep what became of each row."""
    conn.execute(
        text("""
            UPDATE lead_batches SET campaign_id = :campaign_id, counts = CAST(:counts AS jsonb),
                                    report = CAST(:told AS jsonb)
            WHERE id = :id
        """),
        {
            "id": batch.id,
            "campaign_id": batch.campaign_id,
            "counts": json.dumps(dict(counts)),
            "told": json.dumps(dict(told)),
        },
    )


# --- handing out -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DuePlan:
    """A plan whose turn comes."""

    workspace_id: WorkspaceId
    campaign_id: CampaignId
    contact_id: UUID
    due_at: datetime


def begin_step(conn: Connection, batch_id: BatchId, not_since: datetime, now: datetime) -> Batch | None:
    """Take the next step of a running import. None (zero rows): it is over, or somebody took one after ``not_since``.

    So of two messages about one import, one goes on.
    """
    row = conn.execute(
        text(f"""
            UPDATE lead_batches SET handed_out_at = :now
            WHERE id = :id AND status = '{BatchStatus.RUNNING}' AND coalesce(handed_out_at <= :not_since, true)
            RETURNING workspace_id, source, campaign_id, total_rows
        """),
        {"id": batch_id, "not_since": not_since, "now": now},
    ).first()
    return None if row is None else Batch(batch_id, row.workspace_id, row.source, row.campaign_id, row.total_rows)


def next_leads(conn: Connection, batch_id: BatchId, window: int) -> list[LeadId]:
    """The next leads to crawl, so that ``window`` crawls of the import are on order or under way."""
    return list(conn.execute(_NEXT_LEADS, {"batch_id": batch_id, "window": window}).scalars())


_CRAWL = f"j.kind = '{JobKind.CRAWL}' AND j.business_key = l.id::text"
_WITHOUT_CRAWL = f"""
    l.batch_id = :batch_id AND l.status = '{LeadStatus.NEW}' AND NOT EXISTS (SELECT FROM jobs j WHERE {_CRAWL})
"""
_NEXT_LEADS = text(f"""
    SELECT l.id FROM leads l WHERE {_WITHOUT_CRAWL} ORDER BY l.id
    LIMIT greatest(0, :window - (
        SELECT count(*) FROM leads l JOIN jobs j ON {_CRAWL}
        WHERE l.batch_id = :batch_id AND j.status IN ('{JobStatus.QUEUED}', '{JobStatus.ACTIVE}')))
""")

_PUT_OFF_STILL = f"""
    j.campaign_id = :campaign_id AND j.status = '{JobStatus.QUEUED}' AND j.kind = '{JobKind.PLANNING}'
    AND j.runs = 0 AND j.next_attempt_at IS NOT NULL
"""


def due_plans(conn: Connection, campaign_id: CampaignId, until: datetime, limit: int) -> list[DuePlan]:
    """The campaign's plans whose turn comes by then, at most so many, and nobody else's from now on."""
    rows = conn.execute(_DUE_PLANS, {"campaign_id": campaign_id, "until": until, "limit": limit})
    return sorted(
        (DuePlan(row.workspace_id, row.campaign_id, row.contact_id, row.due_at) for row in rows),
        key=lambda plan: plan.due_at,
    )


_DUE_PLANS = text(f"""
    UPDATE jobs t SET next_attempt_at = NULL
    FROM (SELECT j.id, j.next_attempt_at AS due_at FROM jobs j
          WHERE {_PUT_OFF_STILL} AND j.next_attempt_at <= CAST(:until AS timestamptz)
          ORDER BY j.next_attempt_at LIMIT :limit FOR UPDATE SKIP LOCKED) AS d
    WHERE t.id = d.id
    RETURNING t.workspace_id, t.campaign_id, t.contact_id, d.due_at
""")


def finish_if_done(conn: Connection, batch: Batch) -> bool:
    """End an import of which all has been handed out. False (zero rows): some has not."""
    done = conn.execute(_FINISH, {"batch_id": batch.id, "campaign_id": batch.campaign_id})
    return done.rowcount > 0


_FINISH = text(f"""
    UPDATE lead_batches b SET status = '{BatchStatus.COMPLETED}'
    WHERE b.id = :batch_id AND b.status IN ({literals(*sources(BATCH_MOVES, BatchStatus.COMPLETED))})
      AND NOT EXISTS (SELECT FROM leads l WHERE {_WITHOUT_CRAWL})
      AND NOT EXISTS (SELECT FROM jobs j WHERE {_PUT_OFF_STILL})
""")


def stalled(conn: Connection, before: datetime) -> list[tuple[WorkspaceId, BatchId]]:
    """Running imports that nobody has handed out since: their message must have been lost."""
    rows = conn.execute(
        text(f"""
            SELECT workspace_id, id FROM lead_batches
            WHERE status = '{BatchStatus.RUNNING}' AND coalesce(handed_out_at, created_at) < :before
            ORDER BY created_at LIMIT 500
        """),
        {"before": before},
    )
    return [(row.workspace_id, row.id) for row in rows]
