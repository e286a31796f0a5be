"""The engine's SQL: lock and load enrolments, write decisions down, claim what is due. Set-based throughout.

Lock order, for everybody: campaigns, outbox rows that are no longer queued, enrolments in id order, quotas, queued
outbox rows, live actions. An enrolment's lock serialises all that can happen to it; nobody changes its actions without
it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic_core import to_json
from sqlalchemy import Connection, Row, TextClause, text

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


def lock(
    conn: Connection, ids: Iterable[EnrolmentId], now: datetime, unheard: Collection[EventId] = ()
) -> dict[EnrolmentId, Enrolment]:
    """Lock the enrolments in id order and load their state; unknown ids are left out. Two statements.

    ``unheard`` are recorded events that are still to be decided on: the state does not know them yet.
    """
    return _load(conn, _LOCK, ids, now, unheard)


def look(conn: Connection, ids: Iterable[EnrolmentId], now: datetime) -> dict[EnrolmentId, Enrolment]:
    """As `lock`, without the lock: for those who only want to know. What they see may be changing."""
    return _load(conn, _LOOK, ids, now, ())


def _load(
    conn: Connection, query: TextClause, ids: Iterable[EnrolmentId], now: datetime, unheard: Collection[EventId]
) -> dict[EnrolmentId, Enrolment]:
    wanted = sorted(set(ids))
    if not wanted:
        return {}
    found: dict[str, list[dict[str, Any]] | None] = conn.execute(query, {"ids": wanted, "now": now}).scalar_one()
    messages: list[dict[str, Any]] = conn.execute(
        _LAST_MESSAGES, {"ids": wanted, "unheard": list(unheard)}
    ).scalar_one()
    message_of = {message["enrolment_id"]: _last_message(message) for message in messages}
    home_of = {home["id"]: _home(home) for home in found["campaigns"] or ()}
    return {
        enrolment.id: enrolment
        for enrolment in (
            _enrolment(row, home_of[row["campaign_id"]], message_of.get(row["id"])) for row in found["enrolments"] or ()
        )
    }


# One JSON value a query: read by C code, where a row of many columns is read in Python, column by column.
_ENROLMENTS = """
    WITH own AS MATERIALIZED (
        SELECT id, campaign_id, contact_id, plan_id, status, current_node, visit, entered_at, anchor_at, seq, reason
        FROM contact_campaigns WHERE id = ANY(:ids) ORDER BY id {lock}
    ), enrolments AS (
        SELECT own.*, k.time_zone,
               (SELECT max(h.until) FROM holds h WHERE h.contact_id = own.contact_id AND h.until > :now) AS held_until
        FROM own JOIN contacts k ON k.id = own.contact_id
    ), homes AS (
        SELECT c.id, c.workspace_id, c.status, c.rules, s.working_hours_start, s.working_hours_end, s.working_days,
               s.holidays_country, s.extra_holidays
        FROM campaigns c JOIN automation_settings s ON s.workspace_id = c.workspace_id
        WHERE c.id IN (SELECT campaign_id FROM own)
    )
    SELECT json_build_object('enrolments', (SELECT json_agg(e) FROM enrolments e),
                             'campaigns', (SELECT json_agg(h) FROM homes h))
"""
_LOOK = text(_ENROLMENTS.format(lock=""))
_LOCK = text(_ENROLMENTS.format(lock="FOR UPDATE"))

# A statement of its own, after the lock: only a new snapshot shows what the lock's previous holder wrote.
_LAST_MESSAGES = text("""
    SELECT coalesce(json_agg(m), '[]') FROM (
        SELECT e.id AS enrolment_id, m.id, m.node, m.visit, m.status, m.sent_at,
               (SELECT json_agg(json_build_array(v.id, v.kind, v.occurred_at, v.grade, v.hard)
                                ORDER BY v.occurred_at, v.id)
                FROM message_events v WHERE v.message_id = m.id AND v.id <> ALL(CAST(:unheard AS bigint[]))) AS events
        FROM contact_campaigns e JOIN outbound_messages m ON m.id = e.last_message_id
        WHERE e.id = ANY(:ids)
    ) m
