"""Edits of what somebody else has changed meanwhile: refused where the caller has said what they have read."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import update
from sqlalchemy.engine import URL

from cadenza.api.desk import Desk
from cadenza.api.routes.senders import SENDER
from cadenza.campaigns.model import SenderChange
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.errors import Overtaken
from cadenza.core.ids import SenderId
from functions.api.handler import office
from tests.handlers.api_client import Client, client, environment
from tests.handlers.conftest import Queues
from tests.store.builders import add_contact, add_lead, add_scene

EDITS: dict[str, tuple[str, str, list[Any]]] = {
    "contact": ("PATCH", "/v1/contacts/{contact}", [{"title": "Head of Sales"}, {"title": "Buyer"}]),
    "sender": ("PATCH", "/v1/senders/{sender}", [{"daily_cap": 5}, {"daily_cap": 6}]),
    "mailbox": ("PUT", "/v1/senders/{sender}/smtp", [{"host": "localhost", "port": 2500 + n} for n in (0, 1)]),
    "hold": ("PUT", "/v1/contacts/{contact}/hold", [{"until": f"209{n}-01-01T00:00:00Z"} for n in (1, 2)]),
    "settings": ("PUT", "/v1/automation/settings", [{"stagger_s": 7}, {"stagger_s": 8}]),
}


@pytest.fixture
def api(
    queues: Queues,  # noqa: ARG001
    database_url: URL,
    database: Database,
    monkeypatch: Any,
) -> Iterator[tuple[Client, dict[str, str]]]:
    """An admin, and the ids of what there is to edit."""
    with database.worker() as conn:
        scene = add_scene(conn)
        contact_id = add_contact(conn, scene.workspace_id, add_lead(conn, scene.workspace_id))
    with environment(database_url, monkeypatch):
        ids = {"contact": str(contact_id), "sender": str(scene.sender_id)}
        yield client(database, scene.workspace_id), ids


def _shown(target: str) -> str:
    return target.removesuffix("/smtp")


@pytest.mark.parametrize("what", EDITS)
def test_of_two_edits_of_one_version_the_second_is_refused(api: tuple[Client, dict[str, str]], what: str):
    """Broken, two operators would overwrite one another's work without hearing of it."""
    caller, ids = api
    method, target, (first, second) = EDITS[what]
    target = target.format(**ids)
    read = caller.call("GET", _shown(target))
    assert read.headers["etag"] == caller.call("GET", _shown(target)).headers["etag"]
    done = caller.call(method, target, first, if_match=read.headers["etag"])
    assert done.status == 200, done.text
    assert done.headers["etag"] not in {None, read.headers["etag"]}
    refused = caller.call(method, target, second, if_match=read.headers["etag"])
    assert set(refused.problem(412)) == {"/If-Match"}
    assert caller.get(_shown(target)) == done.json
    for tag in ('"other", ' + done.headers["etag"], "*"):
        assert caller.call(method, target, second, if_match=tag).status == 200
        assert caller.call(method, target, first).status == 200, "without the header nothing is compared"


def test_a_hold_is_ended_only_as_it_was_read(api: tuple[Client, dict[str, str]]):
    """Broken, somebody would end a hold that was prolonged a moment ago."""
    caller, ids = api
    target = f"/v1/contacts/{ids['contact']}/hold"
    old = caller.call("PUT", target, {"until": "2091-01-01T00:00:00Z"}).headers["etag"]
    new = caller.call("PUT", target, {"until": "2092-01-01T00:00:00Z"}).headers["etag"]
    caller.call("DELETE", target, if_match=old).problem(412)
    assert caller.call("DELETE", target, if_match=new).status == 204


def test_what_changes_by_itself_refuses_nobody(api: tuple[Client, dict[str, str]]):
    """Broken, a sender that is paused while its form is open could not be edited in it."""
    caller, ids = api
    target = f"/v1/senders/{ids['sender']}"
    read = caller.call("GET", target)
    caller.post(f"{target}/pause")
    assert caller.call("PATCH", target, {"name": "Nora"}, if_match=read.headers["etag"]).status == 200


def test_what_is_not_there_is_missing_before_it_has_changed(api: tuple[Client, dict[str, str]]):
    """Broken, a client would read again and again what has gone."""
    caller, _ = api
    gone = "/v1/contacts/00000000-0000-7000-8000-000000000001"
    caller.call("PATCH", gone, {"title": "Buyer"}, if_match='"x"').problem(404)


def test_an_edit_waits_for_the_one_that_has_compared_before_it(api: tuple[Client, dict[str, str]]):
    """Broken, two edits that come at the same moment would both be taken, and one of them lost."""
    caller, ids = api
    tag = caller.call("GET", f"/v1/senders/{ids['sender']}").headers["etag"]
    sender_id = SenderId(UUID(ids["sender"]))
    guarded = SENDER.at(Desk(office(), caller.workspace_id, "", sender_id), sender_id, tag)
    with ThreadPoolExecutor(1) as pool:
        with guarded.transaction() as conn:
            second = pool.submit(guarded.senders.change, sender_id, SenderChange(daily_cap=2))
            assert wait([second], timeout=0.5).not_done, "it must not have compared yet"
            conn.execute(update(tables.sender_identities).values(daily_cap=1))
        with pytest.raises(Overtaken):
            second.result()
    assert caller.get(f"/v1/senders/{ids['sender']}")["daily_cap"] == 1
