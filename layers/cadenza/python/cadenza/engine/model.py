"""What the state machine is made of: an enrolment's state, what can happen to it, and what follows.

Pure types. ``decide`` maps (plan, state, stimulus, rules, now) to a `Decision`; ``apply`` writes decisions down.

They are msgspec's structs because a decision makes some twenty of them: each costs a tenth of a frozen dataclass, to
make and to copy. None can be part of a cycle, so the collector need not look at them (``gc=False``).
"""

from __future__ import annotations

from datetime import date, datetime
from enum import StrEnum

from msgspec import Struct

from cadenza.core.ids import EventId, MessageId
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.planning.compiled import DailyWindow


class Synthetic(StrEnum):
    """Events that the engine makes out of silence."""

    NO_OPEN = "no_open"
    NO_CLICK = "no_click"
    NO_REPLY = "no_reply"
    EXPIRED = "expired"
    """Nothing that the node waits for can happen any more: the engine's own way out, never written in a plan."""


class SendOutcome(StrEnum):
    """How a message that was not sent ended. Sent ones end as `Sent`."""

    SKIPPED = "skipped"
    REJECTED = "rejected"
    UNKNOWN = "unknown"


# --- state -------------------------------------------------------------------------------------------------------


class SeenEvent(Struct, frozen=True, gc=False):
    """A signal recorded for a message. ``hard`` as in `Signal`."""

    event_id: EventId
    kind: SignalKind
    occurred_at: datetime
    grade: Grade = Grade.HUMAN
    hard: bool | None = None


class LastMessage(Struct, frozen=True, gc=False):
    """The enrolment's latest outbox message. A wait node listens to it; a send node has it once its own is queued.

    ``events`` holds what was recorded for it so far, in order of ``occurred_at``.
    """

    message_id: MessageId
    node: str
    visit: int
    sent_at: datetime | None = None
    final: bool = False
    events: tuple[SeenEvent, ...] = ()


class State(Struct, frozen=True, gc=False):
    """One enrolment, as far as the machine is concerned.

    ``visit`` counts nodes entered: 1 for the first, one more with each; so (node, visit) names one stay in a node.
    ``anchor_at`` is where the node's clock starts: the sent instant at a send node (None until sent), the entry at a
    wait node. ``seq`` is the number of audit rows written so far. A draft that is not ``approved`` does not begin.
    """

    status: EnrolmentStatus
    node: str = ""
    visit: int = 0
    entered_at: datetime | None = None
    anchor_at: datetime | None = None
    seq: int = 0
    message: LastMessage | None = None
    reason: str = ""
    approved: bool = True


# --- stimuli: what can happen ------------------------------------------------------------------------------------


class Enrol(Struct, frozen=True, gc=False):
    """The enrolment becomes active and enters the plan's start node, unless it waits for approval."""


class Due(Struct, frozen=True, gc=False):
    """A scheduled action is due. ``event`` is the synthetic event of a timeout, "" for a send."""

    kind: ActionKind
    node: str
    visit: int
    event: str
    due_at: datetime


class Sent(Struct, frozen=True, gc=False):
    """The node's message was handed to its provider at ``at``."""

    node: str
    visit: int
    at: datetime


class NotSent(Struct, frozen=True, gc=False):
    """The node's message will never be sent (or nobody knows and nobody will try again)."""

    node: str
    visit: int
    at: datetime
    outcome: SendOutcome
    reason: str


class Signal(Struct, frozen=True, gc=False):
    """A recorded event about the message of (node, visit). ``hard`` is set for bounces.

    ``because`` is why it stops the enrolment, if that is not its kind's own reason: the last of many soft bounces.
    """

    event_id: EventId
    kind: SignalKind
    node: str
    visit: int
    occurred_at: datetime
    grade: Grade = Grade.HUMAN
    hard: bool | None = None
    because: str = ""


class Halt(Struct, frozen=True, gc=False):
    """An operator, a suppression or a colleague's reply ends the enrolment. ``event_id``: the event behind it."""

    at: datetime
    cause: str
    reason: str
    event_id: EventId | None = None


Stimulus = Enrol | Due | Sent | NotSent | Signal | Halt


# --- what follows ------------------------------------------------------------------------------------------------


class Verdict(StrEnum):
    """What became of a stimulus."""

    MOVED = "moved"
    """The enrolment went to another node, or ended."""
    ACTED = "acted"
    """No move, but something follows: a message queued, timers started, a send put off."""
    RECORDED = "recorded"
    """Known now; nothing follows."""
    STALE = "stale"
    """About a node or visit that the enrolment has left, or has not come to: it waits for approval."""
    LATE = "late"
    """True, but its time had passed: ``occurred_at`` is outside every transition."""
    MACHINE = "machine"
    """An open or click that no person made."""
    ENDED = "ended"
    """The enrolment had ended before."""


class Move(Struct, frozen=True, gc=False):
    """One audit row. ``to_node`` "" means the enrolment ended with ``to_status``."""

    seq: int
    from_node: str
    from_visit: int
    to_node: str
    to_visit: int
    to_status: EnrolmentStatus
    cause: str
    """What kind of thing happened: enrolled, a signal or synthetic event's name, sent, skipped, halted …"""
    rule: str
    """Which rule matched: ``transitions/2: no_open after P3D``, ``engine: stop on reply`` …"""
    event_id: EventId | None
    at: datetime


class ScheduleAction(Struct, frozen=True, gc=False):
    """A new live action. ``closes_at`` ends the window that ``due_at`` fell in (sends only; None: never).

    ``why`` explains the instant, one step a line: ``delay P3D → …``, ``quiet hours 21:00–07:30 → …``.
    """

    kind: ActionKind
    node: str
    visit: int
    event: str
    due_at: datetime
    closes_at: datetime | None = None
    why: tuple[str, ...] = ()


class CancelActions(Struct, frozen=True, gc=False):
    """Every live action of the enrolment up to and including ``visit`` is cancelled."""

    visit: int
    reason: str


class QueueMessage(Struct, frozen=True, gc=False):
    """The node's message goes to the outbox. ``closes_at`` as in `ScheduleAction`."""

    node: str
    visit: int
    closes_at: datetime | None = None


class WithdrawMessage(Struct, frozen=True, gc=False):
    """The message of (node, visit), if still queued, is skipped: the enrolment has ended or gone on."""

    visit: int
    reason: str


class Suppress(Struct, frozen=True, gc=False):
    """The contact's address may never be written to again."""

    reason: str


Effect = ScheduleAction | CancelActions | QueueMessage | WithdrawMessage | Suppress


class Decision(Struct, frozen=True, gc=False):
    """What `decide` answers: the new state, the audit rows and the effects, in order. It does nothing itself."""

    verdict: Verdict
    state: State
    moves: tuple[Move, ...] = ()
    effects: tuple[Effect, ...] = ()


# --- when sends may fall -----------------------------------------------------------------------------------------


class SendingRules(Struct, frozen=True, gc=False):
    """Everything besides the plan that moves a send. Zones are IANA names; "" means: the plan's."""

    recipient_zone: str = ""
    working_hours: DailyWindow | None = None
    working_days: frozenset[int] = frozenset(range(1, 8))
    """ISO weekdays, 1 is Monday."""
    holidays_country: str = ""
    """ISO 3166-1 alpha-2; its public holidays are no working days. "" means none."""
    extra_holidays: frozenset[date] = frozenset()
    not_before: datetime | None = None
    """The end of a person's hold."""
    skip_due_before: datetime | None = None
    """Sends that were due before then are dropped: their campaign was paused at the time, and goes on without them."""
