"""The client and the command against the API's own document: whatever it describes can be asked for, and is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from cadenza.cli import main
from cadenza.client import Client
from codegen.document import Described, Operation, described, identifier, read, singular
from codegen.files import committed, make
from local.world.server import LoopbackServer
from tests.unit.sampling import TEXTS, arguments, is_whole, sample

API = described()
CREATED = {True: r'"[0-9a-f-]{36}"', False: ""}
ETAG = '"as-read"'


class Api(LoopbackServer):
    """Answers every operation with a sample of what the document promises, and keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[Request] = []
        super().__init__(Request.application(self._answer))

    def _answer(self, request: Request) -> Response:
        request.get_data()
        self.asked.append(request)
        operation = next(
            each
            for each in sorted(API.operations, key=lambda each: each.path.count("{"))
            if each.method == request.method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", each.path), request.path)
        )
        if operation.answer is None:
            return Response(status=204)
        answer = sample(API, operation.answer)
        if isinstance(answer, str):
            return Response(answer, mimetype="text/html")
        if isinstance(answer, dict) and "next_cursor" in answer:
            answer["next_cursor"] = None
        return Response(json.dumps(answer), status=200, mimetype="application/json", headers={"ETag": ETAG})


@pytest.fixture(scope="module")
def served() -> Iterator[Api]:
    with Api() as api:
        yield api


