"""Drafts and their approval in SQL.

Whoever approves locks the campaign against whoever enrols in it: a draft is there to be counted and released, or its
enrolment sees the approvals. Lock order: see `cadenza.engine.store`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.ids import CampaignId, ContactId, EnrolmentId, PlanId, WorkspaceId, new_id
from cadenza.core.states import (
    APPROVAL_MOVES,
    Approval,
    ApprovalAct,
    ApprovalMode,
    CampaignStatus,
    EnrolmentStatus,
    sources,
)


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of a campaign's plans have been approved, and how many must be before the rest go by themselves."""

    approved: int
    needed: float

    @property
    def is_enough(self) -> bool:
        """Whether a plan goes by itself now."""
        return self.approved >= self.needed

    def releases(self, more: int) -> bool:
        """Whether ``more`` approvals let the rest of what waits go. Where none are needed, each is decided on."""
        return 0 < self.needed <= self.approved + more


def approvals_needed(mode: ApprovalMode, first_n: int) -> float:
    """How many plans of a campaign must have been approved before others go by themselves."""
    match mode:
        case ApprovalMode.AUTOMATIC:
            return 0
        case ApprovalMode.REVIEW_FIRST:
            return first_n
        case ApprovalMode.REVIEW_EACH:
            return math.inf
        case _:
            assert_never(mode)


def progress(conn: Connection, campaign_id: CampaignId) -> Progress:
    """Where the campaign stands. Of its own mode and its workspace's the stricter holds."""
    row = conn.execute(_PROGRESS, {"id": campaign_id}).one()
    own = approvals_needed(ApprovalMode(row.own_mode), row.own_first_n) if row.own_mode is not None else 0
    return Progress(row.approved, max(own, approvals_needed(ApprovalMode(row.mode), row.first_n)))


# More than matter need not be counted.
_PROGRESS = text(f"""
    SELECT s.approval_mode AS mode, s.approval_first_n AS first_n, c.approval_mode AS own_mode,
           c.approval_first_n AS own_first_n,
           (SELECT count(*) FROM (SELECT FROM contact_campaigns e
                                  WHERE e.campaign_id = c.id AND e.approval = '{Approval.APPROVED}'
                                  LIMIT greatest(s.approval_first_n, c.approval_first_n)) a) AS approved
    FROM campaigns c JOIN automation_settings s ON s.workspace_id = c.workspace_id WHERE c.id = :id
""")


# --- drafts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Draft:
    """An enrolment and its plan, locked until the transaction ends."""

    id: EnrolmentId
    campaign_id: CampaignId
    contact_id: ContactId
    plan_id: PlanId
    plan_hash: str
    status: EnrolmentStatus
    approval: Approval
    reason: str

    @property
    def waits(self) -> bool:
        """Whether it waits for somebody to decide."""
        return self.status is EnrolmentStatus.DRAFT and self.approval is Approval.WANTED


def lock_campaign(conn: Connection, campaign_id: CampaignId) -> CampaignStatus | None:
    """Hold off the campaign's end and whoever enrols in it; None if there is no such campaign."""
    found = conn.execute(
        text("SELECT status FROM campaigns WHERE id = :id FOR NO KEY UPDATE"), {"id": campaign_id}
    ).scalar()
    return None if found is None else CampaignStatus(found)


def campaign_of(conn: Connection, enrolment_id: EnrolmentId) -> CampaignId | None:
    """The campaign of an enrolment, for good; None if there is no such enrolment."""
    query = text("SELECT campaign_id FROM contact_campaigns WHERE id = :id")
    return conn.execute(query, {"id": enrolment_id}).scalar()


def waiting(conn: Connection, campaign_id: CampaignId) -> list[EnrolmentId]:
    """What waits for approval in the campaign, the longest first."""
    rows = conn.execute(
        text(f"""
            SELECT id FROM contact_campaigns
            WHERE campaign_id = :id AND approval = '{Approval.WANTED}' AND status = '{EnrolmentStatus.DRAFT}'
            ORDER BY id
        """),
        {"id": campaign_id},
    )
    return list(rows.scalars())


