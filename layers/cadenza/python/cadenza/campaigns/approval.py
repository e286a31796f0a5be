"""People look at plans before anything is sent: drafts are changed, approved and rejected.

An enrolment whose approval is wanted stays a draft: `decide` begins none that is not approved, and the database refuses
one that has begun. An approval makes it begin if its campaign has; else it begins with its campaign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection

from cadenza.campaigns import approval_store, drafts, store
from cadenza.campaigns.approval_store import Draft
from cadenza.campaigns.consent import complete
from cadenza.campaigns.mail_plans import accept
from cadenza.core import jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, FieldProblem, InvalidInput, NotFound, Overtaken
from cadenza.core.ids import CampaignId, EnrolmentId, WorkspaceId
from cadenza.core.states import Approval, ApprovalAct, CampaignStatus, EnrolmentStatus
from cadenza.engine.apply import FollowUp, apply
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.model import Enrol, Halt
from cadenza.planning.findings import Finding
from cadenza.planning.model import parse_plan

BATCH: Final = 1000
"""How many drafts are approved in one transaction."""

REJECTED: Final = "rejected"
"""The cause in the audit of an enrolment that a rejection ends."""


class Decided(StrEnum):
    """What became of an approval."""

    APPROVED = "approved"
    APPROVED_BEFORE = "approved_before"
    CHANGED = "changed"
    """It has another plan than the one that was seen."""
    NOT_NEEDED = "not_needed"
    ENDED = "ended"
    UNKNOWN = "unknown"
    """No such enrolment in this campaign."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What became of one draft, and in words why."""

    enrolment_id: EnrolmentId
    outcome: Decided
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Approved:
    """What a request to approve has done. ``released`` need not be approved any more; ``waiting`` still wait."""

    items: tuple[Answered, ...]
    released: int
    waiting: int


