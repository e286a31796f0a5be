"""An operator's day: a sender, a campaign, its start, its pauses, and what it tells of itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.engine import URL

from cadenza.campaigns.timeline import timeline
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.messages import Grade, SignalKind, SignalReported
from cadenza.core.states import CampaignStatus, EnrolmentStatus, MessageStatus
from cadenza.delivery.outcomes import record
from cadenza.engine.apply import apply
from cadenza.engine.model import Sent
from tests.handlers.api_client import Client, client, column, environment
from tests.handlers.conftest import Queues
from tests.store.builders import NOW, Scene, add_contact, add_enrolment, add_scene

SENDER = {
    "name": "Ada Sender",
    "email": "ada@tidewater.example",
    "company": "Tidewater Routing (fictional)",
    "postal_address": "1 Quay, Hamburg",
}
BRIEF = {"offering": "We plan delivery routes."}


@pytest.fixture
def scene(database: Database) -> Scene:
    """A workspace with a sender and a campaign that is still a draft."""
    with database.worker() as conn:
        return add_scene(conn, campaign={"status": CampaignStatus.DRAFT})


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


def add_draft(database: Database, scene: Scene) -> None:
    """Somebody who was planned for before the campaign's start."""
    with database.worker() as conn:
        contact_id = add_contact(conn, scene.workspace_id)
        draft = {"status": EnrolmentStatus.DRAFT, "current_node": "", "visit": 0, "entered_at": None}
        add_enrolment(conn, scene.workspace_id, scene.campaign_id, contact_id, scene.plan_id, **draft)


def test_a_campaign_is_made_and_started(api: Client):
    """Broken, nobody could begin. What was said is shown as it was said."""
    sender = api.post("/v1/senders", SENDER)
    campaign = api.post("/v1/campaigns", {"name": "Spring", "sender_id": sender["id"], "brief": BRIEF})
    assert (campaign["status"], campaign["brief"]["offering"]) == ("draft", BRIEF["offering"])
    api.post("/v1/leads", {"url": "harbour-kitchens.example", "campaign_id": campaign["id"]})
    started = api.post(f"/v1/campaigns/{campaign['id']}/start")
    assert started["status"] == "running"
    assert datetime.fromisoformat(started["started_at"])
    assert [found["id"] for found in api.get("/v1/campaigns?status=running")["items"]] == [campaign["id"]]


def test_a_start_names_everything_that_is_missing_at_once(api: Client):
    """Broken, an operator would mend one thing after another."""
    campaign = api.post("/v1/campaigns", {"name": "Spring", "brief": {"offering": ""}})
    missing = api.call("POST", f"/v1/campaigns/{campaign['id']}/start").problem(409)
    assert set(missing) == {"/sender_id", "/brief/offering", ""}
    assert "nobody to write to" in missing[""]


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"brief": BRIEF}, "/name"),
        ({"name": "Spring"}, "/brief"),
        ({"name": "Spring", "brief": BRIEF | {"cadence": {"no_open_after": "soon"}}}, "/brief/cadence"),
        ({"name": "Spring", "brief": BRIEF | {"ofering": "typo"}}, "/brief/ofering"),
        ({"name": "Spring", "brief": BRIEF, "sender_id": str(uuid4())}, "/sender_id"),
    ],
)
def test_a_malformed_campaign_is_refused_and_its_field_named(api: Client, body: Any, pointer: str):
    """Broken, the caller would have to guess what is wrong."""
    assert set(api.call("POST", "/v1/campaigns", body).problem(400)) == {pointer}


@pytest.mark.parametrize(
    ("sender", "says"),
    [
        ({"postal_address": " "}, "postal address"),
        ({"name": "", "company": " "}, "neither a name nor a company"),
        ({"email": "ada@gmail.com"}, "but its own provider"),
        ({"email": "ada@@tidewater"}, "no address that mail can be sent from"),
        ({"reply_to": "nobody"}, "no address that answers can reach"),
    ],
)
def test_nothing_starts_without_what_the_law_and_the_receivers_want(
    api: Client, database: Database, scene: Scene, sender: dict[str, str], says: str
):
    """Broken, a campaign would begin whose mails are unlawful, or refused everywhere."""
    with database.worker() as conn:
        conn.execute(update(tables.sender_identities).values(**sender))
    missing = api.call("POST", f"/v1/campaigns/{scene.campaign_id}/start").problem(409)
    assert says in missing["/sender_id"]


