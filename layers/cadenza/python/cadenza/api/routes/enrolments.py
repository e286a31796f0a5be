"""Why an enrolment stands where it does, and moving enrolments to another version of their plan."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import preview_models
from cadenza.api.desk import Desk
from cadenza.api.enrolment_models import ConfirmedMigration
from cadenza.api.routing import At, Operations
from cadenza.campaigns.explain import Explanation, explain
from cadenza.campaigns.migration import Migrations
from cadenza.campaigns.migration_model import Migration, MigrationPreview, WantedMigration
from cadenza.core.errors import NotFound
from cadenza.core.ids import CampaignId, EnrolmentId
from cadenza.core.states import Role

routes = Operations("enrolments")

Id = Annotated[UUID, Path()]

# An empty body is read, so that a campaign that is not there is said to be missing before the body is.
NOTHING = WantedMigration()
NOTHING_CONFIRMED = ConfirmedMigration()


@routes.operation("GET", "/v1/enrolments/<enrolment_id>/explain", role=Role.VIEWER)
def explain_enrolment(desk: At, enrolment_id: Id) -> Explanation:
    """Say why nothing is sent now, what would clear it, and when the next message will go."""
    with desk.transaction() as conn:
        found = explain(conn, EnrolmentId(enrolment_id), desk.now())
    if found is None:
        raise NotFound("enrolment", enrolment_id)
    return found


@routes.operation("GET", "/v1/enrolments/<enrolment_id>/preview", role=Role.VIEWER)
def preview_enrolment(
    desk: At, enrolment_id: Id, node: Annotated[str, Query(max_length=200)] = ""
) -> preview_models.Preview:
    """Show the mail that a send node (if not said, the current one) would send to this contact. Nothing is sent."""
    from cadenza.campaigns import preview  # noqa: PLC0415 - brings jinja2

    with desk.transaction() as conn:
        url, now = desk.office.public_url, desk.now()
        shown = preview.preview_enrolment(conn, EnrolmentId(enrolment_id), node, url, now)
    return preview_models.Preview.of(shown)


@routes.operation(
    "POST", "/v1/campaigns/<campaign_id>/migrate/preview", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,)
)
def preview_migration(
    desk: At, campaign_id: Id, wanted: Annotated[WantedMigration, Body()] = NOTHING
) -> MigrationPreview:
    """Show who would move to another plan and where to, what is cancelled and scheduled, and who cannot move."""
    return _migrations(desk).preview(CampaignId(campaign_id), wanted)


@routes.operation("POST", "/v1/campaigns/<campaign_id>/migrate", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def migrate(
    desk: At, campaign_id: Id, confirmed: Annotated[ConfirmedMigration, Body()] = NOTHING_CONFIRMED
) -> Migration:
    """Do exactly what a preview showed, by its token; 409 if something that matters has changed since."""
    return _migrations(desk).migrate(CampaignId(campaign_id), confirmed, confirmed.token)


def _migrations(desk: Desk) -> Migrations:
    office = desk.office
    return Migrations(office.database, office.dispatcher, desk.workspace_id, office.clock)
