"""What the simulator says will happen is what the engine does; the tape's own rules; why each moment was chosen."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from cadenza.core.errors import InvalidInput
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import EnrolmentStatus
from cadenza.engine.decide import replay
from cadenza.engine.model import Enrol, SendingRules
from cadenza.planning.compiled import CompiledPlan
from cadenza.simulate.explore import Span, explore
from cadenza.simulate.model import EntryKind, Simulation, recipient_rules
from cadenza.simulate.run import simulate
from cadenza.simulate.tape import read_tape
from cadenza.simulate.world import World
from tests.unit.playing import DAY, HOUR, MONDAY, Play, on, plan_of, send, stop
from tests.unit.properties import NAMES, plans

RULES = SendingRules()
TWO_MAILS = plan_of(
    send("a", on("opened", "b", within="P3D"), on("no_open", "end", after="P3D")),
    send("b", on("clicked", "end"), on("no_click", "end", after="P5D"), schedule={"delay": "P1D"}),
    stop(),
)


def run(plan: CompiledPlan, *tape: dict[str, object], start: datetime = MONDAY) -> Simulation:
    """Simulate a tape."""
    return simulate(plan, read_tape(list(tape), plan, start), RULES, start)


def told(simulation: Simulation, kind: EntryKind) -> list[tuple[str, datetime]]:
    """Where and when something was told."""
    return [(entry.node, entry.at) for entry in simulation.timeline if entry.kind is kind]


def details(simulation: Simulation, kind: EntryKind, key: str) -> list[Any]:
    """What was told of it."""
    return [entry.detail[key] for entry in simulation.timeline if entry.kind is kind]


# --- it is the engine --------------------------------------------------------------------------------------------

KINDS = [kind.value for kind in SignalKind if kind is not SignalKind.SENT]


@st.composite
def tape_entries(draw: st.DrawFn, seconds: int) -> dict[str, object]:
    """An entry at an odd second, so that it rarely meets a timer."""
    found: dict[str, object] = {"on": draw(st.sampled_from(KINDS)), "grade": draw(st.sampled_from(list(Grade)))}
    hours = draw(st.integers(0, 200))
    if draw(st.booleans()):
        found["after"] = f"PT{hours}H{seconds}S"
    else:
        found["at"] = (MONDAY + hours * HOUR + timedelta(seconds=seconds)).isoformat()
    if found["on"] == "bounced":
        found["hard"] = draw(st.booleans())
    return found


TAPES = st.lists(st.integers(1, 59), max_size=6, unique=True).flatmap(
    lambda seconds: st.tuples(*(tape_entries(second) for second in seconds)).map(list)
)


@given(plan=plans(), tape=TAPES)
def test_the_simulated_run_is_the_engines(plan: CompiledPlan, tape: list[dict[str, object]]) -> None:
    """An author would be shown another campaign than the one that is sent."""
    events = read_tape(tape, plan, MONDAY)
    simulation = simulate(plan, events, RULES, MONDAY)
    heard = [entry for entry in simulation.timeline if entry.kind is EntryKind.SIGNAL]
    fired = {entry.at for entry in simulation.timeline if entry.kind is EntryKind.TIMEOUT}
    assume(not fired & {entry.at for entry in heard})
    play = Play(plan)
    for entry in heard:
        play.run(entry.at)
        event = events[int(str(entry.detail["entry"]))]
        play.signal(event.kind, entry.node, grade=event.grade, hard=event.hard)
    play.run(40 * 100 * DAY)
    assert play.sent == told(simulation, EntryKind.SENT)
    assert play.way == [node for node, _ in told(simulation, EntryKind.ENTERED)]
    assert play.state.status is simulation.outcome
    assert simulation.outcome not in (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)
    passed = [(move.from_node, move.to_node, move.cause, move.rule, move.at) for move in play.moves if move.to_node][1:]
    assert passed == [
        (entry.node, entry.detail["to"], entry.detail["cause"], entry.detail["rule"], entry.at)
        for entry in simulation.timeline
        if entry.kind is EntryKind.TRANSITION and entry.detail["to"] in plan.nodes
    ]


@given(plan=plans())
def test_a_worlds_moves_replay_to_where_it_stands(plan: CompiledPlan) -> None:
    """The simulator would not obey the invariant that the audit leads to the state (I5)."""
    world, steps = World(plan, RULES, MONDAY).tell(Enrol())
    moves = [move for step in steps for move in step.decision.moves]
    while world.live:
        world, steps = world.act()
        moves += [move for step in steps for move in step.decision.moves]
    assert replay(moves) == (world.state.node, world.state.status)


@given(plan=plans(), tape=TAPES)
def test_the_same_input_gives_the_same_bytes(plan: CompiledPlan, tape: list[dict[str, object]]) -> None:
    """A simulation could not be compared with the one before a change."""
    one, other = (json.dumps(run(plan, *tape).to_json(())) for _ in range(2))
    assert one == other


@given(plan=plans(), tape=TAPES)
def test_the_timeline_goes_forward_and_ends_once(plan: CompiledPlan, tape: list[dict[str, object]]) -> None:
    """A reader would lose the thread."""
    timeline = run(plan, *tape).timeline
    assert [entry.at for entry in timeline] == sorted(entry.at for entry in timeline)
    assert [entry.kind for entry in timeline].count(EntryKind.STOPPED) == 1
    heard = [entry for entry in timeline if "entry" in entry.detail]
    assert {entry.detail["entry"] for entry in heard} == set(range(len(tape))), "each entry of the tape is answered"


@given(plan=plans(), tape=TAPES)
def test_every_send_lies_between_its_earliest_and_its_latest_time(
    plan: CompiledPlan, tape: list[dict[str, object]]
) -> None:
    """What is shown as impossible would happen. Where clocks change, an hour's play is documented."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cadenza.simulate.explore.MAX_STAYS", 40)  # long loops are as their first rounds
        exploration = explore(plan, RULES, MONDAY)
    bounds = dict(exploration.sends)
    for node, at in told(run(plan, *tape), EntryKind.SENT):
        if exploration.complete:
            assert bounds[node].earliest - HOUR <= at <= bounds[node].latest + HOUR


