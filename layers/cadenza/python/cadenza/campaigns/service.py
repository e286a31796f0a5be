"""What operators do with campaigns: create, start, pause, resume, cancel."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from cadenza.campaigns import store
from cadenza.campaigns.model import NewCampaign, NewSender
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from cadenza.core.ids import CampaignId, SenderId, WorkspaceId
from cadenza.core.states import CampaignStatus, EnrolmentStatus
from cadenza.delivery import outbox, reputation
from cadenza.engine import actions
from cadenza.engine.apply import SOON, FollowUp, apply
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.model import Enrol, Halt


@dataclass(frozen=True, slots=True)
class Campaigns:
    """The operator's side of one workspace."""

    database: Database
    dispatcher: Dispatcher
    workspace_id: WorkspaceId
    clock: Clock

    def create_sender(self, new: NewSender) -> SenderId:
        """Add a sender identity.

        Raises:
            Conflict: The workspace has one with this address.
        """
        with self.database.workspace(self.workspace_id) as conn:
            sender_id = store.create_sender(conn, self.workspace_id, new, self.clock())
        if sender_id is None:
            raise Conflict(f"there is a sender with the address {new.email}", (FieldProblem("/email", "taken"),))
        return sender_id

    def create(self, new: NewCampaign) -> CampaignId:
        """Add a draft campaign.

        Raises:
            InvalidInput: ``sender_id`` names no sender of this workspace.
        """
        with self.database.workspace(self.workspace_id) as conn:
            if new.sender_id is not None and store.sender(conn, new.sender_id) is None:
                problem = FieldProblem("/sender_id", "no such sender; create one with POST /v1/senders")
                raise InvalidInput("the campaign names an unknown sender", (problem,))
            return store.create(conn, self.workspace_id, new, self.clock())

    def start(self, campaign_id: CampaignId) -> None:
        """Start a draft (or scheduled) campaign: its draft enrolments become active.

        Raises:
            NotFound: No such campaign.
            Conflict: It cannot start from its state, or something is missing; all that is missing is named at once.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id)
            if missing := _missing(conn, campaign):
                raise Conflict("the campaign cannot start yet", tuple(missing))
            self._move(conn, campaign, CampaignStatus.RUNNING, "")
            waiting = store.open_enrolments(conn, campaign_id, (EnrolmentStatus.DRAFT,))
            follow_up = apply(conn, [(enrolment_id, Enrol()) for enrolment_id in waiting], now)
        self.dispatcher.dispatch(follow_up, now)

    def pause(self, campaign_id: CampaignId, reason: str = "") -> None:
        """Pause: one row changes, and from its commit on the gate lets nothing of this campaign pass (I3).

        Raises:
            NotFound: No such campaign.
            Conflict: It is not running.
        """
        with self.database.workspace(self.workspace_id) as conn:
            self._move(conn, self._find(conn, campaign_id), CampaignStatus.PAUSED, reason)

    def resume(self, campaign_id: CampaignId) -> None:
        """Run again: what came due meanwhile is handed on from now on, one after the other, the rest at its time.

        What went out before no longer counts for the campaign's reputation.

        Raises:
            NotFound: No such campaign.
            Conflict: It is not paused.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            campaign = self._find(conn, campaign_id)
            if campaign.status is not CampaignStatus.PAUSED:
                raise Conflict(f"the campaign is {campaign.status}, not paused")
            self._move(conn, campaign, CampaignStatus.RUNNING, "")
            reputation.forgive(conn, "campaign", campaign_id)
            messages = tuple(outbox.bring_back(conn, campaign_id, None, now))
            due = actions.claim_of_campaign(conn, campaign_id, now + SOON, now)
        self.dispatcher.dispatch(FollowUp(actions=due, messages=messages), now)

    def cancel(self, campaign_id: CampaignId, reason: str = "") -> None:
        """End the campaign and every open enrolment. Nothing that waits is sent.

        Raises:
            NotFound: No such campaign.
            Conflict: It has ended.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            self._move(conn, self._find(conn, campaign_id), CampaignStatus.CANCELLED, reason)
            open_ones = store.open_enrolments(conn, campaign_id, (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE))
            halt = Halt(now, cause="campaign_cancelled", reason=reason or "campaign cancelled")
            apply(conn, [(enrolment_id, halt) for enrolment_id in open_ones], now)

    def _find(self, conn: Connection, campaign_id: CampaignId) -> store.Campaign:
        campaign = store.find(conn, campaign_id)
        if campaign is None:
            raise NotFound("campaign", campaign_id)
        return campaign

    def _move(self, conn: Connection, campaign: store.Campaign, target: CampaignStatus, reason: str) -> None:
        if not store.move(conn, campaign.id, target, reason, self.clock()):
            raise Conflict(f"a campaign that is {campaign.status} cannot become {target}")


def _missing(conn: Connection, campaign: store.Campaign) -> list[FieldProblem]:
    """Everything that keeps the campaign from starting."""
    problems: list[FieldProblem] = []
    sender = store.sender(conn, campaign.sender_id) if campaign.sender_id is not None else None
    if sender is None:
        problems.append(FieldProblem("/sender_id", "choose who sends: POST /v1/senders, then name it here"))
    elif not sender.postal_address:
        problems.append(FieldProblem("/sender_id", "the sender has no postal address, which every mail must carry"))
    if not campaign.brief.offering:
        problems.append(FieldProblem("/brief/offering", "say what is offered"))
    return problems
