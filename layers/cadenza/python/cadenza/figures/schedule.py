"""What each enrolment has to send, from its first message to its last: what is past from rows, what is ahead as played.

Nothing of it is stored, so it is never stale. What lies ahead is played by the engine's own code as if nobody reacted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, assert_never

from msgspec.structs import replace
from pydantic import BaseModel, ConfigDict
from sqlalchemy import Connection, Row, text

from cadenza.core.ids import CampaignId, EnrolmentId, MessageId
from cadenza.core.states import CAMPAIGN_ENDED, MESSAGE_OPEN, ActionKind, CampaignStatus, EnrolmentStatus, MessageStatus
from cadenza.core.tables.execution import DROPPED_SEND
from cadenza.engine import store as engine
from cadenza.engine.apply import compiled_plans
from cadenza.engine.model import ScheduleAction
from cadenza.figures.ahead import AheadSend, Stand, from_draft, from_rows, from_stand, play
from cadenza.figures.counts import WAS_SENT
from cadenza.planning.compiled import CompiledPlan
from cadenza.simulate.world import World


class SendState(StrEnum):
    """Where one send of an enrolment stands."""

    PLANNED = "planned"
    """It lies ahead."""
    DUE = "due"
    """Its time has come, and it is not in the outbox yet."""
    QUEUED = "queued"
    SENDING = "sending"
    """A provider has it, or nobody knows."""
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"
    NOT_REACHED = "not_reached"
    """It lay ahead when its enrolment ended."""


class ScheduledSend(BaseModel):
    """One message of an enrolment. ``step`` counts them on its way, from 1.

    ``planned_at`` is null where it will never come; ``reason`` says why it is where it is, ``why`` what leads to its
    instant, one step a line.
    """

    model_config = ConfigDict(frozen=True)

    node: str
    visit: int
    step: int
    state: SendState
    planned_at: datetime | None
    sent_at: datetime | None = None
    message_id: MessageId | None = None
    reason: str = ""
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Pace:
    """What of a campaign bears on what lies ahead."""

    status: CampaignStatus
    status_reason: str
    starts_at: datetime | None

    @property
    def begun(self) -> bool:
        """Whether it has been started."""
        return self.status not in (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)

    @property
    def note(self) -> str:
        """What is to be known of all that lies ahead; "" if it simply runs."""
        match self.status:
            case CampaignStatus.DRAFT | CampaignStatus.SCHEDULED:
                begins = "at once" if self.starts_at is None else f"at {self.starts_at:%Y-%m-%d %H:%M} UTC"
                return f"the campaign has not begun: as if it began {begins}"
            case CampaignStatus.PAUSED:
                because = f": {self.status_reason}" if self.status_reason else ""
                return f"the campaign is paused{because}; what its resume does with the time is chosen then"
            case CampaignStatus.RUNNING:
                return ""
            case CampaignStatus.COMPLETED | CampaignStatus.CANCELLED | CampaignStatus.FAILED:
                return f"the campaign is {self.status}"
            case _:
                assert_never(self.status)


def pace(conn: Connection, campaign_id: CampaignId) -> Pace | None:
    """How a campaign stands; None if there is none."""
    row = conn.execute(
        text("SELECT status, status_reason, starts_at FROM campaigns WHERE id = :id"), {"id": campaign_id}
    ).first()
    return None if row is None else Pace(CampaignStatus(row.status), row.status_reason, row.starts_at)


def schedules(
    conn: Connection, campaign: Pace, ids: Sequence[EnrolmentId], now: datetime
) -> dict[EnrolmentId, tuple[ScheduledSend, ...]]:
    """The sends of these enrolments of one campaign, in order. Six statements at most, however many there are."""
    enrolments = engine.look(conn, ids, now)
    plans = compiled_plans(conn, {enrolment.plan_id for enrolment in enrolments.values()})
    rows = _rows(conn, ids)
    return {
        enrolment_id: tuple(
            _Way(campaign, plans[enrolment.plan_id], enrolment, rows.get(enrolment_id, _Rows()), now).sends()
        )
        for enrolment_id, enrolment in enrolments.items()
    }


@dataclass(slots=True)
class _Rows:
    """What is written of one enrolment: live actions, messages, and sends that were dropped without one."""

    live: list[ScheduleAction] = field(default_factory=list[ScheduleAction])
    messages: list[Row[Any]] = field(default_factory=list[Row[Any]])
    dropped: list[Row[Any]] = field(default_factory=list[Row[Any]])


def _rows(conn: Connection, ids: Sequence[EnrolmentId]) -> Mapping[EnrolmentId, _Rows]:
    found: defaultdict[EnrolmentId, _Rows] = defaultdict(_Rows)
    for row in conn.execute(_LIVE, {"ids": list(ids)}):
        action = ScheduleAction(
            ActionKind(row.kind), row.node, row.visit, row.event, row.due_at, row.closes_at, tuple(row.why)
        )
        found[row.enrolment_id].live.append(action)
    for row in conn.execute(_MESSAGES, {"ids": list(ids)}):
        found[row.enrolment_id].messages.append(row)
    for row in conn.execute(_DROPPED, {"ids": list(ids)}):
        found[row.enrolment_id].dropped.append(row)
    return found


_LIVE: Final = text("""
    SELECT enrolment_id, kind, node, visit, event, due_at, closes_at, why FROM scheduled_actions
    WHERE enrolment_id = ANY(:ids) ORDER BY due_at, id
