"""The state machine by example: nodes, timers, and how enrolments end. Sentence by sentence: `test_section4`."""

from __future__ import annotations

import pytest

from cadenza.core.ids import EventId
from cadenza.core.messages import SignalKind
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.engine.decide import decide, replay
from cadenza.engine.model import (
    DailyWindow,
    Due,
    Enrol,
    Halt,
    Move,
    QueueMessage,
    ScheduleAction,
    SendingRules,
    SendOutcome,
    Sent,
    Signal,
    State,
    Verdict,
)
from cadenza.planning.compiled import HORIZON, MAX_VISITS
from tests.unit.playing import DAY, HOUR, MONDAY, Play, on, plan_of, send, stop, wait

ACTIVE, COMPLETED = EnrolmentStatus.ACTIVE, EnrolmentStatus.COMPLETED
STOPPED, FAILED = EnrolmentStatus.STOPPED, EnrolmentStatus.FAILED

FOLLOW_UP = plan_of(
    send("intro", on("opened", "listen", within="PT72H"), on("no_open", "bump", after="PT72H")),
    wait("listen", on("clicked", "end", within="PT24H"), on("no_click", "bump", after="PT24H")),
    send("bump"),
    stop(),
)


def test_enrolling_enters_the_start_node_and_schedules_its_send() -> None:
    """A campaign would start and nothing would be sent."""
    play = Play(plan_of(send("a", schedule={"delay": "P1D"})))
    assert (play.state.status, play.state.node, play.state.visit) == (ACTIVE, "a", 1)
    assert play.due() == MONDAY + DAY
    assert [(move.cause, move.seq) for move in play.moves] == [("enrolled", 1)]
    assert play.tell(Enrol()).verdict is Verdict.RECORDED


def test_a_draft_that_waits_for_approval_does_not_begin_and_can_be_ended() -> None:
    """What nobody has looked at would be sent, or could not be stopped."""
    plan, waits = plan_of(send("a")), State(EnrolmentStatus.DRAFT, approved=False)
    begun = decide(plan, waits, Enrol(), SendingRules(), MONDAY)
    assert (begun.state, begun.moves, begun.effects) == (waits, (), ())
    ended = decide(plan, waits, Halt(MONDAY, "rejected", "no"), SendingRules(), MONDAY)
    assert (ended.state.status, ended.state.approved, ended.effects) == (STOPPED, False, ())


def test_a_send_nodes_clock_starts_when_its_message_was_sent() -> None:
    """A reminder would follow a mail that had waited in a queue after hours instead of days."""
    play = Play(FOLLOW_UP, sends=False)
    play.run(HOUR)
    assert [(queued.node, queued.visit) for queued in play.queued] == [("intro", 1)]
    play.run(5 * HOUR)
    assert not play.live
    play.deliver("intro", 1)
    assert play.due("no_open") == MONDAY + 6 * HOUR + 3 * DAY


def test_a_wait_nodes_clock_starts_when_it_was_entered() -> None:
    """A contact who opens late would have no time left to click."""
    play = Play(FOLLOW_UP)
    play.run(2 * DAY)
    play.signal(SignalKind.OPENED)
    assert play.state.node == "listen"
    assert play.due("no_click") == MONDAY + 3 * DAY


def test_a_timeout_fires_at_the_anchor_plus_its_duration() -> None:
    """A reminder would come early, late or never."""
    play = Play(FOLLOW_UP)
    play.run(3 * DAY - HOUR)
    assert play.way == ["intro"]
    play.run(HOUR)
    assert play.way == ["intro", "bump"]
    assert play.sent == [("intro", MONDAY), ("bump", MONDAY + 3 * DAY)]
    assert play.moves[1].rule == "transitions/1: no_open after PT72H"


def test_timers_are_exact_while_sends_keep_to_windows() -> None:
    """Silence would be counted by office hours, or mail sent at night."""
    plan = plan_of(
        send("a", on("no_open", "b", after="PT12H")), send("b"), quietHours={"start": "20:00", "end": "08:00"}
    )
    play = Play(plan)
    play.run(12 * HOUR)
    assert play.moves[-1].at == MONDAY + 12 * HOUR
    assert play.state.node == "b"
    assert play.due() == MONDAY + 23 * HOUR


def test_a_synthetic_transition_without_a_time_takes_the_plans_default() -> None:
    """A plan that leaves the timers to its defaults would wait for ever."""
    node = send("a", on("no_open", "end"), on("no_click", "end"))
    play = Play(plan_of(node, stop(), defaults={"timers": {"no_open_after": "P5D"}}))
    play.run(HOUR)
    assert play.due("no_open") == MONDAY + 5 * DAY
    assert play.due("no_click") == MONDAY + DAY


