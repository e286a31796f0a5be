"""Jobs in SQL: asked for, completed by others, found again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Row, text

from cadenza.core.ids import new_id
from cadenza.core.jobs.model import LEASE, Work
from cadenza.core.states import JOB_ENDED_BADLY, JOB_MOVES, JobKind, JobStatus, sources


def enqueue(conn: Connection, works: Sequence[Work], now: datetime, *, every_s: int = 0) -> dict[str, datetime]:
    """Add QUEUED jobs; the keys of those that are new, and when each may begin. Known ones stay as they are.

    ``every_s`` seconds lie between two of them, and behind those of their kind and workspace that wait for their turn
    already: what comes in at once, in however many requests, is begun one by one.
    """
    return _insert(conn, works, JobStatus.QUEUED, "", now, every_s)


def record(conn: Connection, works: Sequence[Work], status: JobStatus, reason: str, now: datetime) -> set[str]:
    """Add jobs that ended before they began (SKIPPED, FAILED); the keys of those that are new."""
    return set(_insert(conn, works, status, reason, now, 0))


def _insert(
    conn: Connection, works: Sequence[Work], status: JobStatus, reason: str, now: datetime, every_s: int
) -> dict[str, datetime]:
    if not works:
        return {}
    ended = status in (JobStatus.COMPLETED, *JOB_ENDED_BADLY)
    rows = [
        {
            "ordinal": ordinal,
            "id": str(new_id()),
            "kind": work.kind,
            "key": work.key,
            "workspace_id": str(work.workspace_id),
            "lead_id": _text(work.lead_id),
            "contact_id": _text(work.contact_id),
            "campaign_id": _text(work.campaign_id),
        }
        for ordinal, work in enumerate(works)
    ]
    statement = text("""
        WITH wanted AS (
            SELECT r.*, row_number() OVER (PARTITION BY r.workspace_id, r.kind ORDER BY r.ordinal) - 1 AS place
            FROM jsonb_to_recordset(CAST(:rows AS jsonb))
                AS r(ordinal int, id uuid, workspace_id uuid, kind text, key text, lead_id uuid, contact_id uuid,
                     campaign_id uuid)
            -- Known ones take no place.
            WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.kind = r.kind AND j.business_key = r.key)
        )
        INSERT INTO jobs (id, workspace_id, kind, business_key, lead_id, contact_id, campaign_id, status, reason,
                          queued_at, finished_at, next_attempt_at)
        SELECT id, workspace_id, kind, key, lead_id, contact_id, campaign_id, :status, :reason,
               CAST(:now AS timestamptz), CASE WHEN :ended THEN CAST(:now AS timestamptz) END,
               CASE WHEN :every_s > 0 THEN
                   greatest(CAST(:now AS timestamptz),
                            (SELECT max(q.next_attempt_at) + make_interval(secs => :every_s) FROM jobs q
                             WHERE q.workspace_id = w.workspace_id AND q.kind = w.kind AND q.status = :queued
                               -- Not behind those that wait because something went wrong.
                               AND q.runs = 0))
                   + make_interval(secs => :every_s * place)
               END
        FROM wanted w
        ORDER BY w.kind, w.key  -- two who ask for the same work must not wait for one another
        ON CONFLICT (kind, business_key) DO NOTHING
        RETURNING business_key, coalesce(next_attempt_at, queued_at) AS due_at
    """)
    parameters = {"rows": json.dumps(rows), "status": status, "reason": reason, "now": now, "ended": ended}
    added = conn.execute(statement, parameters | {"queued": JobStatus.QUEUED, "every_s": every_s})
    return {row.business_key: row.due_at for row in added}


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def complete(conn: Connection, results: Mapping[str, Mapping[str, object]], kind: JobKind, now: datetime) -> None:
    """End jobs as done, each with its result, by key. Those that have ended stay as they are."""
    conn.execute(
        text("""
            UPDATE jobs j SET status = :completed, reason = '', result = r.result, finished_at = :now,
                   next_attempt_at = NULL
            FROM jsonb_to_recordset(CAST(:results AS jsonb)) AS r(key text, result jsonb)
            WHERE j.kind = :kind AND j.business_key = r.key AND j.status = ANY(:sources)
        """),
        {
            "results": json.dumps([{"key": key, "result": result} for key, result in results.items()]),
            "kind": kind,
            "completed": JobStatus.COMPLETED,
            "sources": list(sources(JOB_MOVES, JobStatus.COMPLETED)),
            "now": now,
        },
    )


def note(conn: Connection, works: Sequence[Work], known: Mapping[str, object], reason: str = "") -> None:
    """Add to the results of jobs what became of them later, and why."""
    conn.execute(
        text("""
            UPDATE jobs j SET result = j.result || CAST(:known AS jsonb), reason = :reason
            FROM jsonb_to_recordset(CAST(:works AS jsonb)) AS r(kind text, key text)
            WHERE j.kind = r.kind AND j.business_key = r.key
        """),
        {"works": keys_of(works), "known": json.dumps(known), "reason": reason},
    )


def keys_of(works: Sequence[Work]) -> str:
    """Which jobs, as the JSON document that statements read them from."""
    return json.dumps([{"kind": work.kind, "key": work.key} for work in works])


def stale(conn: Connection, kinds: Sequence[JobKind], now: datetime) -> list[Work]:
    """Jobs whose hint must have been lost: QUEUED and due, or ACTIVE beyond the lease. At most 500."""
    rows = conn.execute(
        text("""
            SELECT kind, business_key, workspace_id, lead_id, contact_id, campaign_id FROM jobs
            WHERE kind = ANY(:kinds)
              AND ((status = :queued AND coalesce(next_attempt_at, queued_at) < :before)
                   OR (status = :active AND started_at < :before))
            ORDER BY queued_at LIMIT 500
        """),
        {"kinds": list(kinds), "queued": JobStatus.QUEUED, "active": JobStatus.ACTIVE, "before": now - LEASE},
    )
    return [work_of(row) for row in rows]


def work_of(row: Row[tuple[object, ...]]) -> Work:
    """The work of a row of ``jobs``."""
    return Work(JobKind(row.kind), row.business_key, row.workspace_id, row.lead_id, row.contact_id, row.campaign_id)
