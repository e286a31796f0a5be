"""An AWS in this process, on a virtual clock: moto keeps queues, schedules, secrets and mails; we make them run.

What moto leaves out is what Lambda and EventBridge Scheduler do: hand batches to the functions, delete what succeeded,
fire one-shot schedules. That happens here, on one thread, in a fixed order. Time stands still while anything can be
done, then jumps to the next instant at which something becomes visible; nobody ever sleeps.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, cast, get_args

import boto3
import time_machine
from moto import mock_aws
from moto.scheduler.models import Schedule, ScheduleGroup, scheduler_backends
from moto.ses.models import RawMessage, ses_backends
from moto.sqs.models import Message, sqs_backends

from cadenza.core.clock import utc_now
from cadenza.core.consumer import BatchAnswer, SqsEvent, SqsRecord
from infra.topology import MAX_RECEIVE_COUNT, QUEUES, FunctionName, QueueName
from tests.handlers.conftest import LambdaContext, forget

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import DeleteMessageBatchRequestEntryTypeDef, MessageTypeDef

ACCOUNT: Final = "123456789012"
REGION: Final = "eu-central-1"
GROUP: Final = "cadenza-wakes"
NAMES: Final = cast("tuple[QueueName, ...]", get_args(QueueName))
SWEPT: Final[tuple[QueueName, ...]] = ("campaign-execution", "lead-analysis")
SWEEP: Final = {"type": "sweep", "version": 1}

MAX_BATCHES: Final = 5_000
"""Handed over by one `Cloud` at most: a flow that needs more goes round in circles."""

# pyright: reportUnknownMemberType=false, reportPrivateUsage=false
# boto3's own `client` is typed for the services whose stubs are installed only; moto shows a queue's whole content to
# nobody who does not look inside.

Handler = Callable[[Any, LambdaContext], Any]
Batch = Sequence[SqsRecord]
Courier = Callable[[QueueName, Batch], list[Batch]]
"""Decides how often, in which parts and in which order a batch reaches its function."""


class SandboxDied(BaseException):
    """The process that runs a function ends here and now; no ``except Exception`` of ours can help it."""


def once(_: QueueName, batch: Batch) -> list[Batch]:
    """Hand each batch over as it is: SQS on a good day."""
    return [batch]


@dataclass(frozen=True)
class Lossy:
    """A queue that loses everything until an instant, and behaves from then on."""

    queue: QueueName
    until: datetime

    def __call__(self, queue: QueueName, batch: Batch) -> list[Batch]:
        """Nothing at all, for the time being."""
        return [] if queue == self.queue and utc_now() < self.until else [batch]


class AtLeastOnce:
    """SQS on a bad day, within its contract: everything twice, in an order of its own, signals last first."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - an order, no secret

    def __call__(self, queue: QueueName, batch: Batch) -> list[Batch]:
        """First each message alone, then all of them again."""
        order = list(reversed(batch)) if queue == "engagement-events" else self._random.sample(batch, len(batch))
        return [*([record] for record in order), self._random.sample(batch, len(batch))]


def _nothing() -> None:
    """The default of `Cloud.after_each`."""


