"""Company sites and the people found on them."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import lead_models, models, people_queries
from cadenza.api.desk import Desk
from cadenza.api.models import Page
from cadenza.api.people_queries import RowFilter
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations, Sheet
from cadenza.core.ids import CampaignId
from cadenza.core.states import LeadStatus, Role
from cadenza.leads.batches import RowOutcome
from cadenza.leads.importing import LeadList, read_objects, read_sheet

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
        return people_queries.lead(conn, lead_id)


@routes.operation("GET", "/v1/leads", role=Role.VIEWER)
def list_leads(
    desk: At,
    status: Annotated[LeadStatus | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[models.Lead]:
    """List the sites."""
    with desk.transaction() as conn:
        return people_queries.leads(conn, Slice(limit, cursor), status=status)


@routes.operation("GET", "/v1/leads/<lead_id>", role=Role.VIEWER)
def get_lead(desk: At, lead_id: Annotated[UUID, Path()]) -> models.LeadDetail:
    """Show a site with its report, its people and its jobs."""
    with desk.transaction() as conn:
        return people_queries.lead_detail(conn, lead_id)


# --- lists -------------------------------------------------------------------------------------------------------


@routes.operation(
    "POST",
    "/v1/lead-batches",
    role=Role.OPERATOR,
    answers=HTTPStatus.ACCEPTED,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
)
def add_lead_batch(desk: At, batch: Annotated[lead_models.NewLeadBatch, Body()]) -> lead_models.LeadBatchReport:
    """Take in a list of company sites and their people: good rows are taken, and every row is answered for."""
    return _take(desk, read_objects(batch.rows), batch.source, batch.campaign_id)


@routes.operation(
    "POST",
    "/v1/lead-batches/import",
    role=Role.OPERATOR,
    answers=HTTPStatus.ACCEPTED,
    problems=(HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT),
    media=("text/csv",),
)
def import_leads(
    desk: At,
    sheet: Sheet,
    campaign_id: Annotated[UUID | None, Query()] = None,
    source: Annotated[str, Query(max_length=200, description="where the list comes from, for people to read")] = "",
) -> lead_models.LeadBatchReport:
    """Take in a sheet (CSV) of company sites and their people, as `add_lead_batch` does."""
    return _take(desk, read_sheet(sheet.text), source.strip(), None if campaign_id is None else CampaignId(campaign_id))


def _take(desk: Desk, listed: LeadList, source: str, campaign_id: CampaignId | None) -> lead_models.LeadBatchReport:
    batch_id = desk.batches.take(listed, source, campaign_id, desk.correlation_id)
    desk.automation.look_around(desk.correlation_id)
    with desk.transaction() as conn:
        return people_queries.lead_batch(conn, batch_id, RowFilter(lead_models.ROWS_SHOWN))


@routes.operation("GET", "/v1/lead-batches", role=Role.VIEWER)
def list_lead_batches(desk: At, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None) -> Page[lead_models.LeadBatch]:
    """List the lists that were taken in."""
    with desk.transaction() as conn:
        return people_queries.lead_batches(conn, Slice(limit, cursor))


@routes.operation("GET", "/v1/lead-batches/<batch_id>", role=Role.VIEWER)
def get_lead_batch(
    desk: At,
    batch_id: Annotated[UUID, Path()],
    outcome: Annotated[RowOutcome | None, Query(description="of the row")] = None,
    contact: Annotated[RowOutcome | None, Query(description="of the row's contact")] = None,
    after: Annotated[int, Query(ge=0, le=2_147_483_647, description="`next_after` of the part before")] = 0,
    limit: Limit = lead_models.ROWS_SHOWN,
) -> lead_models.LeadBatchReport:
    """Show what became of a list: its rows in order, and how far the leads are that it has brought."""
    with desk.transaction() as conn:
        return people_queries.lead_batch(conn, batch_id, RowFilter(limit, outcome, contact, after))
