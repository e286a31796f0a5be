"""What the routes of templates, workflows and of changes to campaigns take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated
from uuid import UUID

from pydantic import Field, StringConstraints

from cadenza.api.models import Answer, Taken
from cadenza.api.preview_models import PreviewFinding
from cadenza.campaigns.content_model import NewTemplate, NewWorkflow
from cadenza.campaigns.editing import ClonedContacts
from cadenza.core.instants import Instant

# --- templates and workflows -------------------------------------------------------------------------------------


class Template(Answer):
    """A mail that people have written, with variables."""

    id: UUID
    name: str
    subject: str
    text_body: str
    html_body: str
    created_at: datetime
    updated_at: datetime

    @property
    def editable(self) -> NewTemplate:
        """What can be edited of it."""
        fields = {name: getattr(self, name) for name in NewTemplate.model_fields}
        return NewTemplate.model_construct(**fields)


class StoredTemplate(Template):
    """A template as it is now, and what is to be said about it. Nothing of it keeps the template from being sent."""

    findings: tuple[PreviewFinding, ...]


class WorkflowStep(Answer):
    """A mail of a workflow, ``delay`` (ISO 8601) after the one before was sent; the first, after the enrolment."""

    template_id: UUID
    template_name: str
    delay: str


class Workflow(Answer):
    """Templates that are sent one after the other, until somebody replies."""

    id: UUID
    name: str
    steps: tuple[WorkflowStep, ...]
    created_at: datetime
    updated_at: datetime

    @property
    def editable(self) -> NewWorkflow:
        """What can be edited of it."""
        steps = [step.model_dump(exclude={"template_name"}) for step in self.steps]
        return NewWorkflow.model_validate({"name": self.name, "steps": steps})


class StoredWorkflow(Workflow):
    """A workflow as it is now, and what is to be said about it. Nothing of it keeps it from being sent."""

    findings: tuple[PreviewFinding, ...]


# --- campaigns ---------------------------------------------------------------------------------------------------


class WantedStart(Taken):
    """When a campaign is to start by itself, in RFC 3339."""

    starts_at: Instant | None = Field(default=None, json_schema_extra={"examples": ["2027-01-31T09:00:00+01:00"]})


class WantedClone(Taken):
    """What a clone is called ("" names it after the original), and whether the same people are in it."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)] = ""
    contacts: ClonedContacts = ClonedContacts.NONE
