"""Not until: a person on hold gets nothing, in any campaign, before the hold ends. A person has one hold at most.

A hold counts from its commit on (I3). So it is written under the locks of the person's open enrolments, which every
claim takes before it judges: a claim has committed before the hold does, or sees it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text

from cadenza.core.ids import ContactId, new_id
from cadenza.core.states import EnrolmentStatus
from cadenza.core.tables.base import literals


@dataclass(frozen=True, slots=True)
class NewHold:
    """A person who is to be left alone before ``until``. ``reason`` is for people to read, and names nobody."""

    contact_id: ContactId
    until: datetime
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Hold:
    """A person's hold. One whose ``until`` has passed holds nothing back any more."""

    contact_id: ContactId
    until: datetime
    reason: str
    created_at: datetime


def hold(conn: Connection, rows: Sequence[NewHold], now: datetime) -> frozenset[ContactId]:
    """Hold people until then; who they are. Two statements.

    A later end extends a hold, an earlier one leaves it as it is: to shorten one, `release` it first. Left out are who
    is held for longer already and who this connection does not see. Enrolments are locked in id order.
    """
    if rows:
        conn.execute(_LOCK_ENROLMENTS, {"ids": sorted({row.contact_id for row in rows})})
    return hold_locked(conn, rows, now)


def hold_locked(conn: Connection, rows: Sequence[NewHold], now: datetime) -> frozenset[ContactId]:
    """As `hold`, of people whose open enrolments this transaction has locked. One statement."""
    latest: dict[ContactId, NewHold] = {}
    for row in rows:
        if row.contact_id not in latest or latest[row.contact_id].until < row.until:
            latest[row.contact_id] = row
    if not latest:
        return frozenset()
    written = [
        {"id": str(new_id()), "contact_id": str(row.contact_id), "until": row.until.isoformat(), "reason": row.reason}
        for row in latest.values()
    ]
    return frozenset(conn.execute(_HOLD, {"rows": json.dumps(written), "now": now}).scalars())


def release(conn: Connection, contact_id: ContactId) -> bool:
    """End a person's hold now; False if there was none.

    Sends that the hold had put off keep the instants that they were given.
    """
    return bool(conn.execute(text("DELETE FROM holds WHERE contact_id = :id"), {"id": contact_id}).rowcount)


def of_contact(conn: Connection, contact_id: ContactId) -> Hold | None:
    """The person's hold, passed or not."""
    row = conn.execute(
        text("SELECT contact_id, until, reason, created_at FROM holds WHERE contact_id = :id"), {"id": contact_id}
    ).first()
    return None if row is None else Hold(ContactId(row.contact_id), row.until, row.reason, row.created_at)


_LOCK_ENROLMENTS = text(f"""
    SELECT id FROM contact_campaigns
    WHERE contact_id = ANY(:ids) AND status IN ({literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)})
    ORDER BY id FOR UPDATE
""")

# By way of contacts, because a foreign key looks through the walls between workspaces and row-level security does not.
_HOLD = text("""
    INSERT INTO holds AS h (id, workspace_id, contact_id, until, reason, created_at)
    SELECT r.id, k.workspace_id, k.id, r.until, r.reason, CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, contact_id uuid, until timestamptz, reason text)
    JOIN contacts k ON k.id = r.contact_id
    ORDER BY k.id
    ON CONFLICT (contact_id) DO UPDATE
    SET until = excluded.until, reason = excluded.reason, created_at = excluded.created_at
    WHERE h.until < excluded.until
    RETURNING contact_id
""")
