"""What can be known about a plan from its shape: where it can go, for how long, and what can never happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Final

from cadenza.core.states import Channel
from cadenza.planning.compiled import ANSWERS, END, HORIZON, MAX_VISITS, Node, Transition
from cadenza.planning.findings import Finding, FindingCode, Severity
from cadenza.planning.model import NodeAction, PlanEvent, json_pointer
from cadenza.planning.reach import comes_to

LONGEST: Final = timedelta(days=365)
MOST_SENDS: Final = 12

_NONE: Final = timedelta(0)
_PLAIN: Final = frozenset({PlanEvent.DELIVERED, PlanEvent.OPENED, PlanEvent.CLICKED, PlanEvent.REPLIED})
"""Events that are no other event too, and suppress nothing."""
_TAKERS: Final = {
    # A click without a way of its own takes an open's; a reply always leads out, to the end if nowhere else.
    PlanEvent.NO_OPEN: frozenset({PlanEvent.OPENED}),
    PlanEvent.NO_CLICK: frozenset({PlanEvent.CLICKED, PlanEvent.OPENED}),
    PlanEvent.NO_REPLY: frozenset[PlanEvent](),
}
"""The events of which a node must have a way out so that whatever stops its timer leads on."""

_ITS_SILENCE: Final = {
    PlanEvent.OPENED: PlanEvent.NO_OPEN,
    PlanEvent.CLICKED: PlanEvent.NO_CLICK,
    PlanEvent.REPLIED: PlanEvent.NO_REPLY,
}

Nodes = Mapping[str, Node]


def targets(nodes: Nodes, node: Node) -> list[str]:
    """The nodes that can follow; `END` and unknown ids are left out."""
    return [transition.to for transition in node.transitions if transition.to in nodes]


def reachable(nodes: Nodes, *starts: str) -> frozenset[str]:
    """The nodes that an enrolment can come to from ``starts``, these included."""
    seen: set[str] = set()
    waiting = list(starts)
    while waiting:
        node_id = waiting.pop()
        if node_id not in seen:
            seen.add(node_id)
            waiting += targets(nodes, nodes[node_id])
    return frozenset(seen)


def check(nodes: Nodes, start: str, *, newer: bool, known: bool = False) -> Iterator[Finding]:
    """Every finding about the plan's shape. ``newer``: stricter than the original system was.

    ``known``: it has been checked before. The search for sends that only seem to be reachable, which may take long, is
    left out.
    """
    alive = reachable(nodes, start)
    for node in nodes.values():
        if node.id not in alive:
            severity = Severity.ERROR if newer and node.action is NodeAction.SEND else Severity.WARNING
            yield Finding(
                FindingCode.UNREACHABLE_NODE,
                severity,
                json_pointer("nodes", node.position),
                f"no way leads from {start!r} to {node.id!r}",
                "Let a transition lead to it, or remove it.",
            )
    live = {node_id: nodes[node_id] for node_id in nodes if node_id in alive}
    if not known:
        yield from _only_on_paper(live, start, newer=newer)
    yield from _ends(live)
    yield from _loops(live)
    after_send = reachable(live, *(to for node in live.values() if _sends(node) for to in targets(live, node)))
    for node in live.values():
        yield from _timeouts(node)
        yield from _events(node, listens=_sends(node) or node.id in after_send)
    if any(map(_sends, live.values())) and not any(_routes(node, PlanEvent.REPLIED) for node in live.values()):
        yield Finding(
            FindingCode.NO_REPLY_ROUTE,
            Severity.NOTE,
            "/nodes",
            "no node has a transition on replied: the engine stops the enrolment when its contact replies",
            "Nothing to do, unless a reply should lead somewhere.",
        )


def _only_on_paper(live: Nodes, start: str, *, newer: bool) -> Iterator[Finding]:
    """Sends that ways lead to which nothing can ever take. Most plans need no search: one glance finds every send."""
    sends = {node.id for node in live.values() if _sends(node)}
    if sends <= _at_a_glance(live, start) or (found := comes_to(live, start)) is None:
        return
    for node in live.values():
        if node.id in sends - found:
            yield Finding(
                FindingCode.UNREACHABLE_NODE,
                Severity.ERROR if newer else Severity.WARNING,
                json_pointer("nodes", node.position),
                f"nothing can ever lead to {node.id!r}: no event and no silence comes that its ways wait for",
                "Let a transition lead to it that can happen, or remove it.",
            )


def _at_a_glance(live: Nodes, start: str) -> frozenset[str]:
    """Nodes that are surely reached: from a send on a first event at once, and on its first timer in silence."""
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        node = live[waiting.pop()]
        if node.id in seen or not _sends(node):
            seen.add(node.id)
            continue
        seen.add(node.id)
        timers = sorted(node.timers, key=_due_order)
        sure = timers[:1]
        if not timers or timers[0].after:
            first = {way.on: way for way in reversed(node.signals)}
            sure += [way for on, way in first.items() if on in _PLAIN and not way.after]
        waiting += [way.to for way in sure if way.to in live]
    return frozenset(seen)


def _due_order(timer: Transition) -> tuple[timedelta, int]:
    return timer.after.about if timer.after else _NONE, timer.position


def _sends(node: Node) -> bool:
    return node.action is NodeAction.SEND


def _routes(node: Node, event: PlanEvent) -> bool:
    return any(transition.on is event for transition in node.signals)


def _at(node: Node, transition: Transition) -> str:
    return json_pointer("nodes", node.position, "transitions", transition.position)


# --- ends and loops ----------------------------------------------------------------------------------------------


def _ends(live: Nodes) -> Iterator[Finding]:
    """Every node should have an end ahead of it."""
    backwards: dict[str, set[str]] = {node_id: set() for node_id in live}
    ends: list[str] = []
    for node in live.values():
        for to in targets(live, node):
            backwards[to].add(node.id)
        if not node.transitions or any(transition.to == END for transition in node.transitions):
            ends.append(node.id)
    ending: set[str] = set()
    while ends:
        node_id = ends.pop()
        if node_id not in ending:
            ending.add(node_id)
            ends += backwards[node_id]
    for node in live.values():
        if node.id not in ending:
            yield Finding(
                FindingCode.MISSING_STOP,
                Severity.WARNING,
                json_pointer("nodes", node.position),
                f"from {node.id!r} no way leads to a stop: only the engine's bounds will end it",
                "Let one of the transitions ahead lead to a stop node.",
            )
    stops = any(node.action is NodeAction.STOP or _leads_to_end(node) for node in live.values())
    if not stops and len(ending) == len(live):
        yield Finding(
            FindingCode.MISSING_STOP,
            Severity.NOTE,
            "/nodes",
            "the plan has no stop node: the engine ends it where a node has no transitions",
            "Nothing to do; add a stop node to say so.",
        )


def _leads_to_end(node: Node) -> bool:
    return any(transition.to == END for transition in node.transitions)


def _loops(live: Nodes) -> Iterator[Finding]:
    """A loop through which nothing has to pass, neither a send nor time, would spin. Others end at the engine's bound.

    A plan without loops is measured instead: how long it can take, and how many messages it can send one contact.
    """
    spinning = _cycle(
        {
            node.id: [to.to for to in node.transitions if to.to in live and not to.after]
            for node in live.values()
            if node.action is NodeAction.WAIT
        }
    )
    if spinning:
        yield Finding(
            FindingCode.UNBOUNDED_LOOP,
            Severity.ERROR,
            json_pointer("nodes", live[spinning[0]].position),
            f"{' → '.join(spinning)} goes round without a send and without time passing",
            "Put a send or a timeout into the loop, or lead it out.",
        )
        return
    followers = {node.id: targets(live, node) for node in live.values()}
    going_round = _cycle(followers)
    if going_round:
        yield Finding(
            FindingCode.UNBOUNDED_LOOP,
            Severity.WARNING,
            json_pointer("nodes", live[going_round[0]].position),
            f"{' → '.join(going_round)} goes round until the engine stops it after {MAX_VISITS} steps",
            "Write the steps out, so that each leads on.",
        )
        return
    yield from _measures(live)


def _cycle(followers: Mapping[str, list[str]]) -> list[str]:
    """The ids of a loop in the order of its steps, its first again at the end; [] if there is none."""
    try:
        TopologicalSorter(followers).prepare()
    except CycleError as error:
        # graphlib's arrows point from a node to what must come before it, which here is what follows it.
        loop: list[str] = error.args[1]
        return loop[::-1]
    return []


def _measures(live: Nodes) -> Iterator[Finding]:
    most = bounds(live)
    if most.sends > MOST_SENDS:
        yield Finding(
            FindingCode.TOO_MANY_SENDS,
            Severity.WARNING,
            "/nodes",
            f"one contact can get {most.sends} messages, more than {MOST_SENDS}",
            "End the plan earlier.",
        )
    if most.lasts > LONGEST:
        yield Finding(
            FindingCode.TOO_LONG,
            Severity.WARNING,
            "/nodes",
            f"the plan can take {most.lasts.days} days, more than {LONGEST.days}",
            "Shorten delays and timeouts.",
        )


@dataclass(frozen=True, slots=True)
class Bounds:
    """What no enrolment of a plan exceeds, whatever happens to it: nodes entered, messages sent, time taken.

    ``lasts`` counts days of 24 hours, and does not know what sending windows, holds and queues add.
    """

    visits: int
    sends: int
    lasts: timedelta


def bounds(live: Nodes) -> Bounds:
    """The bounds of a plan of which every node can be reached: its longest way; `MAX_VISITS` where it goes round."""
    followers = {node.id: targets(live, node) for node in live.values()}
    stays = {node.id: node.delay.about + _stay(node) for node in live.values()}
    if _cycle(followers):
        return Bounds(MAX_VISITS, MAX_VISITS * any(map(_sends, live.values())), MAX_VISITS * max(stays.values()))
    found: dict[str, Bounds] = {}
    for node_id in TopologicalSorter(followers).static_order():
        ahead = [found[to] for to in followers[node_id]]
        found[node_id] = Bounds(
            1 + max((to.visits for to in ahead), default=0),
            _sends(live[node_id]) + max((to.sends for to in ahead), default=0),
            stays[node_id] + max((to.lasts for to in ahead), default=timedelta(0)),
        )
    longest = found.values()
    return Bounds(max(b.visits for b in longest), max(b.sends for b in longest), max(b.lasts for b in longest))


def _stay(node: Node) -> timedelta:
    """How long an enrolment can stay in a node, from its anchor: an event may be heard of long after it occurred.

    Until its last timer has fired or its last event can no longer match, but no longer than the first timer that
    nothing can stop without leading out of the node.
    """
    chances = [
        signal.within.about if signal.within is not None else HORIZON + (signal.after.about if signal.after else _NONE)
        for signal in node.signals
    ]
    timers = [timer.after.about for timer in node.timers if timer.after is not None]
    firm = [timer.after.about for timer in node.timers if timer.after is not None and _is_firm(node, timer)]
    return min([max(chances + timers, default=_NONE), *firm])


def _is_firm(node: Node, timer: Transition) -> bool:
    """Whether all that stops the timer also takes a way out. A wait node may hear on entry what stops it for good."""
    takers = {signal.on for signal in node.signals if not signal.after and (signal.within in {None, timer.after})}
    needed = _TAKERS[timer.on]
    return node.action is NodeAction.SEND and (not needed or not needed.isdisjoint(takers))


# --- what can never happen ---------------------------------------------------------------------------------------


def _timeouts(node: Node) -> Iterator[Finding]:
    """A timeout is in vain if another is always there first: one at least as early, that nothing more would stop."""
    for timer in node.timers:
        for other in node.timers:
            if other is not timer and _comes_first(other, timer) and ANSWERS[other.on] <= ANSWERS[timer.on]:
                yield Finding(
                    FindingCode.TIMEOUT_NEVER_FIRES,
                    Severity.WARNING,
                    _at(node, timer),
                    f"this can never fire: transitions/{other.position} ({other.on}) always comes first",
                    "Remove it, or make it the earlier one.",
                )
                break


def _comes_first(one: Transition, other: Transition) -> bool:
    if one.after is None or other.after is None:
        return False
    return (one.after.about, one.position) < (other.after.about, other.position)


def _events(node: Node, *, listens: bool) -> Iterator[Finding]:
    for position, signal in enumerate(node.signals):
        if reason := _never(node, signal, node.signals[:position], listens=listens):
            yield Finding(
                FindingCode.EVENT_NEVER_MATCHES, Severity.WARNING, _at(node, signal), reason, "Remove it, or move it."
            )
        for timer in node.timers:
            if timer.on is _ITS_SILENCE.get(signal.on) and signal.within is not None and timer.after is not None:
                yield from _race(node, signal, timer, signal.within.about - timer.after.about)


def _never(node: Node, signal: Transition, earlier: tuple[Transition, ...], *, listens: bool) -> str:
    if not listens:
        return f"nothing has been sent yet when {node.id!r} waits for {signal.on}"
    opens = signal.on in {PlanEvent.OPENED, PlanEvent.CLICKED}
    if opens and node.action is NodeAction.SEND and node.channel is not Channel.EMAIL:
        return f"nobody reports {signal.on} for the channel {node.channel}"
    for other in earlier:
        if (
            other.on is signal.on
            and not other.after
            and (other.within is None or (signal.within is not None and signal.within.about <= other.within.about))
        ):
            return f"transitions/{other.position} takes every {signal.on} first"
    return ""


def _race(node: Node, signal: Transition, timer: Transition, lead: timedelta) -> Iterator[Finding]:
    """``lead`` is by how much the event's window outlasts the timeout."""
    if lead > timedelta(0):
        yield Finding(
            FindingCode.EVENT_TIMEOUT_RACE,
            Severity.WARNING,
            _at(node, signal),
            f"{timer.rule} fires before this window closes: a later {signal.on} comes in vain",
            "Make `within` as long as the timeout's `after`.",
        )
    elif lead < timedelta(0) and not any(other.on is signal.on for other in node.signals if other is not signal):
        yield Finding(
            FindingCode.EVENT_TIMEOUT_GAP,
            Severity.WARNING,
            _at(node, signal),
            f"{signal.on} after this window and before {timer.rule} leads nowhere: it comes too late for this, "
            "and stops the timeout",
            "Make `within` as long as the timeout's `after`.",
        )
