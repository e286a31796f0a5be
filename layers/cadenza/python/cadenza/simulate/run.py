"""One enrolment, from its start to its end, on a tape of events."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from cadenza.core.ids import EventId
from cadenza.core.states import ActionKind
from cadenza.engine.model import Enrol, SendingRules, Signal
from cadenza.planning.compiled import CompiledPlan
from cadenza.simulate.model import Entry, EntryKind, Simulation
from cadenza.simulate.telling import tell_of
from cadenza.simulate.world import Step, World

if TYPE_CHECKING:
    from cadenza.simulate.tape import Event

# What happens at one instant: sends first, so that "the latest send" includes them; then the tape, so that the plan's
# own order says whether an event or a timeout wins; then timeouts.
_EVENT = 1
_RANK = {ActionKind.SEND: 0, ActionKind.TIMEOUT: 2}


def simulate(plan: CompiledPlan, tape: Sequence[Event], rules: SendingRules, start: datetime) -> Simulation:
    """Enrol at ``start`` and let time pass until nothing can happen any more.

    Raises:
        InvalidInput: The plan leads out of the calendar.
    """
    world, steps = World(plan, rules, start).tell(Enrol())
    timeline = _entries(plan, steps)
    waiting = list(tape)
    while True:
        action = world.next_action
        turn = _next_event(waiting, world)
        if turn is not None and (action is None or (turn[0], _EVENT) < (action.due_at, _RANK[action.kind])):
            at, event = turn
            waiting.remove(event)
            world = world.at(at)
            about = event.sent_from(world)
            if about is None:
                timeline.append(_unheard(event, at, "nothing has been sent yet"))
                continue
            event_id = EventId(event.position + 1)
            world, steps = world.tell(Signal(event_id, event.kind, *about, at, event.grade, event.hard))
        elif action is not None:
            world, steps = world.act()
        else:
            break
        timeline += _entries(plan, steps)
    timeline += [_unheard(event, world.now, _why_never(event, world)) for event in waiting]
    return Simulation(tuple(timeline), world.state.status)


def _next_event(waiting: Sequence[Event], world: World) -> tuple[datetime, Event] | None:
    """The next event of the tape and its instant, as far as can be known now: see `cadenza.simulate.tape`."""
    possible = [
        (instant, event)
        for turn, event in enumerate(waiting)
        if (turn == 0 or event.at is not None) and (instant := event.instant(world)) is not None
    ]
    return min(possible, key=lambda found: (found[0], found[1].position), default=None)


def _entries(plan: CompiledPlan, steps: Sequence[Step]) -> list[Entry]:
    return [entry for step in steps for entry in tell_of(plan, step)]


def _unheard(event: Event, at: datetime, reason: str) -> Entry:
    return Entry(at, event.node, EntryKind.IGNORED, {"entry": event.position, "on": event.kind, "reason": reason})


def _why_never(event: Event, world: World) -> str:
    if event.sent_from(world) is None:
        return "nothing was sent that it could be about"
    return "it never happened: entries happen in order, and no send came after which it could"
