"""From what was seen to a verdict, with reasons in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from pydantic import JsonValue

from cadenza.core.queues import QueueName
from cadenza.operations.model import (
    QUEUE_OF,
    WORKER_OF,
    Health,
    Overdue,
    QueueHealth,
    Reason,
    Seen,
    Verdict,
    Work,
    WorkerHealth,
)

_SEVERITY = {verdict: rank for rank, verdict in enumerate(Verdict)}
_DATABASE_AWAY = Reason(
    Verdict.DOWN,
    "database",
    "the database does not answer",
    "a paused Aurora cluster resumes within 30 s: ask again; else look at its state and its network",
)


def judge(seen: Seen) -> Health:
    """How an installation is of which this was seen."""
    workers = tuple(_worker(worker, seen) for worker in dict.fromkeys(WORKER_OF.values()))
    reasons = sorted(_reasons(seen, workers), key=lambda reason: -_SEVERITY[reason.verdict])
    return Health(
        verdict=reasons[0].verdict if reasons else Verdict.OK,
        checked_at=seen.at,
        reasons=tuple(reasons),
        queues=tuple(_queue(name, seen) for name in seen.queues),
        workers=workers if seen.database else (),
        overdue=seen.overdue,
        breakers=seen.breakers,
        database=seen.database,
        next_wake=seen.next_wake,
    )


def without_database(now: datetime) -> Health:
    """What may be said to somebody whom nobody can tell from a stranger, because the database is away."""
    return judge(Seen(now, {}))


def _queue(name: QueueName, seen: Seen) -> QueueHealth:
    figures = seen.queues[name]
    late = [overdue.overdue_s for overdue in seen.overdue if QUEUE_OF[overdue.work] is name]
    return QueueHealth(
        name=name,
        worker=WORKER_OF[name],
        waiting=figures and figures.waiting,
        in_flight=figures and figures.in_flight,
        delayed=figures and figures.delayed,
        dead=figures and figures.dead,
        oldest_overdue_s=max(late, default=None),
    )


def _worker(worker: str, seen: Seen) -> WorkerHealth:
    last_at, detail = (seen.signs or {}).get(worker, (None, dict[str, JsonValue]()))
    return WorkerHealth(
        worker=worker,
        last_at=last_at,
        age_s=(seen.at - last_at).total_seconds() if last_at else None,
        detail=detail,
        silent=any(
            last_at is None or last_at < late.oldest_since
            for late in _work_of(worker, seen)
            # Nobody is asked to settle these before the next sweep.
            if late.work is not Work.ATTEMPT
        ),
    )


def _work_of(worker: str, seen: Seen) -> list[Overdue]:
    return [overdue for overdue in seen.overdue if WORKER_OF[QUEUE_OF[overdue.work]] == worker]


def _reasons(seen: Seen, workers: tuple[WorkerHealth, ...]) -> Iterator[Reason]:
    if seen.database is None:
        yield _DATABASE_AWAY
    elif seen.database.schema != seen.database.schema_wanted:
        yield Reason(
            Verdict.DEGRADED,
            "database",
            f"its schema is {seen.database.schema}, the code wants {seen.database.schema_wanted}",
            "a deployment is under way, or its migration failed: invoke the migrate function with {}",
        )
    for name, figures in seen.queues.items():
        if figures is None:
            yield Reason(
                Verdict.DOWN,
                name,
                "SQS did not say how the queue is",
                "look at the AWS Health Dashboard, and at the api function's role and network",
            )
        elif figures.dead:
            yield Reason(
                Verdict.DEGRADED,
                name,
                f"{figures.dead} messages are in its dead-letter queue",
                f"GET /v1/dlqs/{name}/messages says which and why; mend the cause, then redrive or purge them",
            )
    for worker in workers:
        yield from _late(worker, seen)
    for breaker in seen.breakers:
        if breaker.open_until is not None:
            yield Reason(
                Verdict.DEGRADED,
                breaker.provider,
                f"its breaker is open until {breaker.open_until:%Y-%m-%dT%H:%M:%SZ}: {breaker.reason}",
                "work waits and is not lost; if it lasts, look at the provider's status and the account",
            )
    if seen.next_wake is not None and seen.next_wake.exists is False:
        yield Reason(
            Verdict.DEGRADED,
            "next wake",
            f"nothing wakes what is due at {seen.next_wake.due_at:%Y-%m-%dT%H:%M:%SZ}",
            "the next sweep makes the schedule anew; to do it now, put a sweep on campaign-execution",
        )


def _late(worker: WorkerHealth, seen: Seen) -> Iterator[Reason]:
    for overdue in _work_of(worker.worker, seen):
        late = f"{overdue.amount} of the work {overdue.work} overdue, the oldest since {overdue.overdue_s:.0f} s"
        if overdue.work is Work.ATTEMPT:
            yield Reason(
                Verdict.DEGRADED,
                worker.worker,
                late,
                "a process died before it wrote how a send ended: the next sweep makes it unknown, which settles it",
            )
        elif worker.silent:
            since = f"since {worker.last_at:%Y-%m-%dT%H:%M:%SZ}" if worker.last_at else "ever"
            yield Reason(
                Verdict.DOWN,
                worker.worker,
                f"{late}; the function has done nothing {since}",
                "look at its log and its event source; if hints were lost, the next sweep sends them again",
            )
        else:
            yield Reason(
                Verdict.DEGRADED,
                worker.worker,
                f"{late}; the function is at work",
                "it catches up, or something keeps it back: look at its log and at GET /v1/jobs?status=QUEUED",
            )
