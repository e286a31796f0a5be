"""What can be known about a plan from its shape: where it can go, for how long, and what can never happen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from graphlib import CycleError, TopologicalSorter
from typing import Final

from cadenza.core.states import Channel
from cadenza.planning.compiled import ANSWERS, END, HORIZON, MAX_VISITS, Node, Transition
from cadenza.planning.findings import Finding, FindingCode, Severity
from cadenza.planning.model import NodeAction, PlanEvent, json_pointer

LONGEST: Final = timedelta(days=365)
MOST_SENDS: Final = 12

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


def check(nodes: Nodes, start: str, *, newer: bool) -> Iterator[Finding]:
    """Every finding about the plan's shape. ``newer``: stricter than the original system was."""
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
    yield from _measures(live, followers)


def _cycle(followers: Mapping[str, list[str]]) -> list[str]:
    """The ids of a loop in the order of its steps, its first again at the end; [] if there is none."""
    try:
        TopologicalSorter(followers).prepare()
    except CycleError as error:
        # graphlib's arrows point from a node to what must come before it, which here is what follows it.
        loop: list[str] = error.args[1]
        return loop[::-1]
    return []


def _measures(live: Nodes, followers: Mapping[str, list[str]]) -> Iterator[Finding]:
    sends: dict[str, int] = {}
    lasts: dict[str, timedelta] = {}
    for node_id in TopologicalSorter(followers).static_order():
        node = live[node_id]
        sends[node_id] = _sends(node) + max((sends[to] for to in followers[node_id]), default=0)
        stays = [_stay(node, way) + lasts.get(way.to, timedelta(0)) for way in node.transitions]
        lasts[node_id] = node.delay.about + max(stays, default=timedelta(0))
    if (most := max(sends.values())) > MOST_SENDS:
        yield Finding(
            FindingCode.TOO_MANY_SENDS,
            Severity.WARNING,
            "/nodes",
            f"one contact can get {most} messages, more than {MOST_SENDS}",
            "End the plan earlier.",
        )
    if (longest := max(lasts.values())) > LONGEST:
        yield Finding(
            FindingCode.TOO_LONG,
            Severity.WARNING,
            "/nodes",
            f"the plan can take {longest.days} days, more than {LONGEST.days}",
            "Shorten delays and timeouts.",
        )


def _stay(node: Node, way: Transition) -> timedelta:
    """How long a node can wait before it takes ``way``."""
    if way.within is not None:
        return way.within.about
    if way.on.synthetic and way.after is not None:
        return way.after.about
    return min((timer.after.about for timer in node.timers if timer.after is not None), default=HORIZON)


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
