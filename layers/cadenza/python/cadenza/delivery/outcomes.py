"""What came of a message: provider signals are recorded once, settle the outbox, and move the enrolment."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, text

from cadenza.contacts.holds import hold
from cadenza.contacts.model import GONE
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import EnrolmentId, EventId, MessageId
from cadenza.core.log import get_logger
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import MESSAGE_MOVES, MessageStatus, sources
from cadenza.delivery import bounces, reactions
from cadenza.delivery.grading import judge
from cadenza.delivery.heard import HANDED_OVER, Message, lock_messages
from cadenza.delivery.reputation import guard
from cadenza.engine import store
from cadenza.engine.apply import FollowUp, apply_locked
from cadenza.engine.model import NotSent, SendOutcome, Sent, Signal, Stimulus
from cadenza.engine.service import Engine

SEVERITY: Mapping[SignalKind, MessageStatus] = {
    SignalKind.DELIVERED: MessageStatus.DELIVERED,
    SignalKind.OPENED: MessageStatus.DELIVERED,
    SignalKind.CLICKED: MessageStatus.DELIVERED,
    SignalKind.REPLIED: MessageStatus.DELIVERED,
    SignalKind.UNSUBSCRIBED: MessageStatus.DELIVERED,
    SignalKind.BOUNCED: MessageStatus.BOUNCED,
    SignalKind.COMPLAINED: MessageStatus.COMPLAINED,
}
"""What a signal says of its message at least: nobody opens what did not arrive."""

RANK = {status: rank for rank, status in enumerate(MESSAGE_MOVES)}


class SignalIntake:
    """What the execute function does with a batch of engagement-events."""

    def __init__(self, database: Database, engine: Engine, clock: Clock) -> None:
        """``clock`` is read once a batch."""
        self._database = database
        self._engine = engine
        self._clock = clock

    def take(self, signals: Sequence[SignalReported]) -> None:
        """Record the signals and let them act. Repeats, in any order and number, change nothing (I6)."""
        now = self._clock()
        with self._database.worker() as conn:
            follow_up = record(conn, signals, now)
        guard(self._database, signals, now)
        self._engine.finish(follow_up, signals[0].correlation_id if signals else "")


def record(conn: Connection, signals: Sequence[SignalReported], now: datetime) -> FollowUp:
    """Record a batch in one transaction and a constant number of statements.

    A signal about no message of ours is logged and left: there is nothing that it could change. What a signal means for
    its person's other enrolments, and for their colleagues', follows here too (`cadenza.delivery.reactions`).
    """
    messages = lock_messages(conn, {signal.message_id for signal in signals})
    known = [signal for signal in signals if signal.message_id in messages]
    if len(known) < len(signals):
        get_logger().warning("signal.unmatched", count=len(signals) - len(known))
    if not known:
        return FollowUp()
    stimuli = _settle(conn, messages, known, now)
    new = judge(conn, messages, _new_events(conn, known))
    others = reactions.others(conn, messages, new)
    # All that anything here may touch, at once and in id order.
    enrolments = store.lock(conn, {message.enrolment_id for message in messages.values()} | others.ids, now)
    escalated = bounces.escalated(conn, messages, new)
    _raise_status(conn, [signal for _, signal in new], now)
    # What occurred first is decided first, whatever arrived first.
    for event_id, signal in sorted(new, key=lambda pair: (pair[1].occurred_at, pair[0])):
        if signal.kind is SignalKind.SENT:
            continue  # it has settled the message, and says nothing more
        message = messages[signal.message_id]
        stimulus = _stimulus(event_id, signal, message, escalated.get(event_id, ""))
        stimuli.append((message.enrolment_id, stimulus))
        stimuli += others.halts(message, stimulus, now)
    hold(conn, reactions.absences(conn, messages, new, enrolments, now), now)
    rows = {event_id: _row(signal, messages[signal.message_id], event_id in escalated) for event_id, signal in new}
    return apply_locked(conn, enrolments, stimuli, now, rows)


def _stimulus(event_id: EventId, signal: SignalReported, message: Message, escalated: str) -> Signal:
    """``escalated`` says why a soft bounce acts as a hard one; "" if it does not."""
    return Signal(
        event_id,
        signal.kind,
        message.node,
        message.visit,
        signal.occurred_at,
        signal.grade,
        True if escalated else signal.hard,
        escalated,
    )


def _settle(
    conn: Connection, messages: dict[MessageId, Message], signals: Sequence[SignalReported], now: datetime
) -> list[tuple[EnrolmentId, Stimulus]]:
    """Messages whose call nobody saw end: any event but a failure proves that the provider took them."""
    proofs: dict[MessageId, SignalReported] = {}
    for signal in signals:
        if not messages[signal.message_id].handed_over:
            continue
        best = proofs.get(signal.message_id)
        if best is None or _strength(signal) < _strength(best):
            proofs[signal.message_id] = signal
    if not proofs:
        return []
    stimuli: list[tuple[EnrolmentId, Stimulus]] = []
    rows: list[dict[str, str]] = []
    for message_id, signal in proofs.items():
        message = messages[message_id]
        if signal.kind is SignalKind.FAILED:
            status = MessageStatus.FAILED
            reason = "the provider reported a failure"
            stimulus = NotSent(message.node, message.visit, signal.occurred_at, SendOutcome.REJECTED, reason)
        else:
            status = MessageStatus.SENT
            stimulus = Sent(message.node, message.visit, signal.occurred_at)
        stimuli.append((message.enrolment_id, stimulus))
        rows.append({"id": str(message_id), "status": status, "at": signal.occurred_at.isoformat()})
        messages[message_id] = replace(message, status=status, handed_over=False)
    conn.execute(
        text(f"""
            UPDATE outbound_messages m
            SET status = r.status, sent_at = CASE WHEN r.status = '{MessageStatus.SENT}' THEN r.at END,
                claimed_at = CASE WHEN r.status = '{MessageStatus.SENT}' THEN m.claimed_at END,
                finished_at = :now, lease_until = NULL, reason = 'settled by a provider event'
            FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, status text, at timestamptz)
            WHERE m.id = r.id AND {HANDED_OVER}
        """),
        {"rows": json.dumps(rows), "now": now},
    )
    return stimuli


def _strength(signal: SignalReported) -> tuple[bool, datetime]:
    """Proof of sending before proof of failure, then the earliest."""
    return signal.kind is SignalKind.FAILED, signal.occurred_at


def _new_events(conn: Connection, signals: Sequence[SignalReported]) -> list[tuple[EventId, SignalReported]]:
    """Those that are not recorded yet, with the ids that they will have.

    Their messages are locked, so that nobody else can be recording the same ones: what is new here is new for good.
    """
    unique: dict[tuple[str, str], SignalReported] = {}
    for signal in signals:
        unique.setdefault((signal.provider, signal.provider_event_id), signal)
    keys = [[provider, event_id] for provider, event_id in unique]
    found = conn.execute(
        text("""
            SELECT k.place - 1 AS place, nextval('message_events_id_seq') AS id
            FROM jsonb_array_elements(CAST(:keys AS jsonb)) WITH ORDINALITY AS k(key, place)
            WHERE NOT EXISTS (SELECT FROM message_events v
                              WHERE v.provider = k.key ->> 0 AND v.provider_event_id = k.key ->> 1)
            ORDER BY k.place
        """),
        {"keys": json.dumps(keys)},
    )
    by_place = list(unique.values())
    return [(EventId(row.id), by_place[row.place]) for row in found]


def _row(signal: SignalReported, message: Message, escalated: bool) -> dict[str, object]:
    """The row of ``message_events``, but for its id and verdict. ``hard`` stays as it was reported."""
    reasons = (*signal.grade_reasons, bounces.ESCALATED) if escalated else signal.grade_reasons
    return {
        "workspace_id": message.workspace_id,
        "message_id": message.id,
        "provider": signal.provider,
        "provider_event_id": signal.provider_event_id,
        "kind": signal.kind,
        "grade": signal.grade,
        "grade_reasons": reasons,
        "hard": signal.hard,
        "occurred_at": signal.occurred_at,
        "payload": {} if message.to_address == GONE else signal.payload,
    }


def _raise_status(conn: Connection, signals: Sequence[SignalReported], now: datetime) -> None:
    """Raise each message to the gravest thing said of it; never back (I10)."""
    gravest: dict[MessageId, MessageStatus] = {}
    for signal in signals:
        status = SEVERITY.get(signal.kind)
        if status is not None and RANK[status] > RANK[gravest.get(signal.message_id, MessageStatus.SENT)]:
            gravest[signal.message_id] = status
    if not gravest:
        return
    rows = [
        {"id": str(message_id), "status": status, "sources": list(sources(MESSAGE_MOVES, status))}
        for message_id, status in gravest.items()
    ]
    conn.execute(
        text("""
            UPDATE outbound_messages m SET status = r.status, finished_at = :now
            FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, status text, sources text[])
            WHERE m.id = r.id AND m.status = ANY(r.sources)
        """),
        {"rows": json.dumps(rows), "now": now},
    )
