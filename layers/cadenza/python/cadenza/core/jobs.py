"""The job ledger: what was asked for, what became of it, and why."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import CadenzaError, Retryable
from cadenza.core.ids import CampaignId, ContactId, LeadId, WorkspaceId, new_id
from cadenza.core.states import JOB_MOVES, JobKind, JobStatus, sources

MAX_ATTEMPTS = 3
RETRY_AFTER = timedelta(minutes=1)
"""When a failed attempt is expected to come back; the queue decides, this is what people are shown."""
LEASE = timedelta(minutes=10)
"""How long an ACTIVE job is believed to be in somebody's hands: longer than any function may run, shorter than the
queues' visibility timeouts, so that a message whose worker died finds its job free when it comes back."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a job is about. (``kind``, ``key``) makes two requests the same work."""

    kind: JobKind
    key: str
    workspace_id: WorkspaceId
    lead_id: LeadId | None = None
    contact_id: ContactId | None = None
    campaign_id: CampaignId | None = None


def crawl(workspace_id: WorkspaceId, lead_id: LeadId) -> Work:
    """The crawl of a lead."""
    return Work(JobKind.CRAWL, str(lead_id), workspace_id, lead_id=lead_id)


def analysis(workspace_id: WorkspaceId, lead_id: LeadId) -> Work:
    """The analysis of a lead."""
    return Work(JobKind.ANALYSIS, str(lead_id), workspace_id, lead_id=lead_id)


def planning(
    workspace_id: WorkspaceId, campaign_id: CampaignId, contact_id: ContactId, lead_id: LeadId | None = None
) -> Work:
    """The plan of one contact in one campaign, whoever asks for it and however often."""
    return Work(JobKind.PLANNING, f"{campaign_id}:{contact_id}", workspace_id, lead_id, contact_id, campaign_id)


def no_contacts(workspace_id: WorkspaceId, campaign_id: CampaignId, lead_id: LeadId) -> Work:
    """The plans that a campaign does not get from a lead without contacts."""
    return Work(JobKind.PLANNING, f"{campaign_id}:lead:{lead_id}", workspace_id, lead_id, None, campaign_id)


@dataclass(frozen=True, slots=True)
class Begun:
    """The job is ours now. ``attempts_made`` failed attempts lie before this one."""

    attempts_made: int


class Settled(CadenzaError):  # noqa: N818 - reads as what happened
    """Raised where the work ends for a reason that is no failure of the attempt; the raiser's caller ends the job."""


class Busy:
    """Somebody else is at it."""


class Over:
    """It has ended, or was never queued: nothing to do."""


def enqueue(conn: Connection, works: Sequence[Work], now: datetime) -> set[str]:
    """Add QUEUED jobs; the keys of those that are new. Known ones stay as they are."""
    return _insert(conn, works, JobStatus.QUEUED, "", now)


def record(conn: Connection, works: Sequence[Work], status: JobStatus, reason: str, now: datetime) -> set[str]:
    """Add jobs that ended before they began (SKIPPED, FAILED); the keys of those that are new."""
    return _insert(conn, works, status, reason, now)


def _insert(conn: Connection, works: Sequence[Work], status: JobStatus, reason: str, now: datetime) -> set[str]:
    if not works:
        return set()
    ended = status in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.SKIPPED)
    rows = [
        {
            "id": str(new_id()),
            "kind": work.kind,
            "key": work.key,
            "workspace_id": str(work.workspace_id),
            "lead_id": _text(work.lead_id),
            "contact_id": _text(work.contact_id),
            "campaign_id": _text(work.campaign_id),
        }
        for work in works
    ]
    statement = text("""
        INSERT INTO jobs (id, workspace_id, kind, business_key, lead_id, contact_id, campaign_id, status, reason,
                          queued_at, finished_at)
        SELECT id, workspace_id, kind, key, lead_id, contact_id, campaign_id, :status, :reason,
               CAST(:now AS timestamptz), CASE WHEN :ended THEN CAST(:now AS timestamptz) END
        FROM jsonb_to_recordset(CAST(:rows AS jsonb))
            AS r(id uuid, workspace_id uuid, kind text, key text, lead_id uuid, contact_id uuid, campaign_id uuid)
        ORDER BY kind, key  -- two who ask for the same work must not wait for one another
        ON CONFLICT (kind, business_key) DO NOTHING
        RETURNING business_key
    """)
    parameters = {"rows": json.dumps(rows), "status": status, "reason": reason, "now": now, "ended": ended}
    return set(conn.execute(statement, parameters).scalars())


def _text(value: UUID | None) -> str | None:
    return None if value is None else str(value)


