"""Who writes plans: a model where one is configured, the rules otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from pydantic import JsonValue

from cadenza.core.ai import AiClient, AiFailed, AiUsage
from cadenza.core.errors import CadenzaError
from cadenza.core.log import get_logger
from cadenza.planning.ai import plan_with_ai
from cadenza.planning.brief import PlanBrief
from cadenza.planning.compiler import compile_plan
from cadenza.planning.offline import plan_offline


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan's JSON and who wrote it. ``usage`` is what a model took, None if none was asked."""

    plan: dict[str, JsonValue]
    source: str
    usage: AiUsage | None = None


class NoPlan(CadenzaError):  # noqa: N818 - reads as what happened
    """The model has no usable plan, and the workspace wants none by rule."""

    def __init__(self, detail: str, usage: AiUsage | None) -> None:
        super().__init__(detail)
        self.usage = usage


class Planner(Protocol):
    """Writes plans."""

    def plan(self, brief: PlanBrief, *, fall_back: bool) -> Planned:
        """A plan for this brief. ``fall_back`` allows a plan by rule where a model has none.

        Raises:
            Retryable: It may work later.
            NoPlan: There is none, and there may be no fallback.
        """
        ...


class OfflinePlanner:
    """By rule."""

    def plan(self, brief: PlanBrief, *, fall_back: bool) -> Planned:  # noqa: ARG002 - it is the fallback
        """See `Planner.plan`."""
        return Planned(plan_offline(brief), "offline")


@dataclass(frozen=True, slots=True)
class AiPlanner:
    """By a model, within what the compiler and the linter let pass."""

    client: AiClient

    def plan(self, brief: PlanBrief, *, fall_back: bool) -> Planned:
        """See `Planner.plan`."""
        try:
            planned = plan_with_ai(self.client, brief, compile_plan)
        except AiFailed as error:
            if not fall_back:
                raise NoPlan(error.detail, error.usage) from error
            get_logger().warning("planning.offline", detail=error.detail)
            return Planned(plan_offline(brief), "offline", error.usage)
        return Planned(planned.plan, planned.model, planned.usage)
