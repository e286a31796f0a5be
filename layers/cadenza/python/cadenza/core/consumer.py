"""Consuming an SQS batch: one bad message fails alone, and passing trouble comes back after a pause.

A queue's receives count what a message itself is to blame for: after three it is poison and goes to the DLQ. Passing
trouble must not use them up, or a database's absence of minutes would fill the DLQs. So a message that meets it is
put back: sent again to its own queue, with a growing delay and a count of its tries, and the received copy is done.
Between the two SQS may have both; messages are safe to repeat. What merely waits for its turn (`Postponed`) is put back
too, and not counted: it may wait for as long as it takes.
"""

from __future__ import annotations

import gc
import random
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING, NotRequired, Protocol, TypedDict, TypeVar

from pydantic import TypeAdapter, ValidationError

from cadenza.core import aws
from cadenza.core.errors import Postponed, Retryable
from cadenza.core.log import get_logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

M = TypeVar("M")

BASE_S = 10.0
CEILING_S = 900.0
"""The longest that SQS holds a message back."""
TRIES = "tries"
MAX_TRIES = 100
"""About a day at the ceiling. What is still in the way then is no passing trouble: the message goes to the DLQ."""


class SqsRecord(TypedDict):
    """What Lambda hands over of a message."""

    messageId: str
    receiptHandle: str
    body: str
    attributes: Mapping[str, str]
    messageAttributes: NotRequired[Mapping[str, Mapping[str, str]]]
    eventSourceARN: str


class SqsEvent(TypedDict):
    """A batch of one queue."""

    Records: Sequence[SqsRecord]


class BatchAnswer(TypedDict):
    """The partial batch response: what SQS shall keep."""

    batchItemFailures: list[dict[str, str]]


class Alive(Protocol):
    """Who is told that a function has got something done."""

    def beat(self, done: int, received: int) -> None:
        """Of ``received`` messages ``done`` are done. It never raises."""
        ...


def backoff_s(tries: int, retry_after_s: float | None = None) -> int:
    """How long to keep a message back before its ``tries``-th repetition, in whole seconds.

    Exponential with full jitter, unless the service said when to come back.
    """
    if retry_after_s is not None:
        return min(int(retry_after_s) + 1, int(CEILING_S))
    return int(random.uniform(0, min(CEILING_S, BASE_S * 2.0 ** min(tries, 10))))  # noqa: S311 - jitter, no secret


def consume(
    event: SqsEvent,
    messages: TypeAdapter[M],
    handle: Callable[[M], None],
    sqs: SQSClient | None = None,
    *,
    alive: Alive | None = None,
) -> BatchAnswer:
    """Hand each message to ``handle``.

    Those that raise `Retryable` are put back; whatever else raises stays, and reaches the DLQ after three receives.
    """
    return consume_together(event, messages, lambda batch: handle(batch[0]), sqs, together=1, alive=alive)


def consume_together(
    event: SqsEvent,
    messages: TypeAdapter[M],
    handle: Callable[[Sequence[M]], None],
    sqs: SQSClient | None = None,
    *,
    together: int = 10_000,
    alive: Alive | None = None,
) -> BatchAnswer:
    """Hand the batch to ``handle`` at once, for set-based work; if that raises, message by message.

    ``handle`` must do all or nothing, or be safe to repeat. ``alive`` is told if anything was done: what only fails or
    is put back is no sign of life, and may be so because the database is away.
    """
    failures: list[dict[str, str]] = []
    done = 0
    parsed: list[tuple[SqsRecord, M]] = []
    for record in event["Records"]:
        try:
            parsed.append((record, messages.validate_json(record["body"])))
        except ValidationError as error:
            # The text stays out of the log: it may hold personal data.
            where = [".".join(map(str, e["loc"])) for e in error.errors(include_input=False, include_context=False)]
            get_logger().error("message.malformed", fields=where, sqs_message_id=record["messageId"])
            failures.append({"itemIdentifier": record["messageId"]})
    for start in range(0, len(parsed), together):
        batch = parsed[start : start + together]
        if len(batch) > 1 and _all_well(handle, batch):
            done += len(batch)
            continue
        for record, message in batch:
            end = _end(handle, record, message, sqs)
            done += end is _End.DONE
            if end is _End.FAILED:
                failures.append({"itemIdentifier": record["messageId"]})
    if done and alive is not None:
        alive.beat(done, len(event["Records"]))
    return {"batchItemFailures": failures}


class _End(Enum):
    DONE = auto()
    PUT_BACK = auto()
    FAILED = auto()


@contextmanager
def uncollected() -> Generator[None]:
    """Keep Python's cyclic collector out of a batch: what the batch makes lives until its end, and has no cycles.

    For set-based work, of which the collector would look through thousands of rows over and over to free none.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _all_well(handle: Callable[[Sequence[M]], None], batch: Sequence[tuple[SqsRecord, M]]) -> bool:
    try:
        with uncollected():
            handle([message for _, message in batch])
    except Exception:  # noqa: BLE001 - whichever message it is, going one by one will show
        get_logger().warning("batch.split", exc_info=True, size=len(batch))
        return False
    return True


def _end(handle: Callable[[Sequence[M]], None], record: SqsRecord, message: M, sqs: SQSClient | None) -> _End:
    try:
        handle([message])
    except Retryable as error:
        tell = get_logger().info if isinstance(error, Postponed) else get_logger().warning
        tell("message.put_back", detail=error.detail, tries=_tries(record), sqs_message_id=record["messageId"])
        return _End.PUT_BACK if _put_back(record, error, sqs) else _End.FAILED
    except Exception:  # noqa: BLE001 - whatever one message breaks, the others of its batch go on
        get_logger().exception("message.failed", sqs_message_id=record["messageId"])
        return _End.FAILED
    return _End.DONE


def _tries(record: SqsRecord) -> int:
    """How often the message has been put back for passing trouble."""
    return int(record.get("messageAttributes", {}).get(TRIES, {}).get("stringValue", "0"))


def _put_back(record: SqsRecord, error: Retryable, sqs: SQSClient | None) -> bool:
    """Send the message again, to come back later. False: SQS did not take it, or it has come back often enough."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with the client

    tries = _tries(record) + (not isinstance(error, Postponed))
    if tries > MAX_TRIES:
        return False
    client = sqs or aws.sqs()
    *_, account, name = record["eventSourceARN"].split(":")
    try:
        url = client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=account)["QueueUrl"]
        client.send_message(
            QueueUrl=url,
            MessageBody=record["body"],
            DelaySeconds=backoff_s(tries, error.retry_after_s),
            MessageAttributes={TRIES: {"DataType": "Number", "StringValue": str(tries)}},
        )
    except (BotoCoreError, ClientError):
        get_logger().exception("message.not_put_back", sqs_message_id=record["messageId"])
        return False
    return True
