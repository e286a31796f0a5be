"""Which nodes an enrolment can really come to: a walk through everything that can happen to it.

A way on paper may be one that nothing can take: a click before anything has been sent, silence after the answer that
led there, a timeout that another one forestalls, a mail to an address that has just objected. `comes_to` walks the plan
as `engine.decide` does, but over kinds of events instead of events, and over the stretches of time between the instants
at which a node's transitions begin or cease to match. Durations are compared by their usual length.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import Enum, auto
from typing import Final

from cadenza.core.states import Channel
from cadenza.planning.compiled import ANSWERS, Node, Transition
from cadenza.planning.model import NodeAction, PlanEvent

_MOST: Final = 20_000
"""How many situations are looked at. A plan of more is believed to be as it looks on paper."""


class Kind(Enum):
    """What can be reported about a message, as far as plans tell it apart."""

    DELIVERED = auto()
    OPENED = auto()
    CLICKED = auto()
    REPLIED = auto()
    SOFT_BOUNCE = auto()
    HARD_BOUNCE = auto()
    COMPLAINED = auto()
    UNSUBSCRIBED = auto()
    FAILED = auto()


Nodes = Mapping[str, Node]
Kinds = frozenset[Kind]
Names = frozenset[PlanEvent]

_NONE: Final = timedelta(0)
_NAMES: Final[Mapping[Kind, Names]] = {
    Kind.DELIVERED: frozenset({PlanEvent.DELIVERED}),
    Kind.OPENED: frozenset({PlanEvent.OPENED}),
    Kind.CLICKED: frozenset({PlanEvent.CLICKED}),
    Kind.REPLIED: frozenset({PlanEvent.REPLIED}),
    Kind.SOFT_BOUNCE: frozenset({PlanEvent.BOUNCED, PlanEvent.BLOCKED}),
    Kind.HARD_BOUNCE: frozenset({PlanEvent.BOUNCED}),
    Kind.COMPLAINED: frozenset({PlanEvent.COMPLAINED}),
    Kind.UNSUBSCRIBED: frozenset({PlanEvent.UNSUBSCRIBED}),
    Kind.FAILED: frozenset({PlanEvent.FAILED, PlanEvent.BLOCKED}),
}
_OPEN: Final = frozenset({PlanEvent.OPENED})
_SUPPRESS: Final = frozenset({Kind.HARD_BOUNCE, Kind.COMPLAINED, Kind.UNSUBSCRIBED})
_STOP: Final = _SUPPRESS | {Kind.REPLIED}
"""What ends an enrolment from any node, unless the node has a way for it."""


@dataclass(frozen=True, slots=True)
class _Moment:
    """A stretch of a node's time: the instant ``time`` after its anchor, or (not ``exact``) what lies behind it."""

    time: timedelta
    exact: bool = True

    def suits(self, way: Transition) -> bool:
        """Whether an event that occurs then is in the transition's time."""
        if way.within is not None:
            return self.time < way.within.about or (self.exact and self.time == way.within.about)
        return not way.after or self.time >= way.after.about


