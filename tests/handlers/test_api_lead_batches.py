"""Lists of leads come in by the API: every row is answered for, and crawls and plans follow in steps."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select
from sqlalchemy.engine import URL

from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import BatchId, LeadId
from cadenza.core.messages import BatchTaken, CrawlWanted, Sweep
from cadenza.core.queues import Queue
from cadenza.core.states import CampaignStatus, LeadStatus
from cadenza.leads import handout
from cadenza.leads.analysts import OfflineAnalyst
from cadenza.leads.batches import LeadBatches
from cadenza.leads.crawls import CrawlFailed
from cadenza.leads.importing import read_sheet
from cadenza.leads.model import Page
from cadenza.leads.service import LeadPipeline
from cadenza.leads.store import Lead
from functions.api.handler import office
from tests.handlers.api_client import Client, Reply, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import Scene, add_campaign, add_contact, add_lead, add_scene
from tests.unit.properties import LONG

NOW = datetime.now(UTC)
OPT_IN = {"consent_basis": "opt_in", "consent_source": "a form", "consent_at": "2026-01-02"}


@pytest.fixture
def scene(database: Database) -> Scene:
    """A workspace with a sender and a running campaign; plans lie 7 s apart."""
    with database.worker() as conn:
        return add_scene(conn, settings={"stagger_s": 7})


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


class DeadSites:
    """A crawler for which no site can be read."""

    def start(self, lead: Lead) -> Sequence[Page]:
        """Refuse."""
        raise CrawlFailed(f"{lead.domain} is parked")

    def pages(self, crawl_id: str) -> Sequence[Page]:
        """Refuse."""
        raise CrawlFailed(crawl_id)


@pytest.fixture
def pipeline(database: Database, queues: Queues) -> LeadPipeline:
    """What the analyze function does, at a world of dead sites."""
    lead_queue, creation = (Queue(queues.urls[name], queues.client) for name in ("lead-analysis", "campaign-creation"))
    return LeadPipeline(
        database, lead_queue, creation, DeadSites(), OfflineAnalyst(), lambda _: None, lambda: datetime.now(UTC)
    )


def bring(api: Client, *rows: dict[str, Any], campaign: object = None) -> Any:
    wanted = {"rows": list(rows)} | ({"campaign_id": str(campaign)} if campaign else {})
    return api.post("/v1/lead-batches", wanted)


def send(api: Client, sheet: str, query: str = "") -> Reply:
    return api.call("POST", f"/v1/lead-batches/import{query}", raw=sheet.encode(), content_type="text/csv")


def person(api: Client, email: str) -> Any:
    (found,) = api.get(f"/v1/contacts?email={email}")["items"]
    return found


def taken(batch: Any) -> BatchTaken:
    return BatchTaken(workspace_id=uuid4(), batch_id=BatchId(UUID(batch["id"])))  # type: ignore[arg-type]


# --- rows --------------------------------------------------------------------------------------------------------


def test_a_sheet_is_taken_row_by_row(api: Client, queues: Queues, database: Database, scene: Scene):
    """Broken, good rows would be lost with a bad one, or nobody could tell which was which."""
    with database.worker() as conn:
        known = add_lead(conn, scene.workspace_id, domain="forno.example")
    sheet = (
        "\ufeffWebsite;First name;Last name;E-Mail;Stadt\r\n"
        "www.ACME.example;Zoe;Acme;Zoe@acme.example;Ulm\r\n"
        "forno.example;;;;Porto\r\n"
        "\r\n"
        "https://acme.example/kontakt;Uhu;Acme;uhu@;Ulm\r\n"
        "ftp://acme.example;;;;\r\n"
        "acme.example;Zoe;Acme;zoe@ACME.example;\r\n"
    )
    reply = send(api, sheet, "?source=fair.csv")
    assert reply.status == 202, reply.text
    batch = reply.json
    counts = {name: batch[name] for name in ("rows", "created", "merged", "refused", "source", "status")}
    assert counts == {"rows": 5, "created": 1, "merged": 3, "refused": 1, "source": "fair.csv", "status": "running"}
    assert [batch[f"contacts_{name}"] for name in ("created", "merged", "refused")] == [1, 1, 1]
    assert batch["ignored_columns"] == ["Stadt"]
    told = [(row["line"], row["outcome"], row["same_as"], row["contact"]) for row in batch["items"]]
    assert told == [
        (2, "created", None, "created"),
        (3, "merged", None, None),
        (5, "merged", 2, "refused"),
        (6, "refused", None, None),
        (7, "merged", 2, "merged"),
    ]
    acme, forno, typo, ftp, again = batch["items"]
    assert (forno["lead_id"], forno["domain"]) == (str(known), "forno.example")
    assert [problem["field"] for problem in typo["problems"]] == ["email"]
    assert [problem["field"] for problem in ftp["problems"]] == ["url"]
    assert (again["contact_id"], again["notes"]) == (acme["contact_id"], ["the same person as in line 2"])
    zoe = person(api, "zoe@acme.example")
    assert (zoe["name"], zoe["lead_id"], zoe["kind"]) == ("Zoe Acme", acme["lead_id"], "person")
    assert zoe["source"] == {"added": "by import", "batch_id": batch["id"], "line": 2}
    assert queues.take_all()["lead-analysis"][0]["batch_id"] == batch["id"]


def test_a_report_can_be_asked_for_later(api: Client):
    """Broken, whoever closes the terminal could never find out which of ten thousand rows were refused."""
    batch = bring(api, *({"url": f"site{n}.example" if n % 3 else "nowhere"} for n in range(7)))
    (listed,) = api.get("/v1/lead-batches")["items"]
    assert listed == {name: batch[name] for name in listed}
    target = f"/v1/lead-batches/{batch['id']}"
    assert api.get(target) == batch
    assert batch["leads"] == {"new": 4}
    assert [row["line"] for row in api.get(f"{target}?outcome=refused")["items"]] == [1, 4, 7]
    part = api.get(f"{target}?limit=3")
    lines = [row["line"] for row in part["items"]]
    while part["next_after"] is not None:
        part = api.get(f"{target}?limit=3&after={part['next_after']}")
        lines += [row["line"] for row in part["items"]]
    assert lines == [1, 2, 3, 4, 5, 6, 7]
    assert api.get(f"{target}?contact=created")["items"] == []
    api.call("GET", f"/v1/lead-batches/{uuid4()}").problem(404)


def test_known_people_are_completed_and_never_overwritten(api: Client, database: Database, scene: Scene):
    """Broken, an old list would overwrite what an operator has corrected, or add everybody a second time."""
    with database.worker() as conn:
        elsewhere = add_lead(conn, scene.workspace_id)
        add_contact(conn, scene.workspace_id, elsewhere, email="zoe@acme.example", name="Zoe Acme-Uhu", title="")
    row = {"url": "acme.example", "email": "ZOE@acme.example", "name": "Zoe", "title": "CEO", "phone": "+4930123456"}
    (told,) = bring(api, row | OPT_IN)["items"]
    assert (told["contact"], told["notes"]) == ("merged", ["a contact of another lead already, and stays there"])
    zoe = person(api, "zoe@acme.example")
    assert (zoe["name"], zoe["title"], zoe["phone"], zoe["lead_id"]) == (
        "Zoe Acme-Uhu",
        "CEO",
        "+4930123456",
        str(elsewhere),
    )
    assert (zoe["consent"]["basis"], zoe["consent"]["source"]) == ("opt_in", "a form")
    bring(api, row | OPT_IN | {"consent_basis": "legitimate_interest", "consent_source": "a guess"})
    assert person(api, "zoe@acme.example") == zoe


def test_one_person_on_two_rows_is_one_contact_with_what_both_say(api: Client):
    """Broken, a sheet with a row a telephone would store half of what it says, or fail as a whole."""
    batch = bring(
        api,
        {"url": "acme.example", "email": "zoe@acme.example"},
        {"url": "acme.example", "email": "zoe@ACME.example", "title": "CEO", **OPT_IN},
        {"url": "acme.example", "phone": "+49 30 1234567", "name": "Uhu"},
        {"url": "acme.example", "phone": "+49 30 1234567", "name": "Uhu"},
    )
    assert [row["contact"] for row in batch["items"]] == ["created", "merged", "created", "merged"]
    zoe = person(api, "zoe@acme.example")
    assert (zoe["title"], zoe["consent"]["basis"]) == ("CEO", "opt_in")
    again = bring(api, {"url": "acme.example", "phone": "+49 30 1234567", "name": "Uhu"})
    assert [row["contact"] for row in again["items"]] == ["merged"]
    assert len(api.get("/v1/contacts")["items"]) == 2


def test_a_list_undoes_no_suppression_and_brings_nobody_back(api: Client, database: Database):
    """Broken, an import would write to people who have said no, or store again who asked to be forgotten."""
    api.post("/v1/suppressions", {"channel": "email", "address": "zoe@acme.example"})
    erased = api.post("/v1/contacts", {"email": "ada@acme.example", "phone": "+4930123456"})
    api.call("DELETE", f"/v1/contacts/{erased['id']}")
    batch = bring(
        api,
        {"url": "acme.example", "email": "zoe@acme.example"},
        {"url": "acme.example", "email": "ADA@acme.example"},
        {"url": "acme.example", "email": "uhu@acme.example", "phone": "0049 30 123456"},
    )
    zoe, ada, uhu = batch["items"]
    assert (zoe["contact"], zoe["notes"]) == ("created", ["suppressed: nothing is sent to this address"])
    assert person(api, "zoe@acme.example")["suppressed"]
    assert [(row["contact"], row["problems"][0]["field"]) for row in (ada, uhu)] == [
        ("refused", "email"),
        ("refused", "phone"),
    ]
    assert sorted(filter(None, column(database, "contacts.email"))) == ["zoe@acme.example"]


def test_a_report_holds_nobodys_data(api: Client, database: Database):
    """Broken, a person who was erased would live on in the report of the list that brought them."""
    row = {"email": "hedy@acme.example", "name": "Hedy Lamarr", "phone": "+4930123456"}
    bring(api, {"url": "acme.example", **row}, {"url": "forno.example", **row, "country": "nowhere"})
    with database.worker() as conn:
        stored = conn.execute(select(tables.lead_batches.c.report)).scalar_one()
    assert not [value for value in row.values() if value in json.dumps(stored)]


def test_what_is_no_list_is_refused_whole(api: Client, queues: Queues, database: Database, scene: Scene):
    """Broken, a wrong file, or one for a campaign that is not there, would leave half of itself behind."""
    assert send(api, "name,city\nZoe,Lisbon\n").problem(400)
    assert set(api.call("POST", "/v1/lead-batches", {"rows": []}).problem(400)) == {"/rows"}
    too_many = {"rows": [{"url": "acme.example"}] * 10_001}
    assert set(api.call("POST", "/v1/lead-batches", too_many).problem(400)) == {"/rows"}
    send(api, "acme.example\n", f"?campaign_id={uuid4()}").problem(404)
    assert set(send(api, "acme.example\n", "?campaign_id=spring").problem(400)) == {"/campaign_id"}
    with database.worker() as conn:
        ended = add_campaign(conn, scene.workspace_id, scene.sender_id, status=CampaignStatus.CANCELLED)
    send(api, "acme.example\n", f"?campaign_id={ended}").problem(409)
    assert api.call("POST", "/v1/lead-batches/import", {"rows": []}).problem(415) == {}
    latin = api.call(
        "POST", "/v1/lead-batches/import", raw="url\nbücher.example".encode("latin-1"), content_type="text/csv"
    )
    assert latin.problem(400) == {"": "save it as UTF-8"}
    assert column(database, "lead_batches.id") == column(database, "leads.id") == []
    assert queues.take_all() == {}


@pytest.mark.parametrize("raw", [True, False])
def test_a_body_that_no_function_is_handed_is_refused_before(api: Client, raw: bool):
    """Broken, a long file would be answered by the gateway with a 500 that says nothing."""
    body = "url,note\n" + f"acme.example,{'x' * 5_000_000}\n"
    if raw:
        reply = api.call("POST", "/v1/lead-batches/import", raw=body.encode(), content_type="text/csv")
    else:
        reply = api.call("POST", "/v1/lead-batches", {"rows": [{"url": body}]})
    reply.problem(413)
    assert "send it in parts" in reply.json["detail"]


# --- size --------------------------------------------------------------------------------------------------------


def long_sheet(rows: int) -> str:
    lines = (f"site{n}.example,Person {n},person{n}@site{n}.example,+49301{n:06}" for n in range(rows))
    return "url,name,email,phone\n" + "\n".join(lines) + "\n"


def statements(api: Client, sheet: str, query: str) -> int:
    counted: list[str] = []

    def count(*given: Any) -> None:
        counted.append(given[2])

    engine = office().database.engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        assert send(api, sheet, query).status == 202
    finally:
        event.remove(engine, "before_cursor_execute", count)
    return len(counted)


def test_a_long_list_takes_as_many_statements_as_a_short_one(api: Client, scene: Scene):
    """Broken, the time of an import would grow with each row's round trips, until the call gives up half way."""
    query = f"?campaign_id={scene.campaign_id}"
    statements(api, long_sheet(1), query)
    short, long = statements(api, long_sheet(3), query), statements(api, long_sheet(300), query)
    assert short == long <= 25


