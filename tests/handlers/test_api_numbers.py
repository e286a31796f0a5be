"""What an operator is told in figures: what lies ahead, what became of it, and what came of it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event, text, update
from sqlalchemy.engine import URL, Engine

from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import EnrolmentId
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import ActionKind, CampaignStatus, EnrolmentStatus
from cadenza.delivery.outcomes import record
from cadenza.engine.apply import apply
from cadenza.engine.model import Due, Enrol, Sent
from functions.api.handler import office
from tests.handlers.api_client import Client, client, environment
from tests.handlers.conftest import Queues
from tests.store.builders import NOW, Scene, add_campaign, add_contact, add_enrolment, add_scene
from tests.store.reacting import reported

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOBODY = "00000000-0000-7000-8000-000000000001"
STEPS: Mapping[str, Any] = {
    "version": "1.1",
    "timezone": "UTC",
    "startNodeId": "intro",
    "nodes": [
        {
            "id": name,
            "action": "send",
            "subject": "Hello",
            "body": "Hello",
            "schedule": {"delay": "P2D" if to != "second" else "PT0S"},
            "transitions": [{"on": "no_reply", "to": to, "after": "PT0S"}],
        }
        for name, to in (("intro", "second"), ("second", "third"), ("third", "stop"))
    ],
}
"""As a workflow of three steps, two days apart."""
ENROLMENT = "SELECT id FROM contact_campaigns"


@pytest.fixture
def scene(database: Database) -> Scene:
    """A draft of a campaign with three steps."""
    with database.worker() as conn:
        return add_scene(conn, campaign={"status": CampaignStatus.DRAFT}, plan=STEPS)


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


def add_people(database: Database, scene: Scene, count: int, *, begin: datetime | None = None) -> list[str]:
    """Enrolments, drafts unless they are to ``begin``; the oldest first."""
    draft = {"status": EnrolmentStatus.DRAFT, "current_node": "", "visit": 0, "entered_at": None}
    with database.worker() as conn:
        ids = [
            add_enrolment(
                conn,
                scene.workspace_id,
                scene.campaign_id,
                add_contact(conn, scene.workspace_id),
                scene.plan_id,
                **draft,
            )
            for _ in range(count)
        ]
        if begin is not None:
            apply(conn, [(one, Enrol()) for one in ids], begin)
    return [str(one) for one in ids]


def schedule(api: Client, scene: Scene, query: str = "") -> list[dict[str, Any]]:
    """The items of a campaign's schedule."""
    return api.get(f"/v1/campaigns/{scene.campaign_id}/schedule{query}")["items"]


def counts(api: Client, scene: Scene) -> dict[str, int]:
    """What became of a campaign's messages, without zeros."""
    detail = api.get(f"/v1/campaigns/{scene.campaign_id}")
    names = ("emails_scheduled", "sent", "failed", "skipped", "remaining", "not_reached")
    return {name: detail[name] for name in names if detail[name]}


# --- what lies ahead ---------------------------------------------------------------------------------------------


def test_every_mail_is_visible_before_the_start(api: Client, database: Database, scene: Scene):
    """Broken, an operator would have to start a campaign to see what it will do."""
    first, second = add_people(database, scene, 2)
    page = api.get(f"/v1/campaigns/{scene.campaign_id}/schedule")
    assert (page["status"], page["note"]) == ("draft", "the campaign has not begun: as if it began at once")
    shown = [(item["enrolment_id"], item["step"], item["node"], item["state"]) for item in page["items"]]
    ways = [(1, "intro", "planned"), (2, "second", "planned"), (3, "third", "planned")]
    assert shown == [(one, *step) for one in (second, first) for step in ways]
    begins = datetime.fromisoformat(page["as_of"])
    planned = [datetime.fromisoformat(item["planned_at"]) - begins for item in page["items"][:3]]
    assert planned == [timedelta(), 2 * DAY, 4 * DAY]
    assert counts(api, scene) == {"emails_scheduled": 6, "remaining": 6}
    # A start that is set is the start that is taken.
    starts_at = begins.replace(microsecond=0) + 30 * DAY
    with database.worker() as conn:
        conn.execute(update(tables.campaigns).values(starts_at=starts_at))
    assert datetime.fromisoformat(schedule(api, scene)[0]["planned_at"]) == starts_at


