"""One contact gets a plan and enters a campaign: what the plan function does."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Connection

from cadenza.campaigns import store
from cadenza.contacts import store as contacts_store
from cadenza.contacts.deliverability import Mailboxes, why_undeliverable
from cadenza.core import ai_usage, jobs
from cadenza.core.ai import AiBusy
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Retryable
from cadenza.core.messages import PlanWanted
from cadenza.core.states import CampaignStatus, JobStatus
from cadenza.delivery.variables import VARIABLES
from cadenza.engine.apply import FollowUp, apply
from cadenza.engine.model import Enrol
from cadenza.engine.service import ENDED, Engine
from cadenza.leads import store as leads_store
from cadenza.leads.report import SiteReport
from cadenza.planning.brief import PlanBrief
from cadenza.planning.compiler import compile_plan
from cadenza.planning.findings import Compiled
from cadenza.planning.model import content_hash, parse_plan
from cadenza.planning.planners import NoPlan, Planned, Planner


def compile_for_mail(source: object) -> Compiled:
    """Compile a plan whose mails may use the renderer's variables and no others."""
    return compile_plan(source, variables=VARIABLES)


class NotEnrolled(jobs.Settled):
    """There is a reason not to write to this contact; the ledger says which."""


@dataclass(frozen=True, slots=True)
class Enrolling:
    """Plans and enrols, once a contact and campaign, however often it is asked."""

    database: Database
    planner: Planner
    engine: Engine
    clock: Clock
    mailboxes: Mailboxes = field(default_factory=Mailboxes)

    def handle(self, message: PlanWanted) -> None:
        """Do what one message of campaign-creation asks for.

        Raises:
            Retryable: It may work later; the job says why and when.
        """
        work = jobs.planning(message.workspace_id, message.campaign_id, message.contact_id)
        now = self.clock()
        with self.database.worker() as conn:
            match jobs.begin(conn, work, now):
                case jobs.Busy():
                    raise Retryable("this contact is being planned for")
                case jobs.Over():
                    return
                case jobs.Begun():
                    pass
        try:
            with jobs.attempt(self.database, work, self.clock):
                follow_up = self._plan_and_enrol(message, work)
        except NotEnrolled as reason:
            with self.database.worker() as conn:
                jobs.finish(conn, work, jobs.Ending(JobStatus.SKIPPED, str(reason)), self.clock())
            follow_up = FollowUp(campaigns=frozenset({message.campaign_id}))
        except jobs.Settled:  # failed for the last time, as the ledger says
            follow_up = FollowUp(campaigns=frozenset({message.campaign_id}))
        self.engine.finish(follow_up, message.correlation_id)

    def _plan_and_enrol(self, message: PlanWanted, work: jobs.Work) -> FollowUp:
        self.mailboxes.recheck(self.database, message.contact_id, self.clock())
        with self.database.worker() as conn:
            brief, fall_back = _brief(conn, message), store.offline_fallback(conn, message.workspace_id)
        try:
            planned = self.planner.plan(brief, fall_back=fall_back)
        except (NoPlan, AiBusy) as trouble:
            if trouble.usage is not None:  # what was spent is spent, with or without a plan
                with self.database.worker() as conn:
                    ai_usage.record(conn, trouble.usage, ai_usage.Purpose.PLANNING, work, self.clock())
            if isinstance(trouble, AiBusy):
                raise
            raise NotEnrolled(str(trouble)) from trouble
        now = self.clock()
        with self.database.worker() as conn:
            return _enrol(conn, message, work, planned, now)


def _brief(conn: Connection, message: PlanWanted) -> PlanBrief:
    """Everything that the planner is told, or the reason why nothing is to be planned."""
    campaign = store.find(conn, message.campaign_id)
    contact = contacts_store.find(conn, message.contact_id)
    if campaign is None:
        raise NotEnrolled("unknown campaign")
    if campaign.status in ENDED:
        raise NotEnrolled(f"the campaign is {campaign.status}")
    contact = _may_be_written_to(contact)
    if store.is_enrolled(conn, campaign.id, contact.id):
        raise NotEnrolled("enrolled already")
    sender = store.sender(conn, campaign.sender_id) if campaign.sender_id is not None else None
    if sender is None:
        raise NotEnrolled("the campaign has no sender")
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
        company_name=site.company_name or site.domain,
        contact_name=contact.name,
        first_name=contact.first_name,
        contact_title=contact.title,
        claims=site.claims,
        cadence=said.cadence,
        time_zone=contact.time_zone or said.time_zone,
        quiet_hours=said.quiet_hours,
    )


def _may_be_written_to(contact: contacts_store.Contact | None) -> contacts_store.Contact:
    if contact is None:
        raise NotEnrolled("unknown contact")
    if contact.suppressed:
        raise NotEnrolled("the address is suppressed")
    if not contact.email:
        raise NotEnrolled("the contact has no address")
    if why := why_undeliverable(contact.address_check):
        raise NotEnrolled(why)
    if contact.refused:
        raise NotEnrolled(f"the policy for {contact.country or 'people of no known country'} asks for more consent")
    return contact


def _enrol(conn: Connection, message: PlanWanted, work: jobs.Work, planned: Planned, now: datetime) -> FollowUp:
    # The lock holds off a completion or cancellation until the enrolment is there to be seen.
    campaign = store.find(conn, message.campaign_id, lock=True)
    if campaign is None or campaign.status in ENDED:
        raise NotEnrolled("the campaign has ended")
    # Minutes may lie between brief and plan. Whoever erases this person waits for us, or we find nobody to write to.
    _may_be_written_to(contacts_store.find(conn, message.contact_id, lock=True))
    plan_id = store.save_plan(
        conn,
        campaign.workspace_id,
        planned.plan,
        plan_hash=content_hash(parse_plan(planned.plan)),
        source=planned.source,
        now=now,
    )
    enrolment_id = store.add_enrolment(conn, campaign, message.contact_id, plan_id, now)
    if enrolment_id is None:
        raise NotEnrolled("enrolled already")
    if planned.usage is not None:
        ai_usage.record(conn, planned.usage, ai_usage.Purpose.PLANNING, work, now)
    result: dict[str, object] = {
        "enrolment_id": str(enrolment_id),
        "plan_id": str(plan_id),
        "source": planned.source,
    }
    jobs.finish(conn, work, jobs.Ending(JobStatus.COMPLETED, result=result), now)
    if campaign.status in (CampaignStatus.RUNNING, CampaignStatus.PAUSED):
        return apply(conn, [(enrolment_id, Enrol())], now)
    return FollowUp()  # a draft campaign's enrolments wait for its start
