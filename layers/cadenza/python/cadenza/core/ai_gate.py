"""The gate before the model, as the outbox's claim is before the provider: every call of AI passes here, and only here.

Before a call: one look, under the workspace's lock, at its budget, its calls under way, the breaker and the answers
that its job has had already; `decide` says what follows. The most that the call can cost is reserved with its lease, so
that calls which begin at the same time cannot pass the budget together. After it: what it took, what it says of the
provider and the answer itself are written down in one transaction, before anybody uses it. So an answer is paid for
once, whatever dies afterwards; and a call of which nobody hears counts with all that it may have cost.
"""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, TypeVar, assert_never

from pydantic import BaseModel
from sqlalchemy import Connection, text

from cadenza.core import ai_breaker, ai_calls
from cadenza.core.ai import (
    MAX_OUTPUT_TOKENS,
    AiBusy,
    AiClient,
    AiFailed,
    AiLimited,
    AiSilent,
    AiUsage,
    Answer,
    Model,
    Prompt,
)
from cadenza.core.ai_calls import CALL_LEASE, TURN_S, Request, Sight
from cadenza.core.ai_usage import Standing
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Postponed
from cadenza.core.jobs import Begun, Work
from cadenza.core.states import AiOutcome

T = TypeVar("T", bound=BaseModel)

TRIAL_LEASE = timedelta(seconds=90)
"""How long the one call that tries a failing provider keeps the others out: longer than the client waits."""
LONGEST_WAIT_S = 900.0
PATIENT_RUNS = 100
"""So often a job may have been begun before the provider's failures count as its own: it may be what breaks it."""


USED_UP = "budget"
"""The reason of a job that was skipped because the day's budget allows no more."""


class AiUnaffordable(AiFailed):
    """The day's budget does not allow the call, whatever the calls under way come to."""


class AiAway(AiBusy):
    """The provider fails for everybody: its breaker is open. ``retry_after_s`` is always known."""


class AiUnavailable(AiFailed):
    """The endpoint did not answer in the last attempt of the job either."""


# --- what is asked and what is seen ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Pass:
    """The call may begin. ``trial``: it is the one that shows whether the provider is back."""

    trial: bool = False


@dataclass(frozen=True, slots=True)
class Known:
    """It was answered before."""

    answer: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Wait:
    """Not now: come back in ``wait_s``."""

    why: str
    wait_s: float


@dataclass(frozen=True, slots=True)
class Refuse:
    """Not today."""

    why: str


def decide(wanted: Request, seen: Sight, now: datetime) -> Pass | Known | Wait | Refuse:
    """Whether the call may begin. What is refused would pass the budget even if all that is under way cost nothing."""
    if seen.answer is not None:
        return Known(seen.answer)
    if seen.asking:
        return Wait("this question is being asked", CALL_LEASE.total_seconds())
    if (refused := _beyond_budget(wanted, seen.standing)) is not None:
        return refused
    if seen.open_until is not None and seen.open_until > now:
        return Wait(f"{wanted.provider} is failing", (seen.open_until - now).total_seconds())
    budget, under_way = seen.standing.left_usd_micros, seen.standing.under_way
    # As long as it takes those who wait already: all would come back together otherwise, and mostly in vain.
    turn_s = seen.turn_s * max(1.0, seen.waiting / seen.standing.concurrency)
    if under_way >= seen.standing.concurrency:
        return Wait(f"{under_way} AI calls are under way", turn_s)
    if budget is not None and wanted.worst_usd_micros > budget:
        return Wait("the rest of the budget is reserved", turn_s)
    return Pass(trial=seen.open_until is not None)


def _beyond_budget(wanted: Request, standing: Standing) -> Refuse | None:
    budget = standing.budget_usd_micros
    if budget is None:
        return None
    if not wanted.priced:
        return Refuse(f"budget: the price of {wanted.model} is not known (OPENAI_INPUT_USD_PER_MILLION)")
    return Refuse(USED_UP) if standing.spent_usd_micros + wanted.worst_usd_micros > budget else None


