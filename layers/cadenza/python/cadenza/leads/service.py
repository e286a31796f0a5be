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
from cadenza.core import ai_calls, jobs
from cadenza.core.ai_gate import USED_UP
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import CampaignId
from cadenza.core.messages import (
    AnalysisWanted,
    BatchTaken,
    CrawlCheck,
    CrawlPageSeen,
    CrawlReported,
    CrawlWanted,
    IntakeWanted,
    LeadMessage,
    PlanWanted,
    Sweep,
)
from cadenza.core.queues import Outgoing, Queue, delay_until
from cadenza.core.states import JobKind, JobStatus, LeadStatus
from cadenza.leads import automatic, handout, store, turns
from cadenza.leads.crawls import Crawling, Crawls
from cadenza.leads.model import Page
from cadenza.leads.ordering import Leftover, give_up_lead, order_plans, staggered
from cadenza.leads.report import Analysis, AnalysisFigures


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
                case BatchTaken():
                    self._hand_out(message)
                case Sweep():
                    self._sweep()
                case _:
                    assert_never(message)

    @property
    def _crawls(self) -> Crawls:
        return Crawls(self.database, self.lead_queue, self.crawling, self._pass_on, self.clock)

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
            analysis = analysis.model_copy(update={"contacts": self.mailboxes.checked(analysis.contacts)})
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
            figures = AnalysisFigures(
                contacts_found=len(analysis.contacts),
                contacts_created=created,
                site_analysis_success=bool(analysis.report.claims),
                contact_extraction_success=bool(analysis.contacts),
            )
            _complete(conn, begun, figures.model_dump(), now)
            wanted = order_plans(conn, lead, now)
            stagger_s = store.stagger_s(conn, lead.workspace_id)
            waiting = [] if wanted else store.taking_campaigns(conn, lead.id)
            is_taken = automatic.takes(conn, lead.workspace_id)
        self.creation_queue.send(staggered(wanted, stagger_s, correlation_id))
        if is_taken:
            intake = IntakeWanted(workspace_id=lead.workspace_id, lead_id=lead.id, correlation_id=correlation_id)
            self.creation_queue.send([intake])
        self.settled(waiting)

    # --- trouble -------------------------------------------------------------------------------------------------

    @contextmanager
    def _attempt(self, begun: jobs.Begun, lead: store.Lead) -> Generator[None]:
        """An attempt after which, if it was the last in vain, the lead ends too."""
        given_up = Leftover()

        def give_up(conn: Connection, reason: str) -> None:
            nonlocal given_up
            given_up = give_up_lead(conn, lead, reason, self.clock())

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
        """Ask again for jobs whose hint was lost, whose worker died, or whose budget is renewed; hand imports on.

        Then for those of a company whose turn has come, and for passes of the fully automated campaigns.
        """
        now = self.clock()
        with self.database.worker() as conn:
            ai_calls.tidy(conn, now)
            due = [jobs.Again(work, now) for work in jobs.stale(conn, tuple(JobKind), now)]
            due += jobs.renew(conn, USED_UP, now)
            imports = handout.stalled(conn, now)
            in_turn = turns.begin_due(conn, now)
            intakes = [IntakeWanted(workspace_id=one) for one in automatic.taking_workspaces(conn)]
        hints = [
            Outgoing(hint, delay_until(again.due_at, now)) for again in due if (hint := hint_of(again.work)) is not None
        ]
        self.lead_queue.send([*imports, *(hint for hint in hints if not isinstance(hint.message, PlanWanted))])
        plans = [hint for hint in hints if isinstance(hint.message, PlanWanted)]
        self.creation_queue.send([*plans, *in_turn, *intakes])


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


def _input_hash(pages: Sequence[Page], analysis: Analysis) -> str:
    """What was analysed and by what: the same input is analysed once."""
    digest = hashlib.sha256(f"{analysis.analyst}\n{analysis.version}\n".encode())
    for page in pages:
        digest.update(page.model_dump_json().encode())
    return digest.hexdigest()
