"""The crawl of a site, from wanted to its pages: begun, reported, asked for when nobody reports, given up in time.

A provider's crawl takes minutes, and its job stays ACTIVE meanwhile. Its webhook is the fast way to the end and not
the only one: delayed messages (`CrawlCheck`) ask the provider until the crawl has ended or its time is up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from typing import Protocol

from sqlalchemy import Connection

from cadenza.core import jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import CadenzaError, Postponed, Retryable
from cadenza.core.ids import SYSTEM_WORKSPACE
from cadenza.core.log import get_logger
from cadenza.core.messages import AnalysisWanted, CrawlCheck, CrawlPageSeen, CrawlReported, CrawlStatus, CrawlWanted
from cadenza.core.queues import MAX_DELAY_S, Outgoing, Queue
from cadenza.core.states import JobStatus, LeadStatus
from cadenza.leads import store
from cadenza.leads.model import Page
from cadenza.leads.ordering import Leftover, give_up_lead

NOTHING_READ = "no page of the site could be read"


class CrawlFailed(CadenzaError):  # noqa: N818 - reads as what happened
    """The site cannot be crawled, now or later; the text says why, to people."""


class CrawlUnderWay(Retryable):
    """The provider is at it; ``pages`` have been read so far."""

    def __init__(self, pages: int) -> None:
        super().__init__(f"the crawl is under way ({pages} pages so far)")
        self.pages = pages


class Crawling(Protocol):
    """Who crawls. All may raise `Retryable`, or `CrawlFailed` for good."""

    def start(self, lead: store.Lead) -> str | Sequence[Page]:
        """Start a crawl and return its id, or crawl at once and return the pages."""
        ...

    def pages(self, crawl_id: str) -> Sequence[Page]:
        """The pages of a crawl that has ended; `CrawlUnderWay` if it has not."""
        ...

    def cancel(self, crawl_id: str) -> None:
        """Stop a crawl of which nothing is wanted any more."""
        ...


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a provider's crawl may take; it is asked for after ``first_check_s``, then ever more rarely."""

    first_check_s: int = 120
    bound_s: int = 1800

    def pause_s(self, checks: int, age_s: float) -> int:
        """Seconds until the next check of a crawl of ``age_s`` after ``checks`` checks; the last is at the bound."""
        pause_s = min(MAX_DELAY_S, self.first_check_s * 2 ** min(checks, 10))
        return max(1, min(pause_s, ceil(self.bound_s - age_s)))


