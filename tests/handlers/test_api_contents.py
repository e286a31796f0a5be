"""Templates and workflows: what people write is checked when it is stored, and changed only by who has read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.engine import URL

from cadenza.core.db import Database
from cadenza.core.states import CampaignStatus
from tests.handlers.api_client import Client, Reply, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import Scene, add_scene

TEXT = "Hi {{ first_name }},\n\nwe plan delivery routes for small fleets. Shall I show you?\n\n{{ sender_name }}"
TEMPLATE = {"name": "First", "subject": "Routes for {{ company }}", "text_body": TEXT}


@pytest.fixture
def scene(database: Database) -> Scene:
    """A workspace with a campaign that is a draft."""
    with database.worker() as conn:
        return add_scene(conn, campaign={"status": CampaignStatus.DRAFT})


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


def tag(reply: Reply) -> str:
    """The version that an answer names."""
    return reply.headers["etag"]


def test_a_template_is_made_shown_changed_and_removed(api: Client, database: Database):
    """Broken, nobody could keep a mail of their own, or would not find it again as it was written."""
    made = api.call("POST", "/v1/templates", TEMPLATE)
    assert made.status == 201, made.text
    path = f"/v1/templates/{made.json['id']}"
    shown = api.call("GET", path)
    assert {name: shown.json[name] for name in TEMPLATE} == TEMPLATE
    assert tag(shown) == tag(made)
    assert made.json["findings"] == []
    changed = api.call("PATCH", path, {"subject": "Again: routes"}, if_match=tag(shown))
    assert (changed.json["subject"], changed.json["text_body"]) == ("Again: routes", TEXT)
    assert tag(changed) == tag(api.call("GET", path)) != tag(shown)
    assert [one["id"] for one in api.get("/v1/templates")["items"]] == [made.json["id"]]
    assert api.call("DELETE", path).status == 204
    api.call("GET", path).problem(404)
    assert column(database, "audit_log.act") == ["template_created", "template_changed", "template_deleted"]


@pytest.mark.parametrize(
    ("content", "pointer"),
    [
        ({"text_body": "Hi {{ nickname }}, how are you today?"}, "/text_body"),
        ({"subject": "For {nickname}"}, "/subject"),
        ({"html_body": "<p>Hi {{ nickname }}</p>"}, "/html_body"),
        ({"text_body": "Hi {{ first_name | explode }}, how are you?"}, "/text_body"),
        ({"text_body": "Hi {% if first_name %}, how are you?"}, "/text_body"),
        ({"subject": " "}, "/subject"),
        ({"text_body": ""}, "/text_body"),
        ({"body": "typing error"}, "/body"),
    ],
)
def test_a_template_that_could_not_be_sent_is_refused_and_its_field_named(
    api: Client, content: dict[str, str], pointer: str
):
    """Broken, a typing error would be found out at the first recipient, or by them."""
    assert set(api.call("POST", "/v1/templates", TEMPLATE | content).problem(400)) == {pointer}
    stored = api.call("POST", "/v1/templates", TEMPLATE)
    path = f"/v1/templates/{stored.json['id']}"
    assert set(api.call("PATCH", path, content, if_match=tag(stored)).problem(400)) == {pointer}


def test_what_people_should_know_of_their_copy_is_a_warning(api: Client):
    """Broken, people would be forbidden what they mean, or not told that it hurts them."""
    body = "Hi {{ first_name }}, as your {{ title }} knows, this is 100% free, act now, limited time only!"
    made = api.post("/v1/templates", TEMPLATE | {"subject": "RE: our call", "text_body": body})
    told = {(one["code"], one["pointer"], one["severity"]) for one in made["findings"]}
    assert ("missing_value", "/text_body", "warning") in told, "not everybody has a title"
    assert ("subject_trick", "/subject", "warning") in told
    assert {severity for _, _, severity in told} == {"warning"}


def test_nobody_overwrites_what_somebody_else_has_changed(api: Client):
    """Broken, of two people who edit the same mail one would lose their work without a word."""
    made = api.call("POST", "/v1/templates", TEMPLATE)
    path = f"/v1/templates/{made.json['id']}"
    api.call("PATCH", path, {"name": "Mine"}).problem(428)
    assert api.call("PATCH", path, {"name": "Theirs"}, if_match=tag(made)).status == 200
    api.call("PATCH", path, {"name": "Mine"}, if_match=tag(made)).problem(412)
    assert api.get(path)["name"] == "Theirs"
    assert api.call("PATCH", path, {"name": "Mine"}, if_match="*").json["name"] == "Mine"
    assert set(api.call("PATCH", path, {"subject": None}, if_match="*").problem(400)) == {"/subject"}


def workflow(api: Client, *delays: str, name: str = "Three mails") -> dict[str, Any]:
    """A workflow whose steps all send the same template."""
    template_id = api.post("/v1/templates", TEMPLATE)["id"]
    return {"name": name, "steps": [{"template_id": template_id, "delay": delay} for delay in delays]}


def test_a_workflow_is_made_shown_replaced_and_removed(api: Client):
    """Broken, mails could not be put in an order, or the order would be another one."""
    wanted = workflow(api, "PT0S", "P3D", "P1W")
    made = api.call("POST", "/v1/workflows", wanted)
    assert made.status == 201, made.text
    path = f"/v1/workflows/{made.json['id']}"
    shown = api.call("GET", path)
    assert [(step["template_name"], step["delay"]) for step in shown.json["steps"]] == [
        ("First", "PT0S"),
        ("First", "P3D"),
        ("First", "P1W"),
    ]
    api.call("PUT", path, wanted).problem(428)
    shorter = wanted | {"name": "Two mails", "steps": wanted["steps"][:2]}
    replaced = api.call("PUT", path, shorter, if_match=tag(shown))
    assert (replaced.json["name"], len(replaced.json["steps"])) == ("Two mails", 2)
    api.call("PUT", path, wanted, if_match=tag(shown)).problem(412)
    assert tag(replaced) == tag(api.call("GET", path))
    assert [one["name"] for one in api.get("/v1/workflows")["items"]] == ["Two mails"]
    assert api.call("DELETE", path).status == 204
    api.call("GET", path).problem(404)


@pytest.mark.parametrize(
    ("steps", "pointer"),
    [
        ([], "/steps"),
        ([{"template_id": str(uuid4())}], "/steps/0/template_id"),
        ([{"template_id": None}], "/steps/0/template_id"),
        ([{"delay": "3 days"}], "/steps/0/delay"),
        ([{"delay": "-P3D"}], "/steps/0/delay"),
        ([{}, {"delays": "P3D"}], "/steps/1/delays"),
    ],
)
def test_a_workflow_that_could_not_run_is_refused_and_its_step_named(
    api: Client, steps: list[dict[str, Any]], pointer: str
):
    """Broken, a workflow would fail at its start, when its people wait for it."""
    template_id = api.post("/v1/templates", TEMPLATE)["id"]
    wanted = {"name": "Mails", "steps": [{"template_id": template_id} | step for step in steps]}
    assert set(api.call("POST", "/v1/workflows", wanted).problem(400)) == {pointer}


def test_what_is_needed_cannot_be_removed(api: Client):
    """Broken, a campaign would have nothing to send, or a workflow would lose a step."""
    wanted = workflow(api, "PT0S", "P3D")
    template_path = f"/v1/templates/{wanted['steps'][0]['template_id']}"
    workflow_id = api.post("/v1/workflows", wanted)["id"]
    assert "Three mails" in api.call("DELETE", template_path).problem(409)[""]
    campaign = api.post("/v1/campaigns", {"name": "Autumn", "kind": "workflow", "workflow_id": workflow_id})
    assert "Autumn" in api.call("DELETE", f"/v1/workflows/{workflow_id}").problem(409)[""]
    api.post(f"/v1/campaigns/{campaign['id']}/cancel")
    assert api.call("DELETE", f"/v1/workflows/{workflow_id}").status == 204
    assert api.call("DELETE", template_path).status == 204
    assert api.get(f"/v1/campaigns/{campaign['id']}")["workflow_id"] is None
