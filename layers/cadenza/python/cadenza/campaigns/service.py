"""What operators do with campaigns: create, start or schedule, pause, resume, complete, cancel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection

from cadenza.campaigns import own_plan, readiness, resumption, store
from cadenza.campaigns.model import NewCampaign
from cadenza.campaigns.resumption import ResumePreview
from cadenza.core import audit
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from cadenza.core.ids import CampaignId, WorkspaceId
from cadenza.core.states import CAMPAIGN_ENDED, AuditAct, CampaignKind, CampaignStatus, ResumePolicy
from cadenza.delivery import reputation
from cadenza.engine.completion import complete_campaigns
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.following import Followed, follow

FARTHEST: Final = timedelta(days=731)
"""How far ahead a start may be scheduled."""


@dataclass(frozen=True, slots=True)
class Campaigns:
    """The operator's side of one workspace."""

    database: Database
    dispatcher: Dispatcher
    workspace_id: WorkspaceId
    key_id: UUID | None
    """The API key in whose name it is done; None: the system does it."""
    clock: Clock
    public_url: str

    def create(self, new: NewCampaign) -> CampaignId:
        """Add a draft campaign.

        Raises:
            InvalidInput: It names a sender, template or workflow that is not in this workspace.
        """
        with self.database.workspace(self.workspace_id) as conn:
            if problems := readiness.unknown(conn, new):
                raise InvalidInput("the campaign names what is not there", problems)
            return store.create(conn, self.workspace_id, new, self.clock())

    def start(self, campaign_id: CampaignId) -> None:
        """Start a draft (or scheduled) campaign: its draft enrolments become active, the first of them at once.

        Raises:
            NotFound: No such campaign.
            Conflict: It cannot start from its state, or something is missing; all that is missing is named at once.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id, to_move=True)
            if missing := self._missing(conn, campaign, now):
                raise Conflict("the campaign cannot start yet", tuple(missing))
            self._move(conn, campaign, CampaignStatus.RUNNING, AuditAct.CAMPAIGN_STARTED)
            followed = follow(conn, campaign_id, now)
        self._go_on(campaign_id, followed, now)

    def schedule(self, campaign_id: CampaignId, starts_at: datetime | None) -> None:
        """Let a draft start by itself at an instant ahead.

        Raises:
            NotFound: No such campaign.
            InvalidInput: The instant is missing, has passed, or is more than `FARTHEST` ahead.
            Conflict: It is no draft, or something is missing that a start needs; all of it is named at once.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id, to_move=True)
            if starts_at is None or not now < starts_at <= now + FARTHEST:
                detail = (
                    f"name an instant that lies ahead, {FARTHEST.days} days at most; POST …/start starts it at once"
                )
                raise InvalidInput("the campaign cannot start then", (FieldProblem("/starts_at", detail),))
            if missing := self._missing(conn, campaign, now):
                raise Conflict("the campaign cannot be scheduled yet", tuple(missing))
            if not store.schedule(conn, campaign_id, starts_at, now):
                raise Conflict(f"a campaign that is {campaign.status} cannot be scheduled")
            self._record(conn, campaign, AuditAct.CAMPAIGN_SCHEDULED, now, {"starts_at": starts_at.isoformat()})
        self.dispatcher.start_at([(campaign_id, starts_at)], now)

    def unschedule(self, campaign_id: CampaignId) -> None:
        """Make a scheduled campaign a draft again.

        Raises:
            NotFound: No such campaign.
            Conflict: It is not scheduled.
        """
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id)
            self._move(conn, campaign, CampaignStatus.DRAFT, AuditAct.CAMPAIGN_UNSCHEDULED)

    def start_if_due(self, campaign_id: CampaignId) -> None:
        """Start a scheduled campaign whose instant has come; what lacks something becomes a draft again, and says why.

        Nothing happens to any other campaign, so that it may be asked for often, early and late.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = store.find(conn, campaign_id, to_move=True)
            if campaign is None or campaign.status is not CampaignStatus.SCHEDULED:
                return
            if campaign.starts_at is None or campaign.starts_at > now:
                return
            if missing := self._missing(conn, campaign, now):
                reason = "it could not start by itself: " + "; ".join(problem.detail for problem in missing)
                store.move(conn, campaign_id, CampaignStatus.DRAFT, reason, now)
                fields = sorted({problem.pointer for problem in missing})
                self._record(conn, campaign, AuditAct.CAMPAIGN_NOT_STARTED, now, {"missing": list(fields)})
                return
            self._move(conn, campaign, CampaignStatus.RUNNING, AuditAct.CAMPAIGN_STARTED)
            followed = follow(conn, campaign_id, now)
        self._go_on(campaign_id, followed, now)

    def pause(self, campaign_id: CampaignId, reason: str = "") -> None:
        """Pause: one row changes, and from its commit on the gate lets nothing of this campaign pass (I3).

        Raises:
            NotFound: No such campaign.
            Conflict: It is not running.
        """
        with self.database.workspace(self.workspace_id) as conn:
            self._move(
                conn, self._find(conn, campaign_id), CampaignStatus.PAUSED, AuditAct.CAMPAIGN_PAUSED, reason=reason
            )

    def preview_resume(self, campaign_id: CampaignId) -> ResumePreview:
        """What each policy would do if the campaign were resumed now.

        Raises:
            NotFound: No such campaign.
            Conflict: It is not paused.
        """
        with self.database.workspace(self.workspace_id) as conn:
            return resumption.preview(conn, campaign_id, _paused_at(self._find(conn, campaign_id)), self.clock())

    def resume(self, campaign_id: CampaignId, policy: ResumePolicy = ResumePolicy.SHIFT) -> None:
        """Run again. What the pause held back goes on as ``policy`` says, and never in a burst.

        What went out before no longer counts for the campaign's reputation.

        Raises:
            NotFound: No such campaign.
            Conflict: It is not paused.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id, to_move=True)
            paused_at = _paused_at(campaign)
            self._move(conn, campaign, CampaignStatus.RUNNING, AuditAct.CAMPAIGN_RESUMED, policy=policy)
            reputation.forgive(conn, "campaign", campaign_id)
            resumption.resume(conn, campaign_id, policy, paused_at, now)
        self.dispatcher.wake(now)
        self.dispatcher.follow([campaign_id])

    def complete(self, campaign_id: CampaignId) -> None:
        """Close the intake: it takes no more leads or contacts, and completes once what it has is final (I4).

        Sites that it has taken before are still worked off, with their people.

        Raises:
            NotFound: No such campaign.
            Conflict: It has not begun, has ended, or is closed already.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id, to_move=True)
            if not store.close_intake(conn, campaign_id, now):
                raise Conflict(_not_closed(campaign))
            self._record(conn, campaign, AuditAct.CAMPAIGN_CLOSED, now)
        with self.database.workspace(self.workspace_id) as conn:
            complete_campaigns(conn, [campaign_id], now)

    def cancel(self, campaign_id: CampaignId, reason: str = "") -> None:
        """End the campaign, and its open enrolments, the first of them at once. Nothing that waits is sent.

        Raises:
            NotFound: No such campaign.
            Conflict: It has ended.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id)
            self._move(conn, campaign, CampaignStatus.CANCELLED, AuditAct.CAMPAIGN_CANCELLED, reason=reason)
            followed = follow(conn, campaign_id, now)
        self._go_on(campaign_id, followed, now)

    def _go_on(self, campaign_id: CampaignId, followed: Followed, now: datetime) -> None:
        """After the commit: the enrolments that have not followed yet are left to the execute function."""
        self.dispatcher.dispatch(followed.follow_up, now)
        if followed.more:
            self.dispatcher.follow([campaign_id])

    def _find(self, conn: Connection, campaign_id: CampaignId, *, to_move: bool = False) -> store.Campaign:
        campaign = store.find(conn, campaign_id, to_move=to_move)
        if campaign is None:
            raise NotFound("campaign", campaign_id)
        return campaign

    def _move(
        self, conn: Connection, campaign: store.Campaign, target: CampaignStatus, act: AuditAct, **detail: str
    ) -> None:
        now = self.clock()
        if not store.move(conn, campaign.id, target, detail.get("reason", ""), now):
            raise Conflict(f"a campaign that is {campaign.status} cannot become {target}")
        self._record(conn, campaign, act, now, dict(detail))

    def _record(
        self,
        conn: Connection,
        campaign: store.Campaign,
        act: AuditAct,
        now: datetime,
        detail: Mapping[str, JsonValue] = MappingProxyType({}),
    ) -> None:
        audit.record(conn, self.workspace_id, act, now, key_id=self.key_id, subject_id=campaign.id, detail=dict(detail))

    def _missing(self, conn: Connection, campaign: store.Campaign, now: datetime) -> list[FieldProblem]:
        """Everything that keeps a campaign, which is locked, from starting. Its own plan is brought up to date.

        One that has begun lacks nothing: its move is refused.
        """
        if campaign.has_begun:
            return []
        missing = readiness.missing(conn, campaign, self.public_url)
        if campaign.kind is not CampaignKind.AI:
            missing += own_plan.settle(conn, campaign, now)[1]
        return missing


def _not_closed(campaign: store.Campaign) -> str:
    if not campaign.has_begun:
        return f"a campaign that is {campaign.status} has not begun: start it, or cancel it"
    if campaign.status in CAMPAIGN_ENDED:
        return f"the campaign is {campaign.status} already"
    return "the campaign takes nobody in any more: it completes once what it has is final"


def _paused_at(campaign: store.Campaign) -> datetime:
    if campaign.paused_at is None:
        raise Conflict(f"the campaign is {campaign.status}, not paused")
    return campaign.paused_at
