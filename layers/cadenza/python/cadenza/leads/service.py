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
from cadenza.core import ai_calls, jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import CadenzaError, Postponed
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

NOTHING_READ = "no page of the site could be read"


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

    def analyse(self, domain: str, pages: Sequence[Page], begun: jobs.Begun, *, fall_back: bool) -> Analysis:
        """The report and the contacts, for the job that has begun; may raise `Retryable`, or `jobs.Skip`.

        ``fall_back`` allows rules where a model has no answer.
        """
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
            match jobs.begin(conn, work, now):
                case jobs.Begun() as begun:
                    pass
                case jobs.Early(due_at):
                    raise Postponed("the crawl waits for its turn", (due_at - now).total_seconds())
                case jobs.Busy() | jobs.Over():
                    return  # a crawl that a provider works on stays ACTIVE for minutes: that is no trouble
            lead = store.find(conn, message.lead_id)
            if lead is None:
                jobs.finish(conn, work, jobs.Ending(JobStatus.SKIPPED, "unknown lead"), now)
                return
            store.move(conn, lead.id, LeadStatus.CRAWLING, now)
        with self._attempt(begun, lead):
            # A crawl id says that a crawl was begun and never reported: ask for its pages before paying for another.
            started = self.crawling.pages(lead.crawl_id) if lead.crawl_id else self.crawling.start(lead)
            if not started:
                raise CrawlFailed(NOTHING_READ)
        if isinstance(started, str):
            with self.database.worker() as conn:
                store.note_crawl(conn, lead.id, started, self.clock())
        else:
            self._store_pages(begun, lead, started, message.correlation_id)

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
            begun = jobs.take_over(conn, work, now)
        with self._attempt(begun, lead):
            if message.status is CrawlStatus.FAILED:
                raise CrawlFailed(f"crawl failed: {message.error or 'no reason given'}")
            pages = self.crawling.pages(message.crawl_id)
            if not pages:
                raise CrawlFailed(NOTHING_READ)
        self._store_pages(begun, lead, pages, message.correlation_id)

    def _store_pages(self, begun: jobs.Begun, lead: store.Lead, pages: Sequence[Page], correlation_id: str) -> None:
        now = self.clock()
        with self.database.worker() as conn:
            if not store.move(conn, lead.id, LeadStatus.CRAWLED, now):
                return  # another delivery was faster
            store.save_pages(conn, lead, pages, now)
            _complete(conn, begun, {"pages": len(pages)}, now)
            jobs.enqueue(conn, [jobs.analysis(lead.workspace_id, lead.id)], now)
        self.lead_queue.send(
            [AnalysisWanted(workspace_id=lead.workspace_id, lead_id=lead.id, correlation_id=correlation_id)]
        )

    # --- analysis ------------------------------------------------------------------------------------------------

    def _analyse(self, message: AnalysisWanted) -> None:
        work = jobs.analysis(message.workspace_id, message.lead_id)
        now = self.clock()
        with self.database.worker() as conn:
            begun = jobs.take(conn, work, now)
            lead = store.find(conn, message.lead_id)
            if lead is None:
                jobs.finish(conn, work, jobs.Ending(JobStatus.SKIPPED, "unknown lead"), now)
                return
            store.move(conn, lead.id, LeadStatus.ANALYZING, now)
            pages, fall_back = store.pages(conn, lead.id), store.offline_fallback(conn, lead.workspace_id)
        with self._attempt(begun, lead):
            analysis = self.analyst.analyse(lead.domain, pages, begun, fall_back=fall_back)
        self._store_analysis(begun, lead, pages, analysis, message.correlation_id)

    def _store_analysis(
        self, begun: jobs.Begun, lead: store.Lead, pages: Sequence[Page], analysis: Analysis, correlation_id: str
    ) -> None:
        now = self.clock()
        with self.database.worker() as conn:
            if not store.move(conn, lead.id, LeadStatus.ANALYZED, now):
                return
            store.save_analysis(conn, lead, analysis, _input_hash(pages, analysis), now)
            created = contacts_store.upsert(conn, lead.workspace_id, lead.id, analysis.contacts, now)
            result: dict[str, object] = {
                "contacts_found": len(analysis.contacts),
                "contacts_created": created,
                "site_analysis_success": bool(analysis.report.claims),
                "contact_extraction_success": bool(analysis.contacts),
            }
            _complete(conn, begun, result, now)
            wanted = order_plans(conn, lead, now)
            stagger_s = store.stagger_s(conn, lead.workspace_id)
            waiting = [] if wanted else store.taking_campaigns(conn, lead.id)
        self.creation_queue.send(staggered(wanted, stagger_s, correlation_id))
        self.settled(waiting)

    # --- trouble -------------------------------------------------------------------------------------------------

    @contextmanager
    def _attempt(self, begun: jobs.Begun, lead: store.Lead) -> Generator[None]:
        """An attempt after which, if it was the last in vain, the lead ends too."""
        given_up = Leftover()

        def give_up(conn: Connection, reason: str) -> None:
            nonlocal given_up
            given_up = _give_up(conn, lead, reason, self.clock())

        try:
            with jobs.attempt(self.database, begun, self.clock, give_up):
                yield
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
        now = self.clock()
        with self.database.worker() as conn:
            ai_calls.tidy(conn, now)
            hints = [hint for work in jobs.stale(conn, tuple(JobKind), now) if (hint := hint_of(work)) is not None]
            imports = handout.stalled(conn, now)
        self.lead_queue.send([*imports, *(hint for hint in hints if not isinstance(hint, PlanWanted))])
        self.creation_queue.send([hint for hint in hints if isinstance(hint, PlanWanted)])


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a lead leaves that was given up: plans for people whom an operator has named, or campaigns that wait."""

    waiting: list[CampaignId] = field(default_factory=list[CampaignId])
    plans: list[Outgoing] = field(default_factory=list[Outgoing])


def _give_up(conn: Connection, lead: store.Lead, reason: str, now: datetime) -> Leftover:
    """The lead has failed."""
    store.move(conn, lead.id, LeadStatus.FAILED, now, reason=reason)
    wanted = order_plans(conn, lead, now, unread=True)
    if wanted:
        return Leftover(plans=staggered(wanted, store.stagger_s(conn, lead.workspace_id)))
    return Leftover(waiting=store.taking_campaigns(conn, lead.id))


def hint_of(work: jobs.Work, correlation_id: str = "") -> CrawlWanted | AnalysisWanted | PlanWanted | None:
    """The message that asks for a job's work; None where there is nobody to do it for."""
    hint: CrawlWanted | AnalysisWanted | PlanWanted
    match work:
        case jobs.Work(JobKind.CRAWL, lead_id=lead_id) if lead_id is not None:
            hint = CrawlWanted(workspace_id=work.workspace_id, lead_id=lead_id)
        case jobs.Work(JobKind.ANALYSIS, lead_id=lead_id) if lead_id is not None:
            hint = AnalysisWanted(workspace_id=work.workspace_id, lead_id=lead_id)
        case jobs.Work(JobKind.PLANNING, contact_id=contact, campaign_id=campaign) if contact and campaign:
            hint = PlanWanted(workspace_id=work.workspace_id, campaign_id=campaign, contact_id=contact)
        case _:
            return None
    return hint.model_copy(update={"correlation_id": correlation_id})


def _complete(conn: Connection, begun: jobs.Begun, result: dict[str, object], now: datetime) -> None:
    """End a job well.

    Raises:
        Settled: It is somebody else's by now: nothing of what came of it may be stored.
    """
    if not jobs.finish(conn, begun.work, jobs.Ending(JobStatus.COMPLETED, result=result), now, begun):
        raise jobs.Settled("the job is somebody else's by now")


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
