"""When a campaign is complete: every enrolment, every message, every lead and every job of it is final (I4).

One that takes new contacts by itself is not, until its intake is closed; one whose intake is closed needs to have had
nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import CampaignId
from cadenza.core.states import (
    MESSAGE_OPEN,
    TURN_OPEN,
    CampaignStatus,
    CampaignType,
    CompanyOrder,
    EnrolmentStatus,
    JobStatus,
    LeadStatus,
)
from cadenza.core.tables.base import literals
from cadenza.leads import turns

_NOBODY_OPEN: Final = f"""
    NOT EXISTS (SELECT FROM contact_campaigns e
                WHERE e.campaign_id = c.id AND e.status IN ('{EnrolmentStatus.DRAFT}', '{EnrolmentStatus.ACTIVE}'))
"""


def completer(database: Database, clock: Clock) -> Callable[[Sequence[CampaignId]], None]:
    """A function that completes those of the given campaigns that are done; call it after the commit."""

    def complete(campaigns: Sequence[CampaignId]) -> None:
        if campaigns:
            with database.worker() as conn:
                complete_campaigns(conn, campaigns, clock())

    return complete


def complete_campaigns(conn: Connection, ids: Sequence[CampaignId] | None, now: datetime) -> list[CampaignId]:
    """Complete the running campaigns among ``ids`` (None: all) of which everything is final (I4).

    The lock first, so that nobody adds a lead meanwhile, then the check on a new snapshot; in between, who is next of
    the companies whose people are taken one after another. Run it in a transaction of its own after the one that ended
    something: of two that end the last two things, the later one sees both. While somebody's enrolment is open, and
    nobody waits for their turn, nothing is locked: claims share that lock, and an outcome in the middle of a campaign
    is none of their business. Zero rows: something is still open, or the campaign does not run.
    """
    candidates = conn.execute(
        text(f"""
            SELECT id FROM campaigns c
            WHERE status = '{CampaignStatus.RUNNING}' AND (CAST(:all AS boolean) OR id = ANY(:ids))
              AND (c.company_order = '{CompanyOrder.ONE_AFTER_ANOTHER}' OR {_NOBODY_OPEN})
            ORDER BY id FOR UPDATE
        """),
        {"all": ids is None, "ids": list(ids or ())},
    ).scalars()
    running = list(candidates)
    turns.settle(conn, running, now, everywhere=ids is None)
    rows = conn.execute(_COMPLETE, {"ids": running, "now": now})
    return [row.id for row in rows]


_COMPLETE = text(f"""
    UPDATE campaigns c SET status = '{CampaignStatus.COMPLETED}', finished_at = :now, updated_at = :now
    WHERE c.id = ANY(:ids)
      AND (c.intake_closed_at IS NOT NULL
           OR (c.type <> '{CampaignType.FULLY_AUTOMATED}'
               AND (EXISTS (SELECT FROM campaign_leads l WHERE l.campaign_id = c.id)
                    OR EXISTS (SELECT FROM jobs j WHERE j.campaign_id = c.id))))
      AND {_NOBODY_OPEN}
      AND NOT EXISTS (
          SELECT FROM outbound_messages m WHERE m.campaign_id = c.id AND m.status IN ({literals(*MESSAGE_OPEN)}))
      AND NOT EXISTS (
          SELECT FROM campaign_leads l JOIN leads d ON d.id = l.lead_id
          WHERE l.campaign_id = c.id
            AND d.status NOT IN ({literals(LeadStatus.ANALYZED, LeadStatus.FAILED)}))
      AND NOT EXISTS (
          SELECT FROM jobs j
          WHERE j.campaign_id = c.id AND j.status IN ({literals(JobStatus.QUEUED, JobStatus.ACTIVE)}))
      AND NOT EXISTS (
          SELECT FROM campaign_turns t WHERE t.campaign_id = c.id AND t.status IN ({literals(*TURN_OPEN)}))
    RETURNING c.id
""")