def test_the_schedule_follows_what_happens(api: Client, database: Database, scene: Scene):
    """Broken, a sent mail would still be planned, or mails to somebody who has answered would."""
    with database.worker() as conn:
        conn.execute(update(tables.campaigns).values(status=CampaignStatus.RUNNING))
        message_id = scene.add_message(conn, status="sent", sent_at=NOW)
        apply(conn, [(EnrolmentId(conn.execute(text(ENROLMENT)).scalar_one()), Sent("intro", 1, NOW))], NOW)
    add_people(database, scene, 1, begin=NOW)
    due, sent = ["due", "planned", "planned"], ["sent", "planned", "planned"]
    assert [item["state"] for item in schedule(api, scene)] == [*due, *sent]
    assert counts(api, scene) == {"emails_scheduled": 6, "sent": 1, "remaining": 5}
    with database.worker() as conn:
        record(conn, [reported(message_id, SignalKind.REPLIED, NOW + HOUR)], NOW + HOUR)
    stopped = [item for item in schedule(api, scene) if item["message_id"] or item["state"] == "not_reached"]
    assert [item["state"] for item in stopped] == ["sent", "not_reached", "not_reached"]
    assert stopped[1]["planned_at"] is None
    assert stopped[1]["reason"] == "the enrolment is stopped: replied"
    assert counts(api, scene) == {"emails_scheduled": 4, "sent": 1, "remaining": 3, "not_reached": 2}


def test_a_pause_is_told_and_what_it_makes_stale_is_skipped(api: Client, database: Database, scene: Scene):
    """Broken, an operator would wait for mails that a pause holds, or miss that it has cost some."""
    with database.worker() as conn:
        conn.execute(update(tables.campaigns).values(status=CampaignStatus.RUNNING))
    add_people(database, scene, 1, begin=NOW)
    path = f"/v1/campaigns/{scene.campaign_id}"
    api.post(f"{path}/pause", {"reason": "wrong price"})
    page = api.get(f"{path}/schedule")
    assert page["note"].startswith("the campaign is paused: wrong price")
    assert [item["state"] for item in page["items"]] == ["due", "planned", "planned"]
    api.post(f"{path}/resume", {"policy": "skip_stale"})
    run_due(database)
    assert counts(api, scene) == {"emails_scheduled": 1, "skipped": 1, "not_reached": 2}
    assert [item["state"] for item in schedule(api, scene)] == ["skipped", "not_reached", "not_reached"]
    assert schedule(api, scene, "?state=skipped")[0]["reason"] == "it came due while the campaign was paused"
    assert api.get("/v1/reports/funnel?by=step")["total"]["skipped"] == 1


def run_due(database: Database) -> None:
    """The engine runs every action that is due by now."""
    with database.worker() as conn:
        due = conn.execute(text("SELECT enrolment_id, kind, node, visit, event, due_at FROM scheduled_actions")).all()
        apply(conn, [(one.enrolment_id, Due(ActionKind(one.kind), *one[2:])) for one in due], datetime.now(UTC))


def test_a_schedule_is_filtered_and_paged(api: Client, database: Database, scene: Scene):
    """Broken, nobody could find one person's next mail among ten thousand."""
    people = add_people(database, scene, 3)
    assert [item["enrolment_id"] for item in schedule(api, scene, "?step=2")] == people[::-1]
    own = schedule(api, scene, f"?enrolment_id={people[0]}")
    assert {item["enrolment_id"] for item in own} == {people[0]}
    by_contact = schedule(api, scene, f"?contact_id={own[0]['contact']['id']}")
    assert [item["enrolment_id"] for item in by_contact] == people[:1] * 3
    assert len(schedule(api, scene, "?state=planned")) == 9
    assert schedule(api, scene, "?state=sent") == []
    later = (datetime.now(UTC) + 3 * DAY).isoformat().replace("+00:00", "Z")
    assert {item["step"] for item in schedule(api, scene, f"?since={later}")} == {3}
    assert {item["step"] for item in schedule(api, scene, f"?until={later}")} == {1, 2}
    page = api.get(f"/v1/campaigns/{scene.campaign_id}/schedule?limit=2")
    assert [item["enrolment_id"] for item in page["items"][::3]] == people[:0:-1]
    rest = api.get(f"/v1/campaigns/{scene.campaign_id}/schedule?limit=2&cursor={page['next_cursor']}")
    assert [item["enrolment_id"] for item in rest["items"][::3]] == people[:1]
    assert rest["next_cursor"] is None
    assert set(api.call("GET", f"/v1/campaigns/{scene.campaign_id}/schedule?state=lost").problem(400)) == {"/state"}
    api.call("GET", f"/v1/campaigns/{NOBODY}/schedule").problem(404)


