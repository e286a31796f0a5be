"""Plans before they run, over HTTP: their schema, their faults, and what they will do."""

from __future__ import annotations

import email
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select, update
from sqlalchemy.engine import URL

from cadenza.cli import main
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.states import MessageStatus, Role
from cadenza.planning.model import json_schema
from cadenza.signals.links import Links, UnknownLink
from tests.handlers.api_client import Client, client, column, environment
from tests.handlers.conftest import SECRETS, Queues
from tests.store.builders import NOW, add_contact, add_enrolment, add_scene, add_workspace

PLAN = Path(__file__).parents[1] / "unit" / "plans" / "outreach-1.0.json"
OUTREACH: dict[str, Any] = json.loads(PLAN.read_text(encoding="utf-8"))
MAILS: dict[str, Any] = {
    "version": "1.1",
    "timezone": "UTC",
    "startNodeId": "intro",
    "nodes": [
        {
            "id": "intro",
            "action": "send",
            "subject": "An idea for {{company}}",
            "body": "Hi {name}: https://a.example/",
        },
        {"id": "bad", "action": "send", "subject": "Hi {nmae}", "body": "As {{title}}"},
        {"id": "end", "action": "stop"},
    ],
}
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


@pytest.mark.parametrize("body", ["Hello {{first_nam}}", "Hello {first_nam}"])
def test_a_check_knows_the_template_variables(api: Client, body: str):
    """Broken, a plan would be found good here and refused when it is to run."""
    node = {"id": "a", "action": "send", "subject": "s", "body": body}
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


# --- previews ----------------------------------------------------------------------------------------------------


def test_a_node_s_mail_is_shown_as_it_would_leave(api: Client):
    """Broken, an author would see the mail for the first time when a stranger has it."""
    body = {
        "plan": MAILS,
        "node": "intro",
        "recipient": {"email": "grace@acme.example", "name": "Grace Höpper", "company": "Acme & Sons"},
        "sender": {"name": "Ada", "email": "ada@tidewater.example", "postal_address": "1 Quay"},
    }
    shown = api.post("/v1/plans/preview", body)
    mail, headers = shown["mail"], {header["name"]: header["value"] for header in shown["mail"]["headers"]}
    assert (mail["sender"], mail["to"]) == ("ada@tidewater.example", "grace@acme.example")
    assert mail["subject"] == headers["Subject"] == "An idea for Acme & Sons"
    assert mail["text"].startswith("Hi Grace Höpper: https://a.example/")
    assert "1 Quay" in mail["html"]
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert [name for name, _ in email.message_from_string(mail["eml"]).items()] == list(headers)


def test_nothing_in_a_preview_does_anything(api: Client):
    """Broken, looking at a preview would unsubscribe somebody, or count as a click."""
    mail = api.post("/v1/plans/preview", {"plan": MAILS, "node": "intro"})["mail"]
    urls = re.findall(r"https://go\.cadenza\.example[^\s\"<>]+", mail["html"] + mail["text"])
    assert urls
    ours = Links("https://go.cadenza.example", SECRETS["link_signing_key"])
    for url in urls:
        assert url.startswith("https://go.cadenza.example/preview/")
        token = url.rpartition("/")[2].removesuffix(".gif")
        for verify in (ours.verify_open, ours.verify_click, ours.verify_unsubscribe):
            with pytest.raises(UnknownLink):
                verify(token)
    assert f"unsubscribe%20{UUID(int=0)}" in mail["eml"]


def test_a_preview_names_what_keeps_the_mail_from_leaving(api: Client):
    """Broken, an author would learn of a missing value from a mail that was never sent."""
    shown = api.post("/v1/plans/preview", {"plan": MAILS, "node": "bad", "sender": {"postal_address": " "}})
    assert shown["mail"] is None
    found = {(finding["code"], finding["pointer"]) for finding in shown["findings"]}
    assert {
        ("missing_postal_address", "/nodes/1"),
        ("unknown_variable", "/nodes/1/subject"),
        ("missing_value", "/nodes/1/body"),
    } <= found
    assert len(found) == len(shown["findings"]), "each fault once"
    assert all(finding["fix"] for finding in shown["findings"])


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"node": "end"}, "/node"),
        ({"node": "nope"}, "/node"),
        ({"plan": {"nodes": 1}}, "/plan/nodes"),
        ({"recipient": {"email": "grace"}}, "/recipient/email"),
        ({"recipient": {"nmae": "x"}}, "/recipient/nmae"),
    ],
)
def test_a_preview_of_nothing_is_refused(api: Client, change: Any, pointer: str):
    """Broken, the caller would have to guess what is wrong."""
    problems = api.call("POST", "/v1/plans/preview", {"plan": MAILS, "node": "intro"} | change).problem(400)
    assert pointer in problems


def test_an_enrolment_s_next_mail_is_shown(api: Client, database: Database):
    """Broken, an operator could not see what a certain person will read."""
    with database.worker() as conn:
        scene = add_scene(conn)
        scene.add_message(conn, status=MessageStatus.SENT, sent_at=NOW, provider="ses", provider_message_id="0102-00")
        enrolment_id = conn.execute(select(tables.contact_campaigns.c.id)).scalar_one()
    viewer = client(database, scene.workspace_id, Role.VIEWER)
    first = viewer.get(f"/v1/enrolments/{enrolment_id}/preview")
    assert (first["node"], first["mail"]["subject"]) == ("intro", "An idea for Acme Logistics")
    again = viewer.get(f"/v1/enrolments/{enrolment_id}/preview?node=again")["mail"]
    headers = {header["name"]: header["value"] for header in again["headers"]}
    assert again["text"].startswith("Hi Grace, did you see my mail?")
    assert headers["In-Reply-To"] == "<0102-00@eu-central-1.amazonses.com>", "it goes on with the conversation"
    assert column(database, "outbound_messages.status") == ["sent"], "nothing is queued"
    assert viewer.call("GET", f"/v1/enrolments/{enrolment_id}/preview?node=end").problem(400).keys() == {"/node"}
    assert api.call("GET", f"/v1/enrolments/{enrolment_id}/preview").status == 404, "another workspace's (I9)"


def test_an_enrolment_without_a_sender_has_no_mail(database: Database, api: Client):
    """Broken, a campaign that is not finished would answer with an error of ours."""
    with database.worker() as conn:
        scene = add_scene(conn)
        conn.execute(update(tables.campaigns).values(sender_id=None))
        contact_id = add_contact(conn, scene.workspace_id)
        enrolment_id = add_enrolment(conn, scene.workspace_id, scene.campaign_id, contact_id, scene.plan_id)
    assert api.workspace_id != scene.workspace_id
    shown = client(database, scene.workspace_id).get(f"/v1/enrolments/{enrolment_id}/preview")
    assert (shown["mail"], [finding["code"] for finding in shown["findings"]]) == (None, ["no_sender"])
