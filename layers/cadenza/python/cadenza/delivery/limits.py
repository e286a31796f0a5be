"""What a message counts for, and what bounds it: daily caps with their ramps, a provider's quota, gaps, frequency.

Fragments of SQL for the gate, for whoever looks ahead and for whoever explains: of messages ``m`` of ``judged``, and
of ``span``, the UTC days in question. A *key* names one thing that is counted: ``sender:<id>``, ``provider:<name>``.

A day is the UTC day: a workspace writes to people in many zones, so no zone's midnight is everybody's, and a sender, a
provider and a campaign must agree on one day for one statement to count them all.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from cadenza.contacts.addresses import MAILBOX_PROVIDERS
from cadenza.core.states import CampaignStatus, Channel, MessageStatus


def quota_day(instant: datetime) -> str:
    """The UTC day that a message claimed at ``instant`` counts for, ISO 8601."""
    return instant.astimezone(UTC).date().isoformat()


def next_quota_day(instant: datetime) -> datetime:
    """The first instant of the next UTC day, when the daily caps begin anew."""
    return day_start(instant.astimezone(UTC).date() + timedelta(days=1))


def day_start(day: date) -> datetime:
    """The first instant of a UTC day."""
    return datetime.combine(day, time(), UTC)


SCOPES: Final = """
    (VALUES ('workspace', m.workspace_id), ('campaign', m.campaign_id), ('sender', m.sender_id)) AS s(scope, scope_id)
"""
"""What a message ``m`` is counted for, day by day."""


# --- gaps and frequency --------------------------------------------------------------------------------------------

_SHARED = ", ".join(f"'{domain}'" for domain in MAILBOX_PROVIDERS)

DOMAIN: Final = f"""
    (SELECT CASE WHEN m.channel = '{Channel.EMAIL}' AND d NOT IN ({_SHARED}) THEN d ELSE '' END
     FROM split_part(lower(btrim(coalesce(k.email, ''))), '@', 2) AS d)
"""
"""The domain that a mail ``m`` to the contact ``k`` is counted for; "" for none."""

RECENT: Final = f"""
    CROSS JOIN LATERAL {DOMAIN} AS own(domain)
    CROSS JOIN LATERAL (  -- what the person has had: from other campaigns' enrolments for the gap, from all for the cap
        SELECT max(h.claimed_at) FILTER (WHERE h.enrolment_id <> m.enrolment_id)
                   + w.contact_gap_s * interval '1 second' AS gap_until,
               (array_agg(h.claimed_at ORDER BY h.claimed_at DESC))[w.frequency_cap]
                   + w.frequency_days * interval '24 hours' AS frequent_until,
               count(*) FILTER (WHERE h.claimed_at > CAST(:now AS timestamptz)
                                                     - w.frequency_days * interval '24 hours') AS recent
        FROM outbound_messages h WHERE h.contact_id = m.contact_id AND h.claimed_at IS NOT NULL
    ) p
    CROSS JOIN LATERAL (
        SELECT max(h.claimed_at) + w.domain_gap_s * interval '1 second' AS domain_until
        FROM outbound_messages h
        WHERE w.domain_gap_s > 0 AND h.workspace_id = m.workspace_id AND h.recipient_domain <> ''
          AND h.recipient_domain = own.domain
    ) q
"""
"""Until when what a message's person and domain have had lately keeps it back; null: not at all.

Needs ``m``, its contact ``k``, the workspace's settings ``w``, and ``:now``.
"""

LANES: Final = f"""
    WITH wanted AS MATERIALIZED (
        SELECT m.contact_id, m.workspace_id, {DOMAIN} AS domain, s.provider,
               w.contact_gap_s > 0 OR w.frequency_cap IS NOT NULL AS by_contact, w.domain_gap_s > 0 AS by_domain,
               EXISTS (SELECT FROM provider_quotas p WHERE p.provider = s.provider) AS by_provider
        FROM outbound_messages m
        JOIN campaigns c ON c.id = m.campaign_id
        JOIN contacts k ON k.id = m.contact_id
        JOIN automation_settings w ON w.workspace_id = m.workspace_id
        LEFT JOIN sender_identities s ON s.id = coalesce(m.sender_id, c.sender_id)
        WHERE m.id = ANY(:ids) AND m.status = '{MessageStatus.QUEUED}'
    ), lane AS MATERIALIZED (
        SELECT DISTINCT hashtextextended(l.name, 0) AS key
        FROM wanted m CROSS JOIN LATERAL (VALUES
            (CASE WHEN m.by_contact THEN 'contact:' || m.contact_id END),
            (CASE WHEN m.by_domain AND m.domain <> '' THEN 'domain:' || m.workspace_id || ':' || m.domain END),
            (CASE WHEN m.by_provider THEN 'provider:' || m.provider END)
        ) AS l(name)
        WHERE l.name IS NOT NULL ORDER BY 1
    )
    SELECT pg_advisory_xact_lock(key) FROM lane
