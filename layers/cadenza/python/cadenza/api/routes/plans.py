"""Plans before they run: their schema, their faults, and what they will do."""

from __future__ import annotations

import json
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body

from cadenza.api import plan_models, preview_models
from cadenza.api.etags import IfNoneMatch, kept
from cadenza.api.routing import At, Operations
from cadenza.campaigns.mail_plans import compile_for_mail
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.states import Role
from cadenza.planning.model import json_schema
from cadenza.simulate.model import instant_of_text, recipient_rules
from cadenza.simulate.run import simulate
from cadenza.simulate.tape import check_tape

routes = Operations("plans")

SCHEMA_TYPE = "application/schema+json"


@routes.operation("GET", "/v1/plans/schema", role=None, answered_as=(SCHEMA_TYPE,))
def get_plan_schema(if_none_match: IfNoneMatch = None) -> Response[str]:
    """Describe a plan's JSON (JSON Schema 2020-12)."""
    return kept(json.dumps(json_schema()), SCHEMA_TYPE, if_none_match)


@routes.operation("POST", "/v1/plans/check", role=Role.VIEWER)
def check_plan(body: Annotated[plan_models.PlanToCheck, Body()]) -> plan_models.CheckedPlan:
    """Say what is wrong with a plan, and how to mend it."""
    checked = compile_for_mail(body.plan)
    findings = tuple(map(plan_models.Finding.model_validate, checked.findings))
    return plan_models.CheckedPlan(runs=checked.plan is not None, findings=findings)


@routes.operation("POST", "/v1/plans/preview", role=Role.VIEWER)
def preview_plan(desk: At, body: Annotated[preview_models.PlanToPreview, Body()]) -> preview_models.Preview:
    """Show a node's mail exactly as it would leave, with links that do nothing, or what keeps it from leaving."""
    from cadenza.campaigns import preview  # noqa: PLC0415 - brings jinja2

    url, now = desk.office.public_url, desk.now()
    shown = preview.preview_plan(body.plan, body.node, body.recipient, body.sender, url, now)
    return preview_models.Preview.of(shown)


@routes.operation("POST", "/v1/plans/simulate", role=Role.VIEWER)
def simulate_plan(desk: At, body: Annotated[plan_models.PlanToSimulate, Body()]) -> plan_models.SimulatedRun:
    """Show what a plan will do, when and why, to a contact who does what ``events`` says. Nothing is sent."""
    checked = compile_for_mail(body.plan)
    if checked.plan is None:
        problems = tuple(
            FieldProblem(f"/plan{error.pointer}", f"{error.message}. {error.fix}") for error in checked.errors
        )
        raise InvalidInput("the plan has errors", problems)
    start = desk.now().replace(microsecond=0) if body.start is None else instant_of_text(body.start)
    rules = recipient_rules(body.zone, body.holidays_country)
    try:
        tape = check_tape(body.events, checked.plan, start)
    except InvalidInput as error:
        problems = tuple(FieldProblem(f"/events{problem.pointer}", problem.detail) for problem in error.problems)
        raise InvalidInput(error.detail, problems) from error
    simulation = simulate(checked.plan, tape, rules, start)
    return plan_models.SimulatedRun.model_validate(simulation.to_json(checked.findings))
