"""Work that ended badly: all of a reason asked for again, and whether that helped before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core import audit, jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import WorkspaceId
from cadenza.core.messages import PlanWanted
from cadenza.core.queues import Outgoing, Queue, delay_until, hint
from cadenza.core.states import JOB_ENDED_BADLY, AuditAct, JobKind, JobStatus
from cadenza.core.tables.base import literals
from cadenza.leads.service import hint_of


@dataclass(frozen=True, slots=True)
class Retried:
    """Jobs that were asked for again, when the first and the last of them may begin, and how many are left."""

    count: int
    by_kind: Mapping[JobKind, int]
    first_at: datetime | None
    last_at: datetime | None
    remaining: int


@dataclass(frozen=True, slots=True)
class Statistic:
    """Jobs of one kind and reason. ``failed`` are so now; of the ``retried`` ones each has one of three ends."""

    kind: JobKind
    reason: str
    failed: int
    retried: int
    succeeded: int
    failed_again: int
    pending: int


class Retries:
    """A workspace's jobs that ended badly."""

    def __init__(
        self,
        database: Database,
        lead_queue: Queue,
        creation_queue: Queue,
        workspace_id: WorkspaceId,
        key_id: UUID,
        clock: Clock,
    ) -> None:
        """``key_id`` is in whose name it is done."""
        self._database = database
        self._lead_queue = lead_queue
        self._creation_queue = creation_queue
        self._workspace_id = workspace_id
        self._key_id = key_id
        self._clock = clock

    def retry_all(self, which: jobs.Which, limit: int, correlation_id: str = "") -> Retried:
        """Ask again for the oldest ``limit`` of these, as far apart as the workspace's staggers say.

        A hint that SQS does not take is left to the sweep.
        """
        now = self._clock()
        with self._database.workspace(self._workspace_id) as conn:
            again = jobs.retry_all(conn, which, now, every_s=_staggers(conn, self._workspace_id), limit=limit)
            remaining = jobs.count_ended(conn, which)
            if again:
                detail = {"count": len(again), "status": which.status, "reason": which.reason, "kind": which.kind}
                audit.record(
                    conn,
                    self._workspace_id,
                    AuditAct.JOBS_RETRIED,
                    now,
                    key_id=self._key_id,
                    subject_id=which.campaign_id,
                    detail=detail,
                )
        self._hint(again, now, correlation_id)
        dues = [one.due_at for one in again]
        by_kind = Counter(one.work.kind for one in again)
        return Retried(len(again), by_kind, min(dues, default=None), max(dues, default=None), remaining)

    def _hint(self, again: Sequence[jobs.Again], now: datetime, correlation_id: str) -> None:
        outgoing = [
            Outgoing(wanted, delay_until(one.due_at, now))
            for one in again
            if (wanted := hint_of(one.work, correlation_id)) is not None
        ]
        hint(self._creation_queue, [one for one in outgoing if isinstance(one.message, PlanWanted)])
        hint(self._lead_queue, [one for one in outgoing if not isinstance(one.message, PlanWanted)])


def _staggers(conn: Connection, workspace_id: WorkspaceId) -> Mapping[JobKind, int]:
    query = text("SELECT lead_stagger_s, stagger_s FROM automation_settings WHERE workspace_id = :id")
    row = conn.execute(query, {"id": workspace_id}).one()
    return {
        JobKind.CRAWL: row.lead_stagger_s,
        JobKind.ANALYSIS: row.stagger_s,
        JobKind.PLANNING: row.stagger_s,
    }


_STATISTICS = text(f"""
    WITH retried AS (
        SELECT r.kind, r.reason,
               CASE WHEN lead(r.id) OVER (PARTITION BY r.job_id ORDER BY r.id) IS NOT NULL THEN '{JobStatus.FAILED}'
                    ELSE j.status END AS became
        FROM job_retries r JOIN jobs j ON j.id = r.job_id
        WHERE r.at >= :since
    ), counted AS (
        SELECT kind, reason, 1 AS failed, 0 AS retried, 0 AS succeeded, 0 AS failed_again, 0 AS pending
        FROM jobs WHERE status IN ({literals(*JOB_ENDED_BADLY)}) AND coalesce(finished_at, queued_at) >= :since
        UNION ALL
        SELECT kind, reason, 0, 1, CAST(became = '{JobStatus.COMPLETED}' AS int),
               CAST(became IN ({literals(*JOB_ENDED_BADLY)}) AS int),
               CAST(became IN ({literals(JobStatus.QUEUED, JobStatus.ACTIVE)}) AS int)
        FROM retried
    )
    SELECT kind, reason, sum(failed) AS failed, sum(retried) AS retried, sum(succeeded) AS succeeded,
           sum(failed_again) AS failed_again, sum(pending) AS pending
    FROM counted GROUP BY kind, reason
    ORDER BY failed DESC, retried DESC, kind, reason LIMIT :limit
""")


def statistics(conn: Connection, since: datetime, limit: int) -> list[Statistic]:
    """By kind and reason, the most frequent first: what has failed since then, and what asking again came to."""
    rows = conn.execute(_STATISTICS, {"since": since, "limit": limit})
    return [Statistic(**row) for row in rows.mappings()]
