"""The published JSON Schema of a plan."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from cadenza.campaigns.mail_plans import compile_for_mail
from cadenza.planning.model import json_schema
from cadenza.simulate.tape import read_tape

ROOT = Path(__file__).parents[2]


def test_the_published_schema_is_that_of_the_model() -> None:
    """Editors would know another plan than the engine. To publish: write `json_schema()` to docs/plan.schema.json."""
    assert json.loads((ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8")) == json_schema()


@pytest.mark.parametrize("name", ["outreach-1.0", "bare-1.0", "channels-1.1"])
def test_plans_that_run_fit_the_schema(name: str) -> None:
    """An editor would mark plans as wrong that run."""
    plan = json.loads((Path(__file__).parent / "plans" / f"{name}.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(json_schema())
    assert list(Draft202012Validator(json_schema()).iter_errors(plan)) == []


def test_the_guides_plan_fits_and_runs() -> None:
    """The first plan that anybody copies would not work."""
    guide = (ROOT / "docs" / "plans.md").read_text(encoding="utf-8")
    plan, tape = (json.loads(block.partition("```")[0]) for block in guide.split("```json\n")[1:])
    assert list(Draft202012Validator(json_schema()).iter_errors(plan)) == []
    compiled = compile_for_mail(plan)
    assert compiled.plan is not None
    assert len(read_tape(tape, compiled.plan, datetime(2026, 1, 5, 9, tzinfo=UTC))) == len(tape)
