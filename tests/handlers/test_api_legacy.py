"""Exports of other systems come in by the API."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from cadenza.core.db import Database
from tests.handlers.api_client import Client, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import add_sender, add_workspace

AUTUMN: dict[str, Any] = json.loads((Path(__file__).parent.parent / "legacy" / "autumn.json").read_text())
SENDER = "ada@nordlicht.example"


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with database.worker() as conn:
        workspace_id = add_workspace(conn)
        add_sender(conn, workspace_id, email=SENDER)
    with environment(database_url, monkeypatch):
        yield client(database, workspace_id)


def test_an_export_is_rehearsed_and_then_taken_in(api: Client, database: Database, queues: Queues):
    """Broken, an operator without the database's address could not bring their old campaigns."""
    dry = api.post(f"/v1/imports/legacy?sender={SENDER}", AUTUMN)
    assert (dry["applied"], column(database, "campaigns.name")) == (False, [])
    assert queues.take("campaign-execution") == []
    done = api.post(f"/v1/imports/legacy?sender={SENDER}&apply=true", AUTUMN)
    assert done == dry | {"applied": True}
    assert sorted(column(database, "campaigns.name")) == ["Autumn", "Summer", "Winter"]
    assert {message["type"] for message in queues.take("campaign-execution")} == {"wake", "campaign.moved"}
    again = api.post(f"/v1/imports/legacy?sender={SENDER}&apply=true", AUTUMN)
    assert again["counts"]["campaign.known"] == 3
    # Nothing of a second import is new, so nobody is told to do anything.
    assert queues.take("campaign-execution") == []


def test_what_came_in_is_as_ours(api: Client):
    """Broken, imported campaigns would be there, and could not be looked at or stopped."""
    api.post(f"/v1/imports/legacy?sender={SENDER}&apply=true", AUTUMN)
    by_name = {one["name"]: one for one in api.get("/v1/campaigns")["items"]}
    assert by_name["Autumn"]["status"] == "running"
    enrolments = api.get(f"/v1/enrolments?campaign_id={by_name['Autumn']['id']}&status=active")["items"]
    assert len(enrolments) == 4
    kinds = {entry["kind"] for entry in api.get(f"/v1/enrolments/{enrolments[0]['id']}/timeline")["items"]}
    assert {"enrolled", "moved", "ahead"} <= kinds
    api.post(f"/v1/campaigns/{by_name['Autumn']['id']}/pause")
    api.post(f"/v1/campaigns/{by_name['Autumn']['id']}/resume")


def test_what_is_no_export_is_refused(api: Client):
    """Broken, a mistake would be answered with a server's error."""
    assert "" in api.call("POST", "/v1/imports/legacy", {}).problem(400)
    assert "/sender" in api.call("POST", "/v1/imports/legacy?sender=no@body.example", AUTUMN).problem(400)
    many = {"leads": [{"website": f"a{n}.example"} for n in range(10_001)]}
    assert "10,000" in api.call("POST", "/v1/imports/legacy", many).problem(400)[""]
    hostile = {"leads": [{"email": "a\0b@x.example"}, 7], "campaigns": [{"name": "c", "status": "active"}]}
    assert api.post("/v1/imports/legacy?apply=true", hostile)["counts"]["lead.refused"] == 2
