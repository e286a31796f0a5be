"""The header Idempotency-Key: a client that does not know whether it was heard may ask again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from sqlalchemy import text, update
from sqlalchemy.engine import URL
from sqlalchemy.exc import ProgrammingError

from cadenza.api.desk import Desk
from cadenza.api.idempotency import once
from cadenza.campaigns.model import NewCampaign
from cadenza.core import idempotency, tables
from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.errors import Conflict
from cadenza.core.queues import Queue
from cadenza.core.states import Role
from cadenza.delivery.hints import Hints
from cadenza.delivery.upkeep import Upkeep
from cadenza.engine.service import Engine
from functions.api.handler import office
from tests.handlers.api_client import RECORDED, Client, Reply, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import Scene, add_scene, add_workspace

KEYS = tables.idempotency_keys
CAMPAIGN = {"name": "Spring", "brief": {"offering": "We plan routes."}}
ZOE = {"email": "zoe@acme.example", "name": "Zoe Acme"}


@pytest.fixture
def scene(database: Database) -> Scene:
    """A workspace with a sender and a running campaign."""
    with database.worker() as conn:
        return add_scene(conn)


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


def post(api: Client, path: str, body: Any, key: str = '"one"') -> Reply:
    return api.call("POST", path, body, idempotency_key=key)


def add_campaign(desk: Desk) -> Response[Any]:
    """What the route does; the application around it is one request's at a time, in one process."""
    made = desk.campaigns.create(NewCampaign.model_validate(CAMPAIGN))
    return Response(201, "application/json", json.dumps({"id": str(made)}))


def ask(api: Client, carry_out: Callable[[Desk], Response[Any]] = add_campaign) -> Response[Any]:
    """Ask, as a process of its own does."""
    desk = Desk(office(), api.workspace_id, "", UUID(int=0))
    event = APIGatewayProxyEventV2(RECORDED | {"rawPath": "/v1/things", "body": "{}"})
    try:
        return once(desk, event, '"one"', carry_out)
    except Conflict as error:
        return Response(409, body=error.detail)


def set_back(database: Database, **values: Any) -> None:
    """What a process leaves that died a while ago."""
    with database.worker() as conn:
        conn.execute(update(KEYS).values(claimed_at=datetime.now(UTC) - idempotency.LEASE - timedelta(seconds=1)))
        if values:
            conn.execute(update(KEYS).values(**values))


CREATING: list[tuple[str, Any, str]] = [
    ("/v1/leads", {"url": "acme.example"}, "leads"),
    ("/v1/lead-batches", {"rows": [{"url": "acme.example", **ZOE}]}, "lead_batches"),
    ("/v1/campaigns", CAMPAIGN, "campaigns"),
    ("/v1/contacts", ZOE, "contacts"),
    (
        "/v1/senders",
        {"name": "Nora", "email": "nora@tidewater.example", "company": "Tidewater", "postal_address": "Quay 7"},
        "sender_identities",
    ),
    ("/v1/suppressions", {"channel": "email", "address": "uhu@acme.example"}, "suppressions"),
]


@pytest.mark.parametrize(("path", "body", "table"), CREATING)
def test_the_same_request_under_the_same_key_is_carried_out_once(
    api: Client, queues: Queues, database: Database, path: str, body: Any, table: str
):
    """Broken, a client that lost the answer would make everything twice, or be told that it cannot be made."""
    before = len(column(database, f"{table}.id"))
    first = post(api, path, body)
    assert first.status in {201, 202}, first.text
    assert "idempotent-replayed" not in first.headers
    hints = queues.take_all()
    again = post(api, path, body)
    assert (again.status, again.text, again.headers["content-type"]) == (
        first.status,
        first.text,
        first.headers["content-type"],
    )
    assert again.headers["idempotent-replayed"] == "true"
    assert len(column(database, f"{table}.id")) == before + 1
    assert queues.take_all() == {}, hints


def test_sheets_are_keyed_too(api: Client, database: Database):
    """Broken, the longest requests, which are the likeliest to be cut off, could not be repeated."""
    for path, sheet in (("/v1/lead-batches/import", b"acme.example\n"), ("/v1/suppressions/import", b"a@b.example\n")):
        replies = [
            api.call("POST", path, raw=sheet, content_type="text/csv", idempotency_key=f'"{path}"') for _ in range(2)
        ]
        assert replies[0].text == replies[1].text
        assert [("idempotent-replayed" in reply.headers) for reply in replies] == [False, True], replies[0].text
    assert len(column(database, "lead_batches.id")) == 1


def test_without_a_key_all_is_as_before(api: Client, database: Database):
    """Broken, clients that know nothing of keys would be refused, or find their requests swallowed."""
    for _ in range(2):
        api.post("/v1/campaigns", CAMPAIGN)
    assert column(database, "campaigns.name") == ["Spring"] * 3
    assert column(database, "idempotency_keys.id") == []


