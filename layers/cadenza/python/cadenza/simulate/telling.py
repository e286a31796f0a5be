"""From decisions to the lines of a timeline."""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

from pydantic import JsonValue

from cadenza.core.states import ActionKind
from cadenza.engine.model import Due, Enrol, Halt, Move, NotSent, ScheduleAction, Sent, Signal, Suppress, Verdict
from cadenza.planning.compiled import END, CompiledPlan
from cadenza.simulate.model import Entry, EntryKind, rfc3339
from cadenza.simulate.world import Step

_IGNORED: dict[Verdict, str] = {
    Verdict.STALE: "it is about the message of a node that has been left",
    Verdict.LATE: "its time had passed: it is outside of every transition on it",
    Verdict.MACHINE: "no person is behind it",
    Verdict.ENDED: "the enrolment had ended",
}


def tell_of(plan: CompiledPlan, step: Step) -> Iterator[Entry]:
    """What happened, then where it led, then what is due since then."""
    yield from _occurrence(plan, step)
    for move in step.decision.moves:
        yield from _move(plan, step, move)
    for action in step.started:
        yield Entry(step.at, action.node, EntryKind.SCHEDULED, _scheduled(action))


def _occurrence(plan: CompiledPlan, step: Step) -> Iterator[Entry]:
    match step.stimulus:
        case Signal() as signal:
            yield from _signal(step, signal)
        case Sent() as sent:
            node = plan.nodes[sent.node]
            detail: dict[str, JsonValue] = {"visit": sent.visit, "channel": node.channel}
            yield Entry(
                step.at, sent.node, EntryKind.SENT, detail | ({"subject": node.subject} if node.subject else {})
            )
        case Due() as due if due.kind is ActionKind.TIMEOUT:
            yield Entry(step.at, due.node, EntryKind.TIMEOUT, {"event": due.event, "visit": due.visit})
        case Enrol() | Due() | NotSent() | Halt():
            pass
        case _:
            assert_never(step.stimulus)


def _signal(step: Step, signal: Signal) -> Iterator[Entry]:
    verdict = step.decision.verdict
    about: dict[str, JsonValue] = {"entry": signal.event_id - 1, "on": signal.kind, "visit": signal.visit}
    heard: dict[str, JsonValue] = {**about, "grade": signal.grade, "verdict": verdict}
    if signal.hard is not None:
        heard["hard"] = signal.hard
    for effect in step.decision.effects:
        if isinstance(effect, Suppress):
            heard["suppressed"] = effect.reason
    yield Entry(step.at, signal.node, EntryKind.SIGNAL, heard)
    if verdict in _IGNORED:
        yield Entry(step.at, signal.node, EntryKind.IGNORED, {**about, "reason": _IGNORED[verdict]})


def _move(plan: CompiledPlan, step: Step, move: Move) -> Iterator[Entry]:
    cause: dict[str, JsonValue] = {"cause": move.cause, "rule": move.rule}
    if move.from_node and (move.to_node or _by_plan(plan, move)):
        yield Entry(step.at, move.from_node, EntryKind.TRANSITION, {"to": move.to_node or "stop", **cause})
    if move.to_node:
        node = plan.nodes[move.to_node]
        entered: dict[str, JsonValue] = {"visit": move.to_visit, "action": node.action}
        yield Entry(step.at, move.to_node, EntryKind.ENTERED, entered)
    else:
        detail: dict[str, JsonValue] = {"status": move.to_status, "reason": step.decision.state.reason, **cause}
        yield Entry(step.at, move.from_node, EntryKind.STOPPED, detail)


def _by_plan(plan: CompiledPlan, move: Move) -> bool:
    """Whether the plan itself leads to its end, with a transition to "stop" where it has no such node."""
    ways = plan.nodes[move.from_node].transitions
    return any(way.to == END and way.rule == move.rule for way in ways)


def _scheduled(action: ScheduleAction) -> dict[str, JsonValue]:
    detail: dict[str, JsonValue] = {"action": action.kind, "due_at": rfc3339(action.due_at), "why": list(action.why)}
    if action.event:
        detail["event"] = action.event
    if action.closes_at is not None:
        detail["closes_at"] = rfc3339(action.closes_at)
    return detail
