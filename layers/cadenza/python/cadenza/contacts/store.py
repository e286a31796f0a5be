"""Contacts in SQL."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, text

from cadenza.contacts.model import ContactKind, FoundContact
from cadenza.core.ids import ContactId, LeadId, WorkspaceId, new_id


@dataclass(frozen=True, slots=True)
class Contact:
    """A person or shared mailbox of a lead. ``suppressed`` tells whether the address may never be written to."""

    id: ContactId
    lead_id: LeadId | None
    email: str
    name: str
    first_name: str
    title: str
    kind: ContactKind
    time_zone: str
    country: str
    language: str
    suppressed: bool


def upsert(
    conn: Connection, workspace_id: WorkspaceId, lead_id: LeadId, found: Sequence[FoundContact], now: datetime
) -> int:
    """Add the people found on a lead's site and return how many are new. Known addresses keep what is known of them."""
    unique = {contact.email.lower(): contact for contact in reversed(found)}
    rows = [
        contact.model_dump(mode="json", exclude={"page_url", "quote"})
        | {"id": str(new_id()), "source": {"page_url": contact.page_url, "quote": contact.quote}}
        for contact in unique.values()
    ]
    added = conn.execute(
        text("""
            INSERT INTO contacts (id, workspace_id, lead_id, email, phone, name, first_name, last_name, title,
                                  role_rank, kind, time_zone, country, language, source, created_at)
            SELECT id, :workspace_id, :lead_id, email, nullif(phone, ''), name, first_name, last_name, title, role_rank,
                   kind, time_zone, country, language, source, CAST(:now AS timestamptz)
            FROM jsonb_to_recordset(CAST(:rows AS jsonb))
                AS r(id uuid, email text, phone text, name text, first_name text, last_name text, title text,
                     role_rank int, kind text, time_zone text, country text, language text, source jsonb)
            ON CONFLICT (workspace_id, lower(email)) DO NOTHING
        """),
        {"workspace_id": workspace_id, "lead_id": lead_id, "rows": json.dumps(rows), "now": now},
    )
    return added.rowcount


_CONTACT = """
    SELECT k.id, k.lead_id, coalesce(k.email, '') AS email, k.name, k.first_name, k.title, k.kind, k.time_zone,
           k.country, k.language, EXISTS (
               SELECT FROM suppressions s
               WHERE s.workspace_id = k.workspace_id
                 AND ((s.channel = 'email' AND s.address = lower(k.email))
                   OR (s.channel = 'domain' AND s.address = split_part(lower(k.email), '@', 2)))) AS suppressed
    FROM contacts k
"""


def of_lead(conn: Connection, lead_id: LeadId) -> list[Contact]:
    """The lead's contacts that can be written to, who decides first."""
    rows = conn.execute(
        text(f"{_CONTACT} WHERE k.lead_id = :id AND k.email IS NOT NULL ORDER BY k.role_rank, k.id"), {"id": lead_id}
    )
    return [_contact(row) for row in rows.mappings()]


def find(conn: Connection, contact_id: ContactId) -> Contact | None:
    """One contact."""
    row = conn.execute(text(f"{_CONTACT} WHERE k.id = :id"), {"id": contact_id}).mappings().first()
    return None if row is None else _contact(row)


def _contact(row: RowMapping) -> Contact:
    return Contact(**{**row, "kind": ContactKind(row["kind"])})  # pyright: ignore[reportArgumentType] - _CONTACT's columns


def to_enrol(found: Sequence[Contact]) -> tuple[list[Contact], list[Contact]]:
    """Who of a lead's contacts gets a campaign, and who does not: shared mailboxes only where no person was found."""
    people = [contact for contact in found if contact.kind is ContactKind.PERSON]
    if not people:
        return list(found), []
    return people, [contact for contact in found if contact.kind is not ContactKind.PERSON]
