"""Every branch of a plan: what can happen to an enrolment, and between which instants.

Whether and where something leads is asked of the state machine itself, by letting it happen to a world. Each stay in a
node is followed twice, from the earliest and from the latest world that comes to it. What happens at an instant between
lies between as well, because delays and windows keep the order of instants (but for an hour where clocks change, and
the ends of months).

Left out is what can happen in any node: a reply, an unsubscription, a complaint and a hard bounce stop the enrolment
wherever the plan does not route them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pydantic import JsonValue

from cadenza.core.ids import EventId
from cadenza.core.messages import SignalKind
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.engine.matching import last_chance, open_timers
from cadenza.engine.model import Enrol, Move, SendingRules, Signal, Synthetic
from cadenza.planning.compiled import ANSWERS, CompiledPlan, Transition
from cadenza.planning.durations import add
from cadenza.planning.findings import Finding
from cadenza.planning.model import NodeAction, PlanEvent
from cadenza.simulate.model import rfc3339
from cadenza.simulate.world import Step, World

MAX_STAYS: Final = 2_000
"""How many stays are followed. Plans that go round have many; every plan without a loop of reasonable size fits."""

_MOMENT: Final = timedelta(seconds=1)
_KINDS: Final = {PlanEvent.SPAMREPORT: SignalKind.COMPLAINED, PlanEvent.BLOCKED: SignalKind.BOUNCED}
_CAN_BE_SILENT: Final = (SignalKind.OPENED, SignalKind.CLICKED)
"""What stops timers although no transition waits for it. (A reply always leads out.)"""


@dataclass(frozen=True, slots=True)
class Span:
    """The earliest and the latest instant of something."""

    earliest: datetime
    latest: datetime

    def __or__(self, other: Span) -> Span:
        return Span(min(self.earliest, other.earliest), max(self.latest, other.latest))

    def to_json(self) -> dict[str, JsonValue]:
        """As the command prints it."""
        return {"earliest": rfc3339(self.earliest), "latest": rfc3339(self.latest)}


@dataclass(slots=True)
class Stay:
    """A stay in a node that an enrolment can come to, by whichever ways. ``sent`` is of send nodes.

    ``outcome`` and ``reason`` are set where the enrolment ends. ``explored`` is False where the exploration broke off.
    """

    node: str
    visit: int
    entered: Span
    sent: Span | None
    outcome: EnrolmentStatus | None
    reason: str
    branches: list[Branch] = field(default_factory=list["Branch"])
    explored: bool = True

    def to_json(self, shown: set[int]) -> dict[str, JsonValue]:
        """As the command prints it. What has been ``shown`` above is not shown again, which ``again`` says."""
        again = id(self) in shown
        shown.add(id(self))
        return {
            "node": self.node,
            "visit": self.visit,
            "entered": self.entered.to_json(),
            "sent": self.sent.to_json() if self.sent else None,
            "outcome": self.outcome,
            "reason": self.reason,
            "explored": self.explored,
            "again": again,
            "branches": [] if again else [branch.to_json(shown) for branch in self.branches],
        }


@dataclass(frozen=True, slots=True)
class Branch:
    """A way out of a stay, and when it can be taken. ``to`` None: it ends the enrolment there, as ``outcome``."""

    on: str
    rule: str
    at: Span
    to: Stay | None
    outcome: EnrolmentStatus | None = None
    reason: str = ""

    def to_json(self, shown: set[int]) -> dict[str, JsonValue]:
        """As the command prints it."""
        return {
            "on": self.on,
            "rule": self.rule,
            "at": self.at.to_json(),
            "to": self.to.to_json(shown) if self.to else None,
            "outcome": self.outcome,
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Exploration:
    """All stays, from the first on. ``sends`` are the send nodes in the order of their earliest sends."""

    stays: tuple[Stay, ...]
    sends: tuple[tuple[str, Span], ...]
    complete: bool

    @property
    def start(self) -> Stay:
        """Where the enrolment begins."""
        return self.stays[0]

    def to_json(self, findings: Iterable[Finding]) -> dict[str, JsonValue]:
        """As the command prints it; ``findings`` are those of the plan."""
        return {
            "tree": self.start.to_json(set()),
            "sends": [{"node": node, **span.to_json()} for node, span in self.sends],
            "complete": self.complete,
            "findings": [dict(finding.to_json()) for finding in findings],
        }


@dataclass(frozen=True, slots=True)
class _Led:
    """Where something led: the moves, and the world once the next message is sent."""

    world: World
    moves: tuple[Move, ...]


_Place = tuple[str, int, EnrolmentStatus, frozenset[SignalKind]]
"""What tells stays apart; at a wait node also what is known of the message it listens to."""


@dataclass(slots=True)
class _Found:
    """A stay and the worlds that come to it first and last."""

    stay: Stay
    earliest: World
    latest: World


def explore(plan: CompiledPlan, rules: SendingRules, start: datetime) -> Exploration:
    """Follow every branch from an enrolment at ``start``.

    Raises:
        InvalidInput: The plan leads out of the calendar.
    """
    return _Explorer(plan).explore(_settled(*World(plan, rules, start).tell(Enrol())))


class _Explorer:
    def __init__(self, plan: CompiledPlan) -> None:
        self._plan = plan
        self._heeded = _heeded(plan)
        self._found: dict[_Place, _Found] = {}
        self._waiting: dict[int, list[_Place]] = {}

    def explore(self, first: _Led) -> Exploration:
        self._come_to(first, first)
        explored = 0
        # Every branch leads to a later visit: once it is a visit's turn, all ways to its stays are known.
        while self._waiting:
            for place in self._waiting.pop(min(self._waiting)):
                found = self._found[place]
                if found.stay.outcome is not None:
                    continue
                if explored == MAX_STAYS:
                    found.stay.explored = False
                    continue
                explored += 1
                found.stay.branches = [self._branch(*ways) for ways in self._ways(found)]
        stays = tuple(found.stay for found in self._found.values())
        return Exploration(stays, _sends(stays), all(stay.explored for stay in stays))

    def _ways(self, found: _Found) -> Iterator[tuple[_Led, _Led]]:
        """Every way out, in the plan's order, as it leads on when taken as early and as late as can be."""
        first, last = _variants(found.earliest), _variants(found.latest)
        early_turns = [(world, _turns(world)) for world in first]
        late_turns = [(world, _turns(world)) for world in last]
        silent = [_quiet(world) for world in first + last]
        for way in self._plan.nodes[found.stay.node].transitions:
            if way.on.synthetic:
                yield from self._apart(led for led in silent if led.moves[0].rule == way.rule)
            else:
                # Every turn, for a way may close before the engine's own does: a reply past its `within` still stops.
                happenings = (_happens(world, way, at) for world, turns in early_turns + late_turns for at in turns)
                yield from self._apart(filter(None, happenings))
        yield from self._apart(led for led in silent if led.moves[0].cause == Synthetic.EXPIRED)

    def _apart(self, leds: Iterable[_Led]) -> Iterator[tuple[_Led, _Led]]:
        """The earliest and the latest to each place."""
        places: dict[_Place, list[_Led]] = {}
        for led in leds:
            places.setdefault(self._place(led.world), []).append(led)
        for same in places.values():
            yield min(same, key=_taken_at), max(same, key=_taken_at)

    def _branch(self, early: _Led, late: _Led) -> Branch:
        move = early.moves[0]
        at = Span(_taken_at(early), _taken_at(late))
        if _entered(early) is None:
            return Branch(move.cause, move.rule, at, None, early.world.state.status, early.world.state.reason)
        return Branch(move.cause, move.rule, at, self._come_to(early, late))

    def _come_to(self, early: _Led, late: _Led) -> Stay:
        """The stay that both lead to: a new one, or one that now can be come to earlier or later."""
        entered = Span(_entered(early) or early.world.now, _entered(late) or late.world.now)
        sent = Span(early.world.sends[-1].at, late.world.sends[-1].at) if _has_sent(early.world) else None
        place = self._place(early.world)
        found = self._found.get(place)
        if found is None:
            state, ended = early.world.state, early.world.ended
            outcome = (state.status, state.reason) if ended else (None, "")
            stay = Stay(state.node, state.visit, entered, sent, *outcome)
            self._found[place] = _Found(stay, early.world, late.world)
            self._waiting.setdefault(state.visit, []).append(place)
            return stay
        stay = found.stay
        if entered.earliest < stay.entered.earliest:
            found.earliest = early.world
        if entered.latest > stay.entered.latest:
            found.latest = late.world
        stay.entered |= entered
        stay.sent = sent if stay.sent is None or sent is None else stay.sent | sent
        return stay

    def _place(self, world: World) -> _Place:
        state = world.state
        listens = self._plan.nodes[state.node].action is NodeAction.WAIT and state.message is not None
        known = {event.kind for event in state.message.events} if listens and state.message else set[SignalKind]()
        return state.node, state.visit, state.status, self._heeded & known


