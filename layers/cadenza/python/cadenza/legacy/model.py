"""What an import is told and what it tells: kinds of rows, and what became of each."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict


class Kind(StrEnum):
    """What a row of an export is."""

    TEMPLATE = "template"
    WORKFLOW = "workflow"
    LEAD = "lead"
    CAMPAIGN = "campaign"
    ENROLMENT = "enrolment"
    """Somebody in a campaign, with what the campaign knows of them."""
    MAIL = "mail"


class Outcome(StrEnum):
    """What became of a row, or would."""

    CREATED = "created"
    CHANGED = "changed"
    """Created, but something of it means another thing here: the notes say what."""
    MERGED = "merged"
    """It completes what was here before, from elsewhere or from an earlier row."""
    KNOWN = "known"
    """An earlier import has brought it; it is left as it is now."""
    SKIPPED = "skipped"
    """There is nothing to take from it: the notes say why."""
    REFUSED = "refused"


class Fault(BaseModel):
    """What is wrong with a field of a row ("": the row), and what would make it right."""

    model_config = ConfigDict(frozen=True)

    field: str
    detail: str


class ToldRow(BaseModel):
    """What became of a row, by the place where it stands in the export and the id that it had there.

    Nobody's name or address stands in it.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind | None = None
    place: str
    old_id: str = ""
    outcome: Outcome
    notes: tuple[str, ...] = ()
    problems: tuple[Fault, ...] = ()


class Report(BaseModel):
    """A whole import. ``applied`` is false for a dry run, whose rows are those that applying it would tell.

    ``counts`` are rows by kind and outcome (``campaign.created``).
    """

    model_config = ConfigDict(frozen=True)

    applied: bool
    counts: dict[str, int]
    rows: tuple[ToldRow, ...]

    @property
    def refused(self) -> int:
        """How many rows could not be taken."""
        return sum(row.outcome is Outcome.REFUSED for row in self.rows)
