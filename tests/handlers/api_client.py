"""An operator of one workspace: calls the API's handler with events as API Gateway makes them."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL

from cadenza.campaigns.keys import NewApiKey, make_key
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import WorkspaceId
from cadenza.core.states import Role
from functions.api.handler import handler, office
from tests.handlers.conftest import EVENTS, LambdaContext
from tests.store.builders import NOW

RECORDED: dict[str, Any] = json.loads((EVENTS / "api-add-lead.json").read_text())


@dataclass(frozen=True)
class Reply:
    """What the function answered."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.text)

    def problem(self, status: int) -> dict[str, str]:
        """The problem's errors by pointer, once it is seen to be one and of this status."""
        assert (self.status, self.json.get("status")) == (status, status), self.text
        assert self.headers["content-type"] == "application/problem+json"
        return {error["pointer"]: error["detail"] for error in self.json.get("errors", [])}


@dataclass(frozen=True)
class Client:
    """One caller. ``key`` "" sends none."""

    workspace_id: WorkspaceId
    key: str

    def get(self, target: str) -> Any:
        """The answer's JSON, once it is seen to be well."""
        reply = self.call("GET", target)
        assert reply.status == 200, reply.text
        return reply.json

    def post(self, target: str, body: Any = None) -> Any:
        """The answer's JSON, once it is seen to be well."""
        reply = self.call("POST", target, body)
        assert reply.status in {200, 201, 202}, reply.text
        return reply.json

    def call(self, method: str, target: str, body: Any = None, *, raw: bytes | None = None, **headers: str) -> Reply:
        """Any answer. ``raw`` is a body as it is, which then travels base64-encoded."""
        path, _, query = target.partition("?")
        return call(
            RECORDED
            | {
                "rawPath": path,
                "rawQueryString": query,
                "queryStringParameters": dict(parse_qsl(query, keep_blank_values=True)),
                "headers": {
                    "content-type": "application/json",
                    **({"authorization": f"Bearer {self.key}"} if self.key else {}),
                    **{name.replace("_", "-"): value for name, value in headers.items()},
                },
                "requestContext": RECORDED["requestContext"]
                | {"http": RECORDED["requestContext"]["http"] | {"method": method, "path": path}},
                "body": b64encode(raw).decode() if raw is not None else json.dumps(body) if body is not None else "",
                "isBase64Encoded": raw is not None,
            }
        )


def call(event: dict[str, Any]) -> Reply:
    """Hand an event to the function."""
    answer = handler(event, LambdaContext())  # type: ignore[arg-type]
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    return Reply(answer["statusCode"], headers, answer["body"] or "")


def client(database: Database, workspace_id: WorkspaceId, role: Role = Role.ADMIN) -> Client:
    """A caller with a fresh key of this role."""
    with database.worker() as conn:
        return Client(workspace_id, make_key(conn, workspace_id, NewApiKey(name=role, role=role), NOW).key)


@contextmanager
def environment(url: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The api function's database variables; its connections are closed at the end."""
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    monkeypatch.setenv("DATABASE_ROLE", "cadenza_api")
    # Tests ask faster than anybody may.
    monkeypatch.setenv("API_RATE_PER_S", "10000")
    monkeypatch.setenv("API_BURST", "100000")
    yield
    office().database.close()
    office().installation.database.close()


def column(database: Database, name: str) -> list[Any]:
    """All values of ``table.column``, in order of the rows' ids."""
    table = tables.METADATA.tables[name.partition(".")[0]]
    with database.worker() as conn:
        rows = conn.execute(select(table.c[name.partition(".")[2]]).order_by(*table.primary_key))
        return list(rows.scalars())