@dataclass
class Cloud:
    """The queues with their event sources, the scheduler, and the clock that all of them share.

    ``after_each`` is called after every invocation. The safety sweep runs when it is asked for (`sweep`,
    `sweep_hourly`): nothing may depend on it.
    """

    sqs: SQSClient
    scheduler: EventBridgeSchedulerClient
    urls: Mapping[str, str]
    travel: time_machine.Traveller
    courier: Courier = once
    after_each: Callable[[], None] = _nothing
    fired: list[datetime] = field(default_factory=list[datetime])
    """When which wake went off."""
    batches: int = 0

    # --- time ----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Do everything that can be done without time passing."""
        while any([self._fire_due(), *(self._poll(name) for name in NAMES)]):
            pass

    def pass_time(self, duration: timedelta) -> None:
        """Let time go by, with everything in it happening at its instant."""
        end = utc_now() + duration
        self.settle()
        while (instant := self._next_instant()) is not None and instant <= end:
            self.travel.move_to(instant)
            self.settle()
        self.travel.move_to(end)
        self.settle()

    def stall(self, duration: timedelta) -> None:
        """Let time go by with no function running: what happens meanwhile waits in the queues."""
        self.travel.shift(duration)

    def run(self, limit: timedelta = timedelta(days=60)) -> timedelta:
        """Let time go by until nothing is under way any more; how long that took."""
        start = utc_now()
        self.settle()
        while (instant := self._next_instant()) is not None:
            assert instant <= start + limit, f"not over after {limit}"
            self.travel.move_to(instant)
            self.settle()
        return utc_now() - start

    def _next_instant(self) -> datetime | None:
        """The first instant from now on at which there is something to do."""
        instants = [_visible_from(message) for name in NAMES for message in self.messages(name)]
        return min([*instants, *map(_time_of, self.schedules())], default=None)

    # --- EventBridge ---------------------------------------------------------------------------------------------

    def schedules(self) -> list[Schedule]:
        """The one-shot schedules that wait for their time."""
        group = cast("ScheduleGroup", scheduler_backends[ACCOUNT][REGION].schedule_groups[GROUP])
        return list(group.schedules.values())

    def sweep(self) -> None:
        """What EventBridge's rule does each hour."""
        for name in SWEPT:
            self.put(name, json.dumps(SWEEP))
        self.settle()

    def sweep_hourly(self, hours: int) -> None:
        """Let hours go by, with a sweep at the end of each."""
        for _ in range(hours):
            self.pass_time(timedelta(hours=1))
            self.sweep()

    def _fire_due(self) -> bool:
        now = utc_now()
        due = sorted((schedule for schedule in self.schedules() if _time_of(schedule) <= now), key=_time_of)
        for schedule in due:
            assert schedule.action_after_completion == "DELETE", "schedules would pile up to the account's limit"
            assert schedule.creation_date <= _time_of(schedule).timestamp(), "a wake was made for an instant gone by"
            self.put(schedule.target["Arn"].rpartition(":")[2], schedule.target["Input"])
            self.scheduler.delete_schedule(GroupName=GROUP, Name=schedule.name)
            self.fired.append(_time_of(schedule))
        return bool(due)

    # --- SQS and its event sources -------------------------------------------------------------------------------

    def messages(self, name: str) -> list[Message]:
        """What the queue (or DLQ, ``<name>-dlq``) holds: visible, delayed and in flight."""
        return list(sqs_backends[ACCOUNT][REGION].queues[name]._messages)

    def dead_letters(self) -> dict[str, list[str]]:
        """The bodies in each DLQ; DLQs with nothing in them are left out."""
        return {name: [m.body for m in found] for name in NAMES if (found := self.messages(f"{name}-dlq"))}

    def put(self, name: QueueName, body: str) -> None:
        """Put anything on a queue."""
        self.sqs.send_message(QueueUrl=self.urls[name], MessageBody=body)

    def lose_schedules(self) -> int:
        """Drop every schedule; how many there were."""
        lost = self.schedules()
        for schedule in lost:
            self.scheduler.delete_schedule(GroupName=GROUP, Name=schedule.name)
        return len(lost)

    def _poll(self, name: QueueName) -> bool:
        """Receive a batch and hand it over; False if there was none."""
        if not sqs_backends[ACCOUNT][REGION].queues[name].messages:
            return False  # nothing is visible: a call would only cost time
        batch = self._receive(name)
        if not batch:
            return False
        self.batches += 1
        assert self.batches <= MAX_BATCHES, "the flow goes round in circles"
        kept: set[str] = set()
        for part in self.courier(name, batch):
            kept |= self._hand_over(name, part)
        entries: list[DeleteMessageBatchRequestEntryTypeDef] = [
            {"Id": str(index), "ReceiptHandle": record["receiptHandle"]}
            for index, record in enumerate(batch)
            if record["messageId"] not in kept
        ]
        for start in range(0, len(entries), 10):
            self.sqs.delete_message_batch(QueueUrl=self.urls[name], Entries=entries[start : start + 10])
        return True

    def _receive(self, name: QueueName) -> list[SqsRecord]:
        size = QUEUES[name].batch_size
        records: list[SqsRecord] = []
        while len(records) < size:
            wanted = min(10, size - len(records))
            got = self.sqs.receive_message(
                QueueUrl=self.urls[name], MaxNumberOfMessages=wanted, AttributeNames=["All"], WaitTimeSeconds=0
            ).get("Messages", [])
            records += [_record(name, message) for message in got]
            if len(got) < wanted:
                break
        return records

    def _hand_over(self, name: QueueName, batch: Batch) -> set[str]:
        """Invoke the queue's consumer; the message ids that stay in the queue."""
        ids = {record["messageId"] for record in batch}
        event: SqsEvent = {"Records": batch}
        try:
            answer: BatchAnswer = invoke(QUEUES[name].consumer, event)
        except SandboxDied:
            forget()
            return ids
        finally:
            self.after_each()
        failed = {failure["itemIdentifier"] for failure in answer["batchItemFailures"]}
        assert failed <= ids, "Lambda takes an unknown id to mean that the whole batch failed"
        return failed


def invoke(function: FunctionName, event: object) -> Any:
    """Call a function as Lambda does."""
    handler: Handler = import_module(f"functions.{function}.handler").handler
    return handler(event, LambdaContext(function_name=function))


def mails() -> list[RawMessage]:
    """Every mail that SES has taken, in order."""
    return list(ses_backends[ACCOUNT][REGION].sent_messages)


def _record(queue: QueueName, message: MessageTypeDef) -> SqsRecord:
    assert "MessageId" in message
    assert "ReceiptHandle" in message
    assert "Body" in message
    assert "Attributes" in message
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": {str(name): value for name, value in message["Attributes"].items()},
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue}",
    }


def _visible_from(message: Message) -> datetime:
    # Both in milliseconds; one more, because moto lets go of a message strictly after them, or loses a fraction.
    return datetime.fromtimestamp((max(message.visible_at, message.delayed_until) + 1) / 1000, UTC)


def _time_of(schedule: Schedule) -> datetime:
    expression = schedule.schedule_expression
    assert expression.startswith("at("), expression
    assert schedule.schedule_expression_timezone == "UTC"
    return datetime.fromisoformat(expression[3:-1]).replace(tzinfo=UTC)


@contextmanager
def running(start: datetime) -> Generator[Cloud]:
    """An AWS account with our queues (their sizes are the deployed ones) and our schedule group, at ``start``."""
    with time_machine.travel(start, tick=False) as traveller, mock_aws():
        sqs, scheduler = boto3.client("sqs"), boto3.client("scheduler")
        urls: dict[str, str] = {}
        for name, spec in QUEUES.items():
            sqs.create_queue(QueueName=f"{name}-dlq")
            redrive = {
                "deadLetterTargetArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}-dlq",
                "maxReceiveCount": MAX_RECEIVE_COUNT,
            }
            urls[name] = sqs.create_queue(
                QueueName=name,
                Attributes={"VisibilityTimeout": str(spec.visibility_s), "RedrivePolicy": json.dumps(redrive)},
            )["QueueUrl"]
        scheduler.create_schedule_group(Name=GROUP)
        yield Cloud(sqs, scheduler, urls, traveller)
