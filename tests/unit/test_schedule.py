"""When sends fall: the plan's delay or instant, moved by every window that applies."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest

from cadenza.engine.model import DailyWindow, SendingRules
from cadenza.engine.schedule import next_slot, planned_slot
from tests.unit.playing import MONDAY, plan_of, send

NIGHT = {"start": "21:00", "end": "07:30"}


def utc(text: str) -> datetime:
    """An instant of 2026: ``03-29 01:00``."""
    return datetime.fromisoformat(f"2026-{text}").replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("delay", "entered", "expected"),
    [
        ("PT0S", "01-05 09:00", "01-05 09:00"),
        ("PT36H", "01-05 09:00", "01-07 07:30"),  # 21:00 on Tuesday: quiet hours begin at 21:00 sharp
        ("PT12H", "01-05 08:59", "01-05 20:59"),  # the last minute before them
        ("PT0S", "01-05 07:30", "01-05 07:30"),  # and they are over at 07:30 sharp
        ("P1D", "03-28 09:00", "03-29 08:00"),  # 09:00 stays 09:00 when clocks go forward
    ],
)
def test_quiet_hours_are_half_open_and_cross_midnight(delay: str, entered: str, expected: str) -> None:
    """Mail would leave at night, or wait half a day for no reason."""
    plan = plan_of(send("a", schedule={"delay": delay}), zone="Europe/Lisbon", quietHours=NIGHT)
    slot = planned_slot(plan, plan.nodes["a"], SendingRules(), utc(entered))
    assert slot is not None
    assert slot.at == utc(expected)
    assert slot.at < (slot.closes_at or slot.at)


def test_equal_quiet_hours_are_none() -> None:
    """A plan whose author cleared its quiet hours would never send, or a window would be invented."""
    plan = plan_of(send("a"), quietHours={"start": "09:00", "end": "09:00"})
    slot = planned_slot(plan, plan.nodes["a"], SendingRules(), MONDAY)
    assert slot is not None
    assert (slot.at, slot.closes_at, slot.why) == (MONDAY, None, ())


def test_an_absolute_instant_overrides_the_delay() -> None:
    """A send for a fixed date would go out at once."""
    plan = plan_of(send("a", schedule={"delay": "P9D", "at": "2026-01-06T12:00:00+01:00"}))
    node = plan.nodes["a"]
    slot = planned_slot(plan, node, SendingRules(), MONDAY)
    assert slot is not None
    assert slot.at == utc("01-06 11:00")
    passed = planned_slot(plan, node, SendingRules(), utc("02-01 10:00"))
    assert passed is not None
    assert passed.at == utc("02-01 10:00")
    assert "passed" in passed.why[0]


def test_the_recipients_zone_decides_else_the_plans() -> None:
    """A contact in New York would get mail by Lisbon's night."""
    plan = plan_of(send("a"), zone="Europe/Lisbon", quietHours=NIGHT)
    node = plan.nodes["a"]
    here = planned_slot(plan, node, SendingRules(), MONDAY)
    there = planned_slot(plan, node, SendingRules(recipient_zone="America/New_York"), MONDAY)
    nowhere = planned_slot(plan, node, SendingRules(recipient_zone="Nowhere/Atlantis"), MONDAY)
    assert here is not None
    assert there is not None
    assert (here.at, there.at) == (MONDAY, utc("01-05 12:30"))
    assert nowhere == here


@pytest.mark.parametrize(
    ("channel", "expected"), [("email", "01-05 03:00"), ("sms", "01-05 08:00"), ("call", "01-05 08:00")]
)
def test_texts_and_calls_keep_legal_hours(channel: str, expected: str) -> None:
    """A phone would ring at three in the morning, which 47 CFR 64.1200 forbids."""
    plan = plan_of(send("a", channel=channel))
    slot = planned_slot(plan, plan.nodes["a"], SendingRules(), utc("01-05 03:00"))
    assert slot is not None
    assert slot.at == utc(expected)


def test_every_window_counts_and_says_why() -> None:
    """People could not see why nothing was sent, or one window would undo another."""
    plan = plan_of(send("a", schedule={"delay": "PT1H"}), zone="Europe/Lisbon", quietHours=NIGHT)
    rules = SendingRules(
        working_hours=DailyWindow(time(9), time(17)),
        working_days=frozenset({1, 2, 3, 4, 5}),
        holidays_country="PT",
        extra_holidays=frozenset({date(2026, 1, 5)}),
        not_before=utc("01-01 12:00"),
    )
    slot = planned_slot(plan, plan.nodes["a"], rules, datetime(2025, 12, 31, 10, tzinfo=UTC))
    assert slot is not None
    # Held over New Year's Day, which is a holiday anyway; 2 January is a Friday.
    assert slot.at == utc("01-02 09:00")
    assert slot.closes_at == utc("01-02 17:00")
    assert [step.split(" → ")[0] for step in slot.why] == [
        "delay PT1H",
        "hold",
        "holiday New Year's Day",
        "quiet hours 21:00–07:30",
        "outside the working hours 09:00–17:00",
    ]
    late = next_slot(plan, plan.nodes["a"], rules, utc("01-02 17:00"))
    assert late is not None
    assert late.at == utc("01-06 09:00")  # the weekend, then the workspace's own holiday on Monday


def test_windows_that_never_open_are_no_slot() -> None:
    """An enrolment would wait for ever, or send outside its windows."""
    plan = plan_of(send("a"), quietHours={"start": "12:00", "end": "06:00"})
    rules = SendingRules(working_hours=DailyWindow(time(13), time(14)))
    assert planned_slot(plan, plan.nodes["a"], rules, MONDAY) is None


def test_a_plans_working_time_narrows_the_rules() -> None:
    """A plan that says weekdays only would send on Sunday because the workspace works then."""
    hours = {"start": "10:00", "end": "12:00"}
    plan = plan_of(send("a"), workingHours=hours, workingDays=[1, 2])
    rules = SendingRules(working_hours=DailyWindow(time(11), time(18)), working_days=frozenset({2, 3}))
    slot = planned_slot(plan, plan.nodes["a"], rules, MONDAY)
    assert slot is not None
    assert slot.at == MONDAY + timedelta(days=1, hours=2)
    assert slot.closes_at == MONDAY + timedelta(days=1, hours=3)
    alone = plan_of(send("a"), workingDays=[3])
    wednesday = planned_slot(alone, alone.nodes["a"], SendingRules(), MONDAY)
    assert wednesday is not None
    assert wednesday.at == MONDAY.replace(hour=0) + timedelta(days=2)
