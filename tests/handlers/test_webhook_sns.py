"""What SNS hands to the public function: recorded requests, with real signature arithmetic."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import boto3
import pytest

from cadenza.core.errors import Retryable
from cadenza.core.messages import EXECUTION_MESSAGES, MailNature, MailReceived, SignalKind, SignalReported
from cadenza.core.queues import Queue
from cadenza.signals.gateway import Request, Response
from cadenza.signals.inbox import Inbox
from cadenza.signals.links import Links
from cadenza.signals.routes import answer
from cadenza.signals.sns import Sns
from tests.handlers.conftest import EVENTS, PUBLIC_URL, SECRETS, Queues

TOPIC = "arn:aws:sns:eu-central-1:123456789012:Cadenza-MailEvents"
CERTIFICATE = (EVENTS / "sns-certificate.pem").read_bytes()

Event = dict[str, Any]
Recorded = Callable[[str], Event]


@dataclass
class Host:
    """SNS's own host: serves the certificate, takes confirmations."""

    asked: list[str] = field(default_factory=list[str])
    is_away: bool = False

    def __call__(self, url: str) -> bytes:
        """Answer a GET."""
        if self.is_away:
            raise Retryable("sns did not answer")
        self.asked.append(url)
        return CERTIFICATE


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def call(queues: Queues, host: Host) -> Callable[[Event], Response]:
    """The function, but for where certificates come from."""
    sqs = boto3.client("sqs")
    inbox = Inbox(
        links=Links(PUBLIC_URL, SECRETS["link_signing_key"]),
        lead_analysis=Queue(queues.urls["lead-analysis"], sqs),
        engagement_events=Queue(queues.urls["engagement-events"], sqs),
        sns=Sns([TOPIC], fetch=host),
        firecrawl_secret="",
        events_secret="",
        inbound_secret="",
        sendgrid_key="",
    )
    return lambda event: answer(inbox, Request.from_event(event))  # type: ignore[arg-type]


def reason(response: Response) -> str:
    return json.loads(response.body)["detail"]


def test_a_bounce_that_ses_reports_is_handed_on(queues: Queues, recorded: Recorded, call: Callable[[Event], Response]):
    """Broken, we would go on writing to dead addresses until SES stops our account."""
    event = recorded("webhook-sns-bounce")
    assert call(event).status == HTTPStatus.ACCEPTED
    (message,) = queues.take_all()["engagement-events"]
    signal = EXECUTION_MESSAGES.validate_python(message)
    assert isinstance(signal, SignalReported)
    assert (signal.provider, signal.provider_event_id) == ("ses", "5f1c7d3e-0000-5000-8000-1b2a3c4d5e6f")
    assert (signal.kind, signal.hard) == (SignalKind.BOUNCED, True)
    assert signal.correlation_id == event["requestContext"]["requestId"]
    assert signal.payload["eventType"] == "Bounce"


def test_a_repeated_delivery_is_the_same_event(queues: Queues, recorded: Recorded, call: Callable[[Event], Response]):
    """Broken, SNS's repetitions would count as further bounces."""
    for _ in range(2):
        call(recorded("webhook-sns-bounce"))
    assert len({message["provider_event_id"] for message in queues.take("engagement-events")}) == 1


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("webhook-sns-tampered", "signature does not match"),
        ("webhook-sns-wrong-host", "SigningCertURL"),
        ("webhook-sns-sha1", "SHA-1"),
        ("webhook-sns-unknown-topic", "TopicArn"),
    ],
)
def test_what_sns_did_not_sign_for_us_goes_nowhere(
    queues: Queues, recorded: Recorded, call: Callable[[Event], Response], name: str, why: str
):
    """Broken, anybody could bounce, complain or unsubscribe for anybody."""
    response = call(recorded(name))
    assert response.status == HTTPStatus.UNAUTHORIZED
    assert why in reason(response)
    assert queues.take_all() == {}


def test_a_subscription_to_our_topic_is_confirmed(
    queues: Queues, recorded: Recorded, call: Callable[[Event], Response], host: Host
):
    """Broken, an operator would have to confirm by hand, with a URL that only a log has."""
    event = recorded("webhook-sns-subscription")
    assert call(event).status == HTTPStatus.ACCEPTED
    assert host.asked[-1] == json.loads(event["body"])["SubscribeURL"]
    assert queues.take_all() == {}


def test_sess_hello_is_acknowledged(queues: Queues, recorded: Recorded, call: Callable[[Event], Response]):
    """Broken, the first thing that an operator sees in the log after setting it up would be an error."""
    assert call(recorded("webhook-sns-hello")).status == HTTPStatus.NO_CONTENT
    assert queues.take_all() == {}


def test_a_mail_that_ses_received_is_handed_on(queues: Queues, recorded: Recorded, call: Callable[[Event], Response]):
    """Broken, answers to an installation that has no mailboxes of its own would be lost."""
    assert call(recorded("webhook-sns-mail")).status == HTTPStatus.ACCEPTED
    (message,) = queues.take_all()["engagement-events"]
    mail = EXECUTION_MESSAGES.validate_python(message)
    assert isinstance(mail, MailReceived)
    assert (mail.nature, str(mail.away_until)) == (MailNature.OUT_OF_OFFICE, "2026-01-19")
    assert mail.references == (
        "0107019bb6c4a5e0-3f1d8e1a-0000-4000-8000-5d1c2a7b9e10-000000@eu-central-1.amazonses.com",
    )
    assert (mail.sender, mail.recipients) == ("grace@acme.example", ("ada@nordlicht.example",))


def test_trouble_on_the_way_asks_sns_to_come_back(
    queues: Queues, recorded: Recorded, call: Callable[[Event], Response], host: Host
):
    """Broken, a second of trouble at SNS or SQS would cost a bounce or a complaint."""
    host.is_away = True
    assert call(recorded("webhook-sns-bounce")).status == HTTPStatus.SERVICE_UNAVAILABLE
    host.is_away = False
    queues.destroy("engagement-events")
    assert call(recorded("webhook-sns-bounce")).status == HTTPStatus.SERVICE_UNAVAILABLE


@pytest.mark.parametrize("name", ["webhook-sns-bounce", "webhook-sns-mail"])
def test_logs_hold_nothing_personal(
    recorded: Recorded, call: Callable[[Event], Response], caplog: pytest.LogCaptureFixture, name: str
):
    """Broken, logs would hold who was written to, and what they answered."""
    with caplog.at_level("INFO"):
        call(recorded(name))
    told = "".join(str(vars(record)) for record in caplog.records)
    assert "signal.reported" in told or "mail.received" in told
    for private in ("grace", "acme.example", "nordlicht", "Büro"):
        assert private not in told


def test_a_body_in_base64_is_the_same(queues: Queues, recorded: Recorded, call: Callable[[Event], Response]):
    """Broken, signatures would fail the day API Gateway hands SNS's content type over in another way."""
    event = recorded("webhook-sns-bounce")
    body = b64encode(event["body"].encode()).decode()
    assert call(event | {"body": body, "isBase64Encoded": True}).status == HTTPStatus.ACCEPTED
    assert len(queues.take("engagement-events")) == 1