@pytest.mark.skipif(not LONG, reason="lists of the greatest length are tried by make test-long")
@pytest.mark.long
def test_ten_thousand_rows_are_taken_at_once(api: Client, database: Database, scene: Scene):
    """Broken, a house that moves in could not bring its list in one piece, or again into a campaign."""
    sheet = long_sheet(10_000)
    batch = send(api, sheet, f"?campaign_id={scene.campaign_id}").json
    assert (batch["rows"], batch["created"], batch["contacts_created"]) == (10_000, 10_000, 10_000)
    assert (len(batch["items"]), batch["next_after"]) == (200, 201)
    with database.worker() as conn:
        conn.execute(tables.leads.update().values(status=LeadStatus.ANALYZED))
    again = send(api, sheet, f"?campaign_id={scene.campaign_id}").json
    assert (again["merged"], again["contacts_merged"]) == (10_000, 10_000)
    assert len(column(database, "jobs.id")) == 10_000, "a plan on order for each"


def test_the_same_list_twice_at_once_is_one(api: Client, database: Database, scene: Scene):
    """Broken, two clicks would deadlock, or make each company a lead twice."""
    desk = office()
    batches = LeadBatches(desk.database, scene.workspace_id, desk.lead_queue, lambda _: None, desk.clock)
    listed = read_sheet(long_sheet(300))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: batches.take(listed, campaign_id=scene.campaign_id), range(4)))
    told = api.get("/v1/lead-batches")["items"]
    assert len(told) == 4
    assert sum(batch["created"] for batch in told) == len(column(database, "leads.id")) == 300
    assert sum(batch["contacts_created"] for batch in told) == len(column(database, "contacts.id")) == 300