# --- the tape ----------------------------------------------------------------------------------------------------


def test_after_counts_from_the_latest_send() -> None:
    """`after` would mean another thing than it says."""
    simulation = run(TWO_MAILS, {"after": "PT26H", "on": "opened"}, {"after": "PT2H", "on": "clicked"})
    opened, second = MONDAY + 26 * HOUR, MONDAY + 26 * HOUR + DAY
    assert told(simulation, EntryKind.SENT) == [("a", MONDAY), ("b", second)]
    assert told(simulation, EntryKind.SIGNAL) == [("a", opened), ("b", second + 2 * HOUR)]
    assert simulation.outcome is EnrolmentStatus.COMPLETED


def test_a_new_send_starts_the_time_of_an_entry_again() -> None:
    """An event would happen a while after some send, but not after the latest one."""
    plan = plan_of(send("a", on("no_open", "b", after="P3D")), send("b", on("opened", "end")), stop())
    simulation = run(plan, {"after": "P4D", "on": "opened"})
    assert told(simulation, EntryKind.SIGNAL) == [("b", MONDAY + 7 * DAY)]


def test_an_entry_about_a_node_waits_for_its_message() -> None:
    """An event would be heard before the mail that it is about was sent."""
    simulation = run(TWO_MAILS, {"after": "PT1H", "on": "opened"}, {"after": "PT1H", "on": "clicked", "node": "b"})
    assert told(simulation, EntryKind.SIGNAL) == [("a", MONDAY + HOUR), ("b", MONDAY + HOUR + DAY + HOUR)]


def test_an_event_of_an_earlier_node_moves_nothing() -> None:
    """The second mail's way out would be taken by a click in the first."""
    simulation = run(TWO_MAILS, {"after": "PT1H", "on": "opened"}, {"after": "PT30H", "on": "clicked", "node": "a"})
    [(node, at)] = told(simulation, EntryKind.IGNORED)
    assert (node, at) == ("a", MONDAY + HOUR + DAY + 30 * HOUR)
    assert details(simulation, EntryKind.IGNORED, "reason") == ["it is about the message of a node that has been left"]


