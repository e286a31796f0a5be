"""API keys: made, listed and revoked by admins; how much each may ask for."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import URL

from cadenza.api.app import build
from cadenza.api.auth import authenticate
from cadenza.api.limits import Limit
from cadenza.campaigns.keys import ApiKeys, NewApiKey, make_key
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, Unauthorised
from cadenza.core.states import Role
from functions.api import handler
from tests.handlers.api_client import Client, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import NOW, add_workspace


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with database.worker() as conn:
        workspace_id = add_workspace(conn)
    with environment(database_url, monkeypatch):
        yield client(database, workspace_id)


@pytest.fixture
def as_api(database_url: URL) -> Iterator[Database]:
    """The fresh database, as the API sees it."""
    database = Database(database_url, role="cadenza_api", patience_s=1)
    yield database
    database.close()


def made(api: Client, role: Role = Role.VIEWER, **more: Any) -> dict[str, Any]:
    return api.post("/v1/api-keys", {"name": "reports", "role": role, **more})


# --- making and revoking -----------------------------------------------------------------------------------------


def test_a_key_is_shown_once_and_opens_what_its_role_may(api: Client, database: Database):
    """Broken, an admin could give nobody access, or the key could be read again by whoever may look."""
    new = made(api)
    theirs = Client(api.workspace_id, new["key"])
    me = theirs.get("/v1/me")
    assert me["workspace"]["id"] == str(api.workspace_id)
    assert {name: value for name, value in new.items() if name not in {"key", "last_used_on"}} == {
        name: value for name, value in me["api_key"].items() if name != "last_used_on"
    }
    theirs.call("POST", "/v1/suppressions", {"channel": "email", "address": "zoe@acme.example"}).problem(403)
    theirs.call("GET", "/v1/api-keys").problem(403)
    listed = api.call("GET", "/v1/api-keys")
    assert [key["name"] for key in listed.json["items"]] == ["reports", "admin"]
    assert new["key"].startswith(new["prefix"])
    assert new["key"] not in listed.text
    with database.worker() as conn:
        stored = conn.execute(text("SELECT to_jsonb(k)::text FROM api_keys k")).scalars().all()
        assert not any(new["key"] in row for row in stored)


def test_a_revoked_key_opens_nothing_at_once(api: Client):
    """Broken, somebody who has left could go on; or revoking twice, after a lost answer, would look like a failure."""
    new = made(api)
    theirs = Client(api.workspace_id, new["key"])
    assert theirs.call("GET", "/v1/me").status == 200
    for _ in range(2):
        assert api.call("DELETE", f"/v1/api-keys/{new['id']}").status == 204
    theirs.call("GET", "/v1/me").problem(401)
    assert [key["id"] for key in api.get("/v1/api-keys?revoked=true")["items"]] == [new["id"]]
    assert new["id"] not in {key["id"] for key in api.get("/v1/api-keys?revoked=false")["items"]}


def test_the_last_admins_key_stays(api: Client):
    """Broken, a workspace could lock itself out for good."""
    own = api.get("/v1/me")["api_key"]["id"]
    made(api, Role.OPERATOR)
    api.call("DELETE", f"/v1/api-keys/{own}").problem(409)
    second = Client(api.workspace_id, made(api, Role.ADMIN)["key"])
    assert api.call("DELETE", f"/v1/api-keys/{own}").status == 204
    second.call("DELETE", f"/v1/api-keys/{second.get('/v1/me')['api_key']['id']}").problem(409)


def test_two_admins_cannot_revoke_one_another_at_once(api: Client, database: Database, as_api: Database):
    """Broken, both would succeed, and nobody would be left who can make a key."""
    with database.worker() as conn:
        two = [make_key(conn, api.workspace_id, NewApiKey(name=n, role=Role.ADMIN), NOW).id for n in ("a", "b")]
        conn.execute(text("UPDATE api_keys SET revoked_at = now() WHERE name = 'admin'"))

    def revoke(key_id: Any) -> bool:
        try:
            ApiKeys(as_api, api.workspace_id, key_id, lambda: NOW).revoke(key_id)
        except Conflict:
            return False
        return True

    for _ in range(5):
        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(revoke, two)) == [False, True]
        with database.worker() as conn:
            conn.execute(text("UPDATE api_keys SET revoked_at = NULL WHERE name <> 'admin'"))


def test_who_made_and_revoked_keys_is_kept(api: Client, database: Database):
    """Broken, nobody could say who let somebody in."""
    new = made(api)
    api.call("DELETE", f"/v1/api-keys/{new['id']}")
    log = tables.audit_log
    with database.worker() as conn:
        kept = conn.execute(select(log.c.act, log.c.key_id, log.c.subject_id, log.c.detail).order_by(log.c.id)).all()
    own = api.get("/v1/me")["api_key"]["id"]
    assert [(row.act, str(row.key_id), str(row.subject_id)) for row in kept] == [
        ("api_key_created", own, new["id"]),
        ("api_key_revoked", own, new["id"]),
    ]
    assert kept[0].detail == {"role": "viewer"}


def test_a_key_is_not_kept_for_who_asks_again(api: Client, database: Database):
    """Broken, a key would lie readable in the database for a day; or a lost answer would make a second key."""
    wanted = {"name": "reports", "role": "viewer"}
    first = api.call("POST", "/v1/api-keys", wanted, idempotency_key='"one"')
    assert first.status == 201
    assert first.json["key"] not in str(column(database, "idempotency_keys.answer"))
    api.call("POST", "/v1/api-keys", wanted, idempotency_key='"one"').problem(409)
    assert column(database, "api_keys.name").count("reports") == 1


# --- how much a key may ask for ----------------------------------------------------------------------------------


def standing(database: Database, key: str, limit: Limit, at: datetime) -> Any:
    return authenticate(database, f"Bearer {key}", limit, at).standing


def test_a_bucket_gives_its_burst_and_then_its_rate(api: Client, as_api: Database):
    """Broken, a runaway script would take the API from its workspace's people, or be refused what it may have."""
    limit, at = Limit(rate_per_s=2, burst=5), NOW
    taken = [standing(as_api, api.key, limit, at) for _ in range(7)]
    assert [one.admitted for one in taken] == [True] * 5 + [False] * 2
    assert [one.remaining for one in taken] == [4, 3, 2, 1, 0, 0, 0]
    assert taken[-1].headers() == {"ratelimit-policy": '"key";q=5;w=3', "ratelimit": '"key";r=0;t=1'}
    assert [standing(as_api, api.key, limit, at + timedelta(seconds=0.5)).admitted for _ in range(2)] == [True, False]
    an_hour = [standing(as_api, api.key, limit, at + timedelta(seconds=1 + n / 10)).admitted for n in range(100)]
    assert sum(an_hour) == 20, "two a second, over the ten seconds"
    later = at + timedelta(hours=1)
    assert [standing(as_api, api.key, limit, later).admitted for _ in range(6)] == [True] * 5 + [False], "no more"