def lock(conn: Connection, ids: Iterable[EnrolmentId]) -> dict[EnrolmentId, Draft]:
    """Lock enrolments in id order and load them; unknown ids are left out. Two statements."""
    wanted = {"ids": list(set(ids))}
    conn.execute(text("SELECT FROM contact_campaigns WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"), wanted)
    # Only a new snapshot shows what the lock's previous holder wrote.
    rows = conn.execute(_DRAFTS, wanted)
    return {
        row.id: Draft(
            row.id,
            row.campaign_id,
            row.contact_id,
            row.plan_id,
            row.hash,
            EnrolmentStatus(row.status),
            Approval(row.approval),
            row.reason,
        )
        for row in rows
    }


_DRAFTS = text("""
    SELECT e.id, e.campaign_id, e.contact_id, e.plan_id, p.hash, e.status, e.approval, e.reason
    FROM contact_campaigns e JOIN campaign_plans p ON p.id = e.plan_id WHERE e.id = ANY(:ids)
""")


def move(conn: Connection, ids: Iterable[EnrolmentId], target: Approval) -> None:
    """Move the approval of drafts that the caller has locked. Those whose state does not allow it stay as they are."""
    conn.execute(
        text(f"""
            UPDATE contact_campaigns SET approval = :target
            WHERE id = ANY(:ids) AND status = '{EnrolmentStatus.DRAFT}' AND approval = ANY(:sources)
        """),
        {"ids": list(ids), "target": target, "sources": list(sources(APPROVAL_MOVES, target))},
    )


def change_plan(conn: Connection, enrolment_id: EnrolmentId, plan_id: PlanId) -> None:
    """Give a draft that the caller has locked another plan."""
    conn.execute(
        text(f"""
            UPDATE contact_campaigns SET plan_id = :plan_id
            WHERE id = :id AND status = '{EnrolmentStatus.DRAFT}'
        """),
        {"id": enrolment_id, "plan_id": plan_id},
    )


def log(
    conn: Connection,
    workspace_id: WorkspaceId,
    act: ApprovalAct,
    plans: Sequence[tuple[EnrolmentId, PlanId]],
    key_id: UUID | None,
    reason: str,
    now: datetime,
) -> None:
    """Write down who did this to which enrolments, and on which plan of theirs."""
    rows = [{"id": str(new_id()), "enrolment_id": str(one), "plan_id": str(plan)} for one, plan in plans]
    conn.execute(
        text("""
            INSERT INTO approval_log (id, workspace_id, enrolment_id, act, plan_id, key_id, reason, at)
            SELECT id, :workspace_id, enrolment_id, :act, plan_id, CAST(:key_id AS uuid), :reason,
                   CAST(:now AS timestamptz)
            FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, enrolment_id uuid, plan_id uuid)
        """),
        {
            "workspace_id": workspace_id,
            "rows": json.dumps(rows),
            "act": act,
            "key_id": key_id,
            "reason": reason,
            "now": now,
        },
    )


@dataclass(frozen=True, slots=True)
class Decision:
    """An entry of the approval log. ``key_id`` None: nobody did it, it follows from others' approval."""

    at: datetime
    act: ApprovalAct
    key_id: UUID | None
    plan_id: UUID
    reason: str


def decisions(conn: Connection, enrolment_id: EnrolmentId) -> list[Decision]:
    """What was done to the draft, oldest first."""
    rows = conn.execute(
        text("SELECT at, act, key_id, plan_id, reason FROM approval_log WHERE enrolment_id = :id ORDER BY at, id"),
        {"id": enrolment_id},
    )
    return [Decision(row.at, ApprovalAct(row.act), row.key_id, row.plan_id, row.reason) for row in rows]
