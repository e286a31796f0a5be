"""How an operator sees that something is wrong, and what they can do about it: health, retries, dead letters, audit."""

from __future__ import annotations

import gc
import json
import socket
import time
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import boto3
import pytest
from sqlalchemy import update
from sqlalchemy.engine import URL

from cadenza.api.app import build
from cadenza.core import ai_breaker, heartbeats, jobs, tables
from cadenza.core.clock import utc_now
from cadenza.core.db import DRIVER, Database, connect
from cadenza.core.heartbeats import Heartbeat
from cadenza.core.ids import SYSTEM_WORKSPACE, ContactId, LeadId, new_id
from cadenza.core.messages import ActionsDue, CrawlWanted, MailNature, MailReceived, PlanWanted, SendWanted, Sweep
from cadenza.core.settings import DatabaseSettings
from cadenza.core.states import JobStatus, MessageStatus, Role
from cadenza.engine.wakes import bucket_of, name_of
from cadenza.operations.health import health
from functions.api.handler import office
from tests.handlers.api_client import RECORDED, Client, client, column, environment
from tests.handlers.conftest import LambdaContext, Queues
from tests.store.builders import NOW, Scene, add_contact, add_lead, add_scene, add_workspace

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
HEALTH = "/v1/automation/health"


@pytest.fixture
def scene(database: Database) -> Scene:
    """A workspace with a running campaign."""
    with database.worker() as conn:
        return add_scene(conn)


