"""Campaigns that start by themselves: nobody polls for them, and a lost message delays them until the next sweep.

A message with its exact delay starts each. Those that start later than a queue can hold back are found by the wake of
their bucket. What counts is the campaign's own row: it starts once, and not before its instant.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from cadenza.campaigns.service import Campaigns
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import CampaignId
from cadenza.core.states import CampaignStatus
from cadenza.engine.apply import SOON
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.service import SWEEP_HORIZON
from cadenza.engine.wakes import BUCKET


@dataclass(frozen=True, slots=True)
class ScheduledStarts:
    """The scheduled campaigns of all workspaces."""

    database: Database
    dispatcher: Dispatcher
    clock: Clock
    public_url: str

    def wake(self, bucket: datetime) -> None:
        """Hand on the campaigns that start in ``bucket``, each for its instant, and those that are overdue."""
        with self.database.worker() as conn:
            found = _scheduled(conn, bucket + BUCKET)
        self.dispatcher.start_at(found, self.clock())

    def sweep(self) -> None:
        """Hand on what starts soon or is overdue, and renew the wakes of what starts before the next sweep but one."""
        now = self.clock()
        with self.database.worker() as conn:
            found = _scheduled(conn, now + SWEEP_HORIZON)
        self.dispatcher.renew((at for _, at in found if at > now + SOON), now)
        self.dispatcher.start_at(((one, at) for one, at in found if at <= now + SOON), now)

    def start(self, campaign_id: CampaignId) -> None:
        """Start the campaign if its instant has come. What is asked for early is asked for again at its time."""
        now = self.clock()
        with self.database.worker() as conn:
            row = conn.execute(_ONE, {"id": campaign_id}).first()
        if row is None:
            return
        if row.starts_at > now:
            self.dispatcher.start_at([(campaign_id, row.starts_at)], now)
            return
        campaigns = Campaigns(self.database, self.dispatcher, row.workspace_id, None, self.clock, self.public_url)
        campaigns.start_if_due(campaign_id)


def _scheduled(conn: Connection, until: datetime) -> list[tuple[CampaignId, datetime]]:
    return [(row.id, row.starts_at) for row in conn.execute(_DUE, {"until": until})]


_DUE = text(f"""
    SELECT id, starts_at FROM campaigns
    WHERE status = '{CampaignStatus.SCHEDULED}' AND starts_at < :until ORDER BY starts_at, id
""")

_ONE = text(f"""
    SELECT workspace_id, starts_at FROM campaigns WHERE id = :id AND status = '{CampaignStatus.SCHEDULED}'
""")
