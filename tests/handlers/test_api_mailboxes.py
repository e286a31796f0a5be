"""Senders with mailboxes of their own: from the API to the mail that leaves, and where the password is meanwhile."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from typing import Any
from uuid import UUID, uuid4

import boto3
import pytest
from sqlalchemy import select, update
from sqlalchemy.engine import URL

from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import MessageId, SenderId
from cadenza.core.messages import SendWanted
from cadenza.core.states import MessageStatus
from cadenza.delivery.providers.passwords import KEPT_S, Passwords
from functions.send.handler import delivery
from functions.send.handler import handler as send
from tests.handlers.api_client import Client, client, column, environment
from tests.handlers.conftest import LambdaContext, Queues
from tests.handlers.smtp_servers import Scripted
from tests.store.builders import Scene, add_campaign, add_plan, add_workspace

PASSWORD = "correct horse, bättery"
SENDER = {
    "name": "Ada Sender",
    "email": "ada@tidewater.example",
    "company": "Tidewater Routing (fictional)",
    "postal_address": "1 Quay, Hamburg",
}
SMTP = {"host": "smtp.mailbox.example", "username": "ada@tidewater.example", "password": PASSWORD}
LOGIN = {"EHLO": "250-hello\r\n250 AUTH PLAIN", "AUTH": "235 ok"}


@pytest.fixture
def api(queues: Queues, database_url: URL, database: Database, monkeypatch: Any) -> Iterator[Client]:  # noqa: ARG001
    """The workspace's admin."""
    monkeypatch.setenv("SENDER_SECRETS_PATH", "/cadenza/Test/senders")
    monkeypatch.setenv("SMTP_PRIVATE_HOSTS", "true")
    with database.worker() as conn:
        workspace_id = add_workspace(conn)
    with environment(database_url, monkeypatch):
        yield client(database, workspace_id)


def parameters() -> dict[str, str]:
    """What is in the Parameter Store, decrypted."""
    found = boto3.client("ssm").get_parameters_by_path(Path="/cadenza", Recursive=True, WithDecryption=True)
    assert {parameter["Type"] for parameter in found["Parameters"]} <= {"SecureString"}
    return {parameter["Name"]: parameter["Value"] for parameter in found["Parameters"]}


def test_a_password_is_stored_apart_and_never_shown(
    api: Client, database: Database, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
):
    """Broken, who reads the database, a backup, a log or the API would have a customer's mailbox."""
    caplog.set_level(logging.DEBUG, "cadenza")
    sender = api.post("/v1/senders", SENDER | {"smtp": SMTP})
    assert parameters() == {f"/cadenza/Test/senders/{sender['id']}": PASSWORD}
    shown = {"host": "smtp.mailbox.example", "port": 587, "security": "starttls", "username": "ada@tidewater.example"}
    assert (sender["provider"], sender["smtp"], sender["ses"]) == ("smtp", shown, None)
    assert api.get("/v1/senders")["items"] == [sender]
    with database.worker() as conn:
        rows = [str(dict(row)) for row in conn.execute(select(tables.sender_identities)).mappings()]
    output = capsys.readouterr()
    for told in (*rows, json.dumps(sender), caplog.text, output.out, output.err):
        assert "correct horse" not in told


def test_a_password_is_replaced(api: Client):
    """Broken, a sender whose password changes would have to be made anew, and its campaigns with it."""
    sender = api.post("/v1/senders", SENDER | {"smtp": SMTP})
    changed = api.call("PUT", f"/v1/senders/{sender['id']}/smtp", SMTP | {"port": 465, "security": "tls"}).json
    assert (changed["smtp"]["port"], changed["smtp"]["security"]) == (465, "tls")
    api.call("PUT", f"/v1/senders/{sender['id']}/smtp", SMTP | {"password": "new"})
    assert list(parameters().values()) == ["new"]


def test_a_sender_moves_from_ses_to_a_mailbox(api: Client):
    """Broken, whoever begins with SES could not change."""
    sender = api.post("/v1/senders", SENDER | {"ses": {"tenant": "north"}})
    assert (sender["provider"], sender["ses"], sender["smtp"]) == ("ses", {"tenant": "north"}, None)
    moved = api.call("PUT", f"/v1/senders/{sender['id']}/smtp", SMTP).json
    assert (moved["provider"], moved["ses"], moved["smtp"]["host"]) == ("smtp", None, "smtp.mailbox.example")


def test_a_refused_sender_leaves_no_password_behind(api: Client):
    """Broken, passwords that nobody knows of would stay for ever."""
    api.post("/v1/senders", SENDER)
    assert set(api.call("POST", "/v1/senders", SENDER | {"smtp": SMTP}).problem(409)) == {"/email"}
    assert parameters() == {}


