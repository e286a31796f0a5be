"""Over HTTP: drafts are listed, looked at, changed, approved and rejected; contacts are enrolled by hand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy.engine import URL

from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.ids import new_id
from cadenza.core.messages import PlanWanted
from cadenza.engine.service import Engine
from functions.plan.handler import planning
from tests.handlers.api_client import Client, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import PLAN, Scene, add_contact, add_enrolment, add_lead, add_scene
from tests.store.drafting import BRIEF, another_plan

NOBODY = str(new_id())


@pytest.fixture
def scene(database: Database) -> Scene:
    """A workspace with a running campaign."""
    with database.worker() as conn:
        return add_scene(conn, campaign={"brief": BRIEF})


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin, who wants each plan looked at."""
    with environment(database_url, monkeypatch):
        caller = client(database, scene.workspace_id)
        reply = caller.call("PUT", "/v1/automation/settings", {"approval_mode": "review_each"})
        assert reply.json["approval_mode"] == "review_each"
        yield caller


def add_drafts(database: Database, scene: Scene, count: int) -> list[str]:
    """So many drafts that wait for approval, the oldest first."""
    draft = {"status": "draft", "approval": "wanted", "current_node": "", "visit": 0, "entered_at": None}
    with database.worker() as conn:
        lead_id = add_lead(conn, scene.workspace_id)
        return [
            str(
                add_enrolment(
                    conn,
                    scene.workspace_id,
                    scene.campaign_id,
                    add_contact(conn, scene.workspace_id, lead_id),
                    scene.plan_id,
                    **draft,
                )
            )
            for _ in range(count)
        ]


def test_a_draft_is_looked_at_changed_and_approved(api: Client, queues: Queues, database: Database, scene: Scene):
    """Broken, nobody could do what the review is for, but by asking for it in the database."""
    # Given a contact whom an operator enrols, and the plan that is made for them.
    contact = api.post("/v1/contacts", {"email": "ida@north-quay.example", "name": "Ida North", "first_name": "Ida"})
    (placed,) = api.post(f"/v1/campaigns/{scene.campaign_id}/enrolments", {"contact_id": contact["id"]})["items"]
    assert (placed["contact_id"], placed["outcome"], placed["enrolment_id"]) == (contact["id"], "queued", None)
    (wanted,) = queues.take("campaign-creation")
    plan_now(database, wanted)

    # Then it is on the list, and all of it can be seen: the mails as they would leave, and that nothing is wrong.
    (item,) = api.get(f"/v1/approvals?campaign_id={scene.campaign_id}")["items"]
    assert (item["contact"]["email"], item["campaign"]["name"], item["lead"]) == (contact["email"], "Spring", None)
    assert (item["source"], item["subject"], item["approval"]) == ("offline", "A question for North Quay", "wanted")
    path = f"/v1/enrolments/{item['id']}"
    shown = api.get(f"/v1/approvals/{item['id']}")
    assert shown["plan"]["startNodeId"] == "intro"
    assert [mail["node"] for mail in shown["mails"]] == ["intro", "nudge", "follow_up", "last"]
    assert "Hello Ida" in shown["mails"][0]["mail"]["text"]
    assert [found for found in shown["findings"] if found["severity"] != "note"] == []

    # When its words are changed, by whoever has read them.
    plan = shown["plan"] | {
        "nodes": [{**shown["plan"]["nodes"][0], "subject": "Ida, a word?"}, *shown["plan"]["nodes"][1:]]
    }
    read = api.call("GET", f"{path}/plan")
    assert (read.json["hash"], read.headers["etag"]) == (item["plan_hash"], f'"{item["plan_hash"]}"')
    edited = api.call("PUT", f"{path}/plan", {"plan": plan}, if_match=read.headers["etag"])
    assert (edited.status, edited.json["source"]) == (200, "operator")
    assert edited.headers["etag"] == f'"{edited.json["hash"]}"'

    # Then what was seen before cannot be approved any more; what is seen now can, and goes out.
    assert set(api.call("POST", f"{path}/approve", {"plan_hash": item["plan_hash"]}).problem(409)) == {"/plan_hash"}
    assert queues.take_all() == {}
    approved = api.post(f"{path}/approve", {"plan_hash": edited.json["hash"]})
    assert (approved["status"], approved["approval"]) == ("active", "approved")
    assert [hint["action_ids"] for hint in queues.take("campaign-execution")] == [
        column(database, "scheduled_actions.id")
    ]
    assert api.get("/v1/approvals")["items"] == []
    decisions = api.get(f"/v1/approvals/{item['id']}")["decisions"]
    assert [decision["act"] for decision in decisions] == ["edited", "approved"]
    assert {decision["key_id"] for decision in decisions} == {str(column(database, "api_keys.id")[0])}
    (job,) = api.get("/v1/jobs?kind=planning")["items"]
    assert job["result"]["approval"] == "approved"


