"""Old templates and workflows as ours. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from html import unescape
from typing import Final, cast
from uuid import UUID

from pydantic import ValidationError

from cadenza.campaigns.content_model import MAX_STEPS, NewTemplate, Step, Template
from cadenza.core.ids import TemplateId
from cadenza.legacy.reading import squashed
from cadenza.legacy.records import OldStep, OldTemplate, OldWorkflow
from cadenza.legacy.values import read_delay
from cadenza.legacy.variables import mapped
from cadenza.legacy.wanted import Entry, WantedTemplate, WantedWorkflow, reference

_MARKUP: Final = re.compile(r"<(?:p|div|br|table|html|body|span|a|ul|h\d|strong|b|i|em|img)\b[^<>]*>", re.IGNORECASE)
_BREAKS: Final = re.compile(r"<(?:br\s*/?|/p|/div|/tr|/h\d|/li)\s*>", re.IGNORECASE)
_HIDDEN: Final = re.compile(r"<(script|style|head)\b", re.IGNORECASE)
_TAG: Final = re.compile(r"<[^<>]*>")
_FIELDS: Final = {"text_body": "body", "html_body": "html"}
_NOT_A_MAIL: Final = frozenset({"wait", "delay", "condition", "sms", "call", "task", "linkedin", "webhook"})


def text_of(html: str) -> str:
    """The plain text of an HTML body, for those who read no HTML."""
    text = _TAG.sub("", _BREAKS.sub("\n", " ".join(_shown(html).split())))
    lines = "\n".join(line.strip() for line in unescape(text).split("\n"))
    return re.sub(r"\n{3,}", "\n\n", lines).strip()


def _shown(html: str) -> str:
    """Without scripts, styles and head. One that is not closed hides all that follows, as browsers see it."""
    shown: list[str] = []
    lower, end = html.lower(), 0
    while (found := _HIDDEN.search(html, end)) is not None:
        shown.append(html[end : found.start()])
        close = lower.find(f"</{found[1].lower()}", found.end())
        end = lower.find(">", close) + 1 if close >= 0 else 0
        if not end:
            return "".join(shown)
    return "".join([*shown, html[end:]])


def template_of(old: OldTemplate | OldStep, name: str, ref: str, entry: Entry) -> WantedTemplate | None:
    """The template; None: the entry says why it cannot be taken."""
    html, text, body = old.html, old.text, old.body
    if body and not html and _MARKUP.search(body):
        html = body
    elif body and not text:
        text = body
    given = {"subject": old.subject, "text_body": text or text_of(html), "html_body": html}
    for field, written in dict(given).items():
        result = mapped(written)
        for hole in result.holes:
            detail = f"nothing fills {hole.written!r} (line {hole.line}): write one of our variables, or plain text"
            entry.refuse(_FIELDS.get(field, field), detail)
        for change in result.renamed:
            entry.note(f"placeholder {change}")
        given[field] = result.text
    if not entry.is_open:
        return None
    try:
        content = NewTemplate.model_validate({"name": name or old.subject[:200], **given})
    except ValidationError as error:
        entry.refuse_for(error, _FIELDS)
        return None
    return WantedTemplate(entry, ref, content)


def workflow_of(
    old: OldWorkflow, templates: Mapping[str, WantedTemplate], entry: Entry
) -> tuple[WantedWorkflow | None, list[WantedTemplate]]:
    """The workflow, and the templates that its own steps bring; None: the entry says why it cannot be taken."""
    if not old.steps:
        entry.refuse("steps", "it has no steps: a workflow sends one mail at least")
    ref = reference(old.id, "workflow", old.name)
    read = [found for index, step in enumerate(old.steps) if (found := _step(step, index, entry)) is not None]
    read.sort(key=lambda found: found[0])
    if len(read) > MAX_STEPS:
        entry.refuse("steps", f"it has more than {MAX_STEPS} steps")
    steps: list[tuple[WantedTemplate, str]] = []
    own: list[WantedTemplate] = []
    for number, (_, step, delay) in enumerate(read, start=1):
        template = templates.get(step.template_id)
        if template is None and not step.template_id and (step.subject or step.body or step.html or step.text):
            template = template_of(step, f"{old.name or ref[:40]}, step {number}", f"{ref}#{number}", entry)
            if template is not None:
                own.append(template)
        elif template is None:
            what = (
                "names a template that is not in the export, or was refused" if step.template_id else "has no content"
            )
            entry.refuse("steps", f"step {number} {what}")
        if template is not None:
            steps.append((template, delay))
    if not entry.is_open or not ref:
        if entry.is_open:
            entry.refuse("id", "has neither an id nor a name")
        return None, []
    orders = tuple(f"{order:g}" for order, _, _ in read)
    return WantedWorkflow(entry, ref, old.name or ref[:200], tuple(steps), orders), own


def _step(found: object, index: int, entry: Entry) -> tuple[float, OldStep, str] | None:
    if not isinstance(found, dict):
        entry.refuse("steps", f"step {index + 1} is not an object")
        return None
    fields = {squashed(name): value for name, value in cast("dict[str, object]", found).items()}
    try:
        step = OldStep.model_validate(fields)
        delay, note = read_delay(fields)
    except ValidationError as error:
        entry.refuse_for(error, {name: f"steps[{index}].{name}" for name in OldStep.model_fields})
        return None
    except ValueError as error:
        entry.refuse("steps", f"the delay of step {index + 1} {error}")
        return None
    if squashed(step.type) in _NOT_A_MAIL:
        entry.refuse("steps", f"step {index + 1} is no mail ({squashed(step.type)}): leave it out, its delay too")
        return None
    if note:
        entry.note(f"step {index + 1}: {note}")
    return (step.order if step.order is not None else index + 1, step, delay)


def steps_to_send(steps: Sequence[tuple[WantedTemplate, str]]) -> list[Step]:
    """As the compiler takes them, before they have ids."""
    return [Step(Template(_NO_ID, template.content), delay) for template, delay in steps]


_NO_ID: Final = TemplateId(UUID(int=0))
