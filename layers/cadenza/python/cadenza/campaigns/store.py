"""Campaigns, senders, enrolments and plans in SQL."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel
from sqlalchemy import Connection, Row, text

from cadenza.campaigns.intake import Intake
from cadenza.campaigns.model import CampaignBrief, NewCampaign, NewSender, WarmUp
from cadenza.core.ids import CampaignId, ContactId, EnrolmentId, PlanId, SenderId, WorkspaceId, new_id
from cadenza.core.states import (
    CAMPAIGN_ENDED,
    CAMPAIGN_MOVES,
    CAMPAIGN_UNBEGUN,
    Approval,
    ApprovalMode,
    CampaignKind,
    CampaignStatus,
    CampaignType,
    CompanyOrder,
    EnrolmentStatus,
    JobStatus,
    LeadStatus,
    sources,
)
from cadenza.core.tables.base import literals
from cadenza.engine.rules import CampaignRules

OPERATOR: Final = "operator"
"""Who wrote the plans that people give."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign as the services see it."""

    id: CampaignId
    workspace_id: WorkspaceId
    name: str
    kind: CampaignKind
    status: CampaignStatus
    paused_at: datetime | None
    starts_at: datetime | None
    intake_closed_at: datetime | None
    plan_id: PlanId | None
    """What its template or workflow compiles to; fixed by the start. None: nobody has needed it yet."""
    said: NewCampaign
    """What can be edited of it."""

    @property
    def type(self) -> CampaignType:
        """Where its contacts come from."""
        return self.said.type

    @property
    def sender_id(self) -> SenderId | None:
        """Who sends."""
        return self.said.sender_id

    @property
    def brief(self) -> CampaignBrief:
        """What is offered, to what end."""
        return self.said.brief

    @property
    def has_begun(self) -> bool:
        """Whether it has been started: from then on its content is fixed."""
        return self.status not in CAMPAIGN_UNBEGUN

    @property
    def takes_in(self) -> bool:
        """Whether it takes in leads and contacts."""
        return self.status not in CAMPAIGN_ENDED and self.intake_closed_at is None


@dataclass(frozen=True, slots=True)
class Sender:
    """Who sends."""

    id: SenderId
    name: str
    email: str
    reply_to: str
    company: str
    postal_address: str
    provider: str


def create_sender(
    conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId, new: NewSender, now: datetime
) -> bool:
    """Add a sender identity. False (zero rows): the workspace has one with this address."""
    made = conn.execute(
        text("""
            INSERT INTO sender_identities (id, workspace_id, name, email, reply_to, company, postal_address, provider,
                                           provider_settings, daily_cap, warm_up, created_at)
            VALUES (:id, :workspace_id, :name, :email, :reply_to, :company, :postal_address, :provider,
                    CAST(:settings AS jsonb), :daily_cap, CAST(:warm_up AS jsonb), :now)
            ON CONFLICT (workspace_id, email) DO NOTHING
        """),
        new.model_dump(exclude={"smtp", "ses"})
        | {
            "id": sender_id,
            "workspace_id": workspace_id,
            "provider": new.provider,
            "warm_up": warm_up_json(new.warm_up),
            "settings": new.provider_settings.model_dump_json(),
            "now": now,
        },
    )
    return made.rowcount > 0


def save_account(conn: Connection, sender_id: SenderId, provider: str, account: BaseModel) -> bool:
    """Let the sender's mail leave this way from now on. False (zero rows): there is no such sender."""
    query = text("""
        UPDATE sender_identities SET provider = :provider, provider_settings = CAST(:settings AS jsonb) WHERE id = :id
    """)
    parameters = {"id": sender_id, "provider": provider, "settings": account.model_dump_json()}
    return conn.execute(query, parameters).rowcount > 0


def warm_up_json(warm_up: WarmUp | None) -> str:
    """A warm-up as it is stored; none is an empty document."""
    return "{}" if warm_up is None else warm_up.model_dump_json()


