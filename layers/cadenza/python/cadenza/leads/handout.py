"""How a long import reaches the crawler and the planner: in steps, never more at once than they can soon get to.

Ten thousand messages in one queue would keep everybody else's leads waiting behind them for hours, and a call of the
API from sending them in its 29 seconds. So an import is one message, which hands out a step and comes back. All of its
state is in the database: losing or repeating the message loses and repeats nothing, and the sweep finds an import
that nobody hands out.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection

from cadenza.core import jobs
from cadenza.core.ids import ContactId
from cadenza.core.messages import BatchTaken, PlanWanted
from cadenza.core.queues import Outgoing, delay_until
from cadenza.leads import batch_store
from cadenza.leads.ordering import order_crawls

STEP_S: Final = 30
CRAWLS: Final = 100
"""Of one import, on order or under way: some minutes of work for the analyze function at its full concurrency."""
PLANS: Final = 200
"""Of one campaign, a step. What paces them is the workspace's ``stagger_s``; this bounds a step without any."""


@dataclass(frozen=True, slots=True)
class Step:
    """What to send now. ``goes_on``: there is more, so the message itself is to come back."""

    goes_on: bool = False
    crawls: list[Outgoing] = field(default_factory=list[Outgoing])
    plans: list[Outgoing] = field(default_factory=list[Outgoing])


def step(conn: Connection, message: BatchTaken, now: datetime) -> Step:
    """Put the next crawls in the ledger, and take the plans whose turn comes until the step after this one."""
    batch = batch_store.begin_step(conn, message.batch_id, now - timedelta(seconds=STEP_S / 2), now)
    if batch is None:
        return Step()
    lead_ids = batch_store.next_leads(conn, batch.id, CRAWLS)
    crawls = order_crawls(conn, batch.workspace_id, lead_ids, now, message.correlation_id)
    plans: list[Outgoing] = []
    if batch.campaign_id is not None:
        for due in batch_store.due_plans(conn, batch.campaign_id, now + timedelta(seconds=STEP_S), PLANS):
            wanted = PlanWanted(
                workspace_id=due.workspace_id,
                campaign_id=due.campaign_id,
                contact_id=ContactId(due.contact_id),
                correlation_id=message.correlation_id,
            )
            plans.append(Outgoing(wanted, delay_until(due.due_at, now)))
    return Step(not batch_store.finish_if_done(conn, batch), crawls, plans)


def stalled(conn: Connection, now: datetime) -> list[BatchTaken]:
    """Imports whose message must have been lost."""
    found = batch_store.stalled(conn, now - jobs.LEASE)
    return [BatchTaken(workspace_id=workspace_id, batch_id=batch_id) for workspace_id, batch_id in found]
