"""Plays one enrolment on a virtual clock, as the engine's SQL and the outbox do: for the tests of `decide`."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import assert_never
from uuid import UUID

from msgspec.structs import replace

from cadenza.core.ids import EventId, MessageId
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import EnrolmentStatus
from cadenza.engine.decide import decide, replay
from cadenza.engine.model import (
    CancelActions,
    Decision,
    Due,
    Effect,
    Enrol,
    LastMessage,
    Move,
    NotSent,
    QueueMessage,
    ScheduleAction,
    SendingRules,
    SendOutcome,
    Sent,
    Signal,
    State,
    Stimulus,
    Suppress,
    WithdrawMessage,
)
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.compiler import compiled

MONDAY = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def send(node_id: str, *transitions: dict[str, str], **fields: object) -> dict[str, object]:
    """A mail node."""
    return {"id": node_id, "action": "send", "subject": "s", "body": "b", "transitions": list(transitions), **fields}


def wait(node_id: str, *transitions: dict[str, str]) -> dict[str, object]:
    """A wait node."""
    return {"id": node_id, "action": "wait", "transitions": list(transitions)}


def stop(node_id: str = "end") -> dict[str, object]:
    """A stop node."""
    return {"id": node_id, "action": "stop"}


def on(event: str, to: str, **bound: str) -> dict[str, str]:
    """A transition."""
    return {"on": event, "to": to, **bound}


def plan_of(*nodes: dict[str, object], zone: str = "UTC", **fields: object) -> CompiledPlan:
    """A compiled plan of version 1.1 that starts with its first node."""
    return compiled({"version": "1.1", "timezone": zone, "startNodeId": nodes[0]["id"], "nodes": list(nodes), **fields})


class Play:
    """One enrolment. Messages are sent the moment they are queued, unless ``sends`` is False."""

    def __init__(
        self,
        plan: CompiledPlan,
        start: datetime = MONDAY,
        *,
        rules: SendingRules | None = None,
        sends: bool = True,
        enrol: bool = True,
    ) -> None:
        self.plan = plan
        self.now = start
        self.rules = rules or SendingRules()
        self.sends = sends
        self.state = State(EnrolmentStatus.DRAFT)
        self.live: dict[tuple[str, int, str, str], ScheduleAction] = {}
        self.queued: list[QueueMessage] = []
        self.withdrawn: list[WithdrawMessage] = []
        self.suppressed: list[str] = []
        self.sent: list[tuple[str, datetime]] = []
        self.signals: list[Signal] = []
        self.moves: list[Move] = []
        self.messages: dict[str, int] = {}
        self._events = 0
        if enrol:
            self.tell(Enrol())

    @property
    def way(self) -> list[str]:
        """The nodes entered, in order."""
        return [move.to_node for move in self.moves if move.to_node]

    def tell(self, stimulus: Stimulus) -> Decision:
        """Decide, check what every decision promises, and apply."""
        before = self.state
        decision = decide(self.plan, before, stimulus, self.rules, self.now)
        self._check(before, decision)
        self.state = decision.state
        self.moves += decision.moves
        for effect in decision.effects:
            self._apply(effect)
        if self.sends and self.queued:
            queued = self.queued.pop()
            self.deliver(queued.node, queued.visit)
        return decision

    def deliver(self, node: str, visit: int) -> Decision:
        """The node's message leaves."""
        self.sent.append((node, self.now))
        return self.tell(Sent(node, visit, self.now))

    def lose(self, outcome: SendOutcome, reason: str = "no quota") -> Decision:
        """The current node's message will not leave."""
        return self.tell(NotSent(self.state.node, self.state.visit, self.now, outcome, reason))

    def signal(
        self,
        kind: SignalKind,
        node: str = "",
        *,
        at: datetime | None = None,
        grade: Grade = Grade.HUMAN,
        hard: bool | None = None,
    ) -> Decision:
        """Something is reported about the message of ``node`` (the latest one if not given)."""
        self._events += 1
        about = node or (self.state.message.node if self.state.message else self.state.node)
        visit = self.messages.get(about, self.state.visit)
        signal = Signal(EventId(self._events), kind, about, visit, at or self.now, grade, hard)
        self.signals.append(signal)
        return self.tell(signal)

    def run(self, until: datetime | timedelta) -> None:
        """Let time pass; actions run the moment they are due, in order."""
        end = self.now + until if isinstance(until, timedelta) else until
        while self.live:
            key, action = min(self.live.items(), key=lambda item: (item[1].due_at, item[0]))
            if action.due_at > end:
                break
            del self.live[key]
            self.now = max(self.now, action.due_at)
            self.tell(Due(action.kind, action.node, action.visit, action.event, action.due_at))
        self.now = max(self.now, end)

    def due(self, event: str = "") -> datetime:
        """When the live action of ``event`` ("": the send) is due."""
        [found] = [action.due_at for action in self.live.values() if action.event == event]
        return found

    def _apply(self, effect: Effect) -> None:
        match effect:
            case ScheduleAction():
                self.live.setdefault((effect.node, effect.visit, effect.kind, effect.event), effect)
            case CancelActions():
                self.live = {key: kept for key, kept in self.live.items() if kept.visit > effect.visit}
            case QueueMessage():
                self.queued.append(effect)
                self.messages[effect.node] = effect.visit
                message = LastMessage(MessageId(UUID(int=effect.visit)), effect.node, effect.visit)
                self.state = replace(self.state, message=message)
            case WithdrawMessage():
                self.queued = [queued for queued in self.queued if queued.visit > effect.visit]
                self.withdrawn.append(effect)
            case Suppress():
                self.suppressed.append(effect.reason)
            case _:
                assert_never(effect)

    def _check(self, before: State, decision: Decision) -> None:
        state = decision.state
        assert replay([*self.moves, *decision.moves]) == (state.node, state.status)
        assert state.seq == before.seq + len(decision.moves)
        kinds = [type(effect) for effect in decision.effects]
        assert kinds.count(CancelActions) <= 1
        started = [effect for effect in decision.effects if isinstance(effect, ScheduleAction | QueueMessage)]
        assert all((effect.node, effect.visit) == (state.node, state.visit) for effect in started)
        if state.status is not EnrolmentStatus.ACTIVE:
            assert not started
        if before.status is not EnrolmentStatus.ACTIVE and before.status is not EnrolmentStatus.DRAFT:
            assert not decision.moves
            assert state == before