def sender(conn: Connection, sender_id: SenderId) -> Sender | None:
    """One sender identity."""
    query = text("""
        SELECT id, name, email, reply_to, company, postal_address, provider FROM sender_identities WHERE id = :id
    """)
    row = conn.execute(query, {"id": sender_id}).first()
    return None if row is None else Sender(*row)


def create(conn: Connection, workspace_id: WorkspaceId, new: NewCampaign, now: datetime) -> CampaignId:
    """Add a draft campaign."""
    campaign_id = CampaignId(new_id())
    conn.execute(
        text("""
            INSERT INTO campaigns (id, workspace_id, name, kind, type, status, sender_id, template_id, workflow_id,
                                   brief, rules, daily_cap, approval_mode, approval_first_n, intake, company_order,
                                   company_gap, created_at, updated_at)
            VALUES (:id, :workspace_id, :name, :kind, :type, :status, :sender_id, :template_id, :workflow_id,
                    CAST(:brief AS jsonb), CAST(:rules AS jsonb), :daily_cap, :approval_mode, :approval_first_n,
                    CAST(:intake AS jsonb), :company_order, :company_gap, :now, :now)
        """),
        _row(new)
        | {"id": campaign_id, "workspace_id": workspace_id, "kind": new.kind, "now": now}
        | {"status": CampaignStatus.DRAFT},
    )
    return campaign_id


def save(conn: Connection, campaign_id: CampaignId, said: NewCampaign, now: datetime) -> None:
    """Replace what was said about a campaign that the caller has locked; its kind stays."""
    conn.execute(
        text("""
            UPDATE campaigns SET name = :name, type = :type, sender_id = :sender_id, template_id = :template_id,
                   workflow_id = :workflow_id, brief = CAST(:brief AS jsonb), rules = CAST(:rules AS jsonb),
                   daily_cap = :daily_cap, approval_mode = :approval_mode, approval_first_n = :approval_first_n,
                   intake = CAST(:intake AS jsonb), company_order = :company_order, company_gap = :company_gap,
                   updated_at = :now
            WHERE id = :id
        """),
        _row(said) | {"id": campaign_id, "now": now},
    )


def _row(said: NewCampaign) -> dict[str, Any]:
    return said.model_dump(exclude={"kind", "brief", "rules", "intake"}) | {
        "brief": said.brief.model_dump_json(),
        "intake": "{}" if said.intake is None else said.intake.model_dump_json(exclude_defaults=True),
        "rules": said.rules.model_dump_json(exclude_none=True),
    }


def find(conn: Connection, campaign_id: CampaignId, *, lock: bool = False, to_move: bool = False) -> Campaign | None:
    """The campaign. ``lock`` keeps it from being moved until the transaction ends; take ``to_move`` to move it."""
    strength = " FOR NO KEY UPDATE" if to_move else " FOR SHARE" if lock else ""
    query = f"SELECT * FROM campaigns WHERE id = :id{strength}"
    row = conn.execute(text(query), {"id": campaign_id}).first()
    return None if row is None else _campaign(row)


def _campaign(row: Row[tuple[object, ...]]) -> Campaign:
    # An ended campaign may have lost its content, and an old one may say less than is asked for today: no validation.
    said = NewCampaign.model_construct(
        name=row.name,
        kind=CampaignKind(row.kind),
        type=CampaignType(row.type),
        sender_id=row.sender_id,
        template_id=row.template_id,
        workflow_id=row.workflow_id,
        brief=CampaignBrief.model_validate(row.brief),
        rules=CampaignRules.model_validate(row.rules),
        daily_cap=row.daily_cap,
        approval_mode=ApprovalMode(row.approval_mode) if row.approval_mode is not None else None,
        approval_first_n=row.approval_first_n,
        intake=Intake.model_validate(row.intake) if row.type == CampaignType.FULLY_AUTOMATED else None,
        company_order=CompanyOrder(row.company_order),
        company_gap=row.company_gap,
    )
    return Campaign(
        row.id,
        row.workspace_id,
        row.name,
        said.kind,
        CampaignStatus(row.status),
        row.paused_at,
        row.starts_at,
        row.intake_closed_at,
        row.plan_id,
        said,
    )