@pytest.fixture
def api(
    queues: Queues,  # noqa: ARG001 - the environment
    database_url: URL,
    database: Database,
    scene: Scene,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Client]:
    """The scene's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


@pytest.fixture
def stranger(api: Client, database: Database) -> Client:  # noqa: ARG001 - the environment
    """The admin of another workspace."""
    with database.worker() as conn:
        workspace_id = add_workspace(conn)
    return client(database, workspace_id)


@pytest.fixture
def installer(api: Client, database: Database) -> Client:  # noqa: ARG001 - the environment
    """Whoever runs the installation."""
    return client(database, SYSTEM_WORKSPACE)


# --- health ------------------------------------------------------------------------------------------------------


def reasons(found: Any) -> list[tuple[str, str]]:
    """What is not well, and how bad that is."""
    return [(reason["what"], reason["verdict"]) for reason in found["reasons"]]


def test_an_idle_installation_is_well(api: Client, database: Database):
    """Broken, an installation that has nothing to do would ring alarms all night."""
    with database.worker() as conn:
        heartbeats.write(conn, Heartbeat("send", utc_now() - 30 * DAY, {"done": 1, "received": 1}))
    found = api.get(HEALTH)
    assert (found["verdict"], found["reasons"], found["overdue"]) == ("ok", [], [])
    assert [queue["name"] for queue in found["queues"]][-1] == "message-send"
    assert found["database"]["schema_version"] == found["database"]["schema_wanted"]
    (send,) = [worker for worker in found["workers"] if worker["worker"] == "send"]
    assert (send["silent"], send["detail"]) == (False, {"done": 1, "received": 1})
    assert send["age_s"] > 29 * DAY.total_seconds()


def test_each_trouble_is_named_with_what_to_do(api: Client, database: Database, queues: Queues, scene: Scene):
    """Broken, an operator would learn from customers that work waits, is dead, or will not be woken."""
    now = utc_now()
    with database.worker() as conn:
        heartbeats.write(conn, Heartbeat("plan", now - MINUTE, {}))
        work = jobs.planning(scene.workspace_id, scene.campaign_id, ContactId(new_id()))
        jobs.enqueue(conn, [work], now - HOUR)
        jobs.enqueue(conn, [jobs.crawl(scene.workspace_id, LeadId(new_id()))], now - 5 * MINUTE)
        for _ in range(ai_breaker.FAILURES_TO_OPEN):
            ai_breaker.note_failure(conn, "api.openai.com", "503", now, trial=False)
        scene.add_message(conn, status=MessageStatus.SENDING, lease_until=now - HOUR, due_at=now - 2 * HOUR)
        scene.add_message(conn, due_at=now + DAY)
    queues.client.send_message(QueueUrl=queues.dead_letters["lead-analysis"], MessageBody="x")

    found = api.get(HEALTH)

    assert found["verdict"] == "degraded"
    assert sorted(reasons(found)) == [
        ("api.openai.com", "degraded"),
        ("lead-analysis", "degraded"),
        ("next wake", "degraded"),
        ("plan", "degraded"),
        ("send", "degraded"),
    ]
    assert all(reason["detail"] and reason["steps"] for reason in found["reasons"])
    assert {(late["work"], late["amount"]) for late in found["overdue"]} == {("planning", 1), ("attempt", 1)}
    figures = {queue["name"]: queue for queue in found["queues"]}
    assert figures["lead-analysis"]["dead"] == 1
    assert figures["campaign-creation"]["oldest_overdue_s"] >= HOUR.total_seconds()
    assert figures["engagement-events"]["oldest_overdue_s"] is None

    # When the wake is there.
    bucket = bucket_of(now + DAY)
    assert found["next_wake"]["exists"] is False
    boto3.client("scheduler").create_schedule(
        GroupName="cadenza",
        Name=name_of(bucket),
        ScheduleExpression=f"at({bucket:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": "arn:aws:sqs:eu-central-1:123456789012:campaign-execution", "RoleArn": "arn:aws:iam::1:role/x"},
    )
    assert api.get(HEALTH)["next_wake"]["exists"] is True


def test_a_function_that_lets_work_lie_is_down(api: Client, stranger: Client, installer: Client, scene: Scene):
    """Broken, a function without an event source would look like one that has nothing to do. Each sees its own work."""
    with office().installation.database.workspace(scene.workspace_id) as conn:
        jobs.enqueue(conn, [jobs.crawl(scene.workspace_id, LeadId(new_id()))], utc_now() - HOUR)
    for caller in (api, installer):
        reply = caller.call("GET", HEALTH)
        assert (reply.status, reply.json["verdict"], reasons(reply.json)) == (503, "down", [("analyze", "down")])
        assert reply.headers["retry-after"] == "60"
    assert stranger.get(HEALTH)["overdue"] == []


def test_what_waits_by_design_is_not_overdue(api: Client, database: Database, scene: Scene):
    """Broken, every paused campaign would make the installation look broken."""
    now = utc_now()
    with database.worker() as conn:
        scene.add_message(conn, due_at=now - HOUR)
        conn.execute(update(tables.sender_identities).values(paused_at=now))
    assert api.get(HEALTH)["verdict"] == "ok"
    with database.worker() as conn:
        conn.execute(update(tables.sender_identities).values(paused_at=None))
    assert api.call("GET", HEALTH).json["verdict"] == "down"
    with database.worker() as conn:
        conn.execute(update(tables.campaigns).values(status="paused", paused_at=now))
    assert api.get(HEALTH)["verdict"] == "ok"


def test_without_sqs_it_is_down_and_says_so(api: Client, queues: Queues):
    """Broken, an outage of SQS would be answered by a timeout."""
    queues.destroy("message-send")
    reply = api.call("GET", HEALTH)
    assert (reply.status, reasons(reply.json)) == (503, [("message-send", "down")])
    assert reply.json["queues"][-1]["waiting"] is None


@pytest.fixture(params=["away", "hanging"])
def nowhere(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database that is not there, or takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        hanging = f"{DRIVER}://nobody@127.0.0.1:{silent.getsockname()[1]}/none"
        away = f"{DRIVER}://nobody@/none?unix_sock={tmp_path / 'none'}"
        url = away if request.param == "away" else hanging
        database = connect(DatabaseSettings(database_url=url), patience_s=0.2, timeout_s=0.5)
        yield database
        database.close()
        with warnings.catch_warnings():
            # pg8000 leaves the socket of a server that never answered to the collector.
            warnings.simplefilter("ignore", ResourceWarning)
            gc.collect()


def test_without_a_database_it_is_down_within_seconds(api: Client, nowhere: Database):  # noqa: ARG001 - the environment
    """Broken, a monitor would wait for half a minute, and be told nothing but that it failed."""
    app = build(replace(office(), installation=replace(office().installation, database=nowhere)))
    event = RECORDED | {"rawPath": HEALTH, "body": "", "headers": {"authorization": "Bearer cad_anybody"}}
    event["requestContext"] = RECORDED["requestContext"] | {"http": {"method": "GET", "path": HEALTH}}
    begun = time.monotonic()
    answer = app.resolve(event, LambdaContext())  # type: ignore[arg-type]
    found = json.loads(answer["body"])
    assert (answer["statusCode"], found["verdict"], reasons(found)) == (503, "down", [("database", "down")])
    assert answer["headers"]["retry-after"] == "60"
    assert (found["queues"], found["workers"]) == ([], []), "nobody knows who asks"
    assert time.monotonic() - begun < 5


def test_a_database_that_goes_away_in_between_is_down(api: Client, nowhere: Database):
    """Broken, a database that dies after the key was looked up would be answered 500."""
    seen = health(replace(office().installation, database=nowhere), api.workspace_id, utc_now())
    assert (seen.verdict, seen.database, seen.workers) == ("down", None, ())
    assert all(queue.waiting == 0 for queue in seen.queues), "the queues were asked nevertheless"


# --- retries -----------------------------------------------------------------------------------------------------


def test_what_failed_says_whether_and_when_it_is_tried_again(api: Client, database: Database, scene: Scene):
    """Broken, nobody would know which failures want somebody to act."""
    lead, now = LeadId(new_id()), utc_now()
    with database.worker() as conn:
        jobs.record(conn, [jobs.crawl(scene.workspace_id, lead)], JobStatus.FAILED, "no such site", NOW)
        nobody = jobs.no_contacts(scene.workspace_id, scene.campaign_id, lead)
        jobs.record(conn, [nobody], JobStatus.SKIPPED, "no contacts found", NOW)
        waits = jobs.analysis(scene.workspace_id, lead)
        jobs.enqueue(conn, [waits], NOW)
        begun = jobs.begin(conn, waits, NOW)
        assert isinstance(begun, jobs.Begun)
        jobs.put_back(conn, begun, "503", now + HOUR, failed=True)
        scene.add_message(conn, status=MessageStatus.FAILED, reason="550 no such user", finished_at=NOW)
        scene.add_message(conn, status=MessageStatus.FAILED, reason="unknown", finished_at=NOW)
        scene.add_message(conn, status=MessageStatus.SKIPPED, reason="suppressed", finished_at=NOW)
        scene.add_message(conn, status=MessageStatus.SENT)

    items = api.get("/v1/retries")["items"]
    found = {item["reason"]: item for item in items}

    assert {reason: (item["kind"], item["retry"]["eligible"]) for reason, item in found.items()} == {
        "no such site": ("crawl", True),
        "no contacts found": ("planning", False),
        "503": ("analysis", False),
        "550 no such user": ("message", False),
        "unknown": ("message", False),
        "suppressed": ("message", False),
    }
    assert all(item["retry"]["why_not"] for item in items if not item["retry"]["eligible"])
    waiting = found["503"]["retry"]
    assert (waiting["attempts_made"], waiting["attempt"]) == (1, 2)
    assert 3500 < waiting["delay_s"] <= 3600
    assert found["no such site"]["retry"]["next_attempt_at"] is None
    assert [item["reason"] for item in api.get("/v1/retries?eligible=true")["items"]] == ["no such site"]
    assert len(api.get(f"/v1/retries?kind=message&campaign_id={scene.campaign_id}")["items"]) == 3
    assert [item["kind"] for item in api.get("/v1/retries?reason=NO+SUCH+SITE")["items"]] == ["crawl"]
    first = api.get("/v1/retries?limit=4")
    rest = api.get(f"/v1/retries?limit=4&cursor={first['next_cursor']}")
    assert [item["id"] for item in first["items"] + rest["items"]] == [item["id"] for item in items]


def failed_jobs(database: Database, scene: Scene, count: int, reason: str) -> None:
    """Planning jobs that were skipped, and a crawl that failed, for the same reason."""
    works = [jobs.planning(scene.workspace_id, scene.campaign_id, ContactId(new_id())) for _ in range(count)]
    with database.worker() as conn:
        jobs.record(conn, works, JobStatus.SKIPPED, reason, NOW)
        jobs.record(conn, [jobs.crawl(scene.workspace_id, LeadId(new_id()))], JobStatus.FAILED, reason, NOW)


def test_all_of_a_reason_are_asked_for_again_one_by_one(
    api: Client, stranger: Client, database: Database, queues: Queues, scene: Scene
):
    """Broken, a day without budget would be mended job by job, or all at once, which would break the model again."""
    failed_jobs(database, scene, 3, "budget")
    failed_jobs(database, scene, 1, "unfit")
    wanted = {"status": "SKIPPED", "reason": "BUDGET", "campaign_id": str(scene.campaign_id), "limit": 2}
    assert stranger.post("/v1/jobs/retry", wanted)["count"] == 0

    found = api.post("/v1/jobs/retry", wanted)

    assert (found["count"], found["by_kind"], found["remaining"]) == (2, {"planning": 2}, 1)
    apart = datetime.fromisoformat(found["last_at"]) - datetime.fromisoformat(found["first_at"])
    assert apart == timedelta(seconds=5), "the workspace's stagger"
    queues.client.get_queue_attributes(QueueUrl=queues.urls["campaign-creation"], AttributeNames=["All"])
    assert len(api.get("/v1/jobs?status=QUEUED")["items"]) == 2
    assert len(api.get("/v1/jobs?status=SKIPPED")["items"]) == 2
    (record,) = api.get("/v1/audit?act=jobs_retried")["items"]
    assert (record["subject_id"], record["detail"]["count"]) == (str(scene.campaign_id), 2)
    assert api.post("/v1/jobs/retry", {"status": "FAILED", "kind": "analysis"})["count"] == 0
    assert "/status" in api.call("POST", "/v1/jobs/retry", {"status": "COMPLETED"}).problem(400)
    again = [message["type"] for message in queues.take("campaign-creation")]
    assert again[:1] == ["plan.wanted"], "the first goes at once"


def test_statistics_tell_whether_asking_again_helped(api: Client, database: Database, scene: Scene):
    """Broken, an operator would ask again for what never succeeds."""
    failed_jobs(database, scene, 4, "budget")
    api.post("/v1/jobs/retry", {"status": "SKIPPED"})
    ids = [UUID(job["id"]) for job in api.get("/v1/jobs?kind=planning")["items"]]
    ends = [(JobStatus.COMPLETED, ""), (JobStatus.COMPLETED, ""), (JobStatus.SKIPPED, "budget"), (JobStatus.QUEUED, "")]
    with database.worker() as conn:
        for id_, (status, reason) in zip(ids, ends, strict=True):
            ended = {"status": status, "reason": reason, "finished_at": utc_now()}
            conn.execute(update(tables.jobs).where(tables.jobs.c.id == id_).values(**ended))
    found = {(item["kind"], item["reason"]): item for item in api.get("/v1/retries/statistics")["items"]}
    budget = found["planning", "budget"]
    assert {name: budget[name] for name in ("failed", "retried", "succeeded", "failed_again", "pending")} == {
        "failed": 1,
        "retried": 4,
        "succeeded": 2,
        "failed_again": 1,
        "pending": 1,
    }
    assert budget["success_rate"] == pytest.approx(2 / 3)
    # Asked for once more, the earlier retry of it has failed for good.
    api.post("/v1/jobs/retry", {"status": "SKIPPED"})
    (budget,) = [item for item in api.get("/v1/retries/statistics")["items"] if item["kind"] == "planning"]
    assert (budget["retried"], budget["failed_again"], budget["pending"]) == (5, 1, 2)
    old = api.get(f"/v1/retries/statistics?since={NOW.isoformat().replace('+00:00', 'Z')}")["items"]
    assert ("crawl", 1) in {(item["kind"], item["failed"]) for item in old}


# --- dead letters ------------------------------------------------------------------------------------------------


class Dead:
    """What lies in the dead-letter queues: the scene's messages, and others'."""

    def __init__(self, queues: Queues) -> None:
        self._queues = queues

    def put(self, queue: str, body: str) -> str:
        """A message that has died; its id."""
        return self._queues.client.send_message(QueueUrl=self._queues.dead_letters[queue], MessageBody=body)[
            "MessageId"
        ]

    def left(self, queue: str) -> set[str]:
        """Bodies that can be received now."""
        url = self._queues.dead_letters[queue]
        got = self._queues.client.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
        return {message["Body"] for message in got.get("Messages", [])}


@pytest.fixture
def dead(queues: Queues) -> Dead:
    return Dead(queues)


def ids(found: Any) -> set[str]:
    return {item["message_id"] for item in found["items"]}


def test_dead_letters_are_read_and_stay(api: Client, installer: Client, dead: Dead, database: Database, scene: Scene):
    """Broken, whoever looks for the cause would take the evidence away."""
    with database.worker() as conn:
        lead_id = add_lead(conn, scene.workspace_id)
        jobs.record(conn, [jobs.crawl(scene.workspace_id, lead_id)], JobStatus.FAILED, "KeyError", NOW)
    body = CrawlWanted(workspace_id=scene.workspace_id, lead_id=lead_id).model_dump_json()
    mine = dead.put("lead-analysis", body)
    poison = [dead.put("lead-analysis", text) for text in ("not JSON", '{"type": "crawl.wanted", "version": 7}')]

    for _ in range(2):
        found = api.get("/v1/dlqs/lead-analysis/messages")
        assert (ids(found), found["complete"]) == ({mine}, True)
    (letter,) = found["items"]
    assert (letter["type"], letter["error"], letter["wrong"]) == ("crawl.wanted", "KeyError", [])
    assert letter["ids"] == {"leads": [str(lead_id)]}
    assert letter["body"] == json.loads(body)
    assert letter["receives"] >= 2
    assert datetime.fromisoformat(letter["first_received_at"]).tzinfo == UTC

    everything = installer.get("/v1/dlqs/lead-analysis/messages")
    assert ids(everything) == {mine, *poison}
    wrong = {item["message_id"]: item for item in everything["items"]}
    assert (wrong[poison[0]]["body"], wrong[poison[0]]["wrong"]) == ("not JSON", ["it is not JSON"])
    assert any(fault.startswith("crawl.wanted/version") for fault in wrong[poison[1]]["wrong"])
    assert {item["queue"]: item["depth"] for item in api.get("/v1/dlqs")["items"]}["lead-analysis"] == 3
    assert api.get("/v1/dlqs/lead-analysis/messages?limit=1")["complete"] is True
    assert installer.get("/v1/dlqs/lead-analysis/messages?limit=1")["complete"] is False
    assert "/queue" in api.call("GET", "/v1/dlqs/others/messages").problem(400)


def foreign(conn: Any, scene: Scene, other: Scene) -> list[tuple[str, str]]:
    """Messages of which not everything is the scene's."""
    mine, theirs = scene.add_message(conn), other.add_message(conn)
    contact = add_contact(conn, other.workspace_id)
    lead, own_lead = add_lead(conn, other.workspace_id), add_lead(conn, scene.workspace_id)
    planned = PlanWanted(workspace_id=scene.workspace_id, campaign_id=scene.campaign_id, contact_id=contact)
    mail = {"mail_id": "x", "nature": MailNature.REPLY, "occurred_at": NOW}
    return [
        ("lead-analysis", CrawlWanted(workspace_id=other.workspace_id, lead_id=lead).model_dump_json()),
        ("lead-analysis", CrawlWanted(workspace_id=scene.workspace_id, lead_id=lead).model_dump_json()),
        ("lead-analysis", CrawlWanted(workspace_id=scene.workspace_id, lead_id=LeadId(new_id())).model_dump_json()),
        ("lead-analysis", CrawlWanted(workspace_id=other.workspace_id, lead_id=own_lead).model_dump_json()),
        ("lead-analysis", Sweep().model_dump_json()),
        ("campaign-creation", planned.model_dump_json()),
        ("campaign-execution", ActionsDue(action_ids=(1, 2**70)).model_dump_json()),
        ("campaign-execution", ActionsDue(action_ids=()).model_dump_json()),
        ("engagement-events", MailReceived(**mail).model_dump_json()),
        ("engagement-events", MailReceived(**mail, about=theirs).model_dump_json()),
        ("message-send", SendWanted(message_ids=(mine, theirs)).model_dump_json()),
        ("message-send", "poison"),
    ]


