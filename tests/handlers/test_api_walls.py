"""Who may do what: every operation of the API's own document is tried from outside, from below and from next door.

Nothing here is listed by hand that a new route could be missing from: what it takes is read from the document. A route
that these tests cannot reach fails them until `BODIES` or `furnish` gives them what they need.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import pytest
from sqlalchemy import insert, select, text, update
from sqlalchemy.engine import URL

from cadenza.api.app import build, document
from cadenza.api.desk import Office
from cadenza.api.examples import EXAMPLES
from cadenza.core import jobs, tables
from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.ids import WorkspaceId
from cadenza.core.messages import SignalKind
from cadenza.core.states import CampaignType, JobStatus, Role
from cadenza.delivery.outcomes import record
from tests.handlers.api_client import Client, Reply, client, environment
from tests.handlers.conftest import Queues
from tests.store.builders import NOW, Scene, add_contact, add_lead, add_scene
from tests.store.reacting import reported

NOBODY = "00000000-0000-7000-8000-000000000001"
HOUR = timedelta(hours=1)
AUTOMATIC = {"type": CampaignType.FULLY_AUTOMATED}
TEMPLATE = {"name": "First mail", "subject": "An idea", "text_body": "Hi {{ first_name }}, may I show you an idea?"}
OPEN = {
    ("GET", "/healthz"),
    ("GET", "/v1/openapi.json"),
    ("GET", "/v1/docs"),
    ("GET", "/v1/plans/schema"),
}
DOCUMENT: dict[str, Any] = json.loads(document(build(cast("Office", None))))
SCHEMAS = DOCUMENT["components"]["schemas"]


@dataclass(frozen=True)
class Operation:
    """One operation of the document."""

    method: str
    path: str
    role: Role | None
    told: Mapping[str, Any] = field(repr=False, hash=False, compare=False)

    @property
    def name(self) -> str:
        """Its operationId."""
        return self.told["operationId"]

    def target(self, ids: Mapping[str, str]) -> str:
        """The path with these ids in it."""
        return re.sub(r"\{(\w+)\}", lambda name: ids.get(name[1], NOBODY), self.path)

    def parameters(self, where: str) -> list[Mapping[str, Any]]:
        """Its parameters in the path or the query."""
        return [parameter for parameter in self.told.get("parameters", ()) if parameter["in"] == where]

    @property
    def body(self) -> Mapping[str, Any] | None:
        """The schema of its JSON body."""
        content = self.told.get("requestBody", {}).get("content", {})
        return content.get("application/json", {}).get("schema")

    @property
    def fields(self) -> Mapping[str, Any]:
        """The properties of what it answers."""
        success = next(answer for status, answer in self.told["responses"].items() if status.startswith("2"))
        schema = success.get("content", {}).get("application/json", {}).get("schema", {})
        return {name: part for one in schema.get("anyOf", [schema]) for name, part in properties(one).items()}


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def properties(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return resolved(schema).get("properties", {})


def id_fields(schema: Mapping[str, Any], pointer: str = "", seen: tuple[str, ...] = ()) -> Iterator[str]:
    """Pointers to all that is an id in a body."""
    if (ref := schema.get("$ref", "")) in seen and ref:
        return
    seen, schema = (*seen, ref), resolved(schema)
    if schema.get("format") == "uuid":
        yield pointer
    for part in (part for several in ("anyOf", "oneOf", "allOf") for part in schema.get(several, ())):
        yield from id_fields(part, pointer, seen)
    for name, part in schema.get("properties", {}).items():
        yield from id_fields(part, f"{pointer}/{name}", seen)
    if "items" in schema:
        yield from id_fields(schema["items"], f"{pointer}/0", seen)


OPERATIONS = [
    Operation(method.upper(), path, Role(told["x-required-role"]) if "x-required-role" in told else None, told)
    for path, methods in DOCUMENT["paths"].items()
    for method, told in methods.items()
]
GUARDED = [operation for operation in OPERATIONS if operation.role is not None]
LOOKS = [operation for operation in GUARDED if operation.method == "GET" and "{" not in operation.path]
"""What shows something of the whole workspace."""
LISTS = [operation for operation in GUARDED if operation.method == "GET" and "items" in operation.fields]
"""What lists, of the whole workspace or of one thing in it."""
PAGED = [operation for operation in LISTS if "next_cursor" in operation.fields]
UNPAGED = {
    "get_ai_usage": "a row a day, model and outcome, for a year at most",
    "get_retry_statistics": "the most frequent reasons, and no more of them",
    "get_funnel": "a thousand lines at most; it says when there are more",
    "get_time_to_reply": "the bars of a histogram are always the same",
    "get_timeline": "one enrolment enters a hundred nodes at most, and of signals alike it tells the first 50",
    "get_lead_batch": "goes on by line: after=<next_after>",
    "list_dlqs": "the installation has five queues",
    "list_dlq_messages": "a queue has no order to go on in: its limit is the part that is looked at",
}
"""Lists that no cursor goes through, and what bounds them."""
EVERYBODYS = {"list_dlqs", "list_dlq_messages"}
"""Lists of what is in the installation's queues; `test_api_installation` has the walls between their messages."""
ROWS = {"get_campaign_schedule": "enrolment_id"}
"""What a page is a page of, where that is not its items."""
AS_OF_NOW = {"get_campaign_schedule": {"planned_at"}}
"""What moves on from one look to the next."""

