"""A list of leads comes in: one transaction for all of it, and an answer for each of its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection

from cadenza.contacts.merging import Brought, Merged, Merging, merge
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.ids import BatchId, CampaignId, ContactId, LeadId, WorkspaceId, new_id
from cadenza.core.messages import BatchTaken
from cadenza.core.queues import Queue, hint
from cadenza.core.states import LeadStatus
from cadenza.leads import batch_store, store
from cadenza.leads.batch_store import Batch, Known
from cadenza.leads.importing import LeadList, Row
from cadenza.leads.intake import lock_campaign
from cadenza.leads.ordering import order


class RowOutcome(StrEnum):
    """What became of a row, or of the contact that it brought."""

    CREATED = "created"
    MERGED = "merged"
    """It was known, from before or from an earlier row."""
    REFUSED = "refused"


class ToldProblem(BaseModel):
    """What is wrong with a field, and what would make it right; ``field`` "" is the whole row."""

    model_config = ConfigDict(frozen=True)

    field: str
    detail: str


class ToldRow(BaseModel):
    """What became of a row; ``contact`` is null where it brought nobody.

    ``line`` is the line of the sheet that the row begins on, or the number of the object, from 1. ``same_as`` is the
    earlier line with the same site. ``problems`` of a row that is not refused are its contact's; ``notes`` are for
    people to read. Nobody's name or address stands in it.
    """

    model_config = ConfigDict(frozen=True)

    line: int
    outcome: RowOutcome
    lead_id: LeadId | None = None
    domain: str = ""
    same_as: int | None = None
    contact: RowOutcome | None = None
    contact_id: ContactId | None = None
    problems: tuple[ToldProblem, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class LeadBatches:
    """Takes in lists of leads for one workspace.

    ``settled`` is told, after a commit, which campaign may be complete now: one that was given leads from which
    nothing will come.
    """

    database: Database
    workspace_id: WorkspaceId
    lead_queue: Queue
    settled: Callable[[Sequence[CampaignId]], None]
    clock: Clock

    def take(
        self, listed: LeadList, source: str = "", campaign_id: CampaignId | None = None, correlation_id: str = ""
    ) -> BatchId:
        """Add each site and person, or find them; assign the sites to the campaign; order what is still to be done.

        All rows commit together; those that cannot be taken are in the report. Sites that are new are crawled, in
        steps (`cadenza.leads.handout`). Those that have been analysed go into the campaign at once; of those that
        could not be read, the people who were given by hand do. The answer holds once the database has it: a hint that
        SQS does not take is left to the safety sweep.

        Raises:
            NotFound: No such campaign.
            Conflict: The campaign has ended.
        """
        now = self.clock()
        batch = Batch(BatchId(new_id()), self.workspace_id, source, campaign_id, len(listed.rows))
        with self.database.workspace(self.workspace_id) as conn:
            batch_store.add(conn, batch, now)
            told = _take_rows(conn, batch, listed.rows, now)
            counts = _counts(told)
            rows = [row.model_dump(mode="json", exclude_defaults=True) for row in told]
            batch_store.report(conn, batch, counts, {"ignored_columns": list(listed.ignored), "rows": rows})
        hint(
            self.lead_queue,
            [BatchTaken(workspace_id=self.workspace_id, batch_id=batch.id, correlation_id=correlation_id)],
        )
        if campaign_id is not None:
            self.settled([campaign_id])
        return batch.id


def _take_rows(conn: Connection, batch: Batch, rows: Sequence[Row], now: datetime) -> list[ToldRow]:
    sites = {row.site.domain: row.site for row in reversed(rows) if row.site is not None}
    known = batch_store.add_leads(conn, batch, list(sites.values()), now) if sites else {}
    if batch.campaign_id is not None:
        # Before anybody's row, as whoever enrols does.
        lock_campaign(conn, batch.campaign_id)
    brought = [
        Brought(row.line, known[row.site.domain].id, row.contact)
        for row in rows
        if row.site is not None and row.contact is not None
    ]
    people = merge(conn, batch.workspace_id, brought, {"added": "by import", "batch_id": str(batch.id)}, now)
    if batch.campaign_id is not None and known:
        _assign(conn, batch, batch.campaign_id, known, now)
    return _told(rows, known, people)


def _assign(conn: Connection, batch: Batch, campaign_id: CampaignId, known: Mapping[str, Known], now: datetime) -> None:
    """Give the leads to the campaign, and order plans for the people of those that no analysis will come for."""
    batch_store.assign(conn, batch, [lead.id for lead in known.values()], now)
    takers = {x.id: [campaign_id] for x in known.values() if x.status in (LeadStatus.ANALYZED, LeadStatus.FAILED)}
    unread = frozenset(lead.id for lead in known.values() if lead.status is LeadStatus.FAILED)
    plans = list(order(conn, batch.workspace_id, takers, now, unread=unread))
    batch_store.put_off(conn, plans, store.stagger_s(conn, batch.workspace_id), now)


# --- what is told ------------------------------------------------------------------------------------------------


def _told(rows: Sequence[Row], known: Mapping[str, Known], people: Mapping[int, Merged]) -> list[ToldRow]:
    first: dict[str, int] = {}
    told: list[ToldRow] = []
    for row in rows:
        problems = tuple(ToldProblem(field=x.field, detail=x.detail) for x in row.problems)
        if row.site is None:
            told.append(ToldRow(line=row.line, outcome=RowOutcome.REFUSED, problems=problems))
            continue
        lead = known[row.site.domain]
        earlier = first.setdefault(row.site.domain, row.line)
        is_first = earlier == row.line
        outcome = RowOutcome.CREATED if lead.new and is_first else RowOutcome.MERGED
        contact, contact_id, more, notes = _told_contact(row, people.get(row.line))
        told.append(
            ToldRow(
                line=row.line,
                outcome=outcome,
                lead_id=lead.id,
                domain=row.site.domain,
                same_as=None if is_first else earlier,
                contact=contact,
                contact_id=contact_id,
                problems=problems + more,
                notes=notes,
            )
        )
    return told


def _told_contact(
    row: Row, merged: Merged | None
) -> tuple[RowOutcome | None, ContactId | None, tuple[ToldProblem, ...], tuple[str, ...]]:
    if merged is None:
        return (RowOutcome.REFUSED if row.problems else None), None, (), ()
    if merged.outcome is Merging.ERASED:
        detail = "belonged to somebody whose data was erased at their wish; it is not stored again"
        return RowOutcome.REFUSED, None, tuple(ToldProblem(field=x, detail=detail) for x in merged.fields), ()
    notes = [f"the same person as in line {merged.same_as}"] if merged.same_as is not None else []
    if merged.elsewhere:
        notes.append("a contact of another lead already, and stays there")
    if merged.suppressed:
        notes.append("suppressed: nothing is sent to this address")
    return RowOutcome(merged.outcome.value), merged.contact_id, (), tuple(notes)


def _counts(told: Sequence[ToldRow]) -> dict[str, int]:
    """Under the names of the API's answer."""
    rows = Counter(row.outcome for row in told)
    contacts = Counter(row.contact for row in told)
    return {f"{outcome}": rows[outcome] for outcome in RowOutcome} | {
        f"contacts_{outcome}": contacts[outcome] for outcome in RowOutcome
    }