# --- handing out -------------------------------------------------------------------------------------------------


def test_crawls_are_handed_out_in_steps(api: Client, queues: Queues, database: Database, pipeline: LeadPipeline):
    """Broken, ten thousand crawls would stand before everybody else's, or those after the first step never begin."""
    all_at_once(database)
    message = taken(bring(api, *({"url": f"site{n}.example"} for n in range(handout.CRAWLS + 20))))
    queues.take_all()
    pipeline.handle(message)
    first = queues.take("lead-analysis")
    assert [sent["type"] for sent in first] == ["crawl.wanted"] * handout.CRAWLS, "the message itself comes back later"
    pipeline.handle(message)
    assert queues.take("lead-analysis") == [], "a repeated message hands out nothing"
    later(database)
    pipeline.handle(message)
    assert queues.take("lead-analysis") == [], "nor while all of them are still to be done"
    for sent in first[:30]:
        pipeline.handle(CrawlWanted.model_validate(sent))
    later(database)
    pipeline.handle(message)
    assert len(queues.take("lead-analysis")) == 20
    assert column(database, "lead_batches.status") == ["completed"]
    assert len(column(database, "jobs.id")) == handout.CRAWLS + 20


def all_at_once(database: Database) -> None:
    """The workspace does not spread its crawls."""
    with database.worker() as conn:
        conn.execute(tables.automation_settings.update().values(lead_stagger_s=0))


