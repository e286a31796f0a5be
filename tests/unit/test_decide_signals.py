"""The state machine by example: what events do, and what they cannot do. Sentence by sentence: `test_section4`."""

from __future__ import annotations

import pytest

from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.engine.model import Due, Verdict
from tests.unit.playing import DAY, HOUR, MONDAY, Play, on, plan_of, send, stop, wait

ACTIVE, COMPLETED, STOPPED = EnrolmentStatus.ACTIVE, EnrolmentStatus.COMPLETED, EnrolmentStatus.STOPPED

FOLLOW_UP = plan_of(
    send("intro", on("opened", "listen", within="PT72H"), on("no_open", "bump", after="PT72H")),
    wait("listen", on("clicked", "end", within="PT24H"), on("no_click", "bump", after="PT24H")),
    send("bump", on("no_click", "end", after="P9D")),
    stop(),
)


def playing(*nodes: dict[str, object]) -> Play:
    """An enrolment whose first message left on Monday; it is an hour later."""
    play = Play(plan_of(*nodes))
    play.run(HOUR)
    return play


def test_within_matches_up_to_and_including_its_duration() -> None:
    """An event would count a moment too long or too short."""
    for seconds, moved in ((0, True), (1, False)):
        play = playing(send("a", on("opened", "b", within="P2D")), wait("b", on("no_click", "b")))
        late = MONDAY + 2 * DAY + seconds * HOUR / 3600
        play.now = late
        decision = play.signal(SignalKind.OPENED, at=late)
        assert (play.way == ["a", "b"]) is moved
        assert decision.verdict is (Verdict.MOVED if moved else Verdict.LATE)


def test_after_on_a_real_event_matches_from_its_duration_on() -> None:
    """A quick click, which a plan tells from a slow one, would be taken for the slow one."""
    play = playing(send("a", on("clicked", "b", after="P1D")), send("b"))
    assert play.signal(SignalKind.CLICKED).verdict is Verdict.LATE
    play.run(DAY)
    play.signal(SignalKind.CLICKED, at=MONDAY + DAY)
    assert play.way == ["a", "b"]


def test_first_match_wins_in_order() -> None:
    """Both ways would be taken, or the wrong one."""
    play = playing(send("a", on("opened", "b", within="PT1H"), on("opened", "c")), send("b"), send("c"))
    play.signal(SignalKind.OPENED, at=MONDAY + HOUR)
    assert play.way == ["a", "b"]
    later = playing(send("a", on("opened", "b", within="PT1H"), on("opened", "c")), send("b"), send("c"))
    later.signal(SignalKind.OPENED, at=MONDAY + 2 * HOUR)
    assert later.way == ["a", "c"]


def test_an_awaited_event_stops_its_timeout() -> None:
    """Somebody who opened the mail would be told that they did not."""
    play = playing(send("a", on("delivered", "b"), on("no_open", "b", after="P1D")), send("b"))
    play.signal(SignalKind.OPENED, at=MONDAY + DAY - HOUR / 60)
    play.run(10 * DAY)
    assert play.way == ["a"]


@pytest.mark.parametrize("kind", [SignalKind.OPENED, SignalKind.CLICKED])
def test_who_clicks_has_opened(kind: SignalKind) -> None:
    """A reader whose program loads no pixels would get the reminder for those who never opened."""
    play = playing(send("a", on("no_open", "b", after="P1D")), send("b"))
    play.signal(kind)
    play.run(DAY)
    assert play.way == ["a"]


def test_a_click_that_the_node_has_no_way_for_counts_as_the_open_it_proves() -> None:
    """A plan of opened, then clicked, would get stuck with its keenest reader."""
    play = Play(FOLLOW_UP)
    play.run(HOUR)
    play.signal(SignalKind.CLICKED)
    assert play.way == ["intro", "listen", "end"]
    assert [move.rule for move in play.moves[1:3]] == [
        "transitions/0: opened within PT72H",
        "transitions/0: clicked within PT24H",
    ]
    named = playing(send("a", on("opened", "b"), on("clicked", "c")), send("b"), send("c"))
    named.signal(SignalKind.CLICKED)
    assert named.way == ["a", "c"]


