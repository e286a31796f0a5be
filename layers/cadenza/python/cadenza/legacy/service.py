"""An export comes in: all of it in one transaction, or, for a dry run, in one that is undone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from cadenza.campaigns.consent import complete
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import WorkspaceId
from cadenza.engine.dispatch import Dispatcher
from cadenza.legacy.mapping import mapped_export
from cadenza.legacy.model import Report
from cadenza.legacy.reading import MAX_ROWS, Raw
from cadenza.legacy.wanted import report
from cadenza.legacy.writing import Writing, Written


class _DryRun(Exception):  # noqa: N818 - undoes a transaction
    """Everything that the transaction has done is to be undone."""


@dataclass(frozen=True, slots=True)
class LegacyImport:
    """Takes exports in for one workspace.

    ``sender`` is the address of the sender identity of campaigns that name none of ours. ``key_id`` None: the command
    does it. Without a ``dispatcher`` what is due soon is left to the safety sweep.
    """

    database: Database
    dispatcher: Dispatcher | None
    workspace_id: WorkspaceId
    key_id: UUID | None
    clock: Clock
    sender: str = ""
    most: int = MAX_ROWS

    def take(self, rows: Sequence[Raw], *, apply: bool) -> Report:
        """Take everything in that can be, or only say what would become of it: by doing it, and undoing it.

        All rows commit together. What an earlier import has brought stays as it is; what is new is added.

        Raises:
            InvalidInput: ``sender`` is no sender of this workspace, or there are more rows than ``most``.
        """
        now = self.clock()
        wanted = mapped_export(rows, now, self.most)
        written = Written()
        try:
            with self.database.workspace(self.workspace_id) as conn:
                written = Writing(conn, self.workspace_id, self.key_id, now).write(wanted, self.sender)
                if not apply:
                    raise _DryRun  # noqa: TRY301 - there is no other way to undo the transaction of a context
        except _DryRun:
            return report(wanted.entries, applied=False)
        if self.dispatcher is not None:
            self.dispatcher.dispatch(written.follow_up, now)
            if written.moved:
                self.dispatcher.wake(now)
                self.dispatcher.follow(written.moved)
        complete(self.database, self.workspace_id, written.follow_up, now)
        return report(wanted.entries, applied=True)
