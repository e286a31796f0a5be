"""The state machine: what follows when something happens to an enrolment. Pure; section 4 of the design in code.

``occurred_at`` decides, never the order in which things are heard of. So a signal that is heard before a timeout that
should have fired earlier fires that timeout first, and whichever of two due timeouts is heard of first, the earlier one
fires. What cannot be made good is a signal heard of after the enrolment has gone on: it is recorded, nothing rewinds.

What a decision promises to whoever applies it: at most one `CancelActions`, which comes before everything that is
started; everything that is started belongs to the visit the enrolment ends up in. Starting is idempotent by
(node, visit, kind, event): the same action may be asked for again when a timeout is delivered twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final, assert_never

from cadenza.core.ids import EventId
from cadenza.core.messages import SignalKind
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.engine.matching import by_person, listens_for, stop_reason, suppresses
from cadenza.engine.model import (
    Decision,
    Due,
    Effect,
    Enrol,
    Halt,
    Move,
    NotSent,
    QueueMessage,
    SeenEvent,
    SendingRules,
    SendOutcome,
    Sent,
    Signal,
    State,
    Stimulus,
    Suppress,
    Synthetic,
    Verdict,
)
from cadenza.engine.schedule import next_slot
from cadenza.engine.walk import Cause, Walk
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.model import NodeAction

STALE: Final = "stale"
"""Why a send is dropped that came due during a pause of its campaign."""


def decide(plan: CompiledPlan, state: State, stimulus: Stimulus, rules: SendingRules, now: datetime) -> Decision:
    """What follows from ``stimulus``. ``state.node``, once entered, is a node of ``plan``."""
    match state.status:
        case EnrolmentStatus.ACTIVE:
            return _answer(Walk(plan, state, rules, now), stimulus)
        case EnrolmentStatus.DRAFT:
            if isinstance(stimulus, Halt) or (isinstance(stimulus, Enrol) and state.approved):
                return _answer(Walk(plan, state, rules, now), stimulus)
            return Decision(Verdict.STALE, state, effects=_suppressions(stimulus))
        case EnrolmentStatus.COMPLETED | EnrolmentStatus.STOPPED | EnrolmentStatus.FAILED:
            return Decision(Verdict.ENDED, state, effects=_suppressions(stimulus))
        case _:
            assert_never(state.status)


def replay(moves: Iterable[Move]) -> tuple[str, EnrolmentStatus]:
    """The node and status that the audit rows lead to (invariant I5). An ended enrolment stays in its last node.

    Raises:
        ValueError: A row is missing, doubled or does not begin where the one before ended.
    """
    node, status = "", EnrolmentStatus.DRAFT
    for count, move in enumerate(moves, start=1):
        if move.seq != count or move.from_node != node:
            raise ValueError(f"audit row {move.seq} is not the {count}th, which begins at {node!r}")
        node, status = move.to_node or node, move.to_status
    return node, status


def _suppressions(stimulus: Stimulus) -> tuple[Effect, ...]:
    """Consent does not depend on where an enrolment stands: whatever stops one, but for a reply, suppresses."""
    if isinstance(stimulus, Signal) and suppresses(stimulus.kind, stimulus.hard):
        return (Suppress(_why_stopped(stimulus)),)
    return ()


def _why_stopped(signal: Signal) -> str:
    """Why the signal stops an enrolment from any node; "" if it does not."""
    reason = stop_reason(signal.kind, signal.hard)
    return (signal.because or reason) if reason else ""


def _answer(walk: Walk, stimulus: Stimulus) -> Decision:
    match stimulus:
        case Enrol():
            verdict = _enrol(walk)
        case Due():
            verdict = _due(walk, stimulus)
        case Sent():
            verdict = _sent(walk, stimulus)
        case NotSent():
            verdict = _not_sent(walk, stimulus)
        case Signal():
            verdict = _signal(walk, stimulus)
        case Halt():
            cause = Cause(stimulus.cause, "engine: halted", stimulus.event_id)
            walk.end(EnrolmentStatus.STOPPED, stimulus.reason, cause)
            verdict = Verdict.MOVED
        case _:
            assert_never(stimulus)
    return walk.decision(verdict, _suppressions(stimulus))


def _enrol(walk: Walk) -> Verdict:
    if not walk.visit:
        walk.go(walk.plan.start, Cause("enrolled", "engine: enrolled"))
    return Verdict.RECORDED


def _due(walk: Walk, due: Due) -> Verdict:
    if not walk.is_at(due.node, due.visit):
        return Verdict.STALE
    match due.kind:
        case ActionKind.SEND if _is_stale(walk, due):
            return _not_sent(walk, NotSent(due.node, due.visit, walk.now, SendOutcome.SKIPPED, STALE))
        case ActionKind.SEND:
            _send(walk, due)
        case ActionKind.TIMEOUT if due.event == Synthetic.EXPIRED:
            walk.expire()
        case ActionKind.TIMEOUT:
            walk.time_out(due.event, due.due_at)
        case _:
            assert_never(due.kind)
    return Verdict.RECORDED


def _is_stale(walk: Walk, due: Due) -> bool:
    return walk.rules.skip_due_before is not None and due.due_at < walk.rules.skip_due_before


def _send(walk: Walk, due: Due) -> None:
    """Queue the message, or, when the queue was late and a window has closed, put the send off to the next slot."""
    if walk.own_message is not None or walk.anchor_at is not None or walk.node.action is not NodeAction.SEND:
        return
    instant = max(walk.now, due.due_at)
    slot = next_slot(walk.plan, walk.node, walk.rules, instant)
    if slot is not None and slot.at == instant:
        walk.started.append(QueueMessage(due.node, due.visit, slot.closes_at))
    else:
        walk.schedule_send(slot)


def _sent(walk: Walk, sent: Sent) -> Verdict:
    walk.note_sent(sent)
    if not walk.is_at(sent.node, sent.visit):
        return Verdict.STALE
    if walk.anchor_at is None:
        walk.anchor_at = sent.at
        if walk.node.signals or walk.node.timers:
            walk.wait(sent.at)
        else:
            cause = Cause("sent", "engine: the last message is sent")
            walk.end(EnrolmentStatus.COMPLETED, f"node {sent.node} has no transitions", cause)
    return Verdict.RECORDED


def _not_sent(walk: Walk, lost: NotSent) -> Verdict:
    if not walk.is_at(lost.node, lost.visit):
        return Verdict.STALE
    if walk.anchor_at is not None:
        return Verdict.RECORDED
    way = walk.way_out(SeenEvent(EventId(0), SignalKind.FAILED, lost.at))
    if way is not None:
        walk.go(way.to, Cause(lost.outcome, way.rule), unsent=False)
        return Verdict.MOVED
    match lost.outcome:
        case SendOutcome.SKIPPED:
            status, reason = EnrolmentStatus.STOPPED, lost.reason
        case SendOutcome.REJECTED:
            status, reason = EnrolmentStatus.FAILED, lost.reason
        case SendOutcome.UNKNOWN:
            status, reason = EnrolmentStatus.FAILED, "unknown"
        case _:
            assert_never(lost.outcome)
    walk.end(status, reason, Cause(lost.outcome, f"engine: message {lost.outcome}"), unsent=False)
    return Verdict.MOVED


def _signal(walk: Walk, signal: Signal) -> Verdict:
    event = SeenEvent(signal.event_id, signal.kind, signal.occurred_at, signal.grade, signal.hard)
    latest = walk.message
    if latest is not None and (signal.node, signal.visit) == (latest.node, latest.visit):
        here = walk.heard is latest
        if not walk.note(event):
            return Verdict.RECORDED
    else:
        here = walk.is_at(signal.node, signal.visit)
    if not by_person(signal.kind, signal.grade):
        return Verdict.MACHINE
    reason = _why_stopped(signal)
    if not here and not reason:
        late = walk.entered_at is not None and signal.occurred_at < walk.entered_at
        return Verdict.LATE if late else Verdict.STALE
    way = walk.way_out(event)
    if walk.fire_overdue(signal.occurred_at, way):
        # Where the timeout led to, the event was already met on entry; only what stops from any node is left to do.
        if walk.status is not EnrolmentStatus.ACTIVE or not reason or walk.has_spent(event):
            return Verdict.MOVED
        way = walk.way_out(event)
    if way is not None and not walk.passes_suppression(way, event, walk.plan.nodes.get(signal.node)):
        walk.follow(way, event)
    elif reason:
        cause = Cause(signal.kind, f"engine: stop on {reason}", signal.event_id)
        walk.end(EnrolmentStatus.STOPPED, reason, cause)
    elif listens_for(walk.node, event):
        return Verdict.LATE
    return Verdict.RECORDED
