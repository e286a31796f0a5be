"""Which nodes a plan's enrolments can really come to: a search through all that can happen, by `decide` itself."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterator
from copy import copy
from datetime import datetime, timedelta

from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import EnrolmentStatus
from cadenza.engine.matching import names_of
from cadenza.engine.model import SeenEvent, SendOutcome
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.durations import add
from cadenza.planning.model import PlanEvent
from tests.unit.playing import MONDAY, Play

_STOPPING = {SignalKind.REPLIED: None, SignalKind.UNSUBSCRIBED: None, SignalKind.COMPLAINED: None}
MINUTE = timedelta(minutes=1)
Event = tuple[SignalKind, bool | None]


def reachable_nodes(plan: CompiledPlan) -> frozenset[str]:
    """Every node that some tape of events, silences and failures leads to."""
    kinds = _kinds(plan)
    start = Play(plan, sends=False)
    reached, seen = set(start.way), {_key(start)}
    waiting = deque([start])
    while waiting and reached != set(plan.nodes):
        for play in _followers(waiting.popleft(), kinds):
            reached.update(play.way)
            key = _key(play)
            if play.state.status is EnrolmentStatus.ACTIVE and key not in seen:
                seen.add(key)
                waiting.append(play)
    return frozenset(reached)


def _kinds(plan: CompiledPlan) -> list[Event]:
    """The events that make a difference to the plan."""
    known = {way.on for node in plan.nodes.values() for way in node.signals}
    if any(node.timers for node in plan.nodes.values()) or PlanEvent.OPENED in known:
        known |= {PlanEvent.OPENED, PlanEvent.CLICKED}
    events = [(kind, None) for kind in SignalKind if kind is not SignalKind.BOUNCED]
    events += [(SignalKind.BOUNCED, True), (SignalKind.BOUNCED, False)]
    return [event for event in events if not known.isdisjoint(names_of(_seen(*event)))]


def _seen(kind: SignalKind, hard: bool | None) -> SeenEvent:
    return SeenEvent(0, kind, MONDAY, Grade.HUMAN, hard)


def _followers(play: Play, kinds: list[Event]) -> Iterator[Play]:
    """What can become of an enrolment in one step."""
    message = play.state.message
    if play.queued:
        queued = play.queued[0]
        gone = _copy(play)
        gone.queued.clear()
        gone.deliver(queued.node, queued.visit)
        yield gone
        lost = _copy(play)
        lost.queued.clear()
        lost.lose(SendOutcome.REJECTED)
        yield lost
    else:
        later = _copy(play)
        if any(action.due_at <= play.now for action in play.live.values()):
            tardy = _copy(play)
            tardy.now += MINUTE
            tardy.run(timedelta(0))
            yield tardy
            later.run(timedelta(0))
        else:  # and at that moment an event can still be ahead of what is due
            later.now = _next_moment(play)
        yield later
    for kind, hard in kinds:
        if message is not None:
            told = _copy(play)
            told.signal(kind, hard=hard)
            yield told
        if kind in _STOPPING or hard:
            for node in play.messages.keys() - {message.node if message else ""}:
                about = _copy(play)
                about.signal(kind, node, hard=hard)
                yield about


def _moments(play: Play) -> list[datetime]:
    """When the node's transitions begin or cease to match."""
    anchor = play.state.anchor_at
    if anchor is None:
        return []
    ways = play.plan.nodes[play.state.node].transitions
    bounds = {bound for way in ways for bound in (way.within, way.after) if bound is not None}
    return sorted({anchor, *(add(bound, anchor, play.plan.zone) for bound in bounds)})


def _next_moment(play: Play) -> datetime:
    """When something is due, or a transition begins or ceases to match, or just after that."""
    moments = _moments(play)
    if play.now in moments:
        return play.now + MINUTE
    moments += [action.due_at for action in play.live.values()]
    return min((moment for moment in moments if moment > play.now), default=play.now)


def _copy(play: Play) -> Play:
    """Another enrolment to which the same has happened."""
    other = copy(play)
    for name in ("live", "queued", "withdrawn", "suppressed", "sent", "moves", "signals", "messages"):
        setattr(other, name, copy(getattr(play, name)))
    return other


def _key(play: Play) -> object:
    """What tells two enrolments apart, as far as what can still become of them goes."""
    state, message = play.state, play.state.message
    moments = _moments(play)
    passed = bisect_left(moments, play.now), bisect_right(moments, play.now)
    heard = None if message is None else (message.visit == state.visit, message.node, message.sent_at is not None)
    events = (
        frozenset((seen.kind, seen.hard, seen.occurred_at < play.now) for seen in message.events)
        if message
        else frozenset()
    )
    older = frozenset(play.plan.nodes[sent].channel for sent in play.messages)
    return (
        state.node,
        heard,
        older,
        events,
        passed,
        frozenset((action.event, action.due_at <= play.now) for action in play.live.values()),
    )
