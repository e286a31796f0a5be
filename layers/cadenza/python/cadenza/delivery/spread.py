"""What cannot go now gets its next instant; what a cap stops gets a place in a later day's caps, spread over the day.

Places are given in the order in which messages are due, first come, first served: a message that was put off has its
place, and whoever comes later stands behind it. So a cap that is used up makes a line, not a crowd at midnight, and
nobody in it is overtaken. What holds no place any more (paused, withdrawn, sent) is simply not counted.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, text

from cadenza.delivery import outbox
from cadenza.delivery.gate import Claims
from cadenza.delivery.limits import LIMITS, day_start, next_quota_day, quota_day
from cadenza.delivery.model import Deferral, DueMessage, Judged, Verdict
from cadenza.engine.apply import compiled_plans
from cadenza.engine.schedule import Slot, next_slot
from cadenza.engine.store import Enrolment
from cadenza.planning.compiled import CompiledPlan

DAY: Final = timedelta(days=1)
AHEAD: Final = timedelta(days=366)
"""How far places are given. What finds none within this time is looked at again at its end."""


def put_off(conn: Connection, claims: Claims, now: datetime) -> list[DueMessage]:
    """Give what cannot go now its next slot; when each message is to come back. Three statements at most."""
    plans = compiled_plans(conn, {claims.enrolments[judged.stay.enrolment_id].plan_id for judged in claims.put_off})
    calendar = _calendar(conn, [judged for judged in claims.put_off if judged.verdict is Verdict.CAP_REACHED], now)
    deferrals: list[Deferral] = []
    reminders: list[DueMessage] = []
    for judged in claims.put_off:
        if judged.verdict is Verdict.NOT_DUE:
            reminders.append(DueMessage(judged.stay.message_id, judged.due_at))
            continue
        enrolment = claims.enrolments[judged.stay.enrolment_id]
        deferral = _deferral(judged, plans[enrolment.plan_id], enrolment, calendar, now)
        deferrals.append(deferral)
        reminders.append(DueMessage(deferral.id, deferral.due_at))
    outbox.defer(conn, deferrals)
    return reminders


def _deferral(judged: Judged, plan: CompiledPlan, enrolment: Enrolment, calendar: Calendar, now: datetime) -> Deferral:
    message_id = judged.stay.message_id

    def slot_from(earliest: datetime) -> Slot | None:
        return next_slot(plan, plan.nodes[judged.stay.node], enrolment.rules, earliest)

    if judged.verdict is not Verdict.CAP_REACHED:
        slot = slot_from(judged.clears_at or now)
        if slot is not None:
            return Deferral(message_id, slot.at, slot.closes_at, "; ".join((judged.verdict, *slot.why)))
    else:
        slot, day = _free_day(slot_from, calendar, judged.caps, now)
        if slot is not None and day is not None:
            place = calendar.take(judged.caps, day)
            steps = (judged.verdict, *slot.why, f"place {place.nth} of {place.of} on {day} (UTC)")
            return Deferral(message_id, place.within(slot), slot.closes_at, "; ".join(steps), booked_on=day)
        if slot is not None:
            return Deferral(message_id, slot.at, slot.closes_at, f"{judged.verdict}; no place until then")
    # Windows that never open are a setting that somebody may change: look again tomorrow, with the reason shown.
    return Deferral(message_id, next_quota_day(now), None, f"{judged.verdict}; its windows never open")


def _free_day(
    slot_from: Callable[[datetime], Slot | None], calendar: Calendar, caps: Sequence[str], now: datetime
) -> tuple[Slot | None, date | None]:
    """The first slot after today on whose UTC day all the caps have a place. No day: there is none in sight."""
    last = (now + AHEAD).date()
    wanted = next_quota_day(now).date()
    while True:
        free = calendar.first_free(caps, wanted, last)
        slot = slot_from(day_start(free or last))
        if slot is None or free is None:
            return slot, None
        wanted = slot.at.astimezone(UTC).date()
        if wanted == free:
            return slot, free
        if wanted > last:
            return slot, None


# --- places ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """The ``nth`` place of ``of`` in the fullest cap of a day."""

    nth: int
    of: int

    def within(self, slot: Slot) -> datetime:
        """Its instant: the places of a day lie evenly between the slot's opening and its close, or the day's end."""
        end = day_start(slot.at.astimezone(UTC).date() + DAY)
        open_for = min(end, slot.closes_at or end) - slot.at
        return slot.at + open_for * ((self.nth - 1) / self.of)


@dataclass(slots=True)
class Calendar:
    """The caps of the days ahead, by key: from which day on which cap holds, and how many places of a day are taken."""

    steps: Mapping[str, Sequence[tuple[date, int]]]
    taken: defaultdict[tuple[str, date], int] = field(default_factory=lambda: defaultdict(int))

    def first_free(self, keys: Sequence[str], earliest: date, last: date) -> date | None:
        """The first day from ``earliest`` to ``last`` on which every cap has a place."""
        day = earliest
        while day <= last:
            if all(self.taken[key, day] < self._cap(key, day) for key in keys if key in self.steps):
                return day
            day += DAY
        return None

    def take(self, keys: Sequence[str], day: date) -> Place:
        """Take a place on ``day`` in every cap."""
        places: list[Place] = []
        for key in keys:
            if key in self.steps:
                self.taken[key, day] += 1
                places.append(Place(self.taken[key, day], self._cap(key, day)))
        return max(places, key=lambda place: place.nth / place.of)

    def _cap(self, key: str, day: date) -> int:
        steps = self.steps[key]
        return steps[bisect_right(steps, day, key=lambda step: step[0]) - 1][1]


def _calendar(conn: Connection, capped: Sequence[Judged], now: datetime) -> Calendar:
    if not capped:
        return Calendar({})
    tomorrow = next_quota_day(now)
    parameters = {
        "ids": [judged.stay.message_id for judged in capped],
        "day": quota_day(now),
        "first_day": quota_day(tomorrow),
        "last_day": quota_day(now + AHEAD),
    }
    found: Mapping[str, list[list[Any]]] = conn.execute(_LIMITS_AHEAD, parameters).scalar_one()
    steps: defaultdict[str, list[tuple[date, int]]] = defaultdict(list)
    for key, day, cap in found["caps"]:
        steps[key].append((date.fromisoformat(day), int(cap)))
    calendar = Calendar(steps)
    for key, day, n in found["booked"]:
        calendar.taken[key, date.fromisoformat(day)] = n
    return calendar


# Of a cap only the days on which it changes: a year of the same says nothing.
_LIMITS_AHEAD = text(f"""
    WITH judged AS (
        SELECT m.workspace_id, m.campaign_id, m.sender_id, s.provider
        FROM outbound_messages m LEFT JOIN sender_identities s ON s.id = m.sender_id WHERE m.id = ANY(:ids)
    ), {LIMITS}, changes AS (
        SELECT key, day, cap, lag(cap) OVER (PARTITION BY key ORDER BY day) IS DISTINCT FROM cap AS changed FROM limits
    )
    SELECT json_build_object(
        'caps', (SELECT coalesce(json_agg(json_build_array(key, day, cap) ORDER BY key, day), '[]')
                 FROM changes WHERE changed),
        'booked', (SELECT coalesce(json_agg(json_build_array(key, day, booked)), '[]') FROM limits WHERE booked > 0))
""")
