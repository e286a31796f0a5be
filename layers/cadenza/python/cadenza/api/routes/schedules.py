"""What a campaign has sent and will send."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Path, Query

from cadenza.api import schedule_queries
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.api.schedule_models import CampaignSchedule
from cadenza.api.schedule_queries import SendFilter
from cadenza.core.instants import Instant
from cadenza.core.states import Role
from cadenza.figures.schedule import SendState

routes = Operations("campaigns")


@routes.operation("GET", "/v1/campaigns/<campaign_id>/schedule", role=Role.VIEWER)
def get_campaign_schedule(
    desk: At,
    campaign_id: Annotated[UUID, Path()],
    enrolment_id: Annotated[UUID | None, Query()] = None,
    contact_id: Annotated[UUID | None, Query()] = None,
    step: Annotated[int | None, Query(ge=1, le=100, description="the how-manieth message of its enrolment")] = None,
    state: Annotated[SendState | None, Query()] = None,
    since: Annotated[Instant | None, Query(description="sent or planned at this instant or later")] = None,
    until: Annotated[Instant | None, Query(description="sent or planned before this instant")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> CampaignSchedule:
    """Show every message that a campaign has sent or will send if nobody reacts, and when; a page is of enrolments."""
    which = SendFilter(enrolment_id, contact_id, step, state, since, until)
    with desk.transaction() as conn:
        return schedule_queries.campaign_schedule(conn, campaign_id, Slice(limit, cursor), which, desk.now())
