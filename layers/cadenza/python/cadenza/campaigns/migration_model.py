"""What is asked of a migration, and what is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cadenza.core.ids import CampaignId, EnrolmentId, MessageId, PlanId
from cadenza.core.states import ActionKind, EnrolmentStatus
from cadenza.engine.model import Decision, ScheduleAction, WithdrawMessage
from cadenza.engine.rebase import CannotMove, OpenMessage, Rebased
from cadenza.engine.store import Enrolment

BATCH: Final = 1000
"""How many enrolments move in one transaction."""


class WantedMigration(BaseModel):
    """What is to move where. Either ``plan`` or ``plan_id`` names the new plan.

    ``enrolment_ids`` left out means the open ones, a batch at a time: the oldest after ``cursor``. ``node_map`` says
    which node of the new plan takes over a node that has changed its name.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    plan: dict[str, JsonValue] | None = None
    plan_id: PlanId | None = None
    enrolment_ids: Annotated[tuple[EnrolmentId, ...], Field(min_length=1, max_length=BATCH)] | None = None
    node_map: dict[str, str] = Field(default_factory=dict[str, str])
    cursor: EnrolmentId | None = None


class PlannedAction(BaseModel):
    """A timer, or a send that is still to be queued (``event`` ""). ``why`` explains its instant."""

    model_config = ConfigDict(frozen=True)

    kind: ActionKind
    event: str
    due_at: datetime
    why: tuple[str, ...]


class QueuedMessage(BaseModel):
    """A queued message. Kept, it takes its content from the new plan; withdrawn, it is never sent."""

    model_config = ConfigDict(frozen=True)

    message_id: MessageId
    kept: bool
    due_at: datetime
    closes_at: datetime | None


class EnrolmentMove(BaseModel):
    """What becomes of one enrolment. ``reason`` says why it cannot move, or why it ends where the new plan leads."""

    model_config = ConfigDict(frozen=True)

    enrolment_id: EnrolmentId
    moves: bool
    reason: str = ""
    from_plan_id: PlanId
    from_node: str
    to_node: str
    status: EnrolmentStatus
    cancelled: tuple[PlannedAction, ...] = ()
    scheduled: tuple[PlannedAction, ...] = ()
    message: QueuedMessage | None = None


class Migration(BaseModel):
    """Who moves and who stays. ``next_cursor`` is null when nobody is left; ``plan_id`` until the plan is stored."""

    model_config = ConfigDict(frozen=True)

    campaign_id: CampaignId
    plan_id: PlanId | None
    plan_hash: str
    moving: int
    staying: int
    items: tuple[EnrolmentMove, ...]
    next_cursor: EnrolmentId | None


class MigrationPreview(Migration):
    """What a migration would do if it were done now. ``token`` is what asks for exactly this, within an hour."""

    at: datetime
    token: str


def stays(enrolment: Enrolment, found: CannotMove) -> EnrolmentMove:
    """Tell of an enrolment that cannot move."""
    state = enrolment.state
    return EnrolmentMove(
        enrolment_id=enrolment.id,
        moves=False,
        reason=found.reason,
        from_plan_id=enrolment.plan_id,
        from_node=state.node,
        to_node=state.node,
        status=state.status,
    )


def moves(
    enrolment: Enrolment, found: Rebased, message: OpenMessage | None, live: Sequence[PlannedAction]
) -> EnrolmentMove:
    """Tell of an enrolment that goes on in the new plan. ``message`` and ``live`` are what it has in the old one."""
    decision = found.decision
    return EnrolmentMove(
        enrolment_id=enrolment.id,
        moves=True,
        reason=decision.state.reason,
        from_plan_id=enrolment.plan_id,
        from_node=enrolment.state.node,
        to_node=decision.state.node,
        status=decision.state.status,
        cancelled=tuple(live),
        scheduled=tuple(_scheduled(decision)),
        message=None if message is None else _message(message, found),
    )


def _scheduled(decision: Decision) -> Iterator[PlannedAction]:
    for effect in decision.effects:
        if isinstance(effect, ScheduleAction):
            yield PlannedAction(kind=effect.kind, event=effect.event, due_at=effect.due_at, why=effect.why)


def _message(message: OpenMessage, found: Rebased) -> QueuedMessage:
    kept = not any(isinstance(effect, WithdrawMessage) for effect in found.decision.effects)
    window = found.window
    return QueuedMessage(
        message_id=message.message_id,
        kept=kept,
        due_at=window.due_at if window is not None else message.due_at,
        closes_at=window.closes_at if window is not None else None,
    )
