"""SendGrid's batches and forwarded mails at the public function, from recorded requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from functions.webhook.handler import handler
from tests.handlers.conftest import EVENTS, SECRETS, LambdaContext, Queues, forget, store_secrets

Event = dict[str, Any]
Recorded = Callable[[str], Event]


def call(event: Event) -> Event:
    return dict(handler(event, LambdaContext()))  # type: ignore[arg-type]


def forwarded(event: Event, body: str) -> Event:
    """The recorded forwarded mail with another body, signed anew."""
    at = datetime.fromtimestamp(int(event["headers"]["webhook-timestamp"]), UTC)
    signature = Webhook(SECRETS["inbound_webhook_secret"]).sign(event["headers"]["webhook-id"], at, body)
    return event | {"body": body, "headers": event["headers"] | {"webhook-signature": signature}}


def test_a_batch_of_sendgrids_is_handed_on_at_once(queues: Queues, recorded: Recorded):
    """Broken, what SendGrid reports would be lost, or reported one request at a time."""
    event = recorded("webhook-sendgrid-batch")
    assert call(event)["statusCode"] == 202
    messages = queues.take_all()["engagement-events"]
    assert len(messages) == 11
    assert {message["provider"] for message in messages} == {"sendgrid"}
    assert {message["correlation_id"] for message in messages} == {event["requestContext"]["requestId"]}
    assert sorted(message["kind"] for message in messages if message["hard"] is not None) == ["bounced"] * 3


def test_a_forged_batch_is_refused(queues: Queues, recorded: Recorded):
    """Broken, anyone could bounce a whole list."""
    event = recorded("webhook-sendgrid-batch")
    reply = call(event | {"body": event["body"].replace("delivered", "spamreport")})
    assert reply["statusCode"] == 401
    assert queues.take_all() == {}


def test_a_forwarded_answer_is_handed_on(queues: Queues, recorded: Recorded):
    """Broken, nobody's reply would ever stop a campaign."""
    event = recorded("webhook-inbound-reply")
    assert call(event)["statusCode"] == 202
    (message,) = queues.take_all()["engagement-events"]
    assert (message["type"], message["nature"]) == ("mail.received", "reply")
    assert message["correlation_id"] == event["requestContext"]["requestId"]
    assert message["payload"]["subject"] == "Re: An idea for Acme"


@pytest.mark.parametrize("header", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_an_unsigned_mail_is_refused(queues: Queues, recorded: Recorded, header: str):
    """Broken, anybody could answer, opt out or bounce in anybody's name."""
    event = recorded("webhook-inbound-reply")
    del event["headers"][header]
    assert call(event)["statusCode"] == 401
    assert queues.take_all() == {}


def test_the_event_sources_secret_does_not_sign_mail(queues: Queues, recorded: Recorded):
    """Broken, whoever may report opens could also write mail in our contacts' names."""
    event = recorded("webhook-inbound-reply")
    at = datetime.fromtimestamp(int(event["headers"]["webhook-timestamp"]), UTC)
    signature = Webhook(SECRETS["events_webhook_secret"]).sign(event["headers"]["webhook-id"], at, event["body"])
    assert call(event | {"headers": event["headers"] | {"webhook-signature": signature}})["statusCode"] == 401
    assert queues.take_all() == {}


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ("{", ""),
        ('{"type": "mail.sent", "data": {"raw": "QQ=="}}', "/type"),
        ('{"type": "mail.received", "data": {}}', "/data/raw"),
        ('{"type": "mail.received", "data": {"raw": "no base64!"}}', "/data/raw"),
    ],
)
def test_a_malformed_forward_names_its_field(queues: Queues, recorded: Recorded, body: str, pointer: str):
    """Broken, whoever writes a forwarder for us would have to guess."""
    reply = call(forwarded(recorded("webhook-inbound-reply"), body))
    assert reply["statusCode"] == 400
    assert [error["pointer"] for error in json.loads(reply["body"])["errors"]] == [pointer]
    assert queues.take_all() == {}


@pytest.mark.parametrize(
    ("name", "secret"),
    [("webhook-sendgrid-batch", "sendgrid_webhook_key"), ("webhook-inbound-reply", "inbound_webhook_secret")],
)
def test_a_source_without_a_secret_is_closed(
    queues: Queues, recorded: Recorded, monkeypatch: pytest.MonkeyPatch, name: str, secret: str
):
    """Broken, an installation that was not yet configured would believe everybody."""
    monkeypatch.setenv("APP_SECRET_ARN", store_secrets({**SECRETS, secret: ""}, name="unconfigured"))
    forget()
    assert call(recorded(name))["statusCode"] == 401
    assert queues.take_all() == {}


def test_without_a_topic_sns_is_refused(queues: Queues, recorded: Recorded):
    """Broken, an installation that does not use SES would believe anybody's topic."""
    assert call(recorded("webhook-sns-bounce"))["statusCode"] == 401
    assert queues.take_all() == {}


@pytest.mark.parametrize("name", ["webhook-sendgrid-batch", "webhook-inbound-reply"])
def test_a_provider_is_asked_to_come_back(queues: Queues, recorded: Recorded, name: str):
    """Broken, a mail or a batch that arrives while SQS is in trouble would be acknowledged and lost."""
    queues.destroy("engagement-events")
    assert call(recorded(name))["statusCode"] == 503


@pytest.mark.parametrize("name", ["webhook-sns-bounce", "webhook-sendgrid-batch", "webhook-inbound-reply"])
def test_too_much_is_refused(queues: Queues, recorded: Recorded, name: str):
    """Broken, one request could take all of the function's memory and time."""
    assert call(recorded(name) | {"body": "x" * (5 * 1024 * 1024)})["statusCode"] == 413
    assert queues.take_all() == {}


def test_the_recorded_key_is_the_one_in_the_secret():
    """Broken, the tests would be about another key than the recorded one."""
    assert (EVENTS / "sendgrid-key.txt").read_text().strip() == SECRETS["sendgrid_webhook_key"]
