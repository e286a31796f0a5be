"""ISO 8601 durations: what is read, what is refused, and what adding one means on a wall clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.planning.durations import BadDuration, Duration, add, parse_duration
from tests.unit.properties import ZONES, around_changes, changes

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
        ("2026-03-31T12:00:00+00:00", "P1M", LISBON, "2026-04-30T12:00:00+00:00"),
        ("2028-02-29T12:00:00+00:00", "P1Y", LISBON, "2029-02-28T12:00:00+00:00"),
        ("2026-12-15T12:00:00+00:00", "P1M", LISBON, "2027-01-15T12:00:00+00:00"),
        # The day is the zone's, not UTC's: 23:00 in New York is already tomorrow in UTC.
        ("2026-02-01T04:00:00+00:00", "P1M", NEW_YORK, "2026-03-01T04:00:00+00:00"),
    ],
)
def test_adding_follows_the_calendar_and_the_clock(start: str, text: str, zone: ZoneInfo, expected: str) -> None:
    """A delay of a day would move the hour at which people get their mail twice a year."""
    assert add(parse_duration(text), datetime.fromisoformat(start), zone) == datetime.fromisoformat(expected)


@given(minutes=st.integers(0, 4 * 366 * 24 * 60), days=st.integers(0, 800), zone=st.sampled_from(ZONES))
def test_adding_never_goes_back_and_keeps_the_hour(minutes: int, days: int, zone: str) -> None:
    """A timer would fire before it was started, or a day's delay would land on another hour."""
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    check_days(start, days, ZoneInfo(zone))


def check_days(start: datetime, days: int, zone: ZoneInfo) -> None:
    """So many days after ``start`` it is as late on the zone's clock; later by the gap, where clocks skip that time."""
    later = add(Duration(days=days), start, zone)
    assert later.utcoffset() == timedelta(0)
    assert later >= start
    wanted = start.astimezone(zone).replace(tzinfo=None) + timedelta(days=days)
    shown = later.astimezone(zone)
    moved = shown.replace(tzinfo=None) - wanted
    if not moved:
        assert shown.fold == 0 or days == 0, "what occurs twice is its first"
        return
    before = (later - timedelta(days=1)).astimezone(zone).utcoffset()
    after = (later + timedelta(days=1)).astimezone(zone).utcoffset()
    assert before is not None
    assert after is not None
    assert moved == after - before > timedelta(0), "forward by the gap"


@pytest.mark.long
@pytest.mark.parametrize("zone", ZONES)
def test_a_day_keeps_the_wall_clock_across_every_change(zone: str) -> None:
    """In one zone or another, a plan's mail would come an hour off after the clocks have changed."""
    place = ZoneInfo(zone)
    for change in changes(zone):
        for minutes in range(-36 * 60, 60, 15):
            for days in (1, 2, 7):
                check_days(change + timedelta(minutes=minutes), days, place)


@given(
    where=around_changes(),
    months=st.integers(0, 30),
    days=st.integers(0, 40),
    exact=st.integers(0, 400_000).map(lambda seconds: timedelta(seconds=seconds)),
)
def test_the_calendar_part_comes_first_and_the_exact_part_is_exact(
    where: tuple[str, datetime], months: int, days: int, exact: timedelta
) -> None:
    """P1DT1H would be another instant than a day and then an hour, around a change of the clocks."""
    zone, start = where
    place = ZoneInfo(zone)
    calendar = add(Duration(months, days), start, place)
    assert add(Duration(months, days, exact), start, place) == calendar + exact
    assert add(Duration(exact=exact), start, place) == start + exact


def written(duration: Duration) -> str:
    """A duration as ISO 8601 says it."""
    years, months = divmod(duration.months, 12)
    minutes, seconds = divmod(duration.exact.total_seconds(), 60)
    hours, minutes = divmod(int(minutes), 60)
    dates = [f"{count}{unit}" for count, unit in ((years, "Y"), (months, "M"), (duration.days, "D")) if count]
    times = [f"{count:g}{unit}" for count, unit in ((hours, "H"), (minutes, "M"), (seconds, "S")) if count]
    if not dates and not times:
        return "PT0S"
    return "".join(["P", *dates, *(["T", *times] if times else [])])


@given(
    months=st.integers(0, 100),
    days=st.integers(0, 9999),
    exact=st.integers(0, 2_000_000).map(lambda quarters: timedelta(seconds=quarters / 4)),
)
def test_what_is_written_is_read_back(months: int, days: int, exact: timedelta) -> None:
    """A duration would change its length by being stored."""
    duration = Duration(months, days, exact)
    assert parse_duration(written(duration)) == duration
    assert bool(duration) == (written(duration) != "PT0S")


@given(
    st.text(max_size=8)
    | st.from_regex(r"[-+]?P([0-9]{1,3}[.,]?[0-9]?[YMWDS]){0,3}(T([0-9]{1,3}[.,]?[0-9]?[HMSD]?){0,3})?", fullmatch=True)
)
def test_a_text_is_a_duration_or_refused(text: str) -> None:
    """A mistyped delay would be an internal error, or a negative or empty one would be taken."""
    try:
        duration = parse_duration(text)
    except BadDuration:
        return
    assert re.fullmatch(
        r"P(?=.)([0-9]+Y)?([0-9]+M)?([0-9]+W)?([0-9]+D)?(T(?=.)([0-9.,]+H)?([0-9.,]+M)?([0-9.,]+S)?)?", text
    )
    assert duration.months >= 0
    assert duration.days >= 0
    assert duration.exact >= timedelta(0)
