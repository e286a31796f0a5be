"""What an erasure does to the rows, step by step, in the order that `cadenza.campaigns.erasure` calls them."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection, text

from cadenza.campaigns.redaction import Identity
from cadenza.contacts.model import GONE
from cadenza.contacts.suppressions import ERASED
from cadenza.core.ids import ContactId, EnrolmentId, LeadId, PlanId, WorkspaceId, new_id
from cadenza.core.states import ConsentAct, EnrolmentStatus, JobStatus, MessageStatus, SuppressionChannel
from cadenza.core.tables.base import literals

ERASURE = "erasure"
"""The source of what an erasure leaves behind."""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom the erasure is about, locked until the transaction ends."""

    who: Identity
    lead_id: LeadId | None
    erased_at: datetime | None


def lock(conn: Connection, contact_id: ContactId) -> Person | None:
    """Lock the person: nobody enrols, changes or holds them meanwhile."""
    row = conn.execute(
        text("""
            SELECT coalesce(email, '') AS email, coalesce(phone, '') AS phone, name, first_name, last_name, lead_id,
                   erased_at
            FROM contacts WHERE id = :id FOR NO KEY UPDATE
        """),
        {"id": contact_id},
    ).first()
    if row is None:
        return None
    who = Identity(row.email, row.phone, row.name, row.first_name, row.last_name)
    return Person(who, row.lead_id, row.erased_at)


def enrolments(conn: Connection, contact_id: ContactId) -> dict[EnrolmentId, bool]:
    """All enrolments of the person, and whether each is open. Locks what providers have of them first, in id order."""
    conn.execute(
        text("""
            SELECT id FROM outbound_messages WHERE contact_id = :id AND status <> :queued ORDER BY id FOR UPDATE
        """),
        {"id": contact_id, "queued": MessageStatus.QUEUED},
    )
    rows = conn.execute(
        text(f"""
            SELECT id, status IN ({literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)}) AS open
            FROM contact_campaigns WHERE contact_id = :id ORDER BY id
        """),
        {"id": contact_id},
    )
    return {row.id: row.open for row in rows}


def suppress(conn: Connection, workspace_id: WorkspaceId, who: Identity, now: datetime) -> None:
    """Keep the address and the number unreachable without keeping them; the log forgets them too."""
    pairs = ((SuppressionChannel.EMAIL, who.email.lower()), (SuppressionChannel.PHONE, who.phone))
    known = [{"id": str(new_id()), "channel": channel, "address": address} for channel, address in pairs if address]
    parameters = {"workspace_id": workspace_id, "rows": json.dumps(known), "reason": ERASED, "now": now}
    conn.execute(_SUPPRESS, parameters)
    conn.execute(_FORGET_IN_LOG, parameters)


_KNOWN = "jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, channel text, address text)"

_SUPPRESS = text(f"""
    WITH cleared AS (
        DELETE FROM suppressions s USING {_KNOWN}
        WHERE s.workspace_id = :workspace_id AND s.channel = r.channel AND s.address = r.address
    )
    INSERT INTO suppressions (id, workspace_id, channel, address, reason, source, created_at)
    SELECT r.id, :workspace_id, r.channel, fingerprint(CAST(:workspace_id AS uuid), r.channel, r.address), :reason,
           '{ERASURE}', CAST(:now AS timestamptz)
    FROM {_KNOWN}
    ON CONFLICT (workspace_id, channel, address) DO NOTHING
""")

# Reasons and notes are people's own words.
_FORGET_IN_LOG = text(f"""
    UPDATE consent_log g
    SET address = fingerprint(CAST(:workspace_id AS uuid), r.channel, r.address), reason = :reason,
        was = g.was || jsonb_build_object('note', '', 'reason', CAST(:reason AS text))
    FROM {_KNOWN}
    WHERE g.workspace_id = :workspace_id AND g.channel = r.channel AND g.address = r.address
""")


def scrub_messages(conn: Connection, contact_id: ContactId) -> None:
    """Addresses and subjects of all messages, and what providers reported in their own words, are gone; ids stay.

    By the mark in ``to_address`` delivery knows later that nothing about the person may be written down again.
    """
    conn.execute(
        text("""
            UPDATE outbound_messages SET to_address = :gone, subject = '', recipient_domain = '' WHERE contact_id = :id
        """),
        {"id": contact_id, "gone": GONE},
    )
    conn.execute(
        text("""
            UPDATE message_events v SET payload = '{}' FROM outbound_messages m
            WHERE m.contact_id = :id AND v.message_id = m.id
        """),
        {"id": contact_id},
    )


