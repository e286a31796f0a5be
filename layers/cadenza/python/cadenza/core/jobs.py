"""The job ledger: what was asked for, what became of it, and why."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, Row, text

from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import CadenzaError, Conflict, NotFound, Postponed, Retryable
from cadenza.core.ids import CampaignId, ContactId, JobId, LeadId, WorkspaceId, new_id
from cadenza.core.states import JOB_MOVES, JobKind, JobStatus, sources

MAX_ATTEMPTS = 3
BACKOFF_S, LONGEST_BACKOFF_S = 30.0, 900.0
"""How long a failed attempt waits for the next at most: the first, and ever."""
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
    """The job is ours now: ``attempts_made`` failed attempts lie before this one, ``run`` shows whether it still is."""

    work: Work
    attempts_made: int
    run: int

    @property
    def is_last(self) -> bool:
        """Whether no attempt would follow a failure of this one."""
        return self.attempts_made + 1 >= MAX_ATTEMPTS


class Busy:
    """Somebody else is at it."""


@dataclass(frozen=True, slots=True)
class Early:
    """It waits, until then."""

    due_at: datetime


class Over:
    """It has ended, or was never queued: nothing to do."""


class Settled(CadenzaError):  # noqa: N818 - reads as what happened
    """The ledger says how the job ended, or that it is somebody else's now: its message is done."""


class Skip(CadenzaError):  # noqa: N818
    """Raised inside an `attempt`: there is a reason not to do the work, and the job ends as SKIPPED with this text."""


class Exhausted(CadenzaError):  # noqa: N818
    """Whoever tried before died at it."""


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


# --- one run -----------------------------------------------------------------------------------------------------


def begin(conn: Connection, work: Work, now: datetime) -> Begun | Busy | Early | Over:
    """Take the job: QUEUED and due, or ACTIVE in the hands of somebody who must have died (see `LEASE`)."""
    key = {"kind": work.kind, "key": work.key}
    taken = conn.execute(
        text("""
            UPDATE jobs SET status = :active, started_at = :now, next_attempt_at = NULL, runs = runs + 1,
                   attempts_made = attempts_made + CASE WHEN status = :active THEN 1 ELSE 0 END
            WHERE kind = :kind AND business_key = :key
              AND ((status = :queued AND coalesce(next_attempt_at, :now) <= :now)
                   OR (status = :active AND started_at < :dead_before))
            RETURNING *
        """),
        {
            "active": JobStatus.ACTIVE,
            "queued": JobStatus.QUEUED,
            "now": now,
            "dead_before": now - LEASE,
            **key,
        },
    ).first()
    if taken is not None:
        return Begun(_work(taken), taken.attempts_made, taken.runs)  # the ledger may know more of it than a message
    known = conn.execute(
        text("SELECT status, next_attempt_at FROM jobs WHERE kind = :kind AND business_key = :key"), key
    ).first()
    if known is None or known.status not in (JobStatus.ACTIVE, JobStatus.QUEUED):
        return Over()
    # A QUEUED job without an instant has just been put back by whoever held it when we looked first.
    return Busy() if known.status == JobStatus.ACTIVE else Early(known.next_attempt_at or now)


def take(conn: Connection, work: Work, now: datetime) -> Begun:
    """`begin`, for whoever has nothing else to do.

    Raises:
        Settled: It is over.
        Postponed: It waits for its instant.
        Retryable: Somebody else is at it.
    """
    match begin(conn, work, now):
        case Begun() as begun:
            return begun
        case Early(due_at):
            raise Postponed("the job waits for its next attempt", max(0.0, (due_at - now).total_seconds()))
        case Busy():
            raise Retryable("somebody else is at this job")
        case Over():
            raise Settled("the job is over")


def take_over(conn: Connection, work: Work, now: datetime) -> Begun:
    """Take a job whose work was done elsewhere, and is reported now: it is QUEUED, or ACTIVE in nobody's hands.

    Raises:
        Settled: It is over, or was never asked for.
    """
    taken = conn.execute(
        text("""
            UPDATE jobs SET status = :active, started_at = :now, next_attempt_at = NULL, runs = runs + 1
            WHERE kind = :kind AND business_key = :key AND status = ANY(:sources)
            RETURNING *
        """),
        {
            "active": JobStatus.ACTIVE,
            "sources": list(sources(JOB_MOVES, JobStatus.ACTIVE)),
            "kind": work.kind,
            "key": work.key,
            "now": now,
        },
    ).first()
    if taken is None:
        raise Settled("the job is over")
    return Begun(_work(taken), taken.attempts_made, taken.runs)


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


def finish(conn: Connection, work: Work, ending: Ending, now: datetime, begun: Begun | None = None) -> bool:
    """End the job, and let go of the answers that were kept for it.

    False (zero rows): it had ended already, or is not ``begun``'s any more. What came of the work must not be stored
    then: roll back.
    """
    ended = conn.execute(
        text(f"""
            WITH ended AS (
                UPDATE jobs SET status = :status, reason = :reason, result = CAST(:result AS jsonb),
                       finished_at = :now, next_attempt_at = NULL,
                       attempts_made = least(attempts_made, :max - 1)
                WHERE kind = :kind AND business_key = :key AND status = ANY(:sources) AND {_OURS}
                RETURNING kind, business_key
            ), forgotten AS (
                DELETE FROM ai_calls c USING ended e
                WHERE c.job_kind = e.kind AND c.job_key = e.business_key AND c.answer IS NOT NULL
            )
            SELECT count(*) FROM ended
        """),
        {
            "status": ending.status,
            "reason": ending.reason,
            "result": json.dumps(ending.result),
            "kind": work.kind,
            "key": work.key,
            "sources": list(sources(JOB_MOVES, ending.status)),
            "now": now,
            "max": MAX_ATTEMPTS,
            "run": None if begun is None else begun.run,
        },
    ).scalar_one()
    return ended > 0