@pytest.fixture
def api(served: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """The API on loopback, where the environment says that it is."""
    served.asked.clear()
    monkeypatch.setenv("CADENZA_URL", served.url)
    monkeypatch.setenv("CADENZA_API_KEY", "cad_test")
    return served


def _named(operation: Operation) -> str:
    return operation.id


def _values(operation: Operation) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Samples of what goes into its query, its headers and its body."""
    query = {each.name: sample(API, each.schema) for each in operation.of("query")}
    headers = {each.name: ETAG for each in operation.of("header")}
    body = {} if operation.body is None else sample(API, operation.body, taken=True)
    return query, headers, body


def _assert_asked(request: Request, operation: Operation, body: Mapping[str, Any], query: Mapping[str, Any]) -> None:
    assert (request.method, request.path) == (operation.method, re.sub(r"\{\w+\}", TEXTS["uuid"], operation.path))
    assert request.headers["authorization"] == "Bearer cad_test"
    assert re.fullmatch(CREATED[operation.creates], request.headers.get("idempotency-key", ""))
    wanted = {name: "true" if value is True else str(value) for name, value in query.items()}
    assert {name: request.args.get(name) for name in wanted} == wanted
    if operation.media:
        assert (request.headers["content-type"], request.get_data()) == (operation.media[0], b"a,b\n")
    elif operation.body is not None:
        assert request.get_json() == body
    for each in operation.of("header"):
        assert request.headers[each.name] == ETAG


def test_what_is_committed_is_what_the_document_makes() -> None:
    """Broken, client and command would not know a new route, or believe in an old one (`make client` mends it)."""
    made = make(API)
    there = committed()
    assert sorted(made) == sorted(there)
    assert [name for name in made if made[name] != there[name]] == []


@pytest.mark.parametrize("operation", API.operations, ids=_named)
def test_every_operation_has_a_method(operation: Operation, api: Api) -> None:
    """Broken, an integration could not use what the API offers, or would fail to read its answer."""
    query, headers, body = _values(operation)
    keywords = {identifier(name): value for name, value in (query | headers).items()}
    with Client() as client:
        method = getattr(getattr(client, operation.concept), identifier(operation.verb))
        given = [TEXTS["uuid"]] * len(operation.of("path")) + (["a,b\n"] if operation.media else [])
        taken = {each.python for each in operation.parameters}
        whole = taken & set(body) or is_whole(API, operation)
        answer = method(*given, body, **keywords) if whole else method(*given, **keywords, **body)
    _assert_asked(api.asked[-1], operation, body, query)
    assert (answer is None) == (operation.answer is None)
    assert getattr(answer, "etag", ETAG) == ETAG


@pytest.mark.parametrize("operation", API.operations, ids=_named)
def test_every_operation_has_a_command(
    operation: Operation, api: Api, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken, an operator could not do from a terminal what the API offers, or not say all that it takes."""
    query, headers, body = _values(operation)
    group = singular(operation.concept).replace("_", "-")
    (tmp_path / "list.csv").write_text("a,b\n")
    (tmp_path / "secret").write_text("some words\n")
    given = [TEXTS["uuid"]] * len(operation.of("path")) + ([str(tmp_path / "list.csv")] if operation.media else [])
    told = arguments(API, operation, body, query, tmp_path / "secret") + [
        f"--{name}={value}" for name, value in headers.items()
    ]
    if is_whole(API, operation):
        (tmp_path / "body.json").write_text(json.dumps(body))
        told.append(f"--data=@{tmp_path / 'body.json'}")
    assert main([group, operation.verb.replace("_", "-"), *given, *told]) == 0, capsys.readouterr().err
    _assert_asked(api.asked[-1], operation, body, query)
    shown = capsys.readouterr()
    assert shown.out or "done" in shown.err
    assert main([group, operation.verb.replace("_", "-"), *given, *told, "--json"]) == 0
    out = capsys.readouterr().out
    is_text = operation.answer is None or operation.answer.get("type") == "string"
    assert is_text or json.loads(out)


def test_names_that_would_be_the_same_are_told_apart() -> None:
    """Broken, retrying one job and retrying all of them would be one command, and one of them could not be said."""
    found = read(_document({"/v1/jobs/{job_id}/retry": "retry_job", "/v1/jobs/retry": "retry_jobs"}))
    assert {each.id: each.verb for each in found.operations} == {"retry_job": "retry", "retry_jobs": "retry_jobs"}


def test_words_that_python_keeps_for_itself_are_taken(tmp_path: Path) -> None:
    """Broken, a field or a route with such a name would leave a client that does not compile."""
    source = _document({"/v1/moves": "import_move"})
    kind = {"$ref": "#/components/schemas/MoveKind"}
    fields = {"from": {"type": "string"}, "json": {"type": "string"}, "kinds": {"type": "array", "items": kind}}
    source["components"]["schemas"]["MoveKind"] = {"type": "string", "enum": ["far", "near"]}
    body = {"$ref": "#/components/schemas/Move"}
    source["components"]["schemas"]["Move"] = {"type": "object", "properties": fields, "required": ["from"]}
    source["paths"]["/v1/moves"]["post"] |= {
        "requestBody": {"content": {"application/json": {"schema": body}}},
        "responses": {"200": {"content": {"application/json": {"schema": body}}}},
    }
    made = make(read(source))
    for name, text in made.items():
        compile(text, str(tmp_path / name), "exec")
    assert "def import_(self, **body: Unpack[bodies.Move]) -> answers.Move:" in made["concepts/moves.py"]
    assert 'from_: str = Field(alias="from")' in made["answers.py"]
    assert "kinds: tuple[MoveKind, ...] | None = None" in made["answers.py"]


def _document(paths: Mapping[str, str]) -> dict[str, Any]:
    """A document with these POSTs."""

    def operation(path: str, operation_id: str) -> dict[str, Any]:
        names = re.findall(r"\{(\w+)\}", path)
        parameters = [{"name": each, "in": "path", "schema": {"type": "string"}, "required": True} for each in names]
        return {"operationId": operation_id, "summary": "Do it.", "parameters": parameters, "responses": {"204": {}}}

    return {
        "paths": {path: {"post": operation(path, name)} for path, name in paths.items()},
        "components": {"schemas": {}},
    }


def test_the_document_names_its_operations_once() -> None:
    """Broken, one of two operations would be lost."""
    assert isinstance(API, Described)
    names = [(each.concept, each.verb) for each in API.operations]
    assert len(set(names)) == len(names)