def end_jobs(conn: Connection, contact_id: ContactId, now: datetime) -> None:
    """Plans on order are not made any more; what is being made finds nobody to write to."""
    conn.execute(
        text("""
            UPDATE jobs SET status = :skipped, reason = 'the person was erased', finished_at = :now
            WHERE contact_id = :id AND status = :queued
        """),
        {"id": contact_id, "now": now, "skipped": JobStatus.SKIPPED, "queued": JobStatus.QUEUED},
    )
    # What a model has said about them so far, kept for an attempt that will not come.
    conn.execute(text("DELETE FROM ai_calls WHERE contact_id = :id AND answer IS NOT NULL"), {"id": contact_id})


# --- plans -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Tombstone:
    """What stands in a plan's place."""

    plan_id: PlanId
    hash: str
    version: str
    plan: Mapping[str, JsonValue]


def own_plans(conn: Connection, contact_id: ContactId) -> dict[PlanId, dict[str, JsonValue]]:
    """Plans that were written for this person and that nobody else runs on: others who were erased do not count.

    A campaign's own plan, from its template or workflow, was written for everybody.
    """
    rows = conn.execute(
        text("""
            SELECT p.id, p.plan FROM campaign_plans p
            WHERE p.id IN (SELECT plan_id FROM contact_campaigns WHERE contact_id = :id
                           UNION SELECT CAST(j.result ->> 'plan_id' AS uuid) FROM jobs j
                           WHERE j.contact_id = :id AND j.result ? 'plan_id'
                           UNION SELECT g.plan_id FROM approval_log g JOIN contact_campaigns e ON e.id = g.enrolment_id
                           WHERE e.contact_id = :id)
              AND NOT EXISTS (SELECT FROM contact_campaigns e JOIN contacts k ON k.id = e.contact_id
                              WHERE e.plan_id = p.id AND k.id <> :id AND k.erased_at IS NULL)
              AND NOT EXISTS (SELECT FROM campaigns c WHERE c.plan_id = p.id)
            ORDER BY p.id
        """),
        {"id": contact_id},
    )
    return {row.id: row.plan for row in rows}


def bury(conn: Connection, workspace_id: WorkspaceId, stones: Sequence[Tombstone], now: datetime) -> None:
    """Put the tombstones in the plans' places. Two people's plans may leave the same one."""
    if not stones:
        return
    rows = [
        {"id": str(new_id()), "old": str(stone.plan_id), "hash": stone.hash, "version": stone.version}
        | {"plan": dict(stone.plan)}
        for stone in stones
    ]
    parameters = {"workspace_id": workspace_id, "rows": json.dumps(rows), "now": now}
    for statement in (_STONES, _MOVE_TO_STONES, _DELETE_PLANS):
        conn.execute(statement, parameters)


_BURIED = "jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, old uuid, hash text, version text, plan jsonb)"

_STONES = text(f"""
    INSERT INTO campaign_plans (id, workspace_id, hash, version, plan, source, created_at)
    SELECT DISTINCT ON (r.hash) r.id, :workspace_id, r.hash, r.version, r.plan, '{ERASURE}', CAST(:now AS timestamptz)
    FROM {_BURIED} ORDER BY r.hash, r.id
    ON CONFLICT (workspace_id, hash) DO NOTHING
""")

_MOVE_TO_STONES = text(f"""
    UPDATE contact_campaigns e SET plan_id = p.id
    FROM {_BURIED} JOIN campaign_plans p ON p.workspace_id = :workspace_id AND p.hash = r.hash
    WHERE e.plan_id = r.old
""")

# A plan that is its own tombstone stays.
_DELETE_PLANS = text(f"""
    DELETE FROM campaign_plans p USING {_BURIED} WHERE p.id = r.old AND p.hash <> r.hash
""")


# --- what is about others too ------------------------------------------------------------------------------------

