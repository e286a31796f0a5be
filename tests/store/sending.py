"""Everything that sending needs, on real Postgres and moto's queues: the ``world`` of the outbox's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import boto3
import pytest
from moto import mock_aws
from sqlalchemy import select

from cadenza.campaigns.starting import ScheduledStarts
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import MessageId
from cadenza.core.messages import SendWanted
from cadenza.core.queues import Queue
from cadenza.core.settings import ExecutionQueue
from cadenza.delivery.execution import Execution
from cadenza.delivery.hints import Hints
from cadenza.delivery.inbound import Inbound
from cadenza.delivery.model import EarlierMail, Mail, Outcome, Sent
from cadenza.delivery.outcomes import SignalIntake
from cadenza.delivery.service import Delivery
from cadenza.delivery.upkeep import Upkeep
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.service import Engine
from cadenza.engine.wakes import Wakes
from cadenza.signals.links import Links
from tests.store.builders import Scene, add_scene

MESSAGES = tables.outbound_messages


class Crash(BaseException):
    """The process dies here."""


@dataclass
class FakeSes:
    """A provider that takes everything, unless ``answer`` says otherwise for a mail."""

    answer: Callable[[Mail], Outcome] = lambda mail: Sent(f"ses-{mail.message_id}")
    taken: list[Mail] = field(default_factory=list[Mail])
    closed: int = 0

    def send(self, mail: Mail) -> Outcome:
        """See `Provider`."""
        self.taken.append(mail)
        return self.answer(mail)

    def header_id(self, mail: EarlierMail) -> str:
        """See `Provider`."""
        return f"<{mail.provider_message_id}@eu-central-1.amazonses.com>"

    def close(self) -> None:
        """See `Provider`."""
        self.closed += 1


@dataclass
class World:
    """Everything that sending needs, on real Postgres and moto's queues, with a clock that tests set."""

    database: Database
    now: datetime
    ses: FakeSes
    queue_url: str
    delivery: Delivery
    upkeep: Upkeep
    signals: SignalIntake
    dispatcher: Dispatcher
    engine: Engine
    execution_url: str

    @property
    def execution(self) -> Execution:
        """What the execute function runs."""
        starts = ScheduledStarts(self.database, self.dispatcher, lambda: self.now, "https://go.cadenza.example")
        return Execution(self.engine, self.signals, Inbound(self.database), self.upkeep, starts)

    def row(self, message_id: MessageId) -> Any:
        """The outbox row."""
        with self.database.worker() as conn:
            return conn.execute(select(MESSAGES).where(MESSAGES.c.id == message_id)).one()

    def status(self, message_id: MessageId) -> str:
        """Its status."""
        return self.row(message_id).status

    def enrolment(self, message_id: MessageId) -> Any:
        """The row of the enrolment that it belongs to."""
        enrolments = tables.contact_campaigns
        with self.database.worker() as conn:
            return conn.execute(
                select(enrolments)
                .join(MESSAGES, MESSAGES.c.enrolment_id == enrolments.c.id)
                .where(MESSAGES.c.id == message_id)
            ).one()

    def actions(self, message_id: MessageId) -> list[tuple[str, datetime]]:
        """The live actions of its enrolment: event and due time."""
        actions = tables.scheduled_actions
        with self.database.worker() as conn:
            rows = conn.execute(
                select(actions.c.event, actions.c.due_at)
                .join(MESSAGES, MESSAGES.c.enrolment_id == actions.c.enrolment_id)
                .where(MESSAGES.c.id == message_id)
            )
            return [(row.event, row.due_at) for row in rows]

    def used(self) -> dict[str, int]:
        """What is used of each cap."""
        with self.database.worker() as conn:
            rows = conn.execute(select(tables.send_quota.c.scope, tables.send_quota.c.used))
            return {row.scope: row.used for row in rows}

    def hinted(self) -> set[MessageId]:
        """What is on message-send, taken off."""
        sqs, found = boto3.client("sqs"), set()
        while got := sqs.receive_message(QueueUrl=self.queue_url, MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                found |= set(SendWanted.model_validate_json(message["Body"]).message_ids)
                sqs.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return found

    def wakes(self) -> set[str]:
        """The names of the schedules."""
        return {schedule["Name"] for schedule in boto3.client("scheduler").list_schedules()["Schedules"]}

    def scene(self, **given: Any) -> Scene:
        """See `add_scene`."""
        with self.database.worker() as conn:
            return add_scene(conn, **given)

    def message(self, scene: Scene, **given: Any) -> MessageId:
        """See `Scene.add_message`."""
        with self.database.worker() as conn:
            return scene.add_message(conn, **given)


@pytest.fixture
def world(database: Database, now: datetime, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        sqs, scheduler = boto3.client("sqs"), boto3.client("scheduler")
        scheduler.create_schedule_group(Name="cadenza")
        send = Queue(sqs.create_queue(QueueName="message-send")["QueueUrl"], sqs)
        execution = sqs.create_queue(QueueName="campaign-execution")["QueueUrl"]
        settings = ExecutionQueue(
            campaign_execution_queue_url=execution,
            campaign_execution_queue_arn="arn:aws:sqs:eu-central-1:123456789012:campaign-execution",
            scheduler_group="cadenza",
            scheduler_role_arn="arn:aws:iam::123456789012:role/scheduler",
        )
        dispatcher = Dispatcher(Queue(execution, sqs), Wakes(settings, scheduler), send)
        ses = FakeSes()

        def clock() -> datetime:
            return made.now

        engine = Engine(database, dispatcher, clock)
        hints = Hints(send, dispatcher)
        links = Links("https://go.cadenza.example", "0123456789abcdef")
        made = World(
            database,
            now,
            ses,
            send.url,
            Delivery(database=database, engine=engine, hints=hints, providers={"ses": ses}, links=links, clock=clock),
            Upkeep(database, engine, hints, clock),
            SignalIntake(database, engine, clock),
            dispatcher,
            engine,
            execution,
        )
        yield made
