"""The operator's side of automation: the switch, and a batch on demand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from cadenza.campaigns import intake_store, store
from cadenza.campaigns.assigning import ELSEWHERE, Fits, choose, fits_of, outgoing, take
from cadenza.campaigns.enrolment import Bar, bar_to
from cadenza.campaigns.hours import opening
from cadenza.campaigns.intake import Candidate
from cadenza.campaigns.intake_store import Search, Switch, Taking
from cadenza.core import audit
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, FieldProblem, NotFound
from cadenza.core.ids import CampaignId, ContactId, LeadId, WorkspaceId
from cadenza.core.messages import IntakeWanted
from cadenza.core.queues import Queue, hint
from cadenza.core.states import AuditAct
from cadenza.delivery.limits import next_quota_day, quota_day
from cadenza.leads import automatic
from cadenza.planning.zones import find_zone

LOOKED_AT: Final = 1000
"""People that one batch looks at, at most."""

OFF: Final = "automation is switched off: POST /v1/automation/toggle"


class Passed(StrEnum):
    """Why a batch did not take somebody."""

    SUPPRESSED = "suppressed"
    REFUSED = "refused"
    UNDELIVERABLE = "undeliverable"
    NO_CAMPAIGN = "no_campaign"
    """No campaign's filter takes them."""
    OUTSIDE_HOURS = "outside_hours"
    CAP_USED_UP = "cap_used_up"


@dataclass(frozen=True, slots=True)
class Queued:
    """Somebody whom a campaign takes. ``begins_at`` is when planning may begin; None: they wait for their turn.

    In a dry run nobody has an instant.
    """

    contact_id: ContactId
    lead_id: LeadId | None
    campaign_id: CampaignId
    begins_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Somebody who was not taken, and in words why. ``opens_at`` is when time alone would change that."""

    contact_id: ContactId
    lead_id: LeadId | None
    reason: Passed
    detail: str
    opens_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch came to. ``next_cursor``: there are more to look at, from there."""

    queued: tuple[Queued, ...]
    skipped: tuple[Skipped, ...]
    next_cursor: ContactId | None
    dry_run: bool


@dataclass(frozen=True, slots=True)
class WantedBatch:
    """Which campaign's batch (None: of all that take people), how large, from where."""

    campaign_id: CampaignId | None
    limit: int
    cursor: ContactId | None
    dry_run: bool


