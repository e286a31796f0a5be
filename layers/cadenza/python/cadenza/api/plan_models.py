"""What the plan routes take and answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, JsonValue

from cadenza.api.models import Answer, Taken
from cadenza.core.states import EnrolmentStatus
from cadenza.planning.findings import FindingCode, Severity
from cadenza.simulate.model import EntryKind, instant_text
from cadenza.simulate.reading import check_json
from cadenza.simulate.tape import Tape, TapeEntry


def _writable(plan: dict[str, JsonValue]) -> dict[str, JsonValue]:
    check_json(plan)
    return plan


PlanJson = Annotated[
    dict[str, JsonValue],
    AfterValidator(_writable),
    Field(description="a plan: see docs/plans.md and GET /v1/plans/schema"),
]
Instant = Annotated[str, AfterValidator(instant_text), Field(json_schema_extra={"format": "date-time"})]
"""RFC 3339, with an offset; from 1971 to 2199."""


class PlanToCheck(Taken):
    """A plan that may have faults."""

    plan: PlanJson


class PlanToSimulate(PlanToCheck):
    """A plan, whom it is tried on, and what that contact does.

    ``start`` is when the contact is enrolled, now if not said; ``zone`` is the contact's, the plan's if not said;
    ``holidays_country`` (ISO 3166-1 alpha-2) is the country whose public holidays are kept.
    """

    start: Instant | None = None
    zone: str = ""
    holidays_country: str = ""
    events: Tape = Field(default_factory=list[TapeEntry])


class Finding(Answer):
    """What the compiler says. An error refuses the plan; ``pointer`` (RFC 6901) leads into it."""

    code: FindingCode
    severity: Severity
    pointer: str
    message: str
    fix: str


class CheckedPlan(Answer):
    """Whether a plan would run, and what is to be said about it."""

    runs: bool
    findings: tuple[Finding, ...]


class SimulatedEntry(Answer):
    """One line of a simulation's timeline. ``at`` is in UTC, with a Z."""

    at: str
    node: str
    kind: EntryKind
    detail: dict[str, JsonValue]


class SimulatedRun(Answer):
    """What one enrolment does; ``outcome`` is the status in which it ends."""

    timeline: tuple[SimulatedEntry, ...]
    findings: tuple[Finding, ...]
    outcome: EnrolmentStatus
