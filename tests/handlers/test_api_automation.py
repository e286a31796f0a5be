"""Leads that campaigns are given, and automatic work, by the API: as an operator sees it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from cadenza.core.db import Database
from cadenza.core.states import CampaignStatus, CampaignType, Role
from tests.handlers.api_client import Client, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import Scene, add_campaign, add_contact, add_lead, add_scene

BRIEF = {"offering": "We plan delivery routes for small fleets."}


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


def site(database: Database, scene: Scene, people: int = 1, **given: Any) -> str:
    """A site, and people who are known there."""
    with database.worker() as conn:
        lead_id = add_lead(conn, scene.workspace_id, **given)
        for _ in range(people):
            add_contact(conn, scene.workspace_id, lead_id)
    return str(lead_id)


def automatic(api: Client, scene: Scene, **given: Any) -> str:
    """A campaign that takes people by itself, running."""
    wanted = {"name": "All by itself", "type": "fully_automated", "sender_id": str(scene.sender_id), "brief": BRIEF}
    campaign_id = api.post("/v1/campaigns", wanted | given)["id"]
    api.post(f"/v1/campaigns/{campaign_id}/start")
    return campaign_id


# --- leads of a campaign -----------------------------------------------------------------------------------------


def test_each_lead_is_answered_for(api: Client, database: Database, scene: Scene, queues: Queues):
    """Broken, an operator would not know which of a thousand leads the campaign writes to."""
    leads = {
        "analysed": site(database, scene, people=2),
        "new": site(database, scene, people=0, status="new"),
        "under way": site(database, scene, status="analyzing"),
        "empty": site(database, scene, people=0),
        "dead": site(database, scene, people=0, status="failed", failure_reason="it is parked"),
        "dead, with somebody": site(database, scene, status="failed"),
        "nowhere": str(uuid4()),
    }
    path = f"/v1/campaigns/{scene.campaign_id}/leads"
    told = {one["lead_id"]: one for one in api.post(path, {"lead_ids": list(leads.values())})["items"]}
    assert {name: (told[lead_id]["outcome"], told[lead_id]["plans"]) for name, lead_id in leads.items()} == {
        "analysed": ("taken", 2),
        "new": ("waiting", 0),
        "under way": ("waiting", 0),
        "empty": ("no_contacts", 0),
        "dead": ("failed", 0),
        "dead, with somebody": ("taken", 1),
        "nowhere": ("unknown", 0),
    }
    assert told[leads["dead"]]["detail"] == "its site could not be read: it is parked"
    # Plans are on order one behind the other (the queue keeps the later ones back), and the new site is crawled.
    sent = queues.take_all()
    assert [message["type"] for message in sent["campaign-creation"]] == ["plan.wanted"]
    assert [message["lead_id"] for message in sent["lead-analysis"]] == [leads["new"]]
    starts = sorted(_starts(database))
    assert [(later - earlier).seconds for earlier, later in pairwise(starts)] == [7, 7]
    # Asking again changes nothing.
    again = {one["lead_id"]: one["outcome"] for one in api.post(path, {"lead_ids": list(leads.values())})["items"]}
    assert again.pop(leads["nowhere"]) == "unknown"
    assert set(again.values()) == {"already_there"}
    assert "campaign-creation" not in queues.take_all()
    assert column(database, "audit_log.act") == ["leads_assigned"] * 2
    listed = {one["id"]: one for one in api.get(path)["items"]}
    assert set(listed) == set(leads.values()) - {leads["nowhere"]}
    assert listed[leads["analysed"]]["on_order"] == 2
    assert listed[leads["analysed"]]["given_at"] is not None


def _starts(database: Database) -> list[Any]:
    with database.worker() as conn:
        query = "SELECT next_attempt_at FROM jobs WHERE kind = 'planning' AND status = 'QUEUED'"
        return list(conn.execute(text(query)).scalars())


def test_leads_are_found_by_a_filter(api: Client, database: Database, scene: Scene):
    """Broken, whoever has thousands of leads would have to name each of them."""
    found = {site(database, scene) for _ in range(3)}
    site(database, scene, status="failed")
    path = f"/v1/campaigns/{scene.campaign_id}/leads"
    wanted = {"filter": {"status": "analyzed", "unassigned": True}}
    answer = api.post(path, wanted)
    assert ({one["lead_id"] for one in answer["items"]}, answer["more"]) == (found, False)
    assert api.post(path, wanted)["items"] == []
    assert set(api.call("POST", path, {"filter": {}}).problem(400)) == {"/filter"}
    both = {"filter": {"unassigned": True}, "lead_ids": [found.pop()]}
    assert api.call("POST", path, both).status == 400


def test_a_campaign_that_is_over_takes_no_leads(api: Client, database: Database, scene: Scene):
    """Broken, leads would be given to a campaign that writes to nobody, and be thought taken care of."""
    with database.worker() as conn:
        over = add_campaign(conn, scene.workspace_id, None, status=CampaignStatus.CANCELLED)
    lead_id = site(database, scene)
    api.call("POST", f"/v1/campaigns/{over}/leads", {"lead_ids": [lead_id]}).problem(409)
    assert column(database, "campaign_leads.lead_id") == []


def test_another_workspaces_leads_are_unknown(api: Client, database: Database, scene: Scene):
    """Broken, one customer could write to another's people by guessing ids (I9)."""
    with database.worker() as conn:
        theirs = str(add_lead(conn, add_scene(conn).workspace_id))
    (told,) = api.post(f"/v1/campaigns/{scene.campaign_id}/leads", {"lead_ids": [theirs]})["items"]
    assert (told["outcome"], told["domain"]) == ("unknown", "")
    assert column(database, "campaign_leads.lead_id") == []


