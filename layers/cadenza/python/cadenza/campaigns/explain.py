"""Why was this not sent, and when will it be? Answered by the code that decides, asked without touching anything.

What lies ahead is played by `decide` as if nobody did anything; whether a send may go is judged by the gate's own
conditions; when its windows open is `next_slot`'s answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final, assert_never

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row, text

from cadenza.campaigns.forecast import Nothing, Send, forecast
from cadenza.campaigns.obstacles import Block, obstacles
from cadenza.core.ids import EnrolmentId
from cadenza.core.states import MESSAGE_OPEN, ActionKind, EnrolmentStatus, MessageStatus
from cadenza.engine import store as engine
from cadenza.engine.apply import compiled_plans
from cadenza.engine.decide import decide
from cadenza.engine.model import Enrol, ScheduleAction
from cadenza.engine.schedule import next_slot
from cadenza.planning.compiled import CompiledPlan
from cadenza.planning.durations import add


class NextStep(BaseModel):
    """A live action or an open message. ``event`` is "" for sends; ``status`` is the row's own."""

    model_config = ConfigDict(frozen=True)

    kind: ActionKind
    node: str
    event: str
    status: str
    due_at: datetime
    closes_at: datetime | None
    why: tuple[str, ...]


class AwaitedEvent(BaseModel):
    """An event that would lead on now, or will from ``opens_at`` on. Null: at once, or without an end."""

    model_config = ConfigDict(frozen=True)

    on: str
    to: str
    opens_at: datetime | None
    until: datetime | None


class Ending(BaseModel):
    """How the enrolment ended, as its last audit row says."""

    model_config = ConfigDict(frozen=True)

    at: datetime
    node: str
    cause: str
    rule: str


class Explanation(BaseModel):
    """Why nothing is sent to one contact now, and when something will be.

    ``will_send_at`` holds if nobody does anything; ``will_send_why`` leads to it, or says why it is null.
    """

    model_config = ConfigDict(frozen=True)

    enrolment_id: EnrolmentId
    status: EnrolmentStatus
    reason: str
    node: str
    at: datetime
    next: tuple[NextStep, ...]
    blocked_by: tuple[Block, ...]
    awaits: tuple[AwaitedEvent, ...]
    will_send_node: str
    will_send_at: datetime | None
    will_send_why: tuple[str, ...]
    ended: Ending | None


def explain(conn: Connection, enrolment_id: EnrolmentId, now: datetime) -> Explanation | None:
    """Explain one enrolment; None if there is no such enrolment. Nothing is locked or changed."""
    enrolment = engine.look(conn, [enrolment_id], now).get(enrolment_id)
    if enrolment is None:
        return None
    plan = compiled_plans(conn, [enrolment.plan_id])[enrolment.plan_id]
    actions = _live_actions(conn, enrolment_id)
    messages = conn.execute(_MESSAGES, {"id": enrolment_id, "open": list(MESSAGE_OPEN)}).all()
    own = next((message for message in messages if message.visit == enrolment.state.visit), None)
    ahead = _ahead(plan, enrolment, [action for action, _ in actions], own, now)
    blocks = tuple(obstacles(conn, plan, enrolment, ahead, own, now))
    will_send_at, why = _estimate(plan, enrolment, ahead, blocks, now)
    state = enrolment.state
    return Explanation(
        enrolment_id=enrolment_id,
        status=state.status,
        reason=state.reason,
        node=state.node,
        at=now,
        next=(*_steps(actions), *map(_open_message, messages)),
        blocked_by=blocks,
        awaits=tuple(_awaits(plan, enrolment, now)),
        will_send_node=ahead.node.id if isinstance(ahead, Send) else "",
        will_send_at=will_send_at,
        will_send_why=why,
        ended=None if state.status in _OPEN else _ending(conn, enrolment_id),
    )


_OPEN: Final = (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)


# --- what lies ahead ---------------------------------------------------------------------------------------------