def test_another_request_under_the_same_key_is_refused(api: Client, database: Database):
    """Broken, a client that mixes its keys up would be given the answer to something else."""
    post(api, "/v1/campaigns", CAMPAIGN)
    for path, body in (("/v1/campaigns", CAMPAIGN | {"name": "Summer"}), ("/v1/contacts", ZOE)):
        assert set(post(api, path, body).problem(422)) == {"/idempotency-key"}
    assert column(database, "contacts.id") == []
    assert post(api, "/v1/campaigns", CAMPAIGN | {"name": "Summer"}, '"two"').status == 201


@pytest.mark.parametrize("key", ["", '""', '"open', "two words", "a,b", '"é"', "x" * 256, f'"{"x" * 256}"'])
def test_a_malformed_key_is_refused(api: Client, database: Database, key: str):
    """Broken, a key that is cut off or sent twice would protect nothing, and nobody would know."""
    assert set(post(api, "/v1/campaigns", CAMPAIGN, key).problem(400)) == {"/idempotency-key"}
    assert len(column(database, "campaigns.id")) == 1


def test_a_key_means_the_same_with_and_without_quotes(api: Client):
    """Broken, a client that is changed to follow the draft would make things twice that day."""
    key = "8e03978e-40d5-43e8-bc93-6894a57f9324"
    first = post(api, "/v1/campaigns", CAMPAIGN, key)
    assert post(api, "/v1/campaigns", CAMPAIGN, f' "{key}" ').text == first.text
    quoted = post(api, "/v1/campaigns", CAMPAIGN, r'"a \"key\" of \\ ours"')
    assert quoted.status == 201


def test_an_error_is_not_kept(api: Client, database: Database):
    """Broken, a client that mends what was wrong would be given the old error for a day."""
    assert set(post(api, "/v1/contacts", {"email": "zoe"}).problem(400)) == {"/email"}
    assert post(api, "/v1/contacts", ZOE).status == 201
    post(api, "/v1/contacts", ZOE, '"two"').problem(409)
    (contact_id,) = column(database, "contacts.id")
    with database.worker() as conn:
        conn.execute(text("DELETE FROM contacts WHERE id = :id"), {"id": contact_id})
    assert post(api, "/v1/contacts", ZOE, '"two"').status == 201


def test_a_failure_of_ours_is_not_kept(api: Client, database: Database, database_url: URL):
    """Broken, a bug or an outage of a moment would be answered with its error until tomorrow."""
    owner = Database(database_url)
    with owner.worker() as conn:
        conn.execute(text("ALTER TABLE contacts RENAME TO contacts_away"))
    with pytest.raises(ProgrammingError):
        post(api, "/v1/contacts", ZOE)
    assert column(database, "idempotency_keys.id") == []
    with owner.worker() as conn:
        conn.execute(text("ALTER TABLE contacts_away RENAME TO contacts"))
    owner.close()
    assert post(api, "/v1/contacts", ZOE).status == 201


# --- at once -----------------------------------------------------------------------------------------------------


@dataclass
class Slow:
    """Somebody who takes their time before they make a campaign."""

    begun: threading.Event = field(default_factory=threading.Event)
    go: threading.Event = field(default_factory=threading.Event)

    def __call__(self, desk: Desk) -> Response[Any]:
        """Say that it has begun, wait, and then do it."""
        self.begun.set()
        assert self.go.wait(10)
        return add_campaign(desk)


def test_while_one_is_under_way_the_other_is_told_to_come_back(api: Client, database: Database):
    """Broken, an impatient client would have its request carried out beside itself."""
    slow = Slow()
    with ThreadPoolExecutor(1) as elsewhere:
        first = elsewhere.submit(ask, api, slow)
        assert slow.begun.wait(10)
        reply = ask(api)
        slow.go.set()
        made = first.result(timeout=10)
    assert (made.status_code, reply.status_code) == (201, 409)
    assert 1 <= int(str(reply.headers["retry-after"])) <= 5
    assert ask(api).body == made.body
    assert len(column(database, "campaigns.id")) == 2, "the scene's and one more"


def test_of_many_at_once_one_is_carried_out(api: Client, database: Database):
    """Broken, whoever retries from several threads would make several campaigns."""
    with ThreadPoolExecutor(6) as pool:
        replies = list(pool.map(lambda _: ask(api), range(24)))
    assert {reply.status_code for reply in replies} <= {201, 409}
    assert len({reply.body for reply in replies if reply.status_code == 201}) == 1
    assert len(column(database, "campaigns.id")) == 2, "the scene's and one more"


# --- when a process dies -----------------------------------------------------------------------------------------


