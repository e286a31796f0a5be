"""The gate: one statement judges a batch of queued messages, counts the caps and claims. Never: look, then send.

Lock order: campaigns (shared), enrolments, quotas, then the outbox rows, which are never waited for. Whoever pauses or
cancels writes the campaign, and whoever ends an enrolment holds it; so a claim either committed before the stop or sees
it (I3). All that can wait comes before the judging statement, so that its snapshot is as new as its commit allows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import Any, assert_never
from uuid import UUID

from sqlalchemy import Connection, Row, text

from cadenza.core.ids import EnrolmentId, MessageId
from cadenza.core.states import CampaignStatus, Channel, EnrolmentStatus, MessageStatus, SuppressionChannel
from cadenza.core.tables.base import literals
from cadenza.delivery.model import (
    DISPOSITIONS,
    Attempt,
    Claimed,
    Content,
    Disposition,
    EarlierMail,
    Judged,
    Recipient,
    Sender,
    Stay,
    Verdict,
)
from cadenza.engine import store


@dataclass(slots=True)
class Claims:
    """What one claim made of a batch. Messages in no list were not queued, or are in other hands.

    ``enrolments`` are locked until the transaction ends.
    """

    enrolments: Mapping[EnrolmentId, store.Enrolment]
    claimed: list[Claimed] = field(default_factory=list[Claimed])
    skipped: list[Judged] = field(default_factory=list[Judged])
    waiting: list[Judged] = field(default_factory=list[Judged])
    put_off: list[Judged] = field(default_factory=list[Judged])


def claim(conn: Connection, message_ids: Sequence[MessageId], attempt: Attempt) -> Claims:
    """Judge the queued ones of the messages at ``attempt.at``; claim what may go, skip what never may.

    Six statements, whatever the size of the batch. Claimed rows are ``sending`` under the attempt's id and lease; the
    caps of their workspace, campaign and sender have been charged, on the attempt's UTC day. What waits or is put off
    stays queued, without a hint under way, and with the verdict as its reason; what is not due yet keeps its reason.
    """
    batch = {"ids": list(message_ids), "day": quota_day(attempt.at)}
    enrolment_ids: list[EnrolmentId] = list(conn.execute(_ENTER, {"ids": batch["ids"]}).scalars())
    claims = Claims(store.lock(conn, enrolment_ids, attempt.at))
    if not enrolment_ids:
        return claims
    conn.execute(_LOCK_QUOTAS, batch)
    judged = conn.execute(
        _CLAIM, {**batch, "now": attempt.at, "attempt_id": attempt.id, "lease_until": attempt.lease_until}
    ).all()
    claimed_ids: list[MessageId] = []
    for row in judged:
        verdict = Verdict(row.verdict)
        message = Judged(_stay(row), verdict, row.due_at)
        match disposition := DISPOSITIONS[verdict]:
            case Disposition.CLAIM:
                claimed_ids.append(row.id)
            case Disposition.SKIP:
                claims.skipped.append(message)
            case Disposition.WAIT:
                claims.waiting.append(message)
            case Disposition.PUT_OFF:
                claims.put_off.append(message)
            case _:
                assert_never(disposition)
    if claimed_ids:
        claims.claimed += map(_claimed, conn.execute(_CONTENT, {"ids": claimed_ids}))
    return claims


def quota_day(instant: datetime) -> str:
    """The UTC day that a message claimed at ``instant`` counts for, ISO 8601."""
    return instant.astimezone(UTC).date().isoformat()


def next_quota_day(instant: datetime) -> datetime:
    """The first instant of the next UTC day, when the daily caps begin anew."""
    return datetime.combine(instant.astimezone(UTC).date() + timedelta(days=1), time(), UTC)


# Shared, because claims do not disturb one another; a pause or a cancellation waits for them, and they for it.
_ENTER = text(f"""
    WITH wanted AS MATERIALIZED (
        SELECT enrolment_id, campaign_id FROM outbound_messages
        WHERE id = ANY(:ids) AND status = '{MessageStatus.QUEUED}'
    ), shared AS MATERIALIZED (
        SELECT id FROM campaigns WHERE id IN (SELECT campaign_id FROM wanted) ORDER BY id FOR SHARE
    )
    SELECT DISTINCT w.enrolment_id FROM wanted w JOIN shared s ON s.id = w.campaign_id
