"""Senders through the API: their warm-up, their pause, and how they come back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL

from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import new_id
from tests.handlers.api_client import Client, client, environment
from tests.handlers.conftest import Queues
from tests.store.builders import Scene, add_scene

SENDER = {
    "name": "Nora Lindqvist",
    "email": "nora@tidewater-routing.example",
    "company": "Tidewater Routing (fictional)",
    "postal_address": "Quay 7, 12345 Harbour Town",
}
WARM_UP = {"starts_on": "2026-03-01", "first_day": 20, "factor": 1.3, "step": 0, "ceiling": 500}


@pytest.fixture
def scene(database: Database) -> Scene:
    """A workspace with a running campaign."""
    with database.worker() as conn:
        return add_scene(conn)


@pytest.fixture
def api(
    queues: Queues,  # noqa: ARG001 - the environment
    database: Database,
    database_url: URL,
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Client]:
    """An admin of the scene's workspace."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


def test_a_sender_is_made_and_changed(api: Client):
    """Broken, a new address could not be warmed up, nor a running ramp be slowed down."""
    made = api.post("/v1/senders", SENDER | {"warm_up": WARM_UP})
    assert made["warm_up"] == WARM_UP
    path = f"/v1/senders/{made['id']}"
    changed = api.call("PATCH", path, {"daily_cap": 40, "warm_up": WARM_UP | {"step": 5}}).json
    assert changed == made | {"daily_cap": 40, "warm_up": WARM_UP | {"step": 5}}
    assert api.call("PATCH", path, {}).json == changed
    assert api.call("PATCH", path, {"name": "Nora", "daily_cap": None, "warm_up": None}).json == made | {
        "name": "Nora",
        "warm_up": None,
    }
    assert api.get(path)["name"] == "Nora"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"warm_up": WARM_UP | {"ceiling": 10}}, "/warm_up"),
        ({"warm_up": WARM_UP | {"factor": 1, "step": 0}}, "/warm_up"),
        ({"warm_up": WARM_UP | {"factor": 2.5}}, "/warm_up/factor"),
        ({"warm_up": {"first_day": 1, "ceiling": 2, "step": 1}}, "/warm_up/starts_on"),
        ({"email": "other@tidewater-routing.example"}, "/email"),
        ({"postal_address": ""}, "/postal_address"),
        ({"daily_cap": 0}, "/daily_cap"),
    ],
)
def test_a_change_that_means_nothing_is_refused(api: Client, scene: Scene, change: dict[str, Any], pointer: str):
    """Broken, a ramp that never grows, or a mail without a postal address, would be found out by its recipients."""
    assert pointer in api.call("PATCH", f"/v1/senders/{scene.sender_id}", change).problem(400)


def test_an_unknown_sender_is_not_found(api: Client):
    """Broken, a typing error would look like a change."""
    for method, path in (("GET", ""), ("PATCH", ""), ("POST", "/pause"), ("POST", "/resume")):
        api.call(method, f"/v1/senders/{new_id()}{path}", {} if method == "PATCH" else None).problem(404)


def test_a_paused_sender_comes_back_without_a_burst(api: Client, queues: Queues, database: Database, scene: Scene):
    """Broken, nothing of the sender would ever be sent again, or all of it in one second."""
    long_ago = datetime.fromisoformat("2026-01-01T10:00:00Z")
    with database.worker() as conn:
        ids = [scene.add_message(conn, due_at=long_ago + n * timedelta(minutes=1)) for n in range(3)]
    path = f"/v1/senders/{scene.sender_id}"
    paused = api.post(f"{path}/pause", {"reason": "new DNS records"})
    assert (paused["paused_reason"], paused["paused_at"] is None) == ("new DNS records", False)
    api.call("POST", f"{path}/pause").problem(409)
    resumed = api.post(f"{path}/resume")
    assert (resumed["paused_at"], resumed["paused_reason"]) == (None, "")
    api.call("POST", f"{path}/resume").problem(409)
    assert [hint["message_ids"] for hint in queues.take("message-send")] == [[str(one) for one in ids]]
    messages = tables.outbound_messages
    with database.worker() as conn:
        due = list(conn.execute(select(messages.c.due_at).order_by(messages.c.due_at)).scalars())
    resumed_at = datetime.fromisoformat(resumed["resumed_at"])
    assert [instant - resumed_at for instant in due] == [n * timedelta(seconds=1) for n in range(3)]
