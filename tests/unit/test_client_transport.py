"""How the client asks: its patience, its errors, and what it never repeats; and what importing it costs."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from werkzeug.wrappers import Request, Response

from cadenza.cli import main
from cadenza.client import ApiError, Client, Patience, UnexpectedAnswer, Unreachable, errors
from cadenza.client.operation import Operation, Option
from cadenza.client.run import Wanted, run
from cadenza.client.transport import Call, HttpTransport
from local.world.server import LoopbackServer

LEAD = {
    "id": "0197a0de-0000-7000-8000-000000000007",
    "domain": "lantern.example",
    "url": "https://lantern.example",
    "company_name": "Lantern",
    "status": "new",
    "failure_reason": "",
    "created_at": "2026-06-01T09:30:00Z",
    "updated_at": "2026-06-01T09:30:00Z",
}


def lead() -> Response:
    """A lead that was taken in."""
    return Response(json.dumps(LEAD), 202, mimetype="application/json")


def problem(status: int, retry_after: str = "", **more: Any) -> Response:
    """A problem document."""
    body = {"type": "about:blank", "title": "No", "status": status, **more}
    headers = {"Retry-After": retry_after} if retry_after else {}
    return Response(json.dumps(body), status, mimetype="application/problem+json", headers=headers)


class Script(LoopbackServer):
    """Gives prepared answers, the last one again and again. ``None`` breaks the connection instead."""

    def __init__(self) -> None:
        self.answers: list[Response | None] = []
        self.asked: list[Request] = []
        super().__init__(Request.application(self._answer))

    def _answer(self, request: Request) -> Response:
        request.get_data()
        self.asked.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer is not None:
            return answer
        connection: socket.socket = request.environ["werkzeug.socket"]
        connection.shutdown(socket.SHUT_RDWR)
        return Response()


@pytest.fixture
def script() -> Iterator[Script]:
    """An API that does as it is told."""
    with Script() as served:
        yield served


@pytest.fixture
def pauses() -> list[float]:
    """What the client waited, in seconds."""
    return []


@pytest.fixture
def client(script: Script, pauses: list[float]) -> Iterator[Client]:
    """A client of it, which waits in no time."""
    with Client(script.url, "cad_test", patience=Patience(tries=3), sleep=pauses.append) as made:
        yield made


@pytest.mark.parametrize("status", [429, 503])
def test_what_is_too_busy_is_asked_again_when_it_says(
    client: Client, script: Script, pauses: list[float], status: int
) -> None:
    """Broken, an integration would fail each time that the database wakes up, or hammer what asks for a pause."""
    script.answers = [problem(status, "7"), problem(status), lead()]
    assert client.leads.add(url="lantern.example").domain == "lantern.example"
    assert len(pauses) == 2
    assert 7 <= pauses[0] <= 8
    assert 0 <= pauses[1] <= 1
    keys = {request.headers["idempotency-key"] for request in script.asked}
    assert len(keys) == 1, "the same request"
    assert re.fullmatch(r'"[0-9a-f-]{36}"', keys.pop())


def test_patience_ends(client: Client, script: Script, pauses: list[float]) -> None:
    """Broken, a program would hang for as long as the API is away."""
    script.answers = [problem(503, "1")]
    with pytest.raises(errors.Unavailable) as caught:
        client.leads.list()
    assert (len(script.asked), caught.value.retry_after_s) == (3, 1)
    script.answers = [problem(429, "3600")]
    with pytest.raises(errors.RateLimited):
        client.leads.list()
    assert len(script.asked) == 4, "an hour is not waited for"
    assert len(pauses) == 2


def test_a_broken_connection_repeats_what_may_be_repeated(client: Client, script: Script) -> None:
    """Broken, a lost answer would pause twice, or lose what could safely have been asked again."""
    script.answers = [None, lead()]
    assert client.leads.add(url="lantern.example").company_name == "Lantern"
    asked = len(script.asked)
    script.answers = [None, lead()]
    with pytest.raises(Unreachable):
        client.campaigns.start(LEAD["id"])
    assert len(script.asked) == asked + 1
    script.answers = [Response(status=504), lead()]
    with pytest.raises(errors.Unavailable):
        client.campaigns.start(LEAD["id"])
    assert len(script.asked) == asked + 2


def test_what_has_a_condition_is_not_repeated(client: Client, script: Script) -> None:
    """Broken, a change that was made would be reported as somebody else's: 412."""
    script.answers = [None, lead()]
    with pytest.raises(Unreachable):
        client.enrolments.put_plan(LEAD["id"], if_match='"read"', plan={})
    assert script.asked[-1].headers["if-match"] == '"read"'
    assert len(script.asked) == 1


