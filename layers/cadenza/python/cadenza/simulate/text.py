"""A simulation, or all branches of a plan, for people to read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, assert_never
from zoneinfo import ZoneInfo

from pydantic import JsonValue

from cadenza.core.states import EnrolmentStatus
from cadenza.simulate.model import Entry, EntryKind, Simulation, instant_of_text, rfc3339

if TYPE_CHECKING:
    from cadenza.simulate.explore import Branch, Exploration, Span, Stay

_DAY = "%a %Y-%m-%d"


def of_simulation(simulation: Simulation, zone: ZoneInfo) -> list[str]:
    """The timeline in local and UTC times, why each moment was chosen, and the outcome. ``zone`` is the local one."""
    width = max((len(entry.node) for entry in simulation.timeline), default=0)
    lines = [f"Local times are {zone.key}."]
    last: datetime | None = None
    for entry in simulation.timeline:
        # Only the first line of an instant shows it: what follows from it is read as one.
        when = _both(entry.at, zone) if entry.at != last else " " * len(_both(entry.at, zone))
        last = entry.at
        said, *more = _said(entry, zone)
        lines.append(f"{when}  {entry.node:{width}}  {entry.kind:10}  {said}".rstrip())
        lines += [" " * (len(when) + width + 16) + line for line in more]
    return [*lines, f"Outcome: {simulation.outcome}"]


def of_exploration(exploration: Exploration, zone: ZoneInfo) -> list[str]:
    """The tree of all branches, then the earliest and latest time of each send."""
    lines = [f"Local times are {zone.key}. A stay that is shown above is not shown again."]
    lines += _tree(exploration.start, "", set(), zone)
    lines.append("")
    if exploration.sends:
        lines.append("Sends, earliest and latest:")
        lines += [f"  {node}: {_both_spans(span, zone)}" for node, span in exploration.sends]
    else:
        lines.append("Nothing is ever sent.")
    lines.append(
        "Wherever the plan does not route them, a reply, an unsubscription, a complaint or a hard bounce stops it."
    )
    if not exploration.complete:
        lines.append("There is more: the exploration broke off where it says so, so sends may also be later.")
    return lines


def _tree(stay: Stay, indent: str, shown: set[int], zone: ZoneInfo) -> Iterator[str]:
    again = id(stay) in shown
    shown.add(id(stay))
    yield f"{_name(stay)}{_about(stay, zone)}" + (" (see above)" if again and stay.branches else "")
    if again:
        return
    for number, branch in enumerate(stay.branches, start=1):
        fork, bar = ("├─ ", "│  ") if number < len(stay.branches) else ("└─ ", "   ")
        yield f"{indent}{fork}{_way(branch)} · {_span(branch.at, zone)}"
        if branch.to is None:
            yield f"{indent}{bar}→ {_ended(branch.outcome, branch.reason)}"
            continue
        first, *rest = _tree(branch.to, indent + bar, shown, zone)
        yield f"{indent}{bar}→ {first}"
        yield from rest


def _name(stay: Stay) -> str:
    return f"{stay.node} (step {stay.visit})"


def _about(stay: Stay, zone: ZoneInfo) -> str:
    sent = f" · sent {_span(stay.sent, zone)}" if stay.sent else ""
    ended = f" · {_ended(stay.outcome, stay.reason)}" if stay.outcome else ""
    return sent + ended + ("" if stay.explored else " · not followed further")


def _ended(outcome: EnrolmentStatus | None, reason: str) -> str:
    return f"{outcome}: {reason}"


def _way(branch: Branch) -> str:
    rule = branch.rule.partition(": ")[2]
    return rule if rule.startswith(branch.on) else f"{branch.on} ({rule})"


def _span(span: Span, zone: ZoneInfo) -> str:
    earliest = _local(span.earliest, zone)
    return earliest if span.earliest == span.latest else f"{earliest} to {_local(span.latest, zone)}"


def _both_spans(span: Span, zone: ZoneInfo) -> str:
    earliest = _both(span.earliest, zone)
    return earliest if span.earliest == span.latest else f"{earliest} to {_both(span.latest, zone)}"


def _both(instant: datetime, zone: ZoneInfo) -> str:
    return f"{_local(instant, zone)} ({rfc3339(instant)})"


def _local(instant: datetime, zone: ZoneInfo) -> str:
    shown = instant.astimezone(zone)
    return f"{shown:{_DAY}} {_clock(shown)} {shown:%Z}"


def _clock(shown: datetime) -> str:
    """The time of day, to the second where it matters."""
    return f"{shown:%H:%M:%S}" if shown.second or shown.microsecond else f"{shown:%H:%M}"


def _said(entry: Entry, zone: ZoneInfo) -> list[str]:
    detail = entry.detail
    match entry.kind:
        case EntryKind.ENTERED:
            return [f"step {detail['visit']}: {detail['action']}"]
        case EntryKind.SCHEDULED:
            due_at = _both(instant_of_text(str(detail["due_at"])), zone)
            why = detail["why"] if isinstance(detail["why"], list) else []
            return [f"{detail.get('event', 'send')} at {due_at}", *(f"because: {step}" for step in why or ["at once"])]
        case EntryKind.SENT:
            return [" ".join(map(str, filter(None, (detail["channel"], _quoted(detail.get("subject"))))))]
        case EntryKind.SIGNAL:
            grade = "" if detail["grade"] == "human" else f" by a {detail['grade']}".replace("_", " ")
            hard = {True: " (hard)", False: " (soft)"}.get(bool(detail["hard"]), "") if "hard" in detail else ""
            suppressed = f", the address is suppressed: {detail['suppressed']}" if "suppressed" in detail else ""
            return [f"{detail['on']}{hard}{grade}{suppressed}"]
        case EntryKind.TIMEOUT:
            return [str(detail["event"])]
        case EntryKind.TRANSITION:
            return [f"to {detail['to']} · {detail['rule']}"]
        case EntryKind.IGNORED:
            return [f"{detail['on']}: {detail['reason']}"]
        case EntryKind.STOPPED:
            return [f"{detail['status']}: {detail['reason']} · {detail['rule']}"]
        case _:
            assert_never(entry.kind)


def _quoted(subject: JsonValue) -> str:
    return f"“{' '.join(str(subject).split())}”" if subject else ""
