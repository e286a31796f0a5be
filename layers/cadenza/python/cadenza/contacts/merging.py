"""People that operators bring in lists: each address once, known people completed and never overwritten."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, text

from cadenza.contacts.people import NewContact
from cadenza.contacts.permission import erased, suppressed
from cadenza.core.ids import ContactId, LeadId, WorkspaceId, new_id
from cadenza.core.states import ConsentBasis, SuppressionChannel


@dataclass(frozen=True, slots=True)
class Brought:
    """Somebody on a list: ``line`` tells which row it was, and stands in the contact's source.

    ``lead_id`` None: of no site that is known.
    """

    line: int
    lead_id: LeadId | None
    contact: NewContact


class Merging(StrEnum):
    """What became of somebody on a list."""

    CREATED = "created"
    MERGED = "merged"
    """The address or number was known, from before or from an earlier row."""
    ERASED = "erased"
    """The address or number belonged to somebody whose data was erased: it is not stored again."""


@dataclass(frozen=True, slots=True)
class Merged:
    """An outcome. ``same_as`` is the earlier line with the same person; ``fields`` are those of an erased person.

    ``elsewhere``: they are a contact of another lead, and stay there. ``suppressed``: they may never be written to.
    """

    outcome: Merging
    contact_id: ContactId | None = None
    same_as: int | None = None
    fields: tuple[str, ...] = ()
    elsewhere: bool = False
    suppressed: bool = False


def merge(
    conn: Connection, workspace_id: WorkspaceId, brought: Sequence[Brought], source: Mapping[str, str], now: datetime
) -> dict[int, Merged]:
    """Take people in; by line, what became of them. Four statements, however many there are.

    What is known of somebody stays; what is not known yet is added: a name, a number, a ground to write on where none
    is recorded. Who is suppressed stays so. ``source`` is kept with who is new. The leads are locked by the caller.
    """
    first, same_as = _by_person(brought)
    if not first:
        return {}
    parameters = {"workspace_id": workspace_id, "rows": json.dumps([_row(x, source) for x in first.values()])}
    gone = {row.line: row for row in conn.execute(_ERASED, parameters)}
    stored = {key: x for key, x in first.items() if x.line not in gone}
    parameters["rows"] = json.dumps([_row(x, source) for x in stored.values()])
    rows = [*conn.execute(_BY_EMAIL, parameters | {"now": now}), *conn.execute(_BY_PHONE, parameters | {"now": now})]
    forbidden = set(conn.execute(_SUPPRESSED, {"ids": [row.id for row in rows]}).scalars())
    found = {row.key: row for row in rows}
    told: dict[int, Merged] = {}
    for key, x in first.items():
        if x.line in gone:
            told[x.line] = Merged(Merging.ERASED, fields=_erased_fields(gone[x.line].email, gone[x.line].phone))
        else:
            row = found[key]
            outcome = Merging.CREATED if row.created else Merging.MERGED
            told[x.line] = Merged(outcome, row.id, None, (), x.lead_id not in (None, row.lead_id), row.id in forbidden)
    for line, earlier in same_as.items():
        as_before = told[earlier]
        told[line] = as_before
        if as_before.outcome is not Merging.ERASED:
            told[line] = Merged(
                Merging.MERGED, as_before.contact_id, earlier, (), as_before.elsewhere, as_before.suppressed
            )
    return told


def _by_person(brought: Sequence[Brought]) -> tuple[dict[str, Brought], dict[int, int]]:
    """Everybody once, completed by later rows; and which later lines are whose. Sorted: all lists lock in one order."""
    first: dict[str, Brought] = {}
    same_as: dict[int, int] = {}
    for x in brought:
        key = _key(x.contact)
        if key in first:
            same_as[x.line] = first[key].line
            earlier = first[key]
            known = {name: value for name, value in earlier.contact.model_dump().items() if not _is_empty(value)}
            completed = NewContact.model_validate(x.contact.model_dump() | known)
            first[key] = Brought(earlier.line, earlier.lead_id, completed)
        else:
            first[key] = x
    return dict(sorted(first.items())), same_as


def _key(contact: NewContact) -> str:
    return contact.email.lower() if contact.email else str(contact.phone)


def _is_empty(value: object) -> bool:
    return value in (None, "") or (isinstance(value, dict) and value.get("basis") is ConsentBasis.NONE)  # pyright: ignore[reportUnknownMemberType] - a dump


def _erased_fields(email: bool, phone: bool) -> tuple[str, ...]:
    return tuple(name for name, gone in (("email", email), ("phone", phone)) if gone)


def _row(x: Brought, source: Mapping[str, str]) -> dict[str, object]:
    contact = x.contact.model_dump(mode="json", exclude={"lead_id", "consent"})
    consent = x.contact.consent.model_dump(mode="json")
    return {
        **contact,
        **{f"consent_{name}": value for name, value in consent.items()},
        "id": str(new_id()),
        "key": _key(x.contact),
        "line": x.line,
        "lead_id": None if x.lead_id is None else str(x.lead_id),
        "source": {**source, "line": x.line},
    }


_COLUMNS = """
    phone text, name text, first_name text, last_name text, title text, time_zone text, country text, language text,
    source jsonb, consent_basis text, consent_source text, consent_at timestamptz
