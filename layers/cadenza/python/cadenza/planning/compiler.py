"""Plan JSON to a plan that runs, or to the findings that say why it cannot.

An error refuses a plan. Whatever the original system would run still runs, so in a plan of version 1.0 some faults are
only warnings, and what the engine supplies by itself (such as stopping on a reply) is a note.

Loops: one that can go round without a send and without time passing is an error. Any other goes round at most until the
enrolment has entered `MAX_VISITS` nodes, where the engine ends it as failed; that is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime, time
from types import MappingProxyType
from typing import Final

from pydantic import BaseModel, ValidationError

from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.states import Channel
from cadenza.planning import graph
from cadenza.planning.compiled import END, LEGAL_HOURS, CompiledPlan, DailyWindow, Node, PlanWindows, Transition
from cadenza.planning.durations import BadDuration, Duration, parse_duration
from cadenza.planning.findings import Compiled, Finding, FindingCode, Severity
from cadenza.planning.model import (
    Hours,
    NodeAction,
    Plan,
    PlanEvent,
    PlanNode,
    PlanTransition,
    Timers,
    content_hash,
    json_pointer,
    problems_of,
)
from cadenza.planning.zones import find_zone

_EXPRESSION: Final = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
SINGLE_BRACES: Final = re.compile(r"(?<![{%#])\{\s*([A-Za-z_][A-Za-z0-9_]*)\s*\}(?!\})")
"""The other style of placeholder: ``{name}``. Braces around anything but one name are text."""
_VARIABLE: Final = re.compile(r"-?\s*([A-Za-z_][A-Za-z0-9_.]*)")
_LIMITS: Final = {Channel.SMS: 1_600, Channel.CALL: 5_000, Channel.EMAIL: 100_000}
_SUBJECT_LIMIT: Final = 255
_LAST_YEAR: Final = 2200
_NEWER_EVENTS: Final = frozenset({PlanEvent.REPLIED, PlanEvent.COMPLAINED, PlanEvent.FAILED, PlanEvent.NO_REPLY})
_IMPLICIT_STOP: Final = "stop"
_SCHEMA: Final = "See the plan's JSON Schema."


def compile_plan(source: object, *, variables: frozenset[str] | None = None, known: bool = False) -> Compiled:
    """Compile a `Plan` or decoded plan JSON. ``variables`` are the template variables known to the renderer; None: all.

    ``known``: it has been compiled before, so that what takes long to find need not be looked for.
    Never raises for anything that an author can write: faults are findings.
    """
    if not isinstance(source, Plan):
        try:
            source = Plan.model_validate(source)
        except ValidationError as error:
            faults = (
                Finding(FindingCode.MALFORMED, Severity.ERROR, problem.pointer, problem.detail, _SCHEMA)
                for problem in problems_of(error)
            )
            return Compiled(None, tuple(faults))
    return _Compiler(source, variables, known=known).compile()


def compiled(source: object) -> CompiledPlan:
    """The plan of ``source``, which has been compiled before: stored plans are those without errors.

    Raises:
        InvalidInput: It has errors; one `FieldProblem` each.
    """
    result = compile_plan(source, known=True)
    if result.plan is None:
        problems = tuple(FieldProblem(error.pointer, f"{error.message}. {error.fix}") for error in result.errors)
        raise InvalidInput("the plan has errors", problems)
    return result.plan


class _Compiler:
    def __init__(self, plan: Plan, variables: frozenset[str] | None, *, known: bool) -> None:
        self._plan = plan
        self._variables = variables
        self._known = known
        self._findings: list[Finding] = []
        self._timers = plan.defaults.timers if plan.defaults else Timers()
        self._ids = {node.id for node in plan.nodes}

    def compile(self) -> Compiled:
        plan = self._plan
        self._check_extras(plan)
        zone = find_zone(plan.timezone)
        if zone is None:
            self._error(
                FindingCode.BAD_ZONE,
                ("timezone",),
                f"{plan.timezone!r} is no time zone",
                "Use an IANA name, such as Europe/Lisbon.",
            )
        self._check_timers()
        nodes: dict[str, Node] = {}
        for position, node in enumerate(plan.nodes):
            if node.id in nodes:
                self._error(
                    FindingCode.DUPLICATE_NODE,
                    ("nodes", position, "id"),
                    f"another node is called {node.id!r} too",
                    "Give each node an id of its own.",
                )
            else:
                nodes[node.id] = self._node(position, node)
        if plan.start_node_id not in nodes:
            self._error(
                FindingCode.MISSING_START,
                ("startNodeId",),
                f"there is no node {plan.start_node_id!r}",
                "Name the id of the first node.",
            )
        else:
            self._findings += graph.check(nodes, plan.start_node_id, newer=plan.version != "1.0", known=self._known)
        quiet, working = _daily(plan.quiet_hours), _daily(plan.working_hours)
        self._check_windows(nodes.values(), quiet, working)
        findings = tuple(dict.fromkeys(self._findings))  # a bad default is met wherever it is used
        if zone is None or any(finding.severity is Severity.ERROR for finding in findings):
            return Compiled(None, findings)
        alive = graph.reachable(nodes, plan.start_node_id)
        compiled = CompiledPlan(
            hash=content_hash(plan),
            zone=zone,
            start=plan.start_node_id,
            nodes=MappingProxyType({node_id: node for node_id, node in nodes.items() if node_id in alive}),
            windows=PlanWindows(quiet, working, frozenset(plan.working_days or range(1, 8))),
        )
        return Compiled(compiled, findings)

    # --- nodes ---------------------------------------------------------------------------------------------------

    def _node(self, position: int, node: PlanNode) -> Node:
        path = ("nodes", position)
        self._check_ignored(path, node)
        if node.action is NodeAction.STOP:
            return Node(position, node.id, node.action, node.channel)
        transitions = [
            self._transition((*path, "transitions", index), index, transition)
            for index, transition in enumerate(node.transitions)
        ]
        signals = tuple(transition for transition in transitions if not transition.on.synthetic)
        timers = tuple(transition for transition in transitions if transition.on.synthetic)
        if node.action is NodeAction.WAIT:
            return Node(position, node.id, node.action, node.channel, signals=signals, timers=timers)
        self._check_content(path, node)
        schedule = node.schedule
        return Node(
            position,
            node.id,
            node.action,
            node.channel,
            subject=node.subject or "",
            body=node.body or "",
            html=node.html or "",
            sender_identity_id=node.sender_identity_id or self._plan.sender_identity_id or "",
            delay=self._duration((*path, "schedule", "delay"), schedule.delay) if schedule else Duration(),
            delay_text=schedule.delay if schedule else "PT0S",
            at=self._instant((*path, "schedule", "at"), schedule.at) if schedule and schedule.at is not None else None,
            signals=signals,
            timers=timers,
        )

    def _transition(self, path: tuple[str | int, ...], position: int, source: PlanTransition) -> Transition:
        on = PlanEvent.COMPLAINED if source.on is PlanEvent.SPAMREPORT else source.on
        if on in _NEWER_EVENTS and on is source.on:
            self._newer((*path, "on"), f"the event {on}")
        to = source.to
        if to not in self._ids:
            if to != _IMPLICIT_STOP:
                self._error(
                    FindingCode.UNKNOWN_TARGET,
                    (*path, "to"),
                    f"there is no node {to!r}",
                    'Name a node of this plan, or "stop" to end.',
                )
            to = END
        within_text, after_text = source.within, source.after
        after_path = (*path, "after")
        if on.synthetic and within_text is not None:
            self._warn(
                FindingCode.IGNORED_FIELD,
                (*path, "within"),
                f"{on} within {within_text} is read as after {within_text}: silence has to last before it is an event",
                "Write `after`.",
            )
            within_text, after_text, after_path = None, within_text, (*path, "within")
        bound = f" within {within_text}" if within_text is not None else f" after {after_text}" if after_text else ""
        if on.synthetic and after_text is None:
            after_text, after_path = self._default_timer(on), ("defaults", "timers", f"{on}_after")
            bound = f" after {after_text} (the plan's default)"
        return Transition(
            position=position,
            on=on,
            to=to,
            within=None if within_text is None else self._duration((*path, "within"), within_text),
            after=None if after_text is None else self._duration(after_path, after_text),
            rule=f"transitions/{position}: {source.on}{bound}",
        )

    def _default_timer(self, on: PlanEvent) -> str:
        if on is PlanEvent.NO_OPEN:
            return self._timers.no_open_after
        return self._timers.no_click_after if on is PlanEvent.NO_CLICK else self._timers.no_reply_after

    # --- values --------------------------------------------------------------------------------------------------

    def _duration(self, path: tuple[str | int, ...], text: str) -> Duration:
        try:
            return parse_duration(text)
        except BadDuration as error:
            self._error(FindingCode.BAD_DURATION, path, str(error), "Write an ISO 8601 duration: P3D, PT72H.")
            return Duration()

    def _instant(self, path: tuple[str | int, ...], text: str) -> datetime | None:
        try:
            instant = datetime.fromisoformat(text)
        except ValueError:
            instant = None
        if instant is None or instant.tzinfo is None or instant.year > _LAST_YEAR:
            self._error(
                FindingCode.BAD_INSTANT,
                path,
                f"{text!r} is no RFC 3339 instant with an offset",
                "Write an instant such as 2027-01-31T09:00:00Z.",
            )
            return None
        return instant.astimezone(UTC)

    # --- checks --------------------------------------------------------------------------------------------------

    def _check_timers(self) -> None:
        for name in ("no_open_after", "no_click_after", "no_reply_after"):
            if name in self._timers.model_fields_set:
                self._duration(("defaults", "timers", name), getattr(self._timers, name))

    def _check_windows(self, nodes: Iterable[Node], quiet: DailyWindow | None, working: DailyWindow | None) -> None:
        if working is not None or self._plan.working_days is not None:
            self._newer(("workingHours" if working else "workingDays",), "working time")
        daily = [*filter(None, (working, DailyWindow(quiet.end, quiet.start) if quiet else None))]
        for channel in {node.channel for node in nodes if node.action is NodeAction.SEND}:
            windows = [*daily, *filter(None, (LEGAL_HOURS.get(channel),))]
            # Windows that have a moment in common have one at which one of them opens.
            if windows and not any(all(one.start in other for other in windows) for one in windows):
                self._error(
                    FindingCode.NO_WINDOW,
                    ("quietHours" if quiet else "workingHours",),
                    f"no time of day is in all of the windows for {channel}: {', '.join(map(str, windows))}",
                    "Let quiet hours, working hours and the channel's legal hours leave some time.",
                )

    def _check_content(self, path: tuple[str | int, ...], node: PlanNode) -> None:
        if node.channel is not Channel.EMAIL:
            self._newer((*path, "channel"), f"the channel {node.channel}")
        if node.html is not None:
            self._newer((*path, "html"), "html")
        if not (node.body or "").strip() and not (node.channel is Channel.EMAIL and (node.html or "").strip()):
            self._error(FindingCode.MISSING_CONTENT, path, f"{node.id!r} sends nothing", "Give it a `body`.")
        if node.channel is Channel.EMAIL and not (node.subject or "").strip():
            self._error(
                FindingCode.MISSING_CONTENT, path, f"the mail of {node.id!r} has no subject", "Give it a `subject`."
            )
        for field, limit in (("subject", _SUBJECT_LIMIT), ("body", _LIMITS[node.channel]), ("html", 1_000_000)):
            text: str = getattr(node, field) or ""
            if len(text) > limit:
                self._warn(
                    FindingCode.LONG_CONTENT,
                    (*path, field),
                    f"{len(text)} characters are more than the {limit} that a {node.channel} {field} should have",
                    "Shorten it.",
                )
            self._check_variables((*path, field), text)

    def _check_variables(self, path: tuple[str | int, ...], text: str) -> None:
        if self._variables is None:
            return
        for expression in (*_EXPRESSION.findall(text), *SINGLE_BRACES.findall(text)):
            name = _VARIABLE.match(expression)
            if name is None or not _known(name[1], self._variables):
                self._strict(
                    FindingCode.UNKNOWN_VARIABLE,
                    path,
                    f"{expression.strip()!r} is no template variable",
                    f"Known are: {', '.join(sorted(self._variables)) or 'none'}.",
                )

    def _check_ignored(self, path: tuple[str | int, ...], node: PlanNode) -> None:
        if node.action is NodeAction.SEND:
            return
        fields = ["subject", "body", "html", "schedule"] + (["transitions"] if node.action is NodeAction.STOP else [])
        for field in fields:
            if getattr(node, field):
                self._note(
                    FindingCode.IGNORED_FIELD,
                    (*path, field),
                    f"a {node.action} node makes no use of its {field}",
                    "Leave it out.",
                )

    def _check_extras(self, part: BaseModel, path: tuple[str | int, ...] = ()) -> None:
        if self._plan.version == "1.0":
            return
        for name in part.model_extra or ():
            self._error(
                FindingCode.UNKNOWN_FIELD, (*path, name), f"plans have no field {name!r} here", "Correct or remove it."
            )
        for name, field in type(part).model_fields.items():
            value: object = getattr(part, name)
            key = field.alias or name
            if isinstance(value, BaseModel):
                self._check_extras(value, (*path, key))
            elif isinstance(value, tuple):
                for index, item in enumerate(value):  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType] - any tuple
                    if isinstance(item, BaseModel):
                        self._check_extras(item, (*path, key, index))

    # --- saying so -----------------------------------------------------------------------------------------------

    def _error(self, code: FindingCode, path: tuple[str | int, ...], message: str, fix: str) -> None:
        self._findings.append(Finding(code, Severity.ERROR, json_pointer(*path), message, fix))

    def _warn(self, code: FindingCode, path: tuple[str | int, ...], message: str, fix: str) -> None:
        self._findings.append(Finding(code, Severity.WARNING, json_pointer(*path), message, fix))

    def _note(self, code: FindingCode, path: tuple[str | int, ...], message: str, fix: str) -> None:
        self._findings.append(Finding(code, Severity.NOTE, json_pointer(*path), message, fix))

    def _strict(self, code: FindingCode, path: tuple[str | int, ...], message: str, fix: str) -> None:
        (self._warn if self._plan.version == "1.0" else self._error)(code, path, message, fix)

    def _newer(self, path: tuple[str | int, ...], what: str) -> None:
        if self._plan.version == "1.0":
            self._note(FindingCode.NEWER_FEATURE, path, f"{what} came with version 1.1", 'Say "version": "1.1".')


def _daily(hours: Hours | None) -> DailyWindow | None:
    """Equal ends restrict nothing, in quiet hours (none) as in working hours (the whole day)."""
    if hours is None or hours.start == hours.end:
        return None
    return DailyWindow(time.fromisoformat(hours.start), time.fromisoformat(hours.end))


def _known(name: str, variables: frozenset[str]) -> bool:
    parts = name.split(".")
    return any(".".join(parts[: end + 1]) in variables for end in range(len(parts)))