def test_a_click_that_led_on_as_a_click_is_not_an_open_too() -> None:
    """One click would take a person two steps."""
    play = playing(
        send("a", on("clicked", "b")), wait("b", on("opened", "c"), on("no_click", "c")), wait("c", on("no_open", "c"))
    )
    play.signal(SignalKind.CLICKED)
    assert play.way == ["a", "b"]


@pytest.mark.parametrize("grade", [Grade.MACHINE, Grade.LIKELY_MACHINE])
def test_only_human_opens_and_clicks_move_a_plan(grade: Grade) -> None:
    """A mail scanner would walk people through the campaign."""
    play = Play(FOLLOW_UP)
    play.run(HOUR)
    assert play.signal(SignalKind.OPENED, grade=grade).verdict is Verdict.MACHINE
    assert play.signal(SignalKind.CLICKED, grade=grade).verdict is Verdict.MACHINE
    play.run(3 * DAY)
    assert play.way == ["intro", "bump"]


def test_events_of_earlier_nodes_are_recorded_and_move_nothing() -> None:
    """An open of last week's mail would be taken for one of today's."""
    play = Play(FOLLOW_UP)
    play.run(4 * DAY)
    assert play.state.node == "bump"
    assert play.signal(SignalKind.OPENED, "intro").verdict is Verdict.STALE
    assert play.signal(SignalKind.OPENED, "intro", at=MONDAY + DAY).verdict is Verdict.LATE
    assert play.way == ["intro", "bump"]


def test_a_send_node_that_has_not_sent_yet_hears_nothing() -> None:
    """An open of the first mail would be taken for one of the second, which has not even left."""
    play = playing(
        send("a", on("no_open", "b", after="P1D")), send("b", on("opened", "stop"), schedule={"delay": "P3D"})
    )
    play.run(2 * DAY)
    assert play.signal(SignalKind.OPENED, "a").verdict is Verdict.STALE
    assert (play.state.status, play.state.node) == (ACTIVE, "b")


def test_occurred_at_decides_never_arrival() -> None:
    """Whether a person gets the reminder would depend on which queue was faster."""
    punctual, tardy = Play(FOLLOW_UP), Play(FOLLOW_UP)
    punctual.run(3 * DAY)
    punctual.run(HOUR)
    punctual.signal(SignalKind.OPENED, "intro")
    # Here the timeout's message is late: the open of an hour after it is heard of first.
    tardy.run(HOUR)
    tardy.now = MONDAY + 3 * DAY + HOUR
    tardy.signal(SignalKind.OPENED)
    assert punctual.way == tardy.way == ["intro", "bump"]
    # And an open from before the timeout wins although it is heard of after the timeout was due.
    early = Play(FOLLOW_UP)
    early.run(HOUR)
    early.now = MONDAY + 3 * DAY + HOUR
    early.signal(SignalKind.OPENED, at=MONDAY + DAY)
    assert early.way == ["intro", "listen"]


def test_of_two_due_timeouts_the_earlier_fires_whichever_is_heard_of() -> None:
    """A plan's way would depend on the order in which a queue delivers."""
    play = playing(
        send("a", on("no_click", "late", after="P2D"), on("no_open", "early", after="P1D")),
        wait("late", on("no_click", "a")),
        wait("early", on("no_click", "a")),
    )
    play.now = MONDAY + 3 * DAY
    play.tell(Due(ActionKind.TIMEOUT, "a", 1, "no_click", MONDAY + 2 * DAY))
    assert play.way == ["a", "early"]


def test_at_the_same_instant_the_plans_order_decides() -> None:
    """The simulator and production would disagree about an event at the very end of its window."""
    ways = {}
    for first in ("opened", "no_open"):
        both = [on("opened", "b", within="P1D"), on("no_open", "c", after="P1D")]
        ordered = both if first == "opened" else both[::-1]
        play = playing(send("a", *ordered), wait("b", on("no_click", "b")), wait("c", on("no_click", "c")))
        play.now = MONDAY + DAY
        play.signal(SignalKind.OPENED)
        ways[first] = play.way[1]
    assert ways == {"opened": "b", "no_open": "c"}


