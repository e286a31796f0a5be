"""What the gate would say of one send, asked without touching anything: the gate's own conditions, read only."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from cadenza.core.ids import EnrolmentId, MessageId
from cadenza.core.states import CampaignStatus, Channel, SuppressionChannel
from cadenza.delivery.gate import EACH, FORBIDS, JUDGED
from cadenza.delivery.limits import LIMITS, quota_day
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
    """A cap of the workspace, the campaign, the sender (with its warm-up) or the provider.

    ``used`` is what the UTC day has used of it, ``booked`` what is promised to messages that were put off to it. A
    provider counts any 24 hours instead.
    """

    scope: str
    limit: int
    used: int
    booked: int


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
    has_place: bool
    """Whether the message has a place of its own in today's caps."""
    gap_until: datetime | None
    frequent_until: datetime | None
    domain_until: datetime | None

    def full(self, cap: Cap) -> bool:
        """Whether the cap has nothing left for this send."""
        return cap.used + (0 if self.has_place else cap.booked) >= cap.limit


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
        "first_day": quota_day(now),
        "last_day": quota_day(now),
    }
    row = conn.execute(_INSPECT, parameters).one()
    return Inspection(
        verdicts=tuple(Verdict(verdict) for verdict in row.verdicts),
        caps=tuple(Cap(cap["scope"], cap["limit"], cap["used"], cap["booked"]) for cap in row.caps),
        campaign=Standing(CampaignStatus(row.status), row.status_reason, row.status_since, row.starts_at),
        suppressions=tuple(
            Suppression(SuppressionChannel(found["channel"]), found["reason"], datetime.fromisoformat(found["since"]))
            for found in row.suppressions
        ),
        sender_paused_at=row.sender_paused_at,
        sender_paused_reason=row.sender_paused_reason or "",
        has_place=bool(row.has_place),
        gap_until=row.gap_until,
        frequent_until=row.frequent_until,
        domain_until=row.domain_until,
    )


_INSPECT = text(f"""
    WITH candidate AS (
        SELECT e.workspace_id, e.campaign_id, e.id AS enrolment_id, e.contact_id,
               o.sender_id, o.booked_on,
               CAST(:channel AS text) AS channel, CAST(:due_at AS timestamptz) AS due_at,
               CAST(:closes_at AS timestamptz) AS closes_at
        FROM contact_campaigns e LEFT JOIN outbound_messages o ON o.id = CAST(:message_id AS uuid)
        WHERE e.id = :enrolment_id
    ), judged AS (
        SELECT m.workspace_id, m.campaign_id, s.id AS sender_id, s.provider,
               array_remove(ARRAY[{EACH}], NULL) AS verdicts,
               c.status, c.status_reason, c.starts_at, coalesce(c.paused_at, c.finished_at) AS status_since,
               s.paused_at AS sender_paused_at, s.paused_reason AS sender_paused_reason,
               m.booked_on = CAST(:day AS date) AS has_place, p.gap_until, p.frequent_until, q.domain_until,
               (SELECT coalesce(jsonb_agg(jsonb_build_object('channel', x.channel, 'reason', x.reason,
                                                             'since', x.created_at) ORDER BY x.created_at), '[]')
                FROM suppressions x WHERE {FORBIDS}) AS suppressions
        {JUDGED}
    ), {LIMITS}
    SELECT j.*, (
        SELECT coalesce(jsonb_agg(jsonb_build_object('scope', scope, 'limit', cap, 'used', used, 'booked', booked)
                                  ORDER BY cap), '[]')
        FROM limits
    ) AS caps
    FROM judged j
""")
