"""An operator gives many leads to a campaign: their people join it in the same way as those of a single one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, StrictBool, model_validator
from sqlalchemy import Connection, Row, text

from cadenza.campaigns.assigning import outgoing
from cadenza.contacts import store as contacts_store
from cadenza.core import audit
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import BatchId, CampaignId, LeadId, WorkspaceId
from cadenza.core.instants import Instant
from cadenza.core.queues import Outgoing, Queue, hint
from cadenza.core.states import AuditAct, LeadStatus
from cadenza.engine.completion import complete_campaigns
from cadenza.leads import store as leads_store
from cadenza.leads.intake import lock_campaign
from cadenza.leads.ordering import order, order_crawls

MAX_LEADS: Final = 1000


class LeadFilter(BaseModel):
    """Which leads; what is left out filters nothing. ``source`` is that of the list that brought them.

    ``unassigned``: no campaign was given them. ``created_until`` is not among them.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    status: LeadStatus | None = None
    batch_id: BatchId | None = None
    source: str = ""
    created_since: Instant | None = None
    created_until: Instant | None = None
    unassigned: StrictBool = False

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if self == LeadFilter.model_construct():
            raise ValueError("name at least one property; unassigned is one")
        return self


class Assigned(StrEnum):
    """What became of a lead that was given to a campaign."""

    TAKEN = "taken"
    """Plans for its people are on order."""
    WAITING = "waiting"
    """It is not analysed yet: its people join when it is."""
    ALREADY_THERE = "already_there"
    """The campaign has it; people who are new at it are planned for."""
    NO_CONTACTS = "no_contacts"
    FAILED = "failed"
    """Its site could not be read, and nobody is known there."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Assignment:
    """One lead's outcome, and in words why. ``plans`` were newly ordered."""

    lead_id: LeadId
    domain: str
    outcome: Assigned
    detail: str
    plans: int


@dataclass(frozen=True, slots=True)
class Assignments:
    """Each lead's outcome. ``more``: the filter finds others besides."""

    items: tuple[Assignment, ...]
    more: bool


