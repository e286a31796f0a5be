"""A lead comes in: a URL becomes a site that is crawled once, whoever sends it in and however often."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from cadenza.core import jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, NotFound, Retryable
from cadenza.core.ids import CampaignId, LeadId, WorkspaceId
from cadenza.core.log import get_logger
from cadenza.core.messages import CrawlWanted, Message
from cadenza.core.queues import Outgoing, Queue, delay_until
from cadenza.core.states import CAMPAIGN_MOVES, CampaignStatus, LeadStatus
from cadenza.leads import store
from cadenza.leads.domains import normalise
from cadenza.leads.service import order_plans, staggered


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
        its analysis ends. The answer holds once the database has it: hints that SQS does not take are left to the
        safety sweep.

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
            crawls = self._order_crawls(conn, [lead], now, correlation_id)
            plans: list[Outgoing] = []
            if campaign_id is not None:
                _lock_campaign(conn, campaign_id)
                store.assign(conn, campaign_id, lead, now)
                if lead.status is LeadStatus.ANALYZED:
                    stagger_s = store.stagger_s(conn, self.workspace_id)
                    plans = staggered(order_plans(conn, lead, now), stagger_s, correlation_id)
        _hint(self.lead_queue, crawls)
        _hint(self.creation_queue, plans)
        if campaign_id is not None and not plans and lead.status in (LeadStatus.ANALYZED, LeadStatus.FAILED):
            self.settled([campaign_id])
        return lead.id

    def _order_crawls(
        self, conn: Connection, leads: Sequence[store.Lead], now: datetime, correlation_id: str
    ) -> list[Outgoing]:
        """Put a crawl job in the ledger for each new site, one behind the other; their hints."""
        works = {jobs.crawl(lead.workspace_id, lead.id): lead for lead in leads if lead.status is LeadStatus.NEW}
        every_s = store.lead_stagger_s(conn, self.workspace_id) if works else 0
        begin_at = jobs.enqueue(conn, list(works), now, every_s=every_s)
        return [
            Outgoing(
                CrawlWanted(workspace_id=lead.workspace_id, lead_id=lead.id, correlation_id=correlation_id),
                delay_until(begin_at[work.key], now),
            )
            for work, lead in works.items()
            if work.key in begin_at
        ]


def _lock_campaign(conn: Connection, campaign_id: CampaignId) -> None:
    """Hold off the end of a campaign until its new lead is there to be seen; refuse one that has ended."""
    found = conn.execute(text("SELECT status FROM campaigns WHERE id = :id FOR SHARE"), {"id": campaign_id}).scalar()
    if found is None:
        raise NotFound("campaign", campaign_id)
    status = CampaignStatus(found)
    if not CAMPAIGN_MOVES[status]:
        raise Conflict(f"the campaign is {status}: it takes no more leads")


def _hint(queue: Queue, outgoing: Sequence[Outgoing | Message]) -> None:
    try:
        queue.send(outgoing)
    except Retryable as error:
        get_logger().error("hints.left_to_sweep", reason=error.detail, count=len(outgoing))
