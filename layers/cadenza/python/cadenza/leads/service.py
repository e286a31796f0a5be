"""From a wanted crawl to contacts with a plan on order: what the analyze function does."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, assert_never

from sqlalchemy import Connection

from cadenza.contacts import store as contacts_store
from cadenza.contacts.deliverability import Mailboxes
from cadenza.core import ai_usage, jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Retryable
from cadenza.core.ids import CampaignId
from cadenza.core.messages import (
    AnalysisWanted,
    CrawlCheck,
    CrawlPageSeen,
    CrawlReported,
    CrawlWanted,
    LeadMessage,
    PlanWanted,
    Sweep,
)
from cadenza.core.queues import MAX_DELAY_S, Outgoing, Queue
from cadenza.core.states import JobKind, JobStatus, LeadStatus
from cadenza.leads import store
from cadenza.leads.crawls import Crawling, Crawls, fail_lead
from cadenza.leads.model import Page
from cadenza.leads.report import Analysis, AnalysisFigures


class Analyst(Protocol):
    """Who reads sites."""

    def analyse(self, lead: store.Lead, pages: Sequence[Page]) -> Analysis:
        """The report and the contacts; may raise `Retryable`."""
        ...


@dataclass(frozen=True, slots=True)
class LeadPipeline:
    """Crawl → pages → analysis → contacts → plans on order. Each step is safe to repeat.

    ``settled`` is told, after a commit, which campaigns may be complete now; ``clock`` is read once a step.
    """

    database: Database
    lead_queue: Queue
    creation_queue: Queue
    crawling: Crawling
    analyst: Analyst
    settled: Callable[[Sequence[CampaignId]], None]
    clock: Clock
    mailboxes: Mailboxes = field(default_factory=Mailboxes)

    def handle(self, message: LeadMessage) -> None:
        """Do what one message of lead-analysis asks for.

        Raises:
            Retryable: It may work later; the job says why and when.
        """
        with suppress(jobs.Settled):
            match message:
                case CrawlWanted():
                    self._crawls.begin(message)
                case CrawlReported():
                    self._crawls.take_report(message)
                case CrawlPageSeen():
                    self._crawls.see_page(message)
                case CrawlCheck():
                    self._crawls.check(message)
                case AnalysisWanted():
                    self._analyse(message)
                case Sweep():
                    self._sweep()
                case _:
                    assert_never(message)

    @property
    def _crawls(self) -> Crawls:
        return Crawls(self.database, self.lead_queue, self.crawling, self.settled, self.clock)

    # --- analysis ------------------------------------------------------------------------------------------------

    def _analyse(self, message: AnalysisWanted) -> None:
        work = jobs.analysis(message.workspace_id, message.lead_id)
        now = self.clock()
        with self.database.worker() as conn:
            match jobs.begin(conn, work, now):
                case jobs.Busy():
                    raise Retryable("this lead is being analysed")
                case jobs.Over():
                    return
                case jobs.Begun():
                    pass
            lead = store.find(conn, message.lead_id)
            if lead is None:
                jobs.finish(conn, work, jobs.Ending(JobStatus.SKIPPED, "unknown lead"), now)
                return
            store.move(conn, lead.id, LeadStatus.ANALYZING, now)
            pages = store.pages(conn, lead.id)
        with self._attempt(work, lead):
            analysis = self.analyst.analyse(lead, pages)
            analysis = analysis.model_copy(update={"contacts": self.mailboxes.checked(analysis.contacts)})
        self._store_analysis(lead, pages, analysis, message.correlation_id)

    def _store_analysis(self, lead: store.Lead, pages: Sequence[Page], analysis: Analysis, correlation_id: str) -> None:
        now = self.clock()
        with self.database.worker() as conn:
            if not store.move(conn, lead.id, LeadStatus.ANALYZED, now):
                return
            store.save_analysis(conn, lead, analysis, _input_hash(pages, analysis), now)
            work = jobs.analysis(lead.workspace_id, lead.id)
            if analysis.usage is not None:
                ai_usage.record(conn, analysis.usage, ai_usage.Purpose.ANALYSIS, work, now)
            created = contacts_store.upsert(conn, lead.workspace_id, lead.id, analysis.contacts, now)
            figures = AnalysisFigures(
                contacts_found=len(analysis.contacts),
                contacts_created=created,
                site_analysis_success=bool(analysis.report.claims),
                contact_extraction_success=bool(analysis.contacts),
            )
            ending = jobs.Ending(JobStatus.COMPLETED, result=figures.model_dump())
            jobs.finish(conn, work, ending, now)
            wanted = order_plans(conn, lead, now)
            stagger_s = store.stagger_s(conn, lead.workspace_id)
            waiting = [] if wanted else store.taking_campaigns(conn, lead.id)
        self.creation_queue.send(staggered(wanted, stagger_s, correlation_id))
        self.settled(waiting)

    # --- trouble -------------------------------------------------------------------------------------------------

    @contextmanager
    def _attempt(self, work: jobs.Work, lead: store.Lead) -> Generator[None]:
        """Count what fails inside: another attempt later, or the end of the lead."""
        waiting: list[CampaignId] = []

        def give_up(conn: Connection, reason: str) -> None:
            waiting.extend(fail_lead(conn, lead, work, reason, self.clock()))

        try:
            with jobs.attempt(self.database, work, self.clock, give_up):
                yield
        finally:
            self.settled(waiting)

    def _sweep(self) -> None:
        """Ask again for jobs whose hint was lost, or whose worker died."""
        with self.database.worker() as conn:
            stale = jobs.stale(conn, tuple(JobKind), self.clock())
        for work in stale:
            match work.kind:
                case JobKind.CRAWL if work.lead_id is not None:
                    self.lead_queue.send([CrawlWanted(workspace_id=work.workspace_id, lead_id=work.lead_id)])
                case JobKind.ANALYSIS if work.lead_id is not None:
                    self.lead_queue.send([AnalysisWanted(workspace_id=work.workspace_id, lead_id=work.lead_id)])
                case JobKind.PLANNING if work.contact_id is not None and work.campaign_id is not None:
                    self.creation_queue.send(
                        [
                            PlanWanted(
                                workspace_id=work.workspace_id,
                                campaign_id=work.campaign_id,
                                contact_id=work.contact_id,
                            )
                        ]
                    )
                case _:
                    pass


def order_plans(conn: Connection, lead: store.Lead, now: datetime) -> list[PlanWanted]:
    """Put a planning job in the ledger for each contact of the lead in each campaign that takes it; the new ones."""
    campaigns = store.taking_campaigns(conn, lead.id)
    chosen, passed_over = contacts_store.to_enrol(contacts_store.of_lead(conn, lead.id))
    wanted = [jobs.planning(lead.workspace_id, c, contact.id, lead.id) for c in campaigns for contact in chosen]
    skipped = [jobs.planning(lead.workspace_id, c, contact.id, lead.id) for c in campaigns for contact in passed_over]
    jobs.record(conn, skipped, JobStatus.SKIPPED, "shared mailbox, and the site names people", now)
    if not chosen:
        empty = [jobs.no_contacts(lead.workspace_id, campaign, lead.id) for campaign in campaigns]
        jobs.record(conn, empty, JobStatus.SKIPPED, "no contacts found", now)
    new = jobs.enqueue(conn, wanted, now)
    return [
        PlanWanted(workspace_id=work.workspace_id, campaign_id=work.campaign_id, contact_id=work.contact_id)
        for work in wanted
        if work.key in new and work.campaign_id is not None and work.contact_id is not None
    ]


def staggered(wanted: Sequence[PlanWanted], stagger_s: int, correlation_id: str = "") -> list[Outgoing]:
    """One message a contact, ``stagger_s`` apart, so that the AI is not flooded."""
    return [
        Outgoing(message.model_copy(update={"correlation_id": correlation_id}), min(MAX_DELAY_S, index * stagger_s))
        for index, message in enumerate(wanted)
    ]


def _input_hash(pages: Sequence[Page], analysis: Analysis) -> str:
    """What was analysed and by what: the same input is analysed once."""
    digest = hashlib.sha256(f"{analysis.analyst}\n{analysis.version}\n".encode())
    for page in pages:
        digest.update(page.model_dump_json().encode())
    return digest.hexdigest()
