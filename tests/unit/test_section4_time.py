"""Section 4 of the design, sentence by sentence: durations, windows, the compiler, versions."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

import pytest

from cadenza.core.messages import SignalKind
from cadenza.core.states import EnrolmentStatus
from cadenza.engine.decide import replay
from cadenza.engine.model import CancelActions, DailyWindow, ScheduleAction, SendingRules
from cadenza.engine.rebase import Rebased, rebase
from cadenza.engine.schedule import next_slot, planned_slot
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.compiler import compile_plan, compiled
from cadenza.planning.durations import BadDuration, add, parse_duration
from cadenza.planning.findings import FindingCode, Severity
from cadenza.planning.zones import find_zone
from tests.unit import test_ai_planner, test_rebase
from tests.unit.playing import DAY, HOUR, MONDAY, Play, on, plan_of, send, stop, wait
from tests.unit.section4 import says

PLANS = Path(__file__).parent / "plans"
NIGHT = {"start": "21:00", "end": "07:30"}
WORKDAYS = frozenset(range(1, 6))


def utc(text: str) -> datetime:
    """An instant of 2026: ``03-29 01:00``."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


def sent_at(plan: CompiledPlan, asked: str, rules: SendingRules | None = None) -> datetime:
    """When the plan's first send falls if it is asked for at ``asked``."""
    slot = next_slot(plan, plan.nodes[plan.start], rules or SendingRules(), utc(asked))
    assert slot is not None
    return slot.at


# --- durations ---------------------------------------------------------------------------------------------------


@says("Durations: ISO 8601.", "T-parts are exact.")
def test_t_parts_are_elapsed_time() -> None:
    """A timeout of 24 hours would last 23 or 25 when clocks change."""
    zone = find_zone("Europe/Lisbon")
    assert zone is not None
    for text, length in (("PT24H", DAY), ("PT90M", HOUR * 1.5), ("PT1H30M15S", timedelta(seconds=5415))):
        for start in (utc("03-28 12:00"), utc("10-24 12:00")):
            assert add(parse_duration(text), start, zone) == start + length


@says("Y, M, W, D are calendar units in the plan's zone (P1D keeps the wall-clock time across DST);")
@pytest.mark.parametrize(
    ("text", "wall"),
    [
        ("P1D", "2026-03-29 09:00"),
        ("P1W", "2026-04-04 09:00"),
        ("P1M", "2026-04-28 09:00"),
        ("P1Y", "2027-03-28 09:00"),
    ],
)
def test_calendar_units_keep_the_wall_clock_of_the_plans_zone(text: str, wall: str) -> None:
    """A delay of a day would move the hour at which people get their mail twice a year."""
    plan = plan_of(send("a", schedule={"delay": text}), zone="Europe/Lisbon")
    # The recipient's zone, whose clocks change on other days, moves no delay.
    for recipient in ("", "America/New_York"):
        slot = planned_slot(plan, plan.nodes["a"], SendingRules(recipient_zone=recipient), utc("03-28 09:00"))
        assert slot is not None
        assert f"{slot.at.astimezone(plan.zone):%Y-%m-%d %H:%M}" == wall


@says("Negative, empty (P, PT, P1DT) and malformed ones are refused.")
@pytest.mark.parametrize("text", ["-P1D", "P-1D", "-PT1H", "P", "PT", "P1DT", "", "1D", "P1X", "P1D2W", "three days"])
def test_other_durations_are_refused(text: str) -> None:
    """A mistyped delay would mean now, or the past."""
    with pytest.raises(BadDuration):
        parse_duration(text)
    source = {
        "version": "1.1",
        "timezone": "UTC",
        "startNodeId": "a",
        "nodes": [send("a", on("opened", "stop", within=text))],
    }
    [error] = compile_plan(source).errors
    assert (error.code, error.pointer) == (FindingCode.BAD_DURATION, "/nodes/0/transitions/0/within")


# --- windows -----------------------------------------------------------------------------------------------------


@says("Windows: quiet hours are half-open [start, end), may cross midnight; equal ends mean none.")
def test_quiet_hours_are_half_open_and_may_cross_midnight() -> None:
    """Mail would leave at night, or wait half a day for no reason."""
    night = plan_of(send("a"), quietHours=NIGHT)
    noon = plan_of(send("a"), quietHours={"start": "12:00", "end": "13:00"})
    none = plan_of(send("a"), quietHours={"start": "12:00", "end": "12:00"})
    for plan, asked, expected in (
        (night, "01-05 20:59", "01-05 20:59"),
        (night, "01-05 21:00", "01-06 07:30"),
        (night, "01-06 00:00", "01-06 07:30"),
        (night, "01-06 07:29", "01-06 07:30"),
        (night, "01-06 07:30", "01-06 07:30"),
        (noon, "01-05 11:59", "01-05 11:59"),
        (noon, "01-05 12:00", "01-05 13:00"),
        (none, "01-05 12:00", "01-05 12:00"),
    ):
        assert sent_at(plan, asked) == utc(expected)


