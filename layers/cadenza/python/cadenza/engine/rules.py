"""The sending rules of an enrolment, from its workspace's settings and its campaign's own."""

from __future__ import annotations

from datetime import date, time
from typing import Annotated, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator
from sqlalchemy import Row

from cadenza.engine.model import DailyWindow, SendingRules
from cadenza.engine.windows import knows_holidays

EVERY_DAY: Final = tuple(range(1, 8))


def _distinct(days: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(sorted(set(days)))


def _with_holidays(country: str) -> str:
    if country and not knows_holidays(country):
        raise ValueError("no public holidays are known of this country")
    return country


def _without_offset(wall: time) -> time:
    if wall.tzinfo is not None:
        raise ValueError("working hours are wall-clock times, without an offset")
    return wall


WallTime = Annotated[time, AfterValidator(_without_offset)]
Weekday = Annotated[int, Field(ge=1, le=7)]
WorkingDays = Annotated[tuple[Weekday, ...], Field(min_length=1), AfterValidator(_distinct)]
"""ISO weekdays, 1 is Monday."""
HolidaysOf = Annotated[str, StringConstraints(pattern="^([A-Z]{2})?$"), AfterValidator(_with_holidays)]
"""The ISO 3166-1 alpha-2 code of a country whose public holidays are known; "" for none."""
Holidays = Annotated[tuple[date, ...], Field(max_length=1000)]


class WorkingHours(BaseModel):
    """Half-open wall-clock hours at the recipient, or none at all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    working_hours_start: WallTime | None = None
    working_hours_end: WallTime | None = None

    @model_validator(mode="after")
    def _both_hours(self) -> Self:
        if (self.working_hours_start is None) != (self.working_hours_end is None):
            raise ValueError("working hours need both working_hours_start and working_hours_end")
        return self


class CampaignRules(WorkingHours):
    """What a campaign may say itself about when it sends; whatever it leaves out comes from the workspace."""

    working_days: WorkingDays | None = None
    holidays_country: HolidaysOf | None = None
    extra_holidays: Holidays | None = None


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
