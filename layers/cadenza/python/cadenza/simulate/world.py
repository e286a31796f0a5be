"""One enrolment on a virtual clock: the state machine's decisions, applied to memory instead of to Postgres.

Worlds are values: what happens to one gives the next. So every branch of a plan can be followed from the same point.
Every message is taken to be sent the moment its action is due, which is a moment that all windows allow.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from msgspec import Struct
from msgspec.structs import replace

from cadenza.core.errors import InvalidInput
from cadenza.core.ids import MessageId
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.engine.decide import decide
from cadenza.engine.model import (
    CancelActions,
    Decision,
    Due,
    LastMessage,
    QueueMessage,
    ScheduleAction,
    SendingRules,
    Sent,
    State,
    Stimulus,
    Suppress,
    WithdrawMessage,
)
from cadenza.planning.compiled import CompiledPlan

DRAFT = State(EnrolmentStatus.DRAFT)


@contextmanager
def within_calendar() -> Generator[None]:
    """Time arithmetic that a plan asks for.

    Raises:
        InvalidInput: It leads past the year 9999, where Python's calendar ends.
    """
    try:
        yield
    except (OverflowError, ValueError) as error:  # both are how it says so
        raise InvalidInput(f"the plan leads out of the calendar: {error}") from error


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened at ``at``, what was decided, and the actions that are live since then."""

    at: datetime
    stimulus: Stimulus
    decision: Decision
    started: tuple[ScheduleAction, ...]


class World(Struct, frozen=True, gc=False):
    """An enrolment at the instant ``now``. ``sends`` are its messages so far, in order."""

    plan: CompiledPlan
    rules: SendingRules
    now: datetime
    state: State = DRAFT
    live: tuple[ScheduleAction, ...] = ()
    sends: tuple[Sent, ...] = ()

    @property
    def ended(self) -> bool:
        """Whether the enrolment has ended."""
        return self.state.status not in (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)

    @property
    def next_action(self) -> ScheduleAction | None:
        """The live action that is due first."""
        return min(self.live, key=_due_order, default=None)

    def at(self, instant: datetime) -> World:
        """The same world at a later instant; nothing has happened meanwhile."""
        return replace(self, now=max(self.now, instant))

    def tell(self, stimulus: Stimulus) -> tuple[World, tuple[Step, ...]]:
        """Decide and apply. A message that is queued is sent at once, which is the second step.

        Raises:
            InvalidInput: The plan leads out of the calendar.
        """
        with within_calendar():
            decision = decide(self.plan, self.state, stimulus, self.rules, self.now)
        world, started, queued = self._apply(decision)
        step = Step(self.now, stimulus, decision, started)
        if queued is None:
            return world, (step,)
        sent = Sent(queued.node, queued.visit, self.now)
        world, steps = replace(world, sends=(*world.sends, sent)).tell(sent)
        return world, (step, *steps)

    def act(self) -> tuple[World, tuple[Step, ...]]:
        """Let the next live action become due, which there must be."""
        action = self.next_action
        if action is None:
            raise AssertionError("nothing is due")
        waiting = tuple(other for other in self.live if other is not action)
        due = Due(action.kind, action.node, action.visit, action.event, action.due_at)
        return replace(self.at(action.due_at), live=waiting).tell(due)

    def _apply(self, decision: Decision) -> tuple[World, tuple[ScheduleAction, ...], QueueMessage | None]:
        state, live = decision.state, self.live
        started: list[ScheduleAction] = []
        queued: QueueMessage | None = None
        for effect in decision.effects:
            match effect:
                case CancelActions():
                    live = tuple(action for action in live if action.visit > effect.visit)
                case ScheduleAction():
                    if all(_key(action) != _key(effect) for action in live):
                        live = (*live, effect)
                        started.append(effect)
                case QueueMessage():
                    queued = effect
                    message = LastMessage(MessageId(UUID(int=effect.visit)), effect.node, effect.visit)
                    state = replace(state, message=message)
                case WithdrawMessage() | Suppress():
                    pass  # No message ever waits here, and no other enrolment shares the address.
                case _:
                    assert_never(effect)
        return replace(self, state=state, live=live), tuple(started), queued


def _key(action: ScheduleAction) -> tuple[str, int, ActionKind, str]:
    return action.node, action.visit, action.kind, action.event


def _due_order(action: ScheduleAction) -> tuple[datetime, str, int, ActionKind, str]:
    return action.due_at, *_key(action)