# --- automation --------------------------------------------------------------------------------------------------


def test_somebody_who_is_added_by_hand_is_looked_at_at_once(api: Client, scene: Scene, queues: Queues):
    """Broken, a fully automated campaign would know of a new person an hour later."""
    assert "campaign-creation" not in queues.take_all()
    api.post("/v1/contacts", {"email": "ida@north-quay.example"})
    assert "campaign-creation" not in queues.take_all(), "nobody takes people"
    automatic(api, scene)
    queues.take_all()
    api.post("/v1/contacts", {"email": "ada@north-quay.example"})
    (message,) = queues.take("campaign-creation")
    assert message["type"] == "intake.wanted"
    assert message["workspace_id"] == str(scene.workspace_id)


def test_the_intake_is_shown_and_checked(api: Client, scene: Scene):
    """Broken, a typing error in a filter would take everybody."""
    intake = {"countries": ["de"], "title_words": ["Head of"], "least_fit": "medium"}
    given = {"intake": intake, "company_order": "one_after_another", "company_gap": "P5D"}
    found = api.get(f"/v1/campaigns/{automatic(api, scene, **given)}")
    assert found["intake"]["countries"] == ["DE"]
    assert found["intake"]["title_words"] == ["head of"]
    assert found["intake"]["exclusive"] is True
    assert (found["company_order"], found["company_gap"]) == ("one_after_another", "P5D")
    for wrong, pointer in (
        ({"type": "fully_automated", "intake": {"country": ["DE"]}}, "/intake/country"),
        ({"type": "fully_automated", "intake": {"countries": ["Germany"]}}, "/intake/countries/0"),
        ({"type": "outreach", "intake": {}}, "/intake"),
        ({"company_gap": "three days"}, "/company_gap"),
        ({"company_gap": "P3Y"}, "/company_gap"),
    ):
        problem = api.call("POST", "/v1/campaigns", {"name": "x", "brief": BRIEF} | wrong).problem(400)
        assert set(problem) == {pointer}


def test_the_switch_is_turned_shown_and_kept(api: Client, database: Database, scene: Scene):
    """Broken, nobody could tell who has switched automation off, or whether it is."""
    campaign_id = automatic(api, scene)
    assert set(api.call("POST", "/v1/automation/toggle", {"enabled": 0}).problem(400)) == {"/enabled"}
    off = api.post("/v1/automation/toggle", {"enabled": False, "reason": "the price is wrong"})
    assert off == {"enabled": False, "campaigns": [campaign_id], "held": 0}
    settings = api.get("/v1/automation/settings")
    assert settings["enabled"] is False
    api.call("POST", "/v1/automation/run", {}).problem(409)
    # Settings that do not name it leave it alone; those that were read are written back as they were.
    for body in ({"daily_cap": 10}, settings):
        reply = api.call("PUT", "/v1/automation/settings", body)
        assert (reply.status, reply.json["enabled"]) == (200, False), reply.text
    assert api.call("PUT", "/v1/automation/settings", {"enabled": True}).json["enabled"] is True
    acts = column(database, "audit_log.act")
    assert acts == ["campaign_started", "automation_switched", "automation_switched"]
    operator = client(database, scene.workspace_id, Role.OPERATOR)
    operator.call("POST", "/v1/automation/toggle", {"enabled": False}).problem(403)


def test_a_batch_is_run_and_its_work_is_listed(api: Client, database: Database, scene: Scene, queues: Queues):
    """Broken, an operator could not have people taken who were known before the campaign, or see what became of it."""
    site(database, scene, people=2)
    campaign_id = automatic(api, scene)
    with database.worker() as conn:
        add_campaign(conn, scene.workspace_id, None, type=CampaignType.FULLY_AUTOMATED, status=CampaignStatus.DRAFT)
    queues.take_all()
    shown = api.post("/v1/automation/run", {"dry_run": True})
    assert (len(shown["queued"]), column(database, "jobs.id")) == (2, [])
    done = api.post("/v1/automation/run", {"campaign_id": campaign_id, "limit": 1})
    assert len(done["queued"]) == 1
    assert done["next_cursor"] == done["queued"][0]["contact_id"]
    assert [message["type"] for message in queues.take("campaign-creation")] == ["plan.wanted"]
    (job,) = api.get(f"/v1/automation/jobs?campaign_id={campaign_id}")["items"]
    assert (job["status"], job["contact_id"]) == ("QUEUED", done["queued"][0]["contact_id"])
    assert job["waits_for"].startswith("its turn, until ")
    assert api.get("/v1/automation/jobs?status=FAILED")["items"] == []


def test_no_batch_without_a_campaign(api: Client, scene: Scene):
    """Broken, the answer would be an empty list, and nobody would know why."""
    assert set(api.call("POST", "/v1/automation/run", {}).problem(409)) == {"/campaign_id"}
    other = {"campaign_id": str(scene.campaign_id)}
    assert set(api.call("POST", "/v1/automation/run", other).problem(409)) == {"/campaign_id"}
    api.call("POST", "/v1/automation/run", {"campaign_id": str(uuid4())}).problem(404)