def test_nobody_sees_or_moves_what_is_not_wholly_theirs(
    api: Client, installer: Client, dead: Dead, database: Database, queues: Queues, scene: Scene
):
    """Broken, one customer could read another's mails in a DLQ, or delete them (I9)."""
    with database.worker() as conn:
        other = add_scene(conn)
        letters = foreign(conn, scene, other)
        own = SendWanted(message_ids=(scene.add_message(conn),)).model_dump_json()
    put = [(queue, dead.put(queue, body)) for queue, body in letters]
    mine = dead.put("message-send", own)

    for queue in {queue for queue, _ in letters}:
        assert ids(api.get(f"/v1/dlqs/{queue}/messages")) == ({mine} if queue == "message-send" else set())
    for queue, id_ in put:
        found = api.post(f"/v1/dlqs/{queue}/redrive", {"message_ids": [id_]})
        assert (found["count"], found["not_found"]) == (0, [id_])
        found = api.post(f"/v1/dlqs/{queue}/purge", {"message_ids": [id_], "confirm": queue})
        assert (found["count"], found["not_found"]) == (0, [id_])
    assert column(database, "audit_log.act") == [], "nothing was done"

    assert api.post("/v1/dlqs/message-send/purge", {"all": True, "confirm": "message-send"})["message_ids"] == [mine]
    assert queues.take_all() == {}
    for queue in {queue for queue, _ in letters}:
        assert ids(installer.get(f"/v1/dlqs/{queue}/messages")) == {id_ for name, id_ in put if name == queue}


