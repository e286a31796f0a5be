"""The ledger of what AI took, call by call: tokens and cost, for whom and for what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, text

from cadenza.core.ids import WorkspaceId
from cadenza.core.states import AiOutcome


@dataclass(frozen=True, slots=True)
class Used:
    """What one kind of call took on one UTC day. ``priced`` is false where some of it has no known price."""

    day: date
    purpose: str
    model: str
    prompt_version: str
    outcome: AiOutcome
    calls: int
    input_tokens: int
    output_tokens: int
    cost_usd_micros: int
    priced: bool


def used(conn: Connection, workspace_id: WorkspaceId, first: date, last: date) -> list[Used]:
    """What was used from ``first`` to ``last`` (UTC days, both included), the newest day first."""
    rows = conn.execute(
        text("""
            SELECT (at AT TIME ZONE 'UTC')::date AS day, purpose, model, prompt_version, outcome, count(*) AS calls,
                   sum(input_tokens)::bigint AS input_tokens, sum(output_tokens)::bigint AS output_tokens,
                   sum(cost_usd_micros)::bigint AS cost_usd_micros, bool_and(priced) AS priced
            FROM ai_usage WHERE workspace_id = :workspace_id AND at >= :first AND at < :end
            GROUP BY 1, 2, 3, 4, 5 ORDER BY 1 DESC, 2, 3, 4, 5
        """),
        {
            "workspace_id": workspace_id,
            "first": datetime.combine(first, time(), UTC),
            "end": datetime.combine(last + timedelta(days=1), time(), UTC),
        },
    )
    return [Used(**row) for row in rows.mappings()]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a workspace stands with its budget of a UTC day, in millionths of a US dollar. Null: there is no limit.

    ``reserved`` is the most that the ``under_way`` calls can cost.
    """

    budget_usd_micros: int | None
    spent_usd_micros: int
    reserved_usd_micros: int
    under_way: int
    concurrency: int

    @property
    def left_usd_micros(self) -> int | None:
        """What is neither spent nor reserved; never below 0."""
        if self.budget_usd_micros is None:
            return None
        return max(0, self.budget_usd_micros - self.spent_usd_micros - self.reserved_usd_micros)


def standing(conn: Connection, workspace_id: WorkspaceId, now: datetime) -> Standing:
    """How the workspace stands today."""
    start = datetime.combine(now.astimezone(UTC).date(), time(), UTC)
    row = conn.execute(
        text("""
            SELECT s.ai_daily_budget_usd_micros AS budget, s.ai_concurrency AS concurrency,
                   (SELECT coalesce(sum(u.cost_usd_micros), 0)::bigint FROM ai_usage u
                    WHERE u.workspace_id = s.workspace_id AND u.at >= :start) AS spent,
                   (SELECT coalesce(sum(c.reserved_usd_micros), 0)::bigint FROM ai_calls c
                    WHERE c.workspace_id = s.workspace_id AND c.answer IS NULL) AS reserved,
                   (SELECT count(*) FROM ai_calls c
                    WHERE c.workspace_id = s.workspace_id AND c.answer IS NULL) AS under_way
            FROM automation_settings s WHERE s.workspace_id = :workspace_id
        """),
        {"workspace_id": workspace_id, "start": start},
    ).one()
    return Standing(row.budget, row.spent, row.reserved, row.under_way, row.concurrency)
