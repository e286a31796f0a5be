"""Client and command against the real API, over HTTP: what an integration does, and what an operator types."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import URL
from werkzeug.wrappers import Request, Response

from cadenza.cli import main
from cadenza.client import Client, Patience, errors
from cadenza.core.db import Database
from cadenza.core.states import Role
from functions.api.handler import handler
from local.world.server import LoopbackServer
from tests.flow.gateway import http_event
from tests.handlers.api_client import client as caller_of
from tests.handlers.api_client import column, environment
from tests.handlers.conftest import LambdaContext, Queues
from tests.store.builders import add_workspace

NOBODY = "00000000-0000-7000-8000-000000000001"
SENDER = {"name": "Ada Quill", "email": "ada@quill.example", "company": "Quill", "postal_address": "1 Mill Lane, Ely"}


def _answer(request: Request) -> Response:
    query = request.query_string.decode()
    path = str(request.environ["REQUEST_URI"]).partition("?")[0]
    event = http_event(request.method, path, query, dict(request.headers.items()), request.get_data())
    reply: dict[str, Any] = handler(event, LambdaContext())  # type: ignore[arg-type]
    return Response(reply["body"], reply["statusCode"], headers=reply["headers"])


@pytest.fixture
def key(
    queues: Queues,  # noqa: ARG001
    database_url: URL,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Callable[[Role], str]]:
    """Makes keys of one workspace whose API is served on loopback, as the environment says."""
    with environment(database_url, monkeypatch), LoopbackServer(Request.application(_answer)) as served:
        with database.worker() as conn:
            workspace_id = add_workspace(conn)

        def key_of(role: Role) -> str:
            return caller_of(database, workspace_id, role).key

        monkeypatch.setenv("CADENZA_URL", served.url)
        monkeypatch.setenv("CADENZA_API_KEY", key_of(Role.ADMIN))
        yield key_of


@pytest.fixture
def client(key: Callable[[Role], str]) -> Iterator[Client]:  # noqa: ARG001 - the environment
    """A client of the workspace's admin."""
    with Client(patience=Patience(tries=1)) as made:
        yield made


@pytest.fixture
def command(
    key: Callable[[Role], str],  # noqa: ARG001 - the environment
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., Any]:
    """Runs the command with ``--json``, sees to it that it ends well, and reads what it has printed."""

    def run(*arguments: str) -> Any:
        status = main([*arguments, "--json"])
        told = capsys.readouterr()
        assert status == 0, told.err
        return json.loads(told.out) if told.out else None

    return run


def test_a_campaign_is_made_started_and_paused(client: Client) -> None:
    """Broken, nobody could run a campaign from a program."""
    sender = client.senders.add(**SENDER)
    campaign = client.campaigns.add(name="Spring", brief={"offering": "We plan routes."})
    assert (campaign.status, campaign.brief.offering) == ("draft", "We plan routes.")
    with pytest.raises(errors.Conflict) as caught:
        client.campaigns.start(campaign.id)
    assert "/sender_id" in {each.pointer for each in caught.value.errors}
    campaign = client.campaigns.add(name="Summer", sender_id=sender.id, brief={"offering": "We plan routes."})
    client.leads.add(url="lantern.example", campaign_id=campaign.id)
    assert client.campaigns.start(campaign.id).status == "running"
    paused = client.campaigns.pause(campaign.id, reason="a holiday")
    assert (paused.status, paused.status_reason) == ("paused", "a holiday")
    assert paused.paused_at is not None
    assert paused.paused_at.tzinfo is not None
    assert client.campaigns.resume(campaign.id, policy="keep").counts.leads == {"new": 1}
    assert [each.name for each in client.campaigns.list(status="running").items] == ["Summer"]


def test_null_takes_away_and_what_is_not_named_stays(client: Client) -> None:
    """Broken, changing a person's title would take their telephone number away."""
    contact = client.contacts.add(email="zoe@acme.example", phone="+4940123456", title="Director")
    changed = client.contacts.change(contact.id, title="Owner")
    assert (changed.title, changed.phone) == ("Owner", "+4940123456")
    assert client.contacts.change(contact.id, phone=None).phone is None


def test_a_request_is_carried_out_once_a_key(client: Client, database: Database) -> None:
    """Broken, a program that asks again after a crash of its own would make everything twice."""
    first = client.senders.add(idempotency_key="spring-1", **SENDER)
    assert client.senders.add(idempotency_key="spring-1", **SENDER).id == first.id
    assert len(column(database, "sender_identities.id")) == 1
    with pytest.raises(errors.ApiError) as caught:
        client.senders.add(idempotency_key="spring-1", **SENDER | {"name": "Somebody else"})
    assert caught.value.status == 422


def test_long_lists_and_sheets_go_through(client: Client) -> None:
    """Broken, a list would end at its first page, or a sheet would not be taken."""
    addresses = {f"person{number}@acme.example" for number in range(230)}
    report = client.suppressions.import_("\n".join(sorted(addresses)) + "\n")
    assert (report.created, report.refused) == (230, 0)
    found = [each.address for each in client.suppressions.list_all(channel="email")]
    assert set(found) == addresses
    assert len(found) == 230
    sheet = client.suppressions.export(format="csv")
    assert isinstance(sheet, str)
    assert sheet.count("@acme.example") == 230


