"""What the API takes and answers about suppressions, and about the rights of people."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import JsonValue, StringConstraints, model_validator

from cadenza.api.models import Answer, Taken
from cadenza.campaigns.consent import Imported, Outcome
from cadenza.contacts import addresses
from cadenza.contacts.suppressions import Suppressed
from cadenza.core.states import ConsentAct, SuppressionChannel


class NewSuppression(Taken):
    """An address, number or domain that may never be written to again. It is stored in its normal form."""

    channel: SuppressionChannel
    address: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=254)]
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = "operator"
    note: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""

    @model_validator(mode="after")
    def _normal(self) -> Self:
        return self.model_copy(update={"address": addresses.normal(self.channel, self.address)})

    def wanted(self) -> Suppressed:
        """As `cadenza.contacts` takes it."""
        return Suppressed(self.channel, self.address, self.reason, self.note)


class Suppression(Answer):
    """Never again. ``source`` is api, import, signal or erasure; ``created_by`` the API key that did it.

    An address that begins with ``sha256:`` is the fingerprint of one whose owner has asked to be forgotten.
    """

    id: UUID
    channel: SuppressionChannel
    address: str
    reason: str
    note: str
    source: str
    created_by: UUID | None
    created_at: datetime


class ImportedRow(Answer):
    """What became of one row; ``line`` is the line of the file that it begins on, ``detail`` says why."""

    line: int
    outcome: Outcome
    detail: str


class ImportReport(Answer):
    """What became of a list: every row of it. ``halted`` enrolments were open and have ended."""

    rows: int
    created: int
    known: int
    refused: int
    halted: int
    items: tuple[ImportedRow, ...]

    @classmethod
    def of(cls, imported: Imported) -> Self:
        """Made from what the import says."""
        counts = {str(outcome): imported.count(outcome) for outcome in Outcome}
        items = tuple(map(ImportedRow.model_validate, imported.items))
        return cls(rows=len(items), **counts, halted=imported.halted, items=items)


class ConsentRecord(Answer):
    """A suppression that was taken back (``was`` says what it had been), or a person who was erased."""

    id: UUID
    act: ConsentAct
    contact_id: UUID | None
    channel: str
    address: str
    was: Mapping[str, JsonValue]
    reason: str
    key_id: UUID | None
    at: datetime
