"""Live actions, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct
from sqlalchemy import Connection, text

from cadenza.core.ids import EnrolmentId
from cadenza.core.states import (
    ActionKind,
    ActionStatus,
    CampaignStatus,
)


@dataclass(frozen=True, slots=True)
class LiveAction:
    """A row of ``scheduled_actions``."""

    id: int
    enrolment_id: EnrolmentId
    kind: ActionKind
    node: str
    visit: int
    event: str
    due_at: datetime


class DueAction(Struct, frozen=True, gc=False):
    """An action and when it is due: what the dispatcher needs."""

    id: int
    due_at: datetime


def enrolments_of(conn: Connection, action_ids: Sequence[int]) -> list[EnrolmentId]:
    """Whose actions these are; ended actions are left out."""
    rows = conn.execute(
        text("SELECT DISTINCT enrolment_id FROM scheduled_actions WHERE id = ANY(:ids)"), {"ids": list(action_ids)}
    )
    return [row.enrolment_id for row in rows]


def live_actions(conn: Connection, action_ids: Sequence[int]) -> list[LiveAction]:
    """Those of the actions that still live, in order of their due times. Call it with their enrolments locked."""
    rows = conn.execute(
        text("""
            SELECT id, enrolment_id, kind, node, visit, event, due_at FROM scheduled_actions
            WHERE id = ANY(:ids) ORDER BY due_at, id
        """),
        {"ids": list(action_ids)},
    )
    return [
        LiveAction(row.id, row.enrolment_id, ActionKind(row.kind), row.node, row.visit, row.event, row.due_at)
        for row in rows
    ]


def put_back(conn: Connection, action_ids: Sequence[int]) -> None:
    """Enqueued actions whose campaign does not run wait as pending again. Zero rows: they ended meanwhile."""
    conn.execute(
        text("UPDATE scheduled_actions SET status = :pending, enqueued_at = NULL WHERE id = ANY(:ids)"),
        {"pending": ActionStatus.PENDING, "ids": list(action_ids)},
    )


def claim_due(conn: Connection, until: datetime, now: datetime) -> tuple[DueAction, ...]:
    """Mark pending actions of running campaigns that are due before ``until`` as enqueued, `CLAIM_LIMIT` at most.

    Zero rows: nothing is due, or somebody else is claiming it.
    """
    rows = conn.execute(_CLAIM, {"until": until, "now": now})
    return tuple(DueAction(row.id, row.due_at) for row in rows)


CLAIM_LIMIT = 1000

_CLAIM = text(f"""
    WITH due AS MATERIALIZED (
        SELECT a.id FROM scheduled_actions a JOIN campaigns c ON c.id = a.campaign_id
        WHERE a.status = '{ActionStatus.PENDING}' AND a.due_at < :until AND c.status = '{CampaignStatus.RUNNING}'
        ORDER BY a.due_at LIMIT {CLAIM_LIMIT} FOR UPDATE OF a SKIP LOCKED
    )
    UPDATE scheduled_actions a SET status = '{ActionStatus.ENQUEUED}', enqueued_at = :now
    FROM due WHERE a.id = due.id RETURNING a.id, a.due_at
""")


def reclaim_lost(conn: Connection, lost_before: datetime, now: datetime) -> tuple[DueAction, ...]:
    """Enqueued actions that should have ended long ago: their hints were lost. They are enqueued anew.

    Zero rows: nothing was lost.
    """
    rows = conn.execute(_RECLAIM, {"lost_before": lost_before, "now": now})
    return tuple(DueAction(row.id, row.due_at) for row in rows)


# An enqueued action is lost when both its hint and its due time lie well back (a hint may wait 15 min in the queue).
_RECLAIM = text(f"""
    WITH lost AS MATERIALIZED (
        SELECT id FROM scheduled_actions
        WHERE status = '{ActionStatus.ENQUEUED}' AND enqueued_at < :lost_before AND due_at < :lost_before
        ORDER BY enqueued_at LIMIT {CLAIM_LIMIT} FOR UPDATE SKIP LOCKED
    )
    UPDATE scheduled_actions a SET enqueued_at = :now FROM lost WHERE a.id = lost.id RETURNING a.id, a.due_at
""")


def pending_dues(conn: Connection, until: datetime) -> list[datetime]:
    """One due instant a 15-minute bucket in which something pending is due before ``until``."""
    rows = conn.execute(
        text(f"""
            SELECT min(due_at) AS due_at FROM scheduled_actions
            WHERE status = '{ActionStatus.PENDING}' AND due_at < :until
            GROUP BY date_bin('15 minutes', due_at, 'epoch')
        """),
        {"until": until},
    )
    return [row.due_at for row in rows]
