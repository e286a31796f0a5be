"""What keeps the house in order: jobs and settings."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Body, Query

from cadenza.api import commands, models, queries
from cadenza.api.models import Page
from cadenza.api.queries import JobFilter, Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.core.states import JobKind, JobStatus, Role

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
