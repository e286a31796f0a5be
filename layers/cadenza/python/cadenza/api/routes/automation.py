"""Leads that campaigns are given, and campaigns that take people by themselves."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import automation_models as models
from cadenza.api import automation_queries as queries
from cadenza.api.models import Page
from cadenza.api.queries import JobFilter
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.core.ids import CampaignId
from cadenza.core.instants import Instant
from cadenza.core.states import JobKind, JobStatus, Role

routes = Operations("automation")

NOBODY = models.WantedLeads()
ALL_CAMPAIGNS = models.WantedRun()
Id = Annotated[UUID, Path()]


@routes.operation(
    "POST",
    "/v1/campaigns/<campaign_id>/leads",
    role=Role.OPERATOR,
    answers=HTTPStatus.ACCEPTED,
    problems=(HTTPStatus.CONFLICT,),
)
def assign_leads(
    desk: At, campaign_id: Id, wanted: Annotated[models.WantedLeads, Body()] = NOBODY
) -> models.LeadAnswers:
    """Give leads to a campaign: their people join it once they are known; every lead is answered for."""
    which = wanted.filter if wanted.filter is not None else wanted.lead_ids
    told = desk.assignment.assign(CampaignId(campaign_id), which, desk.correlation_id)
    return models.LeadAnswers.model_validate(told)


@routes.operation("GET", "/v1/campaigns/<campaign_id>/leads", role=Role.VIEWER)
def list_campaign_leads(
    desk: At, campaign_id: Id, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[models.CampaignLead]:
    """List the leads of a campaign, and how far it is with their people."""
    with desk.transaction() as conn:
        return queries.campaign_leads(conn, campaign_id, Slice(limit, cursor))


@routes.operation("POST", "/v1/automation/toggle", role=Role.ADMIN)
def toggle_automation(desk: At, wanted: Annotated[models.WantedSwitch, Body()]) -> models.Switched:
    """Switch automation on or off: off, nobody is taken and nothing is planned by itself; what was begun goes on."""
    desk.automation.switch(wanted.reason, enabled=wanted.enabled)
    with desk.transaction() as conn:
        return queries.switch(conn, desk.workspace_id)


@routes.operation("POST", "/v1/automation/run", role=Role.OPERATOR, answers=HTTPStatus.ACCEPTED)
def run_automation(desk: At, wanted: Annotated[models.WantedRun, Body()] = ALL_CAMPAIGNS) -> models.Ran:
    """Take a batch of people who are in no campaign yet, within hours and caps; say who was taken and who was not."""
    return models.Ran.model_validate(desk.automation.run(wanted.batch, desk.correlation_id))


@routes.operation("GET", "/v1/automation/jobs", role=Role.VIEWER)
def list_automation_jobs(
    desk: At,
    status: Annotated[JobStatus | None, Query()] = None,
    lead_id: Annotated[UUID | None, Query()] = None,
    contact_id: Annotated[UUID | None, Query()] = None,
    campaign_id: Annotated[UUID | None, Query()] = None,
    reason: Annotated[str | None, Query(description="words of the reason", min_length=1, max_length=200)] = None,
    since: Annotated[Instant | None, Query(description="asked for at this instant or later")] = None,
    until: Annotated[Instant | None, Query(description="asked for before this instant")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.AutomaticJob]:
    """List the plans that fully automated campaigns have ordered, and what they wait for."""
    which = JobFilter(status, JobKind.PLANNING, lead_id, contact_id, campaign_id, reason, since, until)
    with desk.transaction() as conn:
        return queries.automatic_jobs(conn, Slice(limit, cursor), which)
