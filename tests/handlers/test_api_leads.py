"""A lead comes in by the API: crawled once, assigned where it is wanted, planned for at once if it is known."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from cadenza.core.db import Database
from cadenza.core.states import CampaignStatus, LeadStatus
from cadenza.leads import store as leads_store
from cadenza.leads.ordering import order_plans
from tests.handlers.api_client import Client, call, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import NOW, Scene, add_campaign, add_contact, add_lead, add_scene

SITE = "https://harbour-kitchens.example"


@pytest.fixture
def scene(database: Database) -> Scene:
    """A workspace with a sender and a running campaign."""
    with database.worker() as conn:
        return add_scene(conn, settings={"stagger_s": 7})


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


def test_a_new_site_is_crawled(api: Client, queues: Queues, recorded: Callable[[str], dict[str, Any]]):
    """Broken, nothing would ever begin. The event is one that API Gateway made."""
    event = recorded("api-add-lead")
    event["headers"]["authorization"] = f"Bearer {api.key}"
    reply = call(event)
    assert reply.status == 202, reply.text
    lead = reply.json
    assert (lead["domain"], lead["status"]) == ("harbour-kitchens.example", "new")
    assert queues.take_all() == {
        "lead-analysis": [
            {
                "version": 1,
                "correlation_id": event["requestContext"]["requestId"],
                "type": "crawl.wanted",
                "workspace_id": str(api.workspace_id),
                "lead_id": lead["id"],
            }
        ]
    }
    (job,) = api.get(f"/v1/leads/{lead['id']}")["jobs"]
    assert (job["kind"], job["status"]) == ("crawl", "QUEUED")


def test_the_same_site_is_one_lead_and_one_crawl(api: Client, queues: Queues):
    """Broken, an impatient click would pay for a second crawl."""
    first = api.post("/v1/leads", {"url": SITE})
    again = api.post("/v1/leads", {"url": "www.HARBOUR-kitchens.example/contact"})
    assert again["id"] == first["id"]
    assert len(queues.take("lead-analysis")) == 1


def test_a_lead_is_kept_though_sqs_is_down(api: Client, queues: Queues, database: Database):
    """Broken, the caller would be told to repeat what has been done; the sweep finds the job."""
    queues.destroy("lead-analysis")
    assert api.call("POST", "/v1/leads", {"url": SITE}).status == 202
    assert column(database, "jobs.status") == ["QUEUED"]


def test_an_analysed_site_is_planned_for_at_once(api: Client, queues: Queues, database: Database, scene: Scene):
    """Broken, a site that another campaign brought in would wait for an analysis that has been made."""
    with database.worker() as conn:
        lead_id = add_lead(conn, scene.workspace_id, domain="harbour-kitchens.example")
        people = {add_contact(conn, scene.workspace_id, lead_id) for _ in range(2)}
    wanted = {"url": SITE, "campaign_id": str(scene.campaign_id)}
    assert api.post("/v1/leads", wanted)["id"] == str(lead_id)
    sent = queues.take("campaign-creation")
    # moto keeps delays: the second plan is still held back.
    assert {UUID(message["contact_id"]) for message in sent} < people
    assert column(database, "jobs.status") == ["QUEUED", "QUEUED"]

    api.post("/v1/leads", wanted)
    assert column(database, "jobs.status") == ["QUEUED", "QUEUED"], "asking again orders nothing again"


def test_an_analysis_that_ends_just_now_and_an_assignment_do_not_miss_each_other(
    api: Client, database: Database, scene: Scene
):
    """Broken, the people of a site would never be written to: each side would leave the plans to the other."""
    with database.worker() as conn:
        lead_id = add_lead(conn, scene.workspace_id, domain="harbour-kitchens.example", status=LeadStatus.ANALYZING)
        add_contact(conn, scene.workspace_id, lead_id)
    with ThreadPoolExecutor(1) as elsewhere:
        with database.worker() as conn:
            assert leads_store.move(conn, lead_id, LeadStatus.ANALYZED, NOW)
            wanted = {"url": SITE, "campaign_id": str(scene.campaign_id)}
            asked = elsewhere.submit(api.post, "/v1/leads", wanted)
            until_blocked(database)
            lead = leads_store.find(conn, lead_id)
            assert lead is not None
            assert order_plans(conn, lead, NOW) == [], "the analysis cannot see the assignment yet"
        asked.result(timeout=10)
    assert column(database, "jobs.status") == ["QUEUED"]


def until_blocked(database: Database) -> None:
    """Return once a statement waits for a lock."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        with database.worker() as conn:
            if conn.execute(text("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")).scalar():
                return
        time.sleep(0.01)
    pytest.fail("nothing waited")


@pytest.mark.parametrize("status", [LeadStatus.ANALYZED, LeadStatus.FAILED])
def test_a_lead_that_brings_nobody_does_not_keep_a_campaign_open(
    api: Client, database: Database, scene: Scene, status: LeadStatus
):
    """Broken, a campaign whose only site has no contacts would run until the next sweep (I4)."""
    with database.worker() as conn:
        add_lead(conn, scene.workspace_id, domain="harbour-kitchens.example", status=status)
    api.post("/v1/leads", {"url": SITE, "campaign_id": str(scene.campaign_id)})
    assert api.get(f"/v1/campaigns/{scene.campaign_id}")["status"] == "completed"


