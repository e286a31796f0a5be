"""What it means for an enrolment to go on where another system has left it. Pure, as `decide` is.

It goes through its plan as if this engine had run it: from node to node along the steps that are behind it, to where it
stands. Each of these moves is audited, at the instant of the adoption. Nothing that is behind it is queued; the send
before which it stands falls when it had been planned, or, once that has passed, as soon as it may.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from msgspec.structs import replace

from cadenza.core.ids import MessageId
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.engine.model import CancelActions, Decision, LastMessage, ScheduleAction, SendingRules, State, Verdict
from cadenza.engine.schedule import Slot, next_slot
from cadenza.engine.walk import Cause, Walk
from cadenza.planning.compiled import END, CompiledPlan
from cadenza.planning.model import NodeAction

ADOPTED: Final = "imported"
"""The cause of the audit rows."""

_BEHIND: Final = Cause(ADOPTED, "engine: as another system left it")


@dataclass(frozen=True, slots=True)
class Behind:
    """A send node that is behind it. ``sent_at`` None: its mail was not sent, and never will be."""

    message_id: MessageId
    node: str
    sent_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ahead:
    """The send node before which it stands, and when its mail was to go."""

    node: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Over:
    """It has ended, for this reason."""

    status: EnrolmentStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Story:
    """How far an enrolment has come. Without ``then`` it stands where its last mail was sent, and its timers run."""

    behind: tuple[Behind, ...] = ()
    then: Ahead | Over | None = None


@dataclass(frozen=True, slots=True)
class Adopted:
    """``visits`` are those in which the mails behind it were sent, in their order."""

    decision: Decision
    visits: tuple[int, ...]


def way(plan: CompiledPlan, nodes: Sequence[str], after: str | None = None) -> tuple[str, ...] | None:
    """Every node that is entered on the shortest way through ``nodes``, in their order. None: there is no way.

    ``after`` is the node where the way begins, which is not entered any more; None: from the start.
    """
    entered: list[str] = []
    for node in nodes:
        part = _part(plan, entered[-1] if entered else after, node)
        if part is None:
            return None
        entered += part
    return tuple(entered)


def _part(plan: CompiledPlan, after: str | None, to: str) -> tuple[str, ...] | None:
    """The nodes from the one after ``after`` (None: from the start) to ``to``, breadth first."""
    first = (plan.start,) if after is None else _targets(plan, after)
    waiting: deque[tuple[str, ...]] = deque((node,) for node in first)
    seen: set[str] = set()
    while waiting:
        path = waiting.popleft()
        if path[-1] == to:
            return path
        if path[-1] not in seen and path[-1] in plan.nodes:
            seen.add(path[-1])
            waiting.extend((*path, target) for target in _targets(plan, path[-1]))
    return None


def _targets(plan: CompiledPlan, node_id: str) -> tuple[str, ...]:
    node = plan.nodes[node_id]
    return tuple(found.to for found in (*node.timers, *node.signals) if found.to != END)


def adopt(plan: CompiledPlan, state: State, rules: SendingRules, now: datetime, story: Story) -> Adopted | None:
    """Go on in ``plan`` where the story leaves off. None: the plan knows no such way.

    ``state`` is a draft's, or that of an enrolment that stands before the first mail of the story, whose mail is not
    queued.
    """
    stands = bool(state.visit)
    if stands and (not story.behind or story.behind[0].node != state.node or state.anchor_at is not None):
        return None
    stops = [behind.node for behind in story.behind[1 if stands else 0 :]]
    if isinstance(story.then, Ahead):
        stops.append(story.then.node)
    nodes = way(plan, stops, state.node if stands else None)
    if nodes is None or any(plan.nodes[node].action is NodeAction.STOP for node in nodes):
        return None
    walk = Walk(plan, state, rules, now)
    told = _Told(walk, story.behind)
    if stands:
        told.arrive(state.node)
    for node in nodes:
        walk.go(node, _BEHIND)
        told.arrive(node)
    if walk.status is EnrolmentStatus.ACTIVE or not nodes:
        walk.message = told.last or walk.message
        _settle(walk, story)
    decision = walk.decision(Verdict.MOVED, ())
    if stands and not decision.moves:  # its send is behind it: what was planned of it is not to come any more
        decision = replace(decision, effects=(CancelActions(state.visit, ADOPTED), *decision.effects))
    return Adopted(decision, tuple(told.visits))


class _Told:
    """Which mails of the story the walk has come past, in which visits; ``last`` is the last that was sent."""

    def __init__(self, walk: Walk, behind: Sequence[Behind]) -> None:
        self.visits: list[int] = []
        self.last: LastMessage | None = None
        self._walk = walk
        self._behind = behind

    def arrive(self, node: str) -> None:
        place = len(self.visits)
        if place < len(self._behind) and node == self._behind[place].node:
            mail = self._behind[place]
            self.visits.append(self._walk.visit)
            if mail.sent_at is not None:
                self.last = LastMessage(mail.message_id, mail.node, self._walk.visit, mail.sent_at, final=True)


def _settle(walk: Walk, story: Story) -> None:
    """Stand where the story ends."""
    match story.then:
        case Ahead(due_at=due_at):
            walk.started.clear()
            walk.schedule_send(_slot(walk, due_at))
        case Over(status=status, reason=reason):
            walk.end(status, reason, _BEHIND)
        case None:
            _listen(walk)


def _slot(walk: Walk, due_at: datetime) -> Slot | None:
    if due_at <= walk.now:  # its place in the line of what is overdue
        return Slot(due_at, None, ("imported: overdue",))
    return next_slot(walk.plan, walk.node, walk.rules, due_at, ("imported: planned by the system before",))


def _listen(walk: Walk) -> None:
    """Its last mail is behind it: its timers run from then; the first that has run out takes it further."""
    own = walk.own_message
    if own is None or own.sent_at is None:
        return
    walk.anchor_at = own.sent_at
    walk.started.clear()
    if not walk.node.signals and not walk.node.timers:
        reason = f"node {walk.node.id} has no transitions"
        walk.end(EnrolmentStatus.COMPLETED, reason, Cause("sent", "engine: the last message is sent"))
        return
    walk.wait(own.sent_at)
    timers = [found for found in walk.started if isinstance(found, ScheduleAction) and found.kind is ActionKind.TIMEOUT]
    overdue = min((found for found in timers if found.due_at <= walk.now), key=lambda found: found.due_at, default=None)
    if overdue is not None:
        walk.time_out(overdue.event, overdue.due_at)
