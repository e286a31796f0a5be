"""Who may do what: every operation of the API's own document is tried from outside, from below and from next door."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest
from sqlalchemy import insert, update
from sqlalchemy.engine import URL

from cadenza.api.app import build, document
from cadenza.api.desk import Office
from cadenza.core import audit, jobs, tables
from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.ids import LeadId, new_id
from cadenza.core.messages import SignalKind
from cadenza.core.states import AuditAct, CampaignStatus, CampaignType, JobStatus, Role
from cadenza.delivery.outcomes import record
from tests.handlers.api_client import Client, client, column, environment
from tests.handlers.conftest import Queues
from tests.handlers.test_api_contents import TEMPLATE
from tests.store.builders import NOW, Scene, add_campaign, add_contact, add_lead, add_scene, add_workspace
from tests.store.reacting import reported

NOBODY = "00000000-0000-7000-8000-000000000001"
OPEN = {("GET", "/healthz"), ("GET", "/v1/openapi.json"), ("GET", "/v1/plans/schema")}


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    method: str
    path: str
    role: Role | None

    def target(self, ids: Mapping[str, str]) -> str:
        """The path with these ids in it."""
        return re.sub(r"\{(\w+)\}", lambda name: ids.get(name[1], NOBODY), self.path)


def _operations() -> list[Operation]:
    described = json.loads(document(build(cast("Office", None))))
    return [
        Operation(method.upper(), path, Role(found["x-required-role"]) if "x-required-role" in found else None)
        for path, methods in described["paths"].items()
        for method, found in methods.items()
    ]


BODIES = {
    "/v1/senders/{sender_id}/smtp": {"host": "localhost"},
    "/v1/workflows/{workflow_id}": {"name": "Mails", "steps": [{"template_id": NOBODY}]},
}
"""Of operations that mean nothing without one."""
OPERATIONS = _operations()
GUARDED = [operation for operation in OPERATIONS if operation.role is not None]
ABOUT_ONE = [operation for operation in GUARDED if "{" in operation.path and "{queue}" not in operation.path]
"""Queues are everybody's: whose their messages are is tested with them."""
NO_LISTS = {"/v1/automation/settings", "/v1/automation/health", "/v1/dlqs", "/v1/retries/statistics"}
LISTS = [
    operation
    for operation in GUARDED
    if operation.method == "GET" and "{" not in operation.path and operation.path not in NO_LISTS
]


@pytest.fixture
def scene(database: Database) -> Scene:
    """The workspace of somebody else, with one of everything."""
    with database.worker() as conn:
        return add_scene(conn)


