"""Hand-written content: templates, and workflows that send them one after the other."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from cadenza.api import content_models, content_queries, etags
from cadenza.api.desk import Desk
from cadenza.api.etags import IfMatch
from cadenza.api.models import Page
from cadenza.api.preview_models import PreviewFinding
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.campaigns.content_model import NewTemplate, NewWorkflow, TemplateChange
from cadenza.core.etags import tag_of
from cadenza.core.ids import TemplateId, WorkflowId
from cadenza.core.states import Role
from cadenza.planning.findings import Finding

routes = Operations("contents")

Id = Annotated[UUID, Path()]
NO_CHANGE = TemplateChange()

OVERTAKEN = (HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED)


# --- templates ---------------------------------------------------------------------------------------------------


@routes.operation("POST", "/v1/templates", role=Role.OPERATOR, answers=HTTPStatus.CREATED)
def add_template(desk: At, template: Annotated[NewTemplate, Body()]) -> Response[content_models.StoredTemplate]:
    """Add a template. Errors refuse it; what else is to be said about it stands in the answer."""
    template_id, found = desk.contents.create_template(template)
    return _template(desk, template_id, found, HTTPStatus.CREATED)


@routes.operation("GET", "/v1/templates", role=Role.VIEWER)
def list_templates(desk: At, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[content_models.Template]:
    """List the templates."""
    with desk.transaction() as conn:
        return content_queries.templates(conn, Slice(limit, cursor))


@routes.operation("GET", "/v1/templates/<template_id>", role=Role.VIEWER)
def get_template(desk: At, template_id: Id) -> Response[content_models.Template]:
    """Show a template; its `etag` is what a change of it must name."""
    with desk.transaction() as conn:
        found = content_queries.template(conn, template_id)
    return Response(HTTPStatus.OK, "application/json", found, etags.named(tag_of(found.editable)))


@routes.operation("PATCH", "/v1/templates/<template_id>", role=Role.OPERATOR, problems=OVERTAKEN)
def change_template(
    desk: At,
    template_id: Id,
    change: Annotated[TemplateChange, Body()] = NO_CHANGE,
    if_match: IfMatch = None,
) -> Response[content_models.StoredTemplate]:
    """Change what is given of a template. Campaigns that have begun go on sending what they had."""
    found = desk.contents.change_template(TemplateId(template_id), change, etags.versions(if_match))
    return _template(desk, template_id, found)


@routes.operation(
    "DELETE",
    "/v1/templates/<template_id>",
    role=Role.OPERATOR,
    answers=HTTPStatus.NO_CONTENT,
    problems=(HTTPStatus.CONFLICT,),
)
def delete_template(desk: At, template_id: Id) -> Response[None]:
    """Remove a template; 409 names the workflows, and the campaigns that have not ended, that need it."""
    desk.contents.delete_template(TemplateId(template_id))
    return Response(HTTPStatus.NO_CONTENT)


# --- workflows ---------------------------------------------------------------------------------------------------


@routes.operation("POST", "/v1/workflows", role=Role.OPERATOR, answers=HTTPStatus.CREATED)
def add_workflow(desk: At, workflow: Annotated[NewWorkflow, Body()]) -> Response[content_models.StoredWorkflow]:
    """Add a workflow. Errors refuse it; what else is to be said about it stands in the answer."""
    workflow_id, found = desk.contents.create_workflow(workflow)
    return _workflow(desk, workflow_id, found, HTTPStatus.CREATED)


@routes.operation("GET", "/v1/workflows", role=Role.VIEWER)
def list_workflows(desk: At, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[content_models.Workflow]:
    """List the workflows."""
    with desk.transaction() as conn:
        return content_queries.workflows(conn, Slice(limit, cursor))


@routes.operation("GET", "/v1/workflows/<workflow_id>", role=Role.VIEWER)
def get_workflow(desk: At, workflow_id: Id) -> Response[content_models.Workflow]:
    """Show a workflow; its `etag` is what replaces it must name."""
    with desk.transaction() as conn:
        found = content_queries.workflow(conn, workflow_id)
    return Response(HTTPStatus.OK, "application/json", found, etags.named(tag_of(found.editable)))


@routes.operation("PUT", "/v1/workflows/<workflow_id>", role=Role.OPERATOR, problems=OVERTAKEN)
def put_workflow(
    desk: At,
    workflow_id: Id,
    workflow: Annotated[NewWorkflow, Body()],
    if_match: IfMatch = None,
) -> Response[content_models.StoredWorkflow]:
    """Replace all of a workflow. Campaigns that have begun go on sending what they had."""
    found = desk.contents.replace_workflow(WorkflowId(workflow_id), workflow, etags.versions(if_match))
    return _workflow(desk, workflow_id, found)


@routes.operation(
    "DELETE",
    "/v1/workflows/<workflow_id>",
    role=Role.OPERATOR,
    answers=HTTPStatus.NO_CONTENT,
    problems=(HTTPStatus.CONFLICT,),
)
def delete_workflow(desk: At, workflow_id: Id) -> Response[None]:
    """Remove a workflow, not its templates; 409 names the campaigns that have not ended and need it."""
    desk.contents.delete_workflow(WorkflowId(workflow_id))
    return Response(HTTPStatus.NO_CONTENT)


def _template(
    desk: Desk, template_id: UUID, found: tuple[Finding, ...], status: HTTPStatus = HTTPStatus.OK
) -> Response[content_models.StoredTemplate]:
    with desk.transaction() as conn:
        stored = content_queries.template(conn, template_id)
    answer = content_models.StoredTemplate(**dict(stored), findings=_told(found))
    return Response(status, "application/json", answer, etags.named(tag_of(stored.editable)))


def _workflow(
    desk: Desk, workflow_id: UUID, found: tuple[Finding, ...], status: HTTPStatus = HTTPStatus.OK
) -> Response[content_models.StoredWorkflow]:
    with desk.transaction() as conn:
        stored = content_queries.workflow(conn, workflow_id)
    answer = content_models.StoredWorkflow(**dict(stored), findings=_told(found))
    return Response(status, "application/json", answer, etags.named(tag_of(stored.editable)))


def _told(findings: tuple[Finding, ...]) -> tuple[PreviewFinding, ...]:
    return tuple(map(PreviewFinding.model_validate, findings))