STEPS = [{"template_id": "template_id", "delay": "PT0S"}]
BODIES: dict[str, dict[str, Any]] = {
    "assign_leads": {},
    "enrol_contacts": {},
    "approve_enrolments": {},
    "preview_migration": {"plan_id": "plan_id"},
    "migrate": {"plan_id": "plan_id", "token": "0" * 64},
    "reject_enrolment": {"reason": "too pushy"},
    "add_workflow": {"name": "Two mails", "steps": STEPS},
    "put_workflow": {"name": "Two mails", "steps": STEPS},
    "retry_jobs": {"status": "FAILED"},
    "add_campaign/template_id": {"name": "First mail", "kind": "template"},
    "add_campaign/workflow_id": {"name": "Two mails", "kind": "workflow"},
}
"""What is sent where the document's example would not do, by operation (and slot); the name of an id stands for one's
own."""
PLACES = {
    "change_campaign/sender_id": {"campaign_id": "draft_id"},
    "change_campaign/template_id": {"campaign_id": "template_draft_id"},
    "change_campaign/workflow_id": {"campaign_id": "workflow_draft_id"},
}
"""Which of one's own things takes an id of this kind, by operation and slot, where that is another than usual."""
ALIKE = {
    ("migrate", "/plan_id"): "the token of a preview decides before anything is looked up",
    ("migrate", "/enrolment_ids/0"): "as above",
}
"""Where one's own id makes no difference to one that nobody has, and why."""


@dataclass(frozen=True)
class Slot:
    """One place in a request where an id may stand."""

    operation: Operation
    where: str
    name: str

    def request(self, caller: Client, own: Mapping[str, str], named: str) -> Reply:
        """Ask with this id in the slot, and one's own everywhere else."""
        operation = self.operation
        place = f"{operation.name}{self.name}"
        taking = own | {name: own[other] for name, other in PLACES.get(place, {}).items()}
        target = operation.target({**own, self.name: named} if self.where == "path" else taking)
        if self.where == "query":
            target += f"?{self.name}={named}"
        if operation.method == "DELETE":
            target += "?reason=why"
        body: Any = None
        if operation.body is not None:
            given = BODIES.get(place, BODIES.get(operation.name, EXAMPLES.get(operation.name, {})))
            body = with_own(own, given)
        if self.where == "body":
            body = put(body, self.name[1:].split("/"), named)
        headers = {"if_match": "*"} if "428" in operation.told["responses"] else {}
        return caller.call(operation.method, target, body, **headers)

    @property
    def kind(self) -> str:
        """What it is an id of."""
        last = self.name.removesuffix("/0").rpartition("/")[2]
        return last.removesuffix("s")


def with_own(own: Mapping[str, str], given: Any) -> Any:
    """What is to be sent, with one's own ids where their names stand."""
    if isinstance(given, str):
        return own.get(given, given)
    if isinstance(given, list):
        return [with_own(own, part) for part in cast("list[Any]", given)]
    if isinstance(given, Mapping):
        return {name: with_own(own, part) for name, part in cast("Mapping[str, Any]", given).items()}
    return given