def test_size_costs_no_statement(api: Client, database: Database, scene: Scene):
    """Broken, a page of fifty people would be fifty pages' work."""
    needed: list[int] = []
    for more in (1, 40):
        add_people(database, scene, more)
        schedule(api, scene)  # plans are known from now on
        needed.append(statements(lambda: schedule(api, scene)))
    assert len(set(needed)) == 1
    assert needed[0] <= 12


def statements(do: Callable[[], object]) -> int:
    """How many statements the function sends."""
    sent: list[str] = []
    engine: Engine = office().database.engine

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    do()
    event.remove(engine, "before_cursor_execute", note)
    return len(sent)


# --- what came of it ---------------------------------------------------------------------------------------------


@pytest.fixture
def told(database: Database, scene: Scene) -> Scene:
    """Eight messages, each with a fate of its own; the last two went to one person, by another campaign too."""
    with database.worker() as conn:
        conn.execute(update(tables.campaigns).values(status=CampaignStatus.RUNNING, name="=HYPERLINK(spring)"))
        sent = {"status": "sent", "sent_at": NOW}
        answered, opened, bounced, scanned, softly = (scene.add_message(conn, **sent) for _ in range(5))
        scene.add_message(conn, status="failed", finished_at=NOW)
        scene.add_message(conn, status="skipped", finished_at=NOW)
        scene.add_message(conn)
        human = {"grade": Grade.HUMAN}
        signals = [
            reported(answered, SignalKind.DELIVERED, NOW),
            reported(answered, SignalKind.REPLIED, NOW + 30 * HOUR, **human),
            reported(answered, SignalKind.REPLIED, NOW + 40 * HOUR, **human),
            reported(opened, SignalKind.DELIVERED, NOW),
            *(reported(opened, SignalKind.OPENED, NOW + n * HOUR, **human) for n in (1, 2, 3)),
            reported(opened, SignalKind.CLICKED, NOW + 4 * HOUR, **human),
            reported(opened, SignalKind.UNSUBSCRIBED, NOW + 5 * HOUR),
            reported(bounced, SignalKind.BOUNCED, NOW, hard=True),
            reported(scanned, SignalKind.OPENED, NOW + HOUR, grade=Grade.MACHINE),
            reported(scanned, SignalKind.REPLIED, NOW + HOUR, grade=Grade.MACHINE),
            reported(softly, SignalKind.BOUNCED, NOW, hard=False),
            reported(softly, SignalKind.COMPLAINED, NOW + 3 * HOUR),
        ]
        record(conn, signals, NOW + 48 * HOUR)
        other = Scene(
            scene.workspace_id,
            scene.sender_id,
            add_campaign(conn, scene.workspace_id, scene.sender_id, name="Autumn"),
            scene.plan_id,
        )
        contact_id = conn.execute(
            text("SELECT contact_id FROM outbound_messages WHERE id = :id"), {"id": answered}
        ).scalar_one()
        late = NOW + timedelta(hours=13, minutes=30)  # 23:30 in UTC, the next day in Berlin
        second = other.add_message(conn, contact_id=contact_id, status="sent", sent_at=late)
        record(conn, [reported(second, SignalKind.REPLIED, late + HOUR / 2, **human)], late + HOUR)
    return scene


