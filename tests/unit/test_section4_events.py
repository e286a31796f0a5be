"""Section 4 of the design, sentence by sentence: nodes, events, timers. `says` quotes what a test proves."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cadenza.campaigns.compiling import compiled as content
from cadenza.campaigns.content_model import NewTemplate, Step, Template
from cadenza.campaigns.model import CampaignBrief
from cadenza.core.ids import TemplateId, new_id
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import Channel, EnrolmentStatus
from cadenza.engine.model import DailyWindow, SendingRules, Sent, Verdict
from cadenza.planning.compiled import HORIZON
from cadenza.planning.compiler import compile_plan
from cadenza.planning.model import SYNTHETIC_EVENTS, NodeAction, PlanEvent, parse_plan
from tests.unit.playing import DAY, HOUR, MONDAY, Play, on, plan_of, send, stop, wait
from tests.unit.section4 import says

ACTIVE, COMPLETED, STOPPED = EnrolmentStatus.ACTIVE, EnrolmentStatus.COMPLETED, EnrolmentStatus.STOPPED
MINUTE = HOUR / 60
ORIGINAL = json.loads((Path(__file__).parent / "plans" / "outreach-1.0.json").read_text())


def hour_later(*nodes: dict[str, object], **fields: object) -> Play:
    """An enrolment whose first message left on Monday; it is an hour later."""
    play = Play(plan_of(*nodes, **fields))
    play.run(HOUR)
    return play


def ended(play: Play) -> tuple[EnrolmentStatus, str]:
    """How the enrolment ended, and why."""
    return play.state.status, play.state.reason


# --- the plan ----------------------------------------------------------------------------------------------------


@says(
    "The JSON of the original system stays valid as version 1.0 (camelCase: startNodeId, quietHours, "
    "nodes[].schedule.delay, transitions[].on/to/within/after, defaults.timers.no_open_after)."
)
def test_the_original_systems_json_stays_valid() -> None:
    """Plans that run today would be refused, or a field of theirs passed over."""
    plan = parse_plan(ORIGINAL)
    assert (plan.version, plan.start_node_id) == ("1.0", "email_intro")
    assert plan.defaults is not None
    assert plan.defaults.timers.no_open_after == "PT72H"
    assert plan.quiet_hours is not None
    assert (plan.quiet_hours.start, plan.quiet_hours.end) == ("21:00", "07:30")
    bump = next(node for node in plan.nodes if node.id == "email_bump")
    assert bump.schedule is not None
    assert bump.schedule.delay == "PT24H"
    ways = [(way.on, way.to, way.within, way.after) for way in plan.nodes[0].transitions]
    assert ways == [
        ("opened", "wait_click", "PT72H", None),
        ("no_open", "email_bump", None, "PT72H"),
        ("bounced", "stop", None, "PT0S"),
    ]
    assert compile_plan(ORIGINAL).errors == ()


@says("Nodes send | wait | stop;", "channels email | sms | call.")
def test_nodes_and_channels() -> None:
    """A plan could say something that nobody carries out."""
    assert set(NodeAction) == {"send", "wait", "stop"}
    assert set(Channel) == {"email", "sms", "call"}
    play = Play(
        plan_of(*(send(c, on("delivered", "w"), channel=c) for c in ("sms",)), wait("w", on("no_open", "end")), stop())
    )
    play.run(HOUR)
    play.signal(SignalKind.DELIVERED)
    play.run(9 * DAY)
    assert play.way == ["sms", "w", "end"]


@says(
    "Events: delivered, opened, clicked, replied, bounced, complained, unsubscribed, failed;",
    "synthetic: no_open, no_click, no_reply.",
)
def test_the_events_of_plans() -> None:
    """A provider's event would have no name in plans, or a plan wait for one that nobody reports."""
    original = {PlanEvent.BLOCKED, PlanEvent.SPAMREPORT}
    assert set(PlanEvent) - SYNTHETIC_EVENTS - original == set(SignalKind) - {SignalKind.SENT}
    assert set(SYNTHETIC_EVENTS) == {"no_open", "no_click", "no_reply"}
    for kind in set(SignalKind) - {SignalKind.SENT}:
        play = hour_later(send("a", on(kind, "w")), wait("w", on("no_open", "stop", after="P9D")))
        play.signal(kind, hard=False)
        assert play.way == ["a", "w"], kind


