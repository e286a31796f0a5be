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
from cadenza.core import ai_usage, jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import CadenzaError, Retryable
from cadenza.core.ids import SYSTEM_WORKSPACE, CampaignId
from cadenza.core.messages import (
    AnalysisWanted,
    BatchTaken,
    CrawlReported,
    CrawlStatus,
    CrawlWanted,
    LeadMessage,
    PlanWanted,
    Sweep,
)
from cadenza.core.queues import MAX_DELAY_S, Outgoing, Queue
from cadenza.core.states import JobKind, JobStatus, LeadStatus
from cadenza.leads import handout, store
from cadenza.leads.model import Page
from cadenza.leads.ordering import order
from cadenza.leads.report import Analysis


class GivenUp(jobs.Settled):
    """The lead has ended as failed, with its reason in the ledger: the message is done."""


class CrawlFailed(CadenzaError):  # noqa: N818 - reads as what happened
    """The site cannot be crawled, now or later; the text says why."""


class Crawling(Protocol):
    """Who crawls. Both may raise `Retryable`, or `CrawlFailed` for good."""

    def start(self, lead: store.Lead) -> str | Sequence[Page]:
        """Start a crawl and return its id, or crawl at once and return the pages."""
        ...

    def pages(self, crawl_id: str) -> Sequence[Page]:
        """The pages of a crawl that has ended."""
        ...


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

    def handle(self, message: LeadMessage) -> None:
        """Do what one message of lead-analysis asks for.

        Raises:
            Retryable: It may work later; the job says why and when.
        """
        with suppress(jobs.Settled):
            match message:
                case CrawlWanted():
                    self._crawl(message)
                case CrawlReported():
                    self._take_report(message)
                case AnalysisWanted():
                    self._analyse(message)
                case BatchTaken():
                    self._hand_out(message)
                case Sweep():
                    self._sweep()
                case _:
                    assert_never(message)

    # --- crawl ---------------------------------------------------------------------------------------------------

    def _crawl(self, message: CrawlWanted) -> None:
        work = jobs.crawl(message.workspace_id, message.lead_id)
        now = self.clock()
        with self.database.worker() as conn:
            # A crawl that a provider works on stays ACTIVE for minutes: Busy is no trouble here.
            if not isinstance(jobs.begin(conn, work, now), jobs.Begun):
                return
            lead = store.find(conn, message.lead_id)
            if lead is None:
                jobs.finish(conn, work, jobs.Ending(JobStatus.SKIPPED, "unknown lead"), now)
                return
            store.move(conn, lead.id, LeadStatus.CRAWLING, now)
        with self._attempt(work, lead):
            # A crawl id says that a crawl was begun and never reported: ask for its pages before paying for another.
            started = self.crawling.pages(lead.crawl_id) if lead.crawl_id else self.crawling.start(lead)
        if isinstance(started, str):
            with self.database.worker() as conn:
                store.note_crawl(conn, lead.id, started, self.clock())
        else:
            self._store_pages(lead, started, message.correlation_id)

    def _take_report(self, message: CrawlReported) -> None:
        work = jobs.crawl(message.workspace_id, message.lead_id)
        now = self.clock()
        with self.database.worker() as conn:
            lead = store.find(conn, message.lead_id)
            if lead is None:
                _skip_unknown_lead(conn, message, now)
                return
            if lead.status is not LeadStatus.CRAWLING:
                return  # reported before, or the lead has been given up
        with self._attempt(work, lead):
            if message.status is CrawlStatus.FAILED:
                raise CrawlFailed(f"crawl failed: {message.error or 'no reason given'}")
            pages = self.crawling.pages(message.crawl_id)
        self._store_pages(lead, pages, message.correlation_id)

    def _store_pages(self, lead: store.Lead, pages: Sequence[Page], correlation_id: str) -> None:
        crawl, analysis = jobs.crawl(lead.workspace_id, lead.id), jobs.analysis(lead.workspace_id, lead.id)
        now = self.clock()
        given_up = Leftover()
        with self.database.worker() as conn:
            if not pages:
                given_up = _fail_lead(conn, lead, crawl, "no page of the site could be read", now)
            elif not store.move(conn, lead.id, LeadStatus.CRAWLED, now):
                return  # another delivery was faster
            else:
                store.save_pages(conn, lead, pages, now)
                jobs.finish(conn, crawl, jobs.Ending(JobStatus.COMPLETED, result={"pages": len(pages)}), now)
                jobs.enqueue(conn, [analysis], now)
        if not pages:
            self._pass_on(given_up)
            return
        self.lead_queue.send(
            [AnalysisWanted(workspace_id=lead.workspace_id, lead_id=lead.id, correlation_id=correlation_id)]
        )

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
            result: dict[str, object] = {
                "contacts_found": len(analysis.contacts),
                "contacts_created": created,
                "site_analysis_success": bool(analysis.report.claims),
                "contact_extraction_success": bool(analysis.contacts),
            }
            ending = jobs.Ending(JobStatus.COMPLETED, result=result)
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
        given_up = Leftover()

        def give_up(conn: Connection, reason: str) -> None:
            nonlocal given_up
            given_up = _fail_lead(conn, lead, work, reason, self.clock())

        try:
            with jobs.attempt(self.database, work, self.clock, give_up):
                try:
                    yield
                except CrawlFailed as error:
                    with self.database.worker() as conn:
                        give_up(conn, str(error))
                    raise GivenUp from error
        finally:
            self._pass_on(given_up)

    def _pass_on(self, given_up: Leftover) -> None:
        """Plan for those of a lead that was given up whom an operator has named; tell the campaigns that wait."""
        self.settled(given_up.waiting)
        self.creation_queue.send(given_up.plans)

    # --- imports -------------------------------------------------------------------------------------------------

    def _hand_out(self, message: BatchTaken) -> None:
        with self.database.worker() as conn:
            step = handout.step(conn, message, self.clock())
        # Who comes back is sent first: should SQS fail in between, the sweep finds the jobs, and the import goes on.
        if step.goes_on:
            self.lead_queue.send([Outgoing(message, handout.STEP_S)])
        self.lead_queue.send(step.crawls)
        self.creation_queue.send(step.plans)

    # --- the sweep -----------------------------------------------------------------------------------------------

    def _sweep(self) -> None:
        """Ask again for jobs whose hint was lost, or whose worker died, and for imports that nobody hands out."""
        with self.database.worker() as conn:
            stale = jobs.stale(conn, tuple(JobKind), self.clock())
            imports = handout.stalled(conn, self.clock())
        self.lead_queue.send(imports)
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


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a lead leaves that was given up: plans for people whom an operator has named, or campaigns that wait."""

    waiting: list[CampaignId] = field(default_factory=list[CampaignId])
    plans: list[Outgoing] = field(default_factory=list[Outgoing])


def _fail_lead(conn: Connection, lead: store.Lead, work: jobs.Work, reason: str, now: datetime) -> Leftover:
    """Give the lead up."""
    store.move(conn, lead.id, LeadStatus.FAILED, now, reason=reason)
    jobs.finish(conn, work, jobs.Ending(JobStatus.FAILED, reason), now)
    wanted = order_plans(conn, lead, now, unread=True)
    if wanted:
        return Leftover(plans=staggered(wanted, store.stagger_s(conn, lead.workspace_id)))
    return Leftover(waiting=store.taking_campaigns(conn, lead.id))


def _skip_unknown_lead(conn: Connection, message: CrawlReported, now: datetime) -> None:
    """A signed report about a lead that does not exist: said in the ledger, never retried."""
    known = store.workspace_exists(conn, message.workspace_id)
    work = jobs.crawl(message.workspace_id if known else SYSTEM_WORKSPACE, message.lead_id)
    jobs.record(conn, [work], JobStatus.SKIPPED, "unknown lead", now)


def order_plans(conn: Connection, lead: store.Lead, now: datetime, *, unread: bool = False) -> list[PlanWanted]:
    """Put a planning job in the ledger for each contact of the lead in each campaign that takes it; the new ones.

    ``unread``: the site could not be read. Whom an operator has given by hand is planned for nevertheless.
    """
    takers = {lead.id: store.taking_campaigns(conn, lead.id)}
    return order(conn, lead.workspace_id, takers, now, unread=frozenset(takers) if unread else frozenset())


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
