"""Sending windows: edges where clocks change, days that are none, what never opens, holidays."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from cadenza.engine.windows import LOOK_AHEAD, Daily, Hold, WorkingDays, first_open, knows_holidays, public_holidays
from cadenza.planning.compiled import DailyWindow
from cadenza.planning.zones import find_zone, first_instant

MINUTE = timedelta(minutes=1)


@pytest.mark.parametrize(
    ("zone", "wall", "expected"),
    [
        ("Europe/Lisbon", "2026-03-29T01:30", "2026-03-29T01:00Z"),  # skipped: the moment of the change
        ("Europe/Lisbon", "2026-10-25T01:30", "2026-10-25T00:30Z"),  # twice: the first
        ("America/Havana", "2026-03-08T00:00", "2026-03-08T05:00Z"),  # a day without a midnight
        ("America/Havana", "2026-11-01T00:00", "2026-11-01T04:00Z"),  # a day with two
        ("Australia/Lord_Howe", "2026-10-04T02:15", "2026-10-03T15:30Z"),  # half an hour is skipped
        ("Pacific/Apia", "2011-12-30T12:00", "2011-12-30T10:00Z"),  # a day that never was
        ("Asia/Kathmandu", "2026-01-01T00:00", "2025-12-31T18:15Z"),
    ],
)
def test_an_edge_is_the_first_instant_at_which_the_clock_shows_it(zone: str, wall: str, expected: str) -> None:
    """Windows would open or close an hour off on the days on which clocks change."""
    found = first_instant(datetime.fromisoformat(wall), ZoneInfo(zone))
    assert found == datetime.fromisoformat(expected)


@pytest.mark.parametrize("name", ["Nowhere/Atlantis", "", "Europe", "../etc/passwd", "Europe/Lisbon\0", "UTC+2x"])
def test_a_zone_that_does_not_exist_is_none(name: str) -> None:
    """A contact with a mistyped zone would stop its whole batch."""
    assert find_zone(name) is None


def test_windows_that_never_meet_have_no_slot() -> None:
    """Looking for a slot that cannot exist would never end."""
    place = ZoneInfo("Europe/Lisbon")
    morning = Daily("morning", DailyWindow(time(8), time(9)), place)
    evening = Daily("evening", DailyWindow(time(20), time(21)), place)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert first_open([morning, evening], start) is None
    assert first_open([WorkingDays(frozenset(), "", frozenset(), place)], start) is None


def test_a_hold_may_be_longer_than_the_look_ahead() -> None:
    """A person on a two-year hold would fail the enrolment instead of waiting."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    until = start + 2 * LOOK_AHEAD
    assert first_open([Hold(until)], start) == (until, ((until, "hold"),))


def test_public_holidays_are_no_working_days() -> None:
    """Mail would go out on Christmas Day."""
    assert date(2026, 12, 25) in public_holidays("PT", 2026)
    assert knows_holidays("PT")
    assert not knows_holidays("XX")
    assert public_holidays("XX", 2026) == {}
    rule = WorkingDays(frozenset(range(1, 8)), "PT", frozenset(), ZoneInfo("Europe/Lisbon"))
    christmas = datetime(2026, 12, 25, 10, tzinfo=UTC)
    assert rule.opens_at(christmas) == datetime(2026, 12, 26, tzinfo=UTC)
    assert rule.reason(christmas).startswith("holiday ")
    assert rule.closes_at(datetime(2026, 12, 26, 10, tzinfo=UTC)) == datetime(2027, 1, 1, tzinfo=UTC)


def test_a_day_that_a_zone_skips_is_no_working_day() -> None:
    """Samoa crossed the date line over a Friday: what may only be sent on Fridays would have gone out on Saturday."""
    fridays = WorkingDays(frozenset({5}), "", frozenset(), ZoneInfo("Pacific/Apia"))
    thursday = datetime(2011, 12, 29, 20, tzinfo=UTC)
    assert fridays.opens_at(thursday) == datetime(2012, 1, 5, 10, tzinfo=UTC)


def test_a_day_that_begins_twice_begins_once() -> None:
    """Where clocks go back across midnight, Sunday's mail would stop for the hour that is Saturday once more."""
    sundays = WorkingDays(frozenset({7}), "", frozenset(), ZoneInfo("America/St_Johns"))
    midnight = datetime(2010, 11, 7, 2, 30, tzinfo=UTC)
    again_saturday = midnight + 15 * MINUTE
    assert sundays.opens_at(midnight - 60 * MINUTE) == midnight
    assert again_saturday.astimezone(sundays.zone).date() == date(2010, 11, 6)
    assert sundays.opens_at(again_saturday) == again_saturday
    saturdays = WorkingDays(frozenset({6}), "", frozenset(), sundays.zone)
    assert saturdays.closes_at(midnight - 60 * MINUTE) == midnight
    assert saturdays.opens_at(again_saturday) == datetime(2010, 11, 13, 3, 30, tzinfo=UTC)
