"""Contacts are put into a campaign by hand, beside its leads: with a plan of the operator's own, or one on order.

The same keys guard both ways: one planning job, and one enrolment, a contact and campaign.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection

from cadenza.campaigns import own_plan, store
from cadenza.campaigns.consent import complete
from cadenza.campaigns.enrolment import Bar, bar_to
from cadenza.campaigns.mail_plans import accept
from cadenza.contacts import store as contacts_store
from cadenza.core import jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, NotFound
from cadenza.core.ids import CampaignId, ContactId, EnrolmentId, WorkspaceId
from cadenza.core.messages import PlanWanted
from cadenza.core.queues import Queue, hint
from cadenza.core.states import CAMPAIGN_ENDED, Approval, CampaignKind, CampaignStatus, JobKind
from cadenza.engine.apply import FollowUp, apply
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.model import Enrol
from cadenza.leads import store as leads_store
from cadenza.leads.ordering import staggered
from cadenza.planning.model import parse_plan


class Placed(StrEnum):
    """What became of a contact that was to be enrolled."""

    ENROLLED = "enrolled"
    QUEUED = "queued"
    """A plan is on order; the job ledger tells what becomes of it."""
    ALREADY_ENROLLED = "already_enrolled"
    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    NO_ADDRESS = "no_address"
    UNDELIVERABLE = "undeliverable"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Placement:
    """One contact's outcome, and in words why. ``enrolment_id`` is there once they are enrolled."""

    contact_id: ContactId
    outcome: Placed
    detail: str = ""
    enrolment_id: EnrolmentId | None = None


@dataclass(frozen=True, slots=True)
class ByHand:
    """Puts contacts into the campaigns of one workspace. ``key_id`` is the API key in whose name it is done."""

    database: Database
    dispatcher: Dispatcher
    creation_queue: Queue
    workspace_id: WorkspaceId
    key_id: UUID
    clock: Clock

    def enrol(
        self,
        campaign_id: CampaignId,
        contact_ids: Sequence[ContactId],
        plan: dict[str, JsonValue] | None,
        correlation_id: str = "",
    ) -> tuple[Placement, ...]:
        """Enrol contacts with ``plan`` at once, or (None) order a plan for each. Safe to repeat.

        A template or workflow campaign has a plan of its own: without another one they are enrolled in it at once.
        Who gives a plan has approved it. A plan that was on order and failed or was skipped is ordered again.

        Raises:
            NotFound: No such campaign.
            Conflict: The campaign has ended, or takes nobody in any more.
            InvalidInput: The plan has errors; one `FieldProblem` each.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            # The lock holds off a completion or cancellation until what is added is there to be seen.
            campaign = own_plan.find_to_enrol(conn, campaign_id)
            if campaign is None:
                raise NotFound("campaign", campaign_id)
            if not campaign.takes_in:
                standing = campaign.status if campaign.status in CAMPAIGN_ENDED else "closed"
                raise Conflict(f"the campaign is {standing}: it takes nobody in any more")
            wanted = list(dict.fromkeys(contact_ids))
            contacts = contacts_store.find_all(conn, wanted)
            barred = {one: bar for one in wanted if (bar := bar_to(contacts.get(one))) is not None}
            known = store.enrolled(conn, campaign.id, wanted)
            free = [contacts[one] for one in wanted if one not in barred and one not in known]
            if plan is None and campaign.kind is CampaignKind.AI:
                placed, orders = self._order(conn, campaign, free, now)
                follow_up = FollowUp()
            else:
                placed, follow_up = self._enrol(conn, campaign, free, plan, now)
                orders = []
            stagger_s = leads_store.stagger_s(conn, self.workspace_id)
        hint(self.creation_queue, staggered(orders, stagger_s, correlation_id))
        self.dispatcher.dispatch(follow_up, now, correlation_id)
        complete(self.database, self.workspace_id, follow_up, now)
        told = {one: Placement(one, _OUTCOMES[bar], words) for one, (bar, words) in barred.items()}
        enrolled = Placed.ALREADY_ENROLLED
        told |= {one: Placement(one, enrolled, "they are in this campaign already") for one in known}
        told |= {placement.contact_id: placement for placement in placed}
        return tuple(told[one] for one in wanted)

    def _order(
        self, conn: Connection, campaign: store.Campaign, contacts: Sequence[contacts_store.Contact], now: datetime
    ) -> tuple[list[Placement], list[PlanWanted]]:
        """Put a planning job in the ledger for each."""
        works = self._works(campaign, contacts)
        new = set(jobs.enqueue(conn, list(works.values()), now))
        again = jobs.requeue(conn, [work for work in works.values() if work.key not in new], now)
        placed = [
            Placement(one, Placed.QUEUED, "" if work.key in new | again else "a plan for them is on order already")
            for one, work in works.items()
        ]
        orders = [
            PlanWanted(workspace_id=self.workspace_id, campaign_id=campaign.id, contact_id=one)
            for one, work in works.items()
            if work.key in new | again
        ]
        return placed, orders

    def _enrol(
        self,
        conn: Connection,
        campaign: store.Campaign,
        contacts: Sequence[contacts_store.Contact],
        plan: dict[str, JsonValue] | None,
        now: datetime,
    ) -> tuple[list[Placement], FollowUp]:
        """Enrol all of them in the plan, or (None) in the campaign's own. Who plans for one finds them enrolled."""
        compiled = None if plan is None else accept(plan)
        if not contacts:
            return [], FollowUp()
        if plan is None or compiled is None:
            plan_id, source = own_plan.plan_for_new(conn, campaign, now), str(campaign.kind)
        else:
            written, source = parse_plan(plan).to_json(), store.OPERATOR
            plan_id = store.save_plan(conn, self.workspace_id, written, plan_hash=compiled.hash, source=source, now=now)
        ids = [contact.id for contact in contacts]
        added = store.add_enrolments(conn, campaign, ids, plan_id, Approval.NOT_NEEDED, now)
        works = self._works(campaign, [contact for contact in contacts if contact.id in added])
        jobs.enqueue(conn, list(works.values()), now)
        jobs.requeue(conn, list(works.values()), now)
        known: dict[str, object] = {"plan_id": str(plan_id), "source": source, "by": str(self.key_id)}
        results = {work.key: {"enrolment_id": str(added[one]), **known} for one, work in works.items()}
        jobs.complete(conn, results, JobKind.PLANNING, now)
        placed = [
            Placement(one, Placed.ENROLLED, enrolment_id=added[one])
            if one in added
            else Placement(one, Placed.ALREADY_ENROLLED, "somebody was faster")
            for one in ids
        ]
        if campaign.status in (CampaignStatus.RUNNING, CampaignStatus.PAUSED):
            return placed, apply(conn, [(enrolment_id, Enrol()) for enrolment_id in added.values()], now)
        return placed, FollowUp()  # they begin with their campaign

    def _works(
        self, campaign: store.Campaign, contacts: Sequence[contacts_store.Contact]
    ) -> dict[ContactId, jobs.Work]:
        return {
            contact.id: jobs.planning(self.workspace_id, campaign.id, contact.id, contact.lead_id)
            for contact in contacts
        }


_OUTCOMES = {
    Bar.UNKNOWN: Placed.UNKNOWN,
    Bar.SUPPRESSED: Placed.SUPPRESSED,
    Bar.NO_ADDRESS: Placed.NO_ADDRESS,
    Bar.UNDELIVERABLE: Placed.UNDELIVERABLE,
    Bar.REFUSED: Placed.REFUSED,
}
