"""Hand-written content: templates, and the workflows that send them one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

from cadenza.campaigns.model import Line
from cadenza.core.ids import TemplateId, WorkflowId
from cadenza.planning.durations import BadDuration, parse_duration

MAX_STEPS: Final = 50

Subject = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Body = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100_000)]
Html = Annotated[str, StringConstraints(strip_whitespace=True, max_length=1_000_000)]


def _duration(text: str) -> str:
    try:
        parse_duration(text)
    except BadDuration as error:
        raise ValueError(f"{error}: write an ISO 8601 duration, such as P3D or PT72H") from error
    return text


Delay = Annotated[str, StringConstraints(strip_whitespace=True, max_length=100), AfterValidator(_duration)]


class NewTemplate(BaseModel):
    """A mail with variables, such as ``{{ first_name }}``. With ``html_body`` it has two forms."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line
    subject: Subject
    text_body: Body
    html_body: Html = ""


class TemplateChange(BaseModel):
    """What is to change of a template; what is left out stays."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line | None = None
    subject: Subject | None = None
    text_body: Body | None = None
    html_body: Html | None = None


class WorkflowStep(BaseModel):
    """A mail of a workflow, ``delay`` (ISO 8601) after the one before was sent; the first, after the enrolment."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    template_id: TemplateId
    delay: Delay = "PT0S"


def _some(steps: tuple[WorkflowStep, ...]) -> tuple[WorkflowStep, ...]:
    if not steps:
        raise ValueError("name the template of one step at least")
    return steps


# Not `min_length`: a sequence counts as too short, too, when one of its items is faulty.
Steps = Annotated[
    tuple[WorkflowStep, ...],
    Field(max_length=MAX_STEPS, json_schema_extra={"minItems": 1}),
    AfterValidator(_some),
]


class NewWorkflow(BaseModel):
    """Templates that are sent one after the other, until somebody replies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line
    steps: Steps


@dataclass(frozen=True, slots=True)
class Template:
    """A stored template."""

    id: TemplateId
    content: NewTemplate


@dataclass(frozen=True, slots=True)
class Workflow:
    """A stored workflow."""

    id: WorkflowId
    content: NewWorkflow


@dataclass(frozen=True, slots=True)
class Step:
    """A step with what it sends."""

    template: Template
    delay: str