@says("Anchor: a send node's clock starts when its message was sent,")
def test_a_send_nodes_clock_starts_when_its_message_was_sent() -> None:
    """A reminder would follow a mail that had waited in a queue after hours instead of days."""
    play = Play(plan_of(send("a", on("no_open", "stop", after="P1D"))), sends=False)
    play.run(5 * HOUR)
    assert not play.live
    play.deliver("a", 1)
    assert play.due("no_open") == MONDAY + 5 * HOUR + DAY


@says("a wait node's when it was entered.")
def test_a_wait_nodes_clock_starts_when_it_was_entered() -> None:
    """A contact who opens late would have no time left to click."""
    play = Play(plan_of(send("a", on("opened", "b")), wait("b", on("no_click", "stop", after="P1D"))))
    play.run(2 * DAY)
    play.signal(SignalKind.OPENED, at=MONDAY + HOUR)
    assert play.due("no_click") == MONDAY + 3 * DAY


@says("A wait node listens to the enrolment's latest message.")
def test_a_wait_node_listens_to_the_latest_message() -> None:
    """A click on the only mail would not count because the plan has gone on to wait for it; an older one's would."""
    play = hour_later(
        send("a", on("opened", "b")), send("b", on("opened", "w")), wait("w", on("clicked", "end")), stop()
    )
    play.signal(SignalKind.OPENED)
    play.run(HOUR)
    play.signal(SignalKind.OPENED)
    assert play.signal(SignalKind.CLICKED, "a").verdict is Verdict.STALE
    assert play.state.node == "w"
    play.signal(SignalKind.CLICKED, "b")
    assert play.state.node == "end"


@says(
    "What was recorded for that message before the node was entered counts on entry (but for the event that led there);"
)
def test_what_was_recorded_before_counts_on_entry_but_for_what_led_there() -> None:
    """Somebody who clicked before their open was reported would get the reminder, or one open count as two."""
    waits = wait("w", on("delivered", "end"), on("opened", "end"), on("no_click", "end"))
    play = hour_later(send("a", on("opened", "w")), waits, stop())
    play.signal(SignalKind.DELIVERED)
    play.signal(SignalKind.OPENED)
    assert play.way == ["a", "w", "end"]
    alone = hour_later(send("a", on("opened", "w")), waits, stop())
    alone.signal(SignalKind.OPENED)
    assert alone.way == ["a", "w"]


@says("a human click or reply proves an open, so it stops no_open.")
def test_a_human_click_or_reply_proves_an_open() -> None:
    """A reader whose program loads no pixels would get the reminder for those who never opened."""
    for kind in (SignalKind.OPENED, SignalKind.CLICKED, SignalKind.REPLIED):
        for grade in Grade:
            play = hour_later(
                send("a", on("no_open", "b", after="P1D"), on("replied", "w")),
                wait("w", on("no_open", "b", after="P1D")),
                send("b"),
            )
            play.signal(kind, grade=grade)
            play.run(9 * DAY)
            assert ("b" in play.way) is (grade is not Grade.HUMAN), (kind, grade)
    silent = hour_later(send("a", on("no_click", "b", after="P1D")), send("b"))
    silent.signal(SignalKind.OPENED)
    silent.run(DAY)
    assert silent.way == ["a", "b"], "an open proves no click"


@says("Nothing waits for ever: when no transition of a node can match any more,", "the enrolment completes as expired.")
def test_a_node_expires_when_nothing_can_match_any_more() -> None:
    """An enrolment, and with it its campaign, would stay active for ever."""
    play = hour_later(send("a", on("opened", "end", within="P2D"), on("clicked", "end", within="P5D")), stop())
    play.run(MONDAY + 5 * DAY - MINUTE)
    assert play.state.status is ACTIVE
    play.run(MINUTE)
    assert (ended(play), play.now) == ((COMPLETED, "expired"), MONDAY + 5 * DAY)
    answered = hour_later(send("a", on("no_open", "end", after="P1D")), stop())
    answered.signal(SignalKind.OPENED)
    answered.run(DAY)
    assert ended(answered) == (COMPLETED, "expired")


