"""Fully automated campaigns take new people by themselves: each once, and at most one campaign of those that insist.

A pass looks at all who might be taken, whatever has brought them; a message about it is a hint, and the sweep repeats
it. Passes of a workspace come one after the other (`intake_store.lock_switch`), and what was taken is known by the keys
of planning jobs, enrolments and turns: so nobody is taken twice, however often a pass is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from sqlalchemy import Connection

from cadenza.campaigns import intake_store
from cadenza.campaigns.enrolment import Enrolling, bar_to
from cadenza.campaigns.intake import Candidate, mismatches, passes_over
from cadenza.campaigns.intake_store import Search, Taking
from cadenza.core import jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import CampaignId, LeadId, WorkspaceId
from cadenza.core.messages import IntakeWanted, PlanMessage, PlanWanted
from cadenza.core.queues import Outgoing, Queue, delay_until
from cadenza.leads.fit import Fit, FitLevel, assess
from cadenza.leads.ordering import order_works
from cadenza.leads.report import SiteReport

PASS_SIZE: Final = 500
"""People of one transaction."""

SHARED_MAILBOX: Final = "shared mailbox, and the site names people"
ELSEWHERE: Final = "in another campaign"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which campaigns take somebody, and why the others do not, by their names' ids."""

    campaigns: tuple[Taking, ...]
    against: tuple[str, ...] = ()


class Fits:
    """How well companies fit what campaigns offer, reckoned once each."""

    def __init__(self, reports: Mapping[LeadId, SiteReport]) -> None:
        self._reports = reports
        self._known: dict[tuple[CampaignId, LeadId], FitLevel] = {}

    def of(self, campaign: Taking, lead_id: LeadId | None) -> FitLevel:
        """The level; unknown without a report, or where the campaign does not ask."""
        if campaign.intake.least_fit is None or lead_id is None or (report := self._reports.get(lead_id)) is None:
            return FitLevel.UNKNOWN
        key = campaign.id, lead_id
        if key not in self._known:
            fit: Fit = assess(campaign.brief.offering, campaign.brief.goal, report)
            self._known[key] = fit.level
        return self._known[key]


def fits_of(conn: Connection, campaigns: Sequence[Taking], people: Sequence[Candidate]) -> Fits:
    """The fits that the campaigns ask for. One statement, if any does."""
    if not any(campaign.intake.least_fit for campaign in campaigns):
        return Fits({})
    leads = {one.contact.lead_id for one in people if one.contact.lead_id is not None}
    return Fits(intake_store.reports(conn, sorted(leads)))


def choose(campaigns: Sequence[Taking], one: Candidate, fits: Fits) -> Choice:
    """Who of the campaigns, the oldest first, takes somebody who may be written to.

    An exclusive one takes nobody whom another one has, or has just taken.
    """
    chosen: list[Taking] = []
    against: list[str] = []
    for campaign in campaigns:
        if campaign.id in one.taken_by:
            continue
        reasons = list(mismatches(campaign.intake, one, fits.of(campaign, one.contact.lead_id)))
        if campaign.intake.exclusive and (one.taken_by or chosen):
            reasons = [ELSEWHERE]
        elif passes_over(campaign.intake, one):
            reasons = [SHARED_MAILBOX]
        if reasons:
            against += [reason for reason in reasons if reason not in against]
        else:
            chosen.append(campaign)
    return Choice(tuple(chosen), tuple(against))


def take(
    conn: Connection,
    workspace_id: WorkspaceId,
    pairs: Sequence[tuple[Candidate, CampaignId]],
    stagger_s: int,
    now: datetime,
) -> dict[PlanWanted, datetime]:
    """Order plans, ``stagger_s`` apart; the new ones, and when each may begin. Who waits for a turn has none yet."""
    intake_store.lock_leads(conn, sorted({x.contact.lead_id for x, _ in pairs if x.contact.lead_id is not None}))
    works = [jobs.planning(workspace_id, campaign, x.contact.id, x.contact.lead_id) for x, campaign in pairs]
    return order_works(conn, works, now, every_s=stagger_s)


def outgoing(orders: Mapping[PlanWanted, datetime], now: datetime, correlation_id: str = "") -> list[Outgoing]:
    """One message a plan, with its delay; what is due later than a queue can delay comes back until then."""
    return [
        Outgoing(message.model_copy(update={"correlation_id": correlation_id}), delay_until(due_at, now))
        for message, due_at in orders.items()
    ]


@dataclass(frozen=True, slots=True)
class Assigning:
    """Passes over all workspaces' people, as the plan function does them."""

    database: Database
    creation_queue: Queue
    clock: Clock

    def handle(self, message: IntakeWanted) -> None:
        """One part of a pass, and a message for the next part, if there is one. Safe to repeat.

        Raises:
            Retryable: The database or the queue was away.
        """
        now = self.clock()
        with self.database.worker() as conn:
            orders, looked_at = one_pass(conn, message, now)
        follow: list[Outgoing] = []
        if len(looked_at) == PASS_SIZE:
            follow.append(Outgoing(message.model_copy(update={"after": looked_at[-1].contact.id})))
        self.creation_queue.send([*follow, *outgoing(orders, now, message.correlation_id)])


def one_pass(
    conn: Connection, message: IntakeWanted, now: datetime
) -> tuple[dict[PlanWanted, datetime], Sequence[Candidate]]:
    """One part of a pass: the plans that it orders, with when each may begin, and at whom it has looked."""
    switch = intake_store.lock_switch(conn, message.workspace_id)
    campaigns = intake_store.taking(conn, message.workspace_id) if switch.enabled else []
    if not campaigns:
        return {}, ()
    since = min(campaign.created_at for campaign in campaigns)
    search = Search(message.workspace_id, since, PASS_SIZE, message.after, message.lead_id)
    people = intake_store.candidates(conn, search, campaigns)
    fits = fits_of(conn, campaigns, people)
    pairs: list[tuple[Candidate, CampaignId]] = []
    for one in people:
        if bar_to(one.contact) is None:
            awaiting = [campaign for campaign in campaigns if campaign.created_at <= one.created_at]
            pairs += [(one, campaign.id) for campaign in choose(awaiting, one, fits).campaigns]
    return take(conn, message.workspace_id, pairs, switch.stagger_s, now) if pairs else {}, people


@dataclass(frozen=True, slots=True)
class Planning:
    """All that the plan function is asked for."""

    enrolling: Enrolling
    assigning: Assigning

    def handle(self, message: PlanMessage) -> None:
        """Do what one message of campaign-creation asks for.

        Raises:
            Retryable: It may work later.
        """
        match message:
            case PlanWanted():
                self.enrolling.handle(message)
            case IntakeWanted():
                self.assigning.handle(message)
            case _:
                assert_never(message)
