"""The API's document says everything, and its page shows it."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any, cast

import pytest
from sqlalchemy.engine import URL

from cadenza.api.app import build, document
from cadenza.api.desk import Office
from cadenza.api.examples import EXAMPLES, SHEETS
from cadenza.core.db import Database
from tests.handlers.api_client import Client, client, environment
from tests.handlers.conftest import Queues
from tests.store.builders import add_scene

DOCUMENT: dict[str, Any] = json.loads(document(build(cast("Office", None))))
OPERATIONS = {
    told["operationId"]: (method.upper(), path, told)
    for path, methods in DOCUMENT["paths"].items()
    for method, told in methods.items()
}
ALSO = {("get_automation_health", "503"): "InstallationHealth"}
"""Answers that are no success, and still no problem alone: operation and status, and which model they may be of."""
VOID = frozenset({"meta", "link", "br"})


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The admin of a workspace."""
    with database.worker() as conn:
        scene = add_scene(conn)
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


def test_the_document_introduces_itself():
    """Broken, a reader would not know what this is, where it is, or how to come in."""
    assert DOCUMENT["openapi"] == "3.1.0"
    assert DOCUMENT["info"]["description"].startswith("AI-written outreach campaigns")
    assert DOCUMENT["servers"]
    assert DOCUMENT["components"]["securitySchemes"]["api_key"]["scheme"] == "bearer"
    used = {tag for _, _, told in OPERATIONS.values() for tag in told["tags"]}
    assert {tag["name"] for tag in DOCUMENT["tags"]} == used
    assert all(tag["description"] for tag in DOCUMENT["tags"])


@pytest.mark.parametrize("name", OPERATIONS)
def test_every_operation_is_told_in_full(name: str):
    """Broken, whoever reads the document, or makes a client of it, would have to guess."""
    method, path, told = OPERATIONS[name]
    assert re.fullmatch(r"[a-z]+(_[a-z]+)*", name)
    assert told["summary"].endswith(".")
    assert told["description"]
    assert {parameter["name"] for parameter in told["parameters"] if parameter["in"] == "path"} == set(
        re.findall(r"\{(\w+)\}", path)
    )
    for parameter in told["parameters"]:
        assert parameter["description"], parameter
        assert {"type": "null"} not in parameter["schema"].get("anyOf", ()), "no parameter can be null"
    if method in {"POST", "PUT", "PATCH"} and "requestBody" in told:
        assert {"413", "415"} <= told["responses"].keys()
        assert told["requestBody"]["content"]
    guarded = "x-required-role" in told
    assert ("security" in told) == guarded
    assert told["responses"].keys() >= ({"401", "429", "503"} if guarded else set())
    if guarded and told["x-required-role"] != "viewer":
        assert "403" in told["responses"]
    for status, answer in told["responses"].items():
        assert answer["description"]
        headers = {header.lower() for header in answer["headers"]}
        assert all(header["description"] and header["schema"] for header in answer["headers"].values())
        wanted = {"ratelimit", "ratelimit-policy"} if guarded and status != "401" else set()
        wanted |= {"401": {"www-authenticate"}, "429": {"retry-after"}, "503": {"retry-after"}}.get(status, set())
        assert headers >= wanted
        if status >= "400":
            content = dict(answer["content"])
            assert content.pop("application/problem+json")["schema"] == {"$ref": "#/components/schemas/Problem"}
            also = ALSO.get((name, status))
            model = {"application/json": {"schema": {"$ref": f"#/components/schemas/{also}"}}}
            assert content == (model if also else {})


def test_what_creates_is_told_to_take_a_key():
    """Broken, nobody would know that a request may be repeated."""
    for _, _, told in OPERATIONS.values():
        takes = any(parameter["name"] == "Idempotency-Key" for parameter in told["parameters"])
        assert takes == ("x-creates" in told)
        if takes:
            assert {"409", "422"} <= told["responses"].keys()
            assert "Retry-After" in told["responses"]["409"]["headers"]