@says(
    "A send falls at the first instant that every applicable window allows: plan quiet hours, campaign working hours "
    "and days, holidays, the channel's legal hours (SMS and calls: 08:00–21:00 at the recipient), a person's hold."
)
@pytest.mark.parametrize(
    ("channel", "rules", "expected"),
    [
        ("email", SendingRules(), "01-02 05:00"),  # Friday; quiet hours have just ended
        ("email", SendingRules(working_hours=DailyWindow(time(9), time(17))), "01-02 09:00"),
        ("email", SendingRules(working_days=frozenset({1, 2})), "01-05 05:00"),
        ("email", SendingRules(extra_holidays=frozenset({date(2026, 1, 2)}), working_days=WORKDAYS), "01-05 05:00"),
        ("email", SendingRules(holidays_country="RO", working_days=WORKDAYS), "01-05 05:00"),  # 2 January too
        ("sms", SendingRules(), "01-02 08:00"),
        ("call", SendingRules(), "01-02 08:00"),
        ("email", SendingRules(not_before=utc("01-03 23:00")), "01-04 05:00"),
        (
            "call",
            SendingRules(
                working_hours=DailyWindow(time(7), time(12)),
                working_days=WORKDAYS,
                holidays_country="RO",  # Epiphany on Tuesday, St. John on Wednesday
                not_before=utc("01-05 12:00"),
            ),
            "01-08 08:00",
        ),
    ],
)
def test_a_send_falls_at_the_first_instant_that_every_window_allows(
    channel: str, rules: SendingRules, expected: str
) -> None:
    """A window would be passed over, or a message wait longer than any of them asks."""
    plan = plan_of(send("a", channel=channel), quietHours={"start": "23:00", "end": "05:00"})
    assert sent_at(plan, "01-02 03:00", rules) == utc(expected)


@says("The recipient's zone, else the plan's.")
def test_the_recipients_zone_decides_else_the_plans() -> None:
    """A contact in New York would get mail by Lisbon's night."""
    plan = plan_of(send("a", channel="sms"), zone="Europe/Lisbon", quietHours={"start": "20:00", "end": "09:00"})
    assert sent_at(plan, "01-05 03:00") == utc("01-05 09:00")
    assert sent_at(plan, "01-05 03:00", SendingRules(recipient_zone="America/New_York")) == utc("01-05 14:00")
    assert sent_at(plan, "01-05 03:00", SendingRules(recipient_zone="Nowhere/Atlantis")) == utc("01-05 09:00")


@says("A time that DST skips moves forward; one that occurs twice is its first.")
def test_a_skipped_time_moves_forward_and_a_repeated_one_is_its_first() -> None:
    """A window's edge, or a delay of days, would be off by an hour in the nights in which clocks change."""
    edge = plan_of(send("a"), zone="Europe/Lisbon", quietHours={"start": "21:00", "end": "01:30"})
    assert sent_at(edge, "03-29 00:15") == utc("03-29 01:00")  # 01:30 does not exist: it is 02:00 at once
    assert sent_at(edge, "10-24 23:30") == utc("10-25 00:30")  # 01:30 summer time, not the one an hour later
    delay = plan_of(send("a", schedule={"delay": "P1D"}), zone="Europe/Lisbon")
    for entered, expected in (("03-28 01:30", "03-29 01:30"), ("10-24 00:30", "10-25 00:30")):
        slot = planned_slot(delay, delay.nodes["a"], SendingRules(), utc(entered))
        assert slot is not None
        assert slot.at == utc(expected)


# --- the compiler ------------------------------------------------------------------------------------------------


def source(*nodes: dict[str, object], version: str = "1.1", **fields: object) -> dict[str, object]:
    """Plan JSON that starts with its first node."""
    return {"version": version, "timezone": "UTC", "startNodeId": nodes[0]["id"], "nodes": list(nodes), **fields}


