"""Jobs that ended badly are asked for again; how they had ended is kept, so that it can be said whether it helped."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, time
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.errors import Conflict, NotFound
from cadenza.core.ids import JobId
from cadenza.core.jobs.ledger import keys_of, work_of
from cadenza.core.jobs.model import Work
from cadenza.core.states import JOB_ENDED_BADLY, JobKind, JobStatus
from cadenza.core.tables.base import literals

AT_ONCE: Final = 1000
"""Jobs that one request asks for again at most."""

WITHOUT_SUBJECT: Final = "this job is about nobody: there was no contact to plan for; add one to the lead"

_BADLY: Final = literals(*JOB_ENDED_BADLY)
_HAS_SUBJECT: Final = f"(j.kind <> '{JobKind.PLANNING}' OR j.contact_id IS NOT NULL)"

_WHICH: Final = f"""
    j.status IN ({_BADLY}) AND j.status = :status AND {_HAS_SUBJECT}
    AND (CAST(:kind AS text) IS NULL OR j.kind = :kind)
    AND (CAST(:campaign_id AS uuid) IS NULL OR j.campaign_id = :campaign_id)
    AND (CAST(:reason AS text) IS NULL OR strpos(lower(j.reason), lower(:reason)) > 0)
"""


def _again(which: str) -> str:
    """FAILED or SKIPPED → QUEUED for the rows of ``which`` (id, and due_at or null), as if they were new."""
    return f"""
        WITH chosen AS MATERIALIZED ({which}),
        ended AS MATERIALIZED (
            SELECT j.id, j.workspace_id, j.kind, j.status, j.reason, c.due_at
            FROM jobs j JOIN chosen c USING (id)
            WHERE j.status IN ({_BADLY}) AND {_HAS_SUBJECT}
            ORDER BY j.id FOR UPDATE OF j
        ), noted AS (
            INSERT INTO job_retries (workspace_id, job_id, kind, status, reason, at)
            SELECT workspace_id, id, kind, status, reason, :now FROM ended
        )
        UPDATE jobs j
        SET status = '{JobStatus.QUEUED}', attempts_made = 0, reason = '', result = '{{}}', queued_at = :now,
            started_at = NULL, finished_at = NULL, next_attempt_at = ended.due_at
        FROM ended WHERE j.id = ended.id
        RETURNING j.*
    """


_REQUEUE = text(
    _again("""
        SELECT j.id, CAST(NULL AS timestamptz) AS due_at
        FROM jobs j JOIN jsonb_to_recordset(CAST(:works AS jsonb)) AS r(kind text, key text)
            ON j.kind = r.kind AND j.business_key = r.key
    """)
)
_RETRY = text(_again("SELECT CAST(:id AS uuid) AS id, CAST(NULL AS timestamptz) AS due_at"))
_RETRY_ALL = text(
    _again(f"""
        SELECT id, CAST(:now AS timestamptz) + make_interval(secs =>
                   (row_number() OVER (PARTITION BY kind ORDER BY id) - 1) * CAST(CAST(:every AS jsonb) ->> kind AS int)
               ) AS due_at
        FROM (
            SELECT j.id, j.kind FROM jobs j
            WHERE {_WHICH}
            -- The oldest first; what somebody else is asking for again is theirs.
            ORDER BY j.id LIMIT :limit FOR UPDATE SKIP LOCKED
        ) oldest
    """)
)

_RENEW = text(
    _again(f"""
        SELECT id, CAST(:now AS timestamptz) + make_interval(secs =>
                   (row_number() OVER (PARTITION BY workspace_id, kind ORDER BY id) - 1) * stagger_s) AS due_at
        FROM (
            SELECT j.id, j.workspace_id, j.kind, s.stagger_s
            FROM automation_settings s JOIN jobs j ON j.workspace_id = s.workspace_id
            WHERE s.retry_when_budget_renews AND j.status IN ({_BADLY}) AND j.status = '{JobStatus.SKIPPED}'
              AND j.reason = :reason AND j.finished_at < :day AND {_HAS_SUBJECT}
            ORDER BY j.id LIMIT :limit FOR UPDATE OF j SKIP LOCKED
        ) oldest
    """)
)


def requeue(conn: Connection, works: Sequence[Work], now: datetime) -> set[str]:
    """Take up again what FAILED or was SKIPPED, as if it were new; the keys of what was. Zero rows: nothing had."""
    rows = conn.execute(_REQUEUE, {"works": keys_of(works), "now": now})
    return {row.business_key for row in rows}


def retry(conn: Connection, job_id: JobId, now: datetime) -> Work:
    """FAILED or SKIPPED → QUEUED, with all attempts before it again.

    Raises:
        NotFound: No such job in sight.
        Conflict: It has not ended so, or there is nothing in it to do.
    """
    row = conn.execute(_RETRY, {"id": job_id, "now": now}).first()
    if row is not None:
        return work_of(row)
    status = conn.execute(text("SELECT status FROM jobs WHERE id = :id"), {"id": job_id}).scalar()
    if status is None:
        raise NotFound("job", job_id)
    if status in JOB_ENDED_BADLY:
        raise Conflict(WITHOUT_SUBJECT)
    raise Conflict(f"the job is {status}; only FAILED and SKIPPED ones can be tried again")


@dataclass(frozen=True, slots=True)
class Which:
    """Which jobs to ask for again: of one end, and of what else is named. ``reason``: words that theirs contains."""

    status: JobStatus
    reason: str | None = None
    kind: JobKind | None = None
    campaign_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Again:
    """A job that is to be done again, and when it may begin."""

    work: Work
    due_at: datetime


def retry_all(
    conn: Connection, which: Which, now: datetime, *, every_s: Mapping[JobKind, int], limit: int = AT_ONCE
) -> list[Again]:
    """FAILED or SKIPPED → QUEUED for the oldest ``limit`` of them, ``every_s`` seconds between two of a kind.

    Zero rows: nothing has ended so.
    """
    every = json.dumps({kind: every_s.get(kind, 0) for kind in JobKind})
    rows = conn.execute(_RETRY_ALL, {**asdict(which), "limit": limit, "now": now, "every": every})
    again = [Again(work_of(row), row.next_attempt_at) for row in rows]
    return sorted(again, key=lambda one: (one.due_at, one.work.key))


def renew(conn: Connection, reason: str, now: datetime) -> list[Again]:
    """SKIPPED → QUEUED for what was skipped for ``reason`` before this UTC day began, where the workspace wants that.

    At most `AT_ONCE`, a workspace's stagger apart. Zero rows: nothing was, or nobody wants it.
    """
    day = datetime.combine(now.astimezone(UTC), time(), UTC)
    rows = conn.execute(_RENEW, {"reason": reason, "day": day, "limit": AT_ONCE, "now": now})
    return [Again(work_of(row), row.next_attempt_at) for row in rows]


def count_ended(conn: Connection, which: Which) -> int:
    """How many jobs there are that `retry_all` would take."""
    return conn.execute(text(f"SELECT count(*) FROM jobs j WHERE {_WHICH}"), asdict(which)).scalar_one()