@says("or after 30 days where nothing bounds the wait,")
def test_an_unbounded_wait_ends_after_30_days() -> None:
    """An enrolment would wait for an open for ever, or not at all."""
    assert HORIZON == 30 * DAY
    play = hour_later(send("a", on("opened", "end"), on("clicked", "end", after="P2D")), stop())
    play.run(MONDAY + 32 * DAY - MINUTE)
    assert play.state.status is ACTIVE
    play.run(MINUTE)
    assert ended(play) == (COMPLETED, "expired")


@says("within d: matches if occurred_at − anchor ≤ d.")
def test_within_matches_up_to_and_including_its_duration() -> None:
    """An event would count a moment too long or too short."""
    for late, moved in ((0 * HOUR, True), (HOUR / 3_600_000_000, False)):
        play = hour_later(send("a", on("opened", "end", within="P2D"), on("clicked", "end", within="P9D")), stop())
        play.run(2 * DAY)
        play.signal(SignalKind.OPENED, at=MONDAY + 2 * DAY + late)
        assert (play.way == ["a", "end"]) is moved


@says("after d on a real event: matches if ≥ d;")
def test_after_on_a_real_event_matches_from_its_duration_on() -> None:
    """A quick click, which a plan tells from a slow one, would be taken for the slow one."""
    for early, moved in ((0 * HOUR, True), (HOUR / 3_600_000_000, False)):
        play = hour_later(send("a", on("clicked", "end", after="P1D")), stop())
        play.run(2 * DAY)
        assert play.signal(SignalKind.CLICKED, at=MONDAY + DAY - early).verdict is (
            Verdict.MOVED if moved else Verdict.LATE
        )
        assert (play.way == ["a", "end"]) is moved


@says(
    "on a synthetic one: it fires at anchor + d unless the awaited event was recorded for this node's message with "
    "occurred_at before then."
)
def test_a_timeout_fires_at_its_time_unless_the_awaited_event_came_before() -> None:
    """A reminder would come early, late or to somebody who has opened."""
    node = send("a", on("no_open", "end", after="P1D"), on("delivered", "end", after="P9D"))
    play = hour_later(node, stop())
    play.run(MONDAY + DAY - MINUTE)
    assert play.way == ["a"]
    play.run(MINUTE)
    assert (play.way, play.moves[1].at) == (["a", "end"], MONDAY + DAY)
    for shift, fires in ((-MINUTE, False), (0 * HOUR, True)):
        late = hour_later(node, stop())
        late.now = MONDAY + 2 * DAY
        late.signal(SignalKind.OPENED, at=MONDAY + DAY + shift)
        late.run(HOUR)
        assert (late.way == ["a", "end"]) is fires
    other = hour_later(send("z", on("delivered", "a")), node, stop())
    other.signal(SignalKind.DELIVERED)
    other.run(HOUR)
    other.signal(SignalKind.OPENED, "z")
    other.run(2 * DAY)
    assert other.way == ["z", "a", "end"], "an open of another message stops nothing"


@says("A synthetic transition with neither takes the plan's default timer.")
def test_a_synthetic_transition_without_a_time_takes_the_plans_default() -> None:
    """A plan that leaves the timers to its defaults would wait for ever."""
    ways = [on(event, "end") for event in ("no_open", "no_click", "no_reply")]
    own = {"timers": {"no_open_after": "P5D", "no_click_after": "P6D", "no_reply_after": "P7D"}}
    play = hour_later(send("a", *ways), stop(), defaults=own)
    assert [play.due(event) - MONDAY for event in ("no_open", "no_click", "no_reply")] == [5 * DAY, 6 * DAY, 7 * DAY]
    bare = hour_later(send("a", *ways), stop())
    assert [bare.due(event) - MONDAY for event in ("no_open", "no_click", "no_reply")] == [3 * DAY, DAY, 3 * DAY]


@says(
    "A node without transitions ends the enrolment as completed once its message is final",
    "(a wait node: at once).",
)
def test_a_node_without_transitions_ends_the_enrolment() -> None:
    """A campaign would be called complete with mail unsent, or never."""
    play = Play(plan_of(send("a")), sends=False)
    play.run(9 * DAY)
    assert play.state.status is ACTIVE
    play.deliver("a", 1)
    assert ended(play) == (COMPLETED, "node a has no transitions")
    assert ended(Play(plan_of(wait("w")))) == (COMPLETED, "node w has no transitions")