def _heeded(plan: CompiledPlan) -> frozenset[SignalKind]:
    """What a wait node can make something of though it was recorded before."""
    waits = [node for node in plan.nodes.values() if node.action is NodeAction.WAIT]
    kinds = {_kind(way.on) for node in waits for way in node.signals}
    kinds |= {_kind(event) for node in waits for way in node.timers for event in ANSWERS[way.on]}
    return frozenset(kinds | ({SignalKind.CLICKED} if SignalKind.OPENED in kinds else set[SignalKind]()))


def _taken_at(led: _Led) -> datetime:
    return led.moves[0].at


def _entered(led: _Led) -> datetime | None:
    """When the node that it leads to is entered; None if it leads to none."""
    return next((move.at for move in reversed(led.moves) if move.to_node), None)


def _has_sent(world: World) -> bool:
    last = world.sends[-1] if world.sends else None
    return last is not None and (last.node, last.visit) == (world.state.node, world.state.visit)


def _sends(stays: Iterable[Stay]) -> tuple[tuple[str, Span], ...]:
    spans: dict[str, Span] = {}
    for stay in stays:
        if stay.sent is not None:
            spans[stay.node] = spans[stay.node] | stay.sent if stay.node in spans else stay.sent
    return tuple(sorted(spans.items(), key=lambda found: (found[1].earliest, found[1].latest, found[0])))


