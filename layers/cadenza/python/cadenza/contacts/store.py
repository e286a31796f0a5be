"""Contacts in SQL."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, RowMapping, insert, text, update

from cadenza.contacts.addresses import email
from cadenza.contacts.model import ContactKind, FoundContact
from cadenza.contacts.permission import erased, refused, suppressed
from cadenza.core.ids import ContactId, LeadId, WorkspaceId, new_id
from cadenza.core.states import UNDELIVERABLE, AddressCheck, SuppressionChannel
from cadenza.core.tables import contacts


@dataclass(frozen=True, slots=True)
class Contact:
    """A person or shared mailbox of a lead.

    ``suppressed`` tells whether they may never be written to, ``refused`` whether the workspace's policy for their
    country asks for more consent than there is.
    """

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
    address_check: AddressCheck
    suppressed: bool
    refused: bool


def upsert(
    conn: Connection, workspace_id: WorkspaceId, lead_id: LeadId, found: Sequence[FoundContact], now: datetime
) -> int:
    """Add the people found on a lead's site and return how many are new.

    Known addresses keep what is known of them. Those of erased people are not stored again, nor are their numbers.
    """
    unique = {email(contact.email).lower(): contact for contact in reversed(found)}
    rows = [
        contact.model_dump(mode="json", exclude={"page_url", "quote"})
        | {"id": str(new_id()), "email": email(contact.email)}
        | {"source": {"page_url": contact.page_url, "quote": contact.quote}}
        for contact in unique.values()
    ]
    added = conn.execute(
        text(f"""
            INSERT INTO contacts (id, workspace_id, lead_id, email, phone, name, first_name, last_name, title,
                                  role_rank, kind, time_zone, country, language, source, address_check,
                                  address_checked_at, created_at)
            SELECT id, :workspace_id, :lead_id, email, CASE WHEN NOT {_erased_phone("r.phone")} THEN r.phone END, name,
                   first_name, last_name, title, role_rank, kind, time_zone, country, language, source, address_check,
                   CASE WHEN address_check <> :unchecked THEN CAST(:now AS timestamptz) END,
                   CAST(:now AS timestamptz)
            FROM jsonb_to_recordset(CAST(:rows AS jsonb))
                AS r(id uuid, email text, phone text, name text, first_name text, last_name text, title text,
                     role_rank int, kind text, time_zone text, country text, language text, source jsonb,
                     address_check text)
            WHERE NOT {_erased_email("r.email")}
            ON CONFLICT (workspace_id, lower(email)) DO NOTHING
        """),
        {
            "workspace_id": workspace_id,
            "lead_id": lead_id,
            "rows": json.dumps(rows),
            "unchecked": AddressCheck.UNCHECKED,
            "now": now,
        },
    )
    return added.rowcount


def _erased_email(address: str) -> str:
    return erased(workspace="CAST(:workspace_id AS uuid)", channel=SuppressionChannel.EMAIL, address=address)


def _erased_phone(number: str) -> str:
    known = erased(workspace="CAST(:workspace_id AS uuid)", channel=SuppressionChannel.PHONE, address=number)
    return f"({number} = '' OR {known})"


_CONTACT = f"""
    SELECT k.id, k.lead_id, coalesce(k.email, '') AS email, k.name, k.first_name, k.title, k.kind, k.time_zone,
           k.country, k.language, k.address_check, {suppressed("k")} AS suppressed, {refused("k")} AS refused
    FROM contacts k
"""


def of_lead(conn: Connection, lead_id: LeadId) -> list[Contact]:
    """The lead's contacts that can be written to, who decides first."""
    rows = conn.execute(
        text(f"{_CONTACT} WHERE k.lead_id = :id AND k.email IS NOT NULL ORDER BY k.role_rank, k.id"), {"id": lead_id}
    )
    return [_contact(row) for row in rows.mappings()]


def of_leads(conn: Connection, lead_ids: Sequence[LeadId]) -> list[Contact]:
    """As `of_lead`, of many leads."""
    rows = conn.execute(
        text(f"{_CONTACT} WHERE k.lead_id = ANY(:ids) AND k.email IS NOT NULL ORDER BY k.lead_id, k.role_rank, k.id"),
        {"ids": list(lead_ids)},
    )
    return [_contact(row) for row in rows.mappings()]


def find(conn: Connection, contact_id: ContactId, *, lock: bool = False) -> Contact | None:
    """One contact; ``lock`` keeps them from being erased until the transaction ends."""
    query = f"{_CONTACT} WHERE k.id = :id" + (" FOR SHARE OF k" if lock else "")
    row = conn.execute(text(query), {"id": contact_id}).mappings().first()
    return None if row is None else _contact(row)


