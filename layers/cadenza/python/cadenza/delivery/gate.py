"""The gate: one statement judges a batch of queued messages, counts the caps and claims. Never: look, then send.

Lock order: campaigns and senders (shared), enrolments, lanes (persons, domains, providers), quotas, then the outbox
rows, which are never waited for. Whoever pauses or cancels writes the campaign or the sender, and whoever ends an
enrolment holds it; so a claim either committed before the stop or sees it (I3). All that can wait comes before the
judging statement, so that its snapshot is as new as its commit allows. What is counted (I8) is locked by then: a cap by
its quota row, what persons, domains and providers have had by their lanes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, assert_never
from uuid import UUID

from sqlalchemy import Connection, Row, TextClause, text

from cadenza.contacts import permission
from cadenza.core.ids import EnrolmentId, MessageId
from cadenza.core.states import CAMPAIGN_ENDED, CampaignStatus, Channel, EnrolmentStatus, MessageStatus
from cadenza.core.tables.base import literals
from cadenza.delivery.limits import LANES, LIMITS, RECENT, SCOPES, quota_day
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


SLICE_S: Final = 4
"""How long a batch may take to be handed over at its provider's pace: ten such batches fit in the function's time."""
NO_SLICES: Final[Mapping[str, int]] = MappingProxyType({})


def claim(
    conn: Connection, message_ids: Sequence[MessageId], attempt: Attempt, slices: Mapping[str, int] = NO_SLICES
) -> Claims:
    """Judge the queued ones of the messages at ``attempt.at``; claim what may go, skip what never may.

    ``slices`` says how many mails a provider may be handed at once (in `SLICE_S`), where it has a pace.

    Seven statements, whatever the size of the batch. Claimed rows are ``sending`` under the attempt's id and lease; the
    caps of their workspace, campaign and sender have been charged, on the attempt's UTC day. What waits or is put off
    stays queued, without a hint under way, and with the verdict as its reason; what is not due yet keeps its reason.
    """
    day = quota_day(attempt.at)
    batch = {"ids": list(message_ids), "day": day}
    enrolment_ids: list[EnrolmentId] = list(conn.execute(_ENTER, {"ids": batch["ids"]}).scalars())
    claims = Claims(store.lock(conn, enrolment_ids, attempt.at))
    if not enrolment_ids:
        return claims
    conn.execute(_LANES, {"ids": batch["ids"]})
    conn.execute(_LOCK_QUOTAS, batch)
    parameters = {
        **batch,
        "first_day": day,
        "last_day": day,
        "now": attempt.at,
        "attempt_id": attempt.id,
        "lease_until": attempt.lease_until,
        "slices": json.dumps(dict(slices)),
        "slice_s": SLICE_S,
    }
    judged = conn.execute(_CLAIM, parameters).all()
    claimed_ids: list[MessageId] = []
    for row in judged:
        verdict = Verdict(row.verdict)
        message = Judged(_stay(row), verdict, row.due_at, row.clears_at, tuple(row.caps))
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
        claims.claimed += map(claimed, conn.execute(_CONTENT, {"ids": claimed_ids}))
    return claims


# Shared, because claims do not disturb one another; a pause or a cancellation waits for them, and they for it.
_ENTER = text(f"""
    WITH wanted AS MATERIALIZED (
        SELECT enrolment_id, campaign_id, sender_id FROM outbound_messages
        WHERE id = ANY(:ids) AND status = '{MessageStatus.QUEUED}'
    ), shared AS MATERIALIZED (
        SELECT id, sender_id FROM campaigns WHERE id IN (SELECT campaign_id FROM wanted) ORDER BY id FOR SHARE
    ), senders AS MATERIALIZED (
        SELECT id FROM sender_identities
        WHERE id IN (SELECT coalesce(w.sender_id, s.sender_id) FROM wanted w JOIN shared s ON s.id = w.campaign_id)
        ORDER BY id FOR SHARE
    )
    SELECT DISTINCT w.enrolment_id FROM wanted w JOIN shared s ON s.id = w.campaign_id
    WHERE (SELECT count(*) FROM senders) >= 0
