"""An enrolment goes on in another plan: where, with which clock, and when not."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from msgspec.structs import replace

from cadenza.core.ids import EventId, MessageId, new_id
from cadenza.core.messages import SignalKind
from cadenza.core.states import ActionKind, EnrolmentStatus, MessageStatus
from cadenza.engine.decide import replay
from cadenza.engine.model import (
    CancelActions,
    LastMessage,
    Move,
    QueueMessage,
    ScheduleAction,
    SeenEvent,
    SendingRules,
    State,
    WithdrawMessage,
)
from cadenza.engine.rebase import CannotMove, OpenMessage, Rebased, rebase
from cadenza.planning.compiled import MAX_VISITS, CompiledPlan
from cadenza.planning.model import NodeAction
from tests.unit.playing import DAY, HOUR, MONDAY, Play, on, plan_of, send, stop, wait
from tests.unit.properties import TAPES, Source, Tape, plans, play_step, play_tape, runnable, sources

MESSAGE = MessageId(new_id())
RULES = SendingRules()

OLD = plan_of(send("a", on("no_open", "b", after="P3D")), send("b"), stop())


def active(node: str = "a", visit: int = 1, **given: Any) -> State:
    """An enrolment that entered its node on Monday."""
    defaults = {"entered_at": MONDAY, "seq": visit}
    return State(EnrolmentStatus.ACTIVE, node, visit, **(defaults | given))


def sent(*events: SeenEvent) -> State:
    """An enrolment whose mail of node ``a`` went out on Monday."""
    message = LastMessage(MESSAGE, "a", 1, MONDAY, True, events)
    return active(anchor_at=MONDAY, message=message)


def queued(status: MessageStatus = MessageStatus.QUEUED, due_at: datetime = MONDAY) -> OpenMessage:
    return OpenMessage(MESSAGE, status, due_at)


WAITING = active(message=LastMessage(MESSAGE, "a", 1))
"""Its mail is in the outbox."""


def go(new: CompiledPlan, state: State, now: datetime = MONDAY + HOUR, **given: Any) -> Rebased:
    found = rebase(given.pop("old", OLD), new, state, given.pop("rules", RULES), now, given.pop("map", {}), **given)
    assert isinstance(found, Rebased), found
    return found


def refused(new: CompiledPlan, state: State, **given: Any) -> str:
    node_map = given.pop("map", {})
    found = rebase(given.pop("old", OLD), new, state, RULES, MONDAY + HOUR, node_map, **given)
    assert isinstance(found, CannotMove), found
    return found.reason


def started(found: Rebased) -> dict[str, datetime]:
    """What is scheduled, by its event ("" is the send)."""
    return {effect.event: effect.due_at for effect in found.decision.effects if isinstance(effect, ScheduleAction)}


# --- where it goes on --------------------------------------------------------------------------------------------


def test_it_stays_in_its_node_with_its_visit_and_its_clock():
    """Broken, a migration would send people back to the start, and write to them again."""
    new = plan_of(send("a", on("no_open", "b", after="P5D")), send("b"))
    state = sent()
    decision = go(new, state).decision
    assert decision.state == replace(state, seq=2)
    assert decision.moves == (
        Move(
            seq=2,
            from_node="a",
            from_visit=1,
            to_node="a",
            to_visit=1,
            to_status=EnrolmentStatus.ACTIVE,
            cause="migrated",
            rule=f"engine: plan {OLD.hash[:8]} → {new.hash[:8]}",
            event_id=None,
            at=MONDAY + HOUR,
        ),
    )
    assert decision.effects[0] == CancelActions(1, "migrated")


def test_a_node_with_a_new_name_takes_over_when_it_is_mapped():
    """Broken, nobody could be moved to a plan in which a step was renamed."""
    new = plan_of(send("first", on("no_open", "b", after="P5D")), send("b"))
    decision = go(new, sent(), map={"a": "first"}).decision
    assert (decision.state.node, decision.state.visit, decision.state.anchor_at) == ("first", 1, MONDAY)
    (timer,) = [effect for effect in decision.effects if isinstance(effect, ScheduleAction)]
    assert (timer.node, timer.visit, timer.due_at) == ("first", 1, MONDAY + 5 * DAY)


def test_a_node_that_is_missing_needs_a_map():
    """Broken, people would end up in a step that does not exist."""
    assert "map 'a' to one" in refused(plan_of(send("first")), sent())


@pytest.mark.parametrize(
    ("node", "why"),
    [
        (wait("a", on("no_open", "end", after="P1D")), "is a wait node"),
        (send("a", channel="sms"), "by sms"),
    ],
)
def test_another_kind_of_node_takes_nothing_over(node: dict[str, object], why: str):
    """Broken, an enrolment would wait for a mail that its node does not send."""
    assert why in refused(plan_of(node, stop()) if node["action"] == "wait" else plan_of(node), sent())


def test_the_same_plan_changes_nothing():
    """Broken, migrating twice would cancel and start everything again."""
    assert "already" in refused(OLD, sent())


@pytest.mark.parametrize("status", [EnrolmentStatus.COMPLETED, EnrolmentStatus.STOPPED, EnrolmentStatus.FAILED])
def test_what_has_ended_stays_ended(status: EnrolmentStatus):
    """Broken, a migration would bring people back who replied or opted out."""
    new = plan_of(send("a"))
    assert f"ended: {status}, replied" in refused(new, replace(sent(), status=status, reason="replied"))


def test_a_draft_begins_in_the_new_plan():
    """Broken, who was planned before the start could not be moved, or would have a history before the first step."""
    state = State(EnrolmentStatus.DRAFT)
    decision = go(plan_of(send("other")), state).decision
    assert (decision.state, decision.moves, decision.effects) == (state, (), ())


# --- timers ------------------------------------------------------------------------------------------------------


def test_timers_count_from_the_same_instant():
    """Broken, everybody's waiting would begin anew with a migration."""
    new = plan_of(send("a", on("no_open", "b", after="P5D"), on("no_reply", "b", after="P9D")), send("b"))
    assert started(go(new, sent())) == {"no_open": MONDAY + 5 * DAY, "no_reply": MONDAY + 9 * DAY}