""")

SCOPES = """
    (VALUES ('workspace', m.workspace_id), ('campaign', m.campaign_id), ('sender', m.sender_id)) AS s(scope, scope_id)
"""
"""What a message ``m`` counts for."""

# The update changes nothing; it locks the row whether it was there or not, in one order for everybody.
_LOCK_QUOTAS = text(f"""
    INSERT INTO send_quota AS q (scope, scope_id, day, workspace_id, used)
    SELECT DISTINCT s.scope, s.scope_id, CAST(:day AS date), m.workspace_id, 0
    FROM (
        SELECT o.workspace_id, o.campaign_id, coalesce(o.sender_id, c.sender_id) AS sender_id
        FROM outbound_messages o JOIN campaigns c ON c.id = o.campaign_id
        WHERE o.id = ANY(:ids) AND o.status = '{MessageStatus.QUEUED}'
    ) m CROSS JOIN LATERAL {SCOPES}
    WHERE s.scope_id IS NOT NULL
    ORDER BY 1, 2
    ON CONFLICT (scope, scope_id, day) DO UPDATE SET used = q.used
""")

_SKIPPED = literals(*(verdict for verdict, disposition in DISPOSITIONS.items() if disposition is Disposition.SKIP))

_ENDED = literals(CampaignStatus.COMPLETED, CampaignStatus.CANCELLED, CampaignStatus.FAILED)

# A suppression x that forbids the message m: by its very address or number, or by a domain that it is part of.
BY_ADDRESS = f"""
    x.workspace_id = m.workspace_id AND x.address = lower(a.address) AND x.channel =
        CASE m.channel WHEN '{Channel.EMAIL}' THEN '{SuppressionChannel.EMAIL}' ELSE '{SuppressionChannel.PHONE}' END
"""
BY_DOMAIN = f"""
    x.workspace_id = m.workspace_id AND x.channel = '{SuppressionChannel.DOMAIN}' AND x.address = ANY(d.domains)
"""

# In the order of judging: the first one that holds is the verdict, and none of them means that the message may go.
_CONDITIONS: Mapping[Verdict, str] = {
    Verdict.CAMPAIGN_ENDED: f"c.status IN ({_ENDED})",
    Verdict.ENROLMENT_ENDED: f"e.status <> '{EnrolmentStatus.ACTIVE}'",
    Verdict.CAMPAIGN_NOT_RUNNING: f"c.status <> '{CampaignStatus.RUNNING}'",
    Verdict.NO_ADDRESS: "a.address = ''",
    Verdict.NO_SENDER: "s.id IS NULL",
    Verdict.SUPPRESSED: f"""
        EXISTS (SELECT FROM suppressions x WHERE {BY_ADDRESS})
        OR EXISTS (SELECT FROM suppressions x WHERE {BY_DOMAIN})
    """,
    Verdict.SENDER_PAUSED: "s.paused_at IS NOT NULL",
    Verdict.NOT_DUE: "m.due_at > :now",
    Verdict.HELD: "EXISTS (SELECT FROM holds h WHERE h.contact_id = m.contact_id AND h.until > :now)",
    Verdict.WINDOW_CLOSED: "m.closes_at <= :now",
}

_FIRST = " ".join(f"WHEN {condition} THEN '{verdict}'" for verdict, condition in _CONDITIONS.items())
EACH = ", ".join(f"CASE WHEN {condition} THEN '{verdict}' END" for verdict, condition in _CONDITIONS.items())

# What the conditions speak of, for the messages of ``candidate``.
JUDGED = f"""
    FROM candidate m
    JOIN campaigns c ON c.id = m.campaign_id
    JOIN contact_campaigns e ON e.id = m.enrolment_id
    JOIN contacts k ON k.id = m.contact_id
    LEFT JOIN sender_identities s ON s.id = coalesce(m.sender_id, c.sender_id)
    CROSS JOIN LATERAL (
        SELECT btrim(coalesce(CASE m.channel WHEN '{Channel.EMAIL}' THEN k.email ELSE k.phone END, ''))
    ) AS a(address)
    CROSS JOIN LATERAL (  -- the domain of the address and all that it is part of; none for a number
        SELECT ARRAY(SELECT array_to_string(l.labels[i:], '.') FROM generate_subscripts(l.labels, 1) AS i)
        FROM string_to_array(split_part(lower(a.address), '@', 2), '.') AS l(labels)
    ) AS d(domains)