def plan_now(database: Database, wanted: dict[str, Any]) -> None:
    """What the plan function does with a message of its queue, on the test's database."""
    service = planning().enrolling
    engine = Engine(database, service.engine._dispatcher, utc_now)
    replace(service, database=database, engine=engine).handle(PlanWanted.model_validate(wanted))


def test_a_rejection_keeps_its_reason(api: Client, database: Database, scene: Scene):
    """Broken, nobody could tell the author of a prompt what was wrong with it."""
    (enrolment_id,) = add_drafts(database, scene, 1)
    path = f"/v1/enrolments/{enrolment_id}"
    assert set(api.call("POST", f"{path}/reject").problem(400)) == {"/reason"}
    rejected = api.post(f"{path}/reject", {"reason": "wrong person"})
    assert (rejected["status"], rejected["approval"], rejected["reason"]) == ("stopped", "rejected", "wrong person")
    api.call("POST", f"{path}/approve").problem(409)
    ended = api.get(f"{path}/timeline")["items"]
    assert [(entry["kind"], entry["why"]) for entry in ended if entry["kind"] in ("decided", "ended")] == [
        ("decided", ["wrong person"]),
        ("ended", ["rejected", "engine: halted"]),
    ]


def test_many_are_approved_at_once(api: Client, database: Database, scene: Scene):
    """Broken, a reviewer would click a thousand times."""
    drafts = add_drafts(database, scene, 4)
    path = f"/v1/campaigns/{scene.campaign_id}/approve"
    assert [item["id"] for item in api.get("/v1/approvals?limit=3")["items"]] == drafts[:3], "the oldest first"
    assert set(api.call("POST", path).problem(400)) == {"/enrolment_ids"}
    api.call("POST", path, {"enrolment_ids": drafts, "all": True}).problem(400)
    answer = api.post(path, {"enrolment_ids": [drafts[0], NOBODY]})
    assert [item["outcome"] for item in answer["items"]] == ["approved", "unknown"]
    assert answer["waiting"] == 3
    answer = api.post(path, {"all": True})
    assert [item["enrolment_id"] for item in answer["items"]] == drafts[1:]
    assert set(column(database, "contact_campaigns.status")) == {"active"}


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        (None, 428),
        ('"0000"', 412),
        ('W/"{hash}"', 412),
        ('"{hash}"', 200),
        ('"0000", "{hash}"', 200),
        ("*", 200),
    ],
)
def test_a_change_names_what_was_read(api: Client, database: Database, scene: Scene, if_match: str | None, status: int):
    """Broken, of two people who change the same draft one would lose their words, unless they wanted to."""
    (enrolment_id,) = add_drafts(database, scene, 1)
    path = f"/v1/enrolments/{enrolment_id}/plan"
    headers = {} if if_match is None else {"if_match": if_match.replace("{hash}", api.get(path)["hash"])}
    reply = api.call("PUT", path, {"plan": another_plan()}, **headers)
    assert reply.status == status
    if status != 200:
        assert set(reply.problem(status)) == {"/If-Match"}
    assert api.get(path)["plan"]["nodes"][0]["subject"] == (
        "In other words" if status == 200 else PLAN["nodes"][0]["subject"]
    )