def test_what_has_a_version_is_told_to_have_one():
    """Broken, a client could not know where it can guard its edits."""
    for method, path, told in OPERATIONS.values():
        if any(parameter["name"] == "if-match" for parameter in told["parameters"]):
            assert "412" in told["responses"]
            assert "ETag" in DOCUMENT["paths"][path].get("get", told)["responses"].get("200", {"headers": {}})[
                "headers"
            ] or path.endswith("/smtp"), (method, path)


def test_examples_are_shown_and_are_taken(api: Client):
    """Broken, the first thing that a newcomer copies would be refused."""
    for name, example in EXAMPLES.items():
        method, path, told = OPERATIONS[name]
        assert told["requestBody"]["content"]["application/json"]["example"] == example
        if "{" not in path:
            reply = api.call(method, path, example)
            assert reply.status in {200, 201, 202}, f"{name}: {reply.text}"
    for name, sheets in SHEETS.items():
        method, path, _ = OPERATIONS[name]
        for media, sheet in sheets.items():
            reply = api.call(method, path, raw=sheet.encode(), content_type=media)
            assert reply.status in {200, 202}, f"{name}: {reply.text}"
    tidewater = api.get("/v1/senders")["items"][0]
    zoe = api.get("/v1/contacts")["items"][0]
    for name in ("change_contact", "put_hold", "change_sender", "put_sender_smtp"):
        method, path, _ = OPERATIONS[name]
        target = path.format(sender_id=tidewater["id"], contact_id=zoe["id"])
        assert api.call(method, target, EXAMPLES[name]).status == 200, name


@pytest.mark.parametrize("path", ["/v1/openapi.json", "/v1/docs", "/v1/plans/schema"])
def test_what_is_kept_is_not_sent_again(api: Client, path: str):
    """Broken, every look at a page would fetch hundreds of kilobytes again."""
    nobody = Client(api.workspace_id, "")
    first = nobody.call("GET", path)
    assert first.status == 200
    tag = first.headers["etag"]
    for known in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = nobody.call("GET", path, if_none_match=known)
        assert (again.status, again.text, again.headers["etag"]) == (304, "", tag)
    assert nobody.call("GET", path, if_none_match='"other"').status == 200


class Page(HTMLParser):
    """What stands in a page: its elements, nested as they must be."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """One element begins."""
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """It must be the one that is open."""
        assert self.open.pop() == tag


def test_the_page_shows_every_operation_and_needs_nothing_else(api: Client):
    """Broken, a reader would see half of the API, or the page would load, or run, what is somebody else's."""
    reply = Client(api.workspace_id, "").call("GET", "/v1/docs")
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    page = Page(reply.text)
    assert page.open == []
    assert not {"script", "img", "link", "iframe", "form", "object"} & {tag for tag, _ in page.seen}
    for _, attributes in page.seen:
        assert "src" not in attributes
        assert "style" not in attributes
        assert not any(name.startswith("on") for name in attributes)
        assert (attributes.get("href") or "#").startswith(("#", "/v1/"))
    ids = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    assert len(ids) == len(set(ids)), "each place has one name"
    targets = {attributes["href"] for _, attributes in page.seen if (attributes.get("href") or "").startswith("#")}
    assert {target[1:] for target in targets if target} <= set(ids), "each link leads somewhere"
    for name, (_, _, told) in OPERATIONS.items():
        assert name in ids
        assert told["summary"].partition("`")[0][:20].replace("'", "&#39;") in reply.text
    assert set(DOCUMENT["components"]["schemas"]) <= {str(name).removeprefix("schema-") for name in ids}


def test_the_pages_policy_allows_its_own_style_only(api: Client):
    """Broken, what slips into a description could run in the browser of an admin."""
    reply = Client(api.workspace_id, "").call("GET", "/v1/docs")
    style = reply.text.partition("<style>")[2].partition("</style>")[0]
    digest = b64encode(sha256(style.encode()).digest()).decode()
    policy = dict(part.strip().partition(" ")[::2] for part in reply.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["style-src"] == f"'sha256-{digest}'"
    assert "script-src" not in policy
    assert policy["frame-ancestors"] == "'none'"
    assert "prefers-color-scheme" in style or "color-scheme: light dark" in style