def test_waiting_as_long_as_told_is_long_enough(api: Client, as_api: Database):
    """Broken, a client that obeys `retry-after` would be refused again and again."""
    at = NOW
    for limit in (Limit(0.3, 3), Limit(7, 2), Limit(1000, 1), Limit(0.01, 1)):
        for _ in range(12):
            found = standing(as_api, api.key, limit, at)
            if not found.admitted:
                at += timedelta(seconds=found.wait_s)
                assert standing(as_api, api.key, limit, at).admitted
        at += timedelta(days=1)


def test_a_key_of_its_own_limit_has_less_and_never_more(api: Client, as_api: Database):
    """Broken, a script could not be bounded, or an admin could lift what protects the installation."""
    slow = made(api, rate_per_s=0.5, burst=2)["key"]
    greedy = made(api, rate_per_s=10_000, burst=100_000)["key"]
    limit = Limit(rate_per_s=10, burst=3)
    assert [standing(as_api, slow, limit, NOW).admitted for _ in range(4)] == [True, True, False, False]
    assert [standing(as_api, greedy, limit, NOW).admitted for _ in range(4)] == [True, True, True, False]
    assert standing(as_api, greedy, limit, NOW).limit == limit


def test_at_once_no_more_than_the_burst_come_in(api: Client, as_api: Database):
    """Broken, many functions at once would let through what each of them alone would refuse."""
    limit = Limit(rate_per_s=1, burst=20)
    with ThreadPoolExecutor(8) as pool:
        admitted = list(pool.map(lambda _: standing(as_api, api.key, limit, NOW).admitted, range(60)))
    assert sum(admitted) == 20


