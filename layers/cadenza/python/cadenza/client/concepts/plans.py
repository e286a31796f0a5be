# Made by `make client` from the API's document: change the routes and models there.

"""Operations on plans."""

from __future__ import annotations

from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api


class Plans:
    """Operations on plans."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def check(self, **body: Unpack[bodies.PlanToCheck]) -> answers.CheckedPlan:
        """Say what is wrong with a plan, and how to mend it."""
        return self._api.ask(answers.CheckedPlan, "POST", "/v1/plans/check", body=body)

    def get(self, plan_id: kinds.Id) -> answers.Plan:
        """Show a plan.

        Args:
            plan_id: Id of the plan.
        """
        return self._api.ask(answers.Plan, "GET", "/v1/plans/{}", plan_id)

    def get_schema(self) -> dict[str, object]:
        """Describe a plan's JSON (JSON Schema 2020-12)."""
        return self._api.ask(dict[str, object], "GET", "/v1/plans/schema")

    def preview(self, **body: Unpack[bodies.PlanToPreview]) -> answers.Preview:
        """Show a node's mail exactly as it would leave, with links that do nothing, or what keeps it from leaving."""
        return self._api.ask(answers.Preview, "POST", "/v1/plans/preview", body=body)

    def simulate(self, **body: Unpack[bodies.PlanToSimulate]) -> answers.SimulatedRun:
        """Show what a plan will do, when and why, to a contact who does what ``events`` says. Nothing is sent."""
        return self._api.ask(answers.SimulatedRun, "POST", "/v1/plans/simulate", body=body)