def find_all(conn: Connection, contact_ids: Sequence[ContactId]) -> dict[ContactId, Contact]:
    """Those of the contacts that there are; none is erased until the transaction ends."""
    query = f"{_CONTACT} WHERE k.id = ANY(:ids) ORDER BY k.id FOR SHARE OF k"
    found = map(_contact, conn.execute(text(query), {"ids": list(contact_ids)}).mappings())
    return {contact.id: contact for contact in found}


def _contact(row: RowMapping) -> Contact:
    typed = {"kind": ContactKind(row["kind"]), "address_check": AddressCheck(row["address_check"])}
    return Contact(**{**row, **typed})  # pyright: ignore[reportArgumentType] - _CONTACT's columns


def erased_ones(conn: Connection, workspace_id: WorkspaceId, email_address: str, number: str) -> list[str]:
    """Which of the two belonged to somebody whose data was erased: ``email``, ``phone``. "" belongs to nobody."""
    parameters = {"workspace_id": workspace_id, "email": email_address, "phone": number}
    row = conn.execute(_ERASED_ONES, parameters).mappings().one()
    return [name for name, found in row.items() if found]


_ERASED_ONES = text(f"""
    SELECT :email <> '' AND {_erased_email("CAST(:email AS text)")} AS email,
           :phone <> '' AND {_erased_phone("CAST(:phone AS text)")} AS phone
""")


def add(conn: Connection, workspace_id: WorkspaceId, values: Mapping[str, object], now: datetime) -> ContactId:
    """Add a person by hand. ``values`` are columns; violates ``uq_contacts_workspace_id_email`` for a known address."""
    contact_id = ContactId(new_id())
    row = {"source": {"added": "by hand"}, **values}
    conn.execute(insert(contacts), {"id": contact_id, "workspace_id": workspace_id, "created_at": now, **row})
    return contact_id


@dataclass(frozen=True, slots=True)
class Reach:
    """How a person is reached, locked until the transaction ends."""

    email: str | None
    phone: str | None
    erased_at: datetime | None


def lock(conn: Connection, contact_id: ContactId) -> Reach | None:
    """Lock a person against changes and erasure; None if there is no such contact."""
    query = text("SELECT email, phone, erased_at FROM contacts WHERE id = :id FOR NO KEY UPDATE")
    row = conn.execute(query, {"id": contact_id}).first()
    return None if row is None else Reach(row.email, row.phone, row.erased_at)


def change(conn: Connection, contact_id: ContactId, values: Mapping[str, object]) -> None:
    """Change columns of a person that the caller has locked. Of a new address nothing is known yet."""
    if "email" in values:
        values = {**values, "address_check": AddressCheck.UNCHECKED, "address_checked_at": None}
    if values:
        conn.execute(update(contacts).where(contacts.c.id == contact_id).values(**values))


def to_enrol(found: Sequence[Contact]) -> tuple[list[Contact], list[Contact]]:
    """Who of a lead's contacts gets a campaign, and who does not: shared mailboxes only where no person can be reached.

    Addresses that take no mail are among the first: their planning job says why nothing is planned.
    """
    dead = {contact.id for contact in found if contact.address_check in UNDELIVERABLE}
    people = {contact.id for contact in found if contact.kind is ContactKind.PERSON}
    if not people - dead:
        return list(found), []
    return [c for c in found if c.id in people | dead], [c for c in found if c.id not in people | dead]


def address_to_check(conn: Connection, contact_id: ContactId, *, known_since: datetime) -> str | None:
    """The contact's address, unless it has one of which something has been known since then."""
    query = text("""
        SELECT email FROM contacts
        WHERE id = :id AND email IS NOT NULL
          AND (address_check IN (:unchecked, :unknown) OR coalesce(address_checked_at < :since, true))
    """)
    parameters = {
        "id": contact_id,
        "unchecked": AddressCheck.UNCHECKED,
        "unknown": AddressCheck.UNKNOWN,
        "since": known_since,
    }
    return conn.execute(query, parameters).scalar()


def note_address_check(
    conn: Connection, contact_id: ContactId, address: str, check: AddressCheck, now: datetime
) -> None:
    """Write down what is known of an address. Zero rows: the contact has another one now."""
    conn.execute(
        text("""
            UPDATE contacts SET address_check = :check, address_checked_at = :now WHERE id = :id AND email = :address
        """),
        {"id": contact_id, "address": address, "check": check, "now": now},
    )
