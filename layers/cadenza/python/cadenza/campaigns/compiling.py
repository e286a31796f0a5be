"""From hand-written content to the plan that sends it, through the one compiler; findings lead to what was written.

A workflow is a plan in a line: each mail follows the one before by its delay, counted from when that was sent, unless
somebody has replied. A template is a workflow of one step.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from cadenza.campaigns.content_model import NewTemplate, Step, Template
from cadenza.campaigns.mail_plans import compile_for_mail
from cadenza.campaigns.model import CampaignBrief, SampleRecipient, SampleSender
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.ids import TemplateId
from cadenza.planning.brief import PlanBrief
from cadenza.planning.findings import Compiled, Finding, FindingCode, Severity
from cadenza.planning.lint import lint_plan
from cadenza.planning.lint_codes import LintCode
from cadenza.planning.model import json_pointer, parse_plan

Json = dict[str, JsonValue]

BLANK: Final[Json] = {
    "version": "1.1",
    "timezone": "UTC",
    "startNodeId": "stop",
    "nodes": [{"id": "stop", "action": "stop"}],
}
"""The plan of a draft's people while there is nothing yet to send them."""

NO_BRIEF: Final = CampaignBrief()

_FIELDS: Final = {"subject": "subject", "body": "text_body", "html": "html_body"}
_NODE: Final = re.compile(r"/nodes/(\d+)(?:/([^/]+))?")

# What people may write and should know of. The other codes guard against what a model makes up.
_FOR_PEOPLE: Final = frozenset(
    {
        LintCode.SUBJECT_LENGTH,
        LintCode.SUBJECT_TRICK,
        LintCode.BODY_LENGTH,
        LintCode.PLACEHOLDER,
        LintCode.DISGUISED,
        LintCode.SPAM_PHRASE,
        LintCode.FALSE_FAMILIARITY,
        LintCode.PROMISE,
        LintCode.ACCUSATION,
    }
)
_VARIABLE: Final = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{[A-Za-z_]+\}", re.DOTALL)


def plan_of(steps: Sequence[Step], brief: CampaignBrief = NO_BRIEF) -> Json:
    """The plan that sends these steps, one at least, in the brief's time zone and outside of its quiet hours."""
    plan: Json = {
        "version": "1.1",
        "timezone": brief.time_zone,
        "startNodeId": "step_1",
        "nodes": [_node(number, step, steps[number:]) for number, step in enumerate(steps, start=1)],
    }
    if brief.quiet_hours is not None:
        plan["quietHours"] = {"start": brief.quiet_hours.start, "end": brief.quiet_hours.end}
    return plan


def _node(number: int, step: Step, later: Sequence[Step]) -> Json:
    content = step.template.content
    node: Json = {"id": f"step_{number}", "action": "send", "subject": content.subject, "body": content.text_body}
    if content.html_body:
        node["html"] = content.html_body
    if number == 1 and step.delay:
        node["schedule"] = {"delay": step.delay}
    if later:
        node["transitions"] = [{"on": "no_reply", "to": f"step_{number + 1}", "after": later[0].delay}]
    return node


def compiled(steps: Sequence[Step], brief: CampaignBrief) -> tuple[Json, list[FieldProblem]]:
    """The plan of a campaign with these steps and this brief, and what keeps it from being sent.

    Problems of a step lead to ``/template_id``, or in a workflow to ``/workflow_id``, and say which step.
    """
    plan = plan_of(steps, brief)
    return plan, [_problem(error, steps) for error in compile_for_mail(plan).errors]


def _problem(error: Finding, steps: Sequence[Step]) -> FieldProblem:
    said = f"{error.message}. {error.fix}"
    place = _NODE.match(error.pointer)
    if place is None:
        return FieldProblem("/brief/time_zone" if error.pointer == "/timezone" else "/brief/quiet_hours", said)
    number, field = int(place[1]), _FIELDS.get(place[2] or "", "")
    about = f'the template "{steps[number].template.content.name}"' + (f", {field}" if field else "")
    if len(steps) == 1:
        return FieldProblem("/template_id", f"{about}: {said}")
    return FieldProblem("/workflow_id", f"step {number + 1}, {about}: {said}")


# --- what is to be said of content when it is stored -------------------------------------------------------------


def check_template(content: NewTemplate, now: datetime) -> tuple[Finding, ...]:
    """Warnings about a template, with pointers into it.

    Raises:
        InvalidInput: It cannot be sent to anybody; one `FieldProblem` each.
    """
    from cadenza.campaigns.preview import preview_plan  # noqa: PLC0415 - brings jinja2
    from cadenza.delivery.render import FaultCode  # noqa: PLC0415

    plan = plan_of([_nameless(content)])
    shown = preview_plan(plan, "step_1", SampleRecipient(), SampleSender(), "https://links.example", now)
    faults = [replace(fault, pointer=_field(fault.pointer)) for fault in shown.findings if _matters(fault)]
    # Not everybody has every variable: whoever has not gets no mail, others do.
    errors = [one for one in faults if one.severity is Severity.ERROR and str(one.code) != FaultCode.MISSING_VALUE]
    if errors:
        problems = (FieldProblem(error.pointer, f"{error.message}. {error.fix}") for error in errors)
        raise InvalidInput("the template cannot be sent", tuple(problems))
    return (*(replace(one, severity=Severity.WARNING) for one in faults), *_lint(content))


def check_workflow(steps: Sequence[Step]) -> tuple[Finding, ...]:
    """Warnings about the order and the pace of a workflow, with pointers into it.

    Raises:
        InvalidInput: It cannot be sent; one `FieldProblem` each.
    """
    result: Compiled = compile_for_mail(plan_of(steps))
    if result.errors:
        problems = (FieldProblem(_step(error.pointer), f"{error.message}. {error.fix}") for error in result.errors)
        raise InvalidInput("the workflow cannot be sent", tuple(problems))
    return tuple(replace(one, pointer=_step(one.pointer)) for one in result.findings if _matters(one))


def _nameless(content: NewTemplate) -> Step:
    return Step(Template(_NO_ID, content), "")


_NO_ID: Final = TemplateId(UUID(int=0))


def _matters(finding: Finding) -> bool:
    """Notes speak of what the author of a plan may want to know; nobody has written this one."""
    return finding.severity is not Severity.NOTE and str(finding.code) != FindingCode.MISSING_STOP


def _field(pointer: str) -> str:
    place = _NODE.match(pointer)
    return json_pointer(_FIELDS[place[2]]) if place is not None and place[2] in _FIELDS else ""


def _step(pointer: str) -> str:
    place = _NODE.match(pointer)
    if place is None:
        return "/steps"
    number, field = int(place[1]), place[2]
    if field == "transitions":  # the delay of the step that it leads to
        return json_pointer("steps", number + 1, "delay")
    return json_pointer("steps", number, "delay" if field == "schedule" else "template_id")


def _lint(content: NewTemplate) -> Iterable[Finding]:
    """What the linter says of the copy, as it reads once it is filled in."""
    subject, body = (_VARIABLE.sub("Sam", text) for text in (content.subject, content.text_body))
    filled = content.model_copy(update={"subject": subject, "text_body": body, "html_body": ""})
    plan = parse_plan(plan_of([_nameless(filled)]))
    brief = PlanBrief(sender_name="Sam", sender_company="Sam", offering=body, company_name="Sam")
    for finding in lint_plan(plan, brief):
        if finding.code in _FOR_PEOPLE:
            yield replace(finding, severity=Severity.WARNING, pointer=_field(finding.pointer))
