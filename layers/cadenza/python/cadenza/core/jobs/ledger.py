"""Jobs in SQL: asked for, asked for again, found again."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Row, text

from cadenza.core.errors import Conflict, NotFound
from cadenza.core.ids import JobId, new_id
from cadenza.core.jobs.model import LEASE, Work
from cadenza.core.states import JOB_MOVES, JobKind, JobStatus, sources


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
    ended = status in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.SKIPPED)
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


_AGAIN = """
    status = :queued, attempts_made = 0, reason = '', result = '{}', queued_at = :now, started_at = NULL,
    finished_at = NULL, next_attempt_at = NULL
"""
_ENDED_BADLY = [status for status in sources(JOB_MOVES, JobStatus.QUEUED) if status is not JobStatus.ACTIVE]


def requeue(conn: Connection, works: Sequence[Work], now: datetime) -> set[str]:
    """Take up again what FAILED or was SKIPPED, as if it were new; the keys of what was. Zero rows: nothing had."""
    again = conn.execute(
        text(f"""
            UPDATE jobs j SET {_AGAIN}
            FROM jsonb_to_recordset(CAST(:works AS jsonb)) AS r(kind text, key text)
            WHERE j.kind = r.kind AND j.business_key = r.key AND j.status = ANY(:ended)
            RETURNING j.business_key
        """),
        {
            "works": _keys(works),
            "queued": JobStatus.QUEUED,
            "ended": _ENDED_BADLY,
            "now": now,
        },
    )
    return set(again.scalars())


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
        {"works": _keys(works), "known": json.dumps(known), "reason": reason},
    )


def _keys(works: Sequence[Work]) -> str:
    return json.dumps([{"kind": work.kind, "key": work.key} for work in works])


def retry(conn: Connection, job_id: JobId, now: datetime) -> Work:
    """FAILED or SKIPPED → QUEUED, with all attempts before it again.

    Raises:
        NotFound: No such job in sight.
        Conflict: It has not ended so, or there is nothing in it to do.
    """
    row = conn.execute(
        text(f"""
            UPDATE jobs SET {_AGAIN}
            WHERE id = :id AND status = ANY(:sources) AND (kind <> :planning OR contact_id IS NOT NULL)
            RETURNING *
        """),
        {
            "queued": JobStatus.QUEUED,
            "sources": _ENDED_BADLY,
            "planning": JobKind.PLANNING,
            "id": job_id,
            "now": now,
        },
    ).first()
    if row is not None:
        return work_of(row)
    status = conn.execute(text("SELECT status FROM jobs WHERE id = :id"), {"id": job_id}).scalar()
    if status is None:
        raise NotFound("job", job_id)
    if status in (JobStatus.FAILED, JobStatus.SKIPPED):
        raise Conflict("this job is about nobody: there was no contact to plan for; add one to the lead")
    raise Conflict(f"the job is {status}; only FAILED and SKIPPED ones can be tried again")


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