@says("First match wins, in order.")
def test_the_first_match_wins_in_order() -> None:
    """Both ways would be taken, or the wrong one."""
    ways = [on("opened", "b", within="PT1H"), on("opened", "c"), on("opened", "d")]
    nodes = [wait(name, on("no_open", "stop", after="P9D")) for name in "bcd"]
    for at, taken in ((MONDAY + HOUR, "b"), (MONDAY + 2 * HOUR, "c")):
        play = hour_later(send("a", *ways), *nodes)
        play.run(HOUR)
        play.signal(SignalKind.OPENED, at=at)
        assert play.way == ["a", taken]


@says("occurred_at decides, never arrival time.")
def test_occurred_at_decides_never_arrival() -> None:
    """Whether a person gets the reminder would depend on which queue was faster."""
    node = send("a", on("opened", "b", within="P3D"), on("no_open", "c", after="P3D"))
    for occurred_at, taken in ((MONDAY + 3 * DAY - HOUR, "b"), (MONDAY + 3 * DAY + HOUR, "c")):
        play = hour_later(node, *(wait(name, on("no_click", "stop", after="P9D")) for name in "bc"))
        play.now = MONDAY + 3 * DAY + 2 * HOUR  # the timeout is overdue, and has not been heard of
        play.signal(SignalKind.OPENED, at=occurred_at)
        assert play.way == ["a", taken]


@says("A late event is recorded and never rewinds.")
def test_a_late_event_is_recorded_and_never_rewinds() -> None:
    """A reminder that has left would be taken back, or be sent once more."""
    play = hour_later(
        send("a", on("opened", "b"), on("no_open", "w", after="P1D")), send("b"), wait("w", on("clicked", "b"))
    )
    play.run(2 * DAY)
    assert play.way == ["a", "w"]
    decision = play.signal(SignalKind.OPENED, at=MONDAY + 2 * HOUR)
    assert (play.way, decision.moves) == (["a", "w"], ())
    assert play.state.message is not None
    assert [seen.kind for seen in play.state.message.events] == [SignalKind.OPENED]


@says("Events of earlier nodes are recorded, and move nothing;")
def test_events_of_earlier_nodes_move_nothing() -> None:
    """An open of last week's mail would be taken for one of today's."""
    again = on("opened", "stop")
    play = hour_later(send("a", on("no_open", "b", after="P1D")), send("b", again, on("no_click", "stop", after="P9D")))
    play.run(2 * DAY)
    for kind in (SignalKind.OPENED, SignalKind.CLICKED, SignalKind.DELIVERED, SignalKind.FAILED):
        decision = play.signal(kind, "a")
        assert (decision.verdict, decision.effects, play.way) == (Verdict.STALE, (), ["a", "b"])
    assert play.signal(SignalKind.OPENED, "a", at=MONDAY + HOUR).verdict is Verdict.LATE


@says(
    "replied, unsubscribed, complained and hard bounce stop the enrolment from any node,",
    "whether or not the plan says so",
)
@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (SignalKind.REPLIED, "replied"),
        (SignalKind.UNSUBSCRIBED, "unsubscribed"),
        (SignalKind.COMPLAINED, "complained"),
        (SignalKind.BOUNCED, "hard bounce"),
    ],
)
@pytest.mark.parametrize("days", [0, 2, 4])
def test_some_events_stop_an_enrolment_from_any_node(kind: SignalKind, reason: str, days: int) -> None:
    """A person who answered or objected would get the next mail all the same."""
    play = hour_later(
        send("a", on("no_open", "w", after="P1D")),
        wait("w", on("no_open", "b", after="P2D")),
        send("b", on("no_open", "stop", after="P9D")),
    )
    play.run(days * DAY)
    assert play.state.node == {0: "a", 2: "w", 4: "b"}[days]
    play.signal(kind, "a", hard=kind is SignalKind.BOUNCED or None)
    assert ended(play) == (STOPPED, reason)
    assert not play.live


@says("(a plan may route them to a node first, never past a suppression).")
def test_a_plan_may_route_them_but_never_past_a_suppression() -> None:
    """The thank-you for a reply would never be sent, or the good-bye to somebody who has unsubscribed would."""
    reply = hour_later(send("a", on("replied", "b")), send("b"))
    reply.signal(SignalKind.REPLIED)
    reply.run(HOUR)
    assert [node for node, _ in reply.sent] == ["a", "b"]
    for kind in (SignalKind.UNSUBSCRIBED, SignalKind.COMPLAINED, SignalKind.BOUNCED):
        gone = hour_later(send("a", on(kind, "b")), send("b"), version="1.0")
        gone.signal(kind, hard=True)
        assert (gone.state.status, gone.way, len(gone.suppressed)) == (STOPPED, ["a"], 1)
        text = hour_later(send("a", on(kind, "b")), send("b", channel="sms"))
        text.signal(kind, hard=True)
        assert (text.way, len(text.suppressed)) == (["a", "b"], 1), "another channel is no way past the suppression"