def test_another_workspace_s_sender_is_not_touched(api: Client, database: Database):
    """Broken, one customer could redirect another's mail (I9)."""
    sender = api.post("/v1/senders", SENDER | {"smtp": SMTP})
    with database.worker() as conn:
        elsewhere = add_workspace(conn)
    stranger = client(database, elsewhere)
    target = f"/v1/senders/{sender['id']}/smtp"
    assert stranger.call("PUT", target, SMTP | {"password": "evil"}).status == 404
    assert list(parameters().values()) == [PASSWORD]
    assert api.call("PUT", f"/v1/senders/{uuid4()}/smtp", SMTP).status == 404


def test_nothing_is_added_while_the_password_cannot_be_stored(
    api: Client, database: Database, monkeypatch: pytest.MonkeyPatch
):
    """Broken, there would be a sender that can never send."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    assert api.call("POST", "/v1/senders", SENDER | {"smtp": SMTP}).status == 503
    assert column(database, "sender_identities.id") == []


@pytest.mark.parametrize(
    ("change", "pointer", "says"),
    [
        ({"email": "ada@@x"}, "/email", "no address"),
        ({"email": "ada@tide water.example"}, "/email", "no address"),
        ({"reply_to": "nobody"}, "/reply_to/constrained-str", "no address"),
        ({"smtp": SMTP, "ses": {}}, "", "exclude each other"),
        ({"ses": {"tenant": "a b"}}, "/ses/tenant", "pattern"),
        ({"smtp": SMTP | {"host": "not a host"}}, "/smtp/host", "no host name"),
        ({"smtp": SMTP | {"port": 25}}, "/smtp", "use 587"),
        ({"smtp": SMTP | {"security": "none"}}, "/smtp", "use starttls or tls"),
        ({"smtp": SMTP | {"security": "ssl"}}, "/smtp/security", "starttls"),
        ({"smtp": {"host": "smtp.mailbox.example"}}, "/smtp", "username and password are missing"),
        ({"smtp": {"host": "smtp.mailbox.example", "username": "ada"}}, "/smtp", "go together"),
        ({"smtp": SMTP | {"password": "x" * 1001}}, "/smtp/password", "1000"),
        ({"smtp": SMTP | {"pasword": "typo"}}, "/smtp/pasword", "not permitted"),
    ],
)
def test_what_cannot_work_is_refused_and_named(api: Client, change: dict[str, Any], pointer: str, says: str):
    """Broken, an operator would learn of a typing error from mails that do not go, or a password would be echoed."""
    reply = api.call("POST", "/v1/senders", SENDER | change)
    problems = reply.problem(400)
    assert any(found.startswith(pointer.partition("/constrained")[0]) for found in problems), problems
    assert any(says in detail for detail in problems.values()), problems
    assert "correct horse" not in reply.text
    assert parameters() == {}


# --- to the mail that leaves -------------------------------------------------------------------------------------


@pytest.fixture
def people(api: Client, database: Database, monkeypatch: pytest.MonkeyPatch) -> Scene:
    """A running campaign whose sender has a mailbox; from here on functions are the workers'."""
    sender = api.post("/v1/senders", SENDER | {"smtp": {"host": "127.0.0.1", "security": "none"} | login("ada")})
    monkeypatch.setenv("DATABASE_ROLE", "cadenza_worker")
    with database.worker() as conn:
        sender_id = SenderId(UUID(sender["id"]))
        campaign_id = add_campaign(conn, api.workspace_id, sender_id)
        return Scene(api.workspace_id, sender_id, campaign_id, add_plan(conn, api.workspace_id))


def login(name: str) -> dict[str, str]:
    return {"username": name, "password": PASSWORD}


def hand_over(database: Database, scene: Scene, port: int, count: int = 1) -> list[MessageId]:
    """Let the send function do ``count`` people's messages, through the mailbox at this port."""
    settings = {"host": "127.0.0.1", "port": port, "security": "none", "username": "ada"}
    with database.worker() as conn:
        conn.execute(update(tables.sender_identities).values(provider_settings=settings))
        ids = [scene.add_message(conn) for _ in range(count)]
    send_all(ids)
    return ids


def send_all(ids: list[MessageId]) -> None:
    """Let the send function do these messages."""
    body = SendWanted(message_ids=tuple(ids)).model_dump_json()
    record = {
        "messageId": str(uuid4()),
        "body": body,
        "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:message-send",
        "messageAttributes": {},
    }
    answer = send({"Records": [record]}, LambdaContext())  # type: ignore[arg-type]
    assert answer == {"batchItemFailures": []}
    delivery()._database.close()


def test_mail_leaves_by_the_sender_s_own_mailbox(database: Database, people: Scene):
    """Broken, an operator's own mailbox would be settings without an effect."""
    scripted = Scripted(LOGIN)
    with scripted.serving() as port:
        hand_over(database, people, port, count=2)
    assert column(database, "outbound_messages.status") == [MessageStatus.SENT] * 2
    assert set(column(database, "outbound_messages.provider")) == {"smtp"}
    assert all(b"From: Ada Sender <ada@tidewater.example>" in content for content in scripted.contents)
    assert len([line for line in scripted.said if line.startswith("AUTH")]) == 1