""")

_LANES = text(LANES)

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

_ENDED = literals(*CAMPAIGN_ENDED)

FORBIDS = permission.forbids(workspace="m.workspace_id", channel="m.channel", address="a.address")
"""A suppression ``x`` that forbids the message."""

# In the order of judging: the first one that holds is the verdict, and none of them means that the message may go.
_CONDITIONS: Mapping[Verdict, str] = {
    Verdict.CAMPAIGN_ENDED: f"c.status IN ({_ENDED})",
    Verdict.ENROLMENT_ENDED: f"e.status <> '{EnrolmentStatus.ACTIVE}'",
    Verdict.CAMPAIGN_NOT_RUNNING: f"c.status <> '{CampaignStatus.RUNNING}'",
    Verdict.STALE: "m.due_at < c.skip_due_before",
    Verdict.NO_ADDRESS: "a.address = ''",
    Verdict.NO_SENDER: "s.id IS NULL",
    Verdict.SUPPRESSED: f"EXISTS (SELECT FROM suppressions x WHERE {FORBIDS})",
    Verdict.NO_CONSENT: permission.refused("k"),
    Verdict.SENDER_PAUSED: "s.paused_at IS NOT NULL",
    Verdict.NOT_DUE: "m.due_at > :now",
    Verdict.HELD: "EXISTS (SELECT FROM holds h WHERE h.contact_id = m.contact_id AND h.until > :now)",
    Verdict.WINDOW_CLOSED: "m.closes_at <= :now",
    Verdict.CONTACT_GAP: "p.gap_until > :now",
    Verdict.FREQUENCY: "p.frequent_until > :now",
    Verdict.DOMAIN_GAP: "q.domain_until > :now",
}

_FIRST = " ".join(f"WHEN {condition} THEN '{verdict}'" for verdict, condition in _CONDITIONS.items())
EACH = ", ".join(f"CASE WHEN {condition} THEN '{verdict}' END" for verdict, condition in _CONDITIONS.items())

# What the conditions speak of, for the messages of ``candidate``.
JUDGED = f"""
    FROM candidate m
    JOIN campaigns c ON c.id = m.campaign_id
    JOIN contact_campaigns e ON e.id = m.enrolment_id
    JOIN contacts k ON k.id = m.contact_id
    JOIN automation_settings w ON w.workspace_id = m.workspace_id
    LEFT JOIN sender_identities s ON s.id = coalesce(m.sender_id, c.sender_id)
    CROSS JOIN LATERAL (
        SELECT btrim(coalesce(CASE m.channel WHEN '{Channel.EMAIL}' THEN k.email ELSE k.phone END, ''))
    ) AS a(address)
    {RECENT}
