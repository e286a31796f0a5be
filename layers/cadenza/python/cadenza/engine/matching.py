"""What an event means to a node, and when its timers are: the time arithmetic of section 4 of the design."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final

from cadenza.core.messages import Grade, SignalKind
from cadenza.engine.model import SeenEvent
from cadenza.planning.compiled import ANSWERS, HORIZON, CompiledPlan, Node, Transition
from cadenza.planning.durations import add
from cadenza.planning.model import PlanEvent

_GRADED: Final = frozenset({SignalKind.OPENED, SignalKind.CLICKED, SignalKind.REPLIED})
"""What a machine can do in a person's name: scanners open and click, autoresponders reply."""

_NAMES: Final[Mapping[SignalKind, tuple[PlanEvent, ...]]] = MappingProxyType(
    {
        SignalKind.SENT: (),
        SignalKind.DELIVERED: (PlanEvent.DELIVERED,),
        SignalKind.OPENED: (PlanEvent.OPENED,),
        SignalKind.CLICKED: (PlanEvent.CLICKED,),
        SignalKind.REPLIED: (PlanEvent.REPLIED,),
        SignalKind.BOUNCED: (PlanEvent.BOUNCED,),
        SignalKind.COMPLAINED: (PlanEvent.COMPLAINED,),
        SignalKind.UNSUBSCRIBED: (PlanEvent.UNSUBSCRIBED,),
        SignalKind.FAILED: (PlanEvent.FAILED, PlanEvent.BLOCKED),
    }
)
_STOPPING: Final = frozenset({SignalKind.REPLIED, SignalKind.UNSUBSCRIBED, SignalKind.COMPLAINED})
_SOFT_BOUNCE: Final = (PlanEvent.BOUNCED, PlanEvent.BLOCKED)

Spent = frozenset[PlanEvent]
"""The names under which an event has already moved the enrolment."""


def by_person(kind: SignalKind, grade: Grade) -> bool:
    """Whether a signal counts: opens, clicks and replies only if a person is behind them."""
    return grade is Grade.HUMAN or kind not in _GRADED


def stop_reason(kind: SignalKind, hard: bool | None) -> str:
    """Why an event stops an enrolment from any node; "" if it does not."""
    # No match over the kinds: it compares them one by one, and this is asked four times a signal.
    if kind is SignalKind.BOUNCED:
        return "hard bounce" if hard else ""
    return kind.value if kind in _STOPPING else ""


def suppresses(kind: SignalKind, hard: bool | None) -> bool:
    """Whether the address may never be written to again: whatever stops an enrolment, but for a reply."""
    return kind is not SignalKind.REPLIED and bool(stop_reason(kind, hard))


def names_of(event: SeenEvent) -> tuple[PlanEvent, ...]:
    """The plan events that a signal is."""
    if event.kind is SignalKind.BOUNCED and event.hard is False:
        return _SOFT_BOUNCE
    return _NAMES[event.kind]


def way_out(
    plan: CompiledPlan, node: Node, anchor: datetime, event: SeenEvent, spent: Spent = frozenset()
) -> Transition | None:
    """The first transition, in order, that the event matches; ``occurred_at`` decides.

    A click that matches no transition counts as the open that it proves: many mail programs load no pixels. It is then
    spent as an open only, so that a node that waits for the click still gets it.
    """
    chances = [names_of(event)]
    if event.kind is SignalKind.CLICKED:
        chances.append((PlanEvent.OPENED,))
    for names in chances:
        for way in node.signals:
            if way.on in names and way.on not in spent and _in_time(plan, way, anchor, event.occurred_at):
                return way
    return None


def listens_for(node: Node, event: SeenEvent) -> bool:
    """Whether the node has a transition on the event, in time or not."""
    names = names_of(event)
    return any(way.on in names for way in node.signals)


def open_timers(
    plan: CompiledPlan, node: Node, anchor: datetime, events: Iterable[SeenEvent]
) -> list[tuple[datetime, Transition]]:
    """The node's timers that no awaited event has stopped, with the instants they fire at, first things first."""
    timers: list[tuple[datetime, Transition]] = []
    for way in node.timers:
        due_at = anchor if way.after is None else add(way.after, anchor, plan.zone)
        if not _answered(way, due_at, events):
            timers.append((due_at, way))
    timers.sort(key=_due_order)
    return timers


def last_chance(plan: CompiledPlan, node: Node, anchor: datetime) -> datetime | None:
    """The latest instant at which an event can still match one of the node's transitions. None: it has none on events.

    Without a `within` the engine waits for `HORIZON`, counted from the instant at which the transition can first match.
    """
    chances: list[datetime] = []
    for way in node.signals:
        if way.within is not None:
            chances.append(add(way.within, anchor, plan.zone))
        else:
            chances.append((anchor if way.after is None else add(way.after, anchor, plan.zone)) + HORIZON)
    return max(chances, default=None)


def _in_time(plan: CompiledPlan, way: Transition, anchor: datetime, occurred_at: datetime) -> bool:
    """Whether the event fell into the transition's time. One from before the anchor counts as at the anchor."""
    if way.within is not None:
        return occurred_at <= add(way.within, anchor, plan.zone)
    if way.after:
        return occurred_at >= add(way.after, anchor, plan.zone)
    return True


def _answered(way: Transition, due_at: datetime, events: Iterable[SeenEvent]) -> bool:
    awaited = ANSWERS[way.on]
    for event in events:
        if (
            event.occurred_at < due_at
            and not awaited.isdisjoint(names_of(event))
            and by_person(event.kind, event.grade)
        ):
            return True
    return False


def _due_order(timer: tuple[datetime, Transition]) -> tuple[datetime, int]:
    return timer[0], timer[1].position
