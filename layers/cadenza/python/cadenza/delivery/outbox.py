"""The outbox after the claim: how attempts end, what is put off, and what nobody has heard of again.

Every move is guarded by the states that `MESSAGE_MOVES` allows it from. What an end means for the enrolment is returned
as stimuli, for `cadenza.engine.apply.apply` in the same transaction. Lock order: outbox rows in id order, then (by
``apply``) enrolments, then quotas.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

from sqlalchemy import Connection, text

from cadenza.contacts.model import GONE
from cadenza.core.ids import EnrolmentId, MessageId, SenderId
from cadenza.core.states import (
    MESSAGE_MOVES,
    CampaignStatus,
    EnrolmentStatus,
    MessageStatus,
    UnknownPolicy,
    sources,
)
from cadenza.core.tables.base import literals
from cadenza.delivery.limits import SCOPES, quota_day
from cadenza.delivery.model import LEASE, Ambiguous, Attempt, Deferral, DueMessage, Rejected, Result, Sent
from cadenza.engine import model as engine

LIMIT = 1000
"""Rows a sweeping statement takes at most."""

UNKNOWN = "unknown"
"""The reason of a message of which nobody will ever know whether it was sent."""

Stimuli = list[tuple[EnrolmentId, engine.Stimulus]]

_TO_SENT = literals(*sources(MESSAGE_MOVES, MessageStatus.SENT))


# --- the end of an attempt ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Recorded:
    """What `record` moved. ``refused`` did not go out: what they took from the caps is to be given back."""

    stimuli: Stimuli
    refused: list[MessageId]


def record(conn: Connection, attempt: Attempt, results: Sequence[Result]) -> Recorded:
    """Write down how the attempt's messages ended.

    Zero rows moved for a message: an event of its provider has settled it, or its lease ran out and the bound with it;
    then only the provider's id is kept. An ambiguous one stays as it is, with its reason.
    """
    recorded = Recorded([], [])
    if not results:
        return recorded
    parameters = {"rows": json.dumps([_row(result) for result in results]), "attempt_id": attempt.id}
    open_ids = set(conn.execute(_RECORD, parameters).scalars())
    for result in results:
        stay = result.claimed.stay
        if stay.message_id not in open_ids:
            continue
        match result.outcome:
            case Sent():
                recorded.stimuli.append((stay.enrolment_id, engine.Sent(stay.node, stay.visit, result.at)))
            case Rejected(reason):
                ended = engine.NotSent(stay.node, stay.visit, result.at, engine.SendOutcome.REJECTED, reason)
                recorded.stimuli.append((stay.enrolment_id, ended))
                recorded.refused.append(stay.message_id)
            case Ambiguous():
                pass
            case _:
                assert_never(result.outcome)
    return recorded


_RECORD = text(f"""
    WITH r AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(CAST(:rows AS jsonb))
            AS r(id uuid, status text, at timestamptz, provider text, provider_message_id text, subject text,
                 reason text)
    ), own AS MATERIALIZED (
        SELECT m.id, m.attempt_id = :attempt_id AND m.status IN ({_TO_SENT}) AS open, m.to_address = '{GONE}' AS erased
        FROM outbound_messages m
        WHERE m.id IN (SELECT id FROM r) ORDER BY m.id FOR UPDATE
    ), written AS (
        UPDATE outbound_messages m
        SET status = CASE WHEN own.open THEN coalesce(r.status, m.status) ELSE m.status END,
            sent_at = CASE WHEN own.open AND r.status = '{MessageStatus.SENT}' THEN r.at ELSE m.sent_at END,
            finished_at = CASE WHEN own.open AND r.status IS NOT NULL THEN r.at ELSE m.finished_at END,
            reason = CASE WHEN NOT own.open THEN m.reason WHEN own.erased AND r.reason <> '' THEN '{GONE}'
                          ELSE r.reason END,
            claimed_at = CASE WHEN own.open AND r.status = '{MessageStatus.FAILED}' THEN NULL ELSE m.claimed_at END,
            provider = r.provider,
            provider_message_id = coalesce(r.provider_message_id, m.provider_message_id),
            subject = CASE WHEN own.erased THEN '' ELSE r.subject END
        FROM own JOIN r USING (id) WHERE m.id = own.id
    )
    SELECT id FROM own WHERE open
