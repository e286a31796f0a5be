"""The send function: from an SQS batch to mails, and back to exactly what has to come again."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import boto3
import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL

from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import MessageId
from cadenza.core.states import MessageStatus
from functions.send.handler import delivery, handler
from tests.handlers.conftest import LambdaContext, Queues
from tests.store.builders import add_scene

RECORDED_ID = MessageId(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
POISON, GOOD = "22222222-2222-4222-8222-222222222222", "11111111-1111-4111-8111-111111111111"


@pytest.fixture
def sending(queues: Queues, database_url: URL, monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    """The function's environment, with the recorded event's message in the outbox."""
    monkeypatch.setenv("DATABASE_URL", database_url.render_as_string(hide_password=False))
    monkeypatch.setenv("DATABASE_ROLE", "cadenza_worker")
    yield queues
    delivery()._database.close()


def add_recorded_message(database: Database, sender: str) -> None:
    with database.worker() as conn:
        add_scene(conn, sender={"email": sender}).add_message(conn, id=RECORDED_ID)


def failed(event: dict[str, Any]) -> set[str]:
    """The SQS messages that the function wants back."""
    answer = handler(event, LambdaContext())  # type: ignore[arg-type]
    return {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}


def status(database: Database) -> str:
    with database.worker() as conn:
        return conn.execute(select(tables.outbound_messages.c.status)).scalar_one()


def test_a_batch_is_sent_and_only_its_poison_comes_back(
    sending: Queues, database: Database, recorded: Callable[[str], dict[str, Any]]
):
    """Broken, one malformed message would hold up the mails of everybody in its batch."""
    boto3.client("sesv2").create_email_identity(EmailIdentity="ada@nordlicht.example")
    add_recorded_message(database, "ada@nordlicht.example")
    assert failed(recorded("send-wanted")) == {POISON}
    assert status(database) == MessageStatus.SENT
    assert sending.take_all() == {}, "the plan's timer is three days away: a wake, not a message"
    (wake,) = boto3.client("scheduler").list_schedules()["Schedules"]
    assert wake["Name"] > f"wake-{datetime.now(UTC):%Y%m%d}"


def test_a_message_that_its_provider_cannot_take_now_comes_back(
    sending: Queues,
    database: Database,
    recorded: Callable[[str], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
):
    """Broken, mail that SES throttles would be lost."""
    add_recorded_message(database, "ada@nordlicht.example")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", "http://127.0.0.1:1")
    assert failed(recorded("send-wanted")) == {POISON}
    assert status(database) == MessageStatus.QUEUED
    url = sending.urls["message-send"]
    waiting = sending.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    # Back at once or with a delay, as the jitter fell.
    assert int(waiting["ApproximateNumberOfMessagesDelayed"]) + int(waiting["ApproximateNumberOfMessages"]) == 1


def test_what_does_not_fit_into_the_function_s_time_comes_back(
    sending: Queues, database: Database, recorded: Callable[[str], dict[str, Any]]
):
    """Broken, a message that the platform cuts off in the middle would be unknown, and never be sent."""
    add_recorded_message(database, "ada@nordlicht.example")
    handler(recorded("send-wanted"), LambdaContext(remaining_s=60))  # type: ignore[arg-type]
    assert status(database) == MessageStatus.QUEUED
    url = sending.urls["message-send"]
    waiting = sending.client.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert int(waiting["ApproximateNumberOfMessagesDelayed"]) == 1


def test_a_repeated_batch_is_answered_and_changes_nothing(
    sending: Queues, database: Database, recorded: Callable[[str], dict[str, Any]]
):
    """Broken, SQS's second delivery would fail for ever, or mail twice."""
    boto3.client("sesv2").create_email_identity(EmailIdentity="ada@nordlicht.example")
    add_recorded_message(database, "ada@nordlicht.example")
    event = recorded("send-wanted")
    failed(event)
    sending.take_all()
    assert failed(event) == {POISON}
    assert sending.take_all() == {}