def put(given: Any, pointer: list[str], value: str) -> Any:
    """A body with this value at the pointer; of a list there, only the first is left."""
    if not pointer:
        return value
    key, *rest = pointer
    if key == "0":
        return [put(given[0] if given else None, rest, value)]
    return {**(given or {}), key: put((given or {}).get(key), rest, value)}


def _slots() -> list[Slot]:
    found = [
        Slot(operation, where, parameter["name"])
        for operation in GUARDED
        for where in ("path", "query")
        for parameter in operation.parameters(where)
        if parameter["schema"].get("format") == "uuid" and parameter["name"] != "cursor"
    ]
    found += [
        Slot(operation, "body", pointer)
        for operation in GUARDED
        if operation.body is not None
        for pointer in sorted(set(id_fields(operation.body)))
        if pointer != "/cursor"
    ]
    # What ends things comes last.
    return sorted(found, key=lambda slot: (slot.where == "path", slot.operation.method == "DELETE"))


SLOTS = _slots()
SHEETS = {("import_leads", "campaign_id")}
"""Slots of operations whose body is no JSON; they are tried by hand."""


def furnish(database: Database, caller: Client, scene: Scene) -> dict[str, str]:
    """Two of everything in a workspace; the ids of one of each, by the names that slots have."""
    ids: dict[str, str] = {}
    for n in range(2):
        tag = f"{scene.workspace_id.hex[-6:]}{n}"
        ids |= live(database, scene, JobStatus.SKIPPED if n else JobStatus.FAILED)
        ids |= run(caller, tag, n)
        ids |= write(caller, tag, scene)
    assert caller.post("/v1/jobs/retry", {"status": "FAILED", "kind": "crawl"})["count"] == 2
    caller.post(f"/v1/campaigns/{scene.campaign_id}/leads", {"lead_ids": [ids["lead_id"]]})
    return ids | {"campaign_id": str(scene.campaign_id), "plan_id": str(scene.plan_id)}


def live(database: Database, scene: Scene, planned: JobStatus) -> dict[str, str]:
    """Somebody is crawled, planned for, written to and answers, somebody else waits for approval."""
    now = utc_now()
    jobs_of, enrolments = tables.jobs, tables.contact_campaigns
    with database.worker() as conn:
        lead_id = add_lead(conn, scene.workspace_id)
        contact_id = add_contact(conn, scene.workspace_id, lead_id)
        jobs.record(conn, [jobs.crawl(scene.workspace_id, lead_id)], JobStatus.FAILED, "no such site", now)
        planning = jobs.planning(scene.workspace_id, scene.campaign_id, contact_id, lead_id)
        jobs.record(conn, [planning], planned, "no address", now)
        scene.add_message(conn, contact_id=contact_id)
        waits = scene.add_message(conn, enrolment={"status": "draft", "approval": "wanted"})
        sent = {"status": "sent", "sent_at": NOW, "to_address": "grace@acme.example"}
        answered = scene.add_message(conn, enrolment={"anchor_at": NOW}, **sent)
        signals = [reported(answered, kind, NOW + HOUR) for kind in (SignalKind.DELIVERED, SignalKind.REPLIED)]
        record(conn, signals, NOW + HOUR)
        used = {"input_tokens": 1, "output_tokens": 1, "cost_usd_micros": 1, "at": now}
        conn.execute(insert(tables.ai_usage), {"workspace_id": scene.workspace_id, **used})
        draft = conn.execute(select(enrolments.c.id).where(enrolments.c.last_message_id == waits)).scalar_one()
        job = conn.execute(select(jobs_of.c.id).where(jobs_of.c.contact_id == contact_id)).scalar_one()
    return {
        "lead_id": str(lead_id),
        "contact_id": str(contact_id),
        "enrolment_id": str(draft),
        "job_id": str(job),
    }