def test_what_never_left_is_tried_again(pauses: list[float]) -> None:
    """Broken, nothing could be started while an API is being put in place."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}"
        with (
            Client(url, "cad_test", patience=Patience(tries=3), sleep=pauses.append) as client,
            pytest.raises(Unreachable, match="cannot reach"),
        ):
            client.campaigns.start(LEAD["id"])
    assert len(pauses) == 2


def test_a_request_that_is_under_way_is_waited_for(client: Client, script: Script) -> None:
    """Broken, asking again would say that something is wrong while the first request is being carried out."""
    script.answers = [problem(409, "1"), lead()]
    assert client.leads.add(url="lantern.example").status == "new"
    script.answers = [problem(409, errors=[{"pointer": "/sender_id", "detail": "choose who sends"}]), lead()]
    with pytest.raises(errors.Conflict) as caught:
        client.campaigns.start(LEAD["id"])
    assert [(each.pointer, each.detail) for each in caught.value.errors] == [("/sender_id", "choose who sends")]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.BadRequest),
        (401, errors.Unauthorised),
        (403, errors.Forbidden),
        (404, errors.NotFound),
        (412, errors.Overtaken),
        (428, errors.Overtaken),
        (415, ApiError),
        (500, errors.Unavailable),
    ],
)
def test_each_refusal_has_its_error(client: Client, script: Script, status: int, kind: type[ApiError]) -> None:
    """Broken, a program could not tell what it may mend from what it may not."""
    script.answers = [problem(status, detail="for this reason")]
    with pytest.raises(kind) as caught:
        client.leads.get(LEAD["id"])
    assert type(caught.value) is kind
    assert (caught.value.status, caught.value.problem.detail) == (status, "for this reason")
    assert len(script.asked) == 1


@pytest.mark.parametrize("body", ["<html>", "[]", '{"errors": "none"}', '{"errors": [1]}', ""])
def test_a_gateways_own_words_are_an_error_too(client: Client, script: Script, body: str) -> None:
    """Broken, a program would meet a traceback instead of "413"."""
    script.answers = [Response(body, 413)]
    with pytest.raises(ApiError) as caught:
        client.leads.list()
    assert caught.value.status == 413


@pytest.mark.parametrize("body", ["{", "{}", "[]"])
def test_an_answer_of_another_version_is_said_so(client: Client, script: Script, body: str) -> None:
    """Broken, a program would go on with values that are none."""
    script.answers = [Response(body, 200, mimetype="application/json")]
    with pytest.raises(UnexpectedAnswer):
        client.leads.get(LEAD["id"])


def test_ids_cannot_leave_their_place(client: Client, script: Script) -> None:
    """Broken, an id out of a file could reach another path."""
    script.answers = [problem(404)]
    with pytest.raises(errors.NotFound):
        client.leads.get("../senders?limit=1")
    assert script.asked[0].environ["REQUEST_URI"].endswith("/v1/leads/..%2Fsenders%3Flimit%3D1")


def test_lists_are_followed_to_their_end(client: Client, script: Script) -> None:
    """Broken, a program would see a list's first page only, or the same page for ever."""

    def page(cursor: str | None, *domains: str) -> Response:
        items = [LEAD | {"domain": domain} for domain in domains]
        return Response(json.dumps({"items": items, "next_cursor": cursor}), 200, mimetype="application/json")

    script.answers = [page(LEAD["id"], "a.example", "b.example"), page(None, "c.example")]
    found = [each.domain for each in client.leads.list_all(status="new")]
    assert found == ["a.example", "b.example", "c.example"]
    assert [request.args.get("cursor") for request in script.asked] == [None, LEAD["id"]]
    assert {request.args["status"] for request in script.asked} == {"new"}


