"""The sending rules of an enrolment, from its workspace's settings and its campaign's own."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Annotated, Any, Final, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, model_validator

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


def sending_rules(
    workspace: Mapping[str, Any], campaign: Mapping[str, Any], skip_due_before: str | None = None
) -> SendingRules:
    """A campaign's rules, for recipients without a zone or a hold of their own.

    Both are JSON by the names of `CampaignRules`, checked when they were stored; what ``campaign`` leaves out, or has
    as null, ``workspace`` says. ``skip_due_before`` is an instant in ISO 8601.
    """

    def said(name: str) -> Any:  # noqa: ANN401 - JSON
        own = campaign.get(name)
        return workspace.get(name) if own is None else own

    start, end = said("working_hours_start"), said("working_hours_end")
    return SendingRules(
        working_hours=DailyWindow(time.fromisoformat(start), time.fromisoformat(end)) if start and end else None,
        working_days=frozenset(said("working_days") or EVERY_DAY),
        holidays_country=said("holidays_country") or "",
        extra_holidays=frozenset(date.fromisoformat(day) for day in said("extra_holidays") or ()),
        skip_due_before=None if skip_due_before is None else datetime.fromisoformat(skip_due_before),
    )
