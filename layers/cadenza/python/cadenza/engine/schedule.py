"""When a send falls: the plan's delay or instant first, then every window that applies. Timers never come here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from cadenza.core.states import Channel
from cadenza.engine.model import SendingRules
from cadenza.engine.windows import Daily, Hold, Rule, WorkingDays, first_close, first_open
from cadenza.planning.compiled import LEGAL_HOURS, CompiledPlan, DailyWindow, Node, PlanWindows
from cadenza.planning.durations import add
from cadenza.planning.zones import find_zone

_EVERY_DAY = frozenset(range(1, 8))


@dataclass(frozen=True, slots=True)
class Slot:
    """When a send may fall. It is allowed in [at, closes_at); None: no window closes. ``why`` is one step a line."""

    at: datetime
    closes_at: datetime | None = None
    why: tuple[str, ...] = ()


def planned_slot(plan: CompiledPlan, node: Node, rules: SendingRules, entered_at: datetime) -> Slot | None:
    """When a send node that is entered at ``entered_at`` should send. None: its windows never open.

    ``schedule.at`` overrides the delay; an instant that has passed means now. The delay's calendar units are the plan's
    zone's.
    """
    zone = sending_zone(plan, rules)
    if node.at is not None:
        due_at = max(node.at, entered_at)
        step = f"at {_shown(node.at, zone)}" + (" (passed: at once)" if node.at < entered_at else "")
        return next_slot(plan, node, rules, due_at, (step,))
    if not node.delay:
        return next_slot(plan, node, rules, entered_at)
    due_at = add(node.delay, entered_at, plan.zone)
    return next_slot(plan, node, rules, due_at, (f"delay {node.delay_text} → {_shown(due_at, zone)}",))


def next_slot(
    plan: CompiledPlan, node: Node, rules: SendingRules, earliest: datetime, why: tuple[str, ...] = ()
) -> Slot | None:
    """The first slot at or after ``earliest`` that every applicable window allows. None: there is none in sight.

    ``why`` are the steps that led to ``earliest``; the windows' own are added to them.
    """
    zone = sending_zone(plan, rules)
    applicable = _applicable(plan.windows, zone, node.channel, rules)
    found = first_open(applicable, earliest)
    if found is None:
        return None
    instant, steps = found
    return Slot(
        at=instant,
        closes_at=first_close(applicable, instant),
        why=why + tuple(f"{reason} → {_shown(moved_to, zone)}" for moved_to, reason in steps),
    )


def sending_zone(plan: CompiledPlan, rules: SendingRules) -> ZoneInfo:
    """The zone of every window: the recipient's, else the plan's. A recipient's zone that does not exist is none."""
    return (find_zone(rules.recipient_zone) if rules.recipient_zone else None) or plan.zone


def _shown(instant: datetime, zone: ZoneInfo) -> str:
    return f"{instant.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}"


@lru_cache(maxsize=1024)
def _applicable(plan: PlanWindows, zone: ZoneInfo, channel: Channel, rules: SendingRules) -> tuple[Rule, ...]:
    """The rules that apply, cached because the enrolments of a batch mostly share them."""
    found: list[Rule] = []
    if rules.not_before is not None:
        found.append(Hold(rules.not_before))
    days = plan.working_days & rules.working_days
    if days != _EVERY_DAY or rules.holidays_country or rules.extra_holidays:
        found.append(WorkingDays(days, rules.holidays_country, rules.extra_holidays, zone))
    if plan.quiet_hours is not None:
        allowed = DailyWindow(plan.quiet_hours.end, plan.quiet_hours.start)
        found.append(Daily(f"quiet hours {plan.quiet_hours}", allowed, zone))
    named = (
        ("plan's working hours", plan.working_hours),
        ("working hours", rules.working_hours),
        ("legal hours", LEGAL_HOURS.get(channel)),
    )
    for name, window in named:
        if window is not None and window.start != window.end:
            found.append(Daily(f"outside the {name} {window}", window, zone))
    return tuple(found)
