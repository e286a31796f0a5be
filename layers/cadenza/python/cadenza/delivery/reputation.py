"""Reputation: who bounces or is complained about too often is paused, before the providers do it for everybody.

What counts is the messages of the last days that went out since a person last resumed the campaign or the sender:
resuming says that the cause is mended, so what it caused is not held against it again. Bounces are hard ones, as
providers count them. A rate is a verdict only over enough messages, and one event never is.

SES reviews an account at 5 % bounces or 0.1 % complaints (SES developer guide, "reputation metrics"); the defaults of
``automation_settings`` stay below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.db import Database
from cadenza.core.ids import MessageId
from cadenza.core.log import get_logger
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import CAMPAIGN_MOVES, CampaignStatus, MessageStatus, sources
from cadenza.core.tables.base import literals

Scope = Literal["campaign", "sender"]

EVENT: Final = "reputation.paused"
"""The log line of an automatic pause: an alarm counts it (infra/monitoring.py)."""

MIN_EVENTS: Final = 2
"""One bounce or complaint is an accident, whatever its share."""

BAD: Final = (SignalKind.BOUNCED, SignalKind.COMPLAINED)


@dataclass(frozen=True, slots=True)
class Paused:
    """A campaign or sender that was paused, and why."""

    scope: Scope
    id: UUID
    reason: str


def guard(database: Database, signals: Sequence[SignalReported], now: datetime) -> None:
    """After a batch of signals is recorded: pause those of its campaigns and senders whose rates are too high.

    A transaction of its own, because it locks campaigns, which come first in the order of locks. Safe to repeat: it
    judges what stands recorded, whether or not the signals are new.
    """
    about = sorted({signal.message_id for signal in signals if signal.kind in BAD})
    if not about:
        return
    with database.worker() as conn:
        paused = judge(conn, about, now)
    for one in paused:
        get_logger().error(EVENT, scope=one.scope, id=str(one.id), reason=one.reason)


def judge(conn: Connection, about: Sequence[MessageId], now: datetime) -> list[Paused]:
    """Pause the campaigns and senders of the messages whose rates are too high. Two statements, or one.

    Zero rows paused: no rate is too high, or somebody has paused or ended them already.
    """
    rows = conn.execute(_RATES, {"ids": list(about), "now": now}).all()
    bad = {(row.scope, row.id): _reason(row.sent, row.bounced, row.complained, row.bounces_too_much) for row in rows}
    if not bad:
        return []
    scopes = [scope for scope, _ in bad]
    parameters = {"scopes": scopes, "ids": [key for _, key in bad], "reasons": list(bad.values()), "now": now}
    return [Paused(row.scope, row.id, row.reason) for row in conn.execute(_PAUSE, parameters)]


def _reason(sent: int, bounced: int, complained: int, bounces_too_much: bool) -> str:
    what, n = ("bounced", bounced) if bounces_too_much else ("brought complaints", complained)
    return f"paused automatically: {n} of {sent} messages {what} ({n / sent:.2%})"


# Sent comes from the counts of the caps, a row a day; bounced and complained from the few messages that did.
_RATES = text(f"""
    WITH own AS (
        SELECT DISTINCT s.scope, s.id, m.workspace_id, m.campaign_id, m.sender_id
        FROM outbound_messages m
        CROSS JOIN LATERAL (VALUES ('campaign', m.campaign_id), ('sender', m.sender_id)) AS s(scope, id)
        WHERE m.id = ANY(:ids) AND s.id IS NOT NULL
    ), subject AS (
        SELECT DISTINCT o.scope, o.id, o.workspace_id, w.max_bounce_percent, w.max_complaint_percent,
               w.reputation_min_sent, r.since
        FROM own o
        JOIN automation_settings w ON w.workspace_id = o.workspace_id
        JOIN campaigns c ON c.id = o.campaign_id
        LEFT JOIN sender_identities i ON i.id = o.sender_id
        CROSS JOIN LATERAL (SELECT greatest(
            date_trunc('day', CAST(:now AS timestamptz), 'UTC') - (w.reputation_days - 1) * interval '24 hours',
            CASE o.scope WHEN 'campaign' THEN c.resumed_at ELSE i.resumed_at END)) AS r(since)
        WHERE CASE o.scope WHEN 'campaign' THEN c.status = '{CampaignStatus.RUNNING}' ELSE i.paused_at IS NULL END
    ), counted AS (
        SELECT s.*,
               (SELECT coalesce(sum(q.used - q.forgiven), 0) FROM send_quota q
                WHERE q.scope = s.scope AND q.scope_id = s.id
                  AND q.day >= CAST(s.since AT TIME ZONE 'UTC' AS date)) AS sent,
               e.bounced, e.complained
        FROM subject s
        CROSS JOIN LATERAL (
            SELECT count(*) FILTER (WHERE EXISTS (
                       SELECT FROM message_events v
                       WHERE v.message_id = m.id AND v.kind = '{SignalKind.BOUNCED}' AND v.hard)) AS bounced,
                   count(*) FILTER (WHERE m.status = '{MessageStatus.COMPLAINED}') AS complained
            FROM outbound_messages m
            WHERE m.status IN ('{MessageStatus.BOUNCED}', '{MessageStatus.COMPLAINED}') AND m.claimed_at >= s.since
              AND m.campaign_id IN (SELECT c.id FROM campaigns c WHERE CASE s.scope
                                        WHEN 'campaign' THEN c.id = s.id ELSE c.workspace_id = s.workspace_id END)
              AND (s.scope = 'campaign' OR m.sender_id = s.id)
        ) e
    )
    SELECT scope, id, sent, bounced, complained,
           coalesce(bounced >= {MIN_EVENTS} AND bounced * 100 >= max_bounce_percent * sent, false) AS bounces_too_much
    FROM counted
    WHERE sent >= reputation_min_sent
      AND ((bounced >= {MIN_EVENTS} AND bounced * 100 >= max_bounce_percent * sent)
           OR (complained >= {MIN_EVENTS} AND complained * 100 >= max_complaint_percent * sent))
