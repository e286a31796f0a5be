"""Calls of a model as rows: under way with a lease and what they may cost, then an answer until its job ends."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from cadenza.core.ai import AiUsage
from cadenza.core.ai_usage import Standing, standing
from cadenza.core.ids import WorkspaceId
from cadenza.core.jobs import Work
from cadenza.core.states import AiOutcome, JobStatus

CALL_LEASE = timedelta(minutes=6)
"""How long a call is believed to be under way: longer than any function that calls may run."""
TURN_S = 5.0
"""How long a call takes, where there were none yet to tell."""


@dataclass(frozen=True, slots=True)
class Request:
    """A call that somebody wants to make, and the most that it can cost."""

    work: Work
    hash: str
    provider: str
    model: str
    prompt_version: str
    worst_usd_micros: int
    priced: bool


@dataclass(frozen=True, slots=True)
class Sight:
    """What the gate sees. ``answer`` is what the same question of the same job was answered; ``asking``: it is now.

    ``waiting`` jobs have been sent away before; ``turn_s`` is how long calls have taken lately.
    """

    standing: Standing
    answer: dict[str, Any] | None
    asking: bool
    open_until: datetime | None
    waiting: int
    turn_s: float


def look(conn: Connection, wanted: Request, now: datetime) -> Sight:
    """What there is to know before the call may begin. The caller holds the workspace's lock."""
    row = conn.execute(
        text("""
            SELECT (SELECT count(*) FROM jobs
                    WHERE workspace_id = :workspace_id AND status = :queued AND kind = :kind AND runs > 0) AS waiting,
                   (SELECT open_until FROM circuit_breakers WHERE provider = :provider) AS open_until,
                   (SELECT avg(took_ms) / 1000.0
                    FROM (SELECT took_ms FROM ai_usage WHERE workspace_id = :workspace_id ORDER BY at DESC LIMIT 20) u
                   ) AS turn_s,
                   same.id IS NOT NULL AND same.answer IS NULL AS asking, same.answer
            FROM (SELECT) AS nothing LEFT JOIN ai_calls same
                ON same.job_kind = :kind AND same.job_key = :key AND same.request_hash = :hash
        """),
        {
            "workspace_id": wanted.work.workspace_id,
            "queued": JobStatus.QUEUED,
            "provider": wanted.provider,
            "kind": wanted.work.kind,
            "key": wanted.work.key,
            "hash": wanted.hash,
        },
    ).one()
    turn_s = TURN_S if row.turn_s is None else float(row.turn_s)
    seen = standing(conn, wanted.work.workspace_id, now)
    return Sight(seen, row.answer, row.asking, row.open_until, row.waiting, turn_s)


def begin(conn: Connection, wanted: Request, now: datetime) -> int:
    """Take a place and reserve the money; the call's id."""
    return conn.execute(
        text("""
            INSERT INTO ai_calls (workspace_id, job_kind, job_key, request_hash, lead_id, contact_id, provider, model,
                                  prompt_version, reserved_usd_micros, begun_at, expires_at)
            VALUES (:workspace_id, :kind, :key, :hash, :lead_id, :contact_id, :provider, :model, :prompt_version,
                    :reserved, :now, :expires_at)
            RETURNING id
        """),
        {
            "workspace_id": wanted.work.workspace_id,
            "kind": wanted.work.kind,
            "key": wanted.work.key,
            "hash": wanted.hash,
            "lead_id": wanted.work.lead_id,
            "contact_id": wanted.work.contact_id,
            "provider": wanted.provider,
            "model": wanted.model,
            "prompt_version": wanted.prompt_version,
            "reserved": wanted.worst_usd_micros,
            "now": now,
            "expires_at": now + CALL_LEASE,
        },
    ).scalar_one()


_RECORD = """
    INSERT INTO ai_usage (workspace_id, lead_id, contact_id, purpose, model, prompt_version, input_tokens,
                          output_tokens, cost_usd_micros, at, outcome, priced, took_ms)
    SELECT workspace_id, lead_id, contact_id, job_kind, model, prompt_version, :input_tokens, :output_tokens,
           -- Who reports no tokens leaves us with the most that it can have been.
           CASE WHEN :counted THEN CAST(:cost AS bigint) ELSE reserved_usd_micros END,
           -- Of the day whose budget it was reserved in.
           begun_at, :outcome, :priced, extract(epoch FROM CAST(:ended_at AS timestamptz) - begun_at) * 1000
    FROM over
"""


def bury(conn: Connection, now: datetime, workspace_id: WorkspaceId | None = None) -> None:
    """Give up calls whose lease is over: whoever made them is dead, and what they cost is unknown."""
    conn.execute(
        text(f"""
            WITH over AS (
                DELETE FROM ai_calls
                WHERE answer IS NULL AND expires_at <= :now
                  AND workspace_id = coalesce(CAST(:workspace_id AS uuid), workspace_id)
                RETURNING *
            )
            {_RECORD}
        """),
        _recorded(AiOutcome.UNKNOWN, None, None) | {"workspace_id": workspace_id, "now": now},
    )


def tidy(conn: Connection, now: datetime) -> None:
    """For the sweep: calls of workspaces that have asked nothing since, and answers that came after their job's end."""
    bury(conn, now)
    conn.execute(
        text("""
            DELETE FROM ai_calls c WHERE c.answer IS NOT NULL AND NOT EXISTS (
                SELECT FROM jobs j
                WHERE j.kind = c.job_kind AND j.business_key = c.job_key AND j.status = ANY(:unfinished))
        """),
        {"unfinished": [JobStatus.QUEUED, JobStatus.ACTIVE]},
    )


def settle(
    conn: Connection,
    call_id: int,
    outcome: AiOutcome | None,
    usage: AiUsage | None,
    answer: dict[str, Any] | None,
    now: datetime,
) -> None:
    """The call is over: record what it took, unless it took nothing; free its place; keep its answer for its job.

    Zero rows: it was buried, with all that it may have cost.
    """
    over = (
        "UPDATE ai_calls SET answer = CAST(:answer AS jsonb) WHERE id = :id AND answer IS NULL"
        if answer is not None
        else "DELETE FROM ai_calls WHERE id = :id AND answer IS NULL"
    )
    if outcome is None:
        conn.execute(text(over), {"id": call_id})
        return
    kept = {} if answer is None else {"answer": json.dumps(answer).replace("\\u0000", "")}
    conn.execute(
        text(f"WITH over AS ({over} RETURNING *) {_RECORD}"), _recorded(outcome, usage, now) | kept | {"id": call_id}
    )


def _recorded(outcome: AiOutcome, usage: AiUsage | None, ended_at: datetime | None) -> dict[str, object]:
    return {
        "ended_at": ended_at,
        "outcome": outcome,
        "input_tokens": usage.input_tokens if usage else 0,
        "output_tokens": usage.output_tokens if usage else 0,
        "cost": usage.cost_usd_micros if usage else 0,
        "counted": usage is not None and usage.input_tokens > 0,
        "priced": usage is None or usage.priced,
    }
