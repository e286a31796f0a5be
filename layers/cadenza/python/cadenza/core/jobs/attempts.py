"""Attempts at a job: taken by one worker at a time, and ended, or put back for a later one."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import CadenzaError, Postponed, Retryable
from cadenza.core.jobs.ledger import work_of
from cadenza.core.jobs.model import (
    LEASE,
    MAX_ATTEMPTS,
    Begun,
    Busy,
    Early,
    Ending,
    Exhausted,
    Over,
    Settled,
    Skip,
    Work,
)
from cadenza.core.states import JOB_MOVES, JobStatus, sources

BACKOFF_S, LONGEST_BACKOFF_S = 30.0, 900.0
"""How long a failed attempt waits for the next at most: the first, and ever."""


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
        return Begun(work_of(taken), taken.attempts_made, taken.runs)  # the ledger may know more of it than a message
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