def test_a_redrive_puts_back_what_was_chosen_and_is_kept(
    api: Client, installer: Client, dead: Dead, database: Database, queues: Queues, scene: Scene
):
    """Broken, what is mended would stay dead, or nobody could tell who has set it going again."""
    with database.worker() as conn:
        bodies = [SendWanted(message_ids=(scene.add_message(conn),)).model_dump_json() for _ in range(12)]
    put = [dead.put("message-send", body) for body in bodies]

    found = api.post("/v1/dlqs/message-send/redrive", {"message_ids": [put[3], "nonsense"]})
    assert (found["message_ids"], found["not_found"], found["undone"]) == ([put[3]], ["nonsense"], [])
    assert queues.take("message-send") == [json.loads(bodies[3])]
    found = api.post("/v1/dlqs/message-send/redrive", {"all": True})
    assert (found["count"], found["complete"]) == (11, True)
    assert len(queues.take("message-send")) == 11
    assert dead.left("message-send") == set()

    records = api.get("/v1/audit?act=dead_letters_redriven")["items"]
    assert [record["detail"]["count"] for record in records] == [11, 1]
    assert records[1]["detail"] == {"queue": "message-send", "count": 1, "message_ids": [put[3]]}
    assert {record["key_id"] for record in records} == {str(id_) for id_ in [key_of(database, api)]}
    assert installer.get("/v1/audit")["items"] == []