def test_a_timer_whose_instant_has_passed_is_due_at_once_and_once():
    """Broken, shortening a wait would do nothing, or write twice to those who waited longer."""
    new = plan_of(send("a", on("no_open", "b", after="PT1H")), send("b", on("no_open", "end", after="P9D")), stop())
    found = go(new, sent(), MONDAY + DAY)
    assert started(found) == {"no_open": MONDAY + HOUR}
    play = Play(new, MONDAY + DAY, enrol=False)
    play.moves = [Move(1, "", 0, "a", 1, EnrolmentStatus.ACTIVE, "enrolled", "", None, MONDAY), *found.decision.moves]
    play.state = found.decision.state
    play.live = {
        (effect.node, effect.visit, effect.kind, effect.event): effect
        for effect in found.decision.effects
        if isinstance(effect, ScheduleAction)
    }
    play.run(2 * DAY)
    assert play.sent == [("b", MONDAY + DAY)]


def test_what_was_recorded_stops_the_timers_that_it_answers_and_moves_nothing():
    """Broken, who opened would be asked why not; or everybody who once opened would get a mail at the migration."""
    opened = SeenEvent(EventId(1), SignalKind.OPENED, MONDAY + HOUR)
    new = plan_of(
        send("a", on("opened", "b"), on("no_open", "b", after="P5D"), on("no_reply", "b", after="P9D")), send("b")
    )
    found = go(new, sent(opened), MONDAY + DAY)
    assert found.decision.state.node == "a"
    assert started(found) == {"no_reply": MONDAY + 9 * DAY}


