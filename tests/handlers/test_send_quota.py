"""SES's account quota: what GetAccount says, and what the send function makes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from sqlalchemy import select
from sqlalchemy.engine import URL

from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.states import MessageStatus
from cadenza.delivery.model import Metered, Quota
from cadenza.delivery.providers.ses import Ses
from functions.send.handler import delivery, handler
from local.world.mail import MailCapture
from tests.handlers.conftest import LambdaContext, Queues
from tests.handlers.test_send import RECORDED_ID
from tests.store.builders import add_scene


@pytest.fixture
def capture(tmp_path: Path) -> Iterator[MailCapture]:
    """An SES that keeps what it gets, and whose account is out of the sandbox."""
    with MailCapture(tmp_path) as server:
        yield server


@pytest.fixture
def sending(
    queues: Queues, capture: MailCapture, database_url: URL, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Queues]:
    """The send function's environment."""
    monkeypatch.setenv("DATABASE_URL", database_url.render_as_string(hide_password=False))
    monkeypatch.setenv("DATABASE_ROLE", "cadenza_worker")
    monkeypatch.setenv("AWS_ENDPOINT_URL_SESV2", capture.url)
    yield queues
    delivery()._database.close()


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"Max24HourSend": 200.0, "MaxSendRate": 1.0, "SentLast24Hours": 12.0}, Quota(200, 12, 1.0)),
        ({"Max24HourSend": -1.0, "MaxSendRate": 100.0, "SentLast24Hours": 7.0}, Quota(None, 7, 100.0)),
        ({}, Quota(None, 0, 0.0)),  # an account that says nothing limits nothing
    ],
)
def test_what_an_account_says_is_understood(capture: MailCapture, said: dict[str, float], expected: Quota):
    """Broken, a sandbox account would be sent into its limits, or an unlimited one be stopped at once."""
    capture.account = said
    client = boto3.client(
        "sesv2",
        endpoint_url=capture.url,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    ses = Ses(client=client)
    assert isinstance(ses, Metered)
    assert ses.quota() == expected
    ses.close()


def test_the_send_function_asks_and_counts(
    sending: Queues,  # noqa: ARG001 - the environment
    capture: MailCapture,
    database: Database,
    recorded: Callable[[str], dict[str, Any]],
):
    """Broken, the quota would be known to the tests only."""
    with database.worker() as conn:
        add_scene(conn).add_message(conn, id=RECORDED_ID)
    handler(recorded("send-wanted"), LambdaContext())  # type: ignore[arg-type]
    assert [mail.message_id for mail in capture.captured] == [str(RECORDED_ID)]
    with database.worker() as conn:
        assert conn.execute(select(tables.outbound_messages.c.status)).scalar_one() == MessageStatus.SENT
        quota = conn.execute(select(tables.provider_quotas)).one()
    assert (quota.provider, quota.a_day, quota.allowed, quota.claimed) == ("ses", 50_000, 50_000, 1)
