"""Slots against a walk through every minute: in all zones, at all changes of their clocks, with all windows."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import holidays
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.engine.model import DailyWindow, SendingRules
from cadenza.engine.schedule import next_slot
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.compiler import compile_plan
from tests.unit.playing import send
from tests.unit.properties import ZONES, around_changes, changes, runnable

MINUTE = timedelta(minutes=1)
DAY = timedelta(days=1)
WALK = timedelta(days=9)
LEGAL = (time(8), time(21))
Ends = tuple[time, time]


def inside(ends: Ends, wall: time) -> bool:
    """The window's meaning, spelled out: half-open, over midnight if it ends before it starts."""
    start, end = ends
    return start <= wall < end if start < end else wall >= start or wall < end


@dataclass(frozen=True)
class Windows:
    """Every window that there is, as a person would say it."""

    quiet: Ends | None = None
    working: tuple[Ends, ...] = ()
    days: frozenset[int] = frozenset(range(1, 8))
    country: str = ""
    extra: frozenset[date] = frozenset()
    channel: str = "email"
    plan_days: frozenset[int] = frozenset(range(1, 8))

    def allows(self, wall: datetime) -> bool:
        """Whether a send may fall when the recipient's clock shows ``wall``."""
        return self.allows_day(wall.date()) and self.allows_time(wall.time())

    def allows_day(self, day: date) -> bool:
        """Whether ``day`` is a working day."""
        return (
            day.isoweekday() in self.days & self.plan_days
            and day not in self.extra
            and day not in _holidays(self.country)
        )

    def allows_time(self, wall: time) -> bool:
        """Whether ``wall`` is in every daily window."""
        legal = self.channel == "email" or inside(LEGAL, wall)
        quiet = self.quiet is not None and self.quiet[0] != self.quiet[1] and inside(self.quiet, wall)
        return legal and not quiet and all(inside(ends, wall) for ends in self.working if ends[0] != ends[1])

    def source(self) -> dict[str, object]:
        """A plan with one send, which states the quiet hours and the first of the working hours."""
        node = send("a", channel=self.channel)
        source: dict[str, object] = {"version": "1.1", "timezone": "UTC", "startNodeId": "a", "nodes": [node]}
        source["workingDays"] = sorted(self.plan_days)
        if self.quiet is not None:
            source["quietHours"] = _hours(self.quiet)
        if self.working:
            source["workingHours"] = _hours(self.working[0])
        return source

    def rules(self, zone: str, held_until: datetime | None = None) -> SendingRules:
        """The rest of the windows, as the campaign's rules."""
        return SendingRules(
            recipient_zone=zone,
            working_hours=DailyWindow(*self.working[1]) if len(self.working) > 1 else None,
            working_days=self.days,
            holidays_country=self.country,
            extra_holidays=self.extra,
            not_before=held_until,
        )


def _hours(ends: Ends) -> dict[str, str]:
    return {"start": f"{ends[0]:%H:%M}", "end": f"{ends[1]:%H:%M}"}


@cache
def _holidays(country: str) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, years=range(2024, 2031))) if country else frozenset()


def minutes(start: datetime, length: timedelta, zone: str) -> Iterator[tuple[datetime, datetime]]:
    """Every minute from ``start``, with the latest wall time that the zone's clock has shown by then.

    That is what an edge looks at: a window that opens at 01:30 opens when the clock first shows 01:30 or later.
    """
    place = ZoneInfo(zone)
    instant, shown = start - DAY, datetime.min  # noqa: DTZ901 - wall times are naive
    while instant < start + length:
        shown = max(shown, instant.astimezone(place).replace(tzinfo=None))
        if instant >= start:
            yield instant, shown
        instant += MINUTE


def walk(start: datetime, zone: str, allowed: Callable[[datetime], bool]) -> tuple[datetime | None, datetime | None]:
    """The first allowed minute from ``start`` on, and the first one after it that is not."""
    opened = None
    for instant, shown in minutes(start, WALK, zone):
        if opened is None:
            opened = instant if allowed(shown) else None
        elif not allowed(shown):
            return opened, instant
    return opened, None


quarters = st.builds(time, st.integers(0, 23), st.sampled_from([0, 15, 30, 45]))
ends = st.tuples(quarters, quarters)