def run(caller: Client, tag: str, n: int) -> dict[str, str]:
    """Lists come in, senders and keys are made, somebody is never to be written to again."""
    suppression = caller.post("/v1/suppressions", {"channel": "email", "address": f"zoe@{tag}.example"})
    gone = caller.post("/v1/suppressions", {"channel": "phone", "address": f"+494012345{n}"})["id"]
    assert caller.call("DELETE", f"/v1/suppressions/{gone}?reason=a+typing+error").status == 204
    batch = caller.post("/v1/lead-batches", {"rows": [{"url": f"{tag}.example"}]})
    sender = caller.post("/v1/senders", {**EXAMPLES["add_sender"], "email": f"nora@{tag}.example"})
    key = caller.post("/v1/api-keys", {"name": tag, "role": "operator"})
    # So that the audit log knows the key.
    template = Client(caller.workspace_id, key["key"]).post("/v1/templates", TEMPLATE)
    return {
        "suppression_id": suppression["id"],
        "batch_id": batch["id"],
        "sender_id": sender["id"],
        "key_id": key["id"],
        "template_id": template["id"],
        "subject_id": template["id"],
    }


def write(caller: Client, tag: str, scene: Scene) -> dict[str, str]:
    """A workflow, and a campaign of each kind."""
    template_id = caller.post("/v1/templates", TEMPLATE | {"name": tag})["id"]
    steps = [{"template_id": template_id, "delay": delay} for delay in ("PT0S", "P3D")]
    workflow_id = caller.post("/v1/workflows", {"name": tag, "steps": steps})["id"]
    given = {"name": tag, "sender_id": str(scene.sender_id)}
    kinds = {
        "draft_id": {"kind": "ai", "brief": EXAMPLES["add_campaign"]["brief"]},
        "template_draft_id": {"kind": "template", "template_id": template_id},
        "workflow_draft_id": {"kind": "workflow", "workflow_id": workflow_id},
    }
    drafts = {name: caller.post("/v1/campaigns", given | kind)["id"] for name, kind in kinds.items()}
    return drafts | {"workflow_id": workflow_id}


def neighbour(database: Database) -> Client:
    """The admin of another workspace."""
    with database.worker() as conn:
        made = add_scene(conn, campaign=AUTOMATIC)
    return client(database, made.workspace_id)


def rows_of(database: Database, workspace_id: WorkspaceId) -> dict[str, list[Any]]:
    """Everything that a workspace has."""
    with database.worker() as conn:
        return {
            name: sorted(
                conn.execute(
                    text(f"SELECT to_jsonb(t)::text FROM {name} t WHERE workspace_id = :id"), {"id": workspace_id}
                ).scalars()
            )
            for name, table in tables.METADATA.tables.items()
            if "workspace_id" in table.c
        }


@pytest.fixture
def scene(database: Database) -> Scene:
    """The workspace of somebody else."""
    with database.worker() as conn:
        return add_scene(conn, campaign=AUTOMATIC)