@says("Only human-grade opens and clicks move a plan.")
def test_only_human_opens_and_clicks_move_a_plan() -> None:
    """A mail scanner would walk people through the campaign."""
    for kind in (SignalKind.OPENED, SignalKind.CLICKED):
        for grade in Grade:
            play = hour_later(send("a", on(kind, "w")), wait("w", on("no_reply", "stop", after="P9D")))
            play.signal(kind, grade=grade)
            assert (play.way == ["a", "w"]) is (grade is Grade.HUMAN)


@says("Each signal carries a grade (human, likely machine, machine).")
def test_each_signal_carries_a_grade() -> None:
    """Nobody could tell afterwards why an open did not count."""
    assert set(Grade) == {"human", "likely_machine", "machine"}
    play = hour_later(send("a", on("clicked", "stop")))
    for grade in Grade:
        play.signal(SignalKind.OPENED, grade=grade)
    assert play.state.message is not None
    assert [seen.grade for seen in play.state.message.events] == list(Grade)


@says("Timers are exact;", "only sends are moved by quiet hours, working hours, holidays and caps.")
def test_timers_are_exact_and_only_sends_are_moved() -> None:
    """Silence would be counted by office hours, or mail sent at night."""
    saturday = MONDAY + 5 * DAY
    rules = SendingRules(
        working_hours=DailyWindow(MONDAY.time(), MONDAY.replace(hour=17).time()),
        working_days=frozenset(range(1, 6)),
        holidays_country="US",
        extra_holidays=frozenset({(MONDAY + 7 * DAY).date()}),
    )
    plan = plan_of(
        send("a", on("no_open", "b", after="P5DT14H")), send("b"), quietHours={"start": "20:00", "end": "09:30"}
    )
    play = Play(plan, MONDAY + HOUR, rules=rules)
    play.run(6 * DAY)
    assert play.moves[-1].at == saturday + 15 * HOUR, "exactly, though it is Saturday night"
    # Monday is the workspace's holiday, and quiet hours last longer on Tuesday than the night.
    assert play.due() == MONDAY + 8 * DAY + HOUR / 2
    capped = Play(plan_of(send("a", on("no_open", "stop", after="P1D"))), sends=False)
    capped.run(2 * DAY)  # a cap lets the queued message wait; the clock waits with it
    capped.tell(Sent("a", 1, capped.now))
    assert capped.due("no_open") == MONDAY + 3 * DAY


@says(
    "Hand-written content (a template, a workflow) compiles to a plan in a line: step_k leads to step_k+1 on no_reply "
    "after the delay, so that it counts from the send and a reply ends it."
)
def test_hand_written_content_is_a_plan_in_a_line() -> None:
    """A follow-up would come too soon after a mail that was sent late, or to somebody who has answered."""
    mail = NewTemplate(name="Hello", subject="Routes", text_body="Shall we talk?")
    steps = [Step(Template(TemplateId(new_id()), mail), delay) for delay in ("PT0S", "P2D", "P3D")]
    source, problems = content(steps, CampaignBrief())
    plan = compile_plan(source).plan
    assert plan is not None
    assert not problems
    play = Play(plan, sends=False)
    play.run(DAY)
    play.deliver("step_1", 1)  # a day late
    play.run(DAY)
    assert play.due("no_reply") == MONDAY + 3 * DAY
    play.sends = True
    play.run(9 * DAY)
    assert (play.way, play.state.status) == (["step_1", "step_2", "step_3"], COMPLETED)
    answered = Play(plan)
    answered.signal(SignalKind.REPLIED)
    answered.run(9 * DAY)
    assert (answered.way, answered.state.status) == (["step_1"], STOPPED)
    single, _ = content(steps[:1], CampaignBrief())
    assert [node["id"] for node in single["nodes"]] == ["step_1"]  # type: ignore[index,union-attr]
