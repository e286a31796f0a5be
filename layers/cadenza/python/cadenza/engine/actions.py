"""Live actions and the completion of campaigns, in SQL."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from cadenza.core.ids import CampaignId, EnrolmentId
from cadenza.core.states import (
    MESSAGE_OPEN,
    ActionKind,
    ActionStatus,
    CampaignStatus,
    EnrolmentStatus,
    JobStatus,
    LeadStatus,
)
from cadenza.core.tables.base import literals


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


@dataclass(frozen=True, slots=True)
class DueAction:
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


def claim_of_campaign(
    conn: Connection, campaign_id: CampaignId, until: datetime, now: datetime
) -> tuple[DueAction, ...]:
    """As `claim_due`, for one campaign and without a limit: what its pause held back."""
    rows = conn.execute(
        text(f"""
            UPDATE scheduled_actions SET status = '{ActionStatus.ENQUEUED}', enqueued_at = :now
            WHERE campaign_id = :id AND status = '{ActionStatus.PENDING}' AND due_at < :until
            RETURNING id, due_at
        """),
        {"id": campaign_id, "until": until, "now": now},
    )
    return tuple(DueAction(row.id, row.due_at) for row in rows)


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


def complete_campaigns(conn: Connection, ids: Sequence[CampaignId] | None, now: datetime) -> list[CampaignId]:
    """Complete the running campaigns among ``ids`` (None: all) of which everything is final (I4).

    Two statements: the lock first, so that nobody adds a lead meanwhile, then the check on a new snapshot. Run it in
    a transaction of its own after the one that ended something: of two that end the last two things, the later one
    sees both. Zero rows: something is still open, or the campaign does not run.
    """
    candidates = conn.execute(
        text(f"""
            SELECT id FROM campaigns
            WHERE status = '{CampaignStatus.RUNNING}' AND (CAST(:all AS boolean) OR id = ANY(:ids))
            ORDER BY id FOR UPDATE
        """),
        {"all": ids is None, "ids": list(ids or ())},
    ).scalars()
    rows = conn.execute(_COMPLETE, {"ids": list(candidates), "now": now})
    return [row.id for row in rows]


_COMPLETE = text(f"""
    UPDATE campaigns c SET status = '{CampaignStatus.COMPLETED}', finished_at = :now, updated_at = :now
    WHERE c.id = ANY(:ids)
      AND EXISTS (SELECT FROM campaign_leads l WHERE l.campaign_id = c.id)
      AND NOT EXISTS (
          SELECT FROM contact_campaigns e
          WHERE e.campaign_id = c.id AND e.status IN ('{EnrolmentStatus.DRAFT}', '{EnrolmentStatus.ACTIVE}'))
      AND NOT EXISTS (
          SELECT FROM outbound_messages m WHERE m.campaign_id = c.id AND m.status IN ({literals(*MESSAGE_OPEN)}))
      AND NOT EXISTS (
          SELECT FROM campaign_leads l JOIN leads d ON d.id = l.lead_id
          WHERE l.campaign_id = c.id
            AND d.status NOT IN ({literals(LeadStatus.ANALYZED, LeadStatus.FAILED)}))
      AND NOT EXISTS (
          SELECT FROM jobs j
          WHERE j.campaign_id = c.id AND j.status IN ({literals(JobStatus.QUEUED, JobStatus.ACTIVE)}))
    RETURNING c.id
""")