def move(
    conn: Connection,
    campaign_id: CampaignId,
    target: CampaignStatus,
    reason: str,
    now: datetime,
    *,
    only_from: Collection[CampaignStatus] = tuple(CampaignStatus),
) -> bool:
    """Move the campaign. False (zero rows): its state does not allow it, or there is no such campaign."""
    moved = conn.execute(
        text("""
            UPDATE campaigns SET status = :target, status_reason = :reason, updated_at = :now,
                   started_at = CASE WHEN :target = :running THEN coalesce(started_at, :now) ELSE started_at END,
                   paused_at = CASE WHEN :target = :paused THEN CAST(:now AS timestamptz) END,
                   resumed_at = CASE WHEN :target = :running AND status = :paused THEN :now ELSE resumed_at END,
                   finished_at = CASE WHEN :ended THEN CAST(:now AS timestamptz) END,
                   starts_at = CASE WHEN :target = :draft THEN NULL ELSE starts_at END
            WHERE id = :id AND status = ANY(:sources)
        """),
        {
            "id": campaign_id,
            "target": target,
            "reason": reason,
            "now": now,
            "running": CampaignStatus.RUNNING,
            "paused": CampaignStatus.PAUSED,
            "draft": CampaignStatus.DRAFT,
            "ended": not CAMPAIGN_MOVES[target],
            "sources": [state for state in sources(CAMPAIGN_MOVES, target) if state in only_from],
        },
    )
    return moved.rowcount > 0


def schedule(conn: Connection, campaign_id: CampaignId, starts_at: datetime, now: datetime) -> bool:
    """Let a draft start by itself then. False (zero rows): it is no draft."""
    scheduled = conn.execute(
        text("""
            UPDATE campaigns SET status = :scheduled, status_reason = '', starts_at = :starts_at, updated_at = :now
            WHERE id = :id AND status = ANY(:sources)
        """),
        {
            "id": campaign_id,
            "scheduled": CampaignStatus.SCHEDULED,
            "starts_at": starts_at,
            "now": now,
            "sources": list(sources(CAMPAIGN_MOVES, CampaignStatus.SCHEDULED)),
        },
    )
    return scheduled.rowcount > 0


def close_intake(conn: Connection, campaign_id: CampaignId, now: datetime) -> bool:
    """Let a campaign that has begun take nobody in any more. False (zero rows): it has not begun, or is closed."""
    closed = conn.execute(
        text("""
            UPDATE campaigns SET intake_closed_at = :now, updated_at = :now
            WHERE id = :id AND intake_closed_at IS NULL AND status = ANY(:running)
        """),
        {"id": campaign_id, "now": now, "running": [CampaignStatus.RUNNING, CampaignStatus.PAUSED]},
    )
    return closed.rowcount > 0


def take_plan(conn: Connection, campaign_id: CampaignId, plan_id: PlanId) -> None:
    """Make this the campaign's own plan. The caller has locked it; drafts that had the one before have this one."""
    parameters = {"id": campaign_id, "plan_id": plan_id}
    conn.execute(_CHANGE_DRAFTS, parameters)
    conn.execute(text("UPDATE campaigns SET plan_id = :plan_id WHERE id = :id"), parameters)


_CHANGE_DRAFTS = text(f"""
    WITH drafts AS MATERIALIZED (
        SELECT e.id FROM contact_campaigns e JOIN campaigns c ON c.id = e.campaign_id
        WHERE c.id = :id AND e.status = '{EnrolmentStatus.DRAFT}' AND e.plan_id = c.plan_id
        ORDER BY e.id FOR UPDATE OF e
    )
    UPDATE contact_campaigns e SET plan_id = :plan_id FROM drafts WHERE e.id = drafts.id
""")


