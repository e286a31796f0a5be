"""What keeps the house in order: jobs and settings."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Final
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import ai_models, commands, models, queries
from cadenza.api.etags import Editable, IfMatch
from cadenza.api.models import Page
from cadenza.api.queries import JobFilter
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.api.settings_models import AutomationSettings
from cadenza.core import ai_breaker, ai_usage, tables
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.ids import JobId
from cadenza.core.instants import Day, Instant
from cadenza.core.states import JobKind, JobStatus, Role

routes = Operations("operations")

_LONGEST: Final = timedelta(days=366)


@routes.operation("GET", "/v1/jobs", role=Role.VIEWER)
def list_jobs(
    desk: At,
    status: Annotated[JobStatus | None, Query()] = None,
    kind: Annotated[JobKind | None, Query()] = None,
    lead_id: Annotated[UUID | None, Query()] = None,
    contact_id: Annotated[UUID | None, Query()] = None,
    campaign_id: Annotated[UUID | None, Query()] = None,
    reason: Annotated[str | None, Query(description="words of the reason", min_length=1, max_length=200)] = None,
    since: Annotated[Instant | None, Query(description="asked for at this instant or later")] = None,
    until: Annotated[Instant | None, Query(description="asked for before this instant")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.Job]:
    """List the work that was asked for, and what became of it."""
    which = JobFilter(status, kind, lead_id, contact_id, campaign_id, reason, since, until)
    with desk.transaction() as conn:
        return queries.jobs(conn, Slice(limit, cursor), which)


@routes.operation("GET", "/v1/jobs/<job_id>", role=Role.VIEWER)
def get_job(desk: At, job_id: Annotated[UUID, Path()]) -> models.Job:
    """Show one piece of work."""
    with desk.transaction() as conn:
        return queries.job(conn, job_id)


@routes.operation(
    "POST",
    "/v1/jobs/<job_id>/retry",
    role=Role.OPERATOR,
    answers=HTTPStatus.ACCEPTED,
    problems=(HTTPStatus.CONFLICT,),
)
def retry_job(desk: At, job_id: Annotated[UUID, Path()]) -> models.Job:
    """Ask again for work that has failed or was skipped; all its attempts are before it again."""
    desk.retry_job(JobId(job_id))
    with desk.transaction() as conn:
        return queries.job(conn, job_id)


# --- AI ----------------------------------------------------------------------------------------------------------


@routes.operation("GET", "/v1/ai/usage", role=Role.VIEWER)
def get_ai_usage(
    desk: At,
    since: Annotated[Day | None, Query(description="first UTC day; a week ago if not given")] = None,
    until: Annotated[Day | None, Query(description="last UTC day; today if not given")] = None,
) -> ai_models.Usage:
    """Show what AI took by day, purpose, model and outcome, what is left of today's budget, and providers that fail."""
    now = desk.now()
    last = until or now.date()
    first = since or last - timedelta(days=6)
    if not timedelta(0) <= last - first <= _LONGEST:
        problem = FieldProblem("/since", f"give a day before until, at most {_LONGEST.days} days")
        raise InvalidInput("these days are no period", (problem,))
    with desk.transaction() as conn:
        return ai_models.Usage(
            first=first,
            last=last,
            today=ai_models.Budget.model_validate(ai_usage.standing(conn, desk.workspace_id, now)),
            items=tuple(map(ai_models.Used.model_validate, ai_usage.used(conn, desk.workspace_id, first, last))),
            breakers=tuple(map(ai_models.Breaker.model_validate, ai_breaker.all_of_them(conn))),
        )


# --- settings ----------------------------------------------------------------------------------------------------


SETTINGS = Editable(tables.automation_settings, queries.automation_settings)


@routes.operation("GET", "/v1/automation/settings", role=Role.VIEWER)
def get_settings(desk: At) -> Response[AutomationSettings]:
    """Show what holds for all campaigns."""
    return SETTINGS.read(desk, desk.workspace_id)


@routes.operation("PUT", "/v1/automation/settings", role=Role.ADMIN, problems=(HTTPStatus.PRECONDITION_FAILED,))
def put_settings(
    desk: At, settings: Annotated[AutomationSettings, Body()], if_match: IfMatch = None
) -> Response[AutomationSettings]:
    """Replace what holds for all campaigns; what is left out takes its default."""
    with SETTINGS.at(desk, desk.workspace_id, if_match).transaction() as conn:
        commands.save_settings(conn, desk.workspace_id, settings, desk.now())
        if settings.enabled is not None:
            desk.automation.turn(conn, "by its settings", enabled=settings.enabled)
    return SETTINGS.read(desk, desk.workspace_id)