def test_a_timer_never_fires_before_its_time() -> None:
    """A provider whose clock is ahead, or a queue that is early, would send the reminder too soon."""
    play = playing(send("a", on("no_open", "b", after="P1D")), send("b"))
    play.signal(SignalKind.DELIVERED, at=MONDAY + 2 * DAY)
    assert play.way == ["a"]
    early = Due(ActionKind.TIMEOUT, "a", 1, "no_open", play.now)
    play.live.clear()
    assert play.tell(early).verdict is Verdict.ACTED
    assert play.way == ["a"]
    assert play.due("no_open") == MONDAY + DAY


def test_a_repeated_timeout_is_harmless() -> None:
    """A queue message delivered twice would move a person two steps (I6)."""
    play = Play(FOLLOW_UP)
    play.run(3 * DAY)
    assert play.tell(Due(ActionKind.TIMEOUT, "intro", 1, "no_open", play.now)).verdict is Verdict.STALE
    assert play.way == ["intro", "bump"]


def test_a_wait_node_listens_to_the_latest_message() -> None:
    """A click on the only mail would not count because the plan has gone on to wait for it."""
    play = Play(FOLLOW_UP)
    play.run(HOUR)
    play.signal(SignalKind.OPENED)
    play.run(HOUR)
    play.signal(SignalKind.CLICKED)
    assert (play.state.status, play.moves[-2].cause) == (COMPLETED, "clicked")


def test_what_was_recorded_before_a_wait_counts_on_entry_but_for_what_led_there() -> None:
    """Somebody who clicked before their open was reported would get the reminder."""
    node = send("a", on("opened", "b", after="PT2H"), on("no_open", "c", after="P9D"))
    play = playing(
        node, wait("b", on("clicked", "c"), on("opened", "c"), on("no_click", "c")), wait("c", on("no_open", "c"))
    )
    play.signal(SignalKind.CLICKED)
    play.run(3 * HOUR)
    play.signal(SignalKind.OPENED)
    assert play.way == ["a", "b", "c"]
    twice = playing(
        send("a", on("opened", "b")), wait("b", on("opened", "c"), on("no_click", "c")), wait("c", on("no_open", "c"))
    )
    twice.signal(SignalKind.OPENED)
    assert twice.way == ["a", "b"]


def test_an_event_told_twice_moves_once() -> None:
    """One open, reported twice, would take a person two steps (I6)."""
    play = playing(
        send("a", on("opened", "b")), wait("b", on("opened", "c"), on("no_click", "c")), wait("c", on("no_open", "c"))
    )
    play.signal(SignalKind.OPENED)
    assert play.tell(play.signals[-1]).verdict is Verdict.RECORDED
    assert play.way == ["a", "b"]
    play.signal(SignalKind.OPENED)
    assert play.way == ["a", "b", "c"]


def test_a_complaint_that_was_routed_passes_no_suppression_later() -> None:
    """A complaint that a wait node has taken would open the way to a mail in the next wait node, on entry."""
    for channel, way in (("email", ["a", "b", "c"]), ("sms", ["a", "b", "c", "d"])):
        play = playing(
            send("a", on("complained", "b")),
            wait("b", on("delivered", "c"), on("no_click", "stop", after="P9D")),
            wait("c", on("complained", "d"), on("no_click", "stop", after="P9D")),
            send("d", channel=channel),
        )
        play.signal(SignalKind.COMPLAINED)
        play.signal(SignalKind.DELIVERED)
        assert play.way == way


def test_a_recorded_event_stops_the_timeout_of_a_later_wait() -> None:
    """Silence would be found in a node whose awaited event has long been there."""
    plan = playing(
        send("a", on("delivered", "b", after="PT2H")),
        wait("b", on("no_open", "c", after="P1D"), on("clicked", "c")),
        send("c"),
    )
    plan.signal(SignalKind.OPENED)
    plan.run(2 * HOUR)
    plan.signal(SignalKind.DELIVERED)
    plan.run(DAY)
    assert plan.way == ["a", "b"]


