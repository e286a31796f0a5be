"""What the gate would say of one send, asked without touching anything: the gate's own conditions, read only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from cadenza.core.ids import EnrolmentId, MessageId
from cadenza.core.states import CampaignStatus, Channel, SuppressionChannel
from cadenza.delivery.gate import BY_ADDRESS, BY_DOMAIN, CAPS, EACH, JUDGED, quota_day
from cadenza.delivery.model import Verdict


@dataclass(frozen=True, slots=True)
class Wanted:
    """A send to look at: a queued message, or one that its enrolment is still to queue (``message_id`` None)."""

    enrolment_id: EnrolmentId
    message_id: MessageId | None
    channel: Channel
    due_at: datetime
    closes_at: datetime | None


@dataclass(frozen=True, slots=True)
class Cap:
    """A daily cap of the workspace, the campaign or the sender, and what the UTC day has used of it."""

    scope: str
    limit: int
    used: int


@dataclass(frozen=True, slots=True)
class Suppression:
    """One that forbids the send."""

    channel: SuppressionChannel
    reason: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the campaign stands: since when and why, if it does not run; ``starts_at`` if it starts by itself."""

    status: CampaignStatus
    reason: str
    since: datetime | None
    starts_at: datetime | None


@dataclass(frozen=True, slots=True)
class Inspection:
    """What the gate would say of a send. ``verdicts`` are all that hold, in the order of judging; none: it may go.

    Caps are apart: which message is stopped by one depends on who else is in line.
    """

    verdicts: tuple[Verdict, ...]
    caps: tuple[Cap, ...]
    campaign: Standing
    suppressions: tuple[Suppression, ...]
    sender_paused_at: datetime | None
    sender_paused_reason: str


def inspect(conn: Connection, wanted: Wanted, now: datetime) -> Inspection:
    """Judge one send as the gate would at ``now``. Nothing is locked or changed. One statement."""
    parameters = {
        "enrolment_id": wanted.enrolment_id,
        "message_id": wanted.message_id,
        "channel": wanted.channel,
        "due_at": wanted.due_at,
        "closes_at": wanted.closes_at,
        "now": now,
        "day": quota_day(now),
    }
    row = conn.execute(_INSPECT, parameters).one()
    return Inspection(
        verdicts=tuple(Verdict(verdict) for verdict in row.verdicts),
        caps=tuple(Cap(cap["scope"], cap["limit"], cap["used"]) for cap in row.caps),
        campaign=Standing(CampaignStatus(row.status), row.status_reason, row.status_since, row.starts_at),
        suppressions=tuple(
            Suppression(SuppressionChannel(found["channel"]), found["reason"], datetime.fromisoformat(found["since"]))
            for found in row.suppressions
        ),
        sender_paused_at=row.sender_paused_at,
        sender_paused_reason=row.sender_paused_reason or "",
    )


_INSPECT = text(f"""
    WITH candidate AS (
        SELECT e.workspace_id, e.campaign_id, e.id AS enrolment_id, e.contact_id,
               (SELECT o.sender_id FROM outbound_messages o WHERE o.id = CAST(:message_id AS uuid)) AS sender_id,
               CAST(:channel AS text) AS channel, CAST(:due_at AS timestamptz) AS due_at,
               CAST(:closes_at AS timestamptz) AS closes_at
        FROM contact_campaigns e WHERE e.id = :enrolment_id
    ), judged AS (
        SELECT m.workspace_id, m.campaign_id, s.id AS sender_id, array_remove(ARRAY[{EACH}], NULL) AS verdicts,
               c.status, c.status_reason, c.starts_at, coalesce(c.paused_at, c.finished_at) AS status_since,
               s.paused_at AS sender_paused_at, s.paused_reason AS sender_paused_reason,
               (SELECT coalesce(jsonb_agg(jsonb_build_object('channel', x.channel, 'reason', x.reason,
                                                             'since', x.created_at) ORDER BY x.created_at), '[]')
                FROM suppressions x WHERE ({BY_ADDRESS}) OR ({BY_DOMAIN})) AS suppressions
        {JUDGED}
    ), cap AS (
        {CAPS}
    )
    SELECT j.*, (
        SELECT coalesce(jsonb_agg(jsonb_build_object('scope', cap.scope, 'limit', cap.daily_cap,
                                                     'used', coalesce(q.used, 0)) ORDER BY cap.daily_cap), '[]')
        FROM cap
        LEFT JOIN send_quota q ON q.scope = cap.scope AND q.scope_id = cap.id AND q.day = CAST(:day AS date)
        WHERE cap.daily_cap IS NOT NULL
    ) AS caps
    FROM judged j
""")