@dataclass(frozen=True, slots=True)
class Approvals:
    """The drafts of one workspace. ``key_id`` is the API key in whose name all of it is done."""

    database: Database
    dispatcher: Dispatcher
    workspace_id: WorkspaceId
    key_id: UUID
    clock: Clock

    def approve(self, enrolment_id: EnrolmentId, plan_hash: str = "") -> None:
        """Let a draft go; ``plan_hash`` is the plan that was seen, "" if that does not matter. What goes already, goes.

        Raises:
            NotFound: No such enrolment.
            Conflict: Its plan has changed since it was seen, or it has ended.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign_id = approval_store.campaign_of(conn, enrolment_id)
            if campaign_id is None:
                raise NotFound("enrolment", enrolment_id)
            approved, follow_up = self._approve(conn, campaign_id, [enrolment_id], plan_hash, now)
            (answer,) = approved.items
            if answer.outcome is Decided.CHANGED:
                raise Conflict(answer.detail, (FieldProblem("/plan_hash", answer.detail),))
            if answer.outcome is Decided.ENDED:
                raise Conflict(answer.detail)
        self._follow(follow_up, now)

    def approve_many(self, campaign_id: CampaignId, ids: Sequence[EnrolmentId] | None) -> Approved:
        """Let drafts of a campaign go: these, or (None) the `BATCH` that have waited longest.

        Raises:
            NotFound: No such campaign.
            InvalidInput: None is named.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            approved, follow_up = self._approve(conn, campaign_id, ids, "", now)
        self._follow(follow_up, now)
        return approved

    def reject(self, enrolment_id: EnrolmentId, reason: str) -> None:
        """End a draft for this reason, whether or not it waited for approval. Twice is as once.

        Raises:
            NotFound: No such enrolment.
            InvalidInput: There is no reason.
            Conflict: It is no draft any more.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            draft = _lock(conn, enrolment_id)
            if not reason:
                raise InvalidInput("say why: it is kept", (FieldProblem("/reason", "say why"),))
            if draft.approval is Approval.REJECTED:
                return
            if draft.status is not EnrolmentStatus.DRAFT:
                raise Conflict(_no_draft(draft))
            approval_store.move(conn, [draft.id], Approval.REJECTED)
            self._record(conn, ApprovalAct.REJECTED, Approval.REJECTED, [draft], now, reason)
            follow_up = apply(conn, [(draft.id, Halt(now, REJECTED, reason))], now)
        self._follow(follow_up, now)

    def edit(
        self, enrolment_id: EnrolmentId, plan: dict[str, JsonValue], seen: frozenset[str] | None
    ) -> tuple[Finding, ...]:
        """Give a draft another plan; what is to be said about it. An approved one has to be approved anew.

        ``seen`` are the hashes of the plan that may be replaced (None: the caller has not said, empty: any). People may
        write what they like: what the linter says of their copy are warnings.

        Raises:
            NotFound: No such enrolment.
            Overtaken: It has another plan than the one that was seen.
            Conflict: It is no draft any more.
            InvalidInput: The plan has errors; one `FieldProblem` each.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            draft = _lock(conn, enrolment_id)
            if seen is None:
                raise Overtaken("say If-Match: the ETag of the plan that you have read", missing=True)
            if seen and draft.plan_hash not in seen:
                raise Overtaken("the plan has changed since it was read: read it again")
            if draft.status is not EnrolmentStatus.DRAFT:
                raise Conflict(f"{_no_draft(draft)}; to change the plan of what has begun, migrate it")
            plan_hash = accept(plan).hash
            if plan_hash != draft.plan_hash:
                self._replace(conn, draft, plan, plan_hash, now)
            return drafts.findings(conn, draft.campaign_id, draft.contact_id, plan)

    def _replace(
        self, conn: Connection, draft: Draft, plan: dict[str, JsonValue], plan_hash: str, now: datetime
    ) -> None:
        source = parse_plan(plan).to_json()
        plan_id = store.save_plan(conn, self.workspace_id, source, plan_hash=plan_hash, source=store.OPERATOR, now=now)
        approval_store.change_plan(conn, draft.id, plan_id)
        approval = draft.approval
        if approval is Approval.APPROVED:
            approval = Approval.WANTED
            approval_store.move(conn, [draft.id], approval)
        self._record(conn, ApprovalAct.EDITED, approval, [replace(draft, plan_id=plan_id)], now)

    # --- steps ---------------------------------------------------------------------------------------------------

    def _approve(
        self,
        conn: Connection,
        campaign_id: CampaignId,
        wanted: Sequence[EnrolmentId] | None,
        plan_hash: str,
        now: datetime,
    ) -> tuple[Approved, FollowUp]:
        status = approval_store.lock_campaign(conn, campaign_id)
        if status is None:
            raise NotFound("campaign", campaign_id)
        if wanted is not None and not wanted:
            problem = FieldProblem("/enrolment_ids", "name the drafts that are to go, or say all")
            raise InvalidInput("no draft is named", (problem,))
        progress = approval_store.progress(conn, campaign_id)
        waiting = approval_store.waiting(conn, campaign_id)
        ids = waiting[:BATCH] if wanted is None else list(dict.fromkeys(wanted))
        # All locks in one go, in id order: what is released as well, should this be the last approval that is needed.
        locked = approval_store.lock(conn, [*ids, *(waiting if progress.releases(len(ids)) else ())])
        found = {draft.id: draft for draft in locked.values() if draft.campaign_id == campaign_id}
        items = tuple(_judged(enrolment_id, found.get(enrolment_id), plan_hash) for enrolment_id in ids)
        approved = [found[item.enrolment_id] for item in items if item.outcome is Decided.APPROVED]
        approval_store.move(conn, [draft.id for draft in approved], Approval.APPROVED)
        self._record(conn, ApprovalAct.APPROVED, Approval.APPROVED, approved, now)
        released: list[Draft] = []
        if approved and progress.releases(len(approved)):
            going = {draft.id for draft in approved}
            released = [draft for draft in found.values() if draft.waits and draft.id not in going]
            approval_store.move(conn, [draft.id for draft in released], Approval.NOT_NEEDED)
            reason = f"the first {progress.needed:.0f} of the campaign are approved"
            self._record(conn, ApprovalAct.RELEASED, Approval.NOT_NEEDED, released, now, reason)
        follow_up = FollowUp()
        if status in (CampaignStatus.RUNNING, CampaignStatus.PAUSED):
            follow_up = apply(conn, [(draft.id, Enrol()) for draft in (*approved, *released)], now)
        left = set(waiting) - {draft.id for draft in (*approved, *released)}
        return Approved(items, len(released), len(left)), follow_up

    def _record(
        self,
        conn: Connection,
        act: ApprovalAct,
        approval: Approval,
        which: Sequence[Draft],
        now: datetime,
        reason: str = "",
    ) -> None:
        """Write it down, in the log and in the jobs that made the drafts."""
        if not which:
            return
        key_id = None if act is ApprovalAct.RELEASED else self.key_id
        plans = [(draft.id, draft.plan_id) for draft in which]
        approval_store.log(conn, self.workspace_id, act, plans, key_id, reason, now)
        works = [jobs.planning(self.workspace_id, draft.campaign_id, draft.contact_id) for draft in which]
        jobs.note(conn, works, {"approval": approval}, f"{REJECTED}: {reason}" if act is ApprovalAct.REJECTED else "")

    def _follow(self, follow_up: FollowUp, now: datetime) -> None:
        self.dispatcher.dispatch(follow_up, now)
        complete(self.database, self.workspace_id, follow_up, now)


def _lock(conn: Connection, enrolment_id: EnrolmentId) -> Draft:
    draft = approval_store.lock(conn, [enrolment_id]).get(enrolment_id)
    if draft is None:
        raise NotFound("enrolment", enrolment_id)
    return draft


def _no_draft(draft: Draft) -> str:
    return f"it is no draft any more: it is {draft.status}" + (f", {draft.reason}" if draft.reason else "")


def _judged(enrolment_id: EnrolmentId, draft: Draft | None, plan_hash: str) -> Answered:
    """What an approval makes of this draft."""
    if draft is None:
        return Answered(enrolment_id, Decided.UNKNOWN, "no such enrolment in this campaign")
    if plan_hash and draft.plan_hash != plan_hash:
        return Answered(draft.id, Decided.CHANGED, "its plan has changed since it was seen: look at it again")
    if draft.approval is Approval.APPROVED:
        return Answered(draft.id, Decided.APPROVED_BEFORE)
    if draft.waits:
        return Answered(draft.id, Decided.APPROVED)
    if draft.status in (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE):
        return Answered(draft.id, Decided.NOT_NEEDED, "it needs no approval")
    return Answered(draft.id, Decided.ENDED, _no_draft(draft))
