"""Campaigns, senders, enrolments and plans in SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from pydantic import BaseModel
from sqlalchemy import Connection, Row, text

from cadenza.campaigns.model import CampaignBrief, NewCampaign, NewSender, WarmUp
from cadenza.core.ids import CampaignId, ContactId, EnrolmentId, PlanId, SenderId, WorkspaceId, new_id
from cadenza.core.states import (
    CAMPAIGN_MOVES,
    Approval,
    CampaignKind,
    CampaignStatus,
    EnrolmentStatus,
    sources,
)

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
    sender_id: SenderId | None
    brief: CampaignBrief
    paused_at: datetime | None


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
            INSERT INTO campaigns (id, workspace_id, name, kind, type, status, sender_id, brief, rules, daily_cap,
                                   approval_mode, approval_first_n, intake, company_order, company_gap, created_at,
                                   updated_at)
            VALUES (:id, :workspace_id, :name, :kind, :type, :status, :sender_id, CAST(:brief AS jsonb),
                    CAST(:rules AS jsonb), :daily_cap, :approval_mode, :approval_first_n, CAST(:intake AS jsonb),
                    :company_order, :company_gap, :now, :now)
        """),
        {
            "id": campaign_id,
            "workspace_id": workspace_id,
            "name": new.name,
            "kind": new.kind,
            "type": new.type,
            "status": CampaignStatus.DRAFT,
            "sender_id": new.sender_id,
            "brief": new.brief.model_dump_json(),
            "rules": new.rules.model_dump_json(exclude_none=True),
            "daily_cap": new.daily_cap,
            "approval_mode": new.approval_mode,
            "approval_first_n": new.approval_first_n,
            "intake": "{}" if new.intake is None else new.intake.model_dump_json(exclude_defaults=True),
            "company_order": new.company_order,
            "company_gap": new.company_gap,
            "now": now,
        },
    )
    return campaign_id


def find(conn: Connection, campaign_id: CampaignId, *, lock: bool = False, to_move: bool = False) -> Campaign | None:
    """The campaign. ``lock`` keeps it from being moved until the transaction ends; take ``to_move`` to move it."""
    strength = " FOR NO KEY UPDATE" if to_move else " FOR SHARE" if lock else ""
    query = f"SELECT * FROM campaigns WHERE id = :id{strength}"
    row = conn.execute(text(query), {"id": campaign_id}).first()
    return None if row is None else _campaign(row)


def _campaign(row: Row[tuple[object, ...]]) -> Campaign:
    return Campaign(
        row.id,
        row.workspace_id,
        row.name,
        CampaignKind(row.kind),
        CampaignStatus(row.status),
        row.sender_id,
        CampaignBrief.model_validate(row.brief),
        row.paused_at,
    )


def move(conn: Connection, campaign_id: CampaignId, target: CampaignStatus, reason: str, now: datetime) -> bool:
    """Move the campaign. False (zero rows): its state does not allow it, or there is no such campaign."""
    moved = conn.execute(
        text("""
            UPDATE campaigns SET status = :target, status_reason = :reason, updated_at = :now,
                   started_at = CASE WHEN :target = :running THEN coalesce(started_at, :now) ELSE started_at END,
                   paused_at = CASE WHEN :target = :paused THEN CAST(:now AS timestamptz) END,
                   resumed_at = CASE WHEN :target = :running AND status = :paused THEN :now ELSE resumed_at END,
                   finished_at = CASE WHEN :ended THEN CAST(:now AS timestamptz) END
            WHERE id = :id AND status = ANY(:sources)
        """),
        {
            "id": campaign_id,
            "target": target,
            "reason": reason,
            "now": now,
            "running": CampaignStatus.RUNNING,
            "paused": CampaignStatus.PAUSED,
            "ended": not CAMPAIGN_MOVES[target],
            "sources": list(sources(CAMPAIGN_MOVES, target)),
        },
    )
    return moved.rowcount > 0


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