def has_people(conn: Connection, campaign_id: CampaignId) -> bool:
    """Whether somebody is enrolled, or may come from a site or a plan on order."""
    return bool(conn.execute(_HAS_PEOPLE, {"id": campaign_id}).scalar())


_HAS_PEOPLE = text(f"""
    SELECT EXISTS (SELECT FROM contact_campaigns WHERE campaign_id = :id
                   AND status IN ({literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)}))
        OR EXISTS (SELECT FROM campaign_leads l JOIN leads d ON d.id = l.lead_id WHERE l.campaign_id = :id
                   AND d.status NOT IN ({literals(LeadStatus.ANALYZED, LeadStatus.FAILED)}))
        OR EXISTS (SELECT FROM jobs WHERE campaign_id = :id
                   AND status IN ({literals(JobStatus.QUEUED, JobStatus.ACTIVE)}))
""")


def save_plan(
    conn: Connection,
    workspace_id: WorkspaceId,
    plan: Mapping[str, object],
    *,
    plan_hash: str,
    source: str,
    now: datetime,
) -> PlanId:
    """Store the plan under its content hash; the same plan is stored once."""
    parameters = {
        "id": new_id(),
        "workspace_id": workspace_id,
        "hash": plan_hash,
        "version": str(plan.get("version", "1.0")),
        "plan": json.dumps(plan),
        "source": source,
        "now": now,
    }
    conn.execute(
        text("""
            INSERT INTO campaign_plans (id, workspace_id, hash, version, plan, source, created_at)
            VALUES (:id, :workspace_id, :hash, :version, CAST(:plan AS jsonb), :source, :now)
            ON CONFLICT (workspace_id, hash) DO NOTHING
        """),
        parameters,
    )
    return conn.execute(
        text("SELECT id FROM campaign_plans WHERE workspace_id = :workspace_id AND hash = :hash"), parameters
    ).scalar_one()


def add_enrolments(
    conn: Connection,
    campaign: Campaign,
    contact_ids: Sequence[ContactId],
    plan_id: PlanId,
    approval: Approval,
    now: datetime,
) -> dict[ContactId, EnrolmentId]:
    """Add draft enrolments. Contacts that are in this campaign already are left out."""
    rows = [{"id": str(new_id()), "contact_id": str(contact_id)} for contact_id in contact_ids]
    added = conn.execute(
        text("""
            INSERT INTO contact_campaigns (id, workspace_id, campaign_id, contact_id, plan_id, status, approval,
                                           created_at)
            SELECT r.id, :workspace_id, :campaign_id, r.contact_id, :plan_id, :status, :approval,
                   CAST(:now AS timestamptz)
            FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, contact_id uuid)
            ON CONFLICT (campaign_id, contact_id) DO NOTHING
            RETURNING contact_id, id
        """),
        {
            "workspace_id": campaign.workspace_id,
            "campaign_id": campaign.id,
            "plan_id": plan_id,
            "status": EnrolmentStatus.DRAFT,
            "approval": approval,
            "rows": json.dumps(rows),
            "now": now,
        },
    )
    return {row.contact_id: row.id for row in added}


def enrolled(conn: Connection, campaign_id: CampaignId, contact_ids: Sequence[ContactId]) -> set[ContactId]:
    """Which of the contacts are in the campaign."""
    query = "SELECT contact_id FROM contact_campaigns WHERE campaign_id = :campaign AND contact_id = ANY(:contacts)"
    return set(conn.execute(text(query), {"campaign": campaign_id, "contacts": list(contact_ids)}).scalars())


def offline_fallback(conn: Connection, workspace_id: WorkspaceId) -> bool:
    """Whether the workspace takes plans by rule where a model has none."""
    query = text("SELECT offline_fallback FROM automation_settings WHERE workspace_id = :id")
    return bool(conn.execute(query, {"id": workspace_id}).scalar())
