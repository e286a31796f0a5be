"""Fixtures of the handler tests: moto's AWS with our queues and secret, and the environment that a function sees."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from moto import mock_aws

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

EVENTS = Path(__file__).parent.parent / "events"
PUBLIC_URL = "https://go.cadenza.example"
SECRETS: Mapping[str, str] = MappingProxyType(
    {
        "link_signing_key": "0123456789abcdef0123456789abcdef",
        "firecrawl_api_key": "",
        "firecrawl_webhook_secret": "the crawler's secret",
        "events_webhook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "inbound_webhook_secret": "whsec_c2VjcmV0IG9mIHRoZSBmb3J3YXJkZXI=",
        "sendgrid_webhook_key": (EVENTS / "sendgrid-key.txt").read_text().strip(),
        "openai_api_key": "",
    }
)
QUEUES = ("lead-analysis", "campaign-creation", "engagement-events", "campaign-execution", "message-send")


@dataclass(frozen=True)
class Queues:
    """The five queues, and the dead-letter queue of each, by name."""

    client: SQSClient
    urls: dict[str, str]
    dead_letters: dict[str, str]

    def take(self, name: str) -> list[dict[str, Any]]:
        """Every message that is in the queue now, taken out of it."""
        taken: list[dict[str, Any]] = []
        while got := self.client.receive_message(QueueUrl=self.urls[name], MaxNumberOfMessages=10).get("Messages"):
            for message in got:
                taken.append(json.loads(message["Body"]))
                self.client.delete_message(QueueUrl=self.urls[name], ReceiptHandle=message["ReceiptHandle"])
        return taken

    def take_all(self) -> dict[str, list[dict[str, Any]]]:
        """What is in which queue; queues with nothing in them are left out."""
        return {name: taken for name in self.urls if (taken := self.take(name))}

    def destroy(self, name: str) -> None:
        """Make every further send to this queue fail, as when SQS is in trouble."""
        self.client.delete_queue(QueueUrl=self.urls[name])


@dataclass(frozen=True)
class LambdaContext:
    """The parts of Lambda's context that the logger reads."""

    function_name: str = "test"
    memory_limit_in_mb: int = 128
    invoked_function_arn: str = "arn:aws:lambda:eu-central-1:123456789012:function:test"
    aws_request_id: str = "7b1c2f1e-0000-4000-8000-000000000000"
    remaining_s: int = 300

    def get_remaining_time_in_millis(self) -> int:
        """How long the function may still run."""
        return self.remaining_s * 1000


@pytest.fixture
def lambda_context() -> LambdaContext:
    """The second argument of a handler."""
    return LambdaContext()


@pytest.fixture
def recorded() -> Callable[[str], dict[str, Any]]:
    """Reads a recorded event by its name, without the ``.json``."""
    return lambda name: json.loads((EVENTS / f"{name}.json").read_text())


@pytest.fixture
def queues(monkeypatch: pytest.MonkeyPatch) -> Iterator[Queues]:
    """Moto's AWS with the five queues and the app secret, and the environment of a function that may use them all."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_SQS", "AWS_ENDPOINT_URL_SECRETSMANAGER"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    with mock_aws():
        sqs = boto3.client("sqs")
        urls = {name: sqs.create_queue(QueueName=name)["QueueUrl"] for name in QUEUES}
        dead_letters = {name: sqs.create_queue(QueueName=f"{name}-dlq")["QueueUrl"] for name in QUEUES}
        execution = sqs.get_queue_attributes(QueueUrl=urls["campaign-execution"], AttributeNames=["QueueArn"])
        boto3.client("scheduler").create_schedule_group(Name="cadenza")
        environment = {
            "APP_SECRET_ARN": store_secrets(SECRETS),
            "PUBLIC_URL": PUBLIC_URL,
            **{f"{name.replace('-', '_').upper()}_QUEUE_URL": url for name, url in urls.items()},
            **{f"{name.replace('-', '_').upper()}_DLQ_URL": url for name, url in dead_letters.items()},
            "CAMPAIGN_EXECUTION_QUEUE_ARN": execution["Attributes"]["QueueArn"],
            "SCHEDULER_GROUP": "cadenza",
            "SCHEDULER_ROLE_ARN": "arn:aws:iam::123456789012:role/scheduler",
        }
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        forget()
        yield Queues(sqs, urls, dead_letters)
    forget()


def store_secrets(secrets: Mapping[str, str], name: str = "app") -> str:
    """Put an app secret into Secrets Manager; returns its ARN (``APP_SECRET_ARN``)."""
    return boto3.client("secretsmanager").create_secret(Name=name, SecretString=json.dumps(dict(secrets)))["ARN"]


def forget() -> None:
    """Empty what a warm process keeps (clients, settings, secrets), as a cold start would."""
    ours = [module for name, module in sys.modules.items() if name.split(".")[0] in {"cadenza", "functions"}]
    for module in ours:
        for value in list(vars(module).values()):
            if callable(clear := getattr(value, "cache_clear", None)):
                clear()
