"""Who writes plans: a model where one is configured, the rules otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from cadenza.core.ai import AiFailed, AiUsage, Model
from cadenza.core.ai_gate import AiGate
from cadenza.core.jobs import Begun, Skip
from cadenza.core.log import get_logger
from cadenza.planning.ai import Compile, errors_of, plan_with_ai
from cadenza.planning.brief import PlanBrief
from cadenza.planning.offline import plan_offline


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan's JSON and who wrote it. ``usage`` is what a model took, None if none was asked."""

    plan: dict[str, JsonValue]
    source: str
    usage: AiUsage | None = None


class NoPlan(Skip):
    """There is no plan fit to send; the text says why."""


class Planner(Protocol):
    """Writes plans."""

    def plan(self, brief: PlanBrief, begun: Begun, *, fall_back: bool) -> Planned:
        """A plan for this brief, for the job that has begun. ``fall_back`` allows rules where a model has no plan.

        Raises:
            Retryable: It may work later.
            NoPlan: There is none, and there may be no fallback.
        """
        ...


@dataclass(frozen=True, slots=True)
class OfflinePlanner:
    """By rule. ``compile_plan`` knows the renderer's variables."""

    compile_plan: Compile

    def plan(self, brief: PlanBrief, begun: Begun, *, fall_back: bool) -> Planned:  # noqa: ARG002 - it is the fallback
        """See `Planner.plan`."""
        return _by_rule(brief, self.compile_plan, None)


@dataclass(frozen=True, slots=True)
class AiPlanner:
    """By a model, within what the compiler and the linter let pass."""

    gate: AiGate
    compile_plan: Compile

    def plan(self, brief: PlanBrief, begun: Begun, *, fall_back: bool) -> Planned:
        """See `Planner.plan`."""
        return by_model(self.gate.asking_for(begun), brief, self.compile_plan, fall_back=fall_back)


def by_model(model: Model, brief: PlanBrief, compile_plan: Compile, *, fall_back: bool) -> Planned:
    """A plan by ``model``, or by rule where it has none and ``fall_back`` allows it. Raises as `Planner.plan`."""
    try:
        planned = plan_with_ai(model, brief, compile_plan)
    except AiFailed as error:
        if not fall_back:
            raise NoPlan(error.detail) from error
        get_logger().warning("planning.offline", detail=error.detail)
        return _by_rule(brief, compile_plan, error.usage)
    return Planned(planned.plan, planned.model, planned.usage)


def _by_rule(brief: PlanBrief, compile_plan: Compile, usage: AiUsage | None) -> Planned:
    """The rules' copy is checked as a model's is: the sender's own words in it may be too long, or empty promises."""
    plan = plan_offline(brief)
    if errors := errors_of(plan, brief, compile_plan):
        codes = ", ".join(sorted({str(error.code) for error in errors}))
        raise NoPlan(f"the plan by rule is not fit to send: {codes}")
    return Planned(plan, "offline", usage)
