"""The sending rules of an enrolment, from its workspace's settings and its campaign's own."""

from __future__ import annotations

from datetime import date, time

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Row

from cadenza.engine.model import DailyWindow, SendingRules

EVERY_DAY = tuple(range(1, 8))


class CampaignRules(BaseModel):
    """What a campaign may say itself about when it sends; whatever it leaves out comes from the workspace.

    ``working_days`` are ISO weekdays (1 is Monday); ``holidays_country`` is ISO 3166-1 alpha-2.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    working_hours_start: time | None = None
    working_hours_end: time | None = None
    working_days: tuple[int, ...] | None = Field(default=None, min_length=1)
    holidays_country: str | None = None
    extra_holidays: tuple[date, ...] | None = None


def sending_rules(row: Row[tuple[object, ...]]) -> SendingRules:
    """From a row with the workspace's settings, the campaign's ``rules``, ``time_zone`` and ``held_until``."""
    own = CampaignRules.model_validate(row.rules)
    start = own.working_hours_start or row.working_hours_start
    end = own.working_hours_end or row.working_hours_end
    holidays = own.extra_holidays if own.extra_holidays is not None else row.extra_holidays
    return SendingRules(
        recipient_zone=row.time_zone,
        working_hours=DailyWindow(start, end) if start is not None and end is not None else None,
        working_days=frozenset(own.working_days or row.working_days or EVERY_DAY),
        holidays_country=own.holidays_country if own.holidays_country is not None else row.holidays_country,
        extra_holidays=frozenset(holidays),
        not_before=row.held_until,
    )
