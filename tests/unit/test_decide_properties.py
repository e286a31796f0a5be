"""Whatever plan compiles, and whatever happens to it: it ends, its audit replays, and nothing happens twice."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import EnrolmentStatus
from cadenza.engine.model import Due, Halt, SendOutcome
from cadenza.planning.compiled import MAX_VISITS, CompiledPlan
from cadenza.planning.compiler import compile_plan
from cadenza.planning.model import NodeAction, PlanEvent
from tests.unit.playing import DAY, EXAMPLES, HOUR, Play, on

NAMES = ("a", "b", "c", "d", "e")
DURATIONS = ("PT0S", "PT1H", "PT24H", "P1D", "P3D", "P1W")


@st.composite
def transitions(draw: st.DrawFn) -> dict[str, str]:
    """A transition between any two nodes."""
    event = draw(st.sampled_from(PlanEvent))
    bounds = ["none", "after"] if event.synthetic else ["none", "within", "after"]
    bound = draw(st.sampled_from(bounds))
    to = draw(st.sampled_from([*NAMES, "stop"]))
    return on(event, to) if bound == "none" else on(event, to, **{bound: draw(st.sampled_from(DURATIONS))})


@st.composite
def plans(draw: st.DrawFn) -> CompiledPlan:
    """A plan that compiles: any shape, loops included."""
    nodes: list[dict[str, object]] = []
    for name in NAMES:
        action = draw(st.sampled_from(NodeAction))
        node: dict[str, object] = {"id": name, "action": action}
        if action is not NodeAction.STOP:
            node["transitions"] = draw(st.lists(transitions(), max_size=4))
        if action is NodeAction.SEND:
            node |= {"subject": "s", "body": "b", "schedule": {"delay": draw(st.sampled_from(DURATIONS))}}
        nodes.append(node)
    result = compile_plan({"timezone": "Europe/Lisbon", "startNodeId": "a", "nodes": nodes})
    assume(result.plan is not None)
    assert result.plan is not None
    return result.plan


STEPS = st.one_of(
    st.tuples(st.just("pass"), st.integers(0, 100)),
    st.tuples(st.just("signal"), st.sampled_from(SignalKind), st.sampled_from(Grade), st.integers(0, 80)),
    st.tuples(st.just("old signal"), st.sampled_from(SignalKind), st.sampled_from(NAMES), st.integers(0, 80)),
    st.tuples(st.just("lost"), st.sampled_from(SendOutcome)),
    st.tuples(st.just("again"), st.just(0)),
)
HALT = st.just([("halt", 0)]) | st.just([])
TAPES = st.tuples(st.lists(STEPS, max_size=20), HALT, st.lists(STEPS, max_size=5)).map(
    lambda parts: [*parts[0], *parts[1], *parts[2]]
)


def play_tape(play: Play, tape: list[tuple[object, ...]]) -> None:
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
        case ("signal", SignalKind() as kind, Grade() as grade, int(ago)):
            play.signal(kind, at=play.now - ago * HOUR, grade=grade, hard=ago % 2 == 0)
        case ("old signal", SignalKind() as kind, str(node), int(ago)):
            play.signal(kind, node, at=play.now - ago * HOUR, hard=ago % 3 == 0)
        case ("lost", SendOutcome() as outcome):
            play.lose(outcome)
        case ("again", _):
            twice = [action for action in play.live.values() if action.due_at <= play.now] * 2
            for action in twice:
                play.tell(Due(action.kind, action.node, action.visit, action.event, action.due_at))
        case _:
            play.tell(Halt(play.now, "operator", "halted"))


@settings(max_examples=EXAMPLES, deadline=None)
@given(plan=plans(), tape=TAPES)
def test_every_enrolment_of_every_plan_ends(plan: CompiledPlan, tape: list[tuple[object, ...]]) -> None:
    """A campaign would never complete, or write to a person for ever."""
    play = Play(plan)
    play_tape(play, tape)
    play.run(timedelta(days=40) * MAX_VISITS)
    assert play.state.status not in (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)
    assert play.state.visit <= MAX_VISITS
    assert not play.live


@settings(max_examples=EXAMPLES, deadline=None)
@given(plan=plans(), tape=TAPES)
def test_no_visit_sends_twice(plan: CompiledPlan, tape: list[tuple[object, ...]]) -> None:
    """A person would get the same mail twice (I1), or mail after the end (I3)."""
    play = Play(plan)
    play_tape(play, tape)
    ended_at = None if play.state.status is EnrolmentStatus.ACTIVE else play.now
    play.run(60 * DAY)
    visits = [move.to_visit for move in play.moves if move.to_node]
    assert visits == list(range(1, len(visits) + 1))
    assert len(play.sent) <= sum(plan.nodes[name].action is NodeAction.SEND for name in play.way)
    if ended_at is not None:
        assert all(at <= ended_at for _, at in play.sent)


@settings(max_examples=EXAMPLES, deadline=None)
@given(plan=plans(), tape=TAPES)
def test_a_decision_is_a_function_of_its_arguments(plan: CompiledPlan, tape: list[tuple[object, ...]]) -> None:
    """The simulator would show another way than the one production takes."""
    one, other = Play(plan), Play(plan)
    play_tape(one, tape)
    play_tape(other, tape)
    assert (one.state, one.moves, one.live) == (other.state, other.moves, other.live)


@settings(max_examples=EXAMPLES, deadline=None)
@given(plan=plans(), hours=st.integers(0, 300), late=st.integers(0, 48), kind=st.sampled_from(SignalKind))
def test_a_late_timer_gives_the_way_that_a_punctual_one_gives(
    plan: CompiledPlan, hours: int, late: int, kind: SignalKind
) -> None:
    """Whether a timeout or an event wins would depend on how busy a queue is."""
    start = plan.nodes[plan.start]
    assume(start.action is NodeAction.SEND and start.transitions)
    punctual, tardy = Play(plan), Play(plan)
    for play in (punctual, tardy):
        play.run(play.due())
    occurred_at = punctual.now + hours * HOUR
    punctual.run(occurred_at - timedelta(microseconds=1))
    punctual.now = occurred_at
    punctual.signal(kind, plan.start, hard=True)
    tardy.now = occurred_at + late * HOUR
    tardy.signal(kind, plan.start, at=occurred_at, hard=True)
    tardy.run(tardy.now)
    punctual.run(tardy.now)
    # Later steps are counted from when each enrolment got there; the first one must be the same.
    assert tardy.way[:2] == punctual.way[:2]