def _ahead(
    plan: CompiledPlan,
    enrolment: engine.Enrolment,
    live: Sequence[ScheduleAction],
    own: Row[Any] | None,
    now: datetime,
) -> Send | Nothing:
    state, rules = enrolment.state, enrolment.rules
    match state.status:
        case EnrolmentStatus.DRAFT:
            begun = decide(plan, replace(state, approved=True), Enrol(), rules, now)
            started = [effect for effect in begun.effects if isinstance(effect, ScheduleAction)]
            return forecast(plan, begun.state, started, rules, now)
        case EnrolmentStatus.ACTIVE:
            if own is None:
                return forecast(plan, state, live, rules, now)
            if own.status != MessageStatus.QUEUED:
                return Nothing("what comes next depends on how the message that is under way ends")
            why = (own.reason,) if own.reason else ()
            return Send(plan.nodes[state.node], own.due_at, own.closes_at, why, own.id)
        case EnrolmentStatus.COMPLETED | EnrolmentStatus.STOPPED | EnrolmentStatus.FAILED:
            return Nothing(f"the enrolment has ended: {state.status}, {state.reason}".removesuffix(", "))
        case _:
            assert_never(state.status)


def _estimate(
    plan: CompiledPlan,
    enrolment: engine.Enrolment,
    ahead: Send | Nothing,
    blocks: Sequence[Block],
    now: datetime,
) -> tuple[datetime | None, tuple[str, ...]]:
    """When the next message will be sent if nobody does anything, and what leads there."""
    if isinstance(ahead, Nothing):
        return None, (ahead.reason,)
    cleared = [block.clears_at for block in blocks]
    if None in cleared:
        return None, tuple(block.reason for block in blocks if block.clears_at is None)
    earliest = max(now, ahead.due_at, *(instant for instant in cleared if instant is not None))
    slot = next_slot(plan, ahead.node, enrolment.rules, earliest)
    if slot is None:
        return None, ("its sending windows never open",)
    return slot.at, (*ahead.after, *ahead.why, *slot.why)


# --- what is there -----------------------------------------------------------------------------------------------


def _live_actions(conn: Connection, enrolment_id: EnrolmentId) -> list[tuple[ScheduleAction, str]]:
    """The live actions as they were scheduled, each with its row's status."""
    rows = conn.execute(
        text("""
            SELECT kind, node, visit, event, due_at, closes_at, why, status FROM scheduled_actions
            WHERE enrolment_id = :id ORDER BY due_at, id
        """),
        {"id": enrolment_id},
    )
    return [
        (
            ScheduleAction(
                ActionKind(row.kind), row.node, row.visit, row.event, row.due_at, row.closes_at, tuple(row.why)
            ),
            row.status,
        )
        for row in rows
    ]


_MESSAGES = text("""
    SELECT m.id, m.node, m.visit, m.status, m.due_at, m.closes_at, m.lease_until, m.attempt_id, m.reason,
           s.unknown_bound_s, s.unknown_policy, m.resends
    FROM outbound_messages m JOIN automation_settings s ON s.workspace_id = m.workspace_id
    WHERE m.enrolment_id = :id AND m.status = ANY(:open) ORDER BY m.visit
""")


def _steps(actions: Sequence[tuple[ScheduleAction, str]]) -> Iterator[NextStep]:
    for action, status in actions:
        yield NextStep(
            kind=action.kind,
            node=action.node,
            event=action.event,
            status=status,
            due_at=action.due_at,
            closes_at=action.closes_at,
            why=action.why,
        )


def _open_message(message: Row[Any]) -> NextStep:
    return NextStep(
        kind=ActionKind.SEND,
        node=message.node,
        event="",
        status=message.status,
        due_at=message.due_at,
        closes_at=message.closes_at,
        why=(message.reason,) if message.reason else (),
    )


def _awaits(plan: CompiledPlan, enrolment: engine.Enrolment, now: datetime) -> Iterator[AwaitedEvent]:
    """The current node's transitions on events that can still match. Its timers are among the next steps."""
    state = enrolment.state
    if state.status is not EnrolmentStatus.ACTIVE or state.anchor_at is None:
        return
    for way in plan.nodes[state.node].signals:
        until = add(way.within, state.anchor_at, plan.zone) if way.within is not None else None
        if until is None or until >= now:
            opens_at = add(way.after, state.anchor_at, plan.zone) if way.after is not None else None
            yield AwaitedEvent(on=way.on, to=way.to, opens_at=opens_at, until=until)


def _ending(conn: Connection, enrolment_id: EnrolmentId) -> Ending | None:
    row = conn.execute(
        text("""
            SELECT at, from_node, cause, rule FROM campaign_transitions
            WHERE enrolment_id = :id ORDER BY seq DESC LIMIT 1
        """),
        {"id": enrolment_id},
    ).first()
    return None if row is None else Ending(at=row.at, node=row.from_node, cause=row.cause, rule=row.rule)
