"""The engine's SQL: lock and load enrolments, write decisions down, claim what is due. Set-based throughout.

Lock order, for everybody: campaigns, outbox rows that are no longer queued, enrolments in id order, quotas, queued
outbox rows, live actions. An enrolment's lock serialises all that can happen to it; nobody changes its actions without
it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, Row, text

from cadenza.core.ids import CampaignId, EnrolmentId, EventId, MessageId, PlanId, WorkspaceId
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import (
    MESSAGE_OPEN,
    ActionStatus,
    CampaignStatus,
    EnrolmentStatus,
    MessageStatus,
)
from cadenza.engine.actions import DueAction
from cadenza.engine.model import LastMessage, SeenEvent, SendingRules, State
from cadenza.engine.rules import sending_rules


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A locked enrolment with what surrounds it."""

    id: EnrolmentId
    workspace_id: WorkspaceId
    campaign_id: CampaignId
    plan_id: PlanId
    campaign_status: CampaignStatus
    state: State
    rules: SendingRules


def lock(conn: Connection, ids: Iterable[EnrolmentId], now: datetime) -> dict[EnrolmentId, Enrolment]:
    """Lock the enrolments in id order and load their state; unknown ids are left out. Two statements."""
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    rows = conn.execute(_LOCK, {"ids": wanted, "now": now}).all()
    messages = {row.enrolment_id: _last_message(row) for row in conn.execute(_LAST_MESSAGES, {"ids": wanted})}
    return {row.id: _enrolment(row, messages.get(row.id)) for row in rows}


_LOCK = text("""
    SELECT e.id, e.workspace_id, e.campaign_id, e.plan_id, e.status, e.current_node, e.visit, e.entered_at, e.anchor_at,
           e.seq, e.reason, c.status AS campaign_status, c.rules, k.time_zone,
           s.working_hours_start, s.working_hours_end, s.working_days, s.holidays_country, s.extra_holidays,
           (SELECT max(h.until) FROM holds h WHERE h.contact_id = e.contact_id AND h.until > :now) AS held_until
    FROM contact_campaigns e
    JOIN campaigns c ON c.id = e.campaign_id
    JOIN contacts k ON k.id = e.contact_id
    JOIN automation_settings s ON s.workspace_id = e.workspace_id
    WHERE e.id = ANY(:ids)
    ORDER BY e.id
    FOR UPDATE OF e
""")

# A statement of its own, after the lock: only a new snapshot shows what the lock's previous holder wrote.
_LAST_MESSAGES = text("""
    SELECT e.id AS enrolment_id, m.id, m.node, m.visit, m.status, m.sent_at, coalesce(
        (SELECT jsonb_agg(jsonb_build_object('id', v.id, 'kind', v.kind, 'at', v.occurred_at, 'grade', v.grade,
                                             'hard', v.hard)
                          ORDER BY v.occurred_at, v.id)
         FROM message_events v WHERE v.message_id = m.id), '[]') AS events
    FROM contact_campaigns e JOIN outbound_messages m ON m.id = e.last_message_id
    WHERE e.id = ANY(:ids)
""")


def _enrolment(row: Row[tuple[object, ...]], message: LastMessage | None) -> Enrolment:
    return Enrolment(
        id=row.id,
        workspace_id=row.workspace_id,
        campaign_id=row.campaign_id,
        plan_id=row.plan_id,
        campaign_status=CampaignStatus(row.campaign_status),
        state=State(
            status=EnrolmentStatus(row.status),
            node=row.current_node,
            visit=row.visit,
            entered_at=row.entered_at,
            anchor_at=row.anchor_at,
            seq=row.seq,
            message=message,
            reason=row.reason,
        ),
        rules=sending_rules(row),
    )


def _last_message(row: Row[tuple[object, ...]]) -> LastMessage:
    return LastMessage(
        message_id=row.id,
        node=row.node,
        visit=row.visit,
        sent_at=row.sent_at,
        final=MessageStatus(row.status) not in MESSAGE_OPEN,
        events=tuple(
            SeenEvent(
                EventId(event["id"]),
                SignalKind(event["kind"]),
                datetime.fromisoformat(event["at"]),
                Grade(event["grade"]),
                event["hard"],
            )
            for event in row.events
        ),
    )


