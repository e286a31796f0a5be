"""One contact gets a plan and enters a campaign: what the plan function does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import Connection

from cadenza.campaigns import approval_store, intake_store, own_plan, store
from cadenza.contacts import store as contacts_store
from cadenza.contacts.deliverability import Mailboxes, why_undeliverable
from cadenza.core import jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Postponed
from cadenza.core.messages import PlanWanted
from cadenza.core.queues import Queue
from cadenza.core.states import CAMPAIGN_ENDED, Approval, CampaignKind, CampaignStatus, JobStatus
from cadenza.delivery.limits import MAILBOX_PROVIDERS
from cadenza.engine.apply import FollowUp, apply
from cadenza.engine.model import Enrol
from cadenza.engine.service import Engine
from cadenza.leads import store as leads_store
from cadenza.leads import turns
from cadenza.leads.domains import spoken
from cadenza.leads.report import SiteReport
from cadenza.planning.brief import PlanBrief
from cadenza.planning.model import content_hash, parse_plan
from cadenza.planning.planners import Planned, Planner

SWITCHED_OFF: Final = "automation is switched off"
LOOK_AGAIN_S: Final = 900.0
"""How often a plan that waits for the switch is looked at."""


class NotEnrolled(jobs.Skip):
    """There is a reason not to write to this contact; the ledger says which."""


@dataclass(frozen=True, slots=True)
class Enrolling:
    """Plans and enrols, once a contact and campaign, however often it is asked."""

    database: Database
    planner: Planner
    engine: Engine
    clock: Clock
    mailboxes: Mailboxes = field(default_factory=Mailboxes)
    creation_queue: Queue | None = None
    """Where the next ones of a company are asked for; without it, the sweep does so."""

    def handle(self, message: PlanWanted) -> None:
        """Do what one message of campaign-creation asks for.

        Raises:
            Retryable: It may work later; the job says why and when.
        """
        work = jobs.planning(message.workspace_id, message.campaign_id, message.contact_id)
        now = self.clock()
        try:
            with self.database.worker() as conn:
                begun = jobs.take(conn, work, now)
            with jobs.attempt(self.database, begun, self.clock):
                follow_up = self._plan_and_enrol(message, begun)
        except jobs.Settled:  # as the ledger says
            follow_up = FollowUp(campaigns=frozenset({message.campaign_id}))
        self.engine.finish(follow_up, message.correlation_id)
        if follow_up.campaigns and self.creation_queue is not None:
            # Whoever was not written to has cost no time: the next of their company may have their turn now.
            with self.database.worker() as conn:
                wanted = turns.begin_due(conn, self.clock(), message.campaign_id)
            self.creation_queue.send(wanted)

    def _plan_and_enrol(self, message: PlanWanted, begun: jobs.Begun) -> FollowUp:
        self.mailboxes.recheck(self.database, message.contact_id, self.clock())
        with self.database.worker() as conn:
            brief, fall_back = _brief(conn, message), store.offline_fallback(conn, message.workspace_id)
        planned = None if brief is None else self.planner.plan(brief, begun, fall_back=fall_back)
        now = self.clock()
        with self.database.worker() as conn:
            return _enrol(conn, message, begun, planned, now)


def _brief(conn: Connection, message: PlanWanted) -> PlanBrief | None:
    """Everything that the planner is told, or the reason why nothing is to be planned.

    None: the campaign has a plan of its own.
    """
    campaign = store.find(conn, message.campaign_id)
    if campaign is None:
        raise NotEnrolled("unknown campaign")
    if campaign.status in CAMPAIGN_ENDED:
        raise NotEnrolled(f"the campaign is {campaign.status}")
    contact = _may_be_written_to(contacts_store.find(conn, message.contact_id))
    if store.enrolled(conn, campaign.id, [contact.id]):
        raise NotEnrolled("enrolled already")
    if turns.answered(conn, campaign.id, contact.id):
        raise NotEnrolled(turns.REPLIED)
    if intake_store.is_held(conn, campaign.id):
        raise Postponed(SWITCHED_OFF, LOOK_AGAIN_S)
    if campaign.kind is not CampaignKind.AI:
        return None
    if not campaign.brief.offering:
        raise NotEnrolled("the campaign does not say what is offered")
    brief = brief_for(conn, campaign, contact)
    if brief is None:
        raise NotEnrolled("the campaign has no sender")
    return brief


def brief_for(conn: Connection, campaign: store.Campaign, contact: contacts_store.Contact) -> PlanBrief | None:
    """What is known of a contact and of what is offered to them; None where nobody is there to offer it, or nothing."""
    sender = store.sender(conn, campaign.sender_id) if campaign.sender_id is not None else None
    if sender is None or not campaign.brief.offering:
        return None
    report = leads_store.report(conn, contact.lead_id) if contact.lead_id is not None else None
    site = report or SiteReport(domain=contact.email.rpartition("@")[2])
    said = campaign.brief
    return PlanBrief(
        sender_name=sender.name,
        sender_company=sender.company,
        offering=said.offering,
        goal=said.goal,
        ask=said.ask,
        link=str(said.link or ""),
        tone=site.tone,
        language=contact.language or site.language or said.language,
        company_name=site.company_name or _called(contact),
        contact_name=contact.name,
        first_name=contact.first_name,
        contact_title=contact.title,
        claims=site.claims,
        cadence=said.cadence,
        time_zone=contact.time_zone or said.time_zone,
        quiet_hours=said.quiet_hours,
    )


def _called(contact: contacts_store.Contact) -> str:
    """What to call the company of somebody whose site has not told. Who writes from a mailbox provider has none."""
    domain = contact.email.rpartition("@")[2].lower()
    if domain in MAILBOX_PROVIDERS and contact.name:
        return contact.name
    return spoken(domain)


class Bar(StrEnum):
    """Why somebody may not be written to."""

    UNKNOWN = "unknown"
    SUPPRESSED = "suppressed"
    NO_ADDRESS = "no_address"
    UNDELIVERABLE = "undeliverable"
    REFUSED = "refused"


def bar_to(contact: contacts_store.Contact | None) -> tuple[Bar, str] | None:
    """What stands in the way of writing to the contact, also in words; None: nothing does."""
    if contact is None:
        return Bar.UNKNOWN, "unknown contact"
    if contact.suppressed:
        return Bar.SUPPRESSED, "the address is suppressed"
    if not contact.email:
        return Bar.NO_ADDRESS, "the contact has no address"
    if why := why_undeliverable(contact.address_check):
        return Bar.UNDELIVERABLE, why
    if contact.refused:
        country = contact.country or "people of no known country"
        return Bar.REFUSED, f"the policy for {country} asks for more consent"
    return None


def _may_be_written_to(contact: contacts_store.Contact | None) -> contacts_store.Contact:
    if (bar := bar_to(contact)) is not None or contact is None:
        raise NotEnrolled(bar[1] if bar else "")
    return contact


def _enrol(
    conn: Connection, message: PlanWanted, begun: jobs.Begun, planned: Planned | None, now: datetime
) -> FollowUp:
    # The lock holds off a completion or cancellation until the enrolment is there to be seen.
    campaign = own_plan.find_to_enrol(conn, message.campaign_id)
    if campaign is None or campaign.status in CAMPAIGN_ENDED:
        raise NotEnrolled("the campaign has ended")
    # Minutes may lie between brief and plan. Whoever erases this person waits for us, or we find nobody to write to.
    _may_be_written_to(contacts_store.find(conn, message.contact_id, lock=True))
    if turns.answered(conn, campaign.id, message.contact_id):
        raise NotEnrolled(turns.REPLIED)
    approval = Approval.NOT_NEEDED  # people wrote it
    if planned is None:
        plan_id, source = own_plan.plan_for_new(conn, campaign, now), str(campaign.kind)
    else:
        plan_hash, source = content_hash(parse_plan(planned.plan)), planned.source
        plan_id = store.save_plan(
            conn, campaign.workspace_id, planned.plan, plan_hash=plan_hash, source=source, now=now
        )
        if not approval_store.progress(conn, campaign.id).is_enough:
            approval = Approval.WANTED
    added = store.add_enrolments(conn, campaign, [message.contact_id], plan_id, approval, now)
    if not added:
        raise NotEnrolled("enrolled already")
    enrolment_id = added[message.contact_id]
    result: dict[str, object] = {
        "enrolment_id": str(enrolment_id),
        "plan_id": str(plan_id),
        "source": source,
        "approval": approval,
    }
    if not jobs.finish(conn, begun.work, jobs.Ending(JobStatus.COMPLETED, result=result), now, begun):
        raise jobs.Settled("the job is somebody else's by now")
    if campaign.status in (CampaignStatus.RUNNING, CampaignStatus.PAUSED):
        return apply(conn, [(enrolment_id, Enrol())], now)  # nothing, if it waits for approval
    return FollowUp()  # a draft campaign's enrolments wait for its start
