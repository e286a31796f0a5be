"""The ``cadenza`` command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from cadenza.cli import BROKEN, OK, UNUSABLE, main

PLANS = Path(__file__).parent / "plans"


def test_check_accepts_a_plan_of_the_original_system(capsys: pytest.CaptureFixture[str]) -> None:
    """If it failed, plans that ran before would be refused."""
    assert main(["check", str(PLANS / "outreach-1.0.json")]) == OK
    assert "error" not in capsys.readouterr().out


def test_check_names_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If it failed, an author would learn that a plan is wrong, but not where."""
    plan = tmp_path / "plan.json"
    plan.write_text(
        json.dumps({"timezone": "Mars/Olympus", "startNodeId": "a", "nodes": [{"id": "a", "action": "stop"}]})
    )
    assert main(["check", str(plan), "--json"]) == UNUSABLE
    assert "/timezone" in {finding["pointer"] for finding in json.loads(capsys.readouterr().out)}


@pytest.mark.parametrize("content", ["{", ""])
def test_what_is_no_json_gets_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> None:
    """If it failed, a typing error would end in a traceback."""
    plan = tmp_path / "plan.json"
    plan.write_text(content)
    assert main(["check", str(plan)]) == UNUSABLE
    assert "is not JSON" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "absent.json")]) == UNUSABLE


def test_migrate_and_invariants_work_on_a_database(database_url: URL, capsys: pytest.CaptureFixture[str]) -> None:
    """If it failed, operators could not ask their database whether the promises hold."""
    url = database_url.render_as_string(hide_password=False)
    assert main(["migrate", "--database-url", url]) == OK
    assert main(["invariants", "--database-url", url]) == OK != BROKEN
    assert "I5 the audit replays: 0 of 0" in capsys.readouterr().out


def test_a_missing_database_is_said_so(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """If it failed, the command would hang or fail with a driver's words."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    assert main(["invariants"]) == UNUSABLE
    assert "DATABASE_URL" in capsys.readouterr().err


MAILS = {
    "version": "1.1",
    "timezone": "UTC",
    "startNodeId": "a",
    "nodes": [
        {"id": "a", "action": "send", "subject": "Für {{name}}", "body": "Hi {name}{% if title %}, {title}{% endif %}"}
    ],
}


def preview(tmp_path: Path, *options: str) -> int:
    """Run ``cadenza preview`` on `MAILS`."""
    plan = tmp_path / "plan.json"
    plan.write_text(json.dumps(MAILS))
    return main(["preview", str(plan), "--node", "a", *options])


def test_preview_shows_a_mail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If it failed, an author would need an installation to see a mail."""
    assert preview(tmp_path, "--to", "Grace Höpper", "--title", "CEO", "--email", "grace@acme.example") == OK
    shown = capsys.readouterr().out
    assert "To: =?utf-8?b?R3JhY2UgSMO2cHBlcg==?= <grace@acme.example>" in shown
    assert "\n\nHi Grace Höpper, CEO\n" in shown
    assert preview(tmp_path, "--text") == OK
    assert capsys.readouterr().out.startswith("Hi Sam Sample\n")
    assert preview(tmp_path, "--html") == OK
    assert "<p>Hi Sam Sample</p>" in capsys.readouterr().out


def test_preview_gives_the_very_bytes(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """If it failed, a mail program would open something else than what is sent."""
    sender = tmp_path / "sender.json"
    sender.write_text(json.dumps({"name": "Ada", "email": "ada@tidewater.example", "daily_cap": 5}))
    assert preview(tmp_path, "--eml", "--sender", str(sender)) == OK
    raw = capsysbinary.readouterr().out
    assert raw.startswith(b"From: Ada <ada@tidewater.example>\r\n")
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_preview_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """If it failed, an author would see nothing, and not know why."""
    assert preview(tmp_path, "--email", "grace") == UNUSABLE
    assert "/email: " in capsys.readouterr().err
    sender = tmp_path / "sender.json"
    sender.write_text(json.dumps({"postal_address": ""}))
    assert preview(tmp_path, "--sender", str(sender)) == UNUSABLE
    assert "missing_postal_address" in capsys.readouterr().err
