"""Decide, and write it down: a batch of any size is one transaction and a constant number of statements."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import assert_never

from msgspec.structs import replace
from sqlalchemy import Connection

from cadenza.core.ids import CampaignId, EnrolmentId, EventId, MessageId, PlanId, new_id
from cadenza.core.states import ActionKind, ActionOutcome, EnrolmentStatus
from cadenza.engine import store
from cadenza.engine.actions import DueAction
from cadenza.engine.decide import decide
from cadenza.engine.model import (
    CancelActions,
    Decision,
    Due,
    Enrol,
    Halt,
    LastMessage,
    NotSent,
    QueueMessage,
    ScheduleAction,
    Sent,
    Signal,
    State,
    Stimulus,
    Suppress,
    Verdict,
    WithdrawMessage,
)
from cadenza.engine.writes import Changes, Values, write
from cadenza.planning.compiler import CompiledPlan, compiled

SOON = timedelta(seconds=900)
"""What is due within this goes to the queue at once with a delay (SQS holds a message back 900 s at most)."""


@dataclass(frozen=True, slots=True)
class FollowUp:
    """What is to be done once the transaction has committed."""

    actions: tuple[DueAction, ...] = ()
    messages: tuple[MessageId, ...] = ()
    campaigns: frozenset[CampaignId] = frozenset()
    """Campaigns of which something ended: they may be complete now."""

    def __add__(self, other: FollowUp) -> FollowUp:
        """Both."""
        return FollowUp(self.actions + other.actions, self.messages + other.messages, self.campaigns | other.campaigns)


_plans: dict[PlanId, CompiledPlan] = {}
"""Compiled plans by id. Plans are immutable, so an entry never goes stale; a bound keeps a warm process small."""
_PLANS_KEPT = 2000


def apply(
    conn: Connection,
    stimuli: Sequence[tuple[EnrolmentId, Stimulus]],
    now: datetime,
    events: Mapping[EventId, Values] = MappingProxyType({}),
) -> FollowUp:
    """Lock the enrolments, fold each one's stimuli in the given order through `decide`, write everything.

    Stimuli of unknown enrolments are left out. ``events`` are the rows of signals that are to be recorded, by id; each
    gets its verdict. The caller owns the transaction and dispatches the follow-up after it.
    """
    enrolments = store.lock(conn, (enrolment_id for enrolment_id, _ in stimuli), now)
    return apply_locked(conn, enrolments, stimuli, now, events)


def apply_locked(
    conn: Connection,
    enrolments: Mapping[EnrolmentId, store.Enrolment],
    stimuli: Sequence[tuple[EnrolmentId, Stimulus]],
    now: datetime,
    events: Mapping[EventId, Values] = MappingProxyType({}),
) -> FollowUp:
    """As `apply`, for enrolments that the caller has locked in this transaction."""
    if not enrolments and not events:
        return FollowUp()
    plans = compiled_plans(conn, {enrolment.plan_id for enrolment in enrolments.values()})
    by_enrolment: defaultdict[EnrolmentId, list[Stimulus]] = defaultdict(list)
    for enrolment_id, stimulus in stimuli:
        by_enrolment[enrolment_id].append(stimulus)

    folds = [
        _Fold(enrolment, plans[enrolment.plan_id], now).run(own)
        for enrolment_id, own in by_enrolment.items()
        if (enrolment := enrolments.get(enrolment_id)) is not None
    ]
    changes = _gather(folds, now)
    verdicts = {
        stimulus.event_id: decision.verdict
        for fold in folds
        for stimulus, decision in fold.decisions
        if isinstance(stimulus, Signal)
    }
    changes.events += [
        {**row, "id": event_id, "verdict": verdicts.get(event_id, Verdict.RECORDED)} for event_id, row in events.items()
    ]
    return _write(conn, folds, changes, now)


def apply_migration(
    conn: Connection,
    decisions: Sequence[tuple[store.Enrolment, Decision]],
    plan_id: PlanId,
    plan: CompiledPlan,
    now: datetime,
) -> FollowUp:
    """Write down what `cadenza.engine.rebase.rebase` decided of enrolments that go on in ``plan``.

    As `apply_locked`, for enrolments that the caller has locked in this transaction.
    """
    folds = [_Fold(enrolment, plan, now).take(decision) for enrolment, decision in decisions]
    changes = _gather(folds, now)
    changes.enrolments = [{**_enrolment_row(fold), "plan_id": plan_id} for fold in folds]
    return _write(conn, folds, changes, now)


def apply_decided(conn: Connection, decisions: Sequence[tuple[store.Enrolment, Decision]], now: datetime) -> FollowUp:
    """Write down decisions that were made elsewhere, of enrolments that stay on their plans.

    As `apply_locked`, for enrolments that the caller has locked in this transaction.
    """
    plans = compiled_plans(conn, {enrolment.plan_id for enrolment, _ in decisions})
    folds = [_Fold(enrolment, plans[enrolment.plan_id], now).take(decision) for enrolment, decision in decisions]
    return _write(conn, folds, _gather(folds, now), now)


def _write(conn: Connection, folds: Sequence[_Fold], changes: Changes, now: datetime) -> FollowUp:
    written = write(conn, changes, now)
    return FollowUp(
        actions=written.actions,
        messages=written.messages,
        campaigns=frozenset(fold.enrolment.campaign_id for fold in folds if fold.settled),
    )


def compiled_plans(conn: Connection, ids: Iterable[PlanId]) -> Mapping[PlanId, CompiledPlan]:
    """The compiled plans, from memory where known, else loaded in one statement."""
    wanted = set(ids)
    missing = wanted - _plans.keys()
    if missing:
        if len(_plans) + len(missing) > _PLANS_KEPT:
            _plans.clear()
            missing = wanted
        for plan_id, plan in store.plans(conn, missing).items():
            _plans[plan_id] = compiled(plan)
    return _plans


@dataclass(slots=True)
class _Fold:
    """One enrolment's stimuli, decided one after the other; what they cancel among themselves is never written."""

    enrolment: store.Enrolment
    plan: CompiledPlan
    now: datetime
    state: State = field(init=False)
    decisions: list[tuple[Stimulus | None, Decision]] = field(init=False)
    actions: dict[tuple[str, int, str, str], ScheduleAction] = field(init=False)
    queued: QueueMessage | None = None
    cancelled: CancelActions | None = None
    withdrawn: WithdrawMessage | None = None
    suppressed: Suppress | None = None

    def __post_init__(self) -> None:
        self.state, self.decisions, self.actions = self.enrolment.state, [], {}

    @property
    def whose(self) -> Values:
        """The columns that every row about this enrolment starts with."""
        enrolment = self.enrolment
        return {
            "workspace_id": enrolment.workspace_id,
            "enrolment_id": enrolment.id,
            "campaign_id": enrolment.campaign_id,
        }

    @property
    def settled(self) -> bool:
        """Whether the enrolment, or a message of it, became final."""
        return self.state.status is not EnrolmentStatus.ACTIVE or any(
            isinstance(stimulus, Sent | NotSent) for stimulus, _ in self.decisions
        )

    def run(self, stimuli: Sequence[Stimulus]) -> _Fold:
        for stimulus in stimuli:
            self.take(decide(self.plan, self.state, stimulus, self.enrolment.rules, self.now), stimulus)
        return self

    def take(self, decision: Decision, stimulus: Stimulus | None = None) -> _Fold:
        """Go by a decision. ``stimulus`` None: nothing happened to the enrolment, somebody moved it."""
        self.state = decision.state
        self.decisions.append((stimulus, decision))
        self._take_effects(decision)
        return self

    def _take_effects(self, decision: Decision) -> None:
        for effect in decision.effects:
            match effect:
                case ScheduleAction():
                    self.actions[effect.node, effect.visit, effect.kind, effect.event] = effect
                case CancelActions():
                    self.actions = {key: kept for key, kept in self.actions.items() if kept.visit > effect.visit}
                    self.cancelled = effect
                case QueueMessage():
                    self.queued = effect
                    self.state = replace(
                        self.state, message=LastMessage(MessageId(new_id()), effect.node, effect.visit)
                    )
                case WithdrawMessage():
                    if self.queued is not None and self.queued.visit <= effect.visit:
                        self.queued = None
                    self.withdrawn = effect
                case Suppress():
                    self.suppressed = effect
                case _:
                    assert_never(effect)