def test_a_wrong_password_pauses_its_sender_and_burns_nothing(
    api: Client, database: Database, people: Scene, queues: Queues
):
    """Broken, a changed password would end a campaign, or the account be locked by endless tries."""
    scripted = Scripted(LOGIN | {"AUTH": "535 5.7.8 Username and Password not accepted"})
    with scripted.serving() as port:
        hand_over(database, people, port, count=3)
    assert column(database, "outbound_messages.status") == [MessageStatus.QUEUED] * 3
    (sender,) = api.get("/v1/senders")["items"]
    assert sender["paused_at"]
    assert "535 5.7.8 Username and Password not accepted" in sender["paused_reason"]
    assert len([line for line in scripted.said if line.startswith("AUTH")]) == 1, "tried once, not once a message"
    assert queues.take("message-send") == [], "they wait for their sender, not for the clock"
    assert set(column(database, "send_quota.used")) == {0}
    people_s = f"/v1/senders/{people.sender_id}"
    api.call("PUT", f"{people_s}/smtp", {"host": "127.0.0.1", "security": "none"} | login("ada"))
    assert api.post(f"{people_s}/resume")["paused_at"] is None
    assert len(queues.take("message-send")) == 1, "once it is mended, all of them go on"


def test_a_mail_server_that_is_away_is_tried_again(database: Database, people: Scene, queues: Queues):
    """Broken, a mail server's restart would stop its senders until somebody looks."""
    with Scripted({"": "421 4.3.2 restarting"}).serving() as port:
        hand_over(database, people, port)
    assert column(database, "outbound_messages.status") == [MessageStatus.QUEUED]
    assert "restarting" in column(database, "outbound_messages.reason")[0], "explain tells why"
    assert column(database, "sender_identities.paused_at") == [None]
    waiting = queues.client.get_queue_attributes(QueueUrl=queues.urls["message-send"], AttributeNames=["All"])
    counts = waiting["Attributes"]
    assert int(counts["ApproximateNumberOfMessagesDelayed"]) + int(counts["ApproximateNumberOfMessages"]) == 1


def test_one_recipient_s_trouble_holds_up_nobody_else(database: Database, people: Scene):
    """Broken, one greylisted address would hold up everybody behind it."""
    with Scripted(LOGIN | {"RCPT": ["250 ok", "451 4.7.1 greylisted", "550 5.1.1 nobody", "250 ok"]}).serving() as port:
        hand_over(database, people, port, count=4)
    assert sorted(column(database, "outbound_messages.status")) == ["failed", "queued", "sent", "sent"]


def test_one_sender_s_trouble_is_no_other_s(api: Client, database: Database, people: Scene):
    """Broken, one customer's wrong password would stop the mail of all."""
    api.post("/v1/senders", SENDER | {"email": "bob@tidewater.example", "smtp": {"host": "127.0.0.1", "port": 1}})
    good, senders = Scripted(LOGIN), tables.sender_identities
    with Scripted(LOGIN | {"AUTH": "535 no"}).serving() as bad_port, good.serving() as port:
        with database.worker() as conn:
            bob = conn.execute(select(senders.c.id).where(senders.c.id != people.sender_id)).scalar_one()
            ids = [people.add_message(conn), people.add_message(conn, sender_id=bob), people.add_message(conn)]
            for sender_id, at in ((people.sender_id, bad_port), (bob, port)):
                settings = {"host": "127.0.0.1", "port": at, "security": "none"}
                settings |= {"username": "ada"} if at == bad_port else {}
                conn.execute(update(senders).where(senders.c.id == sender_id).values(provider_settings=settings))
        send_all(ids)
    assert column(database, "outbound_messages.status") == ["queued", "sent", "queued"]
    assert len(good.contents) == 1


# --- passwords in the process ------------------------------------------------------------------------------------


def test_a_process_asks_for_a_password_once_in_a_while(queues: Queues):  # noqa: ARG001
    """Broken, each batch would cost a call, or a changed password would never be heard of."""
    now = 0.0
    passwords = Passwords("/cadenza/Test/senders/", lambda: now)
    sender_id = SenderId(uuid4())
    assert passwords.get(sender_id) is None
    passwords.put(sender_id, "one")
    assert passwords.get(sender_id) == "one"
    passwords.put(sender_id, "two")
    assert passwords.get(sender_id) == "one"
    assert passwords.get(sender_id, anew=True) == "two"
    passwords.put(sender_id, "three")
    now = KEPT_S + 1
    assert passwords.get(sender_id) == "three"
    passwords.drop(sender_id)
    passwords.drop(sender_id)
    assert passwords.get(sender_id, anew=True) is None