def test_what_died_before_its_effect_is_carried_out_by_the_next(api: Client, database: Database):
    """Broken, a key would be stuck after a crash, and its request could be neither repeated nor answered."""
    post(api, "/v1/campaigns", CAMPAIGN)
    with database.worker() as conn:  # as if nothing had been committed but the claim
        conn.execute(update(KEYS).values(status=None, answer="", carried_out_at=None))
    post(api, "/v1/campaigns", CAMPAIGN).problem(409)
    set_back(database)
    reply = post(api, "/v1/campaigns", CAMPAIGN)
    assert (reply.status, "idempotent-replayed" in reply.headers) == (201, False)


def test_what_died_after_its_effect_is_never_carried_out_again(api: Client, database: Database):
    """Broken, a crash in the worst moment would make a campaign twice; the caller is told instead."""
    post(api, "/v1/campaigns", CAMPAIGN)
    set_back(database, status=None, answer="")
    for _ in range(2):
        reply = post(api, "/v1/campaigns", CAMPAIGN)
        reply.problem(409)
        assert "carried out" in reply.json["detail"]
        assert "retry-after" not in reply.headers
    assert len(column(database, "campaigns.id")) == 2, "the scene's and the one that was made"


def test_an_attempt_that_was_taken_for_dead_cannot_commit(api: Client, database: Database):
    """Broken, a process that sleeps through its lease would wake up and do what another has done meanwhile."""
    slow = Slow()
    with ThreadPoolExecutor(1) as elsewhere:
        first = elsewhere.submit(ask, api, slow)
        assert slow.begun.wait(10)
        set_back(database)
        next_one = ask(api)
        slow.go.set()
        assert (first.result(timeout=10).status_code, next_one.status_code) == (409, 201)
    assert len(column(database, "campaigns.id")) == 2, "the scene's and one more"
    assert column(database, "idempotency_keys.answer") == [next_one.body]


# --- walls, time, people -----------------------------------------------------------------------------------------


def test_a_key_is_known_in_its_workspace_only(api: Client, database: Database):
    """Broken, one customer's answer would be shown to another who happened to choose the same key (I9)."""
    with database.worker() as conn:
        workspace_id = add_workspace(conn)
    other = client(database, workspace_id)
    first, theirs = post(api, "/v1/contacts", ZOE), post(other, "/v1/contacts", ZOE)
    assert first.json["id"] != theirs.json["id"]
    viewer = client(database, api.workspace_id, Role.VIEWER)
    post(viewer, "/v1/contacts", ZOE).problem(403)


def test_a_key_is_forgotten_after_a_day(api: Client, queues: Queues, database: Database):
    """Broken, the table would grow for ever, or a key that is used again next year would answer for last year."""
    post(api, "/v1/campaigns", CAMPAIGN)
    post(api, "/v1/campaigns", CAMPAIGN, '"young"')
    old = update(KEYS).where(KEYS.c.key == "one").values(claimed_at=datetime.now(UTC) - idempotency.KEPT)
    with database.worker() as conn:
        conn.execute(old)
    assert "idempotent-replayed" not in post(api, "/v1/campaigns", CAMPAIGN).headers
    with database.worker() as conn:
        conn.execute(old)
    dispatcher = office().dispatcher
    hints = Hints(Queue(queues.urls["message-send"]), dispatcher)
    Upkeep(database, Engine(database, dispatcher, utc_now), hints, utc_now).sweep()
    assert column(database, "idempotency_keys.key") == ["young"]


def test_an_erased_person_is_in_no_answer_that_is_kept(api: Client, database: Database):
    """Broken, somebody who asked to be forgotten would be handed out again for a day, name and address."""
    hedy = {"email": "hedy@acme.example", "name": "Hédy Lamarr", "phone": "+4940123456"}
    made = post(api, "/v1/contacts", hedy)
    post(api, "/v1/suppressions", {"channel": "email", "address": hedy["email"]}, '"two"')
    assert api.call("DELETE", f"/v1/contacts/{made.json['id']}").status == 200
    for kept in column(database, "idempotency_keys.answer"):
        assert not [value for value in hedy.values() if value in json.dumps(json.loads(kept), ensure_ascii=False)]
    again = post(api, "/v1/contacts", hedy)
    assert (again.status, again.json["id"], again.json["email"]) == (201, made.json["id"], "[erased]")


def test_no_password_can_be_guessed_from_a_key(api: Client, database: Database):
    """Broken, whoever reads the database could try passwords on the hash of the request that brought one."""
    smtp = {"host": "smtp.mailbox.example", "username": "nora", "password": "correct horse"}
    sender = {"name": "N", "email": "n@t.example", "company": "T", "postal_address": "Q", "smtp": smtp}
    assert post(api, "/v1/senders", sender).status == 201
    (stored,) = column(database, "idempotency_keys.request_hash")
    assert stored.startswith("sha256:"), "salted by the database, as fingerprints are"
    assert "correct horse" not in column(database, "idempotency_keys.answer")[0]