@given(
    where=around_changes(),
    quiet=st.none() | ends,
    working=st.lists(ends, max_size=2),
    days=st.frozensets(st.integers(1, 7), min_size=1) | st.just(frozenset(range(1, 8))),
    plan_days=st.frozensets(st.integers(1, 7), min_size=4),
    country=st.sampled_from(["", "PT", "US", "EG", "IN", "JP", "CL"]),
    off=st.none() | st.integers(-2, 5),
    channel=st.sampled_from(["email", "sms", "call"]),
    held_minutes=st.none() | st.integers(-600, 2 * 24 * 60),
)
def test_a_slot_is_the_first_minute_that_every_window_allows(
    where: tuple[str, datetime],
    quiet: Ends | None,
    working: list[Ends],
    days: frozenset[int],
    plan_days: frozenset[int],
    country: str,
    off: int | None,
    channel: str,
    held_minutes: int | None,
) -> None:
    """A message would leave in somebody's night or holiday, or later than it could have."""
    zone, earliest = where
    today = earliest.astimezone(ZoneInfo(zone)).date()
    extra = frozenset() if off is None else frozenset({today + off * DAY})
    windows = Windows(quiet, tuple(working), days, country, extra, channel, plan_days)
    held_until = None if held_minutes is None else earliest + held_minutes * MINUTE
    plan = runnable(windows.source())
    slot = next_slot(plan, plan.nodes["a"], windows.rules(zone, held_until), earliest)

    asked = max(earliest, held_until or earliest)
    expected, closes = walk(asked, zone, windows.allows)
    if expected is None:
        assert slot is None or slot.at >= asked + WALK
        return
    assert slot is not None
    assert slot.at == expected
    if closes is None:
        assert slot.closes_at is None or slot.closes_at >= asked + WALK
    else:
        assert slot.closes_at == closes
    assert bool(slot.why) == (slot.at > earliest)


# --- every zone, every change ------------------------------------------------------------------------------------


def _around(change: datetime, zone: str) -> list[Windows]:
    """Windows with their edges where the clock is about to change, and a few that everybody has."""
    place = ZoneInfo(zone)
    before, after, at, last = (
        (change + shift * MINUTE).astimezone(place).time().replace(second=0) for shift in (-90, 90, -30, -60)
    )
    day = change.astimezone(place).date()
    return [
        Windows(quiet=(time(21), time(7, 30))),
        Windows(quiet=(before, after)),
        Windows(quiet=(after, before)),
        Windows(quiet=(at, after), working=((time(9), time(17)),), days=frozenset(range(1, 6))),
        Windows(working=((last, at),)),
        Windows(working=((at, last), (before, after)), extra=frozenset({day})),
        Windows(days=frozenset({6, 7}), channel="sms"),
        Windows(quiet=(time(0, 30), time(23, 30)), days=frozenset({day.isoweekday()})),
    ]


def _first_from(allowed: list[bool], wanted: bool) -> list[int | None]:
    """For each minute the first from it on that is allowed, or is not: by going backwards once."""
    found: list[int | None] = [None] * len(allowed)
    last = None
    for index in range(len(allowed) - 1, -1, -1):
        last = index if allowed[index] is wanted else last
        found[index] = last
    return found


@pytest.mark.long
@pytest.mark.parametrize("zone", ZONES)
def test_no_change_of_a_clock_moves_a_slot_out_of_its_windows(zone: str) -> None:
    """In the nights in which clocks change, somebody would get mail outside the windows, or an hour late."""
    for change in changes(zone):
        start = change - 36 * 60 * MINUTE
        shown = [wall for _, wall in minutes(start, timedelta(days=4), zone)]
        for windows in _around(change, zone):
            plan = compile_plan(windows.source()).plan
            if plan is not None:
                _check_every_slot(plan, windows, zone, start, shown)


def _check_every_slot(plan: CompiledPlan, windows: Windows, zone: str, start: datetime, shown: list[datetime]) -> None:
    rules, node = windows.rules(zone), plan.nodes["a"]
    days = {day: windows.allows_day(day) for day in {wall.date() for wall in shown}}
    times = {wall: windows.allows_time(wall) for wall in {wall.time() for wall in shown}}
    allowed = [days[wall.date()] and times[wall.time()] for wall in shown]
    opens, closes = _first_from(allowed, True), _first_from(allowed, False)
    edges = [index for index in range(1, len(allowed)) if allowed[index] is not allowed[index - 1]]
    for asked in {*range(0, len(allowed), 331), *edges, *(edge - 1 for edge in edges)}:
        slot = next_slot(plan, node, rules, start + asked * MINUTE)
        opened = opens[asked]
        if opened is None:
            assert slot is None or slot.at >= start + len(allowed) * MINUTE
            continue
        assert slot is not None
        assert slot.at == start + opened * MINUTE, (windows, start + asked * MINUTE)
        closed = closes[opened]
        if closed is None:
            assert slot.closes_at is None or slot.closes_at >= start + len(allowed) * MINUTE
        else:
            assert slot.closes_at == start + closed * MINUTE, (windows, start + asked * MINUTE)


def test_all_zones_are_known_to_the_walk() -> None:
    """The zones whose clocks change at odd hours, or twice a year more, would not be tried at all."""
    assert len(changes("Europe/Lisbon")) == 8
    assert len(changes("Africa/Casablanca")) == 8
    assert len(changes("Australia/Lord_Howe")) == 8
    assert changes("Asia/Kathmandu") == (datetime(2026, 6, 1, tzinfo=UTC),)