""")
_MESSAGES: Final = text("""
    SELECT id, enrolment_id, node, visit, status, due_at, sent_at, reason FROM outbound_messages
    WHERE enrolment_id = ANY(:ids)
""")
_DROPPED: Final = text(f"""
    SELECT enrolment_id, node, visit, due_at, reason FROM finished_actions
    WHERE enrolment_id = ANY(:ids) AND {DROPPED_SEND}
""")


@dataclass(frozen=True, slots=True)
class _Way:
    """One enrolment's way: behind it and ahead of it."""

    campaign: Pace
    plan: CompiledPlan
    enrolment: engine.Enrolment
    rows: _Rows
    now: datetime

    def sends(self) -> Iterator[ScheduledSend]:
        behind = [*map(_past, self.rows.messages), *map(_dropped, self.rows.dropped)]
        stays = {send.visit for send in behind}
        ahead = [send for send in self._ahead() if send.visit not in stays]
        ordered = sorted([*behind, *ahead], key=lambda send: send.visit)
        for step, send in enumerate(ordered, start=1):
            yield send.model_copy(update={"step": step})

    def _ahead(self) -> list[ScheduledSend]:
        state = self.enrolment.state
        if self.campaign.status in CAMPAIGN_ENDED:
            return self._not_reached(self.campaign.note)
        match state.status:
            case EnrolmentStatus.DRAFT:
                begins_at = self.now if self.campaign.begun else max(self.now, self.campaign.starts_at or self.now)
                world = from_draft(self.plan, state, self.enrolment.rules, begins_at)
                return self._planned(world, "" if state.approved else "its plan waits for approval")
            case EnrolmentStatus.ACTIVE:
                waits_until = next((m.due_at for m in self.rows.messages if _is_waiting(m, state.visit)), None)
                # What a pause has made stale is shown as due until the engine meets it, and drops it.
                rules = replace(self.enrolment.rules, skip_due_before=None)
                return self._planned(from_rows(self.plan, state, self.rows.live, rules, self.now, waits_until))
            case EnrolmentStatus.COMPLETED | EnrolmentStatus.STOPPED | EnrolmentStatus.FAILED:
                return self._not_reached(f"the enrolment is {state.status}: {state.reason}".removesuffix(": "))
            case _:
                assert_never(state.status)

    def _planned(self, world: World, reason: str = "") -> list[ScheduledSend]:
        reason = "; ".join(part for part in (self.campaign.note, reason) if part)
        due = {action.visit for action in world.live if action.kind is ActionKind.SEND and action.due_at <= self.now}
        begun = self.enrolment.state.status is EnrolmentStatus.ACTIVE
        return [
            _send(send, SendState.DUE if begun and send.visit in due else SendState.PLANNED, reason, send.planned_at)
            for send in play(world)
        ]

    def _not_reached(self, reason: str) -> list[ScheduledSend]:
        state = self.enrolment.state
        written = state.anchor_at is not None or any(
            row.visit == state.visit for row in (*self.rows.messages, *self.rows.dropped)
        )
        world = from_stand(self.plan, Stand(state.node, state.visit, written))
        return [_send(send, SendState.NOT_REACHED, reason, None) for send in play(world)]


def _is_waiting(message: Row[Any], visit: int) -> bool:
    return message.visit == visit and message.status in MESSAGE_OPEN


def _send(ahead: AheadSend, state: SendState, reason: str, planned_at: datetime | None) -> ScheduledSend:
    why = () if planned_at is None else ahead.why
    return ScheduledSend(
        node=ahead.node, visit=ahead.visit, step=0, state=state, planned_at=planned_at, reason=reason, why=why
    )


def _past(row: Row[Any]) -> ScheduledSend:
    return ScheduledSend(
        node=row.node,
        visit=row.visit,
        step=0,
        state=STATE_OF[MessageStatus(row.status)],
        planned_at=row.due_at,
        sent_at=row.sent_at,
        message_id=row.id,
        reason=row.reason,
    )


def _dropped(row: Row[Any]) -> ScheduledSend:
    state = SendState.SKIPPED if row.reason == MessageStatus.SKIPPED else SendState.FAILED
    reason = "it came due while the campaign was paused" if state is SendState.SKIPPED else "no sending window opens"
    return ScheduledSend(node=row.node, visit=row.visit, step=0, state=state, planned_at=row.due_at, reason=reason)


STATE_OF: Final[Mapping[MessageStatus, SendState]] = {
    MessageStatus.QUEUED: SendState.QUEUED,
    MessageStatus.SENDING: SendState.SENDING,
    MessageStatus.UNKNOWN: SendState.SENDING,
    MessageStatus.FAILED: SendState.FAILED,
    MessageStatus.SKIPPED: SendState.SKIPPED,
    **dict.fromkeys(WAS_SENT, SendState.SENT),
}
"""What a message's row says of the send."""
