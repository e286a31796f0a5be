"""An enrolment on its way through its plan during one decision: from node to node, until it has to wait or ends."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from msgspec.structs import replace

from cadenza.core.ids import EventId
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.engine.matching import Spent, by_person, last_chance, names_of, open_timers, suppresses, way_out
from cadenza.engine.model import (
    CancelActions,
    Decision,
    Effect,
    LastMessage,
    Move,
    ScheduleAction,
    SeenEvent,
    SendingRules,
    Sent,
    State,
    Synthetic,
    Verdict,
    WithdrawMessage,
)
from cadenza.engine.schedule import Slot, planned_slot
from cadenza.planning.compiled import END, MAX_VISITS, CompiledPlan, Node, Transition
from cadenza.planning.model import NodeAction, PlanEvent

_UNSPENT: Final[Spent] = frozenset()


@dataclass(frozen=True, slots=True)
class Cause:
    """Why the enrolment moves, as its audit row says it."""

    event: str
    rule: str
    event_id: EventId | None = None


_EXPIRED: Final = Cause(Synthetic.EXPIRED, "engine: nothing more can happen here")


class Walk:
    """The state as it changes, and what has followed so far. Made for one decision and thrown away."""

    def __init__(self, plan: CompiledPlan, state: State, rules: SendingRules, now: datetime) -> None:
        self.plan = plan
        self.rules = rules
        self.now = now
        self.status = state.status
        self.visit = state.visit
        self.anchor_at = state.anchor_at
        self.entered_at = state.entered_at
        self.message = state.message
        self.started: list[Effect] = []
        self._before = state
        self._node_id = state.node
        self._reason = state.reason
        self._moves: list[Move] = []
        self._withdrawn: list[Effect] = []
        self._spent: dict[EventId, Spent] = {}

    @property
    def node(self) -> Node:
        """The current node. Only for enrolments that have entered one."""
        return self.plan.nodes[self._node_id]

    def decision(self, verdict: Verdict, suppressions: tuple[Effect, ...]) -> Decision:
        """What has followed. ``verdict`` stands if the enrolment has neither moved nor started anything."""
        effects = suppressions
        if self._moves:
            verdict = Verdict.MOVED
            if self._before.visit:
                effects += (CancelActions(self._before.visit, self._moves[0].cause),)
        elif self.started:
            verdict = Verdict.ACTED
        seq = self._before.seq + len(self._moves)
        state = State(
            self.status,
            self._node_id,
            self.visit,
            self.entered_at,
            self.anchor_at,
            seq,
            self.message,
            self._reason,
            self._before.approved,
        )
        return Decision(verdict, state, tuple(self._moves), (*effects, *self._withdrawn, *self.started))

    # --- where it is, and what it hears --------------------------------------------------------------------------

    def is_at(self, node: str, visit: int) -> bool:
        """Whether the enrolment is in this very stay in a node."""
        return (node, visit) == (self._node_id, self.visit)

    @property
    def own_message(self) -> LastMessage | None:
        """The current send node's message, once it has been queued."""
        return self.message if self.message is not None and self.message.visit == self.visit else None

    @property
    def heard(self) -> LastMessage | None:
        """The message that the current node listens to: a send node to its own, a wait node to the latest."""
        return self.message if self.node.action is NodeAction.WAIT else self.own_message

    @property
    def events(self) -> tuple[SeenEvent, ...]:
        """What is recorded for the message that the current node listens to."""
        return self.heard.events if self.heard is not None else ()

    def note(self, event: SeenEvent) -> bool:
        """Record an event of the latest message. False: it is recorded already, or there is no message."""
        message = self.message
        if message is None or any(seen.event_id == event.event_id for seen in message.events):
            return False
        events = tuple(sorted((*message.events, event), key=_occurrence)) if message.events else (event,)
        self.message = replace(message, events=events)
        return True

    def note_sent(self, sent: Sent) -> None:
        """Record that the latest message was sent."""
        message = self.message
        if message is not None and (message.node, message.visit) == (sent.node, sent.visit) and message.sent_at is None:
            self.message = replace(message, sent_at=sent.at)

    def way_out(self, event: SeenEvent) -> Transition | None:
        """The transition that the event takes out of the current node. Until a send is known, its clock stands at 0."""
        anchor = self.anchor_at
        if anchor is None and self.own_message is not None:
            anchor = self.own_message.sent_at
        spent = self._spent.get(event.event_id, _UNSPENT)
        return way_out(self.plan, self.node, anchor or event.occurred_at, event, spent)

    def passes_suppression(self, way: Transition, event: SeenEvent, source: Node | None) -> bool:
        """Whether the way leads from an event that suppresses an address to a send to that very address.

        ``source`` is the node whose message the event is about; None: one that the plan no longer has.
        """
        target = self.plan.nodes.get(way.to)
        if target is None or target.action is not NodeAction.SEND or not suppresses(event.kind, event.hard):
            return False
        return source is None or source.channel is target.channel

    def has_spent(self, event: SeenEvent) -> bool:
        """Whether the event has already moved the enrolment in this decision."""
        return event.event_id in self._spent

    # --- moving --------------------------------------------------------------------------------------------------

    def follow(self, way: Transition, event: SeenEvent) -> None:
        """Take the way that an event has opened; it does not count again on entry, except a click taken for an open."""
        names = names_of(event)
        spent = self._spent.get(event.event_id, _UNSPENT) | {way.on}
        self._spent[event.event_id] = spent | {*names, PlanEvent.OPENED} if way.on in names else spent
        self.go(way.to, Cause(event.kind, way.rule, event.event_id))

    def go(self, to: str, cause: Cause, *, unsent: bool = True) -> None:
        """Leave the current node for ``to`` and do what entering it means. ``unsent``: see `end`."""
        if to == END:
            self.end(EnrolmentStatus.COMPLETED, "stop", cause, unsent=unsent)
            return
        if self.visit >= MAX_VISITS:
            self.end(EnrolmentStatus.FAILED, "too many steps", cause, unsent=unsent)
            return
        self._leave(cause, unsent=unsent)
        self._record(to, self.visit + 1, EnrolmentStatus.ACTIVE, cause)
        self.status, self._node_id, self.visit = EnrolmentStatus.ACTIVE, to, self.visit + 1
        self.entered_at, self.anchor_at = self.now, None
        match self.node.action:
            case NodeAction.SEND:
                self.schedule_send(planned_slot(self.plan, self.node, self.rules, self.now))
            case NodeAction.WAIT:
                self._enter_wait()
            case NodeAction.STOP:
                self.end(EnrolmentStatus.COMPLETED, f"stop node {to}", Cause("stop", "engine: stop node"))
            case _:
                assert_never(self.node.action)

    def end(self, status: EnrolmentStatus, reason: str, cause: Cause, *, unsent: bool = True) -> None:
        """End the enrolment where it is. ``unsent``: a message of this node may still wait in the outbox."""
        self._leave(cause, unsent=unsent)
        self._record("", self.visit, status, cause)
        self.status, self._reason = status, reason

    def _enter_wait(self) -> None:
        """Events recorded before count on entry, but for the one that led here."""
        self.anchor_at = self.now
        if not self.node.signals and not self.node.timers:
            reason = f"node {self._node_id} has no transitions"
            self.end(EnrolmentStatus.COMPLETED, reason, Cause("waited", "engine: nothing to wait for"))
            return
        source = self.plan.nodes.get(self.message.node) if self.message is not None else None
        for event in self.events:
            way = self.way_out(event) if by_person(event.kind, event.grade) else None
            if way is not None and not self.passes_suppression(way, event, source):
                self.follow(way, event)
                return
        self.wait(self.now)

    def _leave(self, cause: Cause, *, unsent: bool) -> None:
        self.started.clear()
        own = self.own_message
        if unsent and own is not None and own.sent_at is None and not own.final:
            self._withdrawn.append(WithdrawMessage(self.visit, cause.event))

    def _record(self, to: str, visit: int, status: EnrolmentStatus, cause: Cause) -> None:
        seq = self._before.seq + len(self._moves) + 1
        self._moves.append(
            Move(seq, self._node_id, self.visit, to, visit, status, cause.event, cause.rule, cause.event_id, self.now)
        )

    # --- timers --------------------------------------------------------------------------------------------------

    def schedule_send(self, slot: Slot | None) -> None:
        """Schedule the current node's send for ``slot``; without one the enrolment cannot go on."""
        if slot is None:
            cause = Cause("no_window", "engine: sending windows")
            self.end(EnrolmentStatus.FAILED, "no sending window ever opens", cause)
        else:
            self.started.append(
                ScheduleAction(ActionKind.SEND, self._node_id, self.visit, "", slot.at, slot.closes_at, slot.why)
            )

    def wait(self, anchor: datetime) -> None:
        """Start the current node's timers, the earliest of each event; without any, its expiry."""
        timers = self._timers(anchor)
        started: set[PlanEvent] = set()
        for due_at, way in timers:
            if way.on not in started:
                started.add(way.on)
                self._start_timer(way.on, due_at, way.rule)
        if not timers:
            self._expire_later(anchor)

    def time_out(self, event: str, due_at: datetime) -> None:
        """Fire the earliest timer that is due and not stopped: not always the one heard of, another may come first.

        If no timer is left, only events can still lead out of the node.
        """
        anchor = self.anchor_at
        if anchor is None:
            return
        timers = self._timers(anchor)
        if not timers:
            self._expire_later(anchor)
        elif timers[0][0] <= max(self.now, due_at):
            self._fire(timers[0][1])
        elif due := [timer for timer in timers if timer[1].on == event]:
            # It is due later than was thought: a zone has changed its rules since the timer was started.
            self._start_timer(event, due[0][0], due[0][1].rule)

    def fire_overdue(self, occurred_at: datetime, way: Transition | None) -> bool:
        """Fire the timer that comes before an event which takes ``way`` out. At the same instant the plan's order says.

        Whether one fired.
        """
        anchor = self.anchor_at
        if anchor is None or all(self.now < anchor + timer.at_least for timer in self.node.timers):
            return False  # mostly so, and known without a look at any calendar
        timers = self._timers(anchor)
        if timers:
            due_at, timer = timers[0]
            # A provider's clock may be ahead of ours; a timer never fires before its time.
            if due_at <= self.now and (due_at, timer.position) < (occurred_at, -1 if way is None else way.position):
                self._fire(timer)
                return True
        return False

    def expire(self) -> None:
        """End the enrolment because its node cannot do so itself."""
        self.end(EnrolmentStatus.COMPLETED, "expired", _EXPIRED)

    def _timers(self, anchor: datetime) -> list[tuple[datetime, Transition]]:
        node = self.node
        return open_timers(self.plan, node, anchor, self.events) if node.timers else []

    def _fire(self, timer: Transition) -> None:
        self.go(timer.to, Cause(timer.on, timer.rule))

    def _expire_later(self, anchor: datetime) -> None:
        until = last_chance(self.plan, self.node, anchor)
        if until is None or until <= self.now:
            self.expire()
        else:
            self._start_timer(Synthetic.EXPIRED, until, "engine: nothing can happen here after this")

    def _start_timer(self, event: str, due_at: datetime, why: str) -> None:
        self.started.append(ScheduleAction(ActionKind.TIMEOUT, self._node_id, self.visit, event, due_at, None, (why,)))


def _occurrence(event: SeenEvent) -> tuple[datetime, EventId]:
    return event.occurred_at, event.event_id
