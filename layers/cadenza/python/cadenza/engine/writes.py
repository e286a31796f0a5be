"""Decisions written down in SQL: one batch of any size in two statements.

What ends leaves first, in a statement of its own: a send that is put off takes the place of the one that is done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Final

from msgspec import Struct, json
from sqlalchemy import Connection, TextClause, text

from cadenza.core.ids import MessageId
from cadenza.core.states import ActionStatus, MessageStatus
from cadenza.engine.actions import DueAction

Values = Mapping[str, object]
"""One row to write, by column."""


@dataclass(slots=True)
class Changes:
    """Everything that one batch of decisions writes, gathered as rows."""

    done: list[Values] = field(default_factory=list[Values])
    cancelled: list[Values] = field(default_factory=list[Values])
    withdrawn: list[Values] = field(default_factory=list[Values])
    actions: list[Values] = field(default_factory=list[Values])
    messages: list[Values] = field(default_factory=list[Values])
    events: list[Values] = field(default_factory=list[Values])
    moves: list[Values] = field(default_factory=list[Values])
    enrolments: list[Values] = field(default_factory=list[Values])
    suppressed: list[Values] = field(default_factory=list[Values])


class Written(Struct, frozen=True, gc=False):
    """What the database made of it: new live actions, new outbox rows."""

    actions: tuple[DueAction, ...] = ()
    messages: tuple[MessageId, ...] = ()


_ENCODER = json.Encoder()
_WRITTEN = json.Decoder(Written)


def write(conn: Connection, changes: Changes, now: datetime) -> Written:
    """Write one batch. Two statements at most: what ends, then everything else."""
    if changes.done or changes.cancelled:
        ended = {"done": _rows(changes.done), "cancelled": _rows(changes.cancelled)}
        conn.execute(_FINISH_ACTIONS, {**ended, "now": now})
    parts = tuple(name for name in _PARTS if getattr(changes, name))
    if not parts:
        return Written()
    rows = {name: _rows(getattr(changes, name)) for name in parts}
    return _WRITTEN.decode(conn.execute(_statement(parts), {**rows, "now": now}).scalar_one())


def _rows(rows: Sequence[Values]) -> str:
    """Rows as the one JSON parameter that a set-based part takes; ids and instants included."""
    return _ENCODER.encode(rows).decode()


@cache
def _statement(parts: tuple[str, ...]) -> TextClause:
    """These parts of `_PARTS` as one statement. They touch different rows, so that their order is nobody's business."""
    return text(f"""
        WITH {", ".join(f"{name} AS ({_PARTS[name]})" for name in parts)}
        SELECT CAST(json_build_object(
            'actions', {_ACTIONS_WRITTEN if "actions" in parts else "CAST('[]' AS json)"},
            'messages', {_MESSAGES_WRITTEN if "messages" in parts else "CAST('[]' AS json)"}) AS text)
    """)


_ACTIONS_WRITTEN: Final = """
    (SELECT coalesce(json_agg(json_build_object('id', id, 'due_at', due_at)), '[]') FROM actions)
"""
_MESSAGES_WRITTEN: Final = "(SELECT coalesce(json_agg(id), '[]') FROM messages)"


# A live action leaves for the archive in one statement, so that it is never in both and never in neither (I2).
_FINISH_ACTIONS: Final = text("""
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
""")

_WITHDRAW_MESSAGES: Final = f"""
    UPDATE outbound_messages m SET status = '{MessageStatus.SKIPPED}', reason = r.reason, finished_at = :now
    FROM jsonb_to_recordset(CAST(:withdrawn AS jsonb)) AS r(enrolment_id uuid, visit int, reason text)
    WHERE m.enrolment_id = r.enrolment_id AND m.visit <= r.visit AND m.status = '{MessageStatus.QUEUED}'
"""

# Due soon means handed to the queue right after the commit: written as enqueued, so that no second update is needed.
# If the hint is lost, the sweep finds the row overdue.
_INSERT_ACTIONS: Final = f"""
    INSERT INTO scheduled_actions (workspace_id, enrolment_id, campaign_id, node, visit, kind, event, due_at, closes_at,
                                   why, status, enqueued_at, created_at)
    SELECT workspace_id, enrolment_id, campaign_id, node, visit, kind, event, due_at, closes_at, why,
           CASE WHEN soon THEN '{ActionStatus.ENQUEUED}' ELSE '{ActionStatus.PENDING}' END,
           CASE WHEN soon THEN CAST(:now AS timestamptz) END, :now
    FROM jsonb_to_recordset(CAST(:actions AS jsonb))
        AS r(workspace_id uuid, enrolment_id uuid, campaign_id uuid, node text, visit int, kind text, event text,
             due_at timestamptz, closes_at timestamptz, why jsonb, soon boolean)
    ON CONFLICT (enrolment_id, node, visit, kind, event) DO NOTHING
    RETURNING id, due_at
"""

