"""What it means for an enrolment to go on in another plan. Pure, as `decide` is.

It stays where it is: the node of the same name (or the one that its node is mapped to) takes over the same stay, with
the same clock. What the old plan had started is cancelled; what the new one would have started by then is started:

- a send that is not queued yet falls when the new plan says, counted from the same entry;
- a queued message takes its content from the new plan, and goes when it would have, if the new plan's windows allow it.
  Where the node changes its name, the message is withdrawn and the send scheduled anew;
- after a send, and in a wait node, the new node's timers run from the same anchor. One whose instant has passed fires
  as soon as it is run, once.

What was recorded before stops the timers that it answers, and moves nothing: a migration waits for nothing in the past.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final, assert_never

from msgspec.structs import replace

from cadenza.core.ids import MessageId
from cadenza.core.states import EnrolmentStatus, MessageStatus
from cadenza.engine.model import (
    CancelActions,
    Decision,
    Effect,
    Move,
    SendingRules,
    State,
    Verdict,
    WithdrawMessage,
)
from cadenza.engine.schedule import Slot, next_slot, planned_slot
from cadenza.engine.walk import Walk
from cadenza.planning.compiled import CompiledPlan, Node
from cadenza.planning.model import NodeAction

MIGRATED: Final = "migrated"
"""The cause of the audit row, and the reason of all that is cancelled."""

_SHOWN: Final = 8
"""How many digits of a plan's hash name it in the audit."""


@dataclass(frozen=True, slots=True)
class OpenMessage:
    """The message of the current stay, while it is queued, under way or unknown."""

    message_id: MessageId
    status: MessageStatus
    due_at: datetime


@dataclass(frozen=True, slots=True)
class NewWindow:
    """A queued message that stays queued, to be sent in [``due_at``, ``closes_at``) (None: open end)."""

    message_id: MessageId
    due_at: datetime
    closes_at: datetime | None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Rebased:
    """The enrolment goes on in the new plan. ``window`` is set if its message is queued, and stays so.

    ``decision`` is empty for a draft: nothing has begun, so there is nothing to audit or to cancel.
    """

    decision: Decision
    window: NewWindow | None = None


@dataclass(frozen=True, slots=True)
class CannotMove:
    """The enrolment stays in its plan; ``reason`` is for people."""

    reason: str


_NO_WINDOW: Final = CannotMove("the new plan's sending windows never open for it")


def rebase(
    old: CompiledPlan,
    new: CompiledPlan,
    state: State,
    rules: SendingRules,
    now: datetime,
    node_map: Mapping[str, str],
    message: OpenMessage | None = None,
) -> Rebased | CannotMove:
    """Go on in ``new``. ``message`` is the open message of the current stay, if there is one."""
    if old.hash == new.hash:
        return CannotMove("it is on this plan already")
    match state.status:
        case EnrolmentStatus.DRAFT:
            return Rebased(Decision(Verdict.ACTED, state))
        case EnrolmentStatus.ACTIVE:
            target = _target(old, new, state.node, node_map)
            if isinstance(target, CannotMove):
                return target
            return _Rebase(old, new, state, rules, now, target).run(message)
        case EnrolmentStatus.COMPLETED | EnrolmentStatus.STOPPED | EnrolmentStatus.FAILED:
            return CannotMove(f"it has ended: {state.status}, {state.reason}".removesuffix(", "))
        case _:
            assert_never(state.status)


def _target(old: CompiledPlan, new: CompiledPlan, node_id: str, node_map: Mapping[str, str]) -> Node | CannotMove:
    wanted = node_map.get(node_id, node_id)
    source, target = old.nodes[node_id], new.nodes.get(wanted)
    if target is None:
        return CannotMove(f"the new plan has no node {wanted!r} that can be reached: map {node_id!r} to one")
    if target.action is not source.action:
        return CannotMove(f"it is in a {source.action} node, and {wanted!r} of the new plan is a {target.action} node")
    if target.action is NodeAction.SEND and target.channel is not source.channel:
        return CannotMove(f"{node_id!r} sends by {source.channel}, and {wanted!r} of the new plan by {target.channel}")
    return target


@dataclass(frozen=True, slots=True)
class _Rebase:
    """An active enrolment, and the node that takes it over."""

    old: CompiledPlan
    new: CompiledPlan
    state: State
    rules: SendingRules
    now: datetime
    target: Node

    def run(self, message: OpenMessage | None) -> Rebased | CannotMove:
        if self.state.anchor_at is not None:
            walk = self._walk()
            walk.wait(self.state.anchor_at)
            return Rebased(self._decision(walk))
        if message is None:
            if self.state.message is not None and self.state.message.visit == self.state.visit:
                return CannotMove("its message has just ended: try again")
            return self._send_anew()
        match message.status:
            case MessageStatus.QUEUED if self.target.id == self.state.node:
                return self._keep(message)
            case MessageStatus.QUEUED:
                return self._send_anew(WithdrawMessage(self.state.visit, MIGRATED))
            case MessageStatus.UNKNOWN:
                return CannotMove("nobody knows yet whether its message was sent: try again once that is settled")
            case _:
                return CannotMove("its message is being sent: try again once it is")

    def _send_anew(self, *withdrawn: WithdrawMessage) -> Rebased | CannotMove:
        slot = self._slot()
        if slot is None:
            return _NO_WINDOW
        walk = self._walk(without_message=bool(withdrawn))
        walk.schedule_send(slot)
        return Rebased(self._decision(walk, *withdrawn))

    def _slot(self) -> Slot | None:
        """When the node would send if it had been entered in the new plan, but not before now."""
        slot = planned_slot(self.new, self.target, self.rules, self.state.entered_at or self.now)
        if slot is None or slot.at >= self.now:
            return slot
        return next_slot(self.new, self.target, self.rules, self.now, (*slot.why, "passed: as soon as it may"))

    def _keep(self, message: OpenMessage) -> Rebased | CannotMove:
        instant = max(self.now, message.due_at)
        slot = next_slot(self.new, self.target, self.rules, instant)
        if slot is None:
            return _NO_WINDOW
        # Where nothing moves it, its due time stays: that is its place in the queue for the caps.
        due_at = message.due_at if slot.at == instant else slot.at
        window = NewWindow(message.message_id, due_at, slot.closes_at, slot.why)
        return Rebased(self._decision(self._walk()), window)

    def _walk(self, *, without_message: bool = False) -> Walk:
        """The enrolment as the move into the new plan leaves it."""
        latest = None if without_message else self.state.message
        moved = replace(self.state, node=self.target.id, seq=self.state.seq + 1, message=latest)
        return Walk(self.new, moved, self.rules, self.now)

    def _decision(self, walk: Walk, *withdrawn: Effect) -> Decision:
        """The move into the new plan, and what has followed from it: something started, or the end."""
        followed = walk.decision(Verdict.ACTED, ())
        move = Move(
            seq=self.state.seq + 1,
            from_node=self.state.node,
            from_visit=self.state.visit,
            to_node=self.target.id,
            to_visit=self.state.visit,
            to_status=EnrolmentStatus.ACTIVE,
            cause=MIGRATED,
            rule=f"engine: plan {self.old.hash[:_SHOWN]} → {self.new.hash[:_SHOWN]}",
            event_id=None,
            at=self.now,
        )
        started = (effect for effect in followed.effects if not isinstance(effect, CancelActions))
        effects = (CancelActions(self.state.visit, MIGRATED), *withdrawn, *started)
        return Decision(Verdict.MOVED, followed.state, (move, *followed.moves), effects)
