"""Plans before they run, over HTTP: their schema, their faults, and what they will do."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from cadenza.cli import main
from cadenza.core.db import Database
from cadenza.core.states import Role
from cadenza.planning.model import json_schema
from tests.handlers.api_client import Client, client, environment
from tests.handlers.conftest import Queues
from tests.store.builders import add_workspace

PLAN = Path(__file__).parents[1] / "unit" / "plans" / "outreach-1.0.json"
OUTREACH: dict[str, Any] = json.loads(PLAN.read_text(encoding="utf-8"))
START = "2026-01-05T09:00:00Z"
BROKEN = OUTREACH | {"timezone": "Mars/Olympus"}


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's viewer."""
    with database.worker() as conn:
        workspace_id = add_workspace(conn)
    with environment(database_url, monkeypatch):
        yield client(database, workspace_id, Role.VIEWER)


def test_the_schema_is_there_for_everybody(api: Client):
    """Broken, an editor could not check a plan while it is written."""
    reply = Client(api.workspace_id, "").call("GET", "/v1/plans/schema")
    assert (reply.status, reply.headers["content-type"]) == (200, "application/schema+json")
    assert reply.json == json_schema()


def test_a_plan_is_checked(api: Client):
    """Broken, an author would learn of faults when the campaign starts."""
    good = api.post("/v1/plans/check", {"plan": OUTREACH})
    assert (good["runs"], [found["code"] for found in good["findings"]]) == (True, ["no_reply_route"])
    bad = api.post("/v1/plans/check", {"plan": BROKEN})
    assert bad["runs"] is False
    assert {"code": "bad_zone", "severity": "error", "pointer": "/timezone"}.items() <= bad["findings"][0].items()


def test_a_check_knows_the_template_variables(api: Client):
    """Broken, a plan would be found good here and refused when it is to run."""
    node = {"id": "a", "action": "send", "subject": "s", "body": "Hello {{first_nam}}"}
    plan = {"version": "1.1", "timezone": "UTC", "startNodeId": "a", "nodes": [node]}
    checked = api.post("/v1/plans/check", {"plan": plan})
    assert [found["pointer"] for found in checked["findings"] if found["code"] == "unknown_variable"] == [
        "/nodes/0/body"
    ]


def test_the_api_simulates_what_the_command_does(api: Client, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """Broken, a console would show another campaign than the command."""
    events = [{"after": "PT26H", "on": "opened"}, {"after": "PT30H", "on": "bounced", "hard": False}]
    tape = tmp_path / "tape.json"
    tape.write_text(json.dumps(events))
    main(["simulate", str(PLAN), "--start", START, "--zone", "Europe/Berlin", "--events", str(tape), "--json"])
    body = {"plan": OUTREACH, "start": START, "zone": "Europe/Berlin", "events": events}
    assert api.post("/v1/plans/simulate", body) == json.loads(capsys.readouterr().out)


def test_a_plan_alone_is_enough(api: Client):
    """Broken, a console could not offer a simulation without a form."""
    assert api.post("/v1/plans/simulate", {"plan": OUTREACH})["outcome"] == "completed"


@pytest.mark.parametrize(
    ("body", "pointers"),
    [
        ({"plan": BROKEN}, {"/plan/timezone"}),
        ({"plan": {}}, {"/plan/timezone", "/plan/startNodeId", "/plan/nodes"}),
        ({}, {"/plan"}),
        ({"plan": "x"}, {"/plan"}),
        ({"plan": OUTREACH, "start": "soon"}, {"/start"}),
        ({"plan": OUTREACH, "zone": "Mars"}, {"/zone"}),
        ({"plan": OUTREACH, "holidays_country": "Atlantis"}, {"/holidays_country"}),
        ({"plan": OUTREACH, "events": [{"after": "soon", "on": "opened"}]}, {"/events/0/after"}),
        ({"plan": OUTREACH, "events": [{"after": "PT1H", "on": "opened", "node": "z"}]}, {"/events/0/node"}),
        ({"plan": OUTREACH, "tape": []}, {"/tape"}),
    ],
)
def test_each_mistake_is_named(api: Client, body: dict[str, Any], pointers: set[str]):
    """Broken, a console could not mark the field that is wrong."""
    assert set(api.call("POST", "/v1/plans/simulate", body).problem(400)) == pointers


@pytest.mark.parametrize("note", ["\ud800", json.loads("[" * 100 + "]" * 100)])
def test_what_cannot_be_stored_is_refused(api: Client, note: object):
    """Broken, half a surrogate pair or a deep nest would be answered 500."""
    raw = json.dumps({"plan": OUTREACH | {"note": note}}).encode()
    assert set(api.call("POST", "/v1/plans/check", raw=raw).problem(400)) == {"/plan"}