""")

# The moves that an operator's pause makes. Campaigns come first in the order of locks.
_PAUSE = text(f"""
    WITH bad AS (
        SELECT * FROM unnest(CAST(:scopes AS text[]), CAST(:ids AS uuid[]), CAST(:reasons AS text[]))
            AS b(scope, id, reason)
    ), running AS MATERIALIZED (
        SELECT c.id, b.reason FROM campaigns c JOIN bad b ON b.scope = 'campaign' AND c.id = b.id
        WHERE c.status IN ({literals(*sources(CAMPAIGN_MOVES, CampaignStatus.PAUSED))})
        ORDER BY c.id FOR UPDATE OF c
    ), sending AS MATERIALIZED (
        SELECT s.id, b.reason FROM sender_identities s JOIN bad b ON b.scope = 'sender' AND s.id = b.id
        WHERE s.paused_at IS NULL AND (SELECT count(*) FROM running) >= 0
        ORDER BY s.id FOR UPDATE OF s
    ), campaign AS (
        UPDATE campaigns c
        SET status = '{CampaignStatus.PAUSED}', status_reason = r.reason, paused_at = CAST(:now AS timestamptz),
            updated_at = :now
        FROM running r WHERE c.id = r.id RETURNING c.id, r.reason
    ), sender AS (
        UPDATE sender_identities s SET paused_at = CAST(:now AS timestamptz), paused_reason = r.reason
        FROM sending r WHERE s.id = r.id RETURNING s.id, r.reason
    )
    SELECT 'campaign' AS scope, id, reason FROM campaign UNION ALL SELECT 'sender', id, reason FROM sender
""")


def forgive(conn: Connection, scope: Scope, scope_id: UUID) -> None:
    """What has been sent so far no longer counts: a person has resumed the scope. Its ``resumed_at`` is the rest."""
    conn.execute(
        text("UPDATE send_quota SET forgiven = used WHERE scope = :scope AND scope_id = :scope_id"),
        {"scope": scope, "scope_id": scope_id},
    )
