"""Exports of other systems come in on real Postgres: whole, once, and going on where they stood."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.engine import URL

from cadenza.campaigns import invariants
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.errors import InvalidInput
from cadenza.core.ids import WorkspaceId
from cadenza.legacy.model import Outcome, Report
from cadenza.legacy.reading import read_document
from cadenza.legacy.service import LegacyImport
from tests.store.builders import add_sender, add_workspace
from tests.store.sending import World

AUTUMN: dict[str, Any] = json.loads((Path(__file__).parent.parent / "legacy" / "autumn.json").read_text())
SENDER = "ada@nordlicht.example"


class Office:
    """An operator who brings an export, as the API does."""

    def __init__(self, world: World, api: Database, workspace_id: WorkspaceId) -> None:
        self.world, self.api, self.workspace_id = world, api, workspace_id

    def take(self, document: Any = AUTUMN, *, apply: bool = True, sender: str = SENDER) -> Report:
        """Import it."""
        world = self.world
        service = LegacyImport(self.api, world.dispatcher, self.workspace_id, None, lambda: world.now, sender)
        return service.take(read_document(document), apply=apply)

    def rows(self, query: str) -> list[Any]:
        """Whatever the query finds, as tuples."""
        with self.world.database.worker() as conn:
            return [tuple(row) for row in conn.execute(text(query))]

    def dump(self) -> dict[str, list[Any]]:
        """Every table of the workspace."""
        with self.world.database.worker() as conn:
            return {
                name: sorted(map(str, conn.execute(select(table))))
                for name, table in tables.METADATA.tables.items()
                if name not in {"erasure_salt", "idempotency_keys"}
            }

    def broken(self) -> list[str]:
        """The invariants that do not hold."""
        with self.world.database.worker() as conn:
            return [found.name for found in invariants.check(conn, self.world.now) if found.violations]


@pytest.fixture
def office(world: World, database_url: URL) -> Iterator[Office]:
    with world.database.worker() as conn:
        workspace_id = add_workspace(conn)
        add_sender(conn, workspace_id, email=SENDER)
    api = Database(database_url, role="cadenza_api", patience_s=1)
    yield Office(world, api, workspace_id)
    api.close()


def outcomes(report: Report) -> dict[str, str]:
    """What became of each row, by its place."""
    return {row.place: row.outcome.value for row in report.rows}


def standing(office: Office) -> dict[tuple[str, str], tuple[str, str, int, str]]:
    """Who stands where: by campaign and address their status, node, visit and reason."""
    found = office.rows(
        "SELECT c.name, k.email, e.status, e.current_node, e.visit, e.reason FROM contact_campaigns e"
        " JOIN campaigns c ON c.id = e.campaign_id JOIN contacts k ON k.id = e.contact_id"
    )
    return {(name, email.partition("@")[0]): tuple(rest) for name, email, *rest in found}


def test_everybody_goes_on_where_they_stood(office: Office):
    """Broken, people would get again what they have had, or not get what they were to have."""
    report = office.take()
    assert standing(office) == {
        ("Autumn", "ann"): ("active", "step_2", 2, ""),
        ("Autumn", "ben"): ("active", "step_2", 2, ""),
        ("Autumn", "cleo"): ("stopped", "step_1", 1, "replied"),
        ("Autumn", "dan"): ("stopped", "step_1", 1, "unsubscribed"),
        ("Autumn", "eve"): ("active", "step_1", 1, ""),
        ("Autumn", "gil"): ("active", "step_1", 1, ""),
        ("Summer", "ann"): ("completed", "step_1", 1, "all its mails were sent before the import"),
        ("Summer", "ben"): ("stopped", "step_1", 1, "the campaign is completed"),
        ("Winter", "ann"): ("draft", "", 0, ""),
    }
    assert office.broken() == []
    print("\n".join(f"{r.kind} {r.place} {r.outcome} {r.notes} {r.problems}" for r in report.rows))
    assert dict(office.rows("SELECT name, status FROM campaigns")) == {
        "Autumn": "running",
        "Summer": "completed",
        "Winter": "draft",
    }
