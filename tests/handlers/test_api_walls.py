"""Who may do what: every operation of the API's own document is tried from outside, from below and from next door.

Nothing here is listed by hand that a new route could be missing from: what it takes is read from the document. A route
that these tests cannot reach fails them until `BODIES` or `furnish` gives them what they need.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
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
from cadenza.core.states import JobStatus, Role
from tests.handlers.api_client import Client, Reply, client, environment
from tests.handlers.conftest import Queues
from tests.store.builders import NOW, Scene, add_contact, add_lead, add_scene

NOBODY = "00000000-0000-7000-8000-000000000001"
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
        return resolved(schema).get("properties", {})


def resolved(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    return SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


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
LISTS = [operation for operation in LOOKS if "items" in operation.fields]
PAGED = [operation for operation in LISTS if "next_cursor" in operation.fields]
UNPAGED = {"get_ai_usage"}
"""Lists that have a bound of their own: a row a day, model and outcome, for a year at most."""

BODIES: dict[str, dict[str, Any]] = {
    "enrol_contacts": {},
    "approve_enrolments": {},
    "preview_migration": {"plan_id": "plan_id"},
    "migrate": {"plan_id": "plan_id", "token": "0" * 64},
    "reject_enrolment": {"reason": "too pushy"},
}
"""What is sent where the document's example would not do, by operation; the name of an id stands for one's own."""
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
        target = operation.target({**own, self.name: named} if self.where == "path" else own)
        if self.where == "query":
            target += f"?{self.name}={named}"
        if operation.method == "DELETE":
            target += "?reason=why"
        body: Any = None
        if operation.body is not None:
            given = BODIES.get(operation.name, EXAMPLES.get(operation.name, {}))
            body = {key: own.get(value, value) if isinstance(value, str) else value for key, value in given.items()}
        if self.where == "body":
            key, _, rest = self.name[1:].partition("/")
            body[key] = [named] if rest else named
        return caller.call(operation.method, target, body)

    @property
    def kind(self) -> str:
        """What it is an id of."""
        last = self.name.removesuffix("/0").rpartition("/")[2]
        return last.removesuffix("s")


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
    with database.worker() as conn:
        for _ in range(2):
            lead_id = add_lead(conn, scene.workspace_id)
            contact_id = add_contact(conn, scene.workspace_id, lead_id)
            jobs.record(conn, [jobs.crawl(scene.workspace_id, lead_id)], JobStatus.SKIPPED, "unknown lead", NOW)
            planned = jobs.planning(scene.workspace_id, scene.campaign_id, contact_id, lead_id)
            jobs.record(conn, [planned], JobStatus.SKIPPED, "no address", NOW)
            scene.add_message(conn, contact_id=contact_id)
            scene.add_message(conn, enrolment={"status": "draft", "approval": "wanted"})
            used = {"input_tokens": 1, "output_tokens": 1, "cost_usd_micros": 1, "at": utc_now()}
            conn.execute(insert(tables.ai_usage), {"workspace_id": scene.workspace_id, **used})
    for n in range(2):
        tag = f"{scene.workspace_id.hex[-6:]}{n}"
        suppression = caller.post("/v1/suppressions", {"channel": "email", "address": f"zoe@{tag}.example"})
        gone = caller.post("/v1/suppressions", {"channel": "phone", "address": f"+494012345{n}"})["id"]
        assert caller.call("DELETE", f"/v1/suppressions/{gone}?reason=a+typing+error").status == 204
        batch = caller.post("/v1/lead-batches", {"rows": [{"url": f"{tag}.example"}]})
        campaign = caller.post("/v1/campaigns", EXAMPLES["add_campaign"])
        sender = caller.post("/v1/senders", {**EXAMPLES["add_sender"], "email": f"nora@{tag}.example"})
        key = caller.post("/v1/api-keys", {"name": tag, "role": "viewer"})
    assert campaign
    enrolments = tables.contact_campaigns
    with database.worker() as conn:
        mine = enrolments.c.workspace_id == scene.workspace_id
        draft = conn.execute(select(enrolments.c.id).where(mine, enrolments.c.status == "draft")).scalars().first()
        job = conn.execute(select(tables.jobs.c.id).where(tables.jobs.c.contact_id == contact_id)).scalars().first()
    return {
        "batch_id": batch["id"],
        "lead_id": str(lead_id),
        "campaign_id": str(scene.campaign_id),
        "sender_id": sender["id"],
        "plan_id": str(scene.plan_id),
        "enrolment_id": str(draft),
        "suppression_id": suppression["id"],
        "contact_id": str(contact_id),
        "job_id": str(job),
        "key_id": key["id"],
    }


def neighbour(database: Database) -> Client:
    """The admin of another workspace."""
    with database.worker() as conn:
        made = add_scene(conn)
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
        return add_scene(conn)


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
        my_scene = add_scene(conn)
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
    furnish(database, theirs, scene)
    assert [operation.path for operation in LISTS if not theirs.get(operation.path)["items"]] == []
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
    assert {operation.name for operation in LISTS} - {operation.name for operation in PAGED} == UNPAGED
    for operation in PAGED:
        assert {"limit", "cursor"} <= {parameter["name"] for parameter in operation.parameters("query")}, operation


def test_pages_are_the_list_in_one_order_and_nothing_twice(theirs: Client, database: Database, scene: Scene):
    """Broken, a client that pages would miss rows or see them twice."""
    furnish(database, theirs, scene)
    for operation in PAGED:
        whole = theirs.get(operation.path)
        assert len(whole["items"]) >= 2, f"furnish() makes too few for {operation}"
        assert whole["next_cursor"] is None
        walked: list[Any] = []
        cursor = ""
        while True:
            page = theirs.get(f"{operation.path}?limit=1{cursor}")
            assert len(page["items"]) <= 1
            walked += page["items"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert walked == whole["items"], operation
        ids = [item["id"] for item in walked]
        assert ids in (sorted(ids), sorted(ids, reverse=True)), operation


def test_limits_and_cursors_have_bounds(theirs: Client, database: Database, scene: Scene):
    """Broken, one request could ask for everything, or a cursor from elsewhere show what is not one's own."""
    furnish(database, theirs, scene)
    with database.worker() as conn:
        elsewhere = add_scene(conn)
    for operation in PAGED:
        for query in ("limit=0", "limit=-1", "limit=x", "limit=1000001", "cursor=x"):
            assert set(theirs.call("GET", f"{operation.path}?{query}").problem(400)) == {f"/{query.partition('=')[0]}"}
        whole = theirs.get(operation.path)["items"]
        for cursor in (str(elsewhere.campaign_id), NOBODY, str(UUID(int=2**128 - 1))):
            page = theirs.get(f"{operation.path}?cursor={cursor}")
            assert all(item in whole for item in page["items"]), operation


@pytest.mark.parametrize("authorization", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer  ", "Bearer é"])
def test_other_credentials_are_no_key(theirs: Client, authorization: str):
    """Broken, a malformed header would be answered 500."""
    Client(theirs.workspace_id, "").call("GET", "/v1/leads", authorization=authorization).problem(401)