@pytest.mark.parametrize(
    ("kind", "hard", "reason", "suppressed"),
    [
        (SignalKind.REPLIED, None, "replied", []),
        (SignalKind.UNSUBSCRIBED, None, "unsubscribed", ["unsubscribed"]),
        (SignalKind.COMPLAINED, None, "complained", ["complained"]),
        (SignalKind.BOUNCED, True, "hard bounce", ["hard bounce"]),
    ],
)
@pytest.mark.parametrize("about", ["intro", "bump"])
def test_some_events_stop_an_enrolment_from_any_node(
    kind: SignalKind, hard: bool | None, reason: str, suppressed: list[str], about: str
) -> None:
    """A person who answered or objected would get the next mail all the same."""
    play = Play(FOLLOW_UP)
    play.run(4 * DAY)
    play.signal(kind, about, hard=hard)
    assert (play.state.status, play.state.reason) == (STOPPED, reason)
    assert play.suppressed == suppressed
    assert not play.live


def test_a_soft_bounce_and_an_autoresponse_stop_nothing() -> None:
    """Everybody with an out-of-office note would drop out."""
    play = Play(FOLLOW_UP)
    play.run(HOUR)
    play.signal(SignalKind.BOUNCED, hard=False)
    assert play.signal(SignalKind.REPLIED, grade=Grade.MACHINE).verdict is Verdict.MACHINE
    assert (play.state.status, play.suppressed) == (ACTIVE, [])


def test_a_plan_may_route_a_reply_first() -> None:
    """The thank-you that a plan has for people who reply would never be sent."""
    play = playing(
        send("a", on("replied", "b"), on("no_open", "c", after="P1D")),
        send("b"),
        send("c", on("replied", "b"), on("no_click", "stop")),
    )
    play.run(DAY)
    play.signal(SignalKind.REPLIED, "a")
    assert play.way == ["a", "c", "b"]


def test_a_route_never_passes_a_suppression() -> None:
    """Somebody who unsubscribed would get a mail that says good-bye."""
    mail = playing(send("a", on("unsubscribed", "b")), send("b"))
    mail.signal(SignalKind.UNSUBSCRIBED)
    assert (mail.state.status, mail.suppressed, mail.way) == (STOPPED, ["unsubscribed"], ["a"])
    text = playing(send("a", on("bounced", "b")), send("b", channel="sms"))
    text.signal(SignalKind.BOUNCED, hard=True)
    assert (text.suppressed, text.way) == (["hard bounce"], ["a", "b"])
    waits = playing(send("a", on("complained", "b")), wait("b", on("no_click", "stop")))
    waits.signal(SignalKind.COMPLAINED)
    assert (waits.suppressed, waits.way) == (["complained"], ["a", "b"])


def test_an_objection_counts_after_the_end_too() -> None:
    """Somebody who unsubscribes after the last mail would be in the next campaign."""
    play = playing(send("a"))
    assert play.state.status is COMPLETED
    play.signal(SignalKind.UNSUBSCRIBED, "a")
    assert (play.state.status, play.suppressed) == (COMPLETED, ["unsubscribed"])


@pytest.mark.parametrize(
    ("event", "kind", "hard"),
    [
        ("spamreport", SignalKind.COMPLAINED, None),
        ("blocked", SignalKind.FAILED, None),
        ("blocked", SignalKind.BOUNCED, False),
        ("bounced", SignalKind.BOUNCED, False),
        ("bounced", SignalKind.BOUNCED, True),
    ],
)
def test_the_original_systems_event_names_still_mean_what_they_did(
    event: str, kind: SignalKind, hard: bool | None
) -> None:
    """A 1.0 plan's way out of a bounce would be closed."""
    play = playing(send("a", on(event, "stop", after="PT0S")))
    play.signal(kind, hard=hard)
    assert (play.state.status, play.state.reason) == (COMPLETED, "stop")


def test_a_signal_from_before_its_sending_is_known_counts() -> None:
    """An open reported faster than our own record of the send would be lost."""
    play = Play(FOLLOW_UP, sends=False)
    play.run(HOUR)
    play.signal(SignalKind.OPENED)
    assert play.way == ["intro", "listen"]
