"""What came of a message: provider signals are recorded once, settle the outbox, and move the enrolment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from msgspec.json import encode
from sqlalchemy import Connection, text

from cadenza.contacts.holds import hold_locked
from cadenza.contacts.model import GONE
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import EnrolmentId, MessageId
from cadenza.core.log import get_logger
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import MESSAGE_MOVES, MESSAGE_OPEN, MessageStatus, sources
from cadenza.delivery import bounces, reactions
from cadenza.delivery.grading import judge
from cadenza.delivery.heard import HANDED_OVER, Heard, Message, Messages, listen
from cadenza.delivery.reputation import guard
from cadenza.engine import store
from cadenza.engine.apply import FollowUp, apply_locked
from cadenza.engine.model import LastMessage, NotSent, SendOutcome, Sent, Signal, Stimulus
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
    messages, fresh = listen(conn, signals)
    known = [signal for signal in signals if signal.message_id in messages]
    if len(known) < len(signals):
        get_logger().warning("signal.unmatched", count=len(signals) - len(known))
    if not known:
        return FollowUp()
    proofs = _proofs(messages, known)
    _mark(conn, proofs, fresh, now)
    new = judge(conn, fresh)
    far = [one for one in new if one.signal.kind in reactions.REACHES_FURTHER]
    others = reactions.others(conn, far)
    # All that anything here may touch, at once and in id order.
    ids = others.ids | {message.enrolment_id for message in messages.values()}
    last = {message.id: _last(message, proofs.get(message.id)) for message in messages.values()}
    enrolments = store.lock(conn, ids, now, last)
    escalated = bounces.escalated(conn, far)
    stimuli = [_settling(messages[message_id], proof) for message_id, proof in proofs.items()]
    # What occurred first is decided first, whatever arrived first.
    for one in sorted(new, key=lambda one: (one.signal.occurred_at, one.event_id)):
        if one.signal.kind is SignalKind.SENT:
            continue  # it has settled the message, and says nothing more
        stimulus = _stimulus(one, escalated.get(one.event_id, ""))
        stimuli.append((one.message.enrolment_id, stimulus))
        if one.signal.kind in reactions.REACHES_FURTHER:
            stimuli += others.halts(one.message, stimulus, now)
    hold_locked(conn, reactions.absences(conn, far, enrolments, now), now)
    rows = {one.event_id: _row(one, one.event_id in escalated) for one in new}
    return apply_locked(conn, enrolments, stimuli, now, rows)


def _stimulus(one: Heard, escalated: str) -> Signal:
    """``escalated`` says why a soft bounce acts as a hard one; "" if it does not."""
    signal, message = one.signal, one.message
    return Signal(
        one.event_id,
        signal.kind,
        message.node,
        message.visit,
        signal.occurred_at,
        signal.grade,
        True if escalated else signal.hard,
        escalated,
    )


def _last(message: Message, proof: SignalReported | None) -> LastMessage:
    """A locked message as the engine knows it, once its proof has settled it."""
    sent_at, final = message.sent_at, message.status not in MESSAGE_OPEN
    if proof is not None:
        sent_at, final = None if proof.kind is SignalKind.FAILED else proof.occurred_at, True
    return LastMessage(message.id, message.node, message.visit, sent_at, final, message.events)


def _proofs(messages: Messages, signals: Sequence[SignalReported]) -> dict[MessageId, SignalReported]:
    """Of messages whose call nobody saw end: the event that settles it. Any but a failure proves that it was taken."""
    proofs: dict[MessageId, SignalReported] = {}
    if not any(message.handed_over for message in messages.values()):
        return proofs  # mostly so
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


def _row(one: Heard, escalated: bool) -> dict[str, object]:
    """The row of ``message_events``, but for its id and verdict. ``hard`` stays as it was reported."""
    signal, message = one.signal, one.message
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


def _mark(conn: Connection, proofs: Mapping[MessageId, SignalReported], new: Sequence[Heard], now: datetime) -> None:
    """Settle the messages that have a proof, and raise each to the gravest thing said of it; never back (I10).

    Zero rows moved of a message: what is said of it is known, or graver things are.
    """
    gravest: dict[MessageId, MessageStatus] = {
        message_id: MessageStatus.FAILED if proof.kind is SignalKind.FAILED else MessageStatus.SENT
        for message_id, proof in proofs.items()
    }
    for one in new:
        status = SEVERITY.get(one.signal.kind)
        if status is not None and RANK[status] > RANK[gravest.get(one.message.id, MessageStatus.SENT)]:
            gravest[one.message.id] = status
    rows = [_marked(message_id, status, proofs.get(message_id)) for message_id, status in gravest.items()]
    if rows:
        conn.execute(_MARK, {"rows": encode(rows).decode(), "now": now})


def _marked(message_id: MessageId, status: MessageStatus, proof: SignalReported | None) -> dict[str, object]:
    return {
        "id": message_id,
        "status": status,
        "proved": proof is not None,
        "sent_at": proof.occurred_at if proof is not None and status is not MessageStatus.FAILED else None,
        "sources": sources(MESSAGE_MOVES, status),
    }


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