""")


@dataclass(frozen=True, slots=True)
class _Home:
    """What the enrolments of one campaign share."""

    id: CampaignId
    workspace_id: WorkspaceId
    status: CampaignStatus
    rules: SendingRules


def _home(row: dict[str, Any]) -> _Home:
    return _Home(
        CampaignId(UUID(row["id"])),
        WorkspaceId(UUID(row["workspace_id"])),
        CampaignStatus(row["status"]),
        sending_rules(row, row["rules"]),
    )


def _enrolment(row: dict[str, Any], home: _Home, message: LastMessage | None) -> Enrolment:
    zone, held_until = row["time_zone"], _instant(row["held_until"])
    return Enrolment(
        id=EnrolmentId(UUID(row["id"])),
        workspace_id=home.workspace_id,
        campaign_id=home.id,
        plan_id=PlanId(UUID(row["plan_id"])),
        campaign_status=home.status,
        state=State(
            status=EnrolmentStatus(row["status"]),
            node=row["current_node"],
            visit=row["visit"],
            entered_at=_instant(row["entered_at"]),
            anchor_at=_instant(row["anchor_at"]),
            seq=row["seq"],
            message=message,
            reason=row["reason"],
        ),
        rules=replace(home.rules, recipient_zone=zone, not_before=held_until) if zone or held_until else home.rules,
    )


def _last_message(row: dict[str, Any]) -> LastMessage:
    return LastMessage(
        message_id=MessageId(UUID(row["id"])),
        node=row["node"],
        visit=row["visit"],
        sent_at=_instant(row["sent_at"]),
        final=MessageStatus(row["status"]) not in MESSAGE_OPEN,
        events=tuple(
            SeenEvent(EventId(event_id), SignalKind(kind), datetime.fromisoformat(at), Grade(grade), hard)
            for event_id, kind, at, grade, hard in row["events"] or ()
        ),
    )


def _instant(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value)


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
    plans: list[Values] = field(default_factory=list[Values])
    events: list[Values] = field(default_factory=list[Values])


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
        result = conn.execute(text(statement), {"rows": _rows(rows), "now": now})
        return list(result.all()) if result.returns_rows else []

    if changes.done or changes.cancelled:
        conn.execute(
            text(_FINISH_ACTIONS),
            {
                "done": _rows(changes.done),
                "cancelled": _rows(changes.cancelled),
                "now": now,
            },
        )
    run(_WITHDRAW_MESSAGES, changes.withdrawn)
    actions = run(_INSERT_ACTIONS, changes.actions)
    messages = run(_INSERT_MESSAGES, changes.messages)
    run(_INSERT_EVENTS, changes.events)
    run(_INSERT_MOVES, changes.moves)
    run(_UPDATE_ENROLMENTS, changes.enrolments)
    run(_CHANGE_PLANS, changes.plans)
    run(_SUPPRESS, changes.suppressed)
    return Written(
        actions=tuple(DueAction(row.id, row.due_at) for row in actions), messages=tuple(row.id for row in messages)
    )


def _rows(rows: Sequence[Values]) -> str:
    """Rows as the one JSON parameter that a set-based statement takes; ids and instants included."""
    return to_json(rows).decode()


# A live action leaves for the archive in one statement, so that it is never in both and never in neither (I2).
_FINISH_ACTIONS = """
    WITH done AS (
        SELECT * FROM jsonb_to_recordset(CAST(:done AS jsonb))
            AS d(enrolment_id uuid, node text, visit int, kind text, event text, outcome text, reason text)
    ), cancelled AS (
        SELECT * FROM jsonb_to_recordset(CAST(:cancelled AS jsonb)) AS c(enrolment_id uuid, visit int, reason text)
    ), ended AS (
        SELECT a.id, d.outcome, d.reason FROM done d
        JOIN scheduled_actions a USING (enrolment_id, node, visit, kind, event)
        UNION ALL
        SELECT a.id, 'cancelled', c.reason FROM cancelled c
        JOIN scheduled_actions a ON a.enrolment_id = c.enrolment_id AND a.visit <= c.visit
        WHERE (a.enrolment_id, a.node, a.visit, a.kind, a.event) NOT IN (
            SELECT enrolment_id, node, visit, kind, event FROM done)
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

# Their ids were taken from the sequence before anything was decided: the audit rows of the same batch name them.
_INSERT_EVENTS = """
    INSERT INTO message_events (id, workspace_id, message_id, provider, provider_event_id, kind, grade, grade_reasons,
                                hard, occurred_at, received_at, verdict, payload)
    OVERRIDING SYSTEM VALUE
    SELECT id, workspace_id, message_id, provider, provider_event_id, kind, grade, grade_reasons, hard, occurred_at,
           CAST(:now AS timestamptz), verdict, payload
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id bigint, workspace_id uuid, message_id uuid, provider text, provider_event_id text, kind text,
             grade text, grade_reasons jsonb, hard boolean, occurred_at timestamptz, verdict text, payload jsonb)
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

_CHANGE_PLANS = """
    UPDATE contact_campaigns e SET plan_id = r.plan_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, plan_id uuid)
    WHERE e.id = r.id
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