# --- what can happen in a stay -----------------------------------------------------------------------------------


def _variants(world: World) -> list[World]:
    """The world, and as it would be had something been recorded that leads nowhere, but that stops timers."""
    found = [world]
    for kind in _CAN_BE_SILENT:
        for at in _turns(world):
            heard, steps = world.at(at).tell(_signal(world, kind, at))
            if not _moves(steps):
                found.append(heard)
                break
    return found


def _turns(world: World) -> list[datetime]:
    """The instants at which an event can begin or cease to lead one way: at all others it leads as just before."""
    plan, state = world.plan, world.state
    node, anchor = plan.nodes[state.node], state.anchor_at
    if anchor is None or not world.sends:
        return []
    found = {anchor, last_chance(plan, node, anchor) or anchor}
    for way in node.signals:
        if way.within is not None:
            until = add(way.within, anchor, plan.zone)
            found |= {until, until + _MOMENT}
        if way.after is not None:
            since = add(way.after, anchor, plan.zone)
            found |= {since - _MOMENT, since}
    for due_at, _ in open_timers(plan, node, anchor, state.message.events if state.message else ()):
        found |= {due_at - _MOMENT, due_at}
    return sorted(instant for instant in found if instant >= max(anchor, world.now))


def _happens(world: World, way: Transition, at: datetime) -> _Led | None:
    """Let the event of ``way`` happen. None if that does not lead this way, nor out by the engine's own rules.

    A bounce is taken to be hard, unless only a soft one leads this way.
    """
    kind = _kind(way.on)
    others = {other.rule for other in world.plan.nodes[world.state.node].transitions} - {way.rule}
    stopped: _Led | None = None
    for hard in (True, False) if kind is SignalKind.BOUNCED else (None,):
        led = _settled(*world.at(at).tell(_signal(world, kind, at, hard)))
        if led.moves and led.moves[0].rule == way.rule:
            return led
        if led.moves and led.moves[0].rule not in others:
            stopped = stopped or led
    return stopped


def _quiet(world: World) -> _Led:
    """Let time pass until something moves."""
    moves: tuple[Move, ...] = ()
    steps: tuple[Step, ...] = ()
    while not moves and world.live:
        world, steps = world.act()
        moves = _moves(steps)
    return _settled(world, steps)


def _settled(world: World, steps: tuple[Step, ...]) -> _Led:
    """Let the next message be sent, if there is one to be."""
    moves = _moves(steps)
    while (action := world.next_action) is not None and action.kind is ActionKind.SEND:
        world, steps = world.act()
        moves += _moves(steps)
    return _Led(world, moves)


def _moves(steps: tuple[Step, ...]) -> tuple[Move, ...]:
    return tuple(move for step in steps for move in step.decision.moves)


def _kind(event: PlanEvent) -> SignalKind:
    return _KINDS.get(event) or SignalKind(event)


def _signal(world: World, kind: SignalKind, at: datetime, hard: bool | None = None) -> Signal:
    """An event about the latest message, unlike any that is recorded for it."""
    last, message = world.sends[-1], world.state.message
    event_id = EventId(len(message.events) + 1 if message else 1)
    return Signal(event_id, kind, last.node, last.visit, at, hard=hard)