# Where a person may stand among others, or in somebody's own words; each with whose rows are looked at.
_PLACES: Mapping[str, tuple[str, str]] = {
    "lead_pages.page": ("bigint", "lead_id = :lead_id"),
    "lead_analyses.report": ("uuid", "lead_id = :lead_id"),
    "contacts.source": ("uuid", "lead_id = :lead_id AND id <> :contact_id"),
    "jobs.result": ("uuid", "contact_id = :contact_id OR lead_id = :lead_id"),
}
_WORDS: Mapping[str, tuple[str, str]] = {
    "jobs.reason": ("uuid", "contact_id = :contact_id OR lead_id = :lead_id"),
    "job_retries.reason": (
        "bigint",
        "job_id IN (SELECT id FROM jobs WHERE contact_id = :contact_id OR lead_id = :lead_id)",
    ),
    "outbound_messages.reason": ("uuid", "contact_id = :contact_id"),
    "contact_campaigns.reason": ("uuid", "contact_id = :contact_id"),
    "approval_log.reason": (
        "uuid",
        "enrolment_id IN (SELECT id FROM contact_campaigns WHERE contact_id = :contact_id)",
    ),
    # A day's answers of the whole workspace: they are not kept by whom they are about.
    "idempotency_keys.answer": (
        "bigint",
        "answer <> '' AND workspace_id = (SELECT workspace_id FROM contacts WHERE id = :contact_id)",
    ),
}


def redact(
    conn: Connection, contact_id: ContactId, lead_id: LeadId | None, without: Callable[[JsonValue], JsonValue]
) -> None:
    """Take the person out of what is about others too. One statement reads, one a kind of place writes."""
    changed: defaultdict[str, list[dict[str, JsonValue]]] = defaultdict(list)
    for row in conn.execute(_READ, {"contact_id": contact_id, "lead_id": lead_id}):
        value: JsonValue = row.value
        if (clean := without(value)) != value:
            changed[row.place].append({"id": row.id, "value": clean})
    for place, rows in changed.items():
        conn.execute(_WRITE[place], {"rows": json.dumps(rows)})


def _reading(place: str, whose: str) -> str:
    table, _, column = place.partition(".")
    return f"SELECT '{place}' AS place, CAST(id AS text) AS id, to_jsonb({column}) AS value FROM {table} WHERE {whose}"


def _writing(place: str, key: str, value: str) -> str:
    table, _, column = place.partition(".")
    return f"""
        UPDATE {table} t SET {column} = {value}
        FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id {key}, value jsonb) WHERE t.id = r.id
    """


_READ = text(" UNION ALL ".join(_reading(place, whose) for place, (_, whose) in (_PLACES | _WORDS).items()))
_WRITE = {place: text(_writing(place, key, "r.value")) for place, (key, _) in _PLACES.items()} | {
    place: text(_writing(place, key, "r.value #>> '{}'")) for place, (key, _) in _WORDS.items()
}


# --- the person --------------------------------------------------------------------------------------------------


def forget(conn: Connection, contact_id: ContactId, now: datetime) -> None:
    """What the person was known by is gone; the row stays, so that the audit has somebody to be about."""
    conn.execute(text("DELETE FROM holds WHERE contact_id = :id"), {"id": contact_id})
    conn.execute(text("DELETE FROM legacy_ids WHERE new_id = :id"), {"id": contact_id})
    conn.execute(
        text("""
            UPDATE contacts
            SET email = NULL, phone = NULL, name = '', first_name = '', last_name = '', title = '', time_zone = '',
                country = '', language = '', source = '{}', consent_basis = DEFAULT, consent_source = '',
                consent_at = NULL, erased_at = :now
            WHERE id = :id
        """),
        {"id": contact_id, "now": now},
    )


def log(
    conn: Connection, workspace_id: WorkspaceId, contact_id: ContactId, reason: str, key_id: UUID, now: datetime
) -> None:
    """Write down that the person was erased, by whom and why."""
    conn.execute(
        text(f"""
            INSERT INTO consent_log (id, workspace_id, act, contact_id, reason, key_id, at)
            VALUES (:id, :workspace_id, '{ConsentAct.ERASED}', :contact_id, :reason, :key_id, :now)
        """),
        {
            "id": new_id(),
            "workspace_id": workspace_id,
            "contact_id": contact_id,
            "reason": reason,
            "key_id": key_id,
            "now": now,
        },
    )