def test_a_campaign_that_has_ended_takes_no_lead(api: Client, queues: Queues, database: Database, scene: Scene):
    """Broken, a completed campaign would begin to send again (I4); and nothing of the refused lead may stay."""
    with database.worker() as conn:
        ended = add_campaign(conn, scene.workspace_id, scene.sender_id, status=CampaignStatus.COMPLETED)
    api.call("POST", "/v1/leads", {"url": SITE, "campaign_id": str(ended)}).problem(409)
    assert column(database, "leads.id") == []
    assert queues.take_all() == {}


def test_an_unknown_campaign_is_not_found(api: Client, database: Database):
    """Broken, the lead would be lost without a word, or kept without its campaign."""
    api.call("POST", "/v1/leads", {"url": SITE, "campaign_id": str(uuid4())}).problem(404)
    assert column(database, "leads.id") == []


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/url"),
        ({"url": ""}, "/url"),
        ({"url": "http://localhost/"}, "/url"),
        ({"url": "ftp://harbour-kitchens.example"}, "/url"),
        ({"url": SITE, "campaign_id": "spring"}, "/campaign_id"),
        ({"url": SITE, "campain_id": str(uuid4())}, "/campain_id"),
        ([{"url": SITE}], ""),
        ("url", ""),
    ],
)
def test_a_malformed_lead_is_refused_and_its_field_named(api: Client, queues: Queues, body: Any, pointer: str):
    """Broken, the caller would have to guess what is wrong, or a typing error would pass unseen."""
    assert set(api.call("POST", "/v1/leads", body).problem(400)) == {pointer}
    assert queues.take_all() == {}


@pytest.mark.parametrize("raw", [b"", b"{", b"\xff\xfe", b'{"url": "\xc3', b"[" * 100_000])
def test_a_body_that_is_no_json_is_refused(api: Client, raw: bytes):
    """Broken, a stray client would be answered 500 and wake somebody."""
    assert set(api.call("POST", "/v1/leads", raw=raw).problem(400)) == {""}


@pytest.mark.parametrize("media_type", ["application/x-www-form-urlencoded", "multipart/form-data", "text/csv"])
def test_a_body_of_another_kind_is_refused(api: Client, media_type: str):
    """Broken, forms would be taken as JSON, or break the parser."""
    api.call("POST", "/v1/leads", raw=b"url=x", content_type=media_type).problem(415)


def test_a_json_body_may_come_encoded_and_with_a_charset(api: Client):
    """Broken, clients that state their charset, and gateways that encode bodies, would be refused."""
    raw = f'{{"url": "{SITE}"}}'.encode()
    assert api.call("POST", "/v1/leads", raw=raw, content_type="application/json; charset=utf-8").status == 202


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/v1/suppressions", rb'{"channel": "email", "address": "a\u0000b@c.example"}'),
        ("/v1/suppressions", rb'{"channel": "email", "address": "a\ud800b@c.example"}'),
        ("/v1/campaigns", rb'{"name": "x", "brief": {"offering": "\u0000"}}'),
        ("/v1/campaigns", rb'{"name": "x", "brief": {"offering": "x"}, "daily_cap": 99999999999}'),
        ("/v1/campaigns", rb'{"name": "x", "brief": {"offering": "x"}, "daily_cap": 1e400}'),
        ("/v1/campaigns", rb'{"name": "x", "brief": {"offering": "x"}, "daily_cap": NaN}'),
        ("/v1/senders", rb'{"name": "x", "email": "a@b.example", "company": "x", "postal_address": "\u0000x"}'),
    ],
)
def test_a_value_that_no_column_takes_is_refused(api: Client, path: str, raw: bytes):
    """Broken, a NUL character or a number out of range would be answered 500."""
    api.call("POST", path, raw=raw).problem(400)


def test_a_lead_is_shown_with_all_that_is_known_of_it(api: Client, database: Database, scene: Scene):
    """Broken, an operator could not see whom a site has brought, or who may not be written to."""
    with database.worker() as conn:
        lead_id = add_lead(conn, scene.workspace_id)
        add_contact(conn, scene.workspace_id, lead_id, email="Zoe@acme.example", role_rank=2)
        add_contact(conn, scene.workspace_id, lead_id, email="ada@acme.example", role_rank=1)
    api.post("/v1/suppressions", {"channel": "email", "address": "ZOE@acme.example"})
    lead = api.get(f"/v1/leads/{lead_id}")
    assert [(person["email"], person["suppressed"]) for person in lead["contacts"]] == [
        ("ada@acme.example", False),
        ("Zoe@acme.example", True),
    ]
    assert lead["analysis"] is None
    shown = api.get(f"/v1/contacts?lead_id={lead_id}")["items"]
    assert {person["email"] for person in shown} == {"ada@acme.example", "Zoe@acme.example"}
