"""What a pause held back, and what becomes of it on resuming: previewed first, then done, by the same arithmetic.

A pause stops a campaign's clocks under the policy `shift`: whatever was under way when it began, or was begun during
it, moves by as much of the pause as it has seen. What comes due at once under another policy does not burst: it is
spread over an hour at most, a second apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, text

from cadenza.core.ids import CampaignId
from cadenza.core.states import ActionKind, ActionStatus, EnrolmentStatus, MessageStatus, ResumePolicy

SPREAD_S: Final = 3600
"""The longest time over which what is overdue is spread."""


class Outlook(BaseModel):
    """What one policy would do. Sends are mails that wait to go out; timers end a wait, and send nothing themselves.

    ``now`` go on at once (sends one after the other), ``moved`` get a later instant, ``dropped`` are never sent, and
    ``unchanged`` stay at theirs. ``first_send_at``: the next send that is not among those that go on at once.
    """

    model_config = ConfigDict(frozen=True)

    policy: ResumePolicy
    sends_now: int = 0
    sends_moved: int = 0
    sends_dropped: int = 0
    sends_unchanged: int = 0
    timers_now: int = 0
    timers_moved: int = 0
    timers_unchanged: int = 0
    spread_s: int = 0
    """Over how many seconds the sends of now are spread, before caps and windows."""
    first_send_at: datetime | None = None


class ResumePreview(BaseModel):
    """What resuming now would do, by policy; nothing is changed."""

    model_config = ConfigDict(frozen=True)

    paused_at: datetime
    paused_s: int
    outlooks: tuple[Outlook, ...]


@dataclass(frozen=True, slots=True)
class _Held:
    """What is held back of one kind."""

    overdue: int = 0
    ahead: int = 0
    due_once_moved: int = 0
    first_ahead_at: datetime | None = None
    first_moved_at: datetime | None = None

    @property
    def all(self) -> int:
        return self.overdue + self.ahead


def preview(conn: Connection, campaign_id: CampaignId, paused_at: datetime, now: datetime) -> ResumePreview:
    """What resuming a campaign that has been paused since ``paused_at`` would do at ``now``. One statement."""
    rows = conn.execute(_HELD, {"id": campaign_id, "paused_at": paused_at, "now": now})
    held = {row.kind: _Held(*row[1:]) for row in rows}
    sends, timers = (held.get(kind, _Held()) for kind in (ActionKind.SEND, ActionKind.TIMEOUT))
    return ResumePreview(
        paused_at=paused_at,
        paused_s=int((now - paused_at).total_seconds()),
        outlooks=tuple(_outlook(policy, sends, timers) for policy in ResumePolicy),
    )


def _outlook(policy: ResumePolicy, sends: _Held, timers: _Held) -> Outlook:
    match policy:
        case ResumePolicy.SHIFT:
            return Outlook(
                policy=policy,
                sends_now=sends.due_once_moved,
                sends_moved=sends.all - sends.due_once_moved,
                timers_now=timers.due_once_moved,
                timers_moved=timers.all - timers.due_once_moved,
                spread_s=_spread_s(sends.due_once_moved),
                first_send_at=sends.first_moved_at,
            )
        case ResumePolicy.KEEP:
            return Outlook(
                policy=policy,
                sends_now=sends.overdue,
                sends_unchanged=sends.ahead,
                timers_now=timers.overdue,
                timers_unchanged=timers.ahead,
                spread_s=_spread_s(sends.overdue),
                first_send_at=sends.first_ahead_at,
            )
        case ResumePolicy.SKIP_STALE:
            return Outlook(
                policy=policy,
                sends_dropped=sends.overdue,
                sends_unchanged=sends.ahead,
                timers_now=timers.overdue,
                timers_unchanged=timers.ahead,
                first_send_at=sends.first_ahead_at,
            )
        case _:
            assert_never(policy)


def _spread_s(sends: int) -> int:
    return min(SPREAD_S, max(0, sends - 1))


def resume(conn: Connection, campaign_id: CampaignId, policy: ResumePolicy, paused_at: datetime, now: datetime) -> None:
    """Let go what a pause has held back since ``paused_at``. Six statements at most, whatever is under way.

    The caller holds the campaign, has moved it, and has the engine woken after the commit.
    """
    parameters = {"id": campaign_id, "paused_at": paused_at, "now": now}
    conn.execute(_LOCK, {"id": campaign_id})
    match policy:
        case ResumePolicy.SHIFT:
            conn.execute(_MOVE_ACTIONS, parameters | {"why": f"moved by a pause of {_told(now - paused_at)}"})
            conn.execute(_MOVE_MESSAGES, parameters)
            conn.execute(_STOP_CLOCKS, parameters)
            conn.execute(_SPREAD, parameters)
        case ResumePolicy.KEEP:
            conn.execute(_SPREAD, parameters)
        case ResumePolicy.SKIP_STALE:
            conn.execute(_SKIP_STALE, parameters)
        case _:
            assert_never(policy)
    conn.execute(_FORGET_HINTS, {"id": campaign_id})


def _told(pause: timedelta) -> str:
    return str(timedelta(seconds=int(pause.total_seconds())))


# The enrolments lead, and the rest is found by them: whatever the planner believes of a campaign that has just started
# or moved, there is one index to take. With a condition on the campaign on both sides it may well take n times n.
_ACTIVE = f"e.campaign_id = :id AND e.status = '{EnrolmentStatus.ACTIVE}'"
_QUEUED = f"m.status = '{MessageStatus.QUEUED}'"

# How much of the pause an enrolment's stay in its node has seen. A provider's clock may be ahead of ours.
_BY = """greatest(interval '0', CAST(:now AS timestamptz) - greatest(CAST(:paused_at AS timestamptz),
                                                                     coalesce(e.anchor_at, e.entered_at)))"""

_HELD = text(f"""
    SELECT h.kind, count(*) FILTER (WHERE h.due_at < :now) AS overdue,
           count(*) FILTER (WHERE h.due_at >= :now) AS ahead,
           count(*) FILTER (WHERE h.due_at + h.by <= :now) AS due_once_moved,
           min(h.due_at) FILTER (WHERE h.due_at >= :now) AS first_ahead_at,
           min(h.due_at + h.by) FILTER (WHERE h.due_at + h.by > :now) AS first_moved_at
    FROM (
        SELECT a.kind, a.due_at, {_BY} AS by
        FROM contact_campaigns e JOIN scheduled_actions a ON a.enrolment_id = e.id WHERE {_ACTIVE}
        UNION ALL
        SELECT '{ActionKind.SEND}', m.due_at, {_BY}
        FROM contact_campaigns e JOIN outbound_messages m ON m.enrolment_id = e.id AND {_QUEUED} WHERE {_ACTIVE}
    ) h GROUP BY h.kind
