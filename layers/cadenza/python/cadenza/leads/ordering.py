"""Crawls and plans on order: what is to be done about which leads, in the ledger, for one lead or ten thousand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection

from cadenza.contacts import store as contacts_store
from cadenza.core import jobs
from cadenza.core.ids import CampaignId, LeadId, WorkspaceId
from cadenza.core.messages import CrawlWanted, PlanWanted
from cadenza.core.queues import MAX_DELAY_S, Outgoing, delay_until
from cadenza.core.states import JobStatus, LeadStatus
from cadenza.leads import store, turns


def order_crawls(
    conn: Connection, workspace_id: WorkspaceId, lead_ids: Sequence[LeadId], now: datetime, correlation_id: str
) -> list[Outgoing]:
    """Put a crawl job in the ledger for each new site, one behind the other; the hints of those that had none."""
    works = [jobs.crawl(workspace_id, lead_id) for lead_id in lead_ids]
    begin_at = jobs.enqueue(conn, works, now, every_s=store.lead_stagger_s(conn, workspace_id))
    return [
        Outgoing(
            CrawlWanted(workspace_id=workspace_id, lead_id=lead_id, correlation_id=correlation_id),
            delay_until(begin_at[work.key], now),
        )
        for lead_id, work in zip(lead_ids, works, strict=True)
        if work.key in begin_at
    ]


def order(
    conn: Connection,
    workspace_id: WorkspaceId,
    takers: Mapping[LeadId, Sequence[CampaignId]],
    now: datetime,
    *,
    unread: frozenset[LeadId] = frozenset(),
    every_s: int = 0,
) -> dict[PlanWanted, datetime]:
    """Put a planning job in the ledger for each contact of each lead in each campaign that takes it; the new ones.

    They come with when each may begin (``every_s``: see `jobs.enqueue`). Where a campaign takes a company's people one
    after another, it is one for each company. The leads are locked.
    That a campaign gets nobody from a site is recorded too, unless the site is one of ``unread``: then the lead says
    why. A constant number of statements, however many leads there are.
    """
    people = {
        lead_id: list(found)
        for lead_id, found in groupby(contacts_store.of_leads(conn, list(takers)), key=lambda contact: contact.lead_id)
    }
    wanted: list[jobs.Work] = []
    passed_over: list[jobs.Work] = []
    empty: list[jobs.Work] = []
    for lead_id, campaigns in takers.items():
        chosen, others = contacts_store.to_enrol(people.get(lead_id, []))
        wanted += [jobs.planning(workspace_id, c, contact.id, lead_id) for c in campaigns for contact in chosen]
        passed_over += [jobs.planning(workspace_id, c, contact.id, lead_id) for c in campaigns for contact in others]
        if not chosen and lead_id not in unread:
            empty += [jobs.no_contacts(workspace_id, campaign, lead_id) for campaign in campaigns]
    jobs.record(conn, passed_over, JobStatus.SKIPPED, "shared mailbox, and the site names people", now)
    jobs.record(conn, empty, JobStatus.SKIPPED, "no contacts found", now)
    return order_works(conn, wanted, now, every_s=every_s)


def order_works(
    conn: Connection, wanted: Sequence[jobs.Work], now: datetime, *, every_s: int = 0
) -> dict[PlanWanted, datetime]:
    """Put planning jobs in the ledger, as far as it is their people's turn; the new ones, and when each may begin.

    The leads of campaigns that take a company's people one after another are locked. ``every_s``: see `jobs.enqueue`.
    """
    campaigns = {work.campaign_id for work in wanted if work.campaign_id is not None}
    in_turn = turns.ordered(conn, sorted(campaigns)) if campaigns else set[CampaignId]()
    waiting = {work.key: work for work in wanted if work.campaign_id in in_turn and work.lead_id is not None}
    chosen = [work for work in wanted if work.key not in waiting]
    chosen += turns.place(conn, list(waiting.values()), now)
    new = jobs.enqueue(conn, chosen, now, every_s=every_s)
    return {
        PlanWanted(workspace_id=work.workspace_id, campaign_id=work.campaign_id, contact_id=work.contact_id): new[
            work.key
        ]
        for work in chosen
        if work.key in new and work.campaign_id is not None and work.contact_id is not None
    }


def order_plans(conn: Connection, lead: store.Lead, now: datetime, *, unread: bool = False) -> list[PlanWanted]:
    """Put a planning job in the ledger for each contact of the lead in each campaign that takes it; the new ones.

    ``unread``: the site could not be read. Whom an operator has given by hand is planned for nevertheless.
    """
    takers = {lead.id: store.taking_campaigns(conn, lead.id)}
    return list(order(conn, lead.workspace_id, takers, now, unread=frozenset(takers) if unread else frozenset()))


def staggered(wanted: Sequence[PlanWanted], stagger_s: int, correlation_id: str = "") -> list[Outgoing]:
    """One message a contact, ``stagger_s`` apart, so that the AI is not flooded."""
    return [
        Outgoing(message.model_copy(update={"correlation_id": correlation_id}), min(MAX_DELAY_S, index * stagger_s))
        for index, message in enumerate(wanted)
    ]


@dataclass(frozen=True, slots=True)
class Leftover:
    """What a lead leaves that was given up: plans for people whom an operator has named, or campaigns that wait."""

    waiting: list[CampaignId] = field(default_factory=list[CampaignId])
    plans: list[Outgoing] = field(default_factory=list[Outgoing])


def give_up_lead(conn: Connection, lead: store.Lead, reason: str, now: datetime) -> Leftover:
    """The lead has failed: what that leaves to be done."""
    store.move(conn, lead.id, LeadStatus.FAILED, now, reason=reason)
    wanted = order_plans(conn, lead, now, unread=True)
    if wanted:
        return Leftover(plans=staggered(wanted, store.stagger_s(conn, lead.workspace_id)))
    return Leftover(waiting=store.taking_campaigns(conn, lead.id))