def test_nothing_starts_whose_opt_out_leads_nowhere(
    queues: Queues,  # noqa: ARG001
    database_url: URL,
    database: Database,
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
):
    """Broken, people could not unsubscribe, and the law wants that they can."""
    monkeypatch.setenv("PUBLIC_URL", "http://go.cadenza.example")
    with environment(database_url, monkeypatch):
        reply = client(database, scene.workspace_id).call("POST", f"/v1/campaigns/{scene.campaign_id}/start")
    assert "opt-out" in reply.problem(409)[""]


def test_an_address_sends_under_one_name(api: Client):
    """Broken, one address would have two daily caps."""
    api.post("/v1/senders", SENDER)
    assert set(api.call("POST", "/v1/senders", SENDER).problem(409)) == {"/email"}


def test_people_who_waited_for_the_start_get_their_mail(api: Client, queues: Queues, database: Database, scene: Scene):
    """Broken, contacts planned for before the start would never be written to."""
    add_draft(database, scene)
    api.post(f"/v1/campaigns/{scene.campaign_id}/start")
    assert column(database, "contact_campaigns.status") == ["active"]
    (hint,) = queues.take("campaign-execution")
    assert hint["action_ids"] == column(database, "scheduled_actions.id")


def test_a_start_that_is_committed_is_answered_though_sqs_is_down(
    api: Client, queues: Queues, database: Database, scene: Scene
):
    """Broken, the caller would try again and be told that the campaign is running."""
    add_draft(database, scene)
    queues.destroy("campaign-execution")
    assert api.post(f"/v1/campaigns/{scene.campaign_id}/start")["status"] == "running"


def test_pause_resume_and_cancel(api: Client, database: Database, scene: Scene):
    """Broken, an operator could not stop what goes wrong."""
    path = f"/v1/campaigns/{scene.campaign_id}"
    with database.worker() as conn:
        scene.add_message(conn)
    api.post(f"{path}/start")
    paused = api.post(f"{path}/pause", {"reason": "wrong price"})
    assert (paused["status"], paused["status_reason"]) == ("paused", "wrong price")
    outlooks = {one["policy"]: one for one in api.get(f"{path}/resume/preview")["outlooks"]}
    assert [outlooks[policy][what] for policy, what in (("keep", "sends_now"), ("skip_stale", "sends_dropped"))] == [
        1,
        1,
    ]
    api.call("POST", f"{path}/resume", {"policy": "later"}).problem(400)
    assert api.post(f"{path}/resume", {"policy": "keep"})["status"] == "running"
    api.call("GET", f"{path}/resume/preview").problem(409)
    cancelled = api.post(f"{path}/cancel")
    assert cancelled["status"] == "cancelled"
    assert cancelled["counts"]["enrolments"] == {"stopped": 1}
    assert cancelled["counts"]["messages"] == {"skipped": 1}


@pytest.mark.parametrize("action", ["pause", "resume"])
def test_what_the_state_does_not_allow_is_refused(api: Client, scene: Scene, action: str):
    """Broken, pressing a button twice would do something else the second time."""
    api.call("POST", f"/v1/campaigns/{scene.campaign_id}/{action}").problem(409)


@pytest.mark.parametrize("action", ["start", "pause", "resume", "cancel"])
def test_an_unknown_campaign_is_not_found(api: Client, action: str):
    """Broken, a typing error would look like a success."""
    api.call("POST", f"/v1/campaigns/{uuid4()}/{action}").problem(404)


def test_a_malformed_id_is_named(api: Client):
    """Broken, a client that builds wrong paths would be told that things are gone."""
    assert set(api.call("GET", "/v1/campaigns/spring").problem(400)) == {"/campaign_id"}


def test_lists_go_on_where_a_page_ends(api: Client):
    """Broken, what lies beyond the first page could not be seen, or would be seen twice."""
    made = [api.post("/v1/campaigns", {"name": f"No {n}", "brief": BRIEF})["id"] for n in range(4)]
    seen: list[str] = []
    target, pages = "/v1/campaigns?limit=2", 0
    while True:
        page = api.get(target)
        seen += [campaign["id"] for campaign in page["items"]]
        pages += 1
        if page["next_cursor"] is None:
            break
        target = f"/v1/campaigns?limit=2&cursor={page['next_cursor']}"
    assert seen[:4] == made[::-1], "newest first"
    assert (len(seen), len(set(seen)), pages) == (5, 5, 3)


