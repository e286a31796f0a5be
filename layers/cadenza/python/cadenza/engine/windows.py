"""The rules that say when a send may fall, each as the instants at which it opens and closes.

A rule answers two questions about an instant: when, at or after it, does the rule allow a send, and when does it next
stop allowing one? Rules know nothing of each other; `first_open` finds the first instant that suits all of them.

Windows are half-open in time: an edge is the first instant at which the zone's clock shows it or a later time. So an
edge that summer time skips is the moment of the change, and one that occurs twice is its first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from cadenza.planning.compiled import DailyWindow
from cadenza.planning.zones import first_instant

LOOK_AHEAD: Final = timedelta(days=400)
"""How far ahead a slot is looked for. More than a year, so that every yearly rule has had its turn."""

_DAY: Final = timedelta(days=1)
_MIDNIGHT: Final = time(0)


class Rule(Protocol):
    """One rule. ``opens_at(t) == t`` says that ``t`` is allowed; None, that the rule never opens, or never closes."""

    def opens_at(self, instant: datetime) -> datetime | None:
        """The first allowed instant at or after ``instant``."""
        ...

    def closes_at(self, instant: datetime) -> datetime | None:
        """The first instant after the allowed ``instant`` that is not allowed."""
        ...

    def reason(self, instant: datetime) -> str:
        """Why ``instant`` is not allowed."""
        ...


@dataclass(frozen=True, slots=True)
class Daily:
    """A window of every day. ``window`` is the time that is allowed; its ends differ. ``said`` is its reason."""

    said: str
    window: DailyWindow
    zone: ZoneInfo

    def opens_at(self, instant: datetime) -> datetime | None:
        """See `Rule`."""
        day = instant.astimezone(self.zone).date() - _DAY
        while True:
            start, end = self._on(day)
            if instant < end and start < end:
                return max(start, instant)
            day += _DAY

    def closes_at(self, instant: datetime) -> datetime | None:
        """See `Rule`."""
        day = instant.astimezone(self.zone).date() - _DAY
        end = instant
        # Neighbours can touch: what lies between two windows may be just what summer time skips.
        while (window := self._on(day))[0] <= end:
            end = max(end, window[1])
            day += _DAY
        return end

    def reason(self, instant: datetime) -> str:  # noqa: ARG002 - the same on all days
        """See `Rule`."""
        return self.said

    def _on(self, day: date) -> tuple[datetime, datetime]:
        """The instants between which the window that starts on ``day`` is open; equal ones if the day lacks it."""
        last = day if self.window.start < self.window.end else day + _DAY
        return (
            first_instant(datetime.combine(day, self.window.start), self.zone),
            first_instant(datetime.combine(last, self.window.end), self.zone),
        )


@dataclass(frozen=True, slots=True)
class WorkingDays:
    """Whole days of the zone's calendar. ``days`` are ISO weekdays; ``country`` is ISO 3166-1 alpha-2 or ""."""

    days: frozenset[int]
    country: str
    extra_holidays: frozenset[date]
    zone: ZoneInfo

    def opens_at(self, instant: datetime) -> datetime | None:
        """See `Rule`."""
        return self._change(instant, working=True)

    def closes_at(self, instant: datetime) -> datetime | None:
        """See `Rule`."""
        return self._change(instant, working=False)

    def reason(self, instant: datetime) -> str:
        """See `Rule`."""
        day = self._day_of(instant)
        if day.isoweekday() not in self.days:
            return f"{day:%A} is no working day"
        return f"holiday {self._holiday(day)}"

    def _change(self, instant: datetime, *, working: bool) -> datetime | None:
        day = self._day_of(instant)
        while (found := _next_day(self, day, working=working)) is not None:
            start = first_instant(datetime.combine(found, _MIDNIGHT), self.zone)
            # A day that a zone skips altogether (by crossing the date line) has no instant.
            if start < first_instant(datetime.combine(found + _DAY, _MIDNIGHT), self.zone):
                return max(instant, start)
            day = found + _DAY
        return None

    def _day_of(self, instant: datetime) -> date:
        day = instant.astimezone(self.zone).date()
        # Clocks that go back across midnight show the day before once more; its first end is its end.
        tomorrow = day + _DAY
        return tomorrow if instant >= first_instant(datetime.combine(tomorrow, _MIDNIGHT), self.zone) else day

    def works(self, day: date) -> bool:
        """Whether ``day`` is a working day."""
        return day.isoweekday() in self.days and not self._holiday(day)

    def _holiday(self, day: date) -> str:
        if day in self.extra_holidays:
            return f"of the workspace, {day}"
        return public_holidays(self.country, day.year).get(day, "") if self.country else ""


@lru_cache(maxsize=4096)
def _next_day(rule: WorkingDays, day: date, *, working: bool) -> date | None:
    """The first day from ``day`` on that is, or is not, a working day. Cached: a batch asks for the same few."""
    last = day + LOOK_AHEAD
    while day <= last:
        if rule.works(day) is working:
            return day
        day += _DAY
    return None


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing before ``until``."""

    until: datetime

    def opens_at(self, instant: datetime) -> datetime | None:
        """See `Rule`."""
        return max(instant, self.until)

    def closes_at(self, instant: datetime) -> datetime | None:  # noqa: ARG002 - once over, a hold does not come back
        """See `Rule`."""
        return None

    def reason(self, instant: datetime) -> str:  # noqa: ARG002 - the same at all times
        """See `Rule`."""
        return "hold"


def first_open(rules: Sequence[Rule], earliest: datetime) -> tuple[datetime, tuple[tuple[datetime, str], ...]] | None:
    """The first instant at or after ``earliest`` that every rule allows, and the steps that led there.

    A step is where a rule moved the instant to, and why. None if nothing opens within `LOOK_AHEAD`. Each rule only ever
    moves the instant to its own next opening, so no instant that all of them allow is passed over.
    """
    instant, last = earliest, earliest + LOOK_AHEAD
    # A hold may be longer than any look ahead: it is a date that somebody chose, not a search.
    for rule in rules:
        if isinstance(rule, Hold):
            last = max(last, rule.until + LOOK_AHEAD)
    steps: list[tuple[datetime, str]] = []
    agreed = 0
    while agreed < len(rules):
        agreed = 0
        for rule in rules:
            opens_at = rule.opens_at(instant)
            if opens_at is None or opens_at > last:
                return None
            if opens_at > instant:
                steps.append((opens_at, rule.reason(instant)))
                instant = opens_at
            else:
                agreed += 1
    return instant, tuple(steps)


def first_close(rules: Sequence[Rule], instant: datetime) -> datetime | None:
    """The first instant after the allowed ``instant`` that some rule does not allow. None: not in sight."""
    return min(filter(None, (rule.closes_at(instant) for rule in rules)), default=None)


@lru_cache(maxsize=256)
def public_holidays(country: str, year: int) -> Mapping[date, str]:
    """The public holidays of a country (ISO 3166-1 alpha-2) in a year, with their names; none if it is not known."""
    import holidays  # noqa: PLC0415 - 170 ms that only those pay who ask for holidays

    try:
        return dict(holidays.country_holidays(country, years=year, language="en_US"))
    except NotImplementedError:
        return {}


def knows_holidays(country: str) -> bool:
    """Whether `public_holidays` knows the country."""
    import holidays  # noqa: PLC0415 - see public_holidays

    return country in holidays.list_supported_countries()
