"""Drafts are looked at, changed, approved and rejected; contacts are put into campaigns by hand."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import approval_models, etags, models, queries
from cadenza.api.desk import Desk
from cadenza.api.etags import IfMatch, versions
from cadenza.api.models import Page
from cadenza.api.preview_models import Preview, PreviewFinding
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations
from cadenza.campaigns import approval_store, drafts
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.ids import CampaignId, EnrolmentId
from cadenza.core.states import Role
from cadenza.planning.findings import Finding

routes = Operations("approvals")

Id = Annotated[UUID, Path()]

# An empty body is read, so that an enrolment that is not there is said to be missing before the body is.
NO_PLAN = approval_models.PlanOfDraft()
ANY_PLAN = approval_models.WantedApproval()
NO_REASON = models.Reason()
NONE = approval_models.WantedApprovals()
NOBODY = approval_models.WantedEnrolments()


@routes.operation("GET", "/v1/approvals", role=Role.VIEWER)
def list_approvals(
    desk: At,
    campaign_id: Annotated[UUID | None, Query()] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[approval_models.Draft]:
    """List what waits for approval; what has waited longest comes first."""
    with desk.transaction() as conn:
        return queries.drafts(conn, Slice(limit, cursor), campaign_id=campaign_id)


@routes.operation("GET", "/v1/approvals/<enrolment_id>", role=Role.VIEWER)
def get_approval(desk: At, enrolment_id: Id) -> approval_models.DraftDetail:
    """Show a draft with its plan, its mails as they would leave, what is to be said of them, and who decided what."""
    from cadenza.campaigns import preview  # noqa: PLC0415 - brings jinja2

    one = EnrolmentId(enrolment_id)
    with desk.transaction() as conn:
        mails = preview.preview_all(conn, one, desk.office.public_url, desk.now())
        return queries.draft(
            conn,
            enrolment_id,
            mails=tuple(map(Preview.of, mails)),
            findings=_told(drafts.findings_of(conn, one)),
            decisions=tuple(map(approval_models.Decision.model_validate, approval_store.decisions(conn, one))),
        )


# --- one draft ---------------------------------------------------------------------------------------------------


@routes.operation("GET", "/v1/enrolments/<enrolment_id>/plan", role=Role.VIEWER)
def get_enrolment_plan(desk: At, enrolment_id: Id) -> Response[models.Plan]:
    """Show the plan that an enrolment has; its `etag` is what a change of it must name."""
    with desk.transaction() as conn:
        plan = queries.plan_of(conn, enrolment_id)
    return Response(HTTPStatus.OK, "application/json", plan, etags.named(plan.hash))


@routes.operation(
    "PUT",
    "/v1/enrolments/<enrolment_id>/plan",
    role=Role.OPERATOR,
    problems=(HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED, HTTPStatus.PRECONDITION_REQUIRED),
)
def put_enrolment_plan(
    desk: At,
    enrolment_id: Id,
    changed: Annotated[approval_models.PlanOfDraft, Body()] = NO_PLAN,
    if_match: IfMatch = None,
) -> Response[approval_models.EditedPlan]:
    """Replace a draft's plan. Errors refuse it; what else is to be said about it stands in the answer."""
    found = desk.approvals.edit(EnrolmentId(enrolment_id), changed.plan, versions(if_match))
    with desk.transaction() as conn:
        plan = queries.plan_of(conn, enrolment_id)
    edited = approval_models.EditedPlan(**dict(plan), findings=_told(found))
    return Response(HTTPStatus.OK, "application/json", edited, etags.named(plan.hash))


@routes.operation("POST", "/v1/enrolments/<enrolment_id>/approve", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def approve_enrolment(
    desk: At, enrolment_id: Id, seen: Annotated[approval_models.WantedApproval, Body()] = ANY_PLAN
) -> models.EnrolmentDetail:
    """Let a draft go; 409 if its plan is not any more the one that is named."""
    desk.approvals.approve(EnrolmentId(enrolment_id), seen.plan_hash)
    return _enrolment(desk, enrolment_id)


@routes.operation("POST", "/v1/enrolments/<enrolment_id>/reject", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def reject_enrolment(
    desk: At, enrolment_id: Id, why: Annotated[models.Reason, Body()] = NO_REASON
) -> models.EnrolmentDetail:
    """End a draft for a reason, which is kept; nothing of it is sent."""
    desk.approvals.reject(EnrolmentId(enrolment_id), why.reason)
    return _enrolment(desk, enrolment_id)


# --- a campaign's ------------------------------------------------------------------------------------------------


@routes.operation("POST", "/v1/campaigns/<campaign_id>/approve", role=Role.OPERATOR)
def approve_enrolments(
    desk: At, campaign_id: Id, wanted: Annotated[approval_models.WantedApprovals, Body()] = NONE
) -> approval_models.DraftAnswers:
    """Let drafts of a campaign go: those that are named, or all; each is answered for."""
    ids = None if wanted.all else wanted.enrolment_ids
    return approval_models.DraftAnswers.model_validate(desk.approvals.approve_many(CampaignId(campaign_id), ids))


@routes.operation("POST", "/v1/campaigns/<campaign_id>/enrolments", role=Role.OPERATOR, problems=(HTTPStatus.CONFLICT,))
def enrol_contacts(
    desk: At, campaign_id: Id, wanted: Annotated[approval_models.WantedEnrolments, Body()] = NOBODY
) -> approval_models.EnrolmentAnswers:
    """Put contacts into a campaign by hand, with a plan of one's own or one on order; each is answered for."""
    placed = desk.by_hand.enrol(CampaignId(campaign_id), wanted.contacts, wanted.plan, desk.correlation_id)
    if not placed:
        raise InvalidInput("nobody is named", (FieldProblem("/contact_ids", "name whom to enrol"),))
    return approval_models.EnrolmentAnswers(items=tuple(map(approval_models.EnrolmentAnswer.model_validate, placed)))


def _enrolment(desk: Desk, enrolment_id: UUID) -> models.EnrolmentDetail:
    with desk.transaction() as conn:
        return queries.enrolment_detail(conn, enrolment_id)


def _told(findings: tuple[Finding, ...]) -> tuple[PreviewFinding, ...]:
    return tuple(map(PreviewFinding.model_validate, findings))