@pytest.mark.usefixtures("told")
def test_a_funnel_counts_each_message_and_each_person_once(api: Client):
    """Broken, an operator would believe in more answers than there are, or in machines."""
    report = api.get("/v1/reports/funnel")
    figures = {name: value for name, value in report["total"].items() if value and not name.endswith("rate")}
    assert figures == {
        "planned": 9,
        "waiting": 1,
        "failed": 1,
        "skipped": 1,
        "sent": 6,
        "delivered": 5,
        "arrived": 5,
        "bounced_hard": 1,
        "bounced_soft": 1,
        "opened": 3,
        "opened_by_machine": 1,
        "clicked": 1,
        "replied": 2,
        "replied_by_machine": 1,
        "complained": 1,
        "unsubscribed": 1,
        "people": 5,
        "people_opened": 2,
        "people_clicked": 1,
        "people_replied": 1,
        "people_unsubscribed": 1,
    }
    rates = {name: value for name, value in report["total"].items() if name.endswith("rate")}
    assert rates == {
        "delivery_rate": 0.833333,
        "bounce_rate": 0.166667,
        "open_rate": 0.6,
        "click_rate": 0.2,
        "reply_rate": 0.4,
        "complaint_rate": 0.2,
        "unsubscribe_rate": 0.2,
        "people_reply_rate": 0.2,
    }
    lines = {line["label"]: (line["planned"], line["sent"], line["replied"]) for line in report["items"]}
    assert lines == {"=HYPERLINK(spring)": (8, 5, 1), "Autumn": (1, 1, 1)}


def test_a_funnel_is_of_what_was_asked_for(api: Client, told: Scene):
    """Broken, a report on one campaign or week would be one on others, or on somebody else's days."""

    def asked(query: str) -> list[tuple[str, str, int]]:
        items = api.get(f"/v1/reports/funnel?{query}")["items"]
        return [(item["key"], item["label"], item["sent"]) for item in items]

    assert asked(f"campaign_id={told.campaign_id}&by=step") == [("1", "intro", 5)]
    assert asked("by=day") == [("2026-01-13", "", 6)]
    assert asked("by=day&zone=Europe/Berlin") == [("2026-01-13", "", 5), ("2026-01-14", "", 1)]
    assert asked("by=day&zone=Europe/Berlin&since=2026-01-14") == [("2026-01-14", "", 1)]
    assert asked("by=day&until=2026-01-12") == []
    ((sender, _, sent),) = asked("by=sender")
    assert (sender, sent) == (str(told.sender_id), 6)
    ((plan, _, sent),) = asked("by=version")
    assert (plan, sent) == (str(told.plan_id), 6)
    api.call("GET", f"/v1/reports/funnel?campaign_id={NOBODY}").problem(404)
    bad = api.call("GET", "/v1/reports/funnel?zone=Europe/Nowhere&since=2026-02-01&until=2026-01-01").problem(400)
    assert set(bad) == {"/zone", "/since"}
    assert set(api.call("GET", "/v1/reports/funnel?until=9999-12-31").problem(400)) == {"/until"}


@pytest.mark.usefixtures("told")
def test_a_sheet_runs_nothing(api: Client):
    """Broken, a campaign's name would be a formula in the spreadsheet of whoever opens the report."""
    reply = api.call("GET", "/v1/reports/funnel?format=csv")
    assert reply.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    assert [(row["label"], row["sent"], row["reply_rate"]) for row in rows] == [
        ("'=HYPERLINK(spring)", "5", "0.25"),
        ("Autumn", "1", "1.0"),
    ]
    assert list(rows[0])[:3] == ["key", "label", "planned"]


def test_how_long_people_take_to_answer(api: Client, told: Scene):
    """Broken, an operator would follow up before people had the time to answer."""
    report = api.get("/v1/reports/time-to-reply")
    assert (report["replies"], report["median_s"], report["p90_s"]) == (2, 54_900.0, 97_380.0)
    assert [(bar["from_s"], bar["to_s"], bar["replies"]) for bar in report["items"] if bar["replies"]] == [
        (0, 3600, 1),
        (86_400, 172_800, 1),
    ]
    own = api.get(f"/v1/reports/time-to-reply?campaign_id={told.campaign_id}")
    assert (own["replies"], own["median_s"]) == (1, 30 * 3600.0)
    nothing = api.get("/v1/reports/time-to-reply?until=2026-01-01")
    assert (nothing["replies"], nothing["median_s"], nothing["items"]) == (0, None, [])
    sheet = api.call("GET", "/v1/reports/time-to-reply?format=csv").text
    assert sheet.splitlines()[:2] == ["from_s,to_s,replies", "0,3600,1"]