def test_instants_need_no_order() -> None:
    """A tape of instants would have to be sorted by hand."""
    late, early = MONDAY + 9 * HOUR, MONDAY + 2 * HOUR
    tape: list[dict[str, object]] = [
        {"at": late.isoformat(), "on": "clicked"},
        {"at": early.isoformat(), "on": "delivered"},
    ]
    simulation = run(TWO_MAILS, *tape)
    assert [at for _, at in told(simulation, EntryKind.SIGNAL)] == [early, late]


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"after": "P3DT1S", "on": "opened"}, "the enrolment had ended"),
        ({"after": "PT1H", "on": "opened", "grade": "machine"}, "no person is behind it"),
        ({"after": "PT1H", "on": "opened", "node": "b"}, "nothing was sent that it could be about"),
    ],
)
def test_what_counts_for_nothing_is_told_with_the_reason(entry: dict[str, object], reason: str) -> None:
    """An author would not learn why an event on the tape did nothing."""
    assert details(run(TWO_MAILS, entry), EntryKind.IGNORED, "reason") == [reason]


def test_an_event_before_any_message_is_about_nothing() -> None:
    """The simulator would fail where nothing has been sent yet."""
    plan = plan_of(send("a", schedule={"delay": "P1D"}))
    simulation = run(plan, {"at": MONDAY.isoformat(), "on": "opened"})
    assert details(simulation, EntryKind.IGNORED, "reason") == ["nothing has been sent yet"]


def test_an_entry_that_never_comes_is_told() -> None:
    """It would silently be missing."""
    simulation = run(TWO_MAILS, {"after": "PT9H", "on": "delivered"}, {"after": "PT1H", "on": "delivered"})
    assert details(simulation, EntryKind.IGNORED, "entry") == [1]


def test_bounces_are_hard_unless_said_otherwise() -> None:
    """A permanent bounce would not be tried by those who write `bounced`."""
    assert run(TWO_MAILS, {"after": "PT1H", "on": "bounced"}).outcome is EnrolmentStatus.STOPPED
    assert run(TWO_MAILS, {"after": "PT1H", "on": "bounced", "hard": False}).outcome is EnrolmentStatus.COMPLETED
    assert run(TWO_MAILS, {"after": "PT1H", "on": "blocked"}).outcome is EnrolmentStatus.COMPLETED


@pytest.mark.parametrize(("first", "second", "to"), [("opened", "no_open", "x"), ("no_open", "opened", "y")])
def test_at_the_same_instant_the_plans_order_decides(first: str, second: str, to: str) -> None:
    """An event at the very instant of a timeout would be decided by chance."""
    bounds = {"opened": on("opened", "x", within="P3D"), "no_open": on("no_open", "y", after="P3D")}
    plan = plan_of(send("a", bounds[first], bounds[second]), stop("x"), stop("y"))
    assert told(run(plan, {"after": "P3D", "on": "opened"}), EntryKind.STOPPED)[0][0] == to


