"""Whatever plan compiles, and whatever happens to it: it ends, its audit replays, and nothing happens twice."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import EnrolmentStatus
from cadenza.engine.decide import decide
from cadenza.engine.model import Signal, Suppress, Verdict
from cadenza.planning.compiled import MAX_VISITS, CompiledPlan
from cadenza.planning.graph import bounds
from cadenza.planning.model import NodeAction
from tests.unit.playing import DAY, HOUR, MONDAY, Play
from tests.unit.properties import TAPES, Tape, plans, play_tape

ACTIVE = EnrolmentStatus.ACTIVE
SUPPRESSES = {
    SignalKind.UNSUBSCRIBED: "unsubscribed",
    SignalKind.COMPLAINED: "complained",
    SignalKind.BOUNCED: "hard bounce",
}

EVENTS = st.tuples(
    st.sampled_from(SignalKind), st.sampled_from(Grade), st.integers(0, 80), st.sampled_from([None, True, False])
)


def played(plan: CompiledPlan, tape: Tape) -> Play:
    """An enrolment to which everything on the tape has happened."""
    play = Play(plan)
    play_tape(play, tape)
    return play


@given(plan=plans(), tape=TAPES)
def test_every_enrolment_of_every_plan_ends_within_the_compilers_bounds(plan: CompiledPlan, tape: Tape) -> None:
    """A campaign would never complete, or write to a person more often or for longer than its author was told."""
    play = played(plan, tape)
    play.run(timedelta(days=60) * MAX_VISITS)
    assert play.state.status not in (EnrolmentStatus.DRAFT, ACTIVE)
    assert not play.live
    limits = bounds(plan.nodes)
    assert len(play.sent) <= limits.sends
    assert play.state.visit <= limits.visits <= MAX_VISITS
    # Legal hours put a text off by a night; a day is now and then an hour longer than 24.
    assert play.moves[-1].at - play.moves[0].at <= limits.lasts + (11 + 1) * HOUR * limits.visits


@given(plan=plans(), tape=TAPES)
def test_no_visit_sends_twice(plan: CompiledPlan, tape: Tape) -> None:
    """A person would get the same mail twice (I1), or mail after the end (I3)."""
    play = played(plan, tape)
    ended_at = None if play.state.status is ACTIVE else play.now
    play.run(60 * DAY)
    visits = [move.to_visit for move in play.moves if move.to_node]
    assert visits == list(range(1, len(visits) + 1))
    assert len(play.sent) <= sum(plan.nodes[name].action is NodeAction.SEND for name in play.way)
    if ended_at is not None:
        assert all(at <= ended_at for _, at in play.sent)


@given(plan=plans(), tape=TAPES)
def test_the_audit_is_contiguous_and_replays(plan: CompiledPlan, tape: Tape) -> None:
    """Nobody could tell from the audit how an enrolment came to where it is (I5). `Play` replays every decision."""
    play = played(plan, tape)
    assert [move.seq for move in play.moves] == list(range(1, play.state.seq + 1))
    for one, other in zip(play.moves, play.moves[1:], strict=False):
        assert (other.from_node, other.from_visit) == (one.to_node or one.from_node, one.to_visit)
        assert one.at <= other.at
    assert [move for move in play.moves if not move.to_node] == play.moves[-1:] * (play.state.status is not ACTIVE)
    assert all(move.cause and move.rule for move in play.moves)


@given(plan=plans(), tape=TAPES)
def test_a_decision_is_a_function_of_its_arguments(plan: CompiledPlan, tape: Tape) -> None:
    """The simulator would show another way than the one production takes."""
    one, other = played(plan, tape), played(plan, tape)
    assert (one.state, one.moves, one.live) == (other.state, other.moves, other.live)


@given(plan=plans(), tape=TAPES, more=TAPES)
def test_nothing_follows_the_end_but_a_suppression(plan: CompiledPlan, tape: Tape, more: Tape) -> None:
    """A late event would revive an enrolment that people think is over."""
    play = played(plan, [*tape, ("halt", 0)])
    ended, sent, moves = play.state, list(play.sent), list(play.moves)
    assert ended.status is not ACTIVE
    play_tape(play, more)
    play.run(60 * DAY)
    assert (play.state, play.sent, play.moves, play.live) == (ended, sent, moves, {})


@given(plan=plans(start=NodeAction.SEND), events=st.lists(EVENTS, min_size=1, max_size=4))
def test_an_event_counts_once(plan: CompiledPlan, events: list[tuple[SignalKind, Grade, int, bool | None]]) -> None:
    """A provider that reports an open twice would move a person two steps (I6)."""
    play = Play(plan)
    play.run(play.due())
    for kind, grade, ago, hard in events:
        play.signal(kind, "a", at=play.now - ago * HOUR, grade=grade, hard=hard)
        state, live, moves = play.state, dict(play.live), list(play.moves)
        again = play.tell(play.signals[-1])
        assert not again.moves
        assert all(isinstance(effect, Suppress) for effect in again.effects)
        assert (play.state, play.live, play.moves) == (state, live, moves)


@given(plan=plans(), tape=TAPES, kind=st.sampled_from([SignalKind.OPENED, SignalKind.CLICKED, SignalKind.REPLIED]))
def test_what_machines_do_moves_nothing_and_stops_no_timer(plan: CompiledPlan, tape: Tape, kind: SignalKind) -> None:
    """A mail scanner would walk people through the campaign, or pass for a reader."""
    plain, scanned = played(plan, tape), played(plan, tape)
    for grade in (Grade.MACHINE, Grade.LIKELY_MACHINE):
        decision = scanned.signal(kind, grade=grade)
        assert decision.verdict in (Verdict.MACHINE, Verdict.ENDED)
        assert not decision.moves
        assert not decision.effects
    plain.run(100 * DAY)
    scanned.run(100 * DAY)
    assert (scanned.way, scanned.sent) == (plain.way, plain.sent)
    assert scanned.state.status is plain.state.status


@given(
    plan=plans(),
    tape=TAPES,
    enrolled=st.booleans(),
    kind=st.sampled_from(SignalKind),
    hard=st.sampled_from([None, True, False]),
    grade=st.sampled_from(Grade),
    about=st.sampled_from(["a", "b", "nowhere"]),
)
def test_an_objection_always_suppresses(
    plan: CompiledPlan, tape: Tape, *, enrolled: bool, kind: SignalKind, hard: bool | None, grade: Grade, about: str
) -> None:
    """Who unsubscribes, complains or has no mailbox would be in the next campaign: wherever this one is, it says so."""
    play = played(plan, tape) if enrolled else Play(plan, enrol=False)
    decision = play.signal(kind, about, hard=hard, grade=grade, at=play.now - 9 * DAY)
    expected = SUPPRESSES.get(kind) if kind is not SignalKind.BOUNCED or hard else None
    suppressed = [effect.reason for effect in decision.effects if isinstance(effect, Suppress)]
    assert suppressed == ([expected] if expected else [])
    if (expected or (kind is SignalKind.REPLIED and grade is Grade.HUMAN)) and play.state.status is ACTIVE:
        assert decision.moves, "only a way of the plan's own may keep it from ending"
        assert any(move.rule.startswith("transitions/") for move in decision.moves)


@given(
    plan=plans(start=NodeAction.SEND),
    hours=st.integers(0, 300),
    late=st.integers(0, 48),
    kind=st.sampled_from(SignalKind),
)
def test_a_late_timer_gives_the_way_that_a_punctual_one_gives(
    plan: CompiledPlan, hours: int, late: int, kind: SignalKind
) -> None:
    """Whether a timeout or an event wins would depend on how busy a queue is."""
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


@given(
    plan=plans(start=NodeAction.SEND),
    kinds=st.lists(
        st.sampled_from([kind for kind in SignalKind if kind not in SUPPRESSES and kind is not SignalKind.REPLIED]),
        min_size=2,
        max_size=4,
    ),
    order=st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_of_what_moves_nothing_is_forgotten(
    plan: CompiledPlan, kinds: list[SignalKind], order: object
) -> None:
    """What is known of a message would depend on which queue was faster; a timer would fire for one and not another."""
    play = Play(plan)
    play.run(play.due())
    told = [Signal(99 + count, kind, "a", 1, MONDAY + count * HOUR) for count, kind in enumerate(kinds)]
    play.now += 10 * HOUR
    shuffled = list(told)
    order.shuffle(shuffled)
    states = []
    for signals in (told, shuffled):
        state = play.state
        for signal in signals:
            decision = decide(plan, state, signal, play.rules, play.now)
            if decision.moves:
                return
            state = decision.state
        states.append(state)
    assert states[0] == states[1]


@given(plan=plans(), tape=TAPES, kind=st.sampled_from(SignalKind), ago=st.integers(1, 500))
def test_a_late_event_never_rewinds(plan: CompiledPlan, tape: Tape, kind: SignalKind, ago: int) -> None:
    """A reminder that has been sent would be sent again because the open before it was reported late."""
    play = played(plan, tape)
    before = play.state
    decision = play.signal(kind, plan.start, at=play.now - ago * HOUR, hard=False)
    assert play.state.visit >= before.visit
    assert play.state.seq >= before.seq
    if decision.verdict in (Verdict.LATE, Verdict.STALE, Verdict.ENDED):
        assert replace(play.state, message=before.message) == before
        assert not decision.effects or kind in SUPPRESSES
