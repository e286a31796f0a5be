"""What lies ahead of an enrolment: the same by the group that it is counted in as by its own rows."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import given

from cadenza.core.states import EnrolmentStatus
from cadenza.engine.matching import by_person
from cadenza.engine.model import SendingRules, State
from cadenza.figures.ahead import Stand, from_draft, from_rows, from_stand, play
from cadenza.planning.compiled import CompiledPlan, DailyWindow
from tests.unit.playing import DAY, HOUR, MONDAY, Play, on, plan_of, send, stop, wait
from tests.unit.properties import TAPES, Tape, play_step, runnable, sources

DRAFT = State(EnrolmentStatus.DRAFT)
# Where no clock changes: a day and 24 hours are then always in the same order.
PLANS = sources().map(lambda source: source | {"timezone": "UTC"}).map(runnable)

THREE = plan_of(
    send("one", on("opened", "look"), on("no_open", "two", after="P3D")),
    wait("look", on("clicked", "end"), on("no_click", "four", after="P1D")),
    send("two", on("no_reply", "three", after="P3D"), schedule={"delay": "PT2H"}),
    send("three", on("no_reply", "end", after="P3D")),
    send("four", on("no_reply", "end", after="P3D")),
    stop(),
)


def stand_of(state: State) -> Stand:
    """Where an enrolment stands, as the rows say it."""
    message = state.message
    written = state.anchor_at is not None or (message is not None and message.visit == state.visit)
    events = message.events if message is not None else ()
    heard = frozenset((one.kind.value, one.hard) for one in events if by_person(one.kind, one.grade))
    return Stand(state.node, state.visit, written, heard)


@given(plan=PLANS, tape=TAPES)
def test_a_group_has_as_much_ahead_as_each_of_its_members(plan: CompiledPlan, tape: Tape) -> None:
    """If it failed, a campaign would say that it has more or fewer mails to send than it will."""
    enrolment = Play(plan)
    for step in tape:
        play_step(enrolment, step)
        if enrolment.state.status is EnrolmentStatus.ACTIVE:
            live = list(enrolment.live.values())
            own = play(from_rows(plan, enrolment.state, live, SendingRules(), enrolment.now))
            group = play(from_stand(plan, stand_of(enrolment.state)))
            assert [one.node for one in group] == [one.node for one in own]


@given(plan=PLANS)
def test_what_is_ahead_is_what_comes(plan: CompiledPlan) -> None:
    """If it failed, a schedule would promise mails that never go, or at another time than they do."""
    foretold = play(from_draft(plan, DRAFT, SendingRules(), MONDAY))
    enrolment = Play(plan)
    enrolment.run(timedelta(days=6000))
    assert [(one.node, one.planned_at) for one in foretold] == enrolment.sent
    assert len(play(from_stand(plan, Stand()))) == len(foretold)


def test_instants_keep_the_windows_and_say_why() -> None:
    """If it failed, an operator would be shown a mail on a Sunday that goes on Monday."""
    rules = SendingRules(
        working_hours=DailyWindow(MONDAY.time(), (MONDAY + 8 * HOUR).time()), working_days=frozenset({1})
    )
    first, second, third = play(from_draft(THREE, DRAFT, rules, MONDAY + DAY))
    assert (first.node, first.planned_at) == ("one", MONDAY + 7 * DAY)
    assert (second.node, second.planned_at) == ("two", MONDAY + 14 * DAY)
    assert second.why[0].startswith("delay PT2H → ")
    assert (third.node, third.planned_at) == ("three", MONDAY + 21 * DAY)


def test_what_somebody_did_changes_what_is_ahead() -> None:
    """If it failed, a person who has opened would still be counted in for the reminder."""
    opened = Stand("look", 2, True, frozenset({("opened", None)}))
    assert [one.node for one in play(from_stand(THREE, opened))] == ["four"]
    answered = Stand("one", 1, True, frozenset({("opened", None)}))
    assert play(from_stand(THREE, answered)) == []
    unsent, sent = Stand("two", 2), Stand("two", 2, True)
    assert [one.node for one in play(from_stand(THREE, unsent))] == ["two", "three"]
    assert [one.node for one in play(from_stand(THREE, sent))] == ["three"]
    assert play(from_stand(THREE, Stand("end", 4))) == []


def test_a_message_that_is_under_way_counts_from_when_it_may_go() -> None:
    """If it failed, everything after a mail that a cap puts off would be shown too early."""
    enrolment = Play(THREE, sends=False)
    enrolment.run(HOUR)
    assert enrolment.queued
    world = from_rows(THREE, enrolment.state, [], SendingRules(), enrolment.now, MONDAY + 5 * DAY)
    assert [one.planned_at for one in play(world)] == [MONDAY + 8 * DAY + 2 * HOUR, MONDAY + 11 * DAY + 2 * HOUR]
