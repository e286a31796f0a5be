"""What came of a message: provider signals are recorded once, settle the outbox, and move the enrolment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final

from msgspec.json import Decoder, encode
from sqlalchemy import Connection, text

from cadenza.contacts.holds import hold_locked
from cadenza.contacts.model import GONE
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import EnrolmentId, EventId, MessageId
from cadenza.core.log import get_logger
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import MESSAGE_MOVES, MessageStatus, sources
from cadenza.delivery import bounces, reactions
from cadenza.delivery.grading import judge
from cadenza.delivery.heard import HANDED_OVER, Message, Messages, lock_messages
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
        self._engine.finish(follow_up, signals[0].correlation_id if signals else "")
        guard(self._database, signals, now)


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
    fresh = _new_events(conn, known)
    proofs = _proofs(messages, known)
    _mark(conn, proofs, [signal for _, signal in fresh], now)
    stimuli = [_settling(messages[message_id], proof) for message_id, proof in proofs.items()]
    new = judge(conn, messages, fresh)
    others = reactions.others(conn, messages, new)
    # All that anything here may touch, at once and in id order.
    enrolments = store.lock(conn, {message.enrolment_id for message in messages.values()} | others.ids, now)
    escalated = bounces.escalated(conn, messages, new)
    # What occurred first is decided first, whatever arrived first.
    for event_id, signal in sorted(new, key=lambda pair: (pair[1].occurred_at, pair[0])):
        if signal.kind is SignalKind.SENT:
            continue  # it has settled the message, and says nothing more
        message = messages[signal.message_id]
        stimulus = _stimulus(event_id, signal, message, escalated.get(event_id, ""))
        stimuli.append((message.enrolment_id, stimulus))
        stimuli += others.halts(message, stimulus, now)
    hold_locked(conn, reactions.absences(conn, messages, new, enrolments, now), now)
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


def _proofs(messages: Messages, signals: Sequence[SignalReported]) -> dict[MessageId, SignalReported]:
    """Of messages whose call nobody saw end: the event that settles it. Any but a failure proves that it was taken."""
    proofs: dict[MessageId, SignalReported] = {}
    for signal in signals:
        if messages[signal.message_id].handed_over:
            best = proofs.get(signal.message_id)
            if best is None or _strength(signal) < _strength(best):
                proofs[signal.message_id] = signal
    return proofs


def _settling(message: Message, proof: SignalReported) -> tuple[EnrolmentId, Stimulus]:
    """What the end of its message's call means to the enrolment."""
    stay = message.node, message.visit, proof.occurred_at
    if proof.kind is SignalKind.FAILED:
        return message.enrolment_id, NotSent(*stay, SendOutcome.REJECTED, "the provider reported a failure")
    return message.enrolment_id, Sent(*stay)


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
    found = _PLACES.decode(conn.execute(_NEW_EVENTS, {"keys": encode(keys).decode()}).scalar_one())
    by_place = list(unique.values())
    return [(event_id, by_place[place - 1]) for place, event_id in found]


_PLACES: Final = Decoder(list[tuple[int, EventId]])
_NEW_EVENTS = text("""
    SELECT CAST(coalesce(json_agg(json_build_array(k.place, nextval('message_events_id_seq')) ORDER BY k.place), '[]')
                AS text)
    FROM jsonb_array_elements(CAST(:keys AS jsonb)) WITH ORDINALITY AS k(key, place)
    WHERE NOT EXISTS (SELECT FROM message_events v
                      WHERE v.provider = k.key ->> 0 AND v.provider_event_id = k.key ->> 1)
""")


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


def _mark(
    conn: Connection, proofs: Mapping[MessageId, SignalReported], new: Sequence[SignalReported], now: datetime
) -> None:
    """Settle the messages that have a proof, and raise each to the gravest thing said of it; never back (I10).

    Zero rows moved of a message: what is said of it is known, or graver things are.
    """
    gravest: dict[MessageId, MessageStatus] = {
        message_id: MessageStatus.FAILED if proof.kind is SignalKind.FAILED else MessageStatus.SENT
        for message_id, proof in proofs.items()
    }
    for signal in new:
        status = SEVERITY.get(signal.kind)
        if status is not None and RANK[status] > RANK[gravest.get(signal.message_id, MessageStatus.SENT)]:
            gravest[signal.message_id] = status
    rows = [
        {
            "id": message_id,
            "status": status,
            "proved": message_id in proofs,
            "sent_at": proofs[message_id].occurred_at
            if message_id in proofs and status is not MessageStatus.FAILED
            else None,
            "sources": sources(MESSAGE_MOVES, status),
        }
        for message_id, status in gravest.items()
    ]
    if rows:
        conn.execute(_MARK, {"rows": encode(rows).decode(), "now": now})


# A proof may make two moves at once: sent, and what came after. The guard of each row is that of its first.
_MARK = text(f"""
    UPDATE outbound_messages m
    SET status = r.status, finished_at = :now,
        sent_at = CASE WHEN r.proved THEN r.sent_at ELSE m.sent_at END,
        claimed_at = CASE WHEN r.proved AND r.sent_at IS NULL THEN NULL ELSE m.claimed_at END,
        lease_until = CASE WHEN r.proved THEN NULL ELSE m.lease_until END,
        reason = CASE WHEN r.proved THEN 'settled by a provider event' ELSE m.reason END
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id uuid, status text, proved boolean, sent_at timestamptz, sources text[])
    WHERE m.id = r.id AND CASE WHEN r.proved THEN {HANDED_OVER} ELSE m.status = ANY(r.sources) END
""")