def key_of(database: Database, caller: Client) -> UUID:
    """The id of a caller's key."""
    keys = zip(column(database, "api_keys.workspace_id"), column(database, "api_keys.id"), strict=True)
    (found,) = [id_ for workspace_id, id_ in keys if workspace_id == caller.workspace_id]
    return found


def test_what_sqs_refuses_is_told_and_stays(api: Client, dead: Dead, database: Database, queues: Queues, scene: Scene):
    """Broken, the log would say that a message was redriven which is still dead."""
    with database.worker() as conn:
        body = SendWanted(message_ids=(scene.add_message(conn),)).model_dump_json()
    id_ = dead.put("message-send", body)
    queues.destroy("message-send")
    found = api.post("/v1/dlqs/message-send/redrive", {"all": True})
    assert (found["count"], found["undone"]) == (0, [id_])
    assert dead.left("message-send") == {body}
    undone, begun = api.get("/v1/audit")["items"]
    assert (begun["detail"]["message_ids"], undone["detail"]["undone"]) == ([id_], [id_])


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({"confirm": "message-send"}, ""),
        ({"all": True, "message_ids": ["x"], "confirm": "message-send"}, ""),
        ({"message_ids": [], "confirm": "message-send"}, "/message_ids"),
        ({"all": True, "confirm": "lead-analysis"}, "/confirm"),
        ({"all": True}, "/confirm"),
    ],
)
def test_a_purge_must_be_meant(api: Client, dead: Dead, wanted: dict[str, Any], pointer: str):
    """Broken, an empty body would delete everything."""
    dead.put("message-send", "x")
    assert pointer in api.call("POST", "/v1/dlqs/message-send/purge", wanted).problem(400)
    assert dead.left("message-send") == {"x"}