# --- the gate ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AiGate:
    """Asks the client's model for jobs."""

    database: Database
    client: AiClient
    clock: Clock

    def asking_for(self, begun: Begun) -> Model:
        """The model, as this job may ask it."""
        return _Asking(self, begun)

    def ask(self, work: Work, prompt: Prompt, data: str, answer: type[T]) -> Answer[T]:
        """As `AiClient.ask`, through the gate.

        Raises:
            Postponed: Too many calls, too little budget that is not reserved, or a provider that is failing: later.
            AiUnaffordable: The day's budget does not allow it.
            AiBusy, AiFailed: See `AiClient.ask`; a rate limit is `Postponed`.
        """
        wanted = self._request(work, prompt, data, answer)
        now = self.clock()
        with self.database.worker() as conn:
            verdict, call_id = admit(conn, wanted, now)
        match verdict:
            case Known(known):
                return Answer(answer.model_validate(known["value"]), AiUsage.model_validate(known["usage"]))
            case Wait(why, wait_s):
                raise Postponed(why, _jittered(wait_s))
            case Refuse(why):
                raise AiUnaffordable(why)
            case Pass(trial):
                return self._call(_Call(call_id, wanted, trial), prompt, data, answer)
            case _:
                assert_never(verdict)

    def _call(self, call: _Call, prompt: Prompt, data: str, answer: type[T]) -> Answer[T]:
        try:
            given = self.client.ask(prompt, data, answer)
        except AiLimited as limit:
            self._settle(call, None, None)
            # It is well, and says when it has time again: that is no failed attempt.
            raise Postponed(limit.detail, _jittered(limit.retry_after_s or TURN_S)) from limit
        except AiBusy as trouble:
            lost = AiOutcome.UNKNOWN if isinstance(trouble, AiSilent) else None
            open_until = self._settle(call, lost, None, failure=trouble.detail)
            if open_until is None:
                raise
            raise AiAway(trouble.detail, _jittered((open_until - self.clock()).total_seconds())) from trouble
        except AiFailed as failure:
            self._settle(call, AiOutcome.UNUSABLE if failure.usage else None, failure.usage)
            raise
        kept = {"value": given.value.model_dump(mode="json"), "usage": given.usage.model_dump(mode="json")}
        self._settle(call, AiOutcome.ANSWERED, given.usage, kept)
        return given

    def _settle(
        self,
        call: _Call,
        outcome: AiOutcome | None,
        usage: AiUsage | None,
        answer: dict[str, Any] | None = None,
        failure: str = "",
    ) -> datetime | None:
        """Write down what a call came to; until when the breaker is open after it."""
        now = self.clock()
        with self.database.worker() as conn:
            ai_calls.settle(conn, call.id, outcome, usage, answer, now)
            if failure:
                return ai_breaker.note_failure(conn, call.wanted.provider, failure, now, trial=call.trial)
            ai_breaker.note_answer(conn, call.wanted.provider, now)
            return None

    def _request(self, work: Work, prompt: Prompt, data: str, answer: type[BaseModel]) -> Request:
        schema = json.dumps(answer.model_json_schema(), sort_keys=True)
        asked = json.dumps([self.client.model, prompt.version, prompt.text, data, schema])
        return Request(
            work,
            sha256(asked.encode()).hexdigest(),
            self.client.provider,
            self.client.model,
            prompt.version,
            self.client.worst_usd_micros(prompt, data, answer, MAX_OUTPUT_TOKENS),
            self.client.price is not None,
        )


@dataclass(frozen=True, slots=True)
class _Call:
    id: int
    wanted: Request
    trial: bool


@dataclass(frozen=True, slots=True)
class _Asking:
    gate: AiGate
    begun: Begun

    @property
    def model(self) -> str:
        return self.gate.client.model

    def ask(self, prompt: Prompt, data: str, answer: type[T]) -> Answer[T]:
        try:
            return self.gate.ask(self.begun.work, prompt, data, answer)
        except AiBusy as trouble:
            if isinstance(trouble, AiAway) and self.begun.run < PATIENT_RUNS:
                # Whoever's call it was, it is not the job's fault.
                raise Postponed(trouble.detail, trouble.retry_after_s or TURN_S) from trouble
            if not self.begun.is_last:
                raise
            # Whoever asks may still know another way; the queue has no more to offer.
            raise AiUnavailable(trouble.detail) from trouble


def _jittered(wait_s: float) -> float:
    """What comes back together would be refused together."""
    return min(LONGEST_WAIT_S, wait_s + random.uniform(0, 1 + wait_s / 2))  # noqa: S311 - jitter, no secret


def admit(conn: Connection, wanted: Request, now: datetime) -> tuple[Pass | Known | Wait | Refuse, int]:
    """Look, decide, and take the place and the money; the call's id, 0 if there is none.

    The lock comes first, in a statement of its own: what is seen after it is as new as what others have committed.
    """
    conn.execute(
        text("SELECT FROM automation_settings WHERE workspace_id = :id FOR NO KEY UPDATE"),
        {"id": wanted.work.workspace_id},
    )
    ai_calls.bury(conn, now, wanted.work.workspace_id)
    verdict = decide(wanted, ai_calls.look(conn, wanted, now), now)
    if not isinstance(verdict, Pass):
        return verdict, 0
    if verdict.trial and not ai_breaker.hold_door(conn, wanted.provider, now + TRIAL_LEASE, now):
        return Wait(f"{wanted.provider} is being tried", TURN_S), 0
    return verdict, ai_calls.begin(conn, wanted, now)
