"""Who may never be written to, through the API: by hand, by list, and back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy.engine import URL

from cadenza.core.db import Database
from cadenza.core.states import EnrolmentStatus, MessageStatus, Role
from tests.handlers.api_client import Client, Reply, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import Scene, add_scene
from tests.store.test_suppressions import fingerprint
from tests.unit.properties import LONG

CSV, JSON_LINES = "text/csv", "application/x-ndjson"
ZOE = {"channel": "email", "address": "zoe@acme.example"}


@pytest.fixture
def scene(database: Database) -> Scene:
    """A running campaign."""
    with database.worker() as conn:
        return add_scene(conn)


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


def send(api: Client, sheet: str, media: str = CSV) -> Reply:
    return api.call("POST", "/v1/suppressions/import", raw=sheet.encode(), content_type=media)


def test_an_address_is_suppressed_in_its_normal_form_and_once(api: Client, database: Database):
    """Broken, somebody who said no would be written to, because the address was typed otherwise."""
    wanted = {"channel": "domain", "address": " @Bücher.example. ", "reason": "asked by phone", "note": "Mr Uhu"}
    first = api.post("/v1/suppressions", wanted)
    assert (first["address"], first["reason"], first["note"]) == ("xn--bcher-kva.example", "asked by phone", "Mr Uhu")
    assert (first["source"], first["created_by"]) == ("api", str(column(database, "api_keys.id")[0]))
    assert api.post("/v1/suppressions", wanted | {"reason": "again"}) == first
    assert api.get("/v1/suppressions?channel=domain")["items"] == [first]


def test_an_address_that_would_suppress_nobody_is_refused(api: Client):
    """Broken, an operator would believe somebody to be safe who is not."""
    for channel, address in (("email", "acme.example"), ("phone", "030 1"), ("fax", "1")):
        assert api.call("POST", "/v1/suppressions", {"channel": channel, "address": address}).problem(400)


def test_what_is_under_way_ends_at_once(api: Client, database: Database, scene: Scene):
    """Broken, an operator would see a mail wait for somebody who has just said no."""
    with database.worker() as conn:
        scene.add_message(conn, contact={"email": "zoe@acme.example"})
    api.post("/v1/suppressions", ZOE)
    (enrolment,) = api.get("/v1/enrolments")["items"]
    assert (enrolment["status"], enrolment["reason"]) == (EnrolmentStatus.STOPPED, "the address is suppressed")
    assert column(database, "outbound_messages.status") == [MessageStatus.SKIPPED]


def test_they_can_be_looked_for(api: Client):
    """Broken, nobody could find out whether, and why, an address is suppressed."""
    api.post("/v1/suppressions", ZOE | {"reason": "unsubscribed"})
    api.post("/v1/suppressions", {"channel": "domain", "address": "forno.example"})

    def found(query: str) -> list[str]:
        return [item["address"] for item in api.get(f"/v1/suppressions?{query}")["items"]]

    assert found("reason=unsubscribed") == found("address=Zoe%40Acme.example") == ["zoe@acme.example"]
    assert found("address=forno.example&channel=domain") == ["forno.example"]
    assert set(api.call("GET", "/v1/suppressions?channel=phone&address=forno.example").problem(400)) == {"/address"}


# --- back --------------------------------------------------------------------------------------------------------


def test_one_is_taken_back_with_a_reason_that_is_kept(api: Client, database: Database):
    """Broken, a typing error would last for ever, or nobody could say who let mail go out again, and why."""
    made = api.post("/v1/suppressions", ZOE | {"note": "typed in a hurry"})
    target = f"/v1/suppressions/{made['id']}"
    assert set(api.call("DELETE", target).problem(400)) == {"/reason"}
    reply = api.call("DELETE", f"{target}?reason=a+typing+error")
    assert (reply.status, reply.text) == (204, "")
    assert column(database, "suppressions.id") == []
    (record,) = api.get("/v1/consent/log")["items"]
    assert (record["act"], record["address"], record["reason"]) == ("lifted", "zoe@acme.example", "a typing error")
    assert record["key_id"] == str(column(database, "api_keys.id")[0])
    assert (record["was"]["note"], record["was"]["source"]) == ("typed in a hurry", "api")
    api.call("DELETE", f"{target}?reason=again").problem(404)


def test_a_persons_own_no_is_taken_back_on_purpose_only(api: Client, database: Database):
    """Broken, tidying up a list would undo what people have asked for."""
    made = api.post("/v1/suppressions", ZOE | {"reason": "unsubscribed"})
    target = f"/v1/suppressions/{made['id']}?reason=she+signed+up+again"
    assert set(api.call("DELETE", target).problem(409)) == {"/force"}
    operator = client(database, api.workspace_id, Role.OPERATOR)
    operator.call("DELETE", f"{target}&force=true").problem(403)
    assert api.call("DELETE", f"{target}&force=true").status == 204


# --- lists -------------------------------------------------------------------------------------------------------


def test_a_list_is_taken_row_by_row(api: Client, database: Database, scene: Scene):
    """Broken, good rows would be lost with a bad one, or nobody would know which was which."""
    with database.worker() as conn:
        scene.add_message(conn, contact={"email": "ada@forno.example"})
    api.post("/v1/suppressions", ZOE)
    sheet = (
        "\ufeffaddress,reason\r\nzoe@acme.example,\r\nADA@forno.example,moved\r\nnobody@,\r\n\r\nada@forno.example,\r\n"
    )
    report = send(api, sheet, "text/csv; charset=utf-8").json
    assert report["items"] == [
        {"line": 2, "outcome": "known", "detail": ""},
        {"line": 3, "outcome": "created", "detail": ""},
        {"line": 4, "outcome": "refused", "detail": "address must be an e-mail address"},
        {"line": 6, "outcome": "known", "detail": "as line 3"},
    ]
    counts = {name: report[name] for name in ("rows", "created", "known", "refused", "halted")}
    assert counts == {"rows": 4, "created": 1, "known": 2, "refused": 1, "halted": 1}
    (ada,) = api.get("/v1/suppressions?address=ada@forno.example")["items"]
    assert (ada["source"], ada["reason"]) == ("import", "moved")
    assert send(api, sheet).json["created"] == 0, "sent again, it changes nothing"


def test_json_lines_are_taken_too(api: Client):
    """Broken, lists from other programs would have to be made into sheets."""
    report = send(api, '{"phone": "+49 30 123456"}\n{"domain": 1}\n', JSON_LINES).json
    assert [row["outcome"] for row in report["items"]] == ["created", "refused"]


def test_a_file_that_is_no_list_is_refused(api: Client):
    """Broken, somebody who sends the wrong file would be told that all is well."""
    assert send(api, "name,city\nZoe,Lisbon\n").problem(400)
    assert send(api, "{}", "application/json").problem(415) == {}
    latin = api.call("POST", "/v1/suppressions/import", raw=b"address\nz\xf6e@acme.example", content_type=CSV)
    assert latin.problem(400) == {"": "save it as UTF-8"}


@pytest.mark.skipif(not LONG, reason="lists of the greatest length are tried by make test-long")
@pytest.mark.long
def test_twenty_thousand_rows_are_taken_and_come_out_again(api: Client, database: Database):
    """Broken, a house that moves in could not bring its list, or could not take it along when it moves out."""
    sheet = "email,reason\n" + "".join(f"person{n}@acme.example,unsubscribed\n" for n in range(20_000))
    report = send(api, sheet).json
    assert (report["rows"], report["created"], len(report["items"])) == (20_000, 20_000, 20_000)
    lines: list[str] = []
    target = "/v1/suppressions/export?format=csv"
    while target:
        reply = api.call("GET", target)
        assert reply.headers["content-type"].startswith("text/csv")
        header, *more = reply.text.splitlines()
        assert header == "channel,address,reason,note,source,created_at"
        lines += more
        target = reply.headers.get("link", "").partition("<")[2].partition(">")[0]
    assert len(set(lines)) == len(lines) == 20_000
    assert len(column(database, "suppressions.id")) == 20_000


def test_an_export_can_be_brought_back(api: Client):
    """Broken, an export would be no backup: quotes, commas and line ends come back as they were."""
    hostile = {"address": "zoe@acme.example", "channel": "email", "reason": 'said "no", twice', "note": "=1+1\nnext"}
    made = api.post("/v1/suppressions", hostile)
    sheet = api.call("GET", "/v1/suppressions/export?format=csv").text
    api.call("DELETE", f"/v1/suppressions/{made['id']}?reason=test")
    assert send(api, sheet).json["created"] == 1
    (again,) = api.get("/v1/suppressions/export")["items"]
    assert (again["reason"], again["note"]) == (made["reason"], made["note"])


def test_an_erased_address_is_known_and_never_shown(api: Client, database: Database, scene: Scene):
    """Broken, a list would bring an erased address back in clear, or nobody could see that it is suppressed."""
    contact = api.post("/v1/contacts", {"email": "zoe@acme.example", "name": "Zoe Acme"})
    api.call("DELETE", f"/v1/contacts/{contact['id']}")
    assert send(api, "zoe@acme.example\n").json["items"] == [{"line": 1, "outcome": "known", "detail": ""}]
    hand = api.post("/v1/suppressions", ZOE)
    with database.worker() as conn:
        known_as = fingerprint(conn, scene.workspace_id, "email", "zoe@acme.example")
    assert (hand["address"], hand["reason"], hand["source"]) == (known_as, "erased", "erasure")
    assert api.get("/v1/suppressions?address=ZOE@acme.example")["items"] == [hand]
    api.call("DELETE", f"/v1/suppressions/{hand['id']}?reason=tidying").problem(409)
