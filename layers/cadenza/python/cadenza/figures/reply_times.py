"""How long people take to answer, in one statement. Which messages: as in `cadenza.figures.reports`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, text

from cadenza.core.messages import SignalKind
from cadenza.figures.reports import AT, HUMAN, SENT, Scope

_HOUR, _DAY = 3600, 86_400
_EDGES: Final = (0, _HOUR, 4 * _HOUR, _DAY, 2 * _DAY, 3 * _DAY, 7 * _DAY, 14 * _DAY)


class Bar(BaseModel):
    """How many replies took [``from_s``, ``to_s``) seconds; null: without an end."""

    model_config = ConfigDict(frozen=True)

    from_s: int
    to_s: int | None
    replies: int


@dataclass(frozen=True, slots=True)
class ReplyTimes:
    """From a message's sending to the first answer of a person. Without replies there is no median and no bar."""

    replies: int
    median_s: float | None
    p90_s: float | None
    bars: tuple[Bar, ...]


def reply_times(conn: Connection, scope: Scope) -> ReplyTimes:
    """How long people took to answer the scope's messages."""
    row = conn.execute(text(_reply_times(scope)), scope.parameters).mappings().one()
    bounds = zip(_EDGES, (*_EDGES[1:], None), strict=True)
    bars = tuple(Bar(from_s=low, to_s=high, replies=row[f"bar_{low}"]) for low, high in bounds)
    return ReplyTimes(row["replies"], _seconds(row["median_s"]), _seconds(row["p90_s"]), bars if row["replies"] else ())


def _seconds(value: Any) -> float | None:  # noqa: ANN401 - what the driver makes of a numeric
    return None if value is None else round(float(value), 1)


def _reply_times(scope: Scope) -> str:
    """All of it is made of constants of this module."""
    bars = ", ".join(
        f"count(*) FILTER (WHERE took_s >= {low}{'' if high is None else f' AND took_s < {high}'}) AS bar_{low}"
        for low, high in zip(_EDGES, (*_EDGES[1:], None), strict=True)
    )
    return f"""
        WITH replies AS (
            SELECT greatest(0, extract(epoch FROM min(v.occurred_at) - m.sent_at)) AS took_s
            FROM message_events v JOIN outbound_messages m ON m.id = v.message_id
            WHERE v.workspace_id = :workspace_id AND v.kind = '{SignalKind.REPLIED}' AND {HUMAN}
              AND m.status IN ({SENT}) AND {scope.conditions("m", AT)}
            GROUP BY m.id, m.sent_at
        )
        SELECT count(*) AS replies, percentile_cont(0.5) WITHIN GROUP (ORDER BY took_s) AS median_s,
               percentile_cont(0.9) WITHIN GROUP (ORDER BY took_s) AS p90_s, {bars}
        FROM replies
    """