def plans(conn: Connection, ids: Iterable[PlanId]) -> dict[PlanId, object]:
    """The plans' JSON by id."""
    rows = conn.execute(text("SELECT id, plan FROM campaign_plans WHERE id = ANY(:ids)"), {"ids": list(ids)})
    return {row.id: row.plan for row in rows}


# --- writing decisions down --------------------------------------------------------------------------------------


Values = Mapping[str, object]
"""One row to write, by column."""


@dataclass(slots=True)
class Changes:
    """Everything that one batch of decisions writes, gathered as rows. Each list becomes one statement."""

    enrolments: list[Values] = field(default_factory=list[Values])
    moves: list[Values] = field(default_factory=list[Values])
    done: list[Values] = field(default_factory=list[Values])
    cancelled: list[Values] = field(default_factory=list[Values])
    actions: list[Values] = field(default_factory=list[Values])
    messages: list[Values] = field(default_factory=list[Values])
    withdrawn: list[Values] = field(default_factory=list[Values])
    suppressed: list[Values] = field(default_factory=list[Values])
    verdicts: list[Values] = field(default_factory=list[Values])


@dataclass(frozen=True, slots=True)
class Written:
    """What the database made of it: new live actions, new outbox rows."""

    actions: tuple[DueAction, ...]
    messages: tuple[MessageId, ...]


def write(conn: Connection, changes: Changes, now: datetime) -> Written:
    """Write one batch, at most one statement a kind of change."""

    def run(statement: str, rows: Sequence[Values]) -> list[Row[tuple[object, ...]]]:
        if not rows:
            return []
        result = conn.execute(text(statement), {"rows": json.dumps(rows, default=_plain), "now": now})
        return list(result.all()) if result.returns_rows else []

    if changes.done or changes.cancelled:
        conn.execute(
            text(_FINISH_ACTIONS),
            {
                "done": json.dumps(changes.done, default=_plain),
                "cancelled": json.dumps(changes.cancelled, default=_plain),
                "now": now,
            },
        )
    run(_WITHDRAW_MESSAGES, changes.withdrawn)
    actions = run(_INSERT_ACTIONS, changes.actions)
    messages = run(_INSERT_MESSAGES, changes.messages)
    run(_INSERT_MOVES, changes.moves)
    run(_UPDATE_ENROLMENTS, changes.enrolments)
    run(_SUPPRESS, changes.suppressed)
    run(_VERDICTS, changes.verdicts)
    return Written(
        actions=tuple(DueAction(row.id, row.due_at) for row in actions), messages=tuple(row.id for row in messages)
    )


def _plain(value: object) -> str:
    match value:
        case UUID():
            return str(value)
        case datetime():
            return value.isoformat()
        case _:
            raise TypeError(f"no JSON for {type(value).__name__}")


# A live action leaves for the archive in one statement, so that it is never in both and never in neither (I2).
_FINISH_ACTIONS = """
    WITH done AS (
        SELECT * FROM jsonb_to_recordset(CAST(:done AS jsonb))
            AS d(enrolment_id uuid, node text, visit int, kind text, event text, outcome text, reason text)
    ), cancelled AS (
        SELECT * FROM jsonb_to_recordset(CAST(:cancelled AS jsonb)) AS c(enrolment_id uuid, visit int, reason text)
    ), ended AS (
        SELECT a.id, coalesce(d.outcome, 'cancelled') AS outcome, coalesce(d.reason, c.reason) AS reason
        FROM scheduled_actions a
        LEFT JOIN done d USING (enrolment_id, node, visit, kind, event)
        LEFT JOIN cancelled c ON c.enrolment_id = a.enrolment_id AND a.visit <= c.visit
        WHERE a.enrolment_id IN (SELECT enrolment_id FROM done UNION SELECT enrolment_id FROM cancelled)
          AND (d.enrolment_id IS NOT NULL OR c.enrolment_id IS NOT NULL)
    ), gone AS (
        DELETE FROM scheduled_actions a USING ended WHERE a.id = ended.id
        RETURNING a.*, ended.outcome, ended.reason
    )
    INSERT INTO finished_actions (action_id, workspace_id, enrolment_id, campaign_id, node, visit, kind, event, due_at,
                                  why, created_at, outcome, reason, finished_at)
    SELECT id, workspace_id, enrolment_id, campaign_id, node, visit, kind, event, due_at, why, created_at, outcome,
           reason, CAST(:now AS timestamptz)
    FROM gone
"""