_AT_ONCE: Final = _Moment(_NONE)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A node, and what is known on entering it.

    ``heard`` is the node of the latest message ("" if there is none), ``kinds`` what is recorded for that, ``spent``
    what of it has moved the enrolment just now, and under which names. ``older`` are the channels of earlier messages.
    """

    node: str
    heard: str = ""
    older: frozenset[Channel] = frozenset()
    kinds: Kinds = frozenset()
    spent: frozenset[tuple[Kind, Names]] = frozenset()


def comes_to(nodes: Nodes, start: str) -> frozenset[str] | None:
    """The nodes that some course of events leads to; None: there are too many situations to tell."""
    walk = _Walk(nodes)
    waiting = [_Entry(start)]
    seen = set(waiting)
    found = {start}
    while waiting and len(found) < len(nodes):
        for following in walk.follow(waiting.pop()):
            if following.node in nodes and (entry := walk.essence(following)) not in seen:
                found.add(entry.node)
                seen.add(entry)
                waiting.append(entry)
        if walk.situations > _MOST:
            return None
    return frozenset(found)


class _Walk:
    def __init__(self, nodes: Nodes) -> None:
        self.situations = 0
        self._nodes = nodes
        on = {way.on for node in nodes.values() for way in node.signals}
        on.update(*(ANSWERS[way.on] for node in nodes.values() for way in node.timers))
        self._kinds = [kind for kind in Kind if _names(kind) & on]
        heard = {way.on for node in nodes.values() if node.action is NodeAction.WAIT for way in node.signals}
        heard.update(*(ANSWERS[way.on] for node in nodes.values() for way in node.timers))
        self._recorded = {kind for kind in self._kinds if _names(kind) & heard} - _STOP
        self._stops = {node.id for node in nodes.values() if any(_way(node, kind, _AT_ONCE) for kind in _STOP)}

    def essence(self, entry: _Entry) -> _Entry:
        """The entry without what can make no difference: a send node soon has a message of its own."""
        if self._nodes[entry.node].action is NodeAction.SEND and entry.node not in self._stops:
            return replace(entry, kinds=frozenset[Kind](), spent=frozenset[tuple[Kind, Names]]())
        return entry

    def follow(self, entry: _Entry) -> Iterator[_Entry]:
        """What can follow when a node is entered so."""
        node = self._nodes[entry.node]
        match node.action:
            case NodeAction.SEND:
                recorded = replace(entry, kinds=_recorded(entry), spent=frozenset[tuple[Kind, Names]]())
                yield from self._before_sending(node, recorded)
                older = entry.older | self._channel(entry.heard)
                sent = _Entry(node.id, node.id, older)
                for way in (way for way in node.signals if way.on in _NAMES[Kind.FAILED] and _AT_ONCE.suits(way)):
                    yield replace(sent, node=way.to)  # it was refused
                    break
                for kind in self._kinds:  # it may be heard of before its sending is, and so before any timer runs
                    if (way := _way(node, kind, _AT_ONCE)) is not None:
                        yield from self._led(way, kind, sent)
                yield from self._stay(node, sent)
            case NodeAction.WAIT:
                yield from self._enter(node, entry)
            case NodeAction.STOP:
                pass

    def _before_sending(self, node: Node, entry: _Entry) -> Iterator[_Entry]:
        """Only what stops from any node counts, about the latest message or one before it."""
        if entry.heard:
            for kind in _STOP:
                if (way := _way(node, kind, _AT_ONCE)) is not None:
                    yield from self._led(way, kind, entry)
        yield from self._about_older(node, _AT_ONCE, entry)

    def _enter(self, node: Node, entry: _Entry) -> Iterator[_Entry]:
        """What was recorded before counts on entry, under the names that it has not counted under yet."""
        left = False
        for kind, spent in (*((kind, frozenset[PlanEvent]()) for kind in entry.kinds), *entry.spent):
            way = _way(node, kind, _AT_ONCE, spent)
            if way is not None and not self._passes_suppression(way, kind, self._channel(entry.heard)):
                left = True
                others = entry.spent - {(kind, spent)}
                unspent = entry.kinds if spent else entry.kinds - {kind}
                yield replace(entry, node=way.to, kinds=unspent, spent=others | {(kind, _spent(way, kind, spent))})
        if not left:
            yield from self._stay(node, replace(entry, kinds=_recorded(entry), spent=frozenset[tuple[Kind, Names]]()))

    def _stay(self, node: Node, entry: _Entry) -> Iterator[_Entry]:
        """From the anchor on: what leads out of the node, with what recorded by then."""
        bounds = {bound.about for way in node.transitions for bound in (way.within, way.after) if bound is not None}
        moments = [_Moment(time, exact) for time in sorted({_NONE, *bounds}) for exact in (True, False)]
        now = {entry.kinds}
        for moment in moments:
            now = yield from self._pass(node, moment, entry, now)

    def _pass(
        self, node: Node, moment: _Moment, entry: _Entry, before: set[Kinds]
    ) -> Generator[_Entry, None, set[Kinds]]:
        """One stretch of time. Returns what can be recorded at its end, if the enrolment is still there."""
        fires = [timer for timer in node.timers if moment.exact and _due(timer) == moment.time]
        by_timer: defaultdict[Transition | None, set[Kinds]] = defaultdict(set)
        for kinds in before:
            # An event can be older than the entry that it led to, or just as old: then it stops no timer of no length.
            if fires and not moment.time and node.action is NodeAction.WAIT:
                by_timer[fires[0]].add(kinds)
            by_timer[next((timer for timer in fires if not _answered(timer, kinds)), None)].add(kinds)
        for timer, known in by_timer.items():
            yield from self._happen(node, moment, entry, known, timer)
            if timer is not None:
                tied = {kinds | {kind} for kinds in known for kind in self._tied(node, moment, timer, entry)}
                for kinds in known | tied:
                    yield replace(entry, node=timer.to, kinds=kinds)
        return by_timer[None]

    def _happen(
        self, node: Node, moment: _Moment, entry: _Entry, known: set[Kinds], timer: Transition | None
    ) -> Iterator[_Entry]:
        """What events lead to before ``timer`` fires; ``known`` grows by what they add to it."""
        last = len(node.transitions) if timer is None else timer.position
        ways = {kind: _way(node, kind, moment) for kind in self._kinds} if entry.heard else {}
        waiting = list(known)
        while waiting:
            self.situations += 1
            recorded = replace(entry, kinds=waiting.pop())
            yield from self._about_older(node, moment, recorded, last)
            for kind, way in ways.items():
                if way is None and kind in self._recorded and (more := recorded.kinds | {kind}) not in known:
                    known.add(more)
                    waiting.append(more)
                elif way is not None and way.position < last:
                    yield from self._led(way, kind, recorded)

    def _tied(self, node: Node, moment: _Moment, timer: Transition, entry: _Entry) -> Iterator[Kind]:
        """Events at the very instant at which the timer fires first, which then count where it leads."""
        target = self._nodes.get(timer.to)
        for kind in self._kinds if entry.heard and target is not None else ():
            way = _way(node, kind, moment)
            if way is None or way.position < timer.position or target is None:
                continue
            if kind not in _STOP or _way(target, kind, _AT_ONCE) is not None:
                yield kind

    def _led(self, way: Transition, kind: Kind, entry: _Entry) -> Iterator[_Entry]:
        if not self._passes_suppression(way, kind, self._channel(entry.heard)):
            yield replace(entry, node=way.to, spent=frozenset({(kind, _spent(way, kind, frozenset()))}))

    def _about_older(self, node: Node, moment: _Moment, entry: _Entry, first: int | None = None) -> Iterator[_Entry]:
        for kind in _STOP if entry.older else ():
            way = _way(node, kind, moment)
            if way is None or (first is not None and way.position > first):
                continue
            if any(not self._passes_suppression(way, kind, frozenset({channel})) for channel in entry.older):
                yield replace(entry, node=way.to)

    def _passes_suppression(self, way: Transition, kind: Kind, channel: frozenset[Channel]) -> bool:
        target = self._nodes.get(way.to)
        if target is None or target.action is not NodeAction.SEND:
            return False
        return kind in _SUPPRESS and target.channel in channel

    def _channel(self, node: str) -> frozenset[Channel]:
        return frozenset({self._nodes[node].channel}) if node else frozenset()


def _names(kind: Kind) -> Names:
    return _NAMES[kind] | _OPEN if kind is Kind.CLICKED else _NAMES[kind]


def _way(node: Node, kind: Kind, moment: _Moment, spent: Names = frozenset()) -> Transition | None:
    """The first transition that takes the event; a click that none is on counts as the open that it proves."""
    for names in (_NAMES[kind], _OPEN) if kind is Kind.CLICKED else (_NAMES[kind],):
        for way in node.signals:
            if way.on in names and way.on not in spent and moment.suits(way):
                return way
    return None


def _spent(way: Transition, kind: Kind, before: Names) -> Names:
    return before | (_NAMES[kind] | _OPEN if way.on in _NAMES[kind] else {way.on})


def _recorded(entry: _Entry) -> Kinds:
    return entry.kinds | {kind for kind, _ in entry.spent}


def _due(timer: Transition) -> timedelta:
    return timer.after.about if timer.after is not None else _NONE


def _answered(timer: Transition, kinds: Kinds) -> bool:
    return any(ANSWERS[timer.on] & _NAMES[kind] for kind in kinds)
