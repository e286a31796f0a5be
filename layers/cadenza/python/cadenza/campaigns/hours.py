"""Whether a first mail could go now, before there is a plan: the workspace's and the campaign's hours and days."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from cadenza.engine.rules import EVERY_DAY, sending_rules
from cadenza.engine.windows import Daily, Rule, WorkingDays, first_open
from cadenza.planning.compiled import DailyWindow
from cadenza.planning.model import Hours


def opening(
    workspace: Mapping[str, Any], campaign: Mapping[str, Any], quiet: Hours | None, zone: ZoneInfo, now: datetime
) -> tuple[datetime | None, str]:
    """The first instant from ``now`` on at which somebody in ``zone`` may be sent to, and in words why not before.

    ``workspace`` and ``campaign``: see `sending_rules`. None: there is none in sight.
    """
    rules = sending_rules(workspace, campaign)
    windows: list[Rule] = []
    if rules.working_days != frozenset(EVERY_DAY) or rules.holidays_country or rules.extra_holidays:
        windows.append(WorkingDays(rules.working_days, rules.holidays_country, rules.extra_holidays, zone))
    if quiet is not None and quiet.start != quiet.end:
        allowed = DailyWindow(time.fromisoformat(quiet.end), time.fromisoformat(quiet.start))
        windows.append(Daily("quiet hours of the campaign", allowed, zone))
    hours = rules.working_hours
    if hours is not None and hours.start != hours.end:
        windows.append(Daily(f"outside the working hours {hours}", hours, zone))
    found = first_open(windows, now)
    if found is None:
        return None, "no working day is in sight"
    opens_at, steps = found
    return opens_at, "; ".join(f"{reason} ({zone.key})" for _, reason in steps)
