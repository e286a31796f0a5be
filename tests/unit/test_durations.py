"""ISO 8601 durations: what is read, what is refused, and what adding one means on a wall clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cadenza.planning.durations import BadDuration, Duration, add, parse_duration
from tests.unit.playing import EXAMPLES

LISBON = ZoneInfo("Europe/Lisbon")
NEW_YORK = ZoneInfo("America/New_York")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT0S", Duration()),
        ("P0D", Duration()),
        ("PT72H", Duration(exact=timedelta(hours=72))),
        ("P3D", Duration(days=3)),
        ("P2W", Duration(days=14)),
        ("P1W2D", Duration(days=9)),
        ("P1M", Duration(months=1)),
        ("P1Y2M", Duration(months=14)),
        ("P1DT24H", Duration(days=1, exact=timedelta(hours=24))),
        ("PT1.5H", Duration(exact=timedelta(minutes=90))),
        ("PT1,5H", Duration(exact=timedelta(minutes=90))),
        ("PT1H0.5M", Duration(exact=timedelta(hours=1, seconds=30))),
    ],
)
def test_durations_keep_calendar_units_apart_from_elapsed_time(text: str, expected: Duration) -> None:
    """A plan's P1D would not keep its hour across a change of the clocks if it were read as 24 hours."""
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("P", "empty"),
        ("PT", "empty"),
        ("P1DT", "nothing follows the T"),
        ("-P1D", "negative"),
        ("P-1D", "malformed"),
        ("+P1D", "begins with P"),
        ("", "begins with P"),
        ("3 days", "begins with P"),
        ("p1d", "begins with P"),
        (" P1D", "begins with P"),
        ("P1D\n", "malformed"),
        ("P1", "malformed"),
        ("P1S", "malformed"),
        ("PT1D", "malformed"),
        ("P1D1W", "malformed"),
        ("PD", "malformed"),
        ("P٣D", "malformed"),
        ("P0001-01-01T00:00:00", "malformed"),
        ("P00010101T000000", "malformed"),
        ("P1.5D", "fraction of a calendar unit"),
        ("P0.5M", "fraction of a calendar unit"),
        ("PT1.5H30M", "fraction before its last unit"),
        ("P101Y", "longer than a century"),
        ("P99999999999999999999D", "too long"),
        ("P" + "9" * 400 + "Y", "too long"),
    ],
)
def test_a_refused_duration_says_why(text: str, reason: str) -> None:
    """An author would get a message at the wrong time, or an error without a hint, from a duration that is none."""
    with pytest.raises(BadDuration, match=reason):
        parse_duration(text)


@pytest.mark.parametrize(
    ("start", "text", "zone", "expected"),
    [
        # Lisbon goes to summer time on 2026-03-29 at 01:00 and back on 2026-10-25 at 02:00.
        ("2026-03-28T09:00:00+00:00", "P1D", LISBON, "2026-03-29T08:00:00+00:00"),
        ("2026-03-28T09:00:00+00:00", "PT24H", LISBON, "2026-03-29T09:00:00+00:00"),
        ("2026-10-24T08:00:00+00:00", "P1D", LISBON, "2026-10-25T09:00:00+00:00"),
        # 01:30 is skipped on the 29th: forward, to 02:30 summer time. It occurs twice on 25 October: the first.
        ("2026-03-28T01:30:00+00:00", "P1D", LISBON, "2026-03-29T01:30:00+00:00"),
        ("2026-10-24T00:30:00+00:00", "P1D", LISBON, "2026-10-25T00:30:00+00:00"),
        # The calendar part comes first, then the exact one.
        ("2026-03-28T09:00:00+00:00", "P1DT1H", LISBON, "2026-03-29T09:00:00+00:00"),
        # A month after the 31st is the last of the month; a year after 29 February is the 28th.
        ("2026-01-31T12:00:00+00:00", "P1M", LISBON, "2026-02-28T12:00:00+00:00"),
        ("2028-02-29T12:00:00+00:00", "P1Y", LISBON, "2029-02-28T12:00:00+00:00"),
        ("2026-12-15T12:00:00+00:00", "P1M", LISBON, "2027-01-15T12:00:00+00:00"),
        # The day is the zone's, not UTC's: 23:00 in New York is already tomorrow in UTC.
        ("2026-02-01T04:00:00+00:00", "P1M", NEW_YORK, "2026-03-01T04:00:00+00:00"),
    ],
)
def test_adding_follows_the_calendar_and_the_clock(start: str, text: str, zone: ZoneInfo, expected: str) -> None:
    """A delay of a day would move the hour at which people get their mail twice a year."""
    assert add(parse_duration(text), datetime.fromisoformat(start), zone) == datetime.fromisoformat(expected)


@settings(max_examples=EXAMPLES, deadline=None)
@given(
    minutes=st.integers(0, 4 * 366 * 24 * 60),
    days=st.integers(0, 800),
    seconds=st.integers(0, 200_000),
    zone=st.sampled_from(["Europe/Lisbon", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"]),
)
def test_adding_never_goes_back_and_keeps_the_hour(minutes: int, days: int, seconds: int, zone: str) -> None:
    """A timer would fire before it was started, or a day's delay would land on another hour."""
    place = ZoneInfo(zone)
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    later = add(Duration(days=days, exact=timedelta(seconds=seconds)), start, place)
    assert later.utcoffset() == timedelta(0)
    assert later >= start
    calendar = add(Duration(days=days), start, place).astimezone(place).replace(tzinfo=None)
    wanted = start.astimezone(place).replace(tzinfo=None) + timedelta(days=days)
    # Equal, or moved forward by a gap (an hour; half an hour on Lord Howe; never back).
    assert timedelta(0) <= calendar - wanted <= timedelta(hours=1)
