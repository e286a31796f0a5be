"""Senders, campaigns, enrolments and plans."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import etags, models, queries
from cadenza.api.desk import Desk
from cadenza.api.models import Page
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.campaigns import store
from cadenza.campaigns.model import NewCampaign, NewSender
from cadenza.campaigns.resumption import ResumePreview
from cadenza.campaigns.timeline import timeline
from cadenza.core.errors import NotFound
from cadenza.core.etags import tag_of
from cadenza.core.ids import CampaignId, EnrolmentId
from cadenza.core.states import CampaignStatus, EnrolmentStatus, Role

routes = Operations("campaigns")

AS_USUAL = models.Resumption()
WITHOUT_REASON = models.Reason()
Id = Annotated[UUID, Path()]
OptionalReason = Annotated[models.Reason, Body()]


# --- senders -----------------------------------------------------------------------------------------------------


@routes.operation(
    "POST", "/v1/senders", role=Role.OPERATOR, answers=HTTPStatus.CREATED, problems=(HTTPStatus.CONFLICT,)
)
def add_sender(desk: At, sender: Annotated[NewSender, Body()]) -> models.Sender:
    """Add a sender identity."""
    sender_id = desk.senders.create(sender)
    with desk.transaction() as conn:
        return queries.sender(conn, sender_id)


@routes.operation("GET", "/v1/senders", role=Role.VIEWER)
def list_senders(desk: At, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[models.Sender]:
    """List the sender identities."""
    with desk.transaction() as conn:
        return queries.senders(conn, Slice(limit, cursor))


# --- campaigns ---------------------------------------------------------------------------------------------------


@routes.operation("POST", "/v1/campaigns", role=Role.OPERATOR, answers=HTTPStatus.CREATED)
def add_campaign(desk: At, campaign: Annotated[NewCampaign, Body()]) -> models.CampaignDetail:
    """Create a campaign as a draft."""
    return _campaign(desk, desk.campaigns.create(campaign))


@routes.operation("GET", "/v1/campaigns", role=Role.VIEWER)
def list_campaigns(
    desk: At,
    status: Annotated[CampaignStatus | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.Campaign]:
    """List the campaigns."""
    with desk.transaction() as conn:
        return queries.campaigns(conn, Slice(limit, cursor), status=status)


@routes.operation("GET", "/v1/campaigns/<campaign_id>", role=Role.VIEWER)
def get_campaign(desk: At, campaign_id: Id) -> Response[models.CampaignDetail]:
    """Show a campaign and how many of its rows are in which state; its `etag` is what a change of it must name."""
    return tagged_campaign(desk, campaign_id)


@routes.operation("POST", "/v1/campaigns/<campaign_id>/start", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def start_campaign(desk: At, campaign_id: Id) -> models.CampaignDetail:
    """Start a draft; if it cannot start, everything that is missing is named at once."""
    desk.campaigns.start(CampaignId(campaign_id))
    desk.automation.look_around(desk.correlation_id)
    return _campaign(desk, campaign_id)


@routes.operation("POST", "/v1/campaigns/<campaign_id>/pause", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def pause_campaign(desk: At, campaign_id: Id, why: OptionalReason = WITHOUT_REASON) -> models.CampaignDetail:
    """Pause a running campaign: once this is answered, no more of its messages begin to be sent."""
    desk.campaigns.pause(CampaignId(campaign_id), why.reason)
    return _campaign(desk, campaign_id)


@routes.operation(
    "GET", "/v1/campaigns/<campaign_id>/resume/preview", role=Role.VIEWER, problems=(HTTPStatus.CONFLICT,)
)
def preview_resume(desk: At, campaign_id: Id) -> ResumePreview:
    """Show what resuming a paused campaign now would do, by policy: what goes out, what moves, what is dropped."""
    return desk.campaigns.preview_resume(CampaignId(campaign_id))


@routes.operation("POST", "/v1/campaigns/<campaign_id>/resume", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def resume_campaign(
    desk: At, campaign_id: Id, how: Annotated[models.Resumption, Body()] = AS_USUAL
) -> models.CampaignDetail:
    """Resume a paused campaign: by default every timer and every send moves by the pause."""
    desk.campaigns.resume(CampaignId(campaign_id), how.policy)
    return _campaign(desk, campaign_id)


@routes.operation("POST", "/v1/campaigns/<campaign_id>/cancel", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def cancel_campaign(desk: At, campaign_id: Id, why: OptionalReason = WITHOUT_REASON) -> models.CampaignDetail:
    """End a campaign and all its open enrolments, for good."""
    desk.campaigns.cancel(CampaignId(campaign_id), why.reason)
    return _campaign(desk, campaign_id)


def tagged_campaign(desk: Desk, campaign_id: UUID) -> Response[models.CampaignDetail]:
    """The campaign, with the version of what can be edited of it."""
    with desk.transaction() as conn:
        detail, version = queries.campaign_detail(conn, campaign_id), store.find(conn, CampaignId(campaign_id))
    headers = {} if version is None else etags.named(tag_of(version.said))
    return Response(HTTPStatus.OK, "application/json", detail, headers)


def _campaign(desk: Desk, campaign_id: UUID) -> models.CampaignDetail:
    with desk.transaction() as conn:
        return queries.campaign_detail(conn, campaign_id)


# --- enrolments and plans ----------------------------------------------------------------------------------------


@routes.operation("GET", "/v1/enrolments", role=Role.VIEWER)
def list_enrolments(
    desk: At,
    campaign_id: Annotated[UUID | None, Query()] = None,
    contact_id: Annotated[UUID | None, Query()] = None,
    status: Annotated[EnrolmentStatus | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.Enrolment]:
    """List who is in which campaign."""
    with desk.transaction() as conn:
        part = Slice(limit, cursor)
        return queries.enrolments(conn, part, campaign_id=campaign_id, contact_id=contact_id, status=status)


@routes.operation("GET", "/v1/enrolments/<enrolment_id>", role=Role.VIEWER)
def get_enrolment(desk: At, enrolment_id: Id) -> models.EnrolmentDetail:
    """Show an enrolment with its messages."""
    with desk.transaction() as conn:
        return queries.enrolment_detail(conn, enrolment_id)


@routes.operation("GET", "/v1/enrolments/<enrolment_id>/timeline", role=Role.VIEWER)
def get_timeline(desk: At, enrolment_id: Id) -> models.Timeline:
    """Tell what happened to an enrolment, why, and what lies ahead."""
    with desk.transaction() as conn:
        entries = timeline(conn, EnrolmentId(enrolment_id))
    if not entries:
        raise NotFound("enrolment", enrolment_id)
    return models.Timeline(items=tuple(entries))


@routes.operation("GET", "/v1/plans/<plan_id>", role=Role.VIEWER)
def get_plan(desk: At, plan_id: Id) -> models.Plan:
    """Show a plan."""
    with desk.transaction() as conn:
        return queries.plan(conn, plan_id)