@pytest.mark.parametrize("query", ["limit=0", "limit=201", "limit=many", "cursor=x", "status=done", "limit=1,2"])
def test_a_malformed_parameter_is_named(api: Client, query: str):
    """Broken, a filter with a typing error would filter nothing."""
    assert set(api.call("GET", f"/v1/campaigns?{query}").problem(400)) == {"/" + query.partition("=")[0]}


def test_an_enrolment_tells_its_story(api: Client, database: Database, scene: Scene):
    """Broken, an operator could not see why nothing was sent, or why somebody was not written to again."""
    with database.worker() as conn:
        message_id = scene.add_message(conn, subject="An idea", status=MessageStatus.SENT, sent_at=NOW)
    (enrolment_id,) = column(database, "contact_campaigns.id")
    with database.worker() as conn:
        apply(conn, [(enrolment_id, Sent("intro", 1, NOW))], NOW)
        read_at = NOW + timedelta(minutes=2)
        opened = SignalReported(
            provider="ses", provider_event_id="1", message_id=message_id, kind=SignalKind.OPENED, occurred_at=read_at
        )
        machine = opened.model_copy(
            update={"provider_event_id": "0", "grade": Grade.MACHINE, "grade_reasons": ("opened within 1 s",)}
        )
        record(conn, [machine, opened], read_at)
    told = api.get(f"/v1/enrolments/{enrolment_id}/timeline")["items"]
    kinds = [entry["kind"] for entry in told]
    assert sorted(told, key=lambda entry: entry["at"]) == told
    assert kinds.count("signal") == 2
    by_kind = {entry["kind"]: entry for entry in told}
    assert by_kind["sent"]["detail"]["subject"] == "An idea"
    assert [e["why"] for e in told if e["kind"] == "signal" and e["detail"]["grade"] == "machine"] == [
        ["opened within 1 s", "machine"]
    ]
    assert by_kind["planned"]["detail"]["action"] == "no_open"
    assert by_kind["dropped"]["detail"]["action"] == "no_open"
    assert by_kind["moved"]["detail"] == {"from": "intro", "to": "end"}
    assert by_kind["moved"]["why"][0] == "opened"
    assert (kinds[-1], by_kind["ended"]["detail"]) == ("ended", {"status": "completed"})
    shown = api.get(f"/v1/enrolments/{enrolment_id}")
    assert (shown["status"], shown["next_due_at"]) == ("completed", None)
    assert [message["subject"] for message in shown["messages"]] == ["An idea"]
    assert api.get(f"/v1/plans/{shown['plan_id']}")["plan"]["startNodeId"] == "intro"
    (listed,) = api.get(f"/v1/enrolments?campaign_id={scene.campaign_id}&status=completed")["items"]
    assert listed["contact"]["name"] == "Grace Hopper"


def test_what_lies_ahead_is_told_last(api: Client, database: Database, scene: Scene):
    """Broken, nobody could see when the next mail is due, and why then."""
    with database.worker() as conn:
        scene.add_message(conn, status=MessageStatus.SENT, sent_at=NOW)
    (enrolment_id,) = column(database, "contact_campaigns.id")
    with database.worker() as conn:
        apply(conn, [(enrolment_id, Sent("intro", 1, NOW))], NOW)
        entries = timeline(conn, enrolment_id)
    assert (entries[-1].kind, entries[-1].detail) == ("ahead", {"action": "no_open"})
    due_at = datetime.fromisoformat(api.get(f"/v1/enrolments/{enrolment_id}")["next_due_at"])
    assert entries[-1].at == due_at > NOW


def test_the_timeline_of_a_message_that_was_not_sent_says_why(api: Client, database: Database, scene: Scene):
    """Broken, "why did she get no mail?" would have no answer."""
    with database.worker() as conn:
        skipped = {"status": MessageStatus.SKIPPED, "finished_at": NOW, "reason": "suppressed"}
        scene.add_message(conn, **skipped)
    (enrolment_id,) = column(database, "contact_campaigns.id")
    told = api.get(f"/v1/enrolments/{enrolment_id}/timeline")["items"]
    (entry,) = [entry for entry in told if entry["kind"] == "not_sent"]
    assert (entry["detail"], entry["why"]) == ({"status": "skipped"}, ["suppressed"])
