"""The one plan that all enrolments of a template or workflow campaign share.

Until the campaign starts it follows what is written: whenever it is looked at, the drafts that had the plan before get
the new one. The start fixes it. Drafts whose plan somebody has replaced keep theirs.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection

from cadenza.campaigns import content_store, store
from cadenza.campaigns.compiling import BLANK, compiled
from cadenza.campaigns.store import Campaign
from cadenza.core.errors import FieldProblem
from cadenza.core.ids import CampaignId, PlanId
from cadenza.core.states import CampaignKind
from cadenza.planning.model import content_hash, parse_plan

_MISSING = {
    CampaignKind.TEMPLATE: FieldProblem("/template_id", "choose what is sent: POST /v1/templates, then name it here"),
    CampaignKind.WORKFLOW: FieldProblem("/workflow_id", "choose what is sent: POST /v1/workflows, then name it here"),
}


def find_to_enrol(conn: Connection, campaign_id: CampaignId) -> Campaign | None:
    """The campaign, held so that it neither ends nor starts before what is enrolled is there to be seen."""
    found = store.find(conn, campaign_id)
    # Its kind never changes, and what has begun is never a draft again.
    to_move = found is not None and found.kind is not CampaignKind.AI and not found.has_begun
    return store.find(conn, campaign_id, lock=not to_move, to_move=to_move)


def settle(conn: Connection, campaign: Campaign, now: datetime) -> tuple[Campaign, list[FieldProblem]]:
    """Bring the plan of a campaign that has not begun up to date, and say what keeps it from being sent.

    The caller has locked it to move it. A campaign that cannot be sent yet has a plan that sends nothing.
    """
    said = campaign.said
    steps = content_store.steps_of(conn, said.template_id, said.workflow_id)
    plan, problems = compiled(steps, said.brief) if steps else (BLANK, [_MISSING[campaign.kind]])
    parsed = parse_plan(BLANK if problems else plan)
    plan_id = store.save_plan(
        conn, campaign.workspace_id, parsed.to_json(), plan_hash=content_hash(parsed), source=campaign.kind, now=now
    )
    if plan_id != campaign.plan_id:
        store.take_plan(conn, campaign.id, plan_id)
    return replace(campaign, plan_id=plan_id), problems


def plan_for_new(conn: Connection, campaign: Campaign, now: datetime) -> PlanId:
    """The plan for whoever is enrolled now in a campaign of `find_to_enrol`."""
    if campaign.has_begun and campaign.plan_id is not None:
        return campaign.plan_id
    settled, _ = settle(conn, campaign, now)
    if settled.plan_id is None:
        raise AssertionError("a settled campaign has a plan")
    return settled.plan_id
