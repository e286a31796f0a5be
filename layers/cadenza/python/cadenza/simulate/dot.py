"""A plan, or all its branches, as Graphviz text: ``… --dot | dot -Tsvg > plan.svg``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from cadenza.planning.compiled import END, CompiledPlan
from cadenza.planning.model import NodeAction

if TYPE_CHECKING:
    from cadenza.simulate.explore import Exploration, Span, Stay

_SHAPES = {NodeAction.SEND: "box", NodeAction.WAIT: "ellipse", NodeAction.STOP: "doublecircle"}
_WHEN = "%a %Y-%m-%d %H:%M"


def of_plan(plan: CompiledPlan) -> list[str]:
    """The plan's graph: its nodes, and its transitions in their order."""
    lines = [f"  {_quoted(node.id)} [shape={_SHAPES[node.action]}];" for node in plan.nodes.values()]
    for node in plan.nodes.values():
        for way in node.transitions:
            to = way.to
            if to == END:
                # The end has no node of its own: each way to it gets its own mark.
                to = f"{node.id}/{way.position}"
                lines.append(f'  {_quoted(to)} [shape=doublecircle, label="stop"];')
            lines.append(_edge(node.id, to, way.rule.partition(": ")[2]))
    return _digraph(lines)


def of_exploration(exploration: Exploration, plan: CompiledPlan, zone: ZoneInfo) -> list[str]:
    """The stays that an enrolment can come to, with the earliest and latest time of each send in ``zone``."""
    names = {id(stay): f"stay {number}" for number, stay in enumerate(exploration.stays)}
    lines: list[str] = []
    for stay in exploration.stays:
        name = names[id(stay)]
        lines.append(f"  {_quoted(name)} [shape={_SHAPES[plan.nodes[stay.node].action]}, label={_label(stay, zone)}];")
        for number, branch in enumerate(stay.branches):
            target = names[id(branch.to)] if branch.to is not None else f"{name}/{number}"
            if branch.to is None:
                said = _quoted(f"{branch.outcome}: {branch.reason}")
                lines.append(f"  {_quoted(target)} [shape=doublecircle, label={said}];")
            lines.append(_edge(name, target, branch.rule.partition(": ")[2]))
    return _digraph(lines)


def _label(stay: Stay, zone: ZoneInfo) -> str:
    lines = [stay.node]
    if stay.sent is not None:
        lines.append(f"sent {_span(stay.sent, zone)} {zone.key}")
    if stay.outcome is not None:
        lines.append(f"{stay.outcome}: {stay.reason}")
    if not stay.explored:
        lines.append("not followed further")
    return _quoted("\n".join(lines))


def _span(span: Span, zone: ZoneInfo) -> str:
    shown = [f"{instant.astimezone(zone):{_WHEN}}" for instant in (span.earliest, span.latest)]
    return " to ".join(dict.fromkeys(shown))


def _edge(source: str, target: str, label: str) -> str:
    return f"  {_quoted(source)} -> {_quoted(target)} [label={_quoted(label)}];"


def _digraph(lines: Iterable[str]) -> list[str]:
    return ["digraph plan {", "  rankdir=LR;", *lines, "}"]


def _quoted(text: str) -> str:
    """A DOT string: a quote ends it, a backslash begins an escape, and no line may break it."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\r", " ").replace("\n", "\\n")
    return f'"{escaped}"'