@pytest.fixture
def theirs(queues: Queues, database_url: URL, database: Database, scene: Scene, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The other workspace's admin."""
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


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


def masked(reply: Reply) -> tuple[int, str]:
    """An answer without ids and instants."""
    said = re.sub(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", "ID", reply.text)
    return reply.status, re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)", "AT", said)


def test_an_id_from_next_door_is_like_one_that_nobody_has(theirs: Client, database: Database, scene: Scene):
    """Broken, one customer could read, move or name what is another's, or find out that it is there (I9)."""
    with database.worker() as conn:
        my_scene = add_scene(conn, campaign=AUTOMATIC)
    mine = client(database, my_scene.workspace_id)
    own, others = furnish(database, mine, my_scene), furnish(database, theirs, scene)
    before = rows_of(database, scene.workspace_id)
    assert before["contacts"]
    told, alike = [], set()
    for slot in SLOTS:
        if (slot.operation.name, slot.name) in SHEETS:
            continue
        assert slot.kind in own, f"furnish() makes no {slot.kind}"
        nobodys = masked(slot.request(mine, own, NOBODY))
        if masked(slot.request(mine, own, others[slot.kind])) != nobodys:
            told.append(slot)
        if masked(slot.request(mine, own, own[slot.kind])) == nobodys:
            alike.add((slot.operation.name, slot.name))
    assert told == []
    assert alike == set(ALIKE), "and yet one's own is there"
    assert rows_of(database, scene.workspace_id) == before


def test_a_sheet_cannot_feed_a_campaign_next_door(theirs: Client, database: Database, scene: Scene):
    """Broken, one customer could put leads into another's campaign by a list (I9)."""
    mine = neighbour(database)
    sheet = b"website\nharbour-kitchens.example\n"
    for named, status in ((NOBODY, 404), (str(scene.campaign_id), 404)):
        target = f"/v1/lead-batches/import?campaign_id={named}"
        mine.call("POST", target, raw=sheet, content_type="text/csv").problem(status)
    target = f"/v1/lead-batches/import?campaign_id={scene.campaign_id}"
    assert theirs.call("POST", target, raw=sheet, content_type="text/csv").status == 202


def test_what_shows_a_workspace_shows_ones_own_only(theirs: Client, database: Database, scene: Scene):
    """Broken, one customer would see another's leads, people, jobs or keys (I9)."""
    mine = neighbour(database)
    ids = furnish(database, theirs, scene)
    own = [operation for operation in LISTS if operation.name not in EVERYBODYS]
    assert [operation.path for operation in own if not theirs.get(operation.target(ids))["items"]] == []
    hidden = {
        value
        for rows in rows_of(database, scene.workspace_id).values()
        for row in rows
        for value in json.loads(row).values()
        if isinstance(value, str) and re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", value)
    }
    assert len(hidden) > 20
    for operation in LOOKS:
        reply = mine.call("GET", operation.path)
        assert reply.status == 200, operation
        assert [value for value in hidden if value in reply.text] == [], operation


# --- lists -------------------------------------------------------------------------------------------------------


def test_every_list_can_be_paged():
    """Broken, a list would grow until its answer is too long to be given."""
    assert {operation.name for operation in LISTS} - {operation.name for operation in PAGED} == set(UNPAGED)
    for operation in PAGED:
        assert {"limit", "cursor"} <= {parameter["name"] for parameter in operation.parameters("query")}, operation


def items_of(caller: Client, operation: Operation, target: str) -> tuple[list[dict[str, Any]], str | None]:
    """What a page shows, without what moves on meanwhile, and where the next begins."""
    page, moving = caller.get(target), AS_OF_NOW.get(operation.name, set[str]())
    items = [{name: value for name, value in item.items() if name not in moving} for item in page["items"]]
    return items, page["next_cursor"]


def test_pages_are_the_list_in_one_order_and_nothing_twice(theirs: Client, database: Database, scene: Scene):
    """Broken, a client that pages would miss rows or see them twice."""
    ids = furnish(database, theirs, scene)
    for operation in PAGED:
        target, row = operation.target(ids), ROWS.get(operation.name, "id")
        whole, more = items_of(theirs, operation, target)
        assert len({item[row] for item in whole}) >= 2, f"furnish() makes too few for {operation}"
        assert more is None
        walked: list[Any] = []
        cursor = ""
        while True:
            items, more = items_of(theirs, operation, f"{target}?limit=1{cursor}")
            assert len({item[row] for item in items}) <= 1
            walked += items
            if more is None:
                break
            cursor = f"&cursor={more}"
        assert walked == whole, operation
        order = [item[row] for item in walked]
        assert order in (sorted(order), sorted(order, reverse=True)), operation


def test_limits_and_cursors_have_bounds(theirs: Client, database: Database, scene: Scene):
    """Broken, one request could ask for everything, or a cursor from elsewhere show what is not one's own."""
    ids = furnish(database, theirs, scene)
    with database.worker() as conn:
        elsewhere = add_scene(conn)
    for operation in PAGED:
        target = operation.target(ids)
        for query in ("limit=0", "limit=-1", "limit=x", "limit=1000001", "cursor=x"):
            assert set(theirs.call("GET", f"{target}?{query}").problem(400)) == {f"/{query.partition('=')[0]}"}
        whole, _ = items_of(theirs, operation, target)
        for cursor in (str(elsewhere.campaign_id), NOBODY, str(UUID(int=2**128 - 1))):
            items, _ = items_of(theirs, operation, f"{target}?cursor={cursor}")
            assert all(item in whole for item in items), operation


@pytest.mark.parametrize("authorization", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer  ", "Bearer é"])
def test_other_credentials_are_no_key(theirs: Client, authorization: str):
    """Broken, a malformed header would be answered 500."""
    Client(theirs.workspace_id, "").call("GET", "/v1/leads", authorization=authorization).problem(401)
