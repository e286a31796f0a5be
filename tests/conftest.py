"""Fixtures shared by all tests: one embedded Postgres a session, one cloned database a test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from itertools import count

import pytest
from _pytest.terminal import TerminalReporter
from botocore.loaders import JSONFileLoader
from hypothesis import HealthCheck, settings
from sqlalchemy.engine import URL

from cadenza.core.db import Database
from cadenza.core.migrations import upgrade
from local.postgres import EmbeddedPostgres

TEMPLATE = "cadenza_template"
_numbers = count(1)

# Without a deadline: how long an example takes is the machine's affair. What CI runs is the same every time.
_ANY_PACE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.register_profile("quick", _ANY_PACE, max_examples=60, derandomize="CI" in os.environ)
settings.register_profile("long", _ANY_PACE, max_examples=2000, derandomize=True)
settings.load_profile("long" if os.environ.get("CADENZA_LONG") else "quick")


SLOWEST = ("local", "infra", "flow", "store")
"""Folders whose files take longest, and so begin first: what begins last keeps one process busy and the others idle."""


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every property is `long`: `make test` runs it with few examples, `make test-long` with all of them."""
    items.sort(key=lambda item: next((n for n, name in enumerate(SLOWEST) if name in item.path.parts), len(SLOWEST)))
    for item in items:
        if isinstance(item, pytest.Function) and getattr(item.obj, "is_hypothesis_test", False):
            item.add_marker(pytest.mark.long)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what passing tests have counted (``record_property("counts", …)``): the proof is in the numbers."""
    for report in terminalreporter.getreports("passed"):
        for name, told in report.user_properties:
            if name == "counts":
                terminalreporter.write_line(str(told))


@pytest.fixture(scope="session", autouse=True)
def _descriptions_are_read_once() -> Iterator[None]:
    """Botocore reads what describes a service anew in each session, and moto makes a session a test."""
    with pytest.MonkeyPatch.context() as patch:
        known = cache(JSONFileLoader().load_file)
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: known(path))
        yield


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """A real server with the migrated schema in a template database."""
    with EmbeddedPostgres(durable=False) as server:
        owner = Database(server.create(TEMPLATE))
        with owner.worker() as connection:
            upgrade(connection)
        owner.close()
        yield server


@pytest.fixture
def database_url(postgres: EmbeddedPostgres) -> Iterator[URL]:
    """A fresh migrated database, dropped after the test."""
    name = f"test_{next(_numbers)}"
    yield postgres.create(name, TEMPLATE)
    postgres.drop(name)


@pytest.fixture
def database(database_url: URL) -> Iterator[Database]:
    """The fresh database, as the workers see it (all workspaces)."""
    with_role = Database(database_url, role="cadenza_worker", patience_s=1)
    yield with_role
    with_role.close()


@pytest.fixture
def now() -> datetime:
    """A fixed instant, a Tuesday morning in winter."""
    return datetime(2026, 1, 13, 10, 0, tzinfo=UTC)