def later(database: Database) -> None:
    """Time passes: the last step is a while ago."""
    with database.worker() as conn:
        conn.execute(
            tables.lead_batches.update().values(handed_out_at=datetime.now(UTC) - timedelta(seconds=handout.STEP_S))
        )


def test_an_import_whose_message_is_lost_goes_on_by_the_sweep(
    api: Client, queues: Queues, database: Database, pipeline: LeadPipeline
):
    """Broken, an outage of SQS would leave thousands of leads that nobody ever crawls."""
    gone = queues.urls["lead-analysis"]
    queues.destroy("lead-analysis")
    batch = bring(api, {"url": "acme.example"})
    assert queues.client.create_queue(QueueName="lead-analysis")["QueueUrl"] == gone
    pipeline.handle(Sweep())
    assert queues.take("lead-analysis") == [], "not before it can be lost"
    with database.worker() as conn:
        conn.execute(tables.lead_batches.update().values(created_at=datetime.now(UTC) - timedelta(hours=1)))
    pipeline.handle(Sweep())
    (found,) = queues.take("lead-analysis")
    assert (found["type"], found["batch_id"]) == ("batch.taken", batch["id"])


def test_a_crawl_that_somebody_asks_for_does_not_wait_for_its_turn(api: Client, queues: Queues, pipeline: LeadPipeline):
    """Broken, a single lead would wait behind a list that happens to name it too, or be crawled twice."""
    message = taken(bring(api, {"url": "acme.example"}))
    queues.take_all()
    api.post("/v1/leads", {"url": "acme.example"})
    assert [sent["type"] for sent in queues.take("lead-analysis")] == ["crawl.wanted"]
    pipeline.handle(message)
    assert queues.take_all() == {}