def test_roles_of_dead_letters(api: Client, database: Database):
    """Broken, somebody who may only look could read mails, or an operator delete them."""
    viewer, operator = (client(database, api.workspace_id, role) for role in (Role.VIEWER, Role.OPERATOR))
    assert viewer.call("GET", "/v1/dlqs").status == 200
    assert viewer.call("GET", "/v1/dlqs/message-send/messages").status == 403
    assert operator.call("POST", "/v1/dlqs/message-send/purge", {"all": True, "confirm": "message-send"}).status == 403
    assert operator.call("GET", "/v1/audit").status == 403


# --- audit -------------------------------------------------------------------------------------------------------


def test_the_audit_log_is_found_by_who_what_and_when(api: Client, scene: Scene, database: Database):
    """Broken, nobody could tell who has stopped a campaign."""
    api.post(f"/v1/campaigns/{scene.campaign_id}/pause", {"reason": "bad list"})
    api.post(f"/v1/campaigns/{scene.campaign_id}/cancel")
    records = api.get("/v1/audit")["items"]
    assert [record["act"] for record in records] == ["campaign_cancelled", "campaign_paused"]
    first = api.get("/v1/audit?limit=1")
    assert api.get(f"/v1/audit?limit=1&cursor={first['next_cursor']}")["items"] == records[1:]

    def acts(query: str) -> list[str]:
        return [record["act"] for record in api.get(f"/v1/audit?{query}")["items"]]

    assert acts("act=campaign_paused") == ["campaign_paused"]
    assert len(acts(f"key_id={key_of(database, api)}")) == len(acts(f"subject_id={scene.campaign_id}")) == 2
    assert acts(f"key_id={new_id()}") == acts("until=2026-01-01T00:00:00Z") == []
    assert acts(f"since={records[0]['at']}") == ["campaign_cancelled"]
