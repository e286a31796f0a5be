"""The plan as the engine runs it: checked, its times read, its nodes by id. Cheap to read, made once a plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from types import MappingProxyType
from typing import Final
from zoneinfo import ZoneInfo

from cadenza.core.states import Channel
from cadenza.planning.durations import Duration
from cadenza.planning.model import NodeAction, PlanEvent

END: Final = ""
"""The target of a transition that ends the enrolment without a stop node."""

NO_DELAY: Final = Duration()

HORIZON: Final = timedelta(days=30)
"""How long a node waits for an event that has no `within`, when no timer will ever take it further."""

MAX_VISITS: Final = 100
"""How many nodes an enrolment may enter. What bounds the plans that go round."""

ANSWERS: Final[Mapping[PlanEvent, frozenset[PlanEvent]]] = MappingProxyType(
    {
        PlanEvent.NO_OPEN: frozenset({PlanEvent.OPENED, PlanEvent.CLICKED, PlanEvent.REPLIED}),
        PlanEvent.NO_CLICK: frozenset({PlanEvent.CLICKED}),
        PlanEvent.NO_REPLY: frozenset({PlanEvent.REPLIED}),
    }
)
"""What each synthetic event is the absence of. Who clicks or replies has read the mail, with or without its pixel."""


@dataclass(frozen=True, slots=True)
class DailyWindow:
    """A half-open wall-clock window [start, end); it may cross midnight; equal ends mean the whole day."""

    start: time
    end: time

    def __contains__(self, wall: time) -> bool:
        if self.start < self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}–{self.end:%H:%M}"


LEGAL_HOURS: Final[Mapping[Channel, DailyWindow]] = MappingProxyType(
    {
        # 47 CFR 64.1200(c)(1): calls and texts between 8 a.m. and 9 p.m. at the called party's location.
        Channel.SMS: DailyWindow(time(8), time(21)),
        Channel.CALL: DailyWindow(time(8), time(21)),
    }
)


@dataclass(frozen=True, slots=True)
class Transition:
    """A way out of a node. ``within`` and ``after`` exclude each other; a synthetic event always has ``after``.

    ``rule`` is how the audit quotes it: ``transitions/2: no_open after P3D``. ``to`` is a node id or `END`.
    """

    position: int
    on: PlanEvent
    to: str
    within: Duration | None
    after: Duration | None
    rule: str

    @property
    def at_least(self) -> timedelta:
        """How much later than its node's anchor a timer fires at the least."""
        return self.after.at_least if self.after is not None else timedelta(0)


@dataclass(frozen=True, slots=True)
class Node:
    """One step. ``signals`` and ``timers`` are its transitions on real and on synthetic events, in the plan's order."""

    position: int
    id: str
    action: NodeAction
    channel: Channel = Channel.EMAIL
    subject: str = ""
    body: str = ""
    html: str = ""
    sender_identity_id: str = ""
    delay: Duration = NO_DELAY
    delay_text: str = "PT0S"
    at: datetime | None = None
    signals: tuple[Transition, ...] = ()
    timers: tuple[Transition, ...] = ()

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """Every way out, in the plan's order."""
        return tuple(sorted(self.signals + self.timers, key=lambda transition: transition.position))


@dataclass(frozen=True, slots=True)
class PlanWindows:
    """The windows that a plan states for its sends."""

    quiet_hours: DailyWindow | None = None
    working_hours: DailyWindow | None = None
    working_days: frozenset[int] = frozenset(range(1, 8))


@dataclass(frozen=True, slots=True)
class CompiledPlan:
    """A plan without errors. ``nodes`` has only those that can be reached; ``hash`` is its content hash."""

    hash: str
    zone: ZoneInfo
    start: str
    nodes: Mapping[str, Node]
    windows: PlanWindows = PlanWindows()
