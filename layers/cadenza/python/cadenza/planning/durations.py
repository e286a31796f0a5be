"""ISO 8601 durations: read exactly, and added as calendars and clocks do."""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import isodate

from cadenza.planning.zones import instant_of

_MONTHS_A_YEAR: Final = 12
_SHORTEST_MONTH: Final = 28
_CENTURY: Final = timedelta(days=36_525)
_DAYS_A_MONTH: Final = 30.436875
_REFUSED: Final = tuple(
    (re.compile(pattern, re.DOTALL), reason)
    for pattern, reason in (
        (r"-", "is negative: a plan only goes forward"),
        (r"(?!P)", "is no ISO 8601 duration: one begins with P, such as P3D or PT72H"),
        (r"PT?\Z", "is empty: it says no length; write PT0S for none"),
        (r".*T\Z", "is incomplete: nothing follows the T"),
        (r".*[^YMWDHS]\Z", "is malformed: it must end in a unit (Y, M, W, D, or H, M, S after a T)"),
        (r"[^T]*[.,]", "has a fraction of a calendar unit, whose length is not fixed; write hours (PT36H)"),
        (r".*[.,][0-9]*[HM].", "has a fraction before its last unit"),
    )
)
"""What isodate takes and a plan must not have, in the order of asking. The rest isodate refuses itself."""


class BadDuration(ValueError):  # noqa: N818 - reads as what happened
    """The text is no duration that a plan can use. The message says why, and is fit for the plan's author."""


@dataclass(frozen=True, slots=True)
class Duration:
    """``months`` and ``days`` are calendar units in some zone; ``exact`` is elapsed time. None is negative."""

    months: int = 0
    days: int = 0
    exact: timedelta = timedelta(0)

    @property
    def about(self) -> timedelta:
        """The length with days of 24 hours and average months: for comparing, never for timing."""
        return timedelta(days=self.months * _DAYS_A_MONTH + self.days) + self.exact

    @property
    def at_least(self) -> timedelta:
        """No less than this elapses, whatever the clocks do meanwhile: a zone can skip a day, and months are short."""
        calendar_days = self.months * _SHORTEST_MONTH + self.days
        return timedelta(days=max(0, calendar_days - 1)) + self.exact

    def __bool__(self) -> bool:
        return bool(self.months or self.days or self.exact)


@cache
def parse_duration(text: str) -> Duration:
    """Read an ISO 8601 duration: ``P3D``, ``P1W``, ``P1M``, ``PT72H``, ``P1DT12H``, ``PT1.5H``.

    Raises:
        BadDuration: Negative, empty (``P``, ``PT``, ``P1DT``), longer than a century, malformed, or with a fraction
            where the length would depend on the calendar.
    """
    for pattern, reason in _REFUSED:
        if pattern.match(text):
            raise BadDuration(f"{text!r} {reason}")
    try:
        duration = _read(*text[1:].partition("T")[::2])
        too_long = duration.about > _CENTURY
    except isodate.ISO8601Error as error:
        raise BadDuration(f"{text!r} is malformed: a unit is unknown, out of order or without its number") from error
    except OverflowError as error:
        raise BadDuration(f"{text!r} is too long") from error
    if too_long:
        raise BadDuration(f"{text!r} is longer than a century")
    return duration


def _read(dates: str, times: str) -> Duration:
    """Both halves apart: isodate adds up days and hours, and P1D is not PT24H where clocks change."""
    calendar_part: Any = isodate.parse_duration(f"P{dates or '0D'}", as_timedelta_if_possible=False)  # pyright: ignore[reportUnknownMemberType] - isodate's parameters are untyped
    exact_part: Any = isodate.parse_duration(f"PT{times or '0S'}")  # pyright: ignore[reportUnknownMemberType]
    return Duration(
        months=int(calendar_part.years) * _MONTHS_A_YEAR + int(calendar_part.months),
        days=calendar_part.tdelta.days,
        exact=exact_part,
    )


@lru_cache(maxsize=8192)
def add(duration: Duration, instant: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant that lies ``duration`` after ``instant``. Cached: what a batch enters, it enters at one instant.

    First the calendar part, on the zone's wall clock: P1D keeps 09:00 across a change of the clocks, P1M after
    31 January is the last of February. Then the exact part. Skipped and repeated wall times: see `instant_of`.
    """
    if duration.months or duration.days:
        wall = instant.astimezone(zone).replace(tzinfo=None)
        if duration.months:
            wall = _add_months(wall, duration.months)
        instant = instant_of(wall + timedelta(days=duration.days), zone)
    return instant.astimezone(UTC) + duration.exact


def _add_months(wall: datetime, months: int) -> datetime:
    years, month = divmod(wall.month - 1 + months, _MONTHS_A_YEAR)
    year = wall.year + years
    return wall.replace(year=year, month=month + 1, day=min(wall.day, calendar.monthrange(year, month + 1)[1]))
