"""Company sites and the people found on them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import models, queries
from cadenza.api.models import Page
from cadenza.api.queries import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.core.states import LeadStatus, Role

routes = Operations("leads")


@routes.operation(
    "POST",
    "/v1/leads",
    role=Role.OPERATOR,
    answers=HTTPStatus.ACCEPTED,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def add_lead(desk: At, lead: Annotated[models.NewLead, Body()]) -> models.Lead:
    """Take in a company site: it is crawled and analysed, and its people go into the campaign."""
    lead_id = desk.intake.take(lead.url, lead.campaign_id, desk.correlation_id)
    with desk.transaction() as conn:
        return queries.lead(conn, lead_id)


@routes.operation("GET", "/v1/leads", role=Role.VIEWER)
def list_leads(
    desk: At,
    status: Annotated[LeadStatus | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.Lead]:
    """List the sites."""
    with desk.transaction() as conn:
        return queries.leads(conn, Slice(limit, cursor), status=status)


@routes.operation("GET", "/v1/leads/<lead_id>", role=Role.VIEWER)
def get_lead(desk: At, lead_id: Annotated[UUID, Path()]) -> models.LeadDetail:
    """Show a site with its report, its people and its jobs."""
    with desk.transaction() as conn:
        return queries.lead_detail(conn, lead_id)