def test_a_wait_node_goes_on_waiting():
    """Broken, only people in send nodes could be moved."""
    old = plan_of(send("a", on("delivered", "w")), wait("w", on("no_open", "b", after="P3D")), send("b"))
    new = plan_of(send("a", on("delivered", "w")), wait("w", on("no_open", "b", after="P4D")), send("b"))
    state = active("w", 2, anchor_at=MONDAY, message=LastMessage(MESSAGE, "a", 1, MONDAY, True))
    assert started(go(new, state, old=old)) == {"no_open": MONDAY + 4 * DAY}


def test_a_node_that_leads_nowhere_any_more_ends_it():
    """Broken, it would stay open for ever, and its campaign with it."""
    decision = go(plan_of(send("a")), sent()).decision
    assert (decision.state.status, decision.state.seq) == (EnrolmentStatus.COMPLETED, 3)
    assert [move.cause for move in decision.moves] == ["migrated", "expired"]
    enrolled = Move(1, "", 0, "a", 1, EnrolmentStatus.ACTIVE, "enrolled", "", None, MONDAY)
    assert replay([enrolled, *decision.moves]) == ("a", EnrolmentStatus.COMPLETED)
    assert [type(effect) for effect in decision.effects] == [CancelActions]


# --- sends -------------------------------------------------------------------------------------------------------


def delayed(delay: str, **fields: object) -> CompiledPlan:
    return plan_of(send("a", schedule={"delay": delay}), **fields)


def test_a_send_that_is_not_queued_falls_when_the_new_plan_says_from_the_same_entry():
    """Broken, a changed delay would count from the migration, or be ignored."""
    assert started(go(delayed("P2D"), active(), old=delayed("P4D"))) == {"": MONDAY + 2 * DAY}


def test_a_send_whose_time_has_passed_goes_as_soon_as_its_windows_allow():
    """Broken, it would go at night, or be put into the past."""
    new = delayed("PT1H", quietHours={"start": "20:00", "end": "08:00"})
    (action,) = [
        effect
        for effect in go(new, active(), MONDAY + 12 * HOUR, old=delayed("P4D")).decision.effects
        if isinstance(effect, ScheduleAction)
    ]
    assert action.due_at == MONDAY + 23 * HOUR
    assert action.why[-1].startswith("quiet hours")
    assert "passed: as soon as it may" in action.why


def test_a_queued_message_stays_queued_and_keeps_its_place():
    """Broken, it would be sent twice, or never."""
    new = plan_of(send("a", on("no_open", "b", after="P5D")), send("b"))
    found = go(new, WAITING, message=queued())
    assert found.window is not None
    assert (found.window.message_id, found.window.due_at, found.window.closes_at) == (MESSAGE, MONDAY, None)
    assert found.decision.effects == (CancelActions(1, "migrated"),)
    assert found.decision.state.message == WAITING.message


def test_a_queued_message_waits_for_the_new_windows():
    """Broken, it would go during the quiet hours that the new plan was written for (I7)."""
    new = plan_of(send("a", on("no_open", "b")), send("b"), quietHours={"start": "09:30", "end": "12:00"})
    found = go(new, WAITING, message=queued())
    assert found.window is not None
    assert (found.window.due_at, found.window.closes_at) == (MONDAY + 3 * HOUR, MONDAY + DAY + HOUR / 2)


def test_a_queued_message_of_a_renamed_node_is_withdrawn_and_sent_anew():
    """Broken, its outcome would be looked for under the old name, and the enrolment would stand still."""
    new = plan_of(send("first", schedule={"delay": "P1D"}))
    found = go(new, WAITING, map={"a": "first"}, message=queued())
    assert found.window is None
    assert found.decision.effects[:2] == (CancelActions(1, "migrated"), WithdrawMessage(1, "migrated"))
    assert started(found) == {"": MONDAY + DAY}
    play = Play(new, MONDAY + DAY, sends=False, enrol=False)
    enrolled = Move(1, "", 0, "a", 1, EnrolmentStatus.ACTIVE, "enrolled", "", None, MONDAY)
    play.moves, play.state = [enrolled, *found.decision.moves], found.decision.state
    (action,) = [effect for effect in found.decision.effects if isinstance(effect, ScheduleAction)]
    play.live = {(action.node, action.visit, ActionKind.SEND, ""): action}
    play.run(HOUR)
    assert play.queued == [QueueMessage("first", 1)]