def begin(conn: Connection, work: Work, now: datetime) -> Begun | Busy | Over:
    """Take the job: QUEUED, or ACTIVE in the hands of somebody who must have died (see `LEASE`)."""
    taken = conn.execute(
        text("""
            UPDATE jobs SET status = :active, started_at = :now, next_attempt_at = NULL,
                   attempts_made = attempts_made + CASE WHEN status = :active THEN 1 ELSE 0 END
            WHERE kind = :kind AND business_key = :key
              AND (status = :queued OR (status = :active AND started_at < :dead_before))
            RETURNING attempts_made
        """),
        {
            "active": JobStatus.ACTIVE,
            "queued": JobStatus.QUEUED,
            "kind": work.kind,
            "key": work.key,
            "now": now,
            "dead_before": now - LEASE,
        },
    ).first()
    if taken is not None:
        return Begun(taken.attempts_made)
    active = conn.execute(
        text("SELECT status = :active FROM jobs WHERE kind = :kind AND business_key = :key"),
        {"active": JobStatus.ACTIVE, "kind": work.kind, "key": work.key},
    ).scalar()
    return Busy() if active else Over()


def requeue(conn: Connection, works: Sequence[Work], now: datetime) -> set[str]:
    """Take up again what FAILED or was SKIPPED, as if it were new; the keys of what was. Zero rows: nothing had."""
    again = conn.execute(
        text("""
            UPDATE jobs j SET status = :queued, attempts_made = 0, reason = '', result = '{}', queued_at = :now,
                   started_at = NULL, finished_at = NULL, next_attempt_at = NULL
            FROM jsonb_to_recordset(CAST(:works AS jsonb)) AS r(kind text, key text)
            WHERE j.kind = r.kind AND j.business_key = r.key AND j.status = ANY(:ended)
            RETURNING j.business_key
        """),
        {
            "works": _keys(works),
            "queued": JobStatus.QUEUED,
            "ended": [status for status in sources(JOB_MOVES, JobStatus.QUEUED) if status is not JobStatus.ACTIVE],
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


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends, why, and what came of it."""

    status: JobStatus
    reason: str = ""
    result: dict[str, object] = field(default_factory=dict[str, object])


def finish(conn: Connection, work: Work, ending: Ending, now: datetime) -> bool:
    """End the job. False (zero rows): it had ended already."""
    done = conn.execute(
        text("""
            UPDATE jobs SET status = :status, reason = :reason, result = CAST(:result AS jsonb), finished_at = :now
            WHERE kind = :kind AND business_key = :key AND status = ANY(:sources)
        """),
        {
            "status": ending.status,
            "reason": ending.reason,
            "result": json.dumps(ending.result),
            "kind": work.kind,
            "key": work.key,
            "sources": list(sources(JOB_MOVES, ending.status)),
            "now": now,
        },
    )
    return done.rowcount > 0


def fail_attempt(conn: Connection, work: Work, reason: str, next_attempt_at: datetime, now: datetime) -> bool:
    """Count a failed attempt: back to QUEUED, or FAILED after `MAX_ATTEMPTS`. True: there will be another."""
    status = conn.execute(
        text("""
            UPDATE jobs
            SET attempts_made = attempts_made + 1, reason = :reason,
                status = CASE WHEN attempts_made + 1 < :max THEN :queued ELSE :failed END,
                next_attempt_at = CASE WHEN attempts_made + 1 < :max THEN CAST(:next_attempt_at AS timestamptz) END,
                finished_at = CASE WHEN attempts_made + 1 < :max THEN NULL ELSE CAST(:now AS timestamptz) END
            WHERE kind = :kind AND business_key = :key AND status = :active
            RETURNING status
        """),
        {
            "reason": reason,
            "max": MAX_ATTEMPTS,
            "queued": JobStatus.QUEUED,
            "failed": JobStatus.FAILED,
            "active": JobStatus.ACTIVE,
            "next_attempt_at": next_attempt_at,
            "kind": work.kind,
            "key": work.key,
            "now": now,
        },
    ).scalar()
    return status == JobStatus.QUEUED


@contextmanager
def attempt(
    database: Database, work: Work, clock: Clock, last: Callable[[Connection, str], None] | None = None
) -> Generator[None]:
    """Count whatever is raised inside as a failed attempt, and let it pass on.

    When it was the last, ``last`` is told the reason in the same transaction, and passing trouble ends as `Settled`:
    the ledger says FAILED, and no message need come back for it. A bug still raises, and its message goes to the DLQ.
    """
    try:
        yield
    except Settled:
        raise
    except Exception as error:
        reason = error.detail if isinstance(error, Retryable) else type(error).__name__
        now = clock()
        with database.worker() as conn:
            again = fail_attempt(conn, work, reason, now + RETRY_AFTER, now)
            if not again and last is not None:
                last(conn, reason)
        if again or not isinstance(error, Retryable):
            raise
        raise Settled(reason) from error


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
    return [
        Work(JobKind(row.kind), row.business_key, row.workspace_id, row.lead_id, row.contact_id, row.campaign_id)
        for row in rows
    ]