# Due soon means handed to the queue right after the commit: written as enqueued, so that no second update is needed.
# If the hint is lost, the sweep finds the row overdue.
_INSERT_ACTIONS = f"""
    INSERT INTO scheduled_actions (workspace_id, enrolment_id, campaign_id, node, visit, kind, event, due_at, closes_at,
                                   why, status, enqueued_at, created_at)
    SELECT workspace_id, enrolment_id, campaign_id, node, visit, kind, event, due_at, closes_at, why,
           CASE WHEN soon THEN '{ActionStatus.ENQUEUED}' ELSE '{ActionStatus.PENDING}' END,
           CASE WHEN soon THEN CAST(:now AS timestamptz) END, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(workspace_id uuid, enrolment_id uuid, campaign_id uuid, node text, visit int, kind text, event text,
             due_at timestamptz, closes_at timestamptz, why jsonb, soon boolean)
    ON CONFLICT (enrolment_id, node, visit, kind, event) DO NOTHING
    RETURNING id, due_at
"""

_INSERT_MESSAGES = f"""
    INSERT INTO outbound_messages (id, workspace_id, enrolment_id, campaign_id, contact_id, sender_id, node, visit,
                                   channel, status, due_at, closes_at, queued_at, enqueued_at)
    SELECT r.id, e.workspace_id, e.id, e.campaign_id, e.contact_id, c.sender_id, r.node, r.visit, r.channel,
           '{MessageStatus.QUEUED}', CAST(:now AS timestamptz), r.closes_at, :now, :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id uuid, enrolment_id uuid, node text, visit int, channel text, closes_at timestamptz)
    JOIN contact_campaigns e ON e.id = r.enrolment_id
    JOIN campaigns c ON c.id = e.campaign_id
    ON CONFLICT (enrolment_id, node, visit) DO NOTHING
    RETURNING id
"""

_WITHDRAW_MESSAGES = f"""
    UPDATE outbound_messages m SET status = '{MessageStatus.SKIPPED}', reason = r.reason, finished_at = :now
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(enrolment_id uuid, visit int, reason text)
    WHERE m.enrolment_id = r.enrolment_id AND m.visit <= r.visit AND m.status = '{MessageStatus.QUEUED}'
"""

_INSERT_MOVES = """
    INSERT INTO campaign_transitions (workspace_id, enrolment_id, campaign_id, seq, from_node, from_visit, to_node,
                                      to_visit, to_status, cause, rule, event_id, at)
    SELECT workspace_id, enrolment_id, campaign_id, seq, from_node, from_visit, to_node, to_visit, to_status, cause,
           rule, event_id, at
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(workspace_id uuid, enrolment_id uuid, campaign_id uuid, seq int, from_node text, from_visit int,
             to_node text, to_visit int, to_status text, cause text, rule text, event_id bigint, at timestamptz)
    ORDER BY enrolment_id, seq
"""

# The lock makes the guard true; it stays as a tripwire: zero rows would mean that somebody wrote without the lock.
_UPDATE_ENROLMENTS = """
    UPDATE contact_campaigns e
    SET status = r.status, current_node = r.node, visit = r.visit, entered_at = r.entered_at, anchor_at = r.anchor_at,
        seq = r.seq, reason = r.reason, last_message_id = r.message_id,
        finished_at = CASE WHEN r.ended THEN CAST(:now AS timestamptz) END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id uuid, status text, node text, visit int, entered_at timestamptz, anchor_at timestamptz, seq int,
             old_seq int, reason text, message_id uuid, ended boolean)
    WHERE e.id = r.id AND e.seq = r.old_seq
"""

_SUPPRESS = """
    INSERT INTO suppressions (id, workspace_id, channel, address, reason, source, created_at)
    SELECT DISTINCT ON (k.workspace_id, lower(k.email))
           r.id, k.workspace_id, 'email', lower(k.email), r.reason, 'signal', CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, enrolment_id uuid, reason text)
    JOIN contact_campaigns e ON e.id = r.enrolment_id
    JOIN contacts k ON k.id = e.contact_id
    WHERE k.email IS NOT NULL
    ON CONFLICT (workspace_id, channel, address) DO NOTHING
"""

_VERDICTS = """
    UPDATE message_events v SET verdict = r.verdict
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id bigint, verdict text)
    WHERE v.id = r.id
"""