""")

_LOCK = text(f"""
    SELECT count(*) FROM (
        SELECT e.id FROM contact_campaigns e WHERE {_ACTIVE} ORDER BY e.id FOR UPDATE) own
""")

_MOVE_MESSAGES = text(f"""
    UPDATE outbound_messages m
    SET due_at = m.due_at + {_BY}, closes_at = CASE WHEN m.closes_at IS NOT NULL THEN m.due_at + {_BY} END,
        booked_on = NULL, enqueued_at = NULL
    FROM contact_campaigns e
    WHERE e.id = m.enrolment_id AND {_ACTIVE} AND {_QUEUED}
""")

_MOVE_ACTIONS = text(f"""
    UPDATE scheduled_actions a
    SET due_at = a.due_at + {_BY}, closes_at = NULL, why = a.why || jsonb_build_array(CAST(:why AS text)),
        status = '{ActionStatus.PENDING}', enqueued_at = NULL
    FROM contact_campaigns e WHERE e.id = a.enrolment_id AND {_ACTIVE}
""")

# Last, because the others are moved by what the anchor was before.
_STOP_CLOCKS = text(f"""
    UPDATE contact_campaigns e SET anchor_at = e.anchor_at + {_BY}
    WHERE {_ACTIVE} AND e.anchor_at IS NOT NULL
""")

# Mails and sends that are still to be queued form one line, the one that was due first first.
_SPREAD = text(f"""
    WITH overdue AS MATERIALIZED (
        SELECT h.*, row_number() OVER (ORDER BY h.due_at, h.message_id, h.action_id) - 1 AS before,
               count(*) OVER () AS n
        FROM (
            SELECT m.id AS message_id, CAST(NULL AS bigint) AS action_id, m.due_at
            FROM outbound_messages m WHERE m.campaign_id = :id AND {_QUEUED} AND m.due_at <= :now
            UNION ALL
            SELECT NULL, a.id, a.due_at FROM scheduled_actions a
            WHERE a.campaign_id = :id AND a.kind = '{ActionKind.SEND}' AND a.due_at <= :now
        ) h
    ), placed AS (
        SELECT message_id, action_id,
               CAST(:now AS timestamptz) + before * least(1.0, {SPREAD_S}.0 / n) * interval '1 second' AS at
        FROM overdue
    ), moved AS (
        UPDATE outbound_messages m SET due_at = p.at FROM placed p WHERE m.id = p.message_id
    )
    UPDATE scheduled_actions a SET due_at = p.at FROM placed p WHERE a.id = p.action_id
""")

_SKIP_STALE = text("UPDATE campaigns SET skip_due_before = :now WHERE id = :id")

# Hints that were under way when the pause began have been used up by now, or find nothing to do. (What a shift has
# moved has none already: no row is written twice for that.)
_FORGET_HINTS = text(f"""
    WITH actions AS (
        UPDATE scheduled_actions SET status = '{ActionStatus.PENDING}', enqueued_at = NULL
        WHERE campaign_id = :id AND status = '{ActionStatus.ENQUEUED}'
    )
    UPDATE outbound_messages m SET enqueued_at = NULL
    WHERE m.campaign_id = :id AND {_QUEUED} AND m.enqueued_at IS NOT NULL
""")