_INSERT_MESSAGES: Final = f"""
    INSERT INTO outbound_messages (id, workspace_id, enrolment_id, campaign_id, contact_id, sender_id, node, visit,
                                   channel, status, due_at, closes_at, queued_at, enqueued_at)
    SELECT r.id, e.workspace_id, e.id, e.campaign_id, e.contact_id, c.sender_id, r.node, r.visit, r.channel,
           '{MessageStatus.QUEUED}', CAST(:now AS timestamptz), r.closes_at, :now, :now
    FROM jsonb_to_recordset(CAST(:messages AS jsonb))
        AS r(id uuid, enrolment_id uuid, node text, visit int, channel text, closes_at timestamptz)
    JOIN contact_campaigns e ON e.id = r.enrolment_id
    JOIN campaigns c ON c.id = e.campaign_id
    ON CONFLICT (enrolment_id, node, visit) DO NOTHING
    RETURNING id
"""

# Their ids were taken from the sequence before anything was decided: the audit rows of the same batch name them.
_INSERT_EVENTS: Final = """
    INSERT INTO message_events (id, workspace_id, message_id, provider, provider_event_id, kind, grade, grade_reasons,
                                hard, occurred_at, received_at, verdict, payload)
    OVERRIDING SYSTEM VALUE
    SELECT id, workspace_id, message_id, provider, provider_event_id, kind, grade, grade_reasons, hard, occurred_at,
           CAST(:now AS timestamptz), verdict, payload
    FROM jsonb_to_recordset(CAST(:events AS jsonb))
        AS r(id bigint, workspace_id uuid, message_id uuid, provider text, provider_event_id text, kind text,
             grade text, grade_reasons jsonb, hard boolean, occurred_at timestamptz, verdict text, payload jsonb)
"""

_INSERT_MOVES: Final = """
    INSERT INTO campaign_transitions (workspace_id, enrolment_id, campaign_id, seq, from_node, from_visit, to_node,
                                      to_visit, to_status, cause, rule, event_id, at)
    SELECT workspace_id, enrolment_id, campaign_id, seq, from_node, from_visit, to_node, to_visit, to_status, cause,
           rule, event_id, at
    FROM jsonb_to_recordset(CAST(:moves AS jsonb))
        AS r(workspace_id uuid, enrolment_id uuid, campaign_id uuid, seq int, from_node text, from_visit int,
             to_node text, to_visit int, to_status text, cause text, rule text, event_id bigint, at timestamptz)
    ORDER BY enrolment_id, seq
"""

# The lock makes the guard true; it stays as a tripwire: zero rows would mean that somebody wrote without the lock.
_UPDATE_ENROLMENTS: Final = """
    UPDATE contact_campaigns e
    SET status = r.status, current_node = r.node, visit = r.visit, entered_at = r.entered_at, anchor_at = r.anchor_at,
        seq = r.seq, reason = r.reason, last_message_id = r.message_id, plan_id = coalesce(r.plan_id, e.plan_id),
        finished_at = CASE WHEN r.ended THEN CAST(:now AS timestamptz) END
    FROM jsonb_to_recordset(CAST(:enrolments AS jsonb))
        AS r(id uuid, status text, node text, visit int, entered_at timestamptz, anchor_at timestamptz, seq int,
             old_seq int, reason text, message_id uuid, plan_id uuid, ended boolean)
    WHERE e.id = r.id AND e.seq = r.old_seq
"""

_SUPPRESS: Final = """
    INSERT INTO suppressions (id, workspace_id, channel, address, reason, source, created_at)
    SELECT DISTINCT ON (k.workspace_id, lower(k.email))
           r.id, k.workspace_id, 'email', lower(k.email), r.reason, 'signal', CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:suppressed AS jsonb)) AS r(id uuid, enrolment_id uuid, reason text)
    JOIN contact_campaigns e ON e.id = r.enrolment_id
    JOIN contacts k ON k.id = e.contact_id
    WHERE k.email IS NOT NULL
    ON CONFLICT (workspace_id, channel, address) DO NOTHING
"""

_PARTS: Final[Mapping[str, str]] = {
    "withdrawn": _WITHDRAW_MESSAGES,
    "actions": _INSERT_ACTIONS,
    "messages": _INSERT_MESSAGES,
    "events": _INSERT_EVENTS,
    "moves": _INSERT_MOVES,
    "enrolments": _UPDATE_ENROLMENTS,
    "suppressed": _SUPPRESS,
}