@says(
    "Compile before run: unknown target, unreachable node, missing stop, unbounded loop, timeout that can never fire, "
    "event and timeout that race, no way out on reply, unknown template variable, too long, too many sends: each a "
    "named finding with a path into the JSON."
)
@pytest.mark.parametrize(
    ("code", "faulty", "pointer"),
    [
        ("unknown_target", source(send("a", on("opened", "b"))), "/nodes/0/transitions/0/to"),
        ("unreachable_node", source(send("a"), send("b")), "/nodes/1"),
        ("missing_stop", source(send("a", on("no_open", "a"))), "/nodes/0"),
        ("unbounded_loop", source(wait("a", on("no_open", "a", after="PT0S"))), "/nodes/0"),
        (
            "timeout_never_fires",
            source(send("a", on("no_open", "stop", after="P1D"), on("no_open", "stop", after="P2D"))),
            "/nodes/0/transitions/1",
        ),
        (
            "event_timeout_race",
            source(send("a", on("opened", "stop", within="P5D"), on("no_open", "stop", after="P3D"))),
            "/nodes/0/transitions/0",
        ),
        ("no_reply_route", source(send("a")), "/nodes"),
        ("unknown_variable", source(send("a", body="Dear {{ frist_name }}")), "/nodes/0/body"),
        ("too_long", source(send("a", schedule={"delay": "P2Y"})), "/nodes"),
        (
            "too_many_sends",
            source(*(send(f"{n}", on("delivered", f"{n + 1}")) for n in range(12)), send("12")),
            "/nodes",
        ),
    ],
)
def test_each_fault_is_a_named_finding_with_a_path(code: str, faulty: dict[str, object], pointer: str) -> None:
    """An author, or the AI that repairs its plan, would not learn what is wrong, or where."""
    found = compile_plan(faulty, variables=frozenset({"first_name"})).findings
    assert pointer in [finding.pointer for finding in found if finding.code == code]
    assert all(finding.message and finding.fix for finding in found)


@says("Errors refuse the plan; warnings and notes do not,")
def test_errors_refuse_warnings_and_notes_do_not() -> None:
    """A plan with a fault would run, or one with a remark would not."""
    for nodes, worst in (
        ([send("a", on("opened", "b"))], Severity.ERROR),
        ([send("a", schedule={"delay": "P2Y"})], Severity.WARNING),
        ([send("a")], Severity.NOTE),
    ):
        result = compile_plan(source(*nodes))
        assert worst in {finding.severity for finding in result.findings}
        assert (result.plan is None) is (worst is Severity.ERROR)


@says(
    "and whatever the original system would run still runs (what the engine supplies by itself, such as stopping on a "
    "reply, is a note)."
)
def test_what_the_original_system_ran_still_runs() -> None:
    """A running campaign would be refused by the engine that is to take it over."""
    for path in PLANS.glob("*-1.0.json"):
        result = compile_plan(json.loads(path.read_text()))
        assert result.plan is not None
        assert {finding.severity for finding in result.findings} <= {Severity.NOTE}
        play = Play(result.plan)
        play.run(40 * DAY)
        assert play.state.status is EnrolmentStatus.COMPLETED
    faulty = source(send("a", {**on("opened", "stop"), "x": "y"}, body="{{ x }}"), send("b"), version="1.0", note="n")
    lenient = compile_plan(faulty, variables=frozenset())
    assert lenient.plan is not None
    assert FindingCode.NO_REPLY_ROUTE in {finding.code for finding in lenient.findings if finding.severity == "note"}
    assert compile_plan({**faulty, "version": "1.1"}, variables=frozenset()).plan is None
    reply = Play(lenient.plan)
    reply.run(HOUR)
    reply.signal(SignalKind.REPLIED)
    assert reply.state.status is EnrolmentStatus.STOPPED


@says("The AI planner gets the findings back and repairs.")
def test_the_ai_planner_gets_the_findings_back() -> None:
    """One slip of a model would throw a paid plan away. A real client against a server of the API's shape."""
    test_ai_planner.test_findings_go_back_and_the_repair_is_taken()


# --- versions ----------------------------------------------------------------------------------------------------


@says("Running enrolments stay on the plan version they started with;", "migrating is explicit and previewed.")
def test_running_enrolments_stay_on_their_version_until_they_are_migrated() -> None:
    """An edit would change the course of people who are half-way through. The preview is the decision, not applied."""
    nodes = [send("a", on("no_open", "b", after="P1D")), send("b"), stop()]
    first = source(*nodes[:2])
    second = source(send("a", on("no_open", "b", after="P5D")), send("b"))
    old, new = compiled(first), compiled(second)
    assert old.hash != new.hash
    assert compiled(json.loads(json.dumps(first))).hash == old.hash
    play = Play(old)
    play.run(HOUR)
    preview = rebase(old, new, play.state, play.rules, play.now, {})
    assert isinstance(preview, Rebased)
    play.run(HOUR)
    assert play.due("no_open") == MONDAY + DAY, "a preview changes nothing"
    decision = preview.decision
    assert [type(effect) for effect in decision.effects] == [CancelActions, ScheduleAction]
    assert [effect.due_at for effect in decision.effects if isinstance(effect, ScheduleAction)] == [MONDAY + 5 * DAY]
    assert replay([*play.moves, *decision.moves]) == ("a", EnrolmentStatus.ACTIVE)


@says("An enrolment that is migrated keeps its node, stay and clock;", "what was recorded before moves nothing.")
def test_a_migrated_enrolment_goes_on_where_it_stands() -> None:
    """A new version would send people back, start their timers anew, or answer old clicks."""
    test_rebase.test_it_stays_in_its_node_with_its_visit_and_its_clock()
    test_rebase.test_what_was_recorded_stops_the_timers_that_it_answers_and_moves_nothing()
