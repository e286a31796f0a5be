"""Suppressions in SQL: added once each, found, taken back with a record of who did so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.contacts.permission import CONCERNED, erased
from cadenza.core.ids import EnrolmentId, WorkspaceId, new_id
from cadenza.core.states import ConsentAct, SuppressionChannel

ERASED = "erased"
"""The reason of the suppression that an erasure leaves behind; its address is a fingerprint."""

OBJECTIONS = frozenset({"unsubscribed", "complained", ERASED})
"""Reasons that are a person's own no (GDPR Art. 17 and 21, CAN-SPAM): taken back only on purpose."""

Key = tuple[SuppressionChannel, str]


@dataclass(frozen=True, slots=True)
class Suppressed:
    """What may never be written to: ``address`` in the form of `cadenza.contacts.addresses.normal`."""

    channel: SuppressionChannel
    address: str
    reason: str = ""
    note: str = ""

    @property
    def key(self) -> Key:
        """What makes two of them the same."""
        return self.channel, self.address


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where suppressions come from; ``key_id`` is the API key that brought them."""

    source: str
    key_id: UUID | None = None


@dataclass(frozen=True, slots=True)
class Concerned:
    """Open enrolments of people whom a suppression is about. Who can be reached otherwise is not in ``halting``."""

    enrolments: frozenset[EnrolmentId] = frozenset()
    halting: frozenset[EnrolmentId] = field(default_factory=frozenset[EnrolmentId])


def add(
    conn: Connection, workspace_id: WorkspaceId, rows: Sequence[Suppressed], origin: Provenance, now: datetime
) -> set[Key]:
    """Add those that are not there yet, each address once; which ones are new. One statement.

    An address is suppressed for its first reason. One that belonged to an erased person is suppressed already, by its
    fingerprint, and is not stored in clear again.
    """
    unique = {row.key: row for row in reversed(rows)}
    if not unique:
        return set()
    parameters = {
        "rows": json.dumps([_row(row) | {"id": str(new_id())} for row in unique.values()]),
        "workspace_id": workspace_id,
        "source": origin.source,
        "key_id": origin.key_id,
        "now": now,
    }
    return {(SuppressionChannel(row.channel), row.address) for row in conn.execute(_ADD, parameters)}


def _row(row: Suppressed) -> dict[str, str]:
    return {"channel": row.channel, "address": row.address, "reason": row.reason, "note": row.note}


# In one order for everybody: two imports of one list wait for each other, and for nothing else.
_ADD = text(f"""
    INSERT INTO suppressions (id, workspace_id, channel, address, reason, note, source, created_by, created_at)
    SELECT r.id, :workspace_id, r.channel, r.address, r.reason, r.note, :source, CAST(:key_id AS uuid),
           CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id uuid, channel text, address text, reason text, note text)
    WHERE NOT (r.channel = '{SuppressionChannel.EMAIL}' AND
               {erased(workspace="CAST(:workspace_id AS uuid)", channel=SuppressionChannel.EMAIL, address="r.address")})
      AND NOT (r.channel = '{SuppressionChannel.PHONE}' AND
               {erased(workspace="CAST(:workspace_id AS uuid)", channel=SuppressionChannel.PHONE, address="r.address")})
    ORDER BY r.channel, r.address
    ON CONFLICT (workspace_id, channel, address) DO NOTHING
    RETURNING channel, address
""")


def concerned(conn: Connection, workspace_id: WorkspaceId, rows: Sequence[Suppressed]) -> Concerned:
    """Whose open enrolments these suppressions are about. One statement."""
    if not rows:
        return Concerned()
    parameters = {"workspace_id": workspace_id, "rows": json.dumps([_row(row) for row in rows])}
    found = conn.execute(text(CONCERNED), parameters).all()
    return Concerned(frozenset(row.id for row in found), frozenset(row.id for row in found if row.halts))


def id_of(conn: Connection, workspace_id: WorkspaceId, row: Suppressed) -> UUID:
    """The id of the suppression of this very address, in clear or by its fingerprint."""
    parameters = {"workspace_id": workspace_id, "channel": row.channel, "address": row.address}
    return conn.execute(_ID_OF, parameters).scalar_one()


_ID_OF = text("""
    SELECT id FROM suppressions
    WHERE workspace_id = :workspace_id AND channel = :channel
      AND address IN (:address, fingerprint(CAST(:workspace_id AS uuid), :channel, :address))
    LIMIT 1
""")


def reason_of(conn: Connection, suppression_id: UUID) -> str | None:
    """Why it is there; locked until the transaction ends. None: there is no such suppression."""
    query = text("SELECT reason FROM suppressions WHERE id = :id FOR UPDATE")
    return conn.execute(query, {"id": suppression_id}).scalar()


def lift(conn: Connection, suppression_id: UUID, reason: str, key_id: UUID, now: datetime) -> None:
    """Take a suppression back, and log what it was, who took it back and why. Zero rows: somebody else has."""
    conn.execute(_LIFT, {"id": suppression_id, "log_id": new_id(), "reason": reason, "key_id": key_id, "now": now})


_LIFT = text(f"""
    WITH gone AS (DELETE FROM suppressions WHERE id = :id RETURNING *)
    INSERT INTO consent_log (id, workspace_id, act, channel, address, was, reason, key_id, at)
    SELECT :log_id, workspace_id, '{ConsentAct.LIFTED}', channel, address,
           jsonb_build_object('reason', reason, 'note', note, 'source', source, 'created_by', created_by,
                              'created_at', created_at),
           :reason, :key_id, CAST(:now AS timestamptz)
    FROM gone
""")
