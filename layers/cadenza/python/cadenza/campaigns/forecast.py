"""What happens to an enrolment if nobody does anything: `decide`, played ahead in time. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cadenza.core.ids import MessageId
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.engine.decide import decide
from cadenza.engine.model import CancelActions, Due, Effect, ScheduleAction, SendingRules, State
from cadenza.planning.compiled import CompiledPlan, Node


@dataclass(frozen=True, slots=True)
class Send:
    """The next send, if nobody does anything. ``after`` are the rules by which timers lead to it."""

    node: Node
    due_at: datetime
    closes_at: datetime | None
    why: tuple[str, ...]
    message_id: MessageId | None = None
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is no send ahead, and why."""

    reason: str


def forecast(
    plan: CompiledPlan, state: State, live: Sequence[ScheduleAction], rules: SendingRules, now: datetime
) -> Send | Nothing:
    """Let time pass and nothing happen, until a send is due. A plan's bound on visits bounds this too."""
    after: list[str] = []
    waiting = list(live)
    while waiting:
        action = min(waiting, key=_due_order)
        if action.kind is ActionKind.SEND:
            return Send(plan.nodes[action.node], action.due_at, action.closes_at, action.why, after=tuple(after))
        now = max(now, action.due_at)
        due = Due(action.kind, action.node, action.visit, action.event, action.due_at)
        decision = decide(plan, state, due, rules, now)
        state = decision.state
        after += (f"{move.rule} → {now:%Y-%m-%d %H:%M} UTC" for move in decision.moves if move.to_node)
        waiting.remove(action)
        waiting = _after(waiting, decision.effects)
    if state.status is EnrolmentStatus.ACTIVE:
        return Nothing("only an event can lead on from here")
    return Nothing(f"without an event it ends as {state.status} at {now:%Y-%m-%d %H:%M} UTC: {state.reason}")


def _after(waiting: list[ScheduleAction], effects: Sequence[Effect]) -> list[ScheduleAction]:
    for effect in effects:
        match effect:
            case CancelActions():
                waiting = [action for action in waiting if action.visit > effect.visit]
            case ScheduleAction():
                waiting.append(effect)
            case _:
                pass
    return waiting


def _due_order(action: ScheduleAction) -> datetime:
    return action.due_at
