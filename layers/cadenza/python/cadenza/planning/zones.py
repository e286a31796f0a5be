"""From wall clocks to instants: zones by their IANA names, and what a clock shows when summer time begins and ends."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_SECOND = timedelta(seconds=1)


@cache
def find_zone(name: str) -> ZoneInfo | None:
    """The zone of an IANA name, or None if there is no such zone."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # ValueError: a path or control characters; OSError: a region ("Europe") is a folder of the zone database.
        return None


def instant_of(wall: datetime, zone: ZoneInfo) -> datetime:
    """The UTC instant of the naive ``wall`` time, read as calendars do (RFC 5545, section 3.3.5).

    A time that occurs twice is its first. A time that is skipped is read with the offset before the gap, so it moves
    forward by the length of the gap: 01:30 becomes 02:30 when clocks go from 01:00 to 02:00.
    """
    return wall.replace(tzinfo=zone, fold=0).astimezone(UTC)


@lru_cache(maxsize=8192)
def first_instant(wall: datetime, zone: ZoneInfo) -> datetime:
    """The first UTC instant at which the zone's clock shows the naive ``wall`` time or a later one.

    Window edges are read so: a skipped edge is the moment of the change, because a window that ends at 01:30 must not
    last until 02:30. The answer never decreases as ``wall`` grows. Cached: a batch asks for the same few edges.
    """
    early = instant_of(wall, zone)
    shown = early.astimezone(zone)
    if shown.replace(tzinfo=None) == wall:
        return early
    before = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    offset = shown.utcoffset()
    while early - before > _SECOND:
        middle = before + (early - before) // 2
        middle = middle.replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == offset:
            early = middle
        else:
            before = middle
    return early
