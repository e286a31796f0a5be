"""The tape: what the contact, or a provider, is imagined to do, and when.

A tape is told in order: an entry with ``after`` waits until all entries before it have happened. It happens that long
after the latest send, so a new send starts its time again; if that instant has passed, the next send gives it another.
An entry with ``at`` happens at its instant.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, TypeAdapter, ValidationError

from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.messages import Grade, SignalKind
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.durations import Duration, add, parse_duration
from cadenza.planning.model import NodeAction, PlanEvent, problems_of
from cadenza.simulate.model import instant_of_text, instant_text, rfc3339
from cadenza.simulate.world import World, within_calendar

MAX_ENTRIES: Final = 1_000

_OTHER_NAMES: Final = {PlanEvent.SPAMREPORT: SignalKind.COMPLAINED, PlanEvent.BLOCKED: SignalKind.BOUNCED}


def _no_silence(event: PlanEvent) -> PlanEvent:
    if event.synthetic:
        raise ValueError(f"{event} is silence: it comes by itself, when nothing else does")
    return event


def _duration(text: str) -> str:
    parse_duration(text)
    return text


class TapeEntry(BaseModel):
    """One event: ``after`` (ISO 8601) the latest send, or ``at`` an instant (RFC 3339).

    It is about the message of ``node``, or else about the latest one. ``hard`` belongs to bounces, which are hard
    unless it says false.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: Annotated[PlanEvent, AfterValidator(_no_silence)]
    after: Annotated[str, AfterValidator(_duration)] | None = None
    at: Annotated[str, AfterValidator(instant_text)] | None = None
    node: str | None = None
    hard: StrictBool | None = None
    grade: Grade = Grade.HUMAN


Tape = Annotated[list[TapeEntry], Field(max_length=MAX_ENTRIES)]

_TAPE: Final[TypeAdapter[Tape]] = TypeAdapter(Tape)


@dataclass(frozen=True, slots=True)
class Event:
    """An entry, checked against its plan. Either ``at`` or ``after`` is set; ``node`` "" means the latest message."""

    position: int
    kind: SignalKind
    at: datetime | None
    after: Duration | None
    node: str
    hard: bool | None
    grade: Grade

    def instant(self, world: World) -> datetime | None:
        """When it happens, if nothing else does before; None if it cannot yet."""
        if self.at is not None:
            return self.at
        if self.after is None or not world.sends or (self.node and self.sent_from(world) is None):
            return None
        with within_calendar():
            instant = add(self.after, world.sends[-1].at, world.plan.zone)
        return instant if instant >= world.now else None

    def sent_from(self, world: World) -> tuple[str, int] | None:
        """The node and visit of the message it is about; None if there is none yet."""
        about = [(sent.node, sent.visit) for sent in world.sends if self.node in ("", sent.node)]
        return about[-1] if about else None


def read_tape(source: object, plan: CompiledPlan, start: datetime) -> tuple[Event, ...]:
    """Read decoded JSON as a tape for this plan.

    Raises:
        InvalidInput: One `FieldProblem` a mistake; its pointer begins with the number of the entry, from 0.
    """
    try:
        entries = _TAPE.validate_python(source)
    except ValidationError as error:
        raise InvalidInput("this is not a tape", problems_of(error)) from error
    return check_tape(entries, plan, start)


def check_tape(entries: Sequence[TapeEntry], plan: CompiledPlan, start: datetime) -> tuple[Event, ...]:
    """Check a tape against its plan. Raises as `read_tape`."""
    events = tuple(_event(position, entry) for position, entry in enumerate(entries))
    pairs = zip(entries, events, strict=True)
    problems = tuple(problem for entry, event in pairs for problem in _problems(entry, event, plan, start))
    if problems:
        raise InvalidInput("the tape cannot be played", problems)
    return events


def _event(position: int, entry: TapeEntry) -> Event:
    kind = _OTHER_NAMES.get(entry.on) or SignalKind(entry.on)
    return Event(
        position,
        kind,
        at=None if entry.at is None else instant_of_text(entry.at),
        after=None if entry.after is None else parse_duration(entry.after),
        node=entry.node or "",
        hard=entry.on is PlanEvent.BOUNCED and entry.hard is not False if kind is SignalKind.BOUNCED else None,
        grade=entry.grade,
    )


def _problems(entry: TapeEntry, event: Event, plan: CompiledPlan, start: datetime) -> Iterator[FieldProblem]:
    """What is wrong with an entry as a whole, and in its plan."""
    place = f"/{event.position}"
    if event.at is None and event.after is None:
        yield FieldProblem(f"{place}/after", "is missing: say how long after the latest send, or `at` which instant")
    if event.at is not None and event.after is not None:
        yield FieldProblem(f"{place}/after", "an entry has `after` or `at`, not both")
    if event.at is not None and event.at < start:
        yield FieldProblem(f"{place}/at", f"{entry.at} is before the simulation's start, {rfc3339(start)}")
    if entry.hard is not None and entry.on is not PlanEvent.BOUNCED:
        yield FieldProblem(f"{place}/hard", "only what bounced is hard or soft")
    if entry.node is not None and (entry.node not in plan.nodes or not _sends(plan, entry.node)):
        yield FieldProblem(f"{place}/node", f"no node {entry.node!r} that can be reached sends anything")


def _sends(plan: CompiledPlan, node: str) -> bool:
    return plan.nodes[node].action is NodeAction.SEND