@pytest.fixture
def theirs(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The other workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


@pytest.fixture
def mine(theirs: Client, database: Database) -> Client:  # noqa: ARG001 - the environment
    """The admin of an empty workspace."""
    with database.worker() as conn:
        workspace_id = add_workspace(conn)
    return client(database, workspace_id)


def test_every_operation_says_who_may_use_it():
    """Broken, a new route could be open to everybody without anybody having meant it."""
    assert {(operation.method, operation.path) for operation in OPERATIONS if operation.role is None} == OPEN
    assert len(GUARDED) >= 35


def test_without_a_key_nobody_comes_in(theirs: Client, database: Database):
    """Broken, a stranger could read or move a customer's campaigns; asked before the body is even looked at."""
    revoked = client(database, theirs.workspace_id)
    with database.worker() as conn:
        conn.execute(update(tables.api_keys).where(tables.api_keys.c.name == "admin").values(revoked_at=NOW))
    strangers = [Client(theirs.workspace_id, key) for key in ("", "cad_guessed", revoked.key)]
    replies = [
        (operation, stranger.call(operation.method, operation.target({}), raw=b"{"))
        for operation in GUARDED
        for stranger in strangers
    ]
    assert [operation for operation, reply in replies if reply.status != 401] == []
    assert {reply.headers["www-authenticate"] for _, reply in replies} == {"Bearer"}


def test_a_role_below_is_refused_and_the_named_one_is_enough(theirs: Client, database: Database):
    """Broken, a viewer could stop a campaign, or an operator could not."""
    roles = list(Role)
    for role in roles:
        caller = client(database, theirs.workspace_id, role)
        refused = {
            operation
            for operation in GUARDED
            if caller.call(operation.method, operation.target({}), raw=b'{"nonsense": true}').status == 403
        }
        assert refused == {
            operation for operation in GUARDED if operation.role and roles.index(role) < roles.index(operation.role)
        }


def add_content(theirs: Client) -> tuple[str, str]:
    """A template and a workflow that sends it."""
    template_id = theirs.post("/v1/templates", TEMPLATE)["id"]
    return template_id, theirs.post("/v1/workflows", {"name": "Mails", "steps": [{"template_id": template_id}]})["id"]


def test_what_is_next_door_does_not_exist(theirs: Client, mine: Client, database: Database, scene: Scene):
    """Broken, one customer could read or stop another's campaigns by an id (I9)."""
    with database.worker() as conn:
        lead_id = add_lead(conn, scene.workspace_id)
        contact_id = add_contact(conn, scene.workspace_id)
        scene.add_message(conn)
        jobs.record(conn, [jobs.crawl(scene.workspace_id, lead_id)], JobStatus.SKIPPED, "unknown lead", NOW)
    suppression = theirs.post("/v1/suppressions", {"channel": "email", "address": "zoe@acme.example"})
    batch = theirs.post("/v1/lead-batches", {"rows": [{"url": "harbour-kitchens.example"}]})
    template_id, workflow_id = add_content(theirs)
    ids = {
        "template_id": template_id,
        "workflow_id": workflow_id,
        "batch_id": batch["id"],
        "lead_id": str(lead_id),
        "campaign_id": str(scene.campaign_id),
        "sender_id": str(scene.sender_id),
        "plan_id": str(scene.plan_id),
        "enrolment_id": str(column(database, "contact_campaigns.id")[0]),
        "suppression_id": suppression["id"],
        "contact_id": str(contact_id),
        "job_id": str(column(database, "jobs.id")[0]),
    }

    def found(caller: Client) -> list[Operation]:
        return [
            operation
            for operation in ABOUT_ONE
            if caller.call(operation.method, operation.target(ids), BODIES.get(operation.path)).status != 404
        ]

    assert found(mine) == []
    assert column(database, "campaigns.status") == [CampaignStatus.RUNNING]
    assert len(column(database, "suppressions.id")) == 1
    assert found(theirs) == ABOUT_ONE, "and yet it is all there"


def test_lists_show_ones_own_only(theirs: Client, mine: Client, database: Database, scene: Scene):
    """Broken, one customer would see another's leads, people or jobs (I9)."""
    with database.worker() as conn:
        add_contact(conn, scene.workspace_id, add_lead(conn, scene.workspace_id))
        scene.add_message(conn)
        scene.add_message(conn, enrolment={"status": "draft", "approval": "wanted"})
        answered = scene.add_message(conn, status="sent", sent_at=NOW)
        record(conn, [reported(answered, SignalKind.REPLIED, NOW)], NOW)
        audit.record(conn, scene.workspace_id, AuditAct.CAMPAIGN_STARTED, NOW, key_id=None)
        jobs.record(conn, [jobs.analysis(scene.workspace_id, LeadId(new_id()))], JobStatus.FAILED, "no answer", NOW)
        conn.execute(
            insert(tables.ai_usage),
            {"workspace_id": scene.workspace_id, "input_tokens": 1, "output_tokens": 1, "cost_usd_micros": 1}
            | {"at": utc_now()},
        )
        automatic = add_campaign(conn, scene.workspace_id, scene.sender_id, type=CampaignType.FULLY_AUTOMATED)
        planned = jobs.planning(scene.workspace_id, automatic, add_contact(conn, scene.workspace_id))
        jobs.enqueue(conn, [planned], NOW)
    theirs.post("/v1/suppressions", {"channel": "email", "address": "zoe@acme.example"})
    theirs.post("/v1/lead-batches", {"rows": [{"url": "harbour-kitchens.example"}]})
    theirs.post("/v1/leads", {"url": "lantern.example"})
    add_content(theirs)
    taken_back = theirs.post("/v1/suppressions", {"channel": "phone", "address": "+4940123456"})["id"]
    assert theirs.call("DELETE", f"/v1/suppressions/{taken_back}?reason=a+typing+error").status == 204
    assert [operation for operation in LISTS if not theirs.get(operation.path)["items"]] == []
    assert [operation for operation in LISTS if mine.get(operation.path)["items"]] == []


def test_nothing_next_door_can_be_named_in_a_body(theirs: Client, mine: Client, scene: Scene, database: Database):
    """Broken, one customer could feed leads to another's campaign, or send in another's name (I9)."""
    lead = {"url": "harbour-kitchens.example", "campaign_id": str(scene.campaign_id)}
    mine.call("POST", "/v1/leads", lead).problem(404)
    batch = {"rows": [{"url": "harbour-kitchens.example"}], "campaign_id": str(scene.campaign_id)}
    mine.call("POST", "/v1/lead-batches", batch).problem(404)
    mine.call("POST", "/v1/automation/run", {"campaign_id": str(scene.campaign_id)}).problem(404)
    assert column(database, "lead_batches.id") == []
    campaign = {"name": "Spring", "sender_id": str(scene.sender_id), "brief": {"offering": "We plan routes."}}
    assert set(mine.call("POST", "/v1/campaigns", campaign).problem(400)) == {"/sender_id"}
    template_id, workflow_id = add_content(theirs)
    for kind, content_id in (("template", template_id), ("workflow", workflow_id)):
        campaign = {"name": "Spring", "kind": kind, f"{kind}_id": content_id}
        assert set(mine.call("POST", "/v1/campaigns", campaign).problem(400)) == {f"/{kind}_id"}
    steps = {"name": "Mails", "steps": [{"template_id": template_id}]}
    assert set(mine.call("POST", "/v1/workflows", steps).problem(400)) == {"/steps/0/template_id"}
    with database.worker() as conn:
        contact = {"email": "zoe@acme.example", "lead_id": str(add_lead(conn, scene.workspace_id))}
    assert set(mine.call("POST", "/v1/contacts", contact).problem(400)) == {"/lead_id"}


@pytest.mark.parametrize("authorization", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer  ", "Bearer é"])
def test_other_credentials_are_no_key(theirs: Client, authorization: str):
    """Broken, a malformed header would be answered 500."""
    Client(theirs.workspace_id, "").call("GET", "/v1/leads", authorization=authorization).problem(401)
