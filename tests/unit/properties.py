"""What the property tests share: how much to try, and strategies for plans, tapes of events, zones and instants."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from hypothesis import assume
from hypothesis import strategies as st

from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import EnrolmentStatus
from cadenza.engine.model import Due, Halt, SendOutcome
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.compiler import compile_plan
from cadenza.planning.model import NodeAction, PlanEvent
from tests.unit.playing import HOUR, Play, on

LONG = bool(os.environ.get("CADENZA_LONG"))
"""Whether `make test-long` runs: everything is tried in full."""

# --- zones and the changes of their clocks -----------------------------------------------------------------------

A_DOZEN = (
    "Africa/Cairo",
    "Africa/Casablanca",  # changes around Ramadan
    "America/Havana",  # clocks change at midnight
    "America/New_York",
    "America/Nuuk",
    "America/Santiago",
    "America/Sao_Paulo",  # no summer time any more
    "America/St_Johns",
    "Asia/Beirut",
    "Asia/Kathmandu",  # +05:45
    "Australia/Lord_Howe",  # half an hour of summer time
    "Europe/Lisbon",
)
ZONES = tuple(sorted(available_timezones() - {"localtime"})) if LONG else A_DOZEN
"""The zones that are tried: every one of IANA's when it is to be in full."""


@cache
def changes(zone: str) -> tuple[datetime, ...]:
    """The hours in which the zone's clock changes, 2025 to 2028; one ordinary instant if it never does."""
    place = ZoneInfo(zone)
    found: list[datetime] = []
    day = datetime(2025, 1, 1, tzinfo=UTC)
    while day < datetime(2029, 1, 1, tzinfo=UTC):
        if day.astimezone(place).utcoffset() != (day + timedelta(days=1)).astimezone(place).utcoffset():
            offsets = [(day + hour * HOUR).astimezone(place).utcoffset() for hour in range(25)]
            found += [day + hour * HOUR for hour in range(1, 25) if offsets[hour] != offsets[hour - 1]]
        day += timedelta(days=1)
    return tuple(found) or (datetime(2026, 6, 1, tzinfo=UTC),)


@st.composite
def around_changes(draw: st.DrawFn) -> tuple[str, datetime]:
    """A zone, and a minute within three days of a change of its clocks."""
    zone = draw(st.sampled_from(ZONES))
    change = draw(st.sampled_from(changes(zone)))
    return zone, change + timedelta(minutes=draw(st.integers(-3 * 24 * 60, 24 * 60)))


# --- plans -------------------------------------------------------------------------------------------------------

NAMES = ("a", "b", "c", "d", "e")
DURATIONS = ("PT0S", "PT1H", "PT24H", "P1D", "P3D", "P1W")
Source = dict[str, object]


@st.composite
def transitions(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, str]:
    """A transition to any node."""
    event = draw(st.sampled_from(PlanEvent))
    bounds = ["none", "after"] if event.synthetic else ["none", "within", "after"]
    bound = draw(st.sampled_from(bounds))
    to = draw(st.sampled_from([*names, "stop"]))
    return on(event, to) if bound == "none" else on(event, to, **{bound: draw(st.sampled_from(DURATIONS))})


@st.composite
def sources(draw: st.DrawFn, *, start: NodeAction | None = None) -> Source:
    """Plan JSON of any shape, loops included, of nodes that are named by some way from the first one."""
    names = NAMES[: draw(st.integers(1, len(NAMES)))]
    nodes: dict[str, Source] = {}
    # More sends than waits: loops of waits alone are refused, and such plans would be drawn in vain.
    actions = st.sampled_from([NodeAction.SEND, NodeAction.SEND, NodeAction.WAIT, NodeAction.STOP])
    waiting = ["a"]
    while waiting:
        name = waiting.pop()
        if name in nodes or name == "stop":
            continue
        action = start if name == "a" and start is not None else draw(actions)
        node: Source = {"id": name, "action": action}
        if action is not NodeAction.STOP:
            ways = draw(st.lists(transitions(names), min_size=name == "a", max_size=4))
            node["transitions"] = ways
            waiting += [way["to"] for way in ways]
        if action is NodeAction.SEND:
            channel = draw(st.sampled_from(["email", "email", "email", "sms"]))
            delay = draw(st.sampled_from(DURATIONS))
            node |= {"channel": channel, "subject": "s", "body": "b", "schedule": {"delay": delay}}
        nodes[name] = node
    return {"version": "1.1", "timezone": "Europe/Lisbon", "startNodeId": "a", "nodes": list(nodes.values())}


def runnable(source: Source) -> CompiledPlan:
    """The compiled plan, if it has no errors; else the example does not count."""
    plan = compile_plan(source).plan
    assume(plan is not None)
    assert plan is not None
    return plan


def plans(*, start: NodeAction | None = None) -> st.SearchStrategy[CompiledPlan]:
    """A plan that compiles without errors. ``start`` is what its first node does, if it matters."""
    return sources(start=start).map(runnable)


# --- tapes: what may happen to an enrolment ----------------------------------------------------------------------

_AGO = st.integers(0, 80)
_HARD = st.sampled_from([None, True, False])
STEPS = st.one_of(
    st.tuples(st.just("pass"), st.integers(0, 100)),
    st.tuples(st.just("signal"), st.sampled_from(SignalKind), st.sampled_from(Grade), _AGO, _HARD),
    st.tuples(st.just("old signal"), st.sampled_from(SignalKind), st.sampled_from(NAMES), _AGO, _HARD),
    st.tuples(st.just("lost"), st.sampled_from(SendOutcome)),
    st.tuples(st.just("again"), st.just(0)),
    st.tuples(st.just("repeat"), st.integers(0, 30)),
)
_HALT = st.just([("halt", 0)]) | st.just([])
Tape = list[tuple[object, ...]]
TAPES: st.SearchStrategy[Tape] = st.tuples(st.lists(STEPS, max_size=20), _HALT, st.lists(STEPS, max_size=5)).map(
    lambda parts: [*parts[0], *parts[1], *parts[2]]
)
"""Time passing, events early and late and out of order, of machines, repeated; actions delivered twice; lost sends."""


def play_tape(play: Play, tape: Tape) -> None:
    """Play the tape; `Play` checks every single decision."""
    for step in tape:
        play_step(play, step)
        if play.state.status is EnrolmentStatus.ACTIVE:
            assert play.live, "an active enrolment that nothing will ever move"


def play_step(play: Play, step: tuple[object, ...]) -> None:
    """One step of a tape."""
    match step:
        case ("pass", int(hours)):
            play.run(hours * HOUR)
        case ("signal", SignalKind() as kind, Grade() as grade, int(ago), hard):
            play.signal(kind, at=play.now - ago * HOUR, grade=grade, hard=hard)  # pyright: ignore[reportArgumentType] - drawn from _HARD
        case ("old signal", SignalKind() as kind, str(node), int(ago), hard):
            play.signal(kind, node, at=play.now - ago * HOUR, hard=hard)  # pyright: ignore[reportArgumentType] - drawn from _HARD
        case ("lost", SendOutcome() as outcome):
            play.lose(outcome)
        case ("again", _):
            twice = [action for action in play.live.values() if action.due_at <= play.now] * 2
            for action in twice:
                play.tell(Due(action.kind, action.node, action.visit, action.event, action.due_at))
        case ("repeat", int(which)):
            if play.signals:
                play.tell(play.signals[which % len(play.signals)])
        case _:
            play.tell(Halt(play.now, "operator", "halted"))
