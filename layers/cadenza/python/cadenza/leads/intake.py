"""A lead comes in: a URL becomes a site that is crawled once, whoever sends it in and however often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, text

from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, NotFound
from cadenza.core.ids import CampaignId, LeadId, WorkspaceId
from cadenza.core.queues import Outgoing, Queue, hint
from cadenza.core.states import CAMPAIGN_MOVES, CampaignStatus, LeadStatus
from cadenza.leads import store
from cadenza.leads.domains import normalise
from cadenza.leads.ordering import order_crawls, order_plans, staggered


@dataclass(frozen=True, slots=True)
class LeadIntake:
    """Takes the leads of one workspace.

    ``settled`` is told, after a commit, which campaign may be complete now: one that was given a lead from which
    nothing will come.
    """

    database: Database
    workspace_id: WorkspaceId
    lead_queue: Queue
    creation_queue: Queue
    settled: Callable[[Sequence[CampaignId]], None]
    clock: Clock

    def take(self, url: str, campaign_id: CampaignId | None = None, correlation_id: str = "") -> LeadId:
        """Add the site of ``url``, or find it; assign it to the campaign; order what is still to be done.

        A new site is crawled. One that has been analysed goes into the campaign at once, one that is under way when
        its analysis ends; of one that could not be read, the people who are known nevertheless do. The answer holds
        once the database has it: hints that SQS does not take are left to the safety sweep.

        Raises:
            InvalidInput: ``url`` names no public company site.
            NotFound: No such campaign.
            Conflict: The campaign has ended.
        """
        domain, start_url = normalise(url)
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            known, _ = store.add(conn, self.workspace_id, domain, start_url, now)
            # The lock orders us and an analysis that ends just now: it sees the assignment, or we see its contacts.
            lead = store.find(conn, known.id, lock=True) or known
            crawls = (
                order_crawls(conn, self.workspace_id, [lead.id], now, correlation_id)
                if lead.status is LeadStatus.NEW
                else []
            )
            plans: list[Outgoing] = []
            if campaign_id is not None:
                lock_campaign(conn, campaign_id)
                store.assign(conn, campaign_id, lead, now)
                if lead.status in (LeadStatus.ANALYZED, LeadStatus.FAILED):
                    stagger_s = store.stagger_s(conn, self.workspace_id)
                    unread = lead.status is LeadStatus.FAILED
                    plans = staggered(order_plans(conn, lead, now, unread=unread), stagger_s, correlation_id)
        hint(self.lead_queue, crawls)
        hint(self.creation_queue, plans)
        if campaign_id is not None and not plans and lead.status in (LeadStatus.ANALYZED, LeadStatus.FAILED):
            self.settled([campaign_id])
        return lead.id


def lock_campaign(conn: Connection, campaign_id: CampaignId) -> None:
    """Hold off the end of a campaign until its new lead is there to be seen; refuse one that takes in nobody."""
    query = text("SELECT status, intake_closed_at FROM campaigns WHERE id = :id FOR SHARE")
    found = conn.execute(query, {"id": campaign_id}).first()
    if found is None:
        raise NotFound("campaign", campaign_id)
    ended = not CAMPAIGN_MOVES[CampaignStatus(found.status)]
    if ended or found.intake_closed_at is not None:
        raise Conflict(f"the campaign is {found.status if ended else 'closed'}: it takes no more leads")