@pytest.mark.parametrize(
    ("tape", "pointer"),
    [
        ({}, ""),
        ([{"on": "opened"}], "/0/after"),
        ([{"after": "PT1H"}], "/0/on"),
        ([{"after": "PT1H", "on": "opened"}, {"after": "PT1H", "on": "no_open"}], "/1/on"),
        ([{"after": "PT1H", "on": "waved"}], "/0/on"),
        ([{"after": "1 day", "on": "opened"}], "/0/after"),
        ([{"after": "-P1D", "on": "opened"}], "/0/after"),
        ([{"after": "PT1H", "at": "2026-01-06T09:00:00Z", "on": "opened"}], "/0/after"),
        ([{"at": "2026-01-06T09:00:00", "on": "opened"}], "/0/at"),
        ([{"at": "2025-01-06T09:00:00Z", "on": "opened"}], "/0/at"),
        ([{"after": "PT1H", "on": "opened", "node": "end"}], "/0/node"),
        ([{"after": "PT1H", "on": "opened", "node": "z"}], "/0/node"),
        ([{"after": "PT1H", "on": "opened", "hard": True}], "/0/hard"),
        ([{"after": "PT1H", "on": "bounced", "hard": "yes"}], "/0/hard"),
        ([{"after": "PT1H", "on": "opened", "grade": "dog"}], "/0/grade"),
        ([{"after": "PT1H", "on": "opened", "knot": "a"}], "/0/knot"),
        (["opened"], "/0"),
        ([{"after": "PT1H", "on": "opened"}] * 1001, ""),
    ],
)
def test_each_mistake_in_a_tape_is_named(tape: object, pointer: str) -> None:
    """An author would have to guess which entry is wrong, or be shown a run of another tape."""
    with pytest.raises(InvalidInput) as caught:
        read_tape(tape, TWO_MAILS, MONDAY)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]
    assert "\n" not in caught.value.problems[0].detail


# --- why ---------------------------------------------------------------------------------------------------------


def test_the_reason_of_every_moment_is_told() -> None:
    """Nobody could see why a mail waits until Tuesday."""
    plan = plan_of(
        send("a", schedule={"delay": "P1D"}),
        zone="Europe/Lisbon",
        quietHours={"start": "20:00", "end": "08:00"},
        workingDays=[1, 2, 3, 4, 5],
    )
    thursday = datetime(2025, 12, 31, 21, 0, tzinfo=UTC)
    simulation = simulate(plan, (), recipient_rules("", "PT"), thursday)
    [why] = details(simulation, EntryKind.SCHEDULED, "why")
    assert why == [
        "delay P1D → Thu 2026-01-01 21:00 Europe/Lisbon",
        "holiday New Year's Day → Fri 2026-01-02 00:00 Europe/Lisbon",
        "quiet hours 20:00–08:00 → Fri 2026-01-02 08:00 Europe/Lisbon",
    ]
    assert told(simulation, EntryKind.SENT) == [("a", datetime(2026, 1, 2, 8, 0, tzinfo=UTC))]


def test_windows_are_the_recipients() -> None:
    """A text would wake somebody on the other side of the world."""
    plan = plan_of(send("a", channel="sms"), zone="Europe/Lisbon")
    simulation = simulate(plan, (), recipient_rules("America/Los_Angeles", ""), MONDAY)
    assert told(simulation, EntryKind.SENT) == [("a", datetime(2026, 1, 5, 16, 0, tzinfo=UTC))]


@pytest.mark.parametrize(("zone", "country", "pointer"), [("Mars", "", "/zone"), ("", "XX", "/holidays_country")])
def test_a_recipient_that_cannot_be_is_refused(zone: str, country: str, pointer: str) -> None:
    """A typing error would simulate somebody else."""
    with pytest.raises(InvalidInput) as caught:
        recipient_rules(zone, country)
    assert [problem.pointer for problem in caught.value.problems] == [pointer]


def test_a_plan_that_outlives_the_calendar_is_refused() -> None:
    """Python's calendar ends with the year 9999: the command would end in a traceback."""
    plan = plan_of(send("a", on("no_open", "a", after="P99Y")))
    with pytest.raises(InvalidInput, match="calendar"):
        simulate(plan, (), RULES, MONDAY)
    with pytest.raises(InvalidInput, match="calendar"):
        explore(plan, RULES, MONDAY)


# --- every branch ------------------------------------------------------------------------------------------------


def branches(plan: CompiledPlan) -> dict[str, tuple[datetime, datetime]]:
    """The first stay's ways out, with their times."""
    return {branch.on: (branch.at.earliest, branch.at.latest) for branch in explore(plan, RULES, MONDAY).start.branches}


