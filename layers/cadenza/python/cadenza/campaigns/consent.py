"""Who may not be written to any more: suppressed, imported, taken back. From the commit on they get nothing (I3).

A claim locks the enrolment before it judges, so a suppression that locks the open enrolments of those it is about,
before it is written, lets every claim either commit first or see it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.contacts import suppressions
from cadenza.contacts.importing import Line, ListFormat, read
from cadenza.contacts.suppressions import Key, Provenance, Suppressed
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, FieldProblem, InvalidInput, NotFound
from cadenza.core.ids import EnrolmentId, MessageId, WorkspaceId
from cadenza.core.states import MessageStatus
from cadenza.engine import store as engine
from cadenza.engine.apply import FollowUp, apply_locked
from cadenza.engine.completion import complete_campaigns
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.model import Halt

BY_HAND: Final = "api"
BY_IMPORT: Final = "import"
"""Sources of suppressions; what signals bring has ``signal``, an erasure ``erasure``."""

SUPPRESSED: Final = "suppressed"
"""The cause in the audit of an enrolment that a suppression ends."""


class Outcome(StrEnum):
    """What became of a row of an import."""

    CREATED = "created"
    KNOWN = "known"
    """It was suppressed before, or is by an earlier row."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class ImportedRow:
    """A row's outcome. ``line`` is the line of the file that it begins on."""

    line: int
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """A whole import. ``halted`` enrolments were open and have ended."""

    items: tuple[ImportedRow, ...]
    halted: int

    def count(self, outcome: Outcome) -> int:
        """How many rows came out so."""
        return sum(row.outcome is outcome for row in self.items)


@dataclass(frozen=True, slots=True)
class Suppressions:
    """The suppressions of one workspace. ``key_id`` is the API key in whose name all of it is done."""

    database: Database
    dispatcher: Dispatcher
    workspace_id: WorkspaceId
    key_id: UUID
    clock: Clock

    def suppress(self, wanted: Suppressed) -> UUID:
        """Never write to this address again; the id of its suppression. Asking twice finds the first."""
        self._add([wanted], BY_HAND)
        with self.database.workspace(self.workspace_id) as conn:
            return suppressions.id_of(conn, self.workspace_id, wanted)

    def take_list(self, content: str, written: ListFormat) -> Imported:
        """Take a list in: every good row in one transaction, every row in the answer.

        Raises:
            InvalidInput: It is no list, or too long a one.
        """
        lines = read(content, written)
        created, halted = self._add([line.row for line in lines if line.row is not None], BY_IMPORT)
        return Imported(tuple(_told(lines, created)), halted)

    def lift(self, suppression_id: UUID, reason: str, *, force: bool) -> None:
        """Take a suppression back; it is logged who did, and why.

        Raises:
            NotFound: No such suppression.
            InvalidInput: There is no reason.
            Conflict: It is the person's own no, and nobody has said that this is known (``force``).
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            was = suppressions.reason_of(conn, suppression_id)
            if was is None:
                raise NotFound("suppression", suppression_id)
            if not reason:
                raise InvalidInput("say why: it is kept", (FieldProblem("/reason", "say why, as ?reason=…"),))
            if was in suppressions.OBJECTIONS and not force:
                detail = f"the person has said no ({was}): only their own new wish undoes that"
                raise Conflict(detail, (FieldProblem("/force", "say force=true if they have asked for it"),))
            suppressions.lift(conn, suppression_id, reason, self.key_id, now)

    def _add(self, rows: Sequence[Suppressed], source: str) -> tuple[set[Key], int]:
        """Suppress, and end what is open of whom it is about; what is new, and how many enrolments ended."""
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            written = suppress_all(conn, self.workspace_id, rows, Provenance(source, self.key_id), now)
        self.dispatcher.dispatch(written.follow_up, now)
        complete(self.database, self.workspace_id, written.follow_up, now)
        return written.created, written.halted


@dataclass(frozen=True, slots=True)
class SuppressedAll:
    """What is new, how many open enrolments have ended, and what is to be done after the commit."""

    created: set[Key]
    halted: int
    follow_up: FollowUp


def suppress_all(
    conn: Connection, workspace_id: WorkspaceId, rows: Sequence[Suppressed], origin: Provenance, now: datetime
) -> SuppressedAll:
    """Suppress, and end what is open of whom it is about. The caller owns the transaction."""
    locked = engine.lock(conn, suppressions.concerned(conn, workspace_id, rows).enrolments, now)
    created = suppressions.add(conn, workspace_id, rows, origin, now)
    # Once more, for who was enrolled meanwhile: from now on nobody is.
    found = suppressions.concerned(conn, workspace_id, rows)
    locked |= engine.lock(conn, found.enrolments - locked.keys(), now)
    halting = found.halting & locked.keys()
    halt = Halt(now, SUPPRESSED, "the address is suppressed")
    follow_up = apply_locked(conn, locked, [(enrolment_id, halt) for enrolment_id in sorted(halting)], now)
    follow_up += FollowUp(messages=_queued(conn, found.enrolments - halting))
    return SuppressedAll(created, len(halting), follow_up)


def complete(database: Database, workspace_id: WorkspaceId, follow_up: FollowUp, now: datetime) -> None:
    """Complete the campaigns of which something ended, in a transaction that sees whatever else has (I4)."""
    if follow_up.campaigns:
        with database.workspace(workspace_id) as conn:
            complete_campaigns(conn, sorted(follow_up.campaigns), now)


def _queued(conn: Connection, enrolments: frozenset[EnrolmentId]) -> tuple[MessageId, ...]:
    """Messages that wait for people who may be reached by another channel: the gate is to look at them now."""
    if not enrolments:
        return ()
    query = text("SELECT id FROM outbound_messages WHERE enrolment_id = ANY(:ids) AND status = :queued ORDER BY id")
    return tuple(conn.execute(query, {"ids": sorted(enrolments), "queued": MessageStatus.QUEUED}).scalars())


def _told(lines: Sequence[Line], created: set[Key]) -> Iterator[ImportedRow]:
    first: dict[Key, int] = {}
    for line in lines:
        if line.row is None:
            yield ImportedRow(line.number, Outcome.REFUSED, line.problem)
        elif (earlier := first.setdefault(line.row.key, line.number)) != line.number:
            yield ImportedRow(line.number, Outcome.KNOWN, f"as line {earlier}")
        else:
            yield ImportedRow(line.number, Outcome.CREATED if line.row.key in created else Outcome.KNOWN)