@dataclass(frozen=True, slots=True)
class LeadAssignment:
    """Gives leads to the campaigns of one workspace. ``key_id`` is the API key in whose name it is done."""

    database: Database
    lead_queue: Queue
    creation_queue: Queue
    workspace_id: WorkspaceId
    key_id: UUID
    clock: Clock

    def assign(
        self, campaign_id: CampaignId, wanted: Sequence[LeadId] | LeadFilter, correlation_id: str = ""
    ) -> Assignments:
        """Give leads to the campaign: those that are named, or the oldest `MAX_LEADS` that a filter finds.

        Safe to repeat. Plans are ordered at once for the people of leads that have been analysed, the workspace's
        ``stagger_s`` apart, for those of others when their analysis ends.

        Raises:
            NotFound: No such campaign.
            Conflict: The campaign has ended.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            # Leads first, as whoever brings one does: an analysis that ends just now sees us, or we see its people.
            rows, more = _lock_leads(conn, self.workspace_id, campaign_id, wanted)
            lock_campaign(conn, campaign_id)
            crawls, orders, told = self._take(conn, campaign_id, rows, now, correlation_id)
            detail = {"leads": len(rows), "plans": len(orders)}
            act = AuditAct.LEADS_ASSIGNED
            audit.record(conn, self.workspace_id, act, now, key_id=self.key_id, subject_id=campaign_id, detail=detail)
        hint(self.lead_queue, crawls)
        hint(self.creation_queue, orders)
        if rows and not orders:
            with self.database.workspace(self.workspace_id) as conn:
                complete_campaigns(conn, [campaign_id], now)
        if isinstance(wanted, LeadFilter):
            return Assignments(tuple(told.values()), more)
        unknown = Assigned.UNKNOWN
        return Assignments(
            tuple(told.get(one) or Assignment(one, "", unknown, "no such lead", 0) for one in dict.fromkeys(wanted)),
            more,
        )

    def _take(
        self, conn: Connection, campaign_id: CampaignId, rows: Sequence[Row[Any]], now: datetime, correlation_id: str
    ) -> tuple[list[Outgoing], list[Outgoing], dict[LeadId, Assignment]]:
        ids = [row.id for row in rows]
        new = set(conn.execute(_ASSIGN, {"campaign_id": campaign_id, "ids": ids, "now": now}).scalars())
        fresh = [row.id for row in rows if row.status == LeadStatus.NEW]
        crawls = order_crawls(conn, self.workspace_id, fresh, now, correlation_id) if fresh else []
        ready = [row for row in rows if row.status in (LeadStatus.ANALYZED, LeadStatus.FAILED)]
        unread = frozenset(row.id for row in ready if row.status == LeadStatus.FAILED)
        stagger_s = leads_store.stagger_s(conn, self.workspace_id)
        takers = {row.id: [campaign_id] for row in ready}
        orders = order(conn, self.workspace_id, takers, now, unread=unread, every_s=stagger_s)
        people = contacts_store.of_leads(conn, [row.id for row in ready])
        home = {contact.id: contact.lead_id for contact in people}
        plans: dict[LeadId, int] = {}
        for wanted in orders:
            lead_id = home.get(wanted.contact_id)
            if lead_id is not None:
                plans[lead_id] = plans.get(lead_id, 0) + 1
        known = {contact.lead_id for contact in people}
        told = {
            row.id: _told(row, plans.get(row.id, 0), is_new=row.id in new, has_people=row.id in known) for row in rows
        }
        return crawls, outgoing(orders, now, correlation_id), told


def _told(row: Row[Any], plans: int, *, is_new: bool, has_people: bool) -> Assignment:
    outcome, detail = Assigned.TAKEN, ""
    if not is_new:
        outcome, detail = Assigned.ALREADY_THERE, "the campaign has this lead already"
    elif row.status not in (LeadStatus.ANALYZED, LeadStatus.FAILED):
        outcome, detail = Assigned.WAITING, "its people join when it is analysed"
    elif not has_people:
        unread = row.status == LeadStatus.FAILED
        outcome = Assigned.FAILED if unread else Assigned.NO_CONTACTS
        detail = f"its site could not be read: {row.failure_reason}" if unread else "nobody is known there yet"
    elif not plans:
        detail = "its people were in the campaign before, or wait for their turn"
    return Assignment(row.id, row.domain, outcome, detail, plans)


def _lock_leads(
    conn: Connection, workspace_id: WorkspaceId, campaign_id: CampaignId, wanted: Sequence[LeadId] | LeadFilter
) -> tuple[list[Row[Any]], bool]:
    if not isinstance(wanted, LeadFilter):
        return list(conn.execute(_NAMED, {"workspace_id": workspace_id, "ids": list(wanted)})), False
    parameters = wanted.model_dump() | {"workspace_id": workspace_id, "campaign_id": campaign_id}
    found = list(conn.execute(_FILTERED, parameters | {"limit": MAX_LEADS + 1}))
    return found[:MAX_LEADS], len(found) > MAX_LEADS


_NAMED = text("""
    SELECT id, domain, status, failure_reason FROM leads WHERE workspace_id = :workspace_id AND id = ANY(:ids)
    ORDER BY id FOR UPDATE
""")

# What the campaign has already is left out: so a filter may be asked for again until nothing is left.
_FILTERED = text("""
    SELECT l.id, l.domain, l.status, l.failure_reason FROM leads l
    WHERE l.workspace_id = :workspace_id
      AND (CAST(:status AS text) IS NULL OR l.status = :status)
      AND (CAST(:batch_id AS uuid) IS NULL OR l.batch_id = :batch_id)
      AND (CAST(:source AS text) = ''
           OR EXISTS (SELECT FROM lead_batches b WHERE b.id = l.batch_id AND b.source = :source))
      AND (CAST(:created_since AS timestamptz) IS NULL OR l.created_at >= :created_since)
      AND (CAST(:created_until AS timestamptz) IS NULL OR l.created_at < :created_until)
      AND NOT EXISTS (SELECT FROM campaign_leads t WHERE t.lead_id = l.id
                      AND (:unassigned OR t.campaign_id = :campaign_id))
    ORDER BY l.id LIMIT :limit FOR UPDATE OF l
""")

_ASSIGN = text("""
    INSERT INTO campaign_leads (campaign_id, lead_id, workspace_id, created_at)
    SELECT :campaign_id, l.id, l.workspace_id, CAST(:now AS timestamptz) FROM leads l WHERE l.id = ANY(:ids)
    ORDER BY l.id
    ON CONFLICT (campaign_id, lead_id) DO NOTHING
    RETURNING lead_id
""")