def test_a_request_under_way_keeps_no_other_waiting(api: Client, as_api: Database):
    """Broken, a long export would hold up all that its key asks for."""
    with as_api.workspace(api.workspace_id) as conn:
        standing(as_api, api.key, Limit(10, 10), NOW)
        conn.execute(text("SELECT 1"))
        assert standing(as_api, api.key, Limit(10, 10), NOW).admitted


def test_who_is_nobody_leaves_nothing_behind(api: Client, as_api: Database, database: Database):
    """Broken, guessing keys would fill a table."""
    for n in range(3):
        with pytest.raises(Unauthorised):
            standing(as_api, f"cad_guess{n}", Limit(10, 10), NOW)
    assert column(database, "key_buckets.key_id") == []
    assert column(database, "api_keys.last_used_on") == [None]
    standing(as_api, api.key, Limit(10, 10), NOW)
    assert column(database, "api_keys.last_used_on") == [NOW.date()]


def test_the_buckets_do_not_grow(api: Client, as_api: Database, database: Database):
    """Broken, the row that each request writes would leave a trail of dead ones and indexes that grow for ever."""
    for n in range(300):
        standing(as_api, api.key, Limit(1000, 1000), NOW + timedelta(seconds=n))
    with database.worker() as conn:
        size = conn.execute(text("SELECT pg_relation_size('key_buckets') / 8192")).scalar_one()
        logged = conn.execute(text("SELECT relpersistence FROM pg_class WHERE relname = 'key_buckets'")).scalar_one()
    assert (size <= 2, logged) == (True, "u")


@pytest.fixture
def clocked(api: Client, monkeypatch: Any) -> list[datetime]:  # noqa: ARG001 - the environment
    """The whole API on a clock that stands where the list's last instant says; three requests at once, one a second."""
    at = [NOW]
    office = replace(handler.office(), clock=lambda: at[-1], limit=Limit(1, 3))
    app = build(office)
    monkeypatch.setattr(handler, "api", lambda: app)
    return at


def test_every_answer_tells_what_is_left(api: Client, clocked: list[datetime]):
    """Broken, a client could not slow down before it is refused; errors count like everything else."""
    replies = [api.call("GET", "/v1/leads"), api.call("GET", "/v1/leads?limit=0")]
    replies += [api.call("GET", "/v1/leads/00000000-0000-7000-8000-000000000001"), api.call("GET", "/v1/leads")]
    assert [reply.status for reply in replies] == [200, 400, 404, 429]
    assert [reply.headers["ratelimit"] for reply in replies] == [
        '"key";r=2;t=1',
        '"key";r=1;t=2',
        '"key";r=0;t=3',
        '"key";r=0;t=1',
    ]
    assert {reply.headers["ratelimit-policy"] for reply in replies} == {'"key";q=3;w=3'}
    replies[-1].problem(429)
    assert replies[-1].headers["retry-after"] == "1"
    clocked.append(NOW + timedelta(seconds=1))
    assert api.call("GET", "/v1/leads").status == 200
    nobody = Client(api.workspace_id, "").call("GET", "/v1/leads")
    assert "ratelimit" not in nobody.headers