""")


def _row(result: Result) -> dict[str, str | None]:
    status, provider_message_id, reason = _written(result)
    return {
        "id": str(result.claimed.stay.message_id),
        "status": status,
        "at": result.at.isoformat(),
        "provider": result.claimed.sender.provider,
        "provider_message_id": provider_message_id,
        "subject": result.subject,
        "reason": reason,
    }


def _written(result: Result) -> tuple[MessageStatus | None, str | None, str]:
    """New status (None: it stays), the provider's id, the reason."""
    match result.outcome:
        case Sent(provider_message_id):
            return MessageStatus.SENT, provider_message_id, ""
        case Rejected(reason):
            return MessageStatus.FAILED, None, reason
        case Ambiguous(reason):
            return None, None, reason
        case _:
            assert_never(result.outcome)


def release(conn: Connection, attempt: Attempt, reasons: Mapping[MessageId, str]) -> list[MessageId]:
    """Queue messages again that were certainly not taken, and say why; which moved. Zero rows: the lease ran out.

    They count as due and unhinted, so that the next requeue finds them if the caller's own retry does not come. What
    they took from the caps is to be given back.
    """
    if not reasons:
        return []
    rows = [{"id": str(message_id), "reason": reason} for message_id, reason in reasons.items()]
    return list(conn.execute(_RELEASE, {"rows": json.dumps(rows), "attempt_id": attempt.id}).scalars())


_RELEASE = text(f"""
    WITH own AS MATERIALIZED (
        SELECT m.id, r.reason
        FROM outbound_messages m JOIN jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, reason text) USING (id)
        WHERE m.attempt_id = :attempt_id AND m.status = '{MessageStatus.SENDING}'
        ORDER BY m.id FOR UPDATE OF m
    )
    UPDATE outbound_messages m
    SET status = '{MessageStatus.QUEUED}', attempt_id = NULL, lease_until = NULL, enqueued_at = NULL, claimed_at = NULL,
        reason = own.reason
    FROM own WHERE m.id = own.id RETURNING m.id
""")


def give_back(conn: Connection, attempt: Attempt, message_ids: Sequence[MessageId]) -> None:
    """Give back what messages that did not go out took from the caps of the attempt's day: once each, after apply."""
    if message_ids:
        conn.execute(_GIVE_BACK, {"ids": list(message_ids), "day": quota_day(attempt.at)})


_GIVE_BACK = text(f"""
    WITH back AS (
        SELECT s.scope, s.scope_id, count(*) AS n FROM outbound_messages m CROSS JOIN LATERAL {SCOPES}
        WHERE m.id = ANY(:ids) GROUP BY 1, 2
    ), locked AS MATERIALIZED (
        SELECT q.scope, q.scope_id, back.n FROM send_quota q JOIN back USING (scope, scope_id)
        WHERE q.day = CAST(:day AS date) ORDER BY q.scope, q.scope_id FOR UPDATE OF q
    ), metered AS (
        UPDATE provider_quotas p SET claimed = p.claimed - own.n
        FROM (
            SELECT s.provider, count(*) AS n FROM outbound_messages m JOIN sender_identities s ON s.id = m.sender_id
            WHERE m.id = ANY(:ids) GROUP BY 1
        ) own
        WHERE p.provider = own.provider AND (SELECT count(*) FROM locked) > 0  -- quotas are locked first
    )
    UPDATE send_quota q SET used = q.used - locked.n FROM locked
    WHERE q.scope = locked.scope AND q.scope_id = locked.scope_id AND q.day = CAST(:day AS date)
""")


# --- what is put off ---------------------------------------------------------------------------------------------


def defer(conn: Connection, deferrals: Sequence[Deferral]) -> None:
    """Give queued messages their new windows. Zero rows: claimed or withdrawn meanwhile."""
    if deferrals:
        rows = [
            {
                "id": str(deferral.id),
                "due_at": deferral.due_at.isoformat(),
                "closes_at": deferral.closes_at.isoformat() if deferral.closes_at else None,
                "reason": deferral.reason,
                "booked_on": deferral.booked_on.isoformat() if deferral.booked_on else None,
            }
            for deferral in deferrals
        ]
        conn.execute(_DEFER, {"rows": json.dumps(rows)})