@dataclass(frozen=True, slots=True)
class Automation:
    """The automatic work of one workspace. ``key_id`` is the API key in whose name it is done."""

    database: Database
    creation_queue: Queue
    workspace_id: WorkspaceId
    key_id: UUID
    clock: Clock

    def switch(self, reason: str, *, enabled: bool) -> None:
        """Turn the switch; turning it to where it stands changes nothing. From the commit on nobody is taken.

        Once it is on again, all are taken who came meanwhile.
        """
        with self.database.workspace(self.workspace_id) as conn:
            self.turn(conn, reason, enabled=enabled)
        self.look_around()

    def turn(self, conn: Connection, reason: str, *, enabled: bool) -> None:
        """Turn the switch, and keep who has. Nothing is kept if it stands so already."""
        now = self.clock()
        if intake_store.set_switch(conn, self.workspace_id, now, enabled=enabled):
            detail = {"enabled": enabled, "reason": reason}
            act = AuditAct.AUTOMATION_SWITCHED
            audit.record(conn, self.workspace_id, act, now, key_id=self.key_id, detail=detail)

    def look_around(self, correlation_id: str = "") -> None:
        """Ask for a pass, if anybody takes people: somebody has come, or something has begun to take them."""
        with self.database.workspace(self.workspace_id) as conn:
            wanted = automatic.takes(conn, self.workspace_id)
        if wanted:
            hint(self.creation_queue, [IntakeWanted(workspace_id=self.workspace_id, correlation_id=correlation_id)])

    def run(self, wanted: WantedBatch, correlation_id: str = "") -> Batch:
        """Take people who are in no campaign yet, also those from before the campaigns, within hours and caps.

        Raises:
            NotFound: No such campaign.
            Conflict: Automation is off, or no campaign takes people.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            switch = intake_store.lock_switch(conn, self.workspace_id)
            campaigns = self._campaigns(conn, wanted.campaign_id, switch)
            search = Search(self.workspace_id, None, LOOKED_AT, wanted.cursor)
            people = intake_store.candidates(conn, search, campaigns)
            used = intake_store.used_today(conn, self.workspace_id, campaigns, quota_day(now))
            room = _Room(self.workspace_id, switch, campaigns, used)
            sorting = _Sorting(switch, room, fits_of(conn, campaigns, people), now)
            looked_at = sorting.sort(campaigns, people, wanted.limit)
            orders = (
                take(conn, self.workspace_id, sorting.pairs, switch.stagger_s, now)
                if sorting.pairs and not wanted.dry_run
                else {}
            )
            if not wanted.dry_run:
                detail = {"queued": len(sorting.pairs), "skipped": len(sorting.skipped)}
                act, subject = AuditAct.AUTOMATION_RUN, wanted.campaign_id
                audit.record(conn, self.workspace_id, act, now, key_id=self.key_id, subject_id=subject, detail=detail)
        hint(self.creation_queue, outgoing(orders, now, correlation_id))
        begins = {(order.contact_id, order.campaign_id): due_at for order, due_at in orders.items()}
        more = looked_at < len(people) or len(people) == LOOKED_AT
        return Batch(
            queued=tuple(
                Queued(one.contact.id, one.contact.lead_id, campaign, begins.get((one.contact.id, campaign)))
                for one, campaign in sorting.pairs
            ),
            skipped=tuple(sorting.skipped),
            next_cursor=people[looked_at - 1].contact.id if more and looked_at else None,
            dry_run=wanted.dry_run,
        )

    def _campaigns(self, conn: Connection, campaign_id: CampaignId | None, switch: Switch) -> list[Taking]:
        if campaign_id is not None and store.find(conn, campaign_id) is None:
            raise NotFound("campaign", campaign_id)
        if not switch.enabled:
            raise Conflict(OFF)
        found = intake_store.taking(conn, self.workspace_id)
        if campaign_id is not None:
            found = [campaign for campaign in found if campaign.id == campaign_id]
        if not found:
            detail = "start a campaign of type fully_automated; POST /v1/campaigns/{id}/leads gives others their leads"
            raise Conflict("no campaign takes people by itself now", (FieldProblem("/campaign_id", detail),))
        return found


class _Room:
    """What the day's caps leave."""

    def __init__(
        self,
        workspace_id: WorkspaceId,
        switch: Switch,
        campaigns: Sequence[Taking],
        used: Mapping[WorkspaceId | CampaignId, int],
    ) -> None:
        self._workspace_id = workspace_id
        caps: dict[WorkspaceId | CampaignId, int | None] = {workspace_id: switch.daily_cap}
        caps |= {campaign.id: campaign.daily_cap for campaign in campaigns}
        self._left = {scope: cap - used.get(scope, 0) for scope, cap in caps.items() if cap is not None}

    def why_none(self, campaign: Taking) -> str:
        """Whose cap is used up; "" if there is room."""
        if self._left.get(self._workspace_id, 1) <= 0:
            return "the workspace's daily cap is used up"
        return "the campaign's daily cap is used up" if self._left.get(campaign.id, 1) <= 0 else ""

    def take(self, campaign: Taking) -> None:
        """One more."""
        for scope in (self._workspace_id, campaign.id):
            if scope in self._left:
                self._left[scope] -= 1


@dataclass(slots=True)
class _Sorting:
    """Who is taken and who is not."""

    switch: Switch
    room: _Room
    fits: Fits
    now: datetime
    pairs: list[tuple[Candidate, CampaignId]] = field(default_factory=list[tuple[Candidate, CampaignId]])
    skipped: list[Skipped] = field(default_factory=list[Skipped])

    def sort(self, campaigns: Sequence[Taking], people: Sequence[Candidate], limit: int) -> int:
        """Look at people in order until ``limit`` are taken; at how many."""
        for number, one in enumerate(people):
            if len(self.pairs) >= limit:
                return number
            self._look_at(campaigns, one)
        return len(people)

    def _look_at(self, campaigns: Sequence[Taking], one: Candidate) -> None:
        if (bar := bar_to(one.contact)) is not None:
            self._skip(one, _PASSED[bar[0]], bar[1])
            return
        choice = choose(campaigns, one, self.fits)
        if not choice.campaigns:
            self._skip(one, Passed.NO_CAMPAIGN, "; ".join(choice.against) or ELSEWHERE)
        for campaign in choice.campaigns:
            zone = find_zone(one.contact.time_zone) or find_zone(campaign.brief.time_zone) or ZoneInfo("UTC")
            opens_at, why = opening(self.switch.settings, campaign.rules, campaign.brief.quiet_hours, zone, self.now)
            if opens_at is None or opens_at > self.now:
                self._skip(one, Passed.OUTSIDE_HOURS, why, opens_at)
            elif full := self.room.why_none(campaign):
                self._skip(one, Passed.CAP_USED_UP, full, next_quota_day(self.now.astimezone(UTC)))
            else:
                self.room.take(campaign)
                self.pairs.append((one, campaign.id))

    def _skip(self, one: Candidate, reason: Passed, detail: str, opens_at: datetime | None = None) -> None:
        self.skipped.append(Skipped(one.contact.id, one.contact.lead_id, reason, detail, opens_at))


_PASSED: Final = {
    Bar.UNKNOWN: Passed.UNDELIVERABLE,
    Bar.SUPPRESSED: Passed.SUPPRESSED,
    Bar.NO_ADDRESS: Passed.UNDELIVERABLE,
    Bar.UNDELIVERABLE: Passed.UNDELIVERABLE,
    Bar.REFUSED: Passed.REFUSED,
}