@dataclass(frozen=True, slots=True)
class Crawls:
    """Each step is safe to repeat; ``pass_on`` is told, after a commit, what a lead leaves that was given up."""

    database: Database
    lead_queue: Queue
    crawling: Crawling
    pass_on: Callable[[Leftover], None]
    clock: Clock
    patience: Patience = Patience()

    def begin(self, message: CrawlWanted) -> None:
        """Start the crawl, or ask for one that was started long enough ago.

        Raises:
            Retryable: It may work later; the job says why and when.
        """
        work = jobs.crawl(message.workspace_id, message.lead_id)
        now = self.clock()
        with self.database.worker() as conn:
            # Locked first, as everywhere: the lead, then its job.
            lead = store.find(conn, message.lead_id, lock=True)
            started = None if lead is None else _started(lead, now)
            begun = None
            if started is None and (begun := _take(conn, work, now)) is None:
                return
            if lead is None:
                jobs.finish(conn, work, jobs.Ending(JobStatus.SKIPPED, "unknown lead"), now)
                return
            if begun is not None:
                store.begin_crawl(conn, lead.id, now)
        if begun is not None:
            self._start(begun, lead, message.correlation_id)
        elif started is not None and started.total_seconds() >= self.patience.first_check_s:
            self._ask(lead, message.correlation_id)

    def _start(self, begun: jobs.Begun, lead: store.Lead, correlation_id: str) -> None:
        leftover = Leftover()

        def give_up(conn: Connection, reason: str) -> None:
            nonlocal leftover
            leftover = give_up_lead(conn, lead, reason, self.clock())

        try:
            with jobs.attempt(self.database, begun, self.clock, give_up):
                started = self.crawling.start(lead)
                if not started:
                    raise CrawlFailed(NOTHING_READ)
        finally:
            self.pass_on(leftover)
        if not isinstance(started, str):
            self._store_pages(lead, started, correlation_id, begun=begun)
            return
        with self.database.worker() as conn:
            store.note_crawl(conn, lead.id, started, self.clock())
        check = CrawlCheck(
            workspace_id=lead.workspace_id, lead_id=lead.id, crawl_id=started, correlation_id=correlation_id
        )
        self.lead_queue.send([Outgoing(check, self.patience.pause_s(0, 0))])

    # --- what the provider says --------------------------------------------------------------------------------------

    def see_page(self, message: CrawlPageSeen) -> None:
        """Note a sign of life on the job. A repeated one, or one of another crawl, changes nothing."""
        now = self.clock()
        with self.database.worker() as conn:
            lead = store.find(conn, message.lead_id, lock=True)
            if lead is None or not _waits_for(lead, message.crawl_id):
                return
            if store.take_delivery(conn, lead, message.crawl_id, message.delivery_id, store.PAGE_SEEN, now):
                store.note_progress(conn, lead, message.crawl_id, now)

    def take_report(self, message: CrawlReported) -> None:
        """The crawl has ended: fetch its pages, or give the lead up. What nobody waits for any more changes nothing.

        Raises:
            Retryable: The pages cannot be fetched now. That is no failed crawl: the check watches how long it lasts.
        """
        now = self.clock()
        with self.database.worker() as conn:
            lead = store.find(conn, message.lead_id)
            if lead is None:
                _skip_unknown_lead(conn, message, now)
                return
            repeated = store.knows_delivery(conn, lead.id, message.delivery_id)
        if repeated or not _waits_for(lead, message.crawl_id):
            return
        if message.status is CrawlStatus.FAILED:
            self._give_up(lead, f"the crawl service failed: {message.error or 'it gives no reason'}", message)
            return
        try:
            pages = self.crawling.pages(message.crawl_id)
        except CrawlFailed as error:
            self._give_up(lead, str(error), message)
        else:
            self._store_pages(lead, pages, message.correlation_id, message)

    # --- asking the provider -----------------------------------------------------------------------------------------

    def check(self, message: CrawlCheck) -> None:
        """Ask for a crawl that has not been reported, and come back later if it goes on."""
        with self.database.worker() as conn:
            lead = store.find(conn, message.lead_id)
        if lead is None or lead.crawl_id != message.crawl_id:
            return
        started = _started(lead, self.clock())
        if started is None or self._ask(lead, message.correlation_id):
            return
        checks = message.checks + 1
        pause_s = self.patience.pause_s(checks, started.total_seconds())
        self.lead_queue.send([Outgoing(message.model_copy(update={"checks": checks}), pause_s)])

    def _ask(self, lead: store.Lead, correlation_id: str) -> bool:
        """Take the crawl's pages if it has ended, give it up if its time is up; False: neither."""
        now = self.clock()
        started = _started(lead, now) or timedelta()
        overdue, minutes = started.total_seconds() >= self.patience.bound_s, self.patience.bound_s // 60
        try:
            pages = self.crawling.pages(lead.crawl_id)
        except CrawlFailed as error:
            self._give_up(lead, str(error))
        except CrawlUnderWay as under_way:
            if not overdue:
                with self.database.worker() as conn:
                    if (locked := store.find(conn, lead.id, lock=True)) is not None:
                        store.note_progress(conn, locked, lead.crawl_id, now, pages=under_way.pages)
                return False
            read = f"{under_way.pages} pages were read"
            self._give_up(lead, f"the crawl did not end within {minutes} minutes ({read})")
            self._cancel(lead)
        except Retryable as trouble:
            if not overdue:
                get_logger().warning("crawl.not_checked", lead_id=str(lead.id), detail=trouble.detail)
                return False
            self._give_up(lead, f"the crawl did not end within {minutes} minutes, and {trouble.detail}")
        else:
            self._store_pages(lead, pages, correlation_id)
        return True

    def _cancel(self, lead: store.Lead) -> None:
        try:
            self.crawling.cancel(lead.crawl_id)
        except (Retryable, CrawlFailed) as error:  # it costs a few pages more, and changes nothing
            get_logger().warning("crawl.not_cancelled", lead_id=str(lead.id), detail=str(error))

    # --- the end -----------------------------------------------------------------------------------------------------

    def _give_up(self, lead: store.Lead, reason: str, report: CrawlReported | None = None) -> None:
        now = self.clock()
        with self.database.worker() as conn:
            current = store.find(conn, lead.id, lock=True)
            if current is None or (current.status, current.crawl_id) != (LeadStatus.CRAWLING, lead.crawl_id):
                return  # another delivery, or a check, was faster
            if report is not None:
                store.take_delivery(conn, lead, report.crawl_id, report.delivery_id, store.ENDED, now)
            jobs.finish(conn, jobs.crawl(lead.workspace_id, lead.id), jobs.Ending(JobStatus.FAILED, reason), now)
            leftover = give_up_lead(conn, lead, reason, now)
        self.pass_on(leftover)

    def _store_pages(
        self,
        lead: store.Lead,
        pages: Sequence[Page],
        correlation_id: str,
        report: CrawlReported | None = None,
        begun: jobs.Begun | None = None,
    ) -> None:
        if not pages:
            self._give_up(lead, NOTHING_READ, report)
            return
        crawl, analysis = jobs.crawl(lead.workspace_id, lead.id), jobs.analysis(lead.workspace_id, lead.id)
        now = self.clock()
        with self.database.worker() as conn:
            if not store.move(conn, lead.id, LeadStatus.CRAWLED, now):
                return  # another delivery, or a check, was faster
            if report is not None:
                store.take_delivery(conn, lead, report.crawl_id, report.delivery_id, store.ENDED, now)
            store.save_pages(conn, lead, pages, now)
            # What a provider reports may end a job that waits for another attempt: the answer of the first was lost.
            ending = jobs.Ending(JobStatus.COMPLETED, result={"pages": len(pages)})
            if not jobs.finish(conn, crawl, ending, now, begun) and begun is not None:
                raise jobs.Settled("the job is somebody else's by now")
            jobs.enqueue(conn, [analysis], now)
        self.lead_queue.send(
            [AnalysisWanted(workspace_id=lead.workspace_id, lead_id=lead.id, correlation_id=correlation_id)]
        )


