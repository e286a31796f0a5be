"""``cadenza import-legacy`` as a process, against a real database."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from cadenza.cli import BROKEN, OK, UNUSABLE
from cadenza.core.db import Database
from tests.store.builders import add_sender, add_workspace

AUTUMN = Path(__file__).parent.parent / "legacy" / "autumn.json"
PROGRAM = "import sys; from cadenza.cli import main; sys.exit(main())"
SENDER = "ada@nordlicht.example"


@pytest.fixture
def home(database: Database) -> Database:
    """A database with one workspace, and somebody who sends."""
    with database.worker() as conn:
        add_sender(conn, add_workspace(conn), email=SENDER)
    return database


def run(url: URL, *arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = os.environ | {"DATABASE_URL": url.render_as_string(hide_password=False)}
    command = [sys.executable, "-c", PROGRAM, "import-legacy", *arguments]
    return subprocess.run(command, env=environment, input=given, capture_output=True, timeout=120, check=False)


def campaigns(database: Database) -> list[str]:
    with database.worker() as conn:
        return list(conn.execute(text("SELECT name FROM campaigns ORDER BY name")).scalars())


def test_the_command_rehearses_applies_and_repeats(home: Database, database_url: URL):
    """Broken, an operator with a terminal could not bring their old campaigns, or would bring them twice."""
    reports: list[dict[str, Any]] = []
    for how in (), ("--dry-run",), ("--apply",), ("--apply",):
        done = run(database_url, str(AUTUMN), "--sender", SENDER, "--json", *how)
        assert (done.returncode, done.stderr) == (BROKEN, b"")  # some rows of the sample cannot be taken
        reports.append(json.loads(done.stdout))
        assert campaigns(home) == ([] if len(reports) < 3 else ["Autumn", "Summer", "Winter"])
    assert reports[0] == reports[1] == reports[2] | {"applied": False}
    assert {row["outcome"] for row in reports[3]["rows"]} == {"known", "skipped", "refused"}


def test_the_report_is_for_people_and_names_nobody(home: Database, database_url: URL):  # noqa: ARG001 - the workspace
    """Broken, nobody would see what to mend; or a log would keep people's addresses."""
    done = run(database_url, str(AUTUMN))
    said = done.stdout.decode()
    assert "templates[3]" in said
    assert "{{favouriteColour}}" in said
    assert "--apply" in said
    assert "nobody here sends for it" in said
    assert "acme.example" not in said
    assert "Ashdown" not in said


def test_a_whole_import_without_a_fault_is_fine(home: Database, database_url: URL):  # noqa: ARG001 - the workspace
    """Broken, a script could not tell a clean import from one with rows left behind."""
    lead = json.dumps({"leads": [{"email": "ann@acme.example"}]}).encode()
    assert run(database_url, "-", "--apply", given=lead).returncode == OK


@pytest.mark.parametrize(
    ("arguments", "given", "said"),
    [
        (("-",), b"{", "is not JSON"),
        (("absent.json",), b"", "absent.json"),
        (("-", "--workspace", "Nobody's"), b'[{"email": "ann@acme.example"}]', "there are: Nordlicht"),
        (("-", "--sender", "no@body.example"), b'[{"email": "ann@acme.example"}]', "no such sender"),
    ],
)
def test_what_cannot_be_used_gets_a_clear_line(
    home: Database,  # noqa: ARG001 - the workspace
    database_url: URL,
    arguments: tuple[str, ...],
    given: bytes,
    said: str,
):
    """Broken, a typing error would end in a traceback, or an import in somebody else's workspace."""
    done = run(database_url, *arguments, given=given)
    assert done.returncode == UNUSABLE
    assert said in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