def test_a_send_node_without_transitions_completes_once_its_message_is_sent() -> None:
    """A campaign would be called complete with mail unsent, or never."""
    play = Play(plan_of(send("a")), sends=False)
    play.run(HOUR)
    assert play.state.status is ACTIVE
    play.deliver("a", 1)
    assert (play.state.status, play.state.reason) == (COMPLETED, "node a has no transitions")


def test_a_wait_node_without_transitions_completes_at_once() -> None:
    """An enrolment would stay in a node that nothing leads out of."""
    play = Play(plan_of(wait("a")))
    assert play.state.status is COMPLETED


def test_a_stop_node_completes_the_enrolment() -> None:
    """A plan's own end would be reported as somebody's interference."""
    play = Play(FOLLOW_UP)
    play.run(HOUR)
    play.signal(SignalKind.OPENED)
    play.signal(SignalKind.CLICKED)
    assert (play.state.status, play.state.node, play.state.reason) == (COMPLETED, "end", "stop node end")
    assert not play.live


def test_stop_is_an_end_where_no_node_is_called_so() -> None:
    """Plans of the original system would be refused, or run into a node that does not exist."""
    play = Play(plan_of(send("a", on("opened", "stop"))))
    play.run(HOUR)
    play.signal(SignalKind.OPENED)
    assert (play.state.status, play.state.node, play.state.reason) == (COMPLETED, "a", "stop")


def test_a_node_that_only_waits_for_events_expires_when_the_last_can_no_longer_match() -> None:
    """An enrolment, and with it its campaign, would stay active for ever."""
    play = Play(plan_of(send("a", on("opened", "end", within="P2D"), on("clicked", "end", within="P5D")), stop()))
    play.run(HOUR)
    assert play.due("expired") == MONDAY + 5 * DAY
    play.run(5 * DAY)
    assert (play.state.status, play.state.reason) == (COMPLETED, "expired")


def test_an_event_without_a_bound_is_waited_for_until_the_horizon() -> None:
    """An enrolment would wait for an open for ever, or not at all."""
    play = Play(plan_of(send("a", on("opened", "end")), stop()))
    play.run(HOUR)
    assert play.due("expired") == MONDAY + HORIZON


def test_a_stopped_timeout_leaves_the_node_to_its_expiry() -> None:
    """A contact who opened, in a plan that only acts on silence, would keep the campaign open for ever."""
    plan = plan_of(send("a", on("no_open", "b", after="P1D"), on("clicked", "b", within="P3D")), send("b"))
    play = Play(plan)
    play.run(HOUR)
    play.signal(SignalKind.OPENED)
    play.run(DAY)
    assert play.way == ["a"]
    assert play.due("expired") == MONDAY + 3 * DAY
    only_silence = Play(plan_of(send("a", on("no_open", "b", after="P1D")), send("b")))
    only_silence.run(HOUR)
    only_silence.signal(SignalKind.OPENED)
    only_silence.run(DAY)
    assert (only_silence.state.status, only_silence.state.reason) == (COMPLETED, "expired")


def test_a_move_cancels_what_was_live_and_withdraws_what_was_queued() -> None:
    """A reminder would follow an answer, or a mail leave after its enrolment has gone on."""
    play = Play(FOLLOW_UP)
    play.run(3 * DAY)
    assert play.sent[-1][0] == "bump"
    held = Play(FOLLOW_UP, sends=False)
    held.run(HOUR)
    held.tell(Halt(held.now, "operator", "asked by phone"))
    assert (held.state.status, held.state.reason) == (STOPPED, "asked by phone")
    assert [withdrawn.visit for withdrawn in held.withdrawn] == [1]
    assert not held.queued
    assert not held.live


def test_a_send_that_comes_late_waits_for_the_next_window() -> None:
    """After an outage, mail would leave at night because it had been due by day."""
    rules = SendingRules(working_hours=DailyWindow(MONDAY.time(), MONDAY.replace(hour=17).time()))
    play = Play(plan_of(send("a")), rules=rules)
    due = Due(ActionKind.SEND, "a", 1, "", MONDAY)
    play.now = MONDAY + 9 * HOUR
    play.live.clear()
    decision = play.tell(due)
    [again] = decision.effects
    assert decision.verdict is Verdict.ACTED
    assert isinstance(again, ScheduleAction)
    assert again.due_at == MONDAY + DAY
    play.run(DAY)
    assert play.sent == [("a", MONDAY + DAY)]


