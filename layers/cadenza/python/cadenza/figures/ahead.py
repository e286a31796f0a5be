"""Every send that lies ahead of an enrolment if nobody reacts: the simulator's clock, set to where it stands. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from msgspec.structs import replace

from cadenza.core.errors import InvalidInput
from cadenza.core.ids import EventId, MessageId
from cadenza.core.messages import SignalKind
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.engine.model import Enrol, LastMessage, ScheduleAction, SeenEvent, SendingRules, Sent, State, Verdict
from cadenza.engine.schedule import Slot
from cadenza.engine.walk import Walk
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.model import NodeAction
from cadenza.simulate.world import World

_NO_RULES: Final = SendingRules()
_NO_ID: Final = UUID(int=0)
_SOME_DAY: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class AheadSend:
    """A send that will be due at ``planned_at`` if nobody reacts; ``why`` leads to the instant, one step a line."""

    node: str
    visit: int
    planned_at: datetime
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stand:
    """Where enrolments stand in a plan, without any time: they have as many sends ahead.

    ``visit`` 0: nothing has begun. ``written``: the stay's own message exists, so the send of this node is not ahead
    any more. ``heard`` is what is known of the latest message: what happened to it, and ``hard`` of bounces.
    """

    node: str = ""
    visit: int = 0
    written: bool = False
    heard: frozenset[tuple[str, bool | None]] = frozenset()


def from_draft(plan: CompiledPlan, state: State, rules: SendingRules, begins_at: datetime) -> World:
    """A draft's world if it began at ``begins_at``, asked or not."""
    world, _ = World(plan, rules, begins_at, replace(state, approved=True)).tell(Enrol())
    return world


def from_rows(
    plan: CompiledPlan,
    state: State,
    live: Sequence[ScheduleAction],
    rules: SendingRules,
    now: datetime,
    waits_until: datetime | None = None,
) -> World:
    """An active enrolment's world. ``waits_until``: its message is under way, and taken to be sent then."""
    world = World(plan, rules, now, state, tuple(live))
    if waits_until is None:
        return world
    sent = Sent(state.node, state.visit, max(now, waits_until))
    world, _ = world.at(sent.at).tell(sent)
    return world


def from_stand(plan: CompiledPlan, stand: Stand) -> World:
    """The world of whoever stands there. Its instants mean nothing: only their order does."""
    now = _SOME_DAY
    if not stand.visit:
        return from_draft(plan, State(EnrolmentStatus.DRAFT), _NO_RULES, now)
    events = tuple(
        SeenEvent(EventId(place), SignalKind(kind), now, hard=hard)
        for place, (kind, hard) in enumerate(sorted(stand.heard, key=str), start=1)
    )
    is_send = plan.nodes[stand.node].action is NodeAction.SEND if stand.node in plan.nodes else False
    heard_visit = stand.visit if is_send else stand.visit - 1
    state = State(
        EnrolmentStatus.ACTIVE,
        stand.node,
        stand.visit,
        entered_at=now,
        anchor_at=now if stand.written or not is_send else None,
        message=LastMessage(MessageId(_NO_ID), stand.node if is_send else "", heard_visit, now, True, events)
        if stand.written or not is_send
        else None,
    )
    return _standing(plan, state, now)


def _standing(plan: CompiledPlan, state: State, now: datetime) -> World:
    """What entering the node, or sending its message, has started."""
    node = plan.nodes.get(state.node)
    if node is None or node.action is NodeAction.STOP:
        return World(plan, _NO_RULES, now, state)
    walk = Walk(plan, state, _NO_RULES, now)
    if state.anchor_at is None:
        walk.schedule_send(Slot(now))
    else:
        walk.wait(now)
    decision = walk.decision(Verdict.ACTED, ())
    live = tuple(effect for effect in decision.effects if isinstance(effect, ScheduleAction))
    return World(plan, _NO_RULES, now, decision.state, live)


def play(world: World) -> list[AheadSend]:
    """The sends to come, in order. What bounds a plan's visits bounds them."""
    why = {action.visit: action.why for action in world.live if action.kind is ActionKind.SEND}
    found: list[AheadSend] = []
    try:
        while world.next_action is not None:
            before = len(world.sends)
            world, steps = world.act()
            for step in steps:
                why |= {action.visit: action.why for action in step.started if action.kind is ActionKind.SEND}
            new = world.sends[before:]
            found += [AheadSend(sent.node, sent.visit, sent.at, why.get(sent.visit, ())) for sent in new]
    except InvalidInput:
        pass  # The plan leads past the year 9999: what comes after that nobody will ask for.
    return found