# --- into a campaign ---------------------------------------------------------------------------------------------


def test_people_of_known_sites_are_planned_for_in_their_turn(
    api: Client, queues: Queues, database: Database, scene: Scene, pipeline: LeadPipeline
):
    """Broken, people on a list for a running campaign would never be written to, or flood the planner at once."""
    with database.worker() as conn:
        for name in ("acme", "forno"):
            add_contact(conn, scene.workspace_id, add_lead(conn, scene.workspace_id, domain=f"{name}.example"))
    rows = [{"url": f"{name}.example", "email": f"zoe@{name}.example", "name": "Zoe"} for name in ("acme", "forno")]
    batch = bring(api, *rows, {"url": "acme.example"}, campaign=scene.campaign_id)
    jobs = api.get("/v1/jobs?kind=planning")["items"]
    instants = sorted(datetime.fromisoformat(job["next_attempt_at"]) for job in jobs)
    assert [(instant - instants[0]).seconds for instant in instants] == [0, 7, 14, 21]
    pipeline.handle(taken(batch))
    assert len(queues.take("campaign-creation")) == 1, "moto keeps the later ones back"
    assert column(database, "lead_batches.status") == ["completed"]
    bring(api, *rows, campaign=scene.campaign_id)
    assert len(api.get("/v1/jobs?kind=planning")["items"]) == 4, "asked again, nobody is planned for twice"


def test_plans_beyond_a_step_wait_for_theirs(api: Client, database: Database, scene: Scene, pipeline: LeadPipeline):
    """Broken, the plans after the first half minute would be made at once, or never."""
    with database.worker() as conn:
        for n in range(9):
            add_contact(conn, scene.workspace_id, add_lead(conn, scene.workspace_id, domain=f"site{n}.example"))
    batch = bring(api, *({"url": f"site{n}.example"} for n in range(9)), campaign=scene.campaign_id)
    pipeline.handle(taken(batch))
    waiting = [job for job in api.get("/v1/jobs?kind=planning")["items"] if job["next_attempt_at"]]
    assert len(waiting) == 9 - 5, "those of 0, 7, 14, 21 and 28 seconds are on their way"
    assert column(database, "lead_batches.status") == ["running"]
    assert api.get(f"/v1/campaigns/{scene.campaign_id}")["status"] == "running"


def test_people_given_by_hand_are_written_to_though_their_site_cannot_be_read(
    api: Client, queues: Queues, database: Database, scene: Scene, pipeline: LeadPipeline
):
    """Broken, a dead site would silently cost everybody whom the operator has named for it."""
    all_at_once(database)
    rows = [
        {"url": "acme.example", "email": "zoe@acme.example", "name": "Zoe Acme"},
        {"url": "forno.example"},
    ]
    bring(api, *rows, campaign=scene.campaign_id)
    leads = {lead["domain"]: lead["id"] for lead in api.get("/v1/leads")["items"]}
    pipeline.handle(taken(api.get("/v1/lead-batches")["items"][0]))
    for lead_id in leads.values():
        pipeline.handle(CrawlWanted(workspace_id=scene.workspace_id, lead_id=LeadId(UUID(lead_id))))
    assert set(column(database, "leads.status")) == {"failed"}
    (plan,) = queues.take("campaign-creation")
    assert plan["contact_id"] == person(api, "zoe@acme.example")["id"]
    (job,) = api.get("/v1/jobs?kind=planning")["items"]
    assert (job["lead_id"], job["status"]) == (leads["acme.example"], "QUEUED")

    with database.worker() as conn:
        other = add_campaign(conn, scene.workspace_id, scene.sender_id)
    bring(api, *rows, campaign=other)
    (job,) = api.get(f"/v1/jobs?kind=planning&campaign_id={other}")["items"]
    assert job["contact_id"] == plan["contact_id"], "a site that has failed before is no different"


def test_a_list_that_brings_nobody_does_not_keep_a_campaign_open(api: Client, database: Database, scene: Scene):
    """Broken, a campaign whose only sites have no contacts would run until the next sweep (I4)."""
    with database.worker() as conn:
        for name, status in (("acme", LeadStatus.ANALYZED), ("forno", LeadStatus.FAILED)):
            add_lead(conn, scene.workspace_id, domain=f"{name}.example", status=status)
    bring(api, {"url": "acme.example"}, {"url": "forno.example"}, campaign=scene.campaign_id)
    assert api.get(f"/v1/campaigns/{scene.campaign_id}")["status"] == "completed"