_OURS = "runs = coalesce(CAST(:run AS integer), runs)"


def put_back(conn: Connection, begun: Begun, reason: str, next_attempt_at: datetime, *, failed: bool) -> bool:
    """ACTIVE → QUEUED until ``next_attempt_at``; ``failed`` counts it as an attempt. False: it is not ours any more."""
    moved = conn.execute(
        text(f"""
            UPDATE jobs SET status = :queued, reason = :reason, next_attempt_at = :next_attempt_at,
                   attempts_made = attempts_made + :failed
            WHERE kind = :kind AND business_key = :key AND status = :active AND {_OURS}
        """),
        {
            "queued": JobStatus.QUEUED,
            "active": JobStatus.ACTIVE,
            "reason": reason,
            "next_attempt_at": next_attempt_at,
            "failed": int(failed),
            "kind": begun.work.kind,
            "key": begun.work.key,
            "run": begun.run,
        },
    )
    return moved.rowcount > 0


Last = Callable[[Connection, str], None]
"""Told the reason when a job ends without success, in the same transaction."""


def _nothing(_conn: Connection, _reason: str) -> None:
    """Nobody waits for it."""


@contextmanager
def attempt(database: Database, begun: Begun, clock: Clock, last: Last = _nothing) -> Generator[None]:
    """One attempt: what is raised inside becomes the job's state, and the exception that its message needs.

    * `Skip` ends the job as SKIPPED; every other error of ours that another try does not mend ends it as FAILED.
    * `Postponed` puts it back without counting.
    * `Retryable`, and a bug, count as a failed attempt. The next one comes after a growing pause with jitter, or when
      the provider said; after `MAX_ATTEMPTS` the job is FAILED.

    Raises:
        Settled: The job has ended, or is somebody else's: the message is done.
        Retryable: It comes back in ``retry_after_s``, which is what the ledger says too.
        Exception: A bug. Its message stays, and reaches the DLQ after three receives.
    """
    try:
        if begun.attempts_made >= MAX_ATTEMPTS:
            raise Exhausted(f"given up: nobody heard how {MAX_ATTEMPTS} attempts ended")  # noqa: TRY301 - ends as others do
        yield
    except Settled:
        raise
    except Exception as error:
        now = clock()
        with database.worker() as conn:
            verdict = _record_trouble(conn, begun, error, now, last)
        raise verdict from error


def _record_trouble(conn: Connection, begun: Begun, error: Exception, now: datetime, last: Last) -> Exception:
    reason = getattr(error, "detail", None) or (str(error) if isinstance(error, CadenzaError) else type(error).__name__)
    if isinstance(error, Postponed):
        until = now + timedelta(seconds=error.wait_s)
        return error if put_back(conn, begun, reason, until, failed=False) else Settled(reason)
    hopeless = isinstance(error, CadenzaError) and not isinstance(error, Retryable)
    if not hopeless and not begun.is_last:
        wait_s = error.retry_after_s if isinstance(error, Retryable) else None
        wait_s = retry_delay_s(begun.attempts_made + 1) if wait_s is None else wait_s
        if not put_back(conn, begun, reason, now + timedelta(seconds=wait_s), failed=True):
            return Settled(reason)
        return Retryable(reason, wait_s) if isinstance(error, Retryable) else error
    status = JobStatus.SKIPPED if isinstance(error, Skip) else JobStatus.FAILED
    if finish(conn, begun.work, Ending(status, reason), now, begun):
        last(conn, reason)
    return Settled(reason) if isinstance(error, CadenzaError) else error


def retry_delay_s(attempts_made: int) -> float:
    """Seconds until the next attempt: four times as long each time, between half and all of it by chance."""
    longest = min(LONGEST_BACKOFF_S, BACKOFF_S * 4.0 ** (attempts_made - 1))
    return random.uniform(longest / 2, longest)  # noqa: S311 - jitter, no secret


# --- again -------------------------------------------------------------------------------------------------------


def retry(conn: Connection, job_id: JobId, now: datetime) -> Work:
    """FAILED or SKIPPED → QUEUED, with all attempts before it again.

    Raises:
        NotFound: No such job in sight.
        Conflict: It has not ended so, or there is nothing in it to do.
    """
    row = conn.execute(
        text("""
            UPDATE jobs SET status = :queued, attempts_made = 0, reason = '', result = '{}', queued_at = :now,
                   started_at = NULL, finished_at = NULL, next_attempt_at = NULL
            WHERE id = :id AND status = ANY(:sources) AND (kind <> :planning OR contact_id IS NOT NULL)
            RETURNING *
        """),
        {
            "queued": JobStatus.QUEUED,
            "sources": [s for s in sources(JOB_MOVES, JobStatus.QUEUED) if s is not JobStatus.ACTIVE],
            "planning": JobKind.PLANNING,
            "id": job_id,
            "now": now,
        },
    ).first()
    if row is not None:
        return _work(row)
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
    return [_work(row) for row in rows]


def _work(row: Row[tuple[object, ...]]) -> Work:
    return Work(JobKind(row.kind), row.business_key, row.workspace_id, row.lead_id, row.contact_id, row.campaign_id)