def test_each_transition_that_can_happen_is_a_branch() -> None:
    """The tree would lack a way, or show one that nothing takes."""
    plan = plan_of(
        send(
            "a",
            on("clicked", "x", within="P2D"),
            on("opened", "x", after="P1D"),
            on("clicked", "y", within="P1D"),
            on("no_open", "y", after="P3D"),
            on("no_click", "y", after="P4D"),
        ),
        stop("x"),
        stop("y"),
    )
    assert branches(plan) == {
        "clicked": (MONDAY, MONDAY + 2 * DAY),
        "opened": (MONDAY + DAY, MONDAY + 4 * DAY),
        "no_open": (MONDAY + 3 * DAY, MONDAY + 3 * DAY),
        "no_click": (MONDAY + 4 * DAY, MONDAY + 4 * DAY),
    }


def test_a_way_that_another_hides_for_a_time_is_a_branch_for_the_rest() -> None:
    """The usual "soon here, later there" would lack its second half."""
    plan = plan_of(
        send(
            "a", on("opened", "x", within="P1D"), on("clicked", "x", after="P2D"), on("clicked", "y"), on("opened", "y")
        ),
        stop("x"),
        stop("y"),
    )
    moment, end = timedelta(seconds=1), MONDAY + 32 * DAY
    assert [
        (branch.on, branch.at.earliest, branch.at.latest) for branch in explore(plan, RULES, MONDAY).start.branches
    ][:4] == [
        ("opened", MONDAY, MONDAY + DAY),
        ("clicked", MONDAY + 2 * DAY, end),
        ("clicked", MONDAY, MONDAY + 2 * DAY - moment),
        ("opened", MONDAY + DAY + moment, end),
    ]


def test_an_event_that_leads_nowhere_still_stops_a_timer() -> None:
    """The click's latest time would be that of a timeout which an open has stopped, and the expiry would be missing."""
    plan = plan_of(send("a", on("clicked", "end"), on("no_open", "end", after="P3D")), stop())
    assert branches(plan) == {
        "clicked": (MONDAY, MONDAY + 30 * DAY),
        "no_open": (MONDAY + 3 * DAY, MONDAY + 3 * DAY),
        "expired": (MONDAY + 30 * DAY, MONDAY + 30 * DAY),
    }


def test_an_event_that_comes_too_late_still_stops_a_timer() -> None:
    """The click's latest time would be too early, where an open that is past its `within` leads nowhere."""
    ways = (on("opened", "end", within="P1D"), on("clicked", "end"), on("no_open", "end", after="P3D"))
    found = branches(plan_of(send("a", *ways), stop()))
    assert (found["opened"][1], found["clicked"][1]) == (MONDAY + DAY, MONDAY + 30 * DAY)
    assert "expired" in found


def test_the_latest_send_is_that_of_the_slowest_way() -> None:
    """An author would be told that a campaign is over sooner than it may be."""
    sends = dict(explore(TWO_MAILS, RULES, MONDAY).sends)
    assert (sends["b"].earliest, sends["b"].latest) == (MONDAY + DAY, MONDAY + 4 * DAY)


def test_a_way_that_closes_is_open_until_it_does() -> None:
    """A reply past its `within` stops the enrolment: the way on would be shown as open for a moment only."""
    plan = plan_of(send("a", on("replied", "b", within="PT24H")), send("b"))
    assert explore(plan, RULES, MONDAY).sends[1] == ("b", Span(MONDAY, MONDAY + DAY))


def test_a_plan_that_goes_round_is_explored_to_its_bound() -> None:
    """The command would never end."""
    exploration = explore(plan_of(send("a", on("no_open", "a", after="P1D"), on("opened", "a"))), RULES, MONDAY)
    assert exploration.complete
    assert len(exploration.stays) == 100


def test_a_plan_that_is_too_wide_says_where_it_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bounds of a part would be taken for those of the whole."""
    monkeypatch.setattr("cadenza.simulate.explore.MAX_STAYS", 5)
    nodes = [send(name, *(on("opened", to) for to in NAMES[:1]), on("clicked", NAMES[1])) for name in NAMES[:2]]
    exploration = explore(plan_of(*nodes), RULES, MONDAY)
    assert not exploration.complete
    assert [stay.explored for stay in exploration.stays].count(True) >= 5