def test_roles_and_walls_have_their_errors(client: Client, key: Callable[[Role], str]) -> None:
    """Broken, a program could not tell a missing right from a missing thing."""
    with pytest.raises(errors.NotFound):
        client.campaigns.get(NOBODY)
    with pytest.raises(errors.BadRequest) as caught:
        client.leads.add(url="")
    assert [each.pointer for each in caught.value.errors] == ["/url"]
    with Client(api_key=key(Role.VIEWER)) as viewer, pytest.raises(errors.Forbidden):
        viewer.senders.add(**SENDER)
    with Client(api_key="cad_guessed") as stranger, pytest.raises(errors.Unauthorised):
        stranger.leads.list()


def test_the_api_describes_itself(client: Client) -> None:
    """Broken, a program could not ask whether the API works, or what it can do."""
    assert client.about.get_health().database
    assert client.about.get_document()["openapi"] == "3.1.0"
    assert "properties" in client.plans.get_schema()


# --- the command -------------------------------------------------------------------------------------------------


def test_an_operator_runs_a_campaign_from_a_terminal(
    command: Callable[..., Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Broken, whoever has no console could start nothing, stop nothing, and see nothing."""
    (tmp_path / "sender.json").write_text(json.dumps(SENDER))
    sender = command("sender", "add", "--data", f"@{tmp_path / 'sender.json'}", "--name", "Ada Q.")
    assert (sender["name"], sender["company"]) == ("Ada Q.", "Quill")
    brief = ("--brief.offering", "We plan routes.", "--brief.goal", "a call")
    campaign = command("campaign", "add", "--name", "Spring", "--sender", sender["id"], *brief)
    command("lead", "add", "--url", "lantern.example", "--campaign", campaign["id"])
    assert command("campaign", "start", campaign["id"])["status"] == "running"
    assert main(["campaign", "list", "--status", "running"]) == 0
    names, row = capsys.readouterr().out.splitlines()
    assert names.split()[:3] == ["id", "name", "kind"]
    assert "paused_at" not in names, "empty columns are left out"
    assert {campaign["id"], "Spring", "running"} <= set(row.split())
    assert main(["campaign", "get", campaign["id"]]) == 0
    told = capsys.readouterr().out.splitlines()
    assert {"status: running", "brief:", "  offering: We plan routes.", "counts:"} <= set(told)
    assert main(["campaign", "pause", campaign["id"], "--reason", "a holiday"]) == 0
    assert main(["campaign", "pause", campaign["id"]]) == 1, "it is paused"
    assert "(409)" in capsys.readouterr().err


def test_settings_are_changed_without_losing_the_others(command: Callable[..., Any]) -> None:
    """Broken, setting a daily cap would take the working hours away."""
    command("automation", "put-settings", "--working-days", "1", "--working-days", "2", "--daily-cap", "90")
    kept = command("automation", "put-settings", "--keep", "--daily-cap", "50", "--stop-company-on-reply")
    assert (kept["working_days"], kept["daily_cap"], kept["stop_company_on_reply"]) == ([1, 2], 50, True)
    assert command("automation", "put-settings", "--keep", "--daily-cap", "null")["daily_cap"] is None
    assert command("automation", "put-settings")["working_days"] == [1, 2, 3, 4, 5, 6, 7]


def test_all_pages_of_a_list_are_one_output(
    command: Callable[..., Any], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Broken, a script would take a page for the whole list."""
    (tmp_path / "never.csv").write_text("".join(f"person{number}@acme.example\n" for number in range(230)))
    assert command("suppression", "import", str(tmp_path / "never.csv"))["created"] == 230
    assert main(["suppression", "list", "--all", "--json"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len({json.loads(line)["address"] for line in lines}) == 230
    assert main(["suppression", "list", "--limit", "3"]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 1 + 3
    assert "there is more: --cursor" in told.err
    assert main(["suppression", "export", "--format", "csv", "--limit", "2"]) == 0
    told = capsys.readouterr()
    assert len(told.out.splitlines()) == 1 + 2
    assert "there is more: --cursor" in told.err


def test_a_key_may_lie_in_a_file(
    command: Callable[..., Any],
    key: Callable[[Role], str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """Broken, a key would have to be in the environment of everything that an operator starts."""
    monkeypatch.delenv("CADENZA_API_KEY")
    (tmp_path / "key").write_text(f"{key(Role.VIEWER)}\n")
    assert command("lead", "list", "--key-file", str(tmp_path / "key")) == {"items": [], "next_cursor": None}
    assert main(["lead", "list"]) == 1
    assert "(401)" in capsys.readouterr().err
    assert main(["lead", "add", "--url", "lantern.example", "--key-file", str(tmp_path / "key")]) == 1
    assert "(403)" in capsys.readouterr().err