def _gather(folds: Sequence[_Fold], now: datetime) -> Changes:
    changes = Changes()
    for fold in folds:
        _gather_decisions(fold, changes)
        _gather_effects(fold, changes, now)
        if fold.queued is not None or _differs(fold.state, fold.enrolment.state):
            changes.enrolments.append(_enrolment_row(fold))
    return changes


def _differs(state: State, before: State) -> bool:
    """Whether the row has to change. What is known of the message is no part of it; a move always is."""
    return state.seq != before.seq or replace(state, message=None) != replace(before, message=None)


def _gather_decisions(fold: _Fold, changes: Changes) -> None:
    """The audit rows, and what became of each stimulus that has a row of its own."""
    for stimulus, decision in fold.decisions:
        changes.moves += [
            {
                **fold.whose,
                "seq": move.seq,
                "from_node": move.from_node,
                "from_visit": move.from_visit,
                "to_node": move.to_node,
                "to_visit": move.to_visit,
                "to_status": move.to_status,
                "cause": move.cause,
                "rule": move.rule,
                "event_id": move.event_id,
                "at": move.at,
            }
            for move in decision.moves
        ]
        match stimulus:
            case Due():
                changes.done.append(_done_row(fold.enrolment.id, stimulus, decision))
            case Enrol() | Signal() | Sent() | NotSent() | Halt() | None:
                pass
            case _:
                assert_never(stimulus)