_DEFER = text(f"""
    UPDATE outbound_messages m
    SET due_at = r.due_at, closes_at = r.closes_at, reason = r.reason, enqueued_at = NULL,
        booked_on = coalesce(r.booked_on, m.booked_on)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id uuid, due_at timestamptz, closes_at timestamptz, reason text, booked_on date)
    WHERE m.id = r.id AND m.status = '{MessageStatus.QUEUED}'
""")


def bring_back(conn: Connection, sender_id: SenderId, now: datetime) -> list[MessageId]:
    """The queued messages of a sender that is resumed: for the caller to hint at.

    What came due meanwhile is due again one after the other, the one that was due first first: a second apart, or less
    where an hour would not hold them all. So a pause does not end in a burst.
    """
    return list(conn.execute(_BRING_BACK, {"sender_id": sender_id, "now": now}).scalars())


_BRING_BACK = text(f"""
    WITH waiting AS MATERIALIZED (
        SELECT m.id, m.due_at FROM campaigns c
        JOIN outbound_messages m ON m.campaign_id = c.id AND m.status = '{MessageStatus.QUEUED}'
        WHERE coalesce(m.sender_id, c.sender_id) = :sender_id
        ORDER BY m.id FOR UPDATE OF m
    ), overdue AS (
        SELECT id, row_number() OVER (ORDER BY due_at, id) - 1 AS before, count(*) OVER () AS n
        FROM waiting WHERE due_at < :now
    ), moved AS (
        UPDATE outbound_messages m
        SET due_at = CAST(:now AS timestamptz) + o.before * least(1.0, 3600.0 / o.n) * interval '1 second'
        FROM overdue o WHERE m.id = o.id
    )
    SELECT id FROM waiting ORDER BY due_at, id
""")


def requeue(conn: Connection, until: datetime, lost_before: datetime, now: datetime) -> tuple[DueMessage, ...]:
    """Queued messages due before ``until`` that have no hint under way, or whose hint is older than ``lost_before``.

    They count as hinted from ``now`` on; the caller sends the hints. `LIMIT` at most, the one due first first. Messages
    of campaigns that do not run and of paused senders are left alone. Zero rows: nothing is due, or somebody else is
    hinting at it.
    """
    rows = conn.execute(_REQUEUE, {"until": until, "lost_before": lost_before, "now": now})
    return tuple(DueMessage(row.id, row.due_at) for row in rows)


_REQUEUE = text(f"""
    WITH due AS MATERIALIZED (
        SELECT m.id FROM outbound_messages m
        JOIN campaigns c ON c.id = m.campaign_id
        LEFT JOIN sender_identities s ON s.id = coalesce(m.sender_id, c.sender_id)
        WHERE m.status = '{MessageStatus.QUEUED}' AND m.due_at < :until
          AND (m.enqueued_at IS NULL OR m.enqueued_at < :lost_before)
          AND c.status <> '{CampaignStatus.PAUSED}' AND s.paused_at IS NULL
        ORDER BY m.due_at, m.id LIMIT {LIMIT} FOR UPDATE OF m SKIP LOCKED
    )
    UPDATE outbound_messages m SET enqueued_at = :now FROM due WHERE m.id = due.id RETURNING m.id, m.due_at
""")


def pending_dues(conn: Connection, until: datetime) -> list[datetime]:
    """One due instant a 15-minute bucket in which a message without a hint is due before ``until``."""
    rows = conn.execute(
        text(f"""
            SELECT min(due_at) FROM outbound_messages
            WHERE status = '{MessageStatus.QUEUED}' AND due_at < :until AND enqueued_at IS NULL
            GROUP BY date_bin('15 minutes', due_at, 'epoch')
        """),
        {"until": until},
    )
    return list(rows.scalars())


# --- what nobody has heard of again ------------------------------------------------------------------------------


def expire_leases(conn: Connection, now: datetime) -> int:
    """Messages whose attempt has outlived its lease become unknown; how many. Zero rows: all attempts ended in time."""
    return conn.execute(_EXPIRE, {"now": now}).rowcount


_EXPIRE = text(f"""
    WITH dead AS MATERIALIZED (
        SELECT id FROM outbound_messages WHERE status = '{MessageStatus.SENDING}' AND lease_until < :now
        ORDER BY id LIMIT {LIMIT} FOR UPDATE SKIP LOCKED
    )
    UPDATE outbound_messages m
    SET status = '{MessageStatus.UNKNOWN}', reason = coalesce(nullif(m.reason, ''), 'no answer within the lease')
    FROM dead WHERE m.id = dead.id
""")


