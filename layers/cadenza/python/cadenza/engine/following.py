"""Enrolments follow their campaign, a bounded part at a time: a start makes approved drafts active, an end ends all.

The campaign's own row is what counts, and it has moved before: nothing of a campaign that does not run is claimed.
What is left to follow is found by the states themselves, so a lost hint delays it and no more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, Row, text

from cadenza.core.ids import CampaignId, EnrolmentId
from cadenza.core.states import APPROVAL_GIVEN, CAMPAIGN_ENDED, CampaignStatus, EnrolmentStatus, MessageStatus
from cadenza.core.tables.base import literals
from cadenza.engine.apply import FollowUp, apply
from cadenza.engine.model import Enrol, Halt, Stimulus

CHUNK: Final = 1000
"""Enrolments of one transaction: about half a second."""


@dataclass(frozen=True, slots=True)
class Followed:
    """What came of one part. ``more``: others may be left."""

    follow_up: FollowUp
    more: bool


def follow(conn: Connection, campaign_id: CampaignId, now: datetime) -> Followed:
    """Let up to `CHUNK` enrolments follow their campaign, in id order.

    Nothing is done for a campaign that neither runs nor has ended. The lock on the campaign holds off its next move.
    """
    found = conn.execute(_LEFT_BEHIND, {"id": campaign_id}).all()
    return Followed(apply(conn, [_stimulus(row, now) for row in found], now), more=len(found) == CHUNK)


def left_behind(conn: Connection) -> Sequence[CampaignId]:
    """Campaigns with enrolments that have not followed yet."""
    return list(conn.execute(_CAMPAIGNS).scalars())


def pending_dues(conn: Connection, campaign_id: CampaignId) -> Sequence[datetime]:
    """One due instant for each 15-minute bucket in which a running campaign has something to do."""
    return list(conn.execute(_PENDING_DUES, {"id": campaign_id}).scalars())


def _stimulus(row: Row[tuple[object, ...]], now: datetime) -> tuple[EnrolmentId, Stimulus]:
    status: str = row.status
    if status == CampaignStatus.RUNNING:
        return row.id, Enrol()
    return row.id, Halt(now, cause=f"campaign_{status}", reason=row.status_reason or f"campaign {status}")


_READY = f"e.status = '{EnrolmentStatus.DRAFT}' AND e.approval IN ({literals(*APPROVAL_GIVEN)})"
_OPEN = f"e.status IN ({literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)})"
_IS_ENDED = f"c.status IN ({literals(*CAMPAIGN_ENDED)})"

_LEFT_BEHIND = text(f"""
    WITH campaign AS MATERIALIZED (SELECT id, status, status_reason FROM campaigns WHERE id = :id FOR SHARE)
    SELECT e.id, c.status, c.status_reason FROM campaign c JOIN contact_campaigns e ON e.campaign_id = c.id AND {_OPEN}
    WHERE (c.status = '{CampaignStatus.RUNNING}' AND {_READY}) OR {_IS_ENDED}
    ORDER BY e.id LIMIT {CHUNK} FOR UPDATE OF e
""")

_PENDING_DUES = text(f"""
    SELECT min(h.due_at) FROM (
        SELECT a.due_at FROM scheduled_actions a WHERE a.campaign_id = :id
        UNION ALL
        SELECT m.due_at FROM outbound_messages m WHERE m.campaign_id = :id AND m.status = '{MessageStatus.QUEUED}'
    ) h
    WHERE EXISTS (SELECT FROM campaigns WHERE id = :id AND status = '{CampaignStatus.RUNNING}')
    GROUP BY date_bin('15 minutes', h.due_at, 'epoch')
""")

_CAMPAIGNS = text(f"""
    SELECT c.id FROM campaigns c
    WHERE (c.status = '{CampaignStatus.RUNNING}'
           AND EXISTS (SELECT FROM contact_campaigns e WHERE e.campaign_id = c.id AND {_READY}))
       OR ({_IS_ENDED} AND EXISTS (SELECT FROM contact_campaigns e WHERE e.campaign_id = c.id AND {_OPEN}))
    ORDER BY c.id
""")