"""
_WRITTEN = ", ".join(column.split()[0] for column in _COLUMNS.split(","))
_TAKEN = ", ".join(f"r.{column}" for column in _WRITTEN.split(", "))
_ROWS = f"""
    jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, line int, key text, lead_id uuid, email text, {_COLUMNS})
"""

_OF_ERASED = {
    channel: erased(workspace="CAST(:workspace_id AS uuid)", channel=channel, address=address)
    for channel, address in ((SuppressionChannel.EMAIL, "r.email"), (SuppressionChannel.PHONE, "r.phone"))
}
_ERASED = text(f"""
    SELECT * FROM (
        SELECT r.line, r.email IS NOT NULL AND {_OF_ERASED[SuppressionChannel.EMAIL]} AS email,
               r.phone IS NOT NULL AND {_OF_ERASED[SuppressionChannel.PHONE]} AS phone
        FROM {_ROWS}
    ) known WHERE email OR phone
""")

_SPOKEN = ("name", "first_name", "last_name", "title", "time_zone", "country", "language")
_COMPLETED = ", ".join(f"{column} = coalesce(nullif(k.{column}, ''), excluded.{column})" for column in _SPOKEN)
_GROUNDS = ", ".join(
    f"{column} = CASE k.consent_basis WHEN '{ConsentBasis.NONE}' THEN excluded.{column} ELSE k.{column} END"
    for column in ("consent_basis", "consent_source", "consent_at")
)

# xmax is 0 in a row that this statement has inserted, and the updating transaction in one that was there.
_BY_EMAIL = text(f"""
    INSERT INTO contacts AS k (id, workspace_id, lead_id, created_at, email, {_WRITTEN})
    SELECT r.id, :workspace_id, r.lead_id, CAST(:now AS timestamptz), r.email, {_TAKEN}
    FROM {_ROWS}
    WHERE r.email IS NOT NULL ORDER BY r.key
    ON CONFLICT (workspace_id, lower(email)) DO UPDATE
    SET lead_id = coalesce(k.lead_id, excluded.lead_id), phone = coalesce(k.phone, excluded.phone), {_COMPLETED},
        {_GROUNDS}
    RETURNING k.id, lower(k.email) AS key, k.lead_id, k.xmax = 0 AS created
""")

# No key makes numbers unique: colleagues share one. Who has nothing but a number is found by it.
_BY_PHONE = text(f"""
    WITH known AS (
        SELECT DISTINCT ON (k.phone) k.id, k.phone AS key, k.lead_id, false AS created
        FROM {_ROWS} JOIN contacts k ON k.workspace_id = :workspace_id AND k.phone = r.phone
        WHERE r.email IS NULL ORDER BY k.phone, k.id
    ), new AS (
        INSERT INTO contacts (id, workspace_id, lead_id, created_at, {_WRITTEN})
        SELECT r.id, :workspace_id, r.lead_id, CAST(:now AS timestamptz), {_TAKEN}
        FROM {_ROWS}
        WHERE r.email IS NULL AND NOT EXISTS (SELECT FROM known WHERE known.key = r.phone)
        RETURNING id, phone AS key, lead_id, true AS created
    )
    SELECT * FROM known UNION ALL SELECT * FROM new
""")

_SUPPRESSED = text(f"SELECT k.id FROM contacts k WHERE k.id = ANY(:ids) AND {suppressed('k')}")
