"""The API does what its document says, whatever is sent: schemathesis over real HTTP, all checks."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL

from cadenza.core import heartbeats
from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.heartbeats import Heartbeat
from cadenza.operations.model import WORKER_OF
from tests.conformance.upstream import served
from tests.handlers.api_client import Client, client, environment
from tests.handlers.conftest import Queues
from tests.store.builders import add_contact, add_lead, add_scene

ROOT = Path(__file__).parents[2]
CONFIG = Path(__file__).with_name("schemathesis.toml")


@pytest.fixture
def admin(queues: Queues, database_url: URL, database: Database, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The admin of a workspace that has one of everything, in an installation whose functions work all the while."""
    with database.worker() as conn:
        scene = add_scene(conn)
        add_contact(conn, scene.workspace_id, add_lead(conn, scene.workspace_id))
        scene.add_message(conn)
        scene.add_message(conn, enrolment={"status": "draft", "approval": "wanted"})
        for worker in set(WORKER_OF.values()):
            heartbeats.write(conn, Heartbeat(worker, utc_now() + timedelta(hours=1), {}))
    with environment(database_url, monkeypatch):
        yield client(database, scene.workspace_id)


def examined(folder: Path, url: str, key: str, *options: str) -> subprocess.CompletedProcess[str]:
    """What schemathesis says of the API; it leaves what it remembers in ``folder``."""
    command = [sys.executable, "-m", "schemathesis.cli", f"--config-file={CONFIG}", "run", f"{url}/v1/openapi.json"]
    command += ["--header", f"Authorization: Bearer {key}", "--checks=all", "--generation-deterministic", "--no-color"]
    return subprocess.run(
        [*command, "--continue-on-failure", "--no-shrink", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.long
def test_nothing_that_is_sent_is_answered_otherwise_than_the_document_says(admin: Client, tmp_path: Path):
    """Broken, a client made from the document would meet answers that it does not know, or a 5xx."""
    long = os.environ.get("CADENZA_LONG")
    phases = ["--phases=examples,coverage,fuzzing,stateful", "--max-examples=40"]
    with served() as url:
        run = examined(
            tmp_path, url, admin.key, *(phases if long else ["--phases=examples,fuzzing", "--max-examples=2"])
        )
    assert run.returncode == 0, run.stdout[-20_000:] + run.stderr[-5_000:]