def test_the_key_goes_nowhere_else(script: Script) -> None:
    """Broken, whoever answers with a redirect would get the workspace's key."""
    script.answers = [Response(status=302, headers={"Location": "http://127.0.0.1:9/"})]
    transport = HttpTransport(script.url, "cad_test")
    with pytest.raises(ApiError):
        transport.send(Call("GET", "/v1/leads", {}, {}))
    transport.close()


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [
        ("from cadenza.client import Client; Client('http://127.0.0.1:9', 'k').close()", ()),
        ("import cadenza.client.run", ("pydantic",)),
        ("from cadenza.cli import main; main(['check', 'tests/unit/plans/outreach-1.0.json'])", ("httpx2",)),
    ],
)
def test_the_client_brings_nothing_of_the_server(code: str, unwanted: tuple[str, ...]) -> None:
    """Broken, each call of the command would wait for a database driver that it does not use."""
    heavy = ("sqlalchemy", "boto3", "botocore", "aws_lambda_powertools", "jinja2", "openai", *unwanted)
    told = f"import sys\n{code}\nprint([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


# --- the command -------------------------------------------------------------------------------------------------


@pytest.fixture
def command(script: Script, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """The command, with the API's address in its environment."""
    monkeypatch.setenv("CADENZA_URL", script.url)
    monkeypatch.setenv("CADENZA_API_KEY", "cad_test")
    return lambda *arguments: main(arguments)


@pytest.mark.parametrize(("status", "ends"), [(400, 2), (401, 1), (403, 1), (404, 1), (409, 1), (412, 1), (500, 3)])
def test_the_status_of_the_command_tells_what_kind_of_no(
    command: Callable[..., int], script: Script, capsys: pytest.CaptureFixture[str], status: int, ends: int
) -> None:
    """Broken, a script could not tell a typing error from an API that is down."""
    wrong = [{"pointer": "/brief/offering", "detail": "say it"}, {"pointer": "/name", "detail": "too long"}]
    script.answers = [problem(status, detail="not like this", errors=wrong)]
    assert command("campaign", "add", "--name", "Spring") == ends
    told = capsys.readouterr().err.splitlines()
    assert told == ["--brief.offering: say it", "--name: too long", f"cadenza: not like this ({status})"]


def test_what_comes_from_outside_does_not_steer_the_terminal(
    command: Callable[..., int], script: Script, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken, a company's web site could clear an operator's screen, or write on it."""
    evil = LEAD | {"company_name": "Lantern\x1b[2J\x9b2J\nmore"}
    for answer in (evil, {"items": [evil], "next_cursor": None}):
        for json_too in ((), ("--json",)):
            script.answers = [Response(json.dumps(answer), 200, mimetype="application/json")]
            assert command("lead", "list", *json_too) == 0
            out = capsys.readouterr().out
            assert "Lantern" in out
            assert not {"\x1b", "\x9b"} & set(out)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["campaign", "get"], "CAMPAIGN_ID"),
        (["campaign", "list", "--status", "asleep"], "invalid choice"),
        (["campaign", "list", "--limit", "many"], "'many' is no number"),
        (["campaign", "add", "--brief", "{"], "is not JSON"),
        (["campaign", "add", "--data", "@/nowhere.json"], "No such file"),
        (["campaign", "fly"], "invalid choice"),
        (["sender", "put-smtp", "id", "--password", "hunter2"], "say where it is"),
    ],
)
def test_typing_errors_never_reach_the_api(
    command: Callable[..., int], script: Script, capsys: pytest.CaptureFixture[str], arguments: list[str], told: str
) -> None:
    """Broken, a typing error would be answered by a traceback, or from far away."""
    with pytest.raises(SystemExit) as caught:
        command(*arguments)
    assert caught.value.code == 2
    assert told in capsys.readouterr().err
    assert script.asked == []


def test_without_an_address_the_command_says_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Broken, the first thing that a new operator sees would be a traceback."""
    monkeypatch.delenv("CADENZA_URL", raising=False)
    assert main(["campaign", "list"]) == 2
    assert "CADENZA_URL" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([])


CHANGE = Operation(
    verb="change",
    method="PATCH",
    path="/v1/things/{}",
    summary="Change a thing.",
    ids=("thing_id",),
    options=(Option(("If-Match",), "header"), Option(("name",), "body"), Option(("rules", "cap"), "body")),
    has_body=True,
)
READ = Operation(verb="get", method="GET", path="/v1/things/{}", summary="Show a thing.", ids=("thing_id",))
NAME, CAP = (CHANGE.options[1], "new"), (CHANGE.options[2], 3)


@pytest.mark.parametrize(
    ("wanted", "method", "read", "etag", "body"),
    [
        (Wanted(CHANGE, ("7",), dict([NAME]), {}, None, READ), "PATCH", True, '"now"', {"name": "new"}),
        (
            Wanted(CHANGE, ("7",), dict([NAME, (CHANGE.options[0], '"seen"')]), {}, None, READ),
            "PATCH",
            False,
            '"seen"',
            {"name": "new"},
        ),
        (
            Wanted(CHANGE._replace(method="PUT"), ("7",), dict([CAP]), {}, None, READ, keep=True),
            "PUT",
            True,
            '"now"',
            {"name": "old", "rules": {"cap": 3, "zone": "UTC"}},
        ),
        (
            Wanted(CHANGE._replace(method="PUT"), ("7",), dict([CAP]), {"name": "given"}, None, READ),
            "PUT",
            False,
            None,
            {"name": "given", "rules": {"cap": 3}},
        ),
    ],
    ids=["a change", "of what was seen", "keeping", "replacing"],
)
def test_what_is_changed_is_what_is_there(
    script: Script, wanted: Wanted, method: str, *, read: bool, etag: str | None, body: dict[str, Any]
) -> None:
    """Broken, a change would overwrite somebody else's, or be refused for want of a version that nobody asked for."""
    there = {"id": "7", "name": "old", "rules": {"cap": 1, "zone": "UTC"}}
    script.answers = [Response(json.dumps(there), 200, mimetype="application/json", headers={"ETag": '"now"'})]
    assert run(wanted, script.url, "cad_test") == 0
    assert [request.method for request in script.asked] == [*(["GET"] if read else []), method]
    assert script.asked[-1].headers.get("if-match") == etag
    assert script.asked[-1].get_json() == body


class Terminal:
    """Standard input where somebody answers."""

    def __init__(self, answer: str) -> None:
        self.answer = answer

    def isatty(self) -> bool:
        """It is a person."""
        return True

    def readline(self) -> str:
        """What they type."""
        return self.answer


def test_people_are_asked_before_what_cannot_be_undone(
    command: Callable[..., int], script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken, a slip of the hand would erase a person or end a campaign."""
    script.answers = [Response("{}", 200, mimetype="application/json")]
    monkeypatch.setattr(sys, "stdin", Terminal("\n"))
    assert command("contact", "erase", LEAD["id"]) == 1
    assert script.asked == []
    assert command("contact", "erase", LEAD["id"], "--yes") == 0
    monkeypatch.setattr(sys, "stdin", Terminal("y\n"))
    assert command("campaign", "cancel", LEAD["id"]) == 0
    assert [request.method for request in script.asked] == ["DELETE", "POST"]