@pytest.mark.parametrize(
    ("status", "why"), [(MessageStatus.SENDING, "being sent"), (MessageStatus.UNKNOWN, "nobody knows")]
)
def test_a_message_in_a_providers_hands_holds_it_back(status: MessageStatus, why: str):
    """Broken, a mail of the old plan would be followed by one that takes it for the new plan's."""
    assert why in refused(plan_of(send("a")), WAITING, message=queued(status))


def test_a_message_that_has_just_ended_is_heard_of_first():
    """Broken, its enrolment would wait for a second mail that is never queued."""
    assert "try again" in refused(plan_of(send("a")), active(message=LastMessage(MESSAGE, "a", 1, final=True)))


@pytest.mark.parametrize("message", [None, queued()])
def test_windows_that_never_open_hold_it_back(message: OpenMessage | None):
    """Broken, a plan for a day that never comes would end everybody as failed."""
    new = plan_of(send("a"), workingDays=[6])
    state = WAITING if message else active()
    rules = SendingRules(working_days=frozenset({1}))
    found = rebase(OLD, new, state, rules, MONDAY, {}, message)
    assert found == CannotMove("the new plan's sending windows never open for it")


def test_a_hold_moves_a_rescheduled_send():
    """Broken, a migration would write to people during their leave."""
    rules = SendingRules(not_before=MONDAY + timedelta(days=9))
    assert started(go(delayed("P2D"), active(), old=delayed("P4D"), rules=rules)) == {"": MONDAY + 9 * DAY}


# --- any plan, at any moment -------------------------------------------------------------------------------------


def migrate(play: Play, new: CompiledPlan) -> bool:
    """Move an enrolment as the engine's SQL does; whether it could move."""
    found = rebase(play.plan, new, play.state, play.rules, play.now, {})
    if isinstance(found, CannotMove):
        return False
    play.plan, play.state = new, found.decision.state
    play.moves += found.decision.moves
    for effect in found.decision.effects:
        play._apply(effect)
    assert replay(play.moves) == (play.state.node, play.state.status)
    return True


def reworded(source: Source) -> Source:
    """The same plan with other words in its messages."""
    said = json.dumps(source).replace('"body": "b"', '"body": "other words"')
    return json.loads(said)


@given(source=sources(), tape=TAPES)
def test_a_plan_that_differs_in_its_texts_only_leads_the_same_way(source: Source, tape: Tape):
    """Broken, correcting a word would send somebody a mail too many, too few, or at another time."""
    plan, other = runnable(source), runnable(reworded(source))
    stays, moves = Play(plan), Play(plan)
    for step in tape:
        migrate(moves, other if moves.plan is plan else plan)
        for play in (stays, moves):
            play_step(play, step)
    for play in (stays, moves):
        play.run(60 * DAY)
    assert moves.sent == stays.sent
    assert [move.to_node for move in moves.moves if move.to_node and move.cause != "migrated"] == stays.way
    assert moves.suppressed == stays.suppressed


@given(old=plans(start=NodeAction.SEND), new=plans(start=NodeAction.SEND), before=TAPES, after=TAPES)
def test_whatever_plan_it_is_moved_to_it_goes_on_there(old: CompiledPlan, new: CompiledPlan, before: Tape, after: Tape):
    """Broken, a migrated enrolment would stand still, or break the engine's own promises (I5)."""
    play = Play(old)
    waiting = [step for step in before if step[0] == "pass"]
    while not migrate(play, new):
        if not waiting:
            return
        play_step(play, waiting.pop())
    sent_before = len(play.sent)
    play_tape(play, after)
    play.run(60 * DAY * MAX_VISITS)
    assert play.state.status is not EnrolmentStatus.ACTIVE
    assert all(node in new.nodes for node, _ in play.sent[sent_before:])
