"""Over HTTP: why nothing is sent, and moving enrolments to another version of their plan."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.engine import URL

from cadenza.core import tables
from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.states import CampaignStatus
from cadenza.engine.apply import apply
from cadenza.engine.model import Sent
from tests.handlers.api_client import Client, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import PLAN, Scene, add_scene

PATIENT: dict[str, Any] = {
    **PLAN,
    "nodes": [
        PLAN["nodes"][0] | {"transitions": [{"on": "no_open", "to": "again", "after": "PT10M"}]},
        *PLAN["nodes"][1:],
    ],
}
"""It waits ten minutes for an open."""


@pytest.fixture
def scene(database: Database) -> Scene:
    """A workspace with a running campaign."""
    with database.worker() as conn:
        return add_scene(conn)


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


@pytest.fixture
def enrolment_id(database: Database, scene: Scene) -> str:
    """Somebody whose first mail went out an hour ago."""
    now = utc_now() - timedelta(hours=1)
    with database.worker() as conn:
        message_id = scene.add_message(conn, status="sent", sent_at=now, due_at=now, enrolment={"entered_at": now})
        messages = tables.outbound_messages
        found = conn.execute(messages.select().where(messages.c.id == message_id)).one()
        apply(conn, [(found.enrolment_id, Sent("intro", 1, now))], now)
    return str(found.enrolment_id)


def test_an_enrolment_explains_itself(api: Client, database: Database, enrolment_id: str):
    """Broken, "why was this not sent?" would be a question for whoever can read the tables."""
    told = api.get(f"/v1/enrolments/{enrolment_id}/explain")
    assert [(step["kind"], step["event"]) for step in told["next"]] == [("timeout", "no_open")]
    assert [block["gate"] for block in told["blocked_by"]] == ["due", "event"]
    assert told["awaits"] == [{"on": "opened", "to": "end", "opens_at": None, "until": None}]
    assert datetime.fromisoformat(told["will_send_at"]) == column(database, "scheduled_actions.due_at")[0]
    assert (told["will_send_node"], told["ended"]) == ("again", None)
    with database.worker() as conn:
        conn.execute(update(tables.campaigns).values(status=CampaignStatus.PAUSED, status_reason="wrong price"))
    told = api.get(f"/v1/enrolments/{enrolment_id}/explain")
    assert (told["will_send_at"], told["will_send_why"]) == (None, ["the campaign is paused: wrong price"])


def test_what_is_not_there_explains_nothing(api: Client):
    """Broken, a wrong id would look like an enrolment that nothing stands in the way of."""
    api.call("GET", f"/v1/enrolments/{uuid4()}/explain").problem(404)


def test_a_migration_is_previewed_and_done(
    api: Client, queues: Queues, database: Database, scene: Scene, enrolment_id: str
):
    """Broken, an improved plan would reach new contacts only."""
    path = f"/v1/campaigns/{scene.campaign_id}/migrate"
    preview = api.post(f"{path}/preview", {"plan": PATIENT})
    (item,) = preview["items"]
    assert (item["enrolment_id"], item["moves"], item["from_node"], item["to_node"]) == (
        enrolment_id,
        True,
        "intro",
        "intro",
    )
    assert [action["event"] for action in item["cancelled"]] == ["no_open"]
    assert queues.take_all() == {}
    done = api.post(path, {"plan": PATIENT, "token": preview["token"]})
    assert done["items"] == preview["items"]
    assert (done["moving"], done["staying"], done["next_cursor"]) == (1, 0, None)
    assert api.get(f"/v1/plans/{done['plan_id']}")["hash"] == preview["plan_hash"]
    assert api.get(f"/v1/enrolments/{enrolment_id}")["plan_id"] == done["plan_id"]
    (hint,) = queues.take("campaign-execution")
    assert hint["action_ids"] == column(database, "scheduled_actions.id")
    timeline = api.get(f"/v1/enrolments/{enrolment_id}/timeline")["items"]
    assert [entry["why"][0] for entry in timeline if entry["kind"] == "dropped"] == ["migrated"]


def test_a_kept_message_is_hinted_at_again(api: Client, queues: Queues, database: Database, scene: Scene):
    """Broken, a queued mail would wait for the sweep, or for ever."""
    with database.worker() as conn:
        message_id = scene.add_message(conn)
    path = f"/v1/campaigns/{scene.campaign_id}/migrate"
    preview = api.post(f"{path}/preview", {"plan": PATIENT})
    api.post(path, {"plan": PATIENT, "token": preview["token"]})
    (hint,) = queues.take("message-send")
    assert hint["message_ids"] == [str(message_id)]


def test_the_same_token_does_it_once(api: Client, scene: Scene, enrolment_id: str):  # noqa: ARG001
    """Broken, a repeated request would write a second move."""
    path = f"/v1/campaigns/{scene.campaign_id}/migrate"
    token = api.post(f"{path}/preview", {"plan": PATIENT})["token"]
    api.post(path, {"plan": PATIENT, "token": token})
    api.call("POST", path, {"plan": PATIENT, "token": token}).problem(409)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, ""),
        ({"plan": {**PATIENT, "startNodeId": "nowhere"}}, "/plan/startNodeId"),
        ({"plan": PATIENT, "enrolment_ids": []}, "/enrolment_ids"),
        ({"plan": PATIENT, "enrolment_ids": [str(uuid4())]}, "/enrolment_ids/0"),
        ({"plan": PATIENT, "node_map": {"intro": "nowhere"}}, "/node_map"),
        ({"plan_id": str(uuid4())}, "/plan_id"),
        ({"plan": PATIENT, "enrollment_ids": []}, "/enrollment_ids"),
    ],
)
def test_a_malformed_migration_is_refused_and_its_field_named(
    api: Client, scene: Scene, body: dict[str, Any], pointer: str
):
    """Broken, the caller would have to guess what is wrong."""
    path = f"/v1/campaigns/{scene.campaign_id}/migrate"
    assert pointer in api.call("POST", f"{path}/preview", body).problem(400)


def test_a_token_is_asked_for(api: Client, scene: Scene):
    """Broken, a migration could be done unseen."""
    path = f"/v1/campaigns/{scene.campaign_id}/migrate"
    assert set(api.call("POST", path, {"plan": PATIENT}).problem(400)) == {"/token"}