"""

# The daily caps that the messages of ``judged`` count for; null is no cap.
CAPS = """
    SELECT 'workspace' AS scope, workspace_id AS id, daily_cap FROM automation_settings
    WHERE workspace_id IN (SELECT workspace_id FROM judged)
    UNION ALL
    SELECT 'campaign', id, daily_cap FROM campaigns WHERE id IN (SELECT campaign_id FROM judged)
    UNION ALL
    SELECT 'sender', id, daily_cap FROM sender_identities WHERE id IN (SELECT sender_id FROM judged)
"""

# The caps are walked message by message, the one that is due first first: each takes one from what its workspace,
# campaign and sender have left, if all three have something. Counting per cap at once would charge one cap for
# messages that another cap stops.
_CLAIM = text(f"""
    WITH RECURSIVE candidate AS MATERIALIZED (
        SELECT * FROM outbound_messages
        WHERE id = ANY(:ids) AND status = '{MessageStatus.QUEUED}' ORDER BY id FOR UPDATE SKIP LOCKED
    ), judged AS MATERIALIZED (
        SELECT m.id, m.enrolment_id, m.campaign_id, m.node, m.visit, m.due_at, m.workspace_id, s.id AS sender_id,
               a.address,
               CASE {_FIRST} ELSE '{Verdict.OK}' END AS verdict
        {JUDGED}
    ), cap AS (
        {CAPS}
    ), room AS (
        SELECT coalesce(jsonb_object_agg(cap.id, cap.daily_cap - q.used), '{{}}') AS remaining
        FROM cap JOIN send_quota q ON q.scope = cap.scope AND q.scope_id = cap.id AND q.day = CAST(:day AS date)
        WHERE cap.daily_cap IS NOT NULL
    ), in_line AS MATERIALIZED (
        SELECT row_number() OVER (ORDER BY due_at, id) AS place, id,
               ARRAY[workspace_id, campaign_id, sender_id]::text[] AS scope_ids
        FROM judged WHERE verdict = '{Verdict.OK}'
    ), walk AS (
        SELECT CAST(0 AS bigint) AS place, CAST(NULL AS uuid) AS id, true AS fits, remaining FROM room
        UNION ALL
        SELECT l.place, l.id, t.fits, CASE WHEN t.fits THEN w.remaining || t.taken ELSE w.remaining END
        FROM walk w
        JOIN in_line l ON l.place = w.place + 1
        CROSS JOIN LATERAL (
            SELECT coalesce(bool_and(r.n > 0), true) AS fits, coalesce(jsonb_object_agg(r.id, r.n - 1), '{{}}') AS taken
            FROM (SELECT i.id, CAST(w.remaining ->> i.id AS int) AS n FROM unnest(l.scope_ids) AS i(id)) r
            WHERE r.n IS NOT NULL
        ) t
    ), final AS MATERIALIZED (
        SELECT j.*, CASE WHEN w.fits IS FALSE THEN '{Verdict.CAP_REACHED}' ELSE j.verdict END AS ruling
        FROM judged j LEFT JOIN walk w ON w.id = j.id
    ), written AS (
        UPDATE outbound_messages m
        SET status = CASE WHEN f.ruling = '{Verdict.OK}' THEN '{MessageStatus.SENDING}'
                          WHEN f.ruling IN ({_SKIPPED}) THEN '{MessageStatus.SKIPPED}' ELSE m.status END,
            reason = CASE f.ruling WHEN '{Verdict.OK}' THEN '' WHEN '{Verdict.NOT_DUE}' THEN m.reason ELSE f.ruling END,
            finished_at = CASE WHEN f.ruling IN ({_SKIPPED}) THEN CAST(:now AS timestamptz) END,
            attempt_id = CASE WHEN f.ruling = '{Verdict.OK}' THEN CAST(:attempt_id AS uuid) END,
            lease_until = CASE WHEN f.ruling = '{Verdict.OK}' THEN CAST(:lease_until AS timestamptz) END,
            enqueued_at = CASE WHEN f.ruling = '{Verdict.OK}' THEN m.enqueued_at END,
            sender_id = coalesce(f.sender_id, m.sender_id),
            to_address = CASE WHEN f.ruling = '{Verdict.OK}' THEN f.address ELSE m.to_address END
        FROM final f WHERE m.id = f.id
    ), charged AS (
        UPDATE send_quota q SET used = q.used + t.n
        FROM (
            SELECT s.scope, s.scope_id, count(*) AS n FROM final m CROSS JOIN LATERAL {SCOPES}
            WHERE m.ruling = '{Verdict.OK}' GROUP BY 1, 2
        ) t
        WHERE q.scope = t.scope AND q.scope_id = t.scope_id AND q.day = CAST(:day AS date)
    )
    SELECT id, enrolment_id, campaign_id, node, visit, due_at, ruling AS verdict FROM final ORDER BY id
