"""An SQS batch: one bad message fails alone."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import boto3
import pytest
from moto import mock_aws

from cadenza.core.consumer import CEILING_S, MAX_TRIES, SqsEvent, SqsRecord, backoff_s, consume, consume_together
from cadenza.core.errors import Postponed, Retryable
from cadenza.core.messages import SEND_MESSAGES, SendWanted
from cadenza.core.queues import Queue


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    """A queue, `work`, in an account of its own."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with mock_aws():
        client = boto3.client("sqs")
        client.create_queue(QueueName="work", Attributes={"VisibilityTimeout": "600"})
        yield client
        client.close()


def received(sqs: object, *bodies: str) -> SqsEvent:
    """Send the bodies, receive them, and shape them as Lambda does."""
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    sent = {sqs.send_message(QueueUrl=url, MessageBody=body)["MessageId"] for body in bodies}
    records: list[SqsRecord] = [
        {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "attributes": message["Attributes"],
            "eventSourceARN": "arn:aws:sqs:eu-west-1:123456789012:work",
        }
        for message in sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, AttributeNames=["All"])["Messages"]
        if message["MessageId"] in sent  # what an earlier batch has put back comes when it likes
    ]
    return {"Records": records}


GOOD = SendWanted(message_ids=()).model_dump_json()
OTHER = SendWanted(message_ids=(), correlation_id="other").model_dump_json()


def failed(event: SqsEvent, answer: dict[str, list[dict[str, str]]]) -> list[str]:
    """The bodies that stay in the queue."""
    kept = {item["itemIdentifier"] for item in answer["batchItemFailures"]}
    return [record["body"] for record in event["Records"] if record["messageId"] in kept]


def test_the_collector_is_back_after_a_batch(sqs: object) -> None:
    """Left off, a warm function's memory would only ever grow."""
    during: list[bool] = []
    consume_together(received(sqs, GOOD, OTHER), SEND_MESSAGES, lambda _: during.append(gc.isenabled()))
    assert (during, gc.isenabled()) == ([False], True)


def test_a_malformed_message_fails_alone(sqs: object) -> None:
    """If it failed, one poison message would take its neighbours to the DLQ."""
    event = received(sqs, GOOD, '{"type": "nonsense"}', "not json", OTHER)
    seen: list[SendWanted] = []
    answer = consume(event, SEND_MESSAGES, seen.append)
    assert len(seen) == 2
    assert failed(event, answer) == ['{"type": "nonsense"}', "not json"]


def test_a_batch_that_breaks_is_tried_message_by_message(sqs: object) -> None:
    """If it failed, set-based work would let one message fail all the others."""
    event = received(sqs, GOOD, OTHER)

    def handle(messages: object) -> None:
        if any(message.correlation_id == "other" for message in messages):
            raise ValueError("broken")

    assert failed(event, consume_together(event, SEND_MESSAGES, handle)) == [OTHER]


def test_passing_trouble_puts_the_message_back_without_using_up_its_receives(sqs: object) -> None:
    """If it failed, a database that is away for minutes would fill the DLQs, and opt-outs would be lost in them."""
    event = received(sqs, GOOD)

    def handle(_: SendWanted) -> None:
        raise Retryable("throttled", retry_after_s=-1)

    assert failed(event, consume(event, SEND_MESSAGES, handle, sqs)) == []
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    (again,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2, MessageAttributeNames=["All"])["Messages"]
    assert again["Body"] == GOOD
    assert again["MessageAttributes"]["tries"]["StringValue"] == "1"
    assert again["MessageId"] != event["Records"][0]["messageId"]


def test_what_waits_for_its_turn_waits_as_long_as_it_takes(sqs: object) -> None:
    """If it failed, the last of a large batch would end in the DLQ, where nothing was wrong with them."""
    event = received(sqs, GOOD)
    event["Records"][0]["messageAttributes"] = {"tries": {"stringValue": str(MAX_TRIES)}}

    def handle(_: SendWanted) -> None:
        raise Postponed("not yet", retry_after_s=-1)

    assert failed(event, consume(event, SEND_MESSAGES, handle, sqs)) == []
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    (again,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=2, MessageAttributeNames=["All"])["Messages"]
    assert again["MessageAttributes"]["tries"]["StringValue"] == str(MAX_TRIES)


def test_trouble_that_does_not_pass_ends_in_the_dlq(sqs: object) -> None:
    """If it failed, a message could circle for ever, and nobody would be told."""
    event = received(sqs, GOOD)
    event["Records"][0]["messageAttributes"] = {"tries": {"stringValue": str(MAX_TRIES)}}

    def handle(_: SendWanted) -> None:
        raise Retryable("throttled")

    assert failed(event, consume(event, SEND_MESSAGES, handle, sqs)) == [GOOD]


def test_backoff_grows_and_stays_bounded() -> None:
    """If it failed, retries would hammer a provider, or never come back."""
    assert 10 < max(backoff_s(1) for _ in range(200)) < 20
    assert max(backoff_s(99) for _ in range(200)) <= CEILING_S
    assert backoff_s(1, retry_after_s=7) == 8
    assert backoff_s(1, retry_after_s=10_000) == CEILING_S


def test_messages_are_sent_in_batches_of_ten_and_within_their_size(sqs: object) -> None:
    """If it failed, large follow-ups would be refused by SQS as a whole."""
    url = sqs.get_queue_url(QueueName="work")["QueueUrl"]
    Queue(url, sqs).send(SendWanted(message_ids=(), correlation_id="x" * 50_000) for _ in range(23))
    count = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["ApproximateNumberOfMessages"])
    assert count["Attributes"]["ApproximateNumberOfMessages"] == "23"


class Pulse:
    """Counts beats."""

    def __init__(self) -> None:
        self.beats: list[tuple[int, int]] = []

    def beat(self, done: int, received: int) -> None:
        """One."""
        self.beats.append((done, received))


def test_only_what_was_done_is_a_sign_of_life(sqs: object) -> None:
    """Broken, a function whose every message fails would look alive; or its sign would wait for a database away."""
    pulse = Pulse()

    def handle(message: SendWanted) -> None:
        if message.correlation_id:
            raise Retryable("away")

    consume(received(sqs, OTHER, "poison"), SEND_MESSAGES, handle, sqs, alive=pulse)
    assert pulse.beats == []
    consume(received(sqs, GOOD, OTHER), SEND_MESSAGES, handle, sqs, alive=pulse)
    consume_together(received(sqs, GOOD, GOOD), SEND_MESSAGES, lambda _: None, sqs, alive=pulse)
    assert pulse.beats == [(1, 2), (2, 2)]
