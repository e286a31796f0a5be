"""The local AWS with the real stack and the smallest handlers: what every other deployment test stands on."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from infra.topology import FUNCTIONS
from local.aws import ROOT, LocalAws, LocalAwsError, Outputs

pytestmark = pytest.mark.local_aws

HANDLER = """
import json, os, pathlib
import boto3

SEEN = pathlib.Path({seen!r})

def handler(event, context):
    if "Records" in event:
        with SEEN.open("a") as file:
            file.writelines(record["body"] + "\\n" for record in event["Records"])
        return {{"batchItemFailures": []}}
    client = boto3.client(event["service"])
    expanded = {{k: os.path.expandvars(v) if isinstance(v, str) else v for k, v in event["with"].items()}}
    getattr(client, event["call"])(**expanded)
    return "done"
"""


def until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether ``condition`` became true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the handlers write which messages they got."""
    return tmp_path_factory.mktemp("seen") / "messages"


@pytest.fixture(scope="module")
def functions(seen: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Handlers that do what their event says, with their own role's rights."""
    root = tmp_path_factory.mktemp("functions")
    for name in FUNCTIONS:
        (root / name).mkdir()
        (root / name / "handler.py").write_text(HANDLER.format(seen=str(seen)))
    return root


@pytest.fixture(scope="module")
def aws() -> Iterator[LocalAws]:
    with LocalAws(enforce_iam=True) as running:
        yield running


@pytest.fixture(scope="module")
def outputs(aws: LocalAws, functions: Path) -> Outputs:
    return aws.deploy({"functionsRoot": str(functions), "databaseUrl": "postgresql+pg8000://postgres@127.0.0.1/none"})


def got(seen: Path, message: str) -> Callable[[], bool]:
    return lambda: seen.exists() and message in seen.read_text().splitlines()


def test_a_granted_message_reaches_its_consumer(aws: LocalAws, outputs: Outputs, seen: Path) -> None:
    """Without the grant, or the event source, a signal would never move a campaign."""
    message = {"QueueUrl": "$ENGAGEMENT_EVENTS_QUEUE_URL", "MessageBody": "opened"}
    event = {"service": "sqs", "call": "send_message", "with": message}
    assert aws.invoke(outputs.functions["webhook"], event) == "done"
    assert until(got(seen, "opened"), 10)


def test_what_is_not_granted_is_refused(aws: LocalAws, outputs: Outputs) -> None:
    """If the local AWS let it pass, a missing grant would first be seen in production."""
    message = {"QueueUrl": outputs.queues["message-send"], "MessageBody": "x"}
    with pytest.raises(LocalAwsError, match="AccessDenied"):
        aws.invoke(outputs.functions["webhook"], {"service": "sqs", "call": "send_message", "with": message})
    read = {"service": "secretsmanager", "call": "get_secret_value", "with": {"SecretId": outputs.app_secret_arn}}
    with pytest.raises(LocalAwsError, match="AccessDenied"):
        aws.invoke(outputs.functions["execute"], read)


def test_a_wake_fires_once_and_is_gone(aws: LocalAws, outputs: Outputs, seen: Path) -> None:
    """An action due later than a queue's longest delay would never come due."""
    schedule = {
        "Name": "wake-20200101T0000",
        "GroupName": "$SCHEDULER_GROUP",
        "ScheduleExpression": "at(2020-01-01T00:00:00)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "ActionAfterCompletion": "DELETE",
        "Target": {
            "Arn": _queue_arn(outputs.queues["campaign-execution"]),
            "RoleArn": "arn:aws:iam::000000000000:role/wake",
            "Input": json.dumps({"type": "wake"}),
        },
    }
    event = {"service": "scheduler", "call": "create_schedule", "with": schedule}
    assert aws.invoke(outputs.functions["execute"], event) == "done"
    assert until(got(seen, '{"type": "wake"}'), 20)


def test_the_secret_is_filled_without_losing_the_generated_key(aws: LocalAws, outputs: Outputs) -> None:
    """Links in mails already sent would stop working."""
    aws.fill_secret(outputs.app_secret_arn, {"openai_api_key": "k"})
    client = aws.session.client("secretsmanager", endpoint_url=aws.url, config=aws.client_config)
    values = json.loads(client.get_secret_value(SecretId=outputs.app_secret_arn)["SecretString"])
    client.close()
    assert values["openai_api_key"] == "k"
    assert len(values["link_signing_key"]) == 64


def test_nothing_is_left_when_its_owner_is_killed() -> None:
    """A demo that is killed would leave an emulator with its workers on the machine, and its port taken."""
    program = """if True:
        import time
        from local.aws import LocalAws
        with LocalAws() as aws:
            print(aws.port, flush=True)
            time.sleep(60)
    """
    with subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout
        port = int(owner.stdout.readline())
        os.kill(owner.pid, signal.SIGKILL)

    def closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    assert until(closed, 5)


def _queue_arn(url: str) -> str:
    return f"arn:aws:sqs:us-east-1:000000000000:{url.rsplit('/', 1)[-1]}"