def test_a_due_send_is_queued_once() -> None:
    """A repeated queue message would send the mail twice (I1)."""
    play = Play(FOLLOW_UP, sends=False)
    due = Due(ActionKind.SEND, "intro", 1, "", MONDAY)
    [queued] = play.tell(due).effects
    assert queued == QueueMessage("intro", 1, None)
    assert play.tell(due).effects == ()
    play.deliver("intro", 1)
    assert play.tell(due).effects == ()
    assert play.tell(Sent("intro", 1, play.now)).effects == ()


@pytest.mark.parametrize(
    ("outcome", "status", "reason"),
    [
        (SendOutcome.SKIPPED, STOPPED, "suppressed"),
        (SendOutcome.REJECTED, FAILED, "suppressed"),
        (SendOutcome.UNKNOWN, FAILED, "unknown"),
    ],
)
def test_a_message_that_is_not_sent_ends_the_enrolment(outcome: SendOutcome, status: str, reason: str) -> None:
    """An enrolment would wait for answers to a mail that nobody got."""
    play = Play(FOLLOW_UP, sends=False)
    play.run(HOUR)
    play.lose(outcome, "suppressed")
    assert (play.state.status, play.state.reason) == (status, reason)
    assert not play.withdrawn


def test_a_plan_may_route_a_failed_message() -> None:
    """The text message that should replace an undeliverable mail would never be sent."""
    play = Play(plan_of(send("a", on("failed", "b")), send("b", channel="sms")), sends=False)
    play.run(HOUR)
    play.lose(SendOutcome.REJECTED, "no such domain")
    assert (play.state.status, play.state.node) == (ACTIVE, "b")
    assert (play.moves[-1].cause, play.moves[-1].rule) == ("rejected", "transitions/0: failed")


def test_no_window_in_sight_fails_the_enrolment() -> None:
    """An enrolment whose windows never open would stay active, and nobody would know why."""
    hours = DailyWindow(MONDAY.time(), MONDAY.replace(hour=10).time())
    play = Play(
        plan_of(send("a"), quietHours={"start": "08:00", "end": "12:00"}), rules=SendingRules(working_hours=hours)
    )
    assert (play.state.status, play.state.reason) == (FAILED, "no sending window ever opens")


def test_an_enrolment_enters_a_bounded_number_of_nodes() -> None:
    """A plan that goes round would write to a person for ever."""
    play = Play(plan_of(send("a", on("no_open", "a", after="PT1H"))))
    play.run(365 * DAY)
    assert (play.state.status, play.state.reason) == (FAILED, "too many steps")
    assert play.state.visit == MAX_VISITS


def test_nothing_happens_to_an_ended_enrolment() -> None:
    """A late event would revive an enrolment that people think is over."""
    play = Play(plan_of(send("a")))
    play.run(HOUR)
    ended = play.state
    for stimulus in (
        Enrol(),
        Due(ActionKind.SEND, "a", 1, "", MONDAY),
        Sent("a", 1, MONDAY),
        Halt(MONDAY, "operator", "x"),
        Signal(EventId(1), SignalKind.REPLIED, "a", 1, MONDAY),
    ):
        decision = play.tell(stimulus)
        assert (decision.verdict, decision.state, decision.effects) == (Verdict.ENDED, ended, ())


def test_a_draft_waits_for_its_enrolment() -> None:
    """A plan that nobody has approved would begin to run."""
    play = Play(FOLLOW_UP, enrol=False)
    assert play.tell(Due(ActionKind.SEND, "intro", 1, "", MONDAY)).verdict is Verdict.STALE
    play.tell(Halt(MONDAY, "operator", "rejected"))
    assert play.state.status is STOPPED
    assert decide(FOLLOW_UP, play.state, Enrol(), SendingRules(), MONDAY).verdict is Verdict.ENDED


def test_the_audit_replays_to_the_current_node() -> None:
    """Nobody could tell from the audit how an enrolment came to where it is (I5)."""
    play = Play(FOLLOW_UP)
    play.run(4 * DAY)
    assert replay(play.moves) == (play.state.node, play.state.status)
    assert replay([]) == ("", EnrolmentStatus.DRAFT)
    gap: list[Move] = [play.moves[0], *play.moves[2:]]
    with pytest.raises(ValueError, match="audit row 3"):
        replay(gap)
    assert State(EnrolmentStatus.DRAFT).seq == 0