""")

_CONTENT = text(f"""
    SELECT m.id, m.enrolment_id, m.campaign_id, m.workspace_id, m.node, m.visit, m.channel, m.to_address, c.brief,
           (SELECT n FROM jsonb_array_elements(p.plan -> 'nodes') AS n WHERE n ->> 'id' = m.node LIMIT 1) AS content,
           k.name, k.first_name, k.last_name, k.title, coalesce(l.company_name, '') AS company,
           coalesce(l.domain, '') AS domain,
           s.id AS sender_id, s.email AS sender_email, s.name AS sender_name, s.reply_to, s.company AS sender_company,
           s.postal_address, s.provider,
           coalesce(
               (SELECT jsonb_agg(jsonb_build_object('id', o.id, 'domain', split_part(i.email, '@', 2),
                                 'provider', o.provider, 'provider_message_id', coalesce(o.provider_message_id, ''))
                                 ORDER BY o.visit)
                FROM outbound_messages o JOIN sender_identities i ON i.id = o.sender_id
                WHERE o.enrolment_id = m.enrolment_id AND o.visit < m.visit AND o.channel = '{Channel.EMAIL}'
                  AND o.sent_at IS NOT NULL),
               '[]') AS thread
    FROM outbound_messages m
    JOIN campaigns c ON c.id = m.campaign_id
    JOIN contact_campaigns e ON e.id = m.enrolment_id
    JOIN campaign_plans p ON p.id = e.plan_id
    JOIN contacts k ON k.id = m.contact_id
    LEFT JOIN leads l ON l.id = k.lead_id
    JOIN sender_identities s ON s.id = m.sender_id
    WHERE m.id = ANY(:ids) ORDER BY m.due_at, m.id
""")


def _stay(row: Row[Any]) -> Stay:
    return Stay(row.id, row.enrolment_id, row.campaign_id, row.node, row.visit)


def _claimed(row: Row[Any]) -> Claimed:
    node: Mapping[str, str | None] | None = row.content
    return Claimed(
        stay=_stay(row),
        workspace_id=row.workspace_id,
        channel=Channel(row.channel),
        recipient=Recipient(
            row.to_address, row.name, row.first_name, row.last_name, row.title, row.company, row.domain
        ),
        sender=Sender(
            row.sender_id,
            row.sender_email,
            row.sender_name,
            row.reply_to,
            row.sender_company,
            row.postal_address,
            row.provider,
        ),
        content=None
        if node is None
        else Content(node.get("subject") or "", node.get("body") or "", node.get("html") or ""),
        brief=row.brief,
        thread=tuple(
            EarlierMail(MessageId(UUID(mail["id"])), mail["domain"], mail["provider"], mail["provider_message_id"])
            for mail in row.thread
        ),
    )