"""

_SECOND = "interval '1 second'"

# The line is walked message by message, the one that is due first first: each takes one of everything that it counts
# for, if all of it has something left. Counting per cap at once would charge one cap for messages that another stops.
#
# ``room`` has what is left by key. A cap stands there twice: what is left of it, and (with a "+") what is left of it
# for those who have no place of their own, so that nobody overtakes who was put off. A gap leaves room for one, and a
# person or domain is counted here only if several messages of the batch want it: what went before is judged already.
_CLAIM = text(f"""
    WITH RECURSIVE candidate AS MATERIALIZED (
        SELECT * FROM outbound_messages
        WHERE id = ANY(:ids) AND status = '{MessageStatus.QUEUED}' ORDER BY id FOR UPDATE SKIP LOCKED
    ), judged AS MATERIALIZED (
        SELECT m.id, m.enrolment_id, m.campaign_id, m.contact_id, m.node, m.visit, m.due_at, m.workspace_id,
               s.id AS sender_id, s.provider, a.address, own.domain, m.booked_on = CAST(:day AS date) AS has_place,
               w.contact_gap_s, w.frequency_cap, w.frequency_days, w.domain_gap_s, p.gap_until, p.frequent_until,
               p.recent, q.domain_until,
               array_remove(ARRAY['workspace:' || m.workspace_id, 'campaign:' || m.campaign_id, 'sender:' || s.id,
                                  'provider:' || s.provider], NULL) AS caps,
               CASE {_FIRST} ELSE '{Verdict.OK}' END AS verdict
        {JUDGED}
    ), {LIMITS}, room AS (
        SELECT coalesce(jsonb_object_agg(r.key, r.n), '{{}}') AS remaining FROM (
            SELECT key, cap - used AS n FROM limits
            UNION ALL
            SELECT '+' || key, cap - used - booked FROM limits
            UNION ALL
            SELECT 'pace:' || key, CAST(value AS numeric) FROM jsonb_each_text(CAST(:slices AS jsonb))
            UNION ALL
            SELECT 'contact:' || contact_id, 1 FROM judged WHERE contact_gap_s > 0
            GROUP BY contact_id HAVING count(DISTINCT enrolment_id) > 1
            UNION ALL
            SELECT 'frequency:' || contact_id, min(frequency_cap - recent) FROM judged
            WHERE frequency_cap IS NOT NULL GROUP BY contact_id HAVING count(*) > 1
            UNION ALL
            SELECT 'domain:' || workspace_id || ':' || domain, 1 FROM judged
            WHERE domain_gap_s > 0 AND domain <> '' GROUP BY workspace_id, domain HAVING count(*) > 1
        ) r
    ), in_line AS MATERIALIZED (
        SELECT row_number() OVER (ORDER BY due_at, id) AS place, id,
               ARRAY['contact:' || contact_id, 'frequency:' || contact_id, 'domain:' || workspace_id || ':' || domain]
               || caps || CASE WHEN has_place IS TRUE THEN '{{}}'
                               ELSE ARRAY(SELECT '+' || c.key FROM unnest(caps) AS c(key)) END
               || ('pace:' || provider) AS keys
        FROM judged WHERE verdict = '{Verdict.OK}'
    ), walk AS (
        SELECT CAST(0 AS bigint) AS place, CAST(NULL AS uuid) AS id, CAST(NULL AS text) AS stopped_by, remaining
        FROM room
        UNION ALL
        SELECT l.place, l.id, t.stopped_by,
               CASE WHEN t.stopped_by IS NULL THEN w.remaining || t.taken ELSE w.remaining END
        FROM walk w
        JOIN in_line l ON l.place = w.place + 1
        CROSS JOIN LATERAL (
            SELECT (array_agg(r.key ORDER BY r.nth) FILTER (WHERE r.n < 1))[1] AS stopped_by,
                   coalesce(jsonb_object_agg(r.key, r.n - 1), '{{}}') AS taken
            FROM (SELECT i.key, i.nth, CAST(w.remaining ->> i.key AS numeric) AS n
                  FROM unnest(l.keys) WITH ORDINALITY AS i(key, nth)) r
            WHERE r.n IS NOT NULL
        ) t
    ), final AS MATERIALIZED (
        SELECT j.*, w.stopped_by,
               CASE WHEN w.stopped_by IS NULL THEN j.verdict ELSE
                   CASE split_part(w.stopped_by, ':', 1)
                       WHEN 'contact' THEN '{Verdict.CONTACT_GAP}' WHEN 'frequency' THEN '{Verdict.FREQUENCY}'
                       WHEN 'domain' THEN '{Verdict.DOMAIN_GAP}' WHEN 'pace' THEN '{Verdict.PACED}'
                       ELSE '{Verdict.CAP_REACHED}' END END AS ruling
        FROM judged j LEFT JOIN walk w ON w.id = j.id
    ), written AS (
        UPDATE outbound_messages m
        SET status = CASE WHEN f.ruling = '{Verdict.OK}' THEN '{MessageStatus.SENDING}'
                          WHEN f.ruling IN ({_SKIPPED}) THEN '{MessageStatus.SKIPPED}' ELSE m.status END,
            reason = CASE f.ruling WHEN '{Verdict.OK}' THEN '' WHEN '{Verdict.NOT_DUE}' THEN m.reason ELSE f.ruling END,
            finished_at = CASE WHEN f.ruling IN ({_SKIPPED}) THEN CAST(:now AS timestamptz) END,
            attempt_id = CASE WHEN f.ruling = '{Verdict.OK}' THEN CAST(:attempt_id AS uuid) END,
            lease_until = CASE WHEN f.ruling = '{Verdict.OK}' THEN CAST(:lease_until AS timestamptz) END,
            claimed_at = CASE WHEN f.ruling = '{Verdict.OK}' THEN CAST(:now AS timestamptz) ELSE m.claimed_at END,
            enqueued_at = CASE WHEN f.ruling = '{Verdict.OK}' THEN m.enqueued_at END,
            booked_on = CASE WHEN f.ruling IN ('{Verdict.NOT_DUE}', '{Verdict.PACED}') THEN m.booked_on END,
            sender_id = coalesce(f.sender_id, m.sender_id),
            to_address = CASE WHEN f.ruling = '{Verdict.OK}' THEN f.address ELSE m.to_address END,
            recipient_domain = CASE WHEN f.ruling = '{Verdict.OK}' THEN f.domain ELSE m.recipient_domain END
        FROM final f WHERE m.id = f.id
    ), charged AS (
        UPDATE send_quota q SET used = q.used + t.n
        FROM (
            SELECT s.scope, s.scope_id, count(*) AS n FROM final m CROSS JOIN LATERAL {SCOPES}
            WHERE m.ruling = '{Verdict.OK}' GROUP BY 1, 2
        ) t
        WHERE q.scope = t.scope AND q.scope_id = t.scope_id AND q.day = CAST(:day AS date)
    ), metered AS (
        UPDATE provider_quotas p SET claimed = p.claimed + t.n
        FROM (SELECT provider, count(*) AS n FROM final WHERE ruling = '{Verdict.OK}' GROUP BY 1) t
        WHERE p.provider = t.provider
    )
    SELECT f.id, f.enrolment_id, f.campaign_id, f.node, f.visit, f.due_at, f.ruling AS verdict, f.caps,
           CASE f.ruling  -- when what keeps it back is over, and then the turn of those before it
               WHEN '{Verdict.CONTACT_GAP}' THEN greatest(f.gap_until, f.passed_at + f.contact_gap_s * {_SECOND})
                                                 + f.behind * f.contact_gap_s * {_SECOND}
               WHEN '{Verdict.FREQUENCY}' THEN greatest(f.frequent_until, f.passed_at + 86400 * {_SECOND})
               WHEN '{Verdict.DOMAIN_GAP}' THEN greatest(f.domain_until, f.passed_at + f.domain_gap_s * {_SECOND})
                                                + f.behind * f.domain_gap_s * {_SECOND}
               WHEN '{Verdict.PACED}' THEN f.passed_at + :slice_s * {_SECOND}
                   * (1 + div(f.behind, CAST(CAST(:slices AS jsonb) ->> f.provider AS bigint)))
           END AS clears_at
    FROM (
        SELECT *, CASE WHEN stopped_by IS NOT NULL THEN CAST(:now AS timestamptz) END AS passed_at,
               row_number() OVER (
                   PARTITION BY ruling, CASE ruling WHEN '{Verdict.CONTACT_GAP}' THEN CAST(contact_id AS text)
                                                    WHEN '{Verdict.DOMAIN_GAP}' THEN workspace_id || ':' || domain
                                                    ELSE provider END
                   ORDER BY due_at, id) - 1 AS behind
        FROM final
    ) f ORDER BY f.due_at, f.id