def _started(lead: store.Lead, now: datetime) -> timedelta | None:
    """How long ago a provider took the crawl that is under way; None if there is none."""
    if lead.status is not LeadStatus.CRAWLING or not lead.crawl_id or lead.crawl_started_at is None:
        return None
    return now - lead.crawl_started_at


def _waits_for(lead: store.Lead, crawl_id: str) -> bool:
    """Whether the lead waits for this crawl. Where the id is not known yet, the report overtook the answer."""
    return lead.status is LeadStatus.CRAWLING and lead.crawl_id in ("", crawl_id)


def _take(conn: Connection, work: jobs.Work, now: datetime) -> jobs.Begun | None:
    """The job, if it is ours. A crawl that a provider works on stays ACTIVE for minutes: that is no trouble here.

    Raises:
        Postponed: It waits for its turn.
    """
    match jobs.begin(conn, work, now):
        case jobs.Begun() as begun:
            return begun
        case jobs.Early(due_at):
            raise Postponed("the crawl waits for its turn", (due_at - now).total_seconds())
        case jobs.Busy() | jobs.Over():
            return None


def _skip_unknown_lead(conn: Connection, message: CrawlReported, now: datetime) -> None:
    """A signed report about a lead that does not exist: said in the ledger, never retried."""
    known = store.workspace_exists(conn, message.workspace_id)
    work = jobs.crawl(message.workspace_id if known else SYSTEM_WORKSPACE, message.lead_id)
    jobs.record(conn, [work], JobStatus.SKIPPED, "unknown lead", now)
