"""Campaigns are changed, scheduled, closed and cloned."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from cadenza.api import content_models, etags, models, queries
from cadenza.api.desk import Desk
from cadenza.api.etags import IfMatch
from cadenza.api.routes.campaigns import tagged_campaign
from cadenza.api.routing import At, Operations
from cadenza.campaigns.model import CampaignChange
from cadenza.core.ids import CampaignId
from cadenza.core.states import Role

routes = Operations("campaigns")

Id = Annotated[UUID, Path()]

# An empty body is read, so that a campaign that is not there is said to be missing before the body is.
NO_CHANGE = CampaignChange()
NO_START = content_models.WantedStart()
PLAIN_CLONE = content_models.WantedClone()


@routes.operation(
    "PATCH",
    "/v1/campaigns/<campaign_id>",
    role=Role.OPERATOR,
    problems=(HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED),
)
def change_campaign(
    desk: At,
    campaign_id: Id,
    change: Annotated[CampaignChange, Body()] = NO_CHANGE,
    if_match: IfMatch = None,
) -> Response[models.CampaignDetail]:
    """Change what is given of a draft; of a campaign that is no draft, `name` and `daily_cap` only."""
    desk.edits.change(CampaignId(campaign_id), change, etags.versions(if_match))
    return tagged_campaign(desk, campaign_id)


@routes.operation("POST", "/v1/campaigns/<campaign_id>/schedule", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def schedule_campaign(
    desk: At, campaign_id: Id, when: Annotated[content_models.WantedStart, Body()] = NO_START
) -> models.CampaignDetail:
    """Let a draft start by itself at an instant; what a start would lack is named at once."""
    desk.campaigns.schedule(CampaignId(campaign_id), when.starts_at)
    return _campaign(desk, campaign_id)


@routes.operation("DELETE", "/v1/campaigns/<campaign_id>/schedule", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def unschedule_campaign(desk: At, campaign_id: Id) -> models.CampaignDetail:
    """Make a scheduled campaign a draft again."""
    desk.campaigns.unschedule(CampaignId(campaign_id))
    return _campaign(desk, campaign_id)


@routes.operation("POST", "/v1/campaigns/<campaign_id>/complete", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def complete_campaign(desk: At, campaign_id: Id) -> models.CampaignDetail:
    """Close a campaign's intake: it takes nobody in any more, and completes once what it has is final."""
    desk.campaigns.complete(CampaignId(campaign_id))
    return _campaign(desk, campaign_id)


@routes.operation(
    "POST",
    "/v1/campaigns/<campaign_id>/clone",
    role=Role.OPERATOR,
    answers=HTTPStatus.CREATED,
    problems=(HTTPStatus.CONFLICT,),
)
def clone_campaign(
    desk: At, campaign_id: Id, wanted: Annotated[content_models.WantedClone, Body()] = PLAIN_CLONE
) -> models.CampaignDetail:
    """Make a new draft with the same content, sender, rules and settings, and the same people if that is wanted."""
    cloned = desk.edits.clone(CampaignId(campaign_id), wanted.name, wanted.contacts, desk.correlation_id)
    return _campaign(desk, cloned)


def _campaign(desk: Desk, campaign_id: UUID) -> models.CampaignDetail:
    with desk.transaction() as conn:
        return queries.campaign_detail(conn, campaign_id)
