"""The plan's JSON: what both versions look like, and what makes two plans the same plan."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cadenza.core.errors import InvalidInput
from cadenza.planning.model import Channel, Plan, canonical_json, content_hash, json_pointer, json_schema, parse_plan

PLANS = Path(__file__).parent / "plans"
BARE = {"timezone": "UTC", "startNodeId": "a", "nodes": [{"id": "a", "action": "stop"}]}


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda path: path.stem)
def test_plans_survive_a_round_trip(path: Path) -> None:
    """A stored plan would get another hash when it is read back, and be stored twice."""
    source = json.loads(path.read_text())
    plan = parse_plan(source)
    assert plan.to_json() == source
    assert content_hash(parse_plan(json.loads(canonical_json(plan)))) == content_hash(plan)


def test_what_version_1_0_may_leave_out_has_its_default() -> None:
    """Plans of the original system would be refused for fields that it never required."""
    node = {"id": "a", "action": "send", "channel": None, "schedule": None, "transitions": None}
    plan = parse_plan({**BARE, "quietHours": None, "defaults": None, "nodes": [node]})
    assert plan.version == "1.0"
    assert plan.nodes[0].channel is Channel.EMAIL
    assert plan.nodes[0].transitions == ()
    assert parse_plan({**BARE, "defaults": {}}).defaults is not None


def test_the_hash_knows_meaning_from_layout() -> None:
    """The same plan would be stored twice because its keys came in another order, or two plans once."""
    reordered = dict(reversed(BARE.items()))
    assert content_hash(parse_plan(BARE)) == content_hash(parse_plan(reordered))
    assert content_hash(parse_plan(BARE)) != content_hash(parse_plan({**BARE, "timezone": "Europe/Lisbon"}))
    assert content_hash(parse_plan(BARE)) != content_hash(parse_plan({**BARE, "note": "mine"}))


def test_a_malformed_plan_names_every_fault() -> None:
    """An author would have to find the faults one upload at a time."""
    both = {"on": "opened", "to": "a", "within": "P1D", "after": "P1D"}
    with pytest.raises(InvalidInput) as caught:
        parse_plan(
            {
                "timezone": "UTC",
                "quietHours": {"start": "9:00", "end": "24:00"},
                "nodes": [
                    {
                        "id": "a",
                        "action": "jump",
                        "transitions": [both],
                    }
                ],
            }
        )
    assert {problem.pointer for problem in caught.value.problems} >= {
        "/startNodeId",
        "/quietHours/start",
        "/quietHours/end",
        "/nodes/0/action",
        "/nodes/0/transitions/0",
    }


def test_pointers_escape_what_rfc_6901_reserves() -> None:
    """A finding about a field called a/b would point at another place."""
    assert json_pointer() == ""
    assert json_pointer("nodes", 0, "a/b~c") == "/nodes/0/a~1b~0c"


def test_the_schema_speaks_the_authors_names() -> None:
    """Editors would offer field names that plans do not have."""
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert {"startNodeId", "quietHours", "timezone", "nodes"} <= set(schema["properties"])
    assert "no_open_after" in json.dumps(schema)


def test_plans_are_built_in_code_too() -> None:
    """The offline planner would have to write JSON by hand."""
    plan = Plan.model_validate({"version": "1.1", "timezone": "UTC", "start_node_id": "a", "nodes": BARE["nodes"]})
    assert plan.to_json()["startNodeId"] == "a"
