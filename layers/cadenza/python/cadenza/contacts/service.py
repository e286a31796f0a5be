"""What operators do with people: add, change, hold."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from cadenza.contacts import holds, store
from cadenza.contacts.people import REACHABLE, ContactChange, HoldStatus, NewContact, WantedHold
from cadenza.core.clock import Clock
from cadenza.core.db import Database, constraint
from cadenza.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from cadenza.core.ids import ContactId, WorkspaceId

_ONE_ADDRESS = "uq_contacts_workspace_id_email"


@dataclass(frozen=True, slots=True)
class People:
    """The contacts of one workspace."""

    database: Database
    workspace_id: WorkspaceId
    clock: Clock

    def add(self, new: NewContact) -> ContactId:
        """Add a person by hand.

        Raises:
            InvalidInput: ``lead_id`` names no lead of this workspace.
            Conflict: The address is known, or belonged to somebody whose data was erased.
        """
        with self._transaction() as conn:
            self._check(conn, new)
            return store.add(conn, self.workspace_id, new.values(), self.clock())

    def change(self, contact_id: ContactId, wanted: ContactChange) -> None:
        """Change what is named.

        Raises:
            NotFound: No such contact.
            InvalidInput: ``lead_id`` names no lead, or nothing would be left to reach the person by.
            Conflict: The person's data was erased; or the address is as in `add`.
        """
        with self._transaction() as conn:
            now_known = self._lock(conn, contact_id)
            values = wanted.values()
            if not (values.get("email", now_known.email) or values.get("phone", now_known.phone)):
                raise InvalidInput(REACHABLE, (FieldProblem("/email", REACHABLE),))
            self._check(conn, wanted)
            store.change(conn, contact_id, values)

    def hold(self, contact_id: ContactId, wanted: WantedHold) -> None:
        """Leave the person alone until then, whatever was said before; from the commit on nothing is sent (I3).

        Raises:
            NotFound: No such contact.
            InvalidInput: The end is missing, or past.
            Conflict: The person's data was erased.
        """
        now = self.clock()
        with self._transaction() as conn:
            self._lock(conn, contact_id)
            if wanted.until is None or wanted.until <= now:
                raise InvalidInput("a hold needs an end", (FieldProblem("/until", "name an instant to come"),))
            row = holds.NewHold(contact_id, wanted.until, wanted.reason)
            if not holds.hold(conn, [row], now):
                # There is one that lasts longer. Its locks are taken, so that nobody sees the person without a hold.
                holds.release(conn, contact_id)
                holds.hold(conn, [row], now)

    def release(self, contact_id: ContactId) -> None:
        """End the person's hold, if there is one.

        Raises:
            NotFound: No such contact.
        """
        with self._transaction() as conn:
            if store.find(conn, contact_id) is None:
                raise NotFound("contact", contact_id)
            holds.release(conn, contact_id)

    def held(self, contact_id: ContactId) -> HoldStatus:
        """The person's hold. One that has passed is none.

        Raises:
            NotFound: No such contact.
        """
        with self._transaction() as conn:
            return held(conn, contact_id, self.clock())

    def _lock(self, conn: Connection, contact_id: ContactId) -> store.Reach:
        found = store.lock(conn, contact_id)
        if found is None:
            raise NotFound("contact", contact_id)
        if found.erased_at is not None:
            raise Conflict("this person's data was erased: there is nobody to change")
        return found

    def _check(self, conn: Connection, wanted: ContactChange) -> None:
        if wanted.lead_id is not None:
            # Asked for by hand: a foreign key would look through the walls between workspaces.
            known = conn.execute(text("SELECT EXISTS (SELECT FROM leads WHERE id = :id)"), {"id": wanted.lead_id})
            if not known.scalar():
                raise InvalidInput("there is no such lead", (FieldProblem("/lead_id", "no such lead"),))
        erased = store.erased_ones(conn, self.workspace_id, wanted.email or "", wanted.phone or "")
        if erased:
            detail = "belonged to somebody whose data was erased at their wish; it is not stored again"
            raise Conflict(
                "this person has asked to be forgotten", tuple(FieldProblem(f"/{x}", detail) for x in erased)
            )

    @contextmanager
    def _transaction(self) -> Generator[Connection]:
        try:
            with self.database.workspace(self.workspace_id) as conn:
                yield conn
        except DBAPIError as error:
            if constraint(error) == _ONE_ADDRESS:
                problem = FieldProblem("/email", "taken; find its contact with GET /v1/contacts?email=…")
                raise Conflict("there is a contact with this address", (problem,)) from error
            raise


def held(conn: Connection, contact_id: ContactId, now: datetime) -> HoldStatus:
    """The person's hold. One that has passed is none.

    Raises:
        NotFound: No such contact.
    """
    if store.find(conn, contact_id) is None:
        raise NotFound("contact", contact_id)
    found = holds.of_contact(conn, contact_id)
    if found is None or found.until <= now:
        return HoldStatus()
    return HoldStatus(until=found.until, reason=found.reason, created_at=found.created_at)
