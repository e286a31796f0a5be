"""Putting messages on SQS, in batches, with delays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import ceil
from typing import TYPE_CHECKING

from cadenza.core import aws
from cadenza.core.errors import Retryable
from cadenza.core.log import get_logger
from cadenza.core.messages import Message

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

MAX_DELAY_S = 900
"""The longest DelaySeconds that SQS takes."""
BATCH_ENTRIES = 10
BATCH_BYTES = 256 * 1024


class QueueName(StrEnum):
    """The queues of the design. Each has a dead-letter queue of its own."""

    LEAD_ANALYSIS = "lead-analysis"
    CAMPAIGN_CREATION = "campaign-creation"
    ENGAGEMENT_EVENTS = "engagement-events"
    CAMPAIGN_EXECUTION = "campaign-execution"
    MESSAGE_SEND = "message-send"


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message and how long SQS shall keep it back, in seconds (0 to 900)."""

    message: Message
    delay_s: int = 0


def delay_until(instant: datetime, now: datetime) -> int:
    """Whole seconds from ``now`` until ``instant``, rounded up so that nothing is early, within SQS's limits."""
    return max(0, min(MAX_DELAY_S, ceil((instant - now).total_seconds())))


class Queue:
    """One SQS queue to send to."""

    def __init__(self, url: str, client: SQSClient | None = None) -> None:
        """``client`` defaults to the process's own, made on first use."""
        self.url = url
        self._client = client

    def send(self, outgoing: Iterable[Outgoing | Message]) -> None:
        """Send all, in as few calls as possible.

        Raises:
            Retryable: SQS did not take some of them; what it took stays taken (messages are hints, repeats harmless).
        """
        entries = [_entry(index, item) for index, item in enumerate(outgoing)]
        refused = [
            failure["Id"] + ": " + failure["Code"]
            for batch in in_batches(entries)
            for failure in self._send_batch(batch)
        ]
        if refused:
            raise Retryable(f"SQS refused {len(refused)} of {len(entries)} messages ({refused[0]})")

    def _send_batch(self, batch: Sequence[SendMessageBatchRequestEntryTypeDef]) -> Iterator[dict[str, str]]:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with the client

        client = self._client or aws.sqs()
        try:
            answer = client.send_message_batch(QueueUrl=self.url, Entries=batch)
        except (BotoCoreError, ClientError) as error:
            raise Retryable(f"SQS did not answer: {type(error).__name__}") from error
        for failure in answer.get("Failed", []):
            yield {"Id": failure["Id"], "Code": failure["Code"]}


def _entry(index: int, item: Outgoing | Message) -> SendMessageBatchRequestEntryTypeDef:
    outgoing = item if isinstance(item, Outgoing) else Outgoing(item)
    return {"Id": str(index), "MessageBody": outgoing.message.model_dump_json(), "DelaySeconds": outgoing.delay_s}


def in_batches(
    entries: Sequence[SendMessageBatchRequestEntryTypeDef],
) -> Iterator[Sequence[SendMessageBatchRequestEntryTypeDef]]:
    """The entries in as few batches as SQS takes them in, in their order."""
    batch: list[SendMessageBatchRequestEntryTypeDef] = []
    size = 0
    for entry in entries:
        entry_size = len(entry["MessageBody"].encode())
        if batch and (len(batch) == BATCH_ENTRIES or size + entry_size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size += entry_size
    if batch:
        yield batch


def hint(queue: Queue, outgoing: Sequence[Outgoing | Message]) -> None:
    """Send hints; those that SQS does not take are left to the safety sweep."""
    try:
        queue.send(outgoing)
    except Retryable as error:
        get_logger().error("hints.left_to_sweep", reason=error.detail, count=len(outgoing))