@pytest.mark.parametrize(
    ("plan", "pointer"),
    [
        ({"startNodeId": "nowhere"}, "/plan/startNodeId"),
        ({"nodes": [*PLAN["nodes"], {"id": "x", "action": "dance"}]}, "/plan/nodes/3/action"),
        ({"nodes": [{**PLAN["nodes"][0], "body": ""}, *PLAN["nodes"][1:]]}, "/plan/nodes/0"),
    ],
)
def test_a_plan_with_errors_is_refused(api: Client, database: Database, scene: Scene, plan: Any, pointer: str):
    """Broken, a draft could be made that cannot run, or nobody would be told what is wrong with it."""
    (enrolment_id,) = add_drafts(database, scene, 1)
    wanted = {"plan": {**PLAN, **plan}}
    assert pointer in api.call("PUT", f"/v1/enrolments/{enrolment_id}/plan", wanted, if_match="*").problem(400)
    by_hand = {**wanted, "contact_id": NOBODY}
    assert pointer in api.call("POST", f"/v1/campaigns/{scene.campaign_id}/enrolments", by_hand).problem(400)


def test_people_are_warned_and_not_refused(api: Client, database: Database, scene: Scene):
    """Broken, an operator could not write what they like, or would not know what a machine would be refused for."""
    (enrolment_id,) = add_drafts(database, scene, 1)
    path = f"/v1/enrolments/{enrolment_id}/plan"
    edited = api.call("PUT", path, {"plan": another_plan("Act now, {{ name }}")}, if_match="*").json
    found = {finding["code"]: finding for finding in edited["findings"]}
    assert (found["spam_phrase"]["severity"], found["spam_phrase"]["pointer"]) == ("warning", "/nodes/0/subject")
    assert api.get(f"/v1/approvals/{enrolment_id}")["findings"] == edited["findings"]


def test_a_campaign_may_be_stricter_than_its_workspace(api: Client, scene: Scene):
    """Broken, one delicate campaign would make people look at all others too."""
    wanted = {"name": "Delicate", "sender_id": str(scene.sender_id), "brief": BRIEF}
    made = api.post("/v1/campaigns", wanted | {"approval_mode": "review_first", "approval_first_n": 5})
    assert (made["approval_mode"], made["approval_first_n"]) == ("review_first", 5)
    assert api.post("/v1/campaigns", wanted)["approval_mode"] is None


@pytest.mark.parametrize("target", ["/v1/automation/settings", "/v1/campaigns"])
@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"approval_mode": "review_first"}, "/approval_first_n"),
        ({"approval_mode": "review_first", "approval_first_n": 0}, "/approval_first_n"),
        ({"approval_mode": "sometimes"}, "/approval_mode"),
        ({"approval_first_n": -1}, "/approval_first_n"),
    ],
)
def test_a_mode_that_means_nothing_is_refused(api: Client, target: str, wanted: Any, pointer: str):
    """Broken, somebody would believe that plans are looked at, and they would not be."""
    method, more = ("PUT", {}) if target.endswith("settings") else ("POST", {"name": "X", "brief": BRIEF})
    assert pointer in api.call(method, target, wanted | more).problem(400)


def test_nobody_is_enrolled_when_nobody_is_named(api: Client, scene: Scene):
    """Broken, a typing error would look like success."""
    path = f"/v1/campaigns/{scene.campaign_id}/enrolments"
    assert set(api.call("POST", path, {}).problem(400)) == {"/contact_ids"}
    (placed,) = api.post(path, {"contact_ids": [NOBODY]})["items"]
    assert (placed["outcome"], placed["detail"]) == ("unknown", "unknown contact")


def test_a_queue_that_is_away_loses_no_order(api: Client, queues: Queues, database: Database, scene: Scene):
    """Broken, an operator would be told of an error, and repeat what has been done."""
    with database.worker() as conn:
        contact_id = add_contact(conn, scene.workspace_id)
    queues.destroy("campaign-creation")
    (placed,) = api.post(f"/v1/campaigns/{scene.campaign_id}/enrolments", {"contact_id": str(contact_id)})["items"]
    assert placed["outcome"] == "queued"
    assert column(database, "jobs.status") == ["QUEUED"], "the sweep finds it"