""")


def content_query(messages: str) -> TextClause:
    """What `claimed` reads, for the messages that a query of ours selects (by the names of the outbox's columns)."""
    return text(f"""
    SELECT m.id, m.enrolment_id, m.campaign_id, m.workspace_id, m.node, m.visit, m.channel, m.to_address, c.brief,
           (SELECT n FROM jsonb_array_elements(p.plan -> 'nodes') AS n WHERE n ->> 'id' = m.node LIMIT 1) AS content,
           k.name, k.first_name, k.last_name, k.title, coalesce(l.company_name, '') AS company,
           coalesce(l.domain, '') AS domain,
           s.id AS sender_id, s.email AS sender_email, s.name AS sender_name, s.reply_to, s.company AS sender_company,
           s.postal_address, s.provider, s.provider_settings,
           coalesce(
               (SELECT jsonb_agg(jsonb_build_object('id', o.id, 'domain', split_part(i.email, '@', 2),
                                 'provider', o.provider, 'provider_message_id', coalesce(o.provider_message_id, ''))
                                 ORDER BY o.visit)
                FROM outbound_messages o JOIN sender_identities i ON i.id = o.sender_id
                WHERE o.enrolment_id = m.enrolment_id AND o.visit < m.visit AND o.channel = '{Channel.EMAIL}'
                  AND o.sent_at IS NOT NULL),
               '[]') AS thread
    FROM ({messages}) m
    JOIN campaigns c ON c.id = m.campaign_id
    JOIN contact_campaigns e ON e.id = m.enrolment_id
    JOIN campaign_plans p ON p.id = e.plan_id
    JOIN contacts k ON k.id = m.contact_id
    LEFT JOIN leads l ON l.id = k.lead_id
    JOIN sender_identities s ON s.id = m.sender_id
    ORDER BY m.due_at, m.id
""")


_CONTENT = content_query("SELECT * FROM outbound_messages WHERE id = ANY(:ids)")


def _stay(row: Row[Any]) -> Stay:
    return Stay(row.id, row.enrolment_id, row.campaign_id, row.node, row.visit)


def claimed(row: Row[Any]) -> Claimed:
    """A message with everything needed to send it, from a row of `content_query`."""
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
            row.provider_settings,
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