def _gather_effects(fold: _Fold, changes: Changes, now: datetime) -> None:
    enrolment_id = fold.enrolment.id
    changes.actions += [
        {
            **fold.whose,
            "node": action.node,
            "visit": action.visit,
            "kind": action.kind,
            "event": action.event,
            "due_at": action.due_at,
            "closes_at": action.closes_at,
            "why": list(action.why),
            "soon": action.due_at <= now + SOON,
        }
        for action in fold.actions.values()
    ]
    if (cancelled := fold.cancelled) is not None:
        changes.cancelled.append({"enrolment_id": enrolment_id, "visit": cancelled.visit, "reason": cancelled.reason})
    if (withdrawn := fold.withdrawn) is not None:
        changes.withdrawn.append({"enrolment_id": enrolment_id, "visit": withdrawn.visit, "reason": withdrawn.reason})
    if (queued := fold.queued) is not None and (message := fold.state.message) is not None:
        changes.messages.append(
            {
                "id": message.message_id,
                "enrolment_id": enrolment_id,
                "node": queued.node,
                "visit": queued.visit,
                "channel": fold.plan.nodes[queued.node].channel,
                "closes_at": queued.closes_at,
            }
        )
    if fold.suppressed is not None:
        changes.suppressed.append({"id": new_id(), "enrolment_id": enrolment_id, "reason": fold.suppressed.reason})


def _enrolment_row(fold: _Fold) -> dict[str, object]:
    state = fold.state
    return {
        "id": fold.enrolment.id,
        "status": state.status,
        "node": state.node,
        "visit": state.visit,
        "entered_at": state.entered_at,
        "anchor_at": state.anchor_at,
        "seq": state.seq,
        "old_seq": fold.enrolment.state.seq,
        "reason": state.reason,
        "message_id": state.message.message_id if state.message is not None else None,
        "ended": state.status not in (EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE),
    }


def _done_row(enrolment_id: EnrolmentId, due: Due, decision: Decision) -> dict[str, object]:
    # A send that made the enrolment move has not been done: it was stale, or no window ever opens for it.
    dropped = due.kind is ActionKind.SEND and decision.verdict is Verdict.MOVED
    acted = decision.verdict in (Verdict.MOVED, Verdict.ACTED) and not dropped
    return {
        "enrolment_id": enrolment_id,
        "node": due.node,
        "visit": due.visit,
        "kind": due.kind,
        "event": due.event,
        "outcome": ActionOutcome.DONE if acted else ActionOutcome.CANCELLED,
        "reason": decision.moves[0].cause if dropped else decision.verdict,
    }