@dataclass(frozen=True, slots=True)
class Settled:
    """What `settle_unknown` moved. ``resent`` are queued again, and count as hinted: the caller sends the hints."""

    count: int
    stimuli: Stimuli
    resent: tuple[DueMessage, ...]


def settle_unknown(conn: Connection, now: datetime) -> Settled:
    """Unknown messages that stayed so past their workspace's bound end as its `UnknownPolicy` says.

    The bound runs from the end of the lease; an event of the provider would have settled them. Sent again is a message
    once, and only while its enrolment is active; otherwise it fails. Zero rows: nothing is unknown for so long.
    """
    stimuli: Stimuli = []
    resent: list[DueMessage] = []
    rows = conn.execute(_SETTLE_UNKNOWN, {"now": now, "lease": LEASE}).all()
    for row in rows:
        match policy := UnknownPolicy(row.policy):
            case UnknownPolicy.FAIL:
                ended = engine.NotSent(row.node, row.visit, now, engine.SendOutcome.UNKNOWN, UNKNOWN)
                stimuli.append((row.enrolment_id, ended))
            case UnknownPolicy.ASSUME_SENT:
                stimuli.append((row.enrolment_id, engine.Sent(row.node, row.visit, row.sent_at)))
            case UnknownPolicy.RESEND:
                resent.append(DueMessage(row.id, row.due_at))
            case _:
                assert_never(policy)
    return Settled(len(rows), stimuli, tuple(resent))


# What is sent again is judged by the gate anew, and charged anew: the first attempt may have used up its caps, too.
_SETTLE_UNKNOWN = text(f"""
    WITH unheard AS MATERIALIZED (
        SELECT m.id, CASE WHEN s.unknown_policy = '{UnknownPolicy.RESEND}'
                               AND (m.resends > 0 OR e.status <> '{EnrolmentStatus.ACTIVE}')
                          THEN '{UnknownPolicy.FAIL}' ELSE s.unknown_policy END AS policy
        FROM outbound_messages m
        JOIN contact_campaigns e ON e.id = m.enrolment_id
        JOIN automation_settings s ON s.workspace_id = m.workspace_id
        WHERE m.status = '{MessageStatus.UNKNOWN}'
          AND m.lease_until < CAST(:now AS timestamptz) - s.unknown_bound_s * interval '1 second'
        ORDER BY m.id LIMIT {LIMIT} FOR UPDATE OF m SKIP LOCKED
    )
    UPDATE outbound_messages m
    SET status = CASE u.policy WHEN '{UnknownPolicy.ASSUME_SENT}' THEN '{MessageStatus.SENT}'
                               WHEN '{UnknownPolicy.RESEND}' THEN '{MessageStatus.QUEUED}'
                               ELSE '{MessageStatus.FAILED}' END,
        reason = CASE u.policy WHEN '{UnknownPolicy.FAIL}' THEN '{UNKNOWN}' ELSE '{UNKNOWN}: ' || u.policy END,
        sent_at = CASE WHEN u.policy = '{UnknownPolicy.ASSUME_SENT}'
                       THEN coalesce(m.claimed_at, m.lease_until - CAST(:lease AS interval)) END,
        finished_at = CASE WHEN u.policy <> '{UnknownPolicy.RESEND}' THEN CAST(:now AS timestamptz) END,
        attempt_id = CASE WHEN u.policy <> '{UnknownPolicy.RESEND}' THEN m.attempt_id END,
        lease_until = CASE WHEN u.policy <> '{UnknownPolicy.RESEND}' THEN m.lease_until END,
        enqueued_at = CASE WHEN u.policy = '{UnknownPolicy.RESEND}' THEN CAST(:now AS timestamptz)
                           ELSE m.enqueued_at END,
        resends = m.resends + CASE WHEN u.policy = '{UnknownPolicy.RESEND}' THEN 1 ELSE 0 END
    FROM unheard u WHERE m.id = u.id
    RETURNING m.id, m.enrolment_id, m.node, m.visit, m.sent_at, m.due_at, u.policy
""")