"""
"""One at a time for each person, domain and provider of the batch, in one order for everybody.

They are locked by name: what is counted for them stands in the outbox, and no row of theirs is there to be locked. Two
names of one hash only wait for one another.
"""


# --- caps --------------------------------------------------------------------------------------------------------

_STEPS_KEPT: Final = 730
"""Days after which a ramp has surely reached its ceiling; it keeps the power below from overflowing."""

_RAMP: Final = f"""
    CASE WHEN s.warm_up ->> 'starts_on' IS NOT NULL THEN (
        SELECT least(CAST(s.warm_up ->> 'ceiling' AS numeric),
                     floor(CAST(s.warm_up ->> 'first_day' AS numeric)
                           * power(CAST(s.warm_up ->> 'factor' AS numeric), n.days)
                           + CAST(s.warm_up ->> 'step' AS numeric) * n.days))
        FROM (SELECT CAST(least(greatest(span.day - CAST(s.warm_up ->> 'starts_on' AS date), 0), {_STEPS_KEPT})
                          AS numeric)) AS n(days)
    ) END
"""
"""What the warm-up of a sender ``s`` allows on a day; before its start as on its first day."""

_CAPS: Final = f"""
    SELECT 'workspace' AS scope, w.workspace_id AS id, span.day, CAST(w.daily_cap AS numeric) AS cap
    FROM automation_settings w CROSS JOIN span WHERE w.workspace_id IN (SELECT workspace_id FROM judged)
    UNION ALL
    SELECT 'campaign', c.id, span.day, c.daily_cap
    FROM campaigns c CROSS JOIN span WHERE c.id IN (SELECT campaign_id FROM judged)
    UNION ALL
    SELECT 'sender', s.id, span.day, least(s.daily_cap, {_RAMP})
    FROM sender_identities s CROSS JOIN span WHERE s.id IN (SELECT sender_id FROM judged)
"""

LIMITS: Final = f"""
    span AS (
        SELECT CAST(:first_day AS date) + n AS day
        FROM generate_series(0, CAST(:last_day AS date) - CAST(:first_day AS date)) AS n
    ), booked AS MATERIALIZED (  -- who waits for a place of theirs; those that a pause keeps back hold no place
        SELECT b.key, m.booked_on AS day, count(*) AS n
        FROM sender_identities s
        JOIN outbound_messages m ON m.sender_id = s.id
        JOIN campaigns c ON c.id = m.campaign_id
        CROSS JOIN LATERAL (VALUES ('workspace:' || m.workspace_id), ('campaign:' || m.campaign_id),
                                   ('sender:' || m.sender_id), ('provider:' || s.provider)) AS b(key)
        WHERE m.status = '{MessageStatus.QUEUED}'
          AND m.booked_on BETWEEN CAST(:first_day AS date) AND CAST(:last_day AS date)
          AND c.status = '{CampaignStatus.RUNNING}' AND s.paused_at IS NULL
          AND (s.workspace_id IN (SELECT workspace_id FROM judged)
               OR s.provider IN (SELECT provider FROM provider_quotas WHERE a_day IS NOT NULL))
        GROUP BY 1, 2
    ), cap AS (
        SELECT c.scope, c.scope || ':' || c.id AS key, c.day, c.cap, coalesce(q.used, 0) AS used
        FROM ({_CAPS}) c
        LEFT JOIN send_quota q ON q.scope = c.scope AND q.scope_id = c.id AND q.day = c.day
        WHERE c.cap IS NOT NULL
        UNION ALL  -- a provider counts any 24 hours: what it has left now is known from its last reading, if not stale
        SELECT 'provider', 'provider:' || p.provider, span.day, p.a_day,
               CASE WHEN span.day = CAST(:day AS date) THEN p.a_day - (p.allowed - p.claimed) ELSE 0 END
        FROM provider_quotas p CROSS JOIN span
        WHERE p.a_day IS NOT NULL AND p.read_at >= CAST(:day AS date) - 1
          AND p.provider IN (SELECT provider FROM judged)
    ), limits AS (
        SELECT cap.scope, cap.key, cap.day, cap.cap, cap.used, coalesce(b.n, 0) AS booked
        FROM cap LEFT JOIN booked b ON b.key = cap.key AND b.day = cap.day
    )
"""
"""The caps on the messages of ``judged``, a row a key and day: how much, what is used of it, and what is promised.

``:day`` is today; the days go from ``:first_day`` to ``:last_day``.
"""
