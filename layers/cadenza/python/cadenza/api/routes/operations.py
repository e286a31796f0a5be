"""What keeps the house in order: jobs, suppressions, settings, health, and the API's own document."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import commands, models, queries
from cadenza.api.models import Page
from cadenza.api.queries import JobFilter, Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.core.states import JobKind, JobStatus, Role, SuppressionChannel

routes = Operations("operations")


@routes.operation("GET", "/v1/jobs", role=Role.VIEWER)
def list_jobs(
    desk: At,
    status: Annotated[JobStatus | None, Query()] = None,
    kind: Annotated[JobKind | None, Query()] = None,
    lead_id: Annotated[UUID | None, Query()] = None,
    campaign_id: Annotated[UUID | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.Job]:
    """List the work that was asked for, and what became of it."""
    with desk.transaction() as conn:
        return queries.jobs(conn, Slice(limit, cursor), JobFilter(status, kind, lead_id, campaign_id))


# --- suppressions ------------------------------------------------------------------------------------------------


@routes.operation("GET", "/v1/suppressions", role=Role.VIEWER)
def list_suppressions(
    desk: At,
    channel: Annotated[SuppressionChannel | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.Suppression]:
    """List who may never be written to."""
    with desk.transaction() as conn:
        return queries.suppressions(conn, Slice(limit, cursor), channel=channel)


@routes.operation("POST", "/v1/suppressions", role=Role.OPERATOR, answers=HTTPStatus.CREATED)
def add_suppression(desk: At, suppression: Annotated[models.NewSuppression, Body()]) -> models.Suppression:
    """Never write to this address again. Asking twice gives the same suppression."""
    with desk.transaction() as conn:
        return commands.suppress(conn, desk.workspace_id, suppression, desk.now())


@routes.operation("DELETE", "/v1/suppressions/<suppression_id>", role=Role.ADMIN, answers=HTTPStatus.NO_CONTENT)
def remove_suppression(desk: At, suppression_id: Annotated[UUID, Path()]) -> Response[str]:
    """Take a suppression back: only when the person has asked for it."""
    with desk.transaction() as conn:
        commands.unsuppress(conn, suppression_id)
    return Response(HTTPStatus.NO_CONTENT, body="")


# --- settings ----------------------------------------------------------------------------------------------------


@routes.operation("GET", "/v1/automation/settings", role=Role.VIEWER)
def get_settings(desk: At) -> models.AutomationSettings:
    """Show what holds for all campaigns."""
    with desk.transaction() as conn:
        return queries.automation_settings(conn, desk.workspace_id)


@routes.operation("PUT", "/v1/automation/settings", role=Role.ADMIN)
def put_settings(desk: At, settings: Annotated[models.AutomationSettings, Body()]) -> models.AutomationSettings:
    """Replace what holds for all campaigns; what is left out takes its default."""
    with desk.transaction() as conn:
        commands.save_settings(conn, desk.workspace_id, settings, desk.now())
        return queries.automation_settings(conn, desk.workspace_id)
