"""The plan as its author writes it: JSON of version 1.0 (the original system's) or 1.1, and its content hash.

This model checks shape only. What a plan means, and whether it can run, is the compiler's business: durations, zones
and node ids are text here, so that each mistake becomes a finding with its own code and pointer.

Version 1.1 adds the events ``replied``, ``complained``, ``failed`` and ``no_reply``, the channels ``sms`` and ``call``,
``html``, ``workingHours`` and ``workingDays``. Everything that both versions know means the same in both. Unknown
fields are kept: the compiler ignores them in 1.0, as the original system did, and refuses them in 1.1, where they are
typing errors.
"""

from __future__ import annotations

import hashlib
import json
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, ValidationError, model_validator
from pydantic.alias_generators import to_camel

from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.states import Channel


class NodeAction(StrEnum):
    """What a node does when an enrolment enters it."""

    SEND = "send"
    WAIT = "wait"
    STOP = "stop"


class PlanEvent(StrEnum):
    """What a transition can be on.

    ``blocked`` and ``spamreport`` are the names that the original system's mail provider used; they stay valid.
    ``spamreport`` is ``complained``. ``blocked`` is a message that the receiver turned away though the address exists:
    ``failed``, or a bounce that is not permanent.
    """

    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    BOUNCED = "bounced"
    BLOCKED = "blocked"
    COMPLAINED = "complained"
    SPAMREPORT = "spamreport"
    UNSUBSCRIBED = "unsubscribed"
    FAILED = "failed"
    NO_OPEN = "no_open"
    NO_CLICK = "no_click"
    NO_REPLY = "no_reply"

    @property
    def synthetic(self) -> bool:
        """Whether the engine makes this event out of silence."""
        return self in SYNTHETIC_EVENTS


SYNTHETIC_EVENTS = frozenset({PlanEvent.NO_OPEN, PlanEvent.NO_CLICK, PlanEvent.NO_REPLY})


def _none_is_empty(value: object) -> object:
    return () if value is None else value


def _none_is_email(value: object) -> object:
    return Channel.EMAIL if value is None else value


WallTime = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
"""``HH:MM``."""


class _PlanPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="allow", alias_generator=to_camel, populate_by_name=True)


class Hours(_PlanPart):
    """A half-open window [start, end) of wall-clock time, ``HH:MM``; it may cross midnight."""

    start: WallTime
    end: WallTime


class Timers(_PlanPart):
    """When synthetic events fire whose transition does not say. ISO 8601 durations."""

    model_config = ConfigDict(alias_generator=None)  # the original system writes these in snake case

    no_open_after: str = "PT72H"
    no_click_after: str = "PT24H"
    no_reply_after: str = "PT72H"


class Defaults(_PlanPart):
    """What the nodes take where they say nothing."""

    timers: Timers = Timers()


class Schedule(_PlanPart):
    """When a send node sends: ``delay`` (ISO 8601) after its entry, unless ``at`` (RFC 3339) names the instant."""

    delay: str = "PT0S"
    at: str | None = None


class PlanTransition(_PlanPart):
    """The way out of a node on an event: any time, at most ``within`` or at least ``after`` the node's anchor.

    ``to`` is a node id; ``"stop"`` means the end where the plan has no node of that id.
    """

    on: PlanEvent
    to: str = Field(min_length=1)
    within: str | None = None
    after: str | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> PlanTransition:
        if self.within is not None and self.after is not None:
            raise ValueError("a transition has `within` or `after`, not both")
        return self


class PlanNode(_PlanPart):
    """One step. ``subject``, ``body``, ``html``, ``sender_identity_id`` and ``schedule`` matter to send nodes only."""

    id: str = Field(min_length=1, max_length=200)
    action: NodeAction
    channel: Annotated[Channel, BeforeValidator(_none_is_email)] = Channel.EMAIL
    subject: str | None = None
    body: str | None = None
    html: str | None = None
    sender_identity_id: str | None = None
    schedule: Schedule | None = None
    transitions: Annotated[tuple[PlanTransition, ...], BeforeValidator(_none_is_empty)] = ()


class Plan(_PlanPart):
    """A whole plan. ``timezone`` is an IANA name; ``working_days`` are ISO weekdays, 1 is Monday."""

    version: Literal["1.0", "1.1"] = "1.0"
    timezone: str
    quiet_hours: Hours | None = None
    working_hours: Hours | None = None
    working_days: tuple[Annotated[int, Field(ge=1, le=7)], ...] | None = Field(default=None, min_length=1)
    defaults: Defaults | None = None
    sender_identity_id: str | None = None
    start_node_id: str
    nodes: tuple[PlanNode, ...] = Field(min_length=1, max_length=500)

    def to_json(self) -> dict[str, JsonValue]:
        """The plan's JSON as it was written: camelCase, without what its author left out, unknown fields kept."""
        return self.model_dump(mode="json", by_alias=True, exclude_unset=True)


def parse_plan(source: object) -> Plan:
    """Read decoded JSON as a plan.

    Raises:
        InvalidInput: The JSON has not the shape of a plan; one `FieldProblem` a fault.
    """
    try:
        return Plan.model_validate(source)
    except ValidationError as error:
        raise InvalidInput("this is not a plan", problems_of(error)) from error


def problems_of(error: ValidationError) -> tuple[FieldProblem, ...]:
    """What is wrong with the shape of a plan, one problem a fault."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    places = [fault["loc"] for fault in faults]
    return tuple(
        FieldProblem(json_pointer(*fault["loc"]), fault["msg"].removeprefix("Value error, "))
        for fault in faults
        # A sequence also counts as too short when one of its items is faulty; the item's own fault says it all.
        if fault["type"] != "too_short" or not any(_is_inside(place, fault["loc"]) for place in places)
    )


def _is_inside(place: tuple[int | str, ...], outer: tuple[int | str, ...]) -> bool:
    return len(place) > len(outer) and place[: len(outer)] == outer


def json_pointer(*path: str | int) -> str:
    """The RFC 6901 JSON pointer of a path into a document."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in path)


def canonical_json(plan: Plan) -> str:
    """The plan as one line of JSON that does not depend on the order of keys or on white space (as RFC 8785)."""
    return json.dumps(plan.to_json(), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def content_hash(plan: Plan) -> str:
    """SHA-256 of the canonical JSON, in hex: the plan's identity. Reading a stored plan back keeps it."""
    return hashlib.sha256(canonical_json(plan).encode()).hexdigest()


def json_schema() -> dict[str, JsonValue]:
    """The JSON Schema (2020-12) of a plan, for authors and editors."""
    schema: dict[str, JsonValue] = Plan.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}
