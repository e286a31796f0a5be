"""Erasing a person (GDPR Art. 17): who they are is gone for good, what was done stays provable by ids.

The audit, the outbox and the archive keep their rows, so that I1, I2, I4 and I5 hold as before. The address and the
number stay unreachable by their fingerprints. One transaction: it is all done, or nothing is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from cadenza.campaigns import erasure_store as store
from cadenza.campaigns.consent import complete
from cadenza.campaigns.redaction import Redaction, tombstone
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import NotFound
from cadenza.core.ids import ContactId, WorkspaceId
from cadenza.engine import store as engine
from cadenza.engine.apply import FollowUp, apply_locked
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.model import Halt
from cadenza.planning.model import content_hash, parse_plan

CAUSE: Final = "erased"
"""The cause in the audit of an enrolment that an erasure ends."""


class Erased(BaseModel):
    """What an erasure did. Asked again, nothing is left to do: ``erased_at`` is the first time's."""

    model_config = ConfigDict(frozen=True)

    contact_id: ContactId
    erased_at: datetime
    enrolments_stopped: int = 0
    plans_buried: int = 0


@dataclass(frozen=True, slots=True)
class Erasure:
    """Erases people of one workspace. ``key_id`` is the API key in whose name it is done."""

    database: Database
    dispatcher: Dispatcher
    workspace_id: WorkspaceId
    key_id: UUID
    clock: Clock

    def erase(self, contact_id: ContactId, reason: str = "") -> Erased:
        """Erase a person. Safe to repeat.

        Raises:
            NotFound: No such contact.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            person = store.lock(conn, contact_id)
            if person is None:
                raise NotFound("contact", contact_id)
            if person.erased_at is not None:
                return Erased(contact_id=contact_id, erased_at=person.erased_at)
            redaction = Redaction(person.who)
            stopped, follow_up = _stop(conn, contact_id, now)
            store.end_jobs(conn, contact_id, now)
            store.suppress(conn, self.workspace_id, person.who, now)
            stones = _tombstones(conn, contact_id)
            store.bury(conn, self.workspace_id, stones, now)
            store.scrub_messages(conn, contact_id)
            store.redact(conn, contact_id, person.lead_id, redaction.document)
            store.forget(conn, contact_id, now)
            store.log(conn, self.workspace_id, contact_id, redaction.text(reason), self.key_id, now)
        self.dispatcher.dispatch(follow_up, now)
        complete(self.database, self.workspace_id, follow_up, now)
        return Erased(contact_id=contact_id, erased_at=now, enrolments_stopped=stopped, plans_buried=len(stones))


def _stop(conn: Connection, contact_id: ContactId, now: datetime) -> tuple[int, FollowUp]:
    """End what is open, withdraw what waits; how many enrolments that were. All of them are locked from now on."""
    found = store.enrolments(conn, contact_id)
    locked = engine.lock(conn, found, now)
    halt = Halt(now, CAUSE, "the person was erased")
    stimuli = [(enrolment_id, halt) for enrolment_id, is_open in found.items() if is_open]
    return len(stimuli), apply_locked(conn, locked, stimuli, now)


def _tombstones(conn: Connection, contact_id: ContactId) -> list[store.Tombstone]:
    stones: list[store.Tombstone] = []
    for plan_id, plan in store.own_plans(conn, contact_id).items():
        parsed = parse_plan(tombstone(plan))
        stones.append(store.Tombstone(plan_id, content_hash(parsed), parsed.version, parsed.to_json()))
    return stones
