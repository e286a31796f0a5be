"""What an export comes to, before the database has its say: things to write, and what is told of each row. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Final

from pydantic import BaseModel, JsonValue, ValidationError

from cadenza.campaigns.content_model import NewTemplate
from cadenza.campaigns.model import CampaignBrief
from cadenza.contacts.people import NewContact
from cadenza.core.messages import SignalKind
from cadenza.core.problems import field_problems
from cadenza.core.states import CampaignKind, CampaignStatus, CampaignType, MessageStatus
from cadenza.engine.adoption import Over
from cadenza.engine.rules import CampaignRules
from cadenza.leads.importing import Site
from cadenza.legacy.model import Fault, Kind, Outcome, Report, ToldRow
from cadenza.planning.compiled import CompiledPlan

_TOLD: Final = 20
"""Faults and notes of one row: more helps nobody."""


@dataclass(slots=True, eq=False)
class Entry:
    """What is told of one row, as it becomes known. Without an outcome, and without a fault, it is to be created."""

    kind: Kind | None
    place: str
    old_id: str = ""
    outcome: Outcome | None = None
    notes: list[str] = field(default_factory=list[str])
    faults: list[Fault] = field(default_factory=list[Fault])

    def refuse(self, name: str, detail: str) -> None:
        """It cannot be taken."""
        self.outcome = Outcome.REFUSED
        if len(self.faults) < _TOLD:
            self.faults.append(Fault(field=name, detail=detail))

    def refuse_for(self, error: ValidationError, field_of: Mapping[str, str] | None = None) -> None:
        """It cannot be taken: one fault a field."""
        for problem in field_problems(error):
            name = problem.pointer[1:].replace("/", ".")
            self.refuse((field_of or {}).get(name, name), problem.detail.removeprefix("Value error, "))

    def skip(self, why: str) -> None:
        """There is nothing to take from it."""
        self.outcome = Outcome.SKIPPED
        self.notes.append(why)

    def note(self, what: str) -> None:
        """Something of it means another thing here."""
        if what not in self.notes and len(self.notes) < _TOLD:
            self.notes.append(what)

    @property
    def is_open(self) -> bool:
        """Whether it may still be created."""
        return self.outcome is None

    def told(self) -> ToldRow:
        """As the report says it."""
        outcome = self.outcome or (Outcome.CHANGED if self.notes else Outcome.CREATED)
        return ToldRow(
            kind=self.kind,
            place=self.place,
            old_id=self.old_id,
            outcome=outcome,
            notes=tuple(self.notes),
            problems=tuple(self.faults),
        )


def report(entries: Sequence[Entry], *, applied: bool) -> Report:
    """All that is to be told."""
    rows = tuple(entry.told() for entry in entries)
    counts = Counter(f"{row.kind or 'unknown'}.{row.outcome}" for row in rows)
    return Report(applied=applied, counts=dict(sorted(counts.items())), rows=rows)


def reference(old_id: str, *natural: str) -> str:
    """By what a row is known again: its old id, else a digest of what makes it what it is."""
    if old_id:
        return old_id
    return "sha256:" + sha256("\0".join(natural).encode()).hexdigest() if any(natural) else ""


@dataclass(frozen=True, slots=True)
class WantedTemplate:
    """A template. ``entry`` is that of the step that brings it, where it has no row of its own."""

    entry: Entry
    ref: str
    content: NewTemplate


@dataclass(frozen=True, slots=True)
class WantedWorkflow:
    """A workflow; ``orders`` are its steps' numbers in the old system."""

    entry: Entry
    ref: str
    name: str
    steps: tuple[tuple[WantedTemplate, str], ...]
    orders: tuple[str, ...]


@dataclass(slots=True, eq=False)
class WantedLead:
    """A person, a site, or both. ``never`` is why they may never be written to again."""

    entry: Entry
    ref: str
    site: Site | None
    company: str
    contact: NewContact | None
    never: str = ""
    replied: bool = False
    untouched: bool = True

    @property
    def key(self) -> str:
        """Their address, as it is compared."""
        return (self.contact.email or "").lower() if self.contact is not None else ""


@dataclass(frozen=True, slots=True)
class Heard:
    """Something that a mail has met with."""

    kind: SignalKind
    at: datetime


@dataclass(frozen=True, slots=True)
class WantedMail:
    """A mail that is behind an enrolment. ``sent_at`` None: it was not sent."""

    entry: Entry
    ref: str
    node: str
    status: MessageStatus
    sent_at: datetime | None
    planned_at: datetime | None
    reason: str
    heard: tuple[Heard, ...]
    provider_message_id: str


@dataclass(frozen=True, slots=True)
class Next:
    """The node whose mail is to go next; ``due_at`` None: as soon as it may."""

    node: str
    due_at: datetime | None


@dataclass(slots=True, eq=False)
class WantedEnrolment:
    """Somebody in a campaign. ``draft``: it begins with its campaign."""

    entry: Entry
    lead: WantedLead
    source: dict[str, JsonValue]
    plan: CompiledPlan
    mails: tuple[WantedMail, ...] = ()
    then: Next | Over | None = None
    draft: bool = False
    ahead: tuple[Entry, ...] = ()
    """Rows of mails that are to come."""

    @property
    def entries(self) -> tuple[Entry, ...]:
        """Everything that is told of it: it is taken as a whole, or not at all."""
        return (self.entry, *(mail.entry for mail in self.mails), *self.ahead)


@dataclass(slots=True, eq=False)
class WantedCampaign:
    """A campaign. ``sender`` is the address that it was sent from, "" where it does not say."""

    entry: Entry
    ref: str
    name: str
    kind: CampaignKind
    type: CampaignType
    status: CampaignStatus
    template: WantedTemplate | None
    workflow: WantedWorkflow | None
    brief: CampaignBrief
    rules: CampaignRules
    daily_cap: int | None
    sender: str
    source: dict[str, JsonValue] | None
    """What its people share, unless each has a plan of their own."""
    plan: CompiledPlan | None
    created_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    metrics: dict[str, int]
    enrolments: list[WantedEnrolment] = field(default_factory=list[WantedEnrolment])


@dataclass(slots=True)
class Wanted:
    """A whole export, in the order in which it is written."""

    entries: list[Entry] = field(default_factory=list[Entry])
    templates: list[WantedTemplate] = field(default_factory=list[WantedTemplate])
    workflows: list[WantedWorkflow] = field(default_factory=list[WantedWorkflow])
    leads: list[WantedLead] = field(default_factory=list[WantedLead])
    campaigns: list[WantedCampaign] = field(default_factory=list[WantedCampaign])


def without_faults(model: type[BaseModel], values: Mapping[str, object], entry: Entry) -> dict[str, object]:
    """The values without those that ``model`` refuses; each that is left out is noted."""
    try:
        model.model_validate(values)
    except ValidationError as error:
        faulty = {str(found["loc"][0]): found["msg"] for found in error.errors() if found["loc"]}
        for name, why in faulty.items():
            entry.note(f"{name} is left out: {why.removeprefix('Value error, ')}")
        return {name: value for name, value in values.items() if name not in faulty}
    return dict(values)
