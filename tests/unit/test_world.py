"""The local world's mail provider and recipients, as boto3 and our own webhook meet them."""

from __future__ import annotations

import base64
import email
import email.policy
import json
import threading
from collections.abc import Iterator
from datetime import date
from email.message import EmailMessage
from pathlib import Path

import boto3
import httpx2
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from standardwebhooks import Webhook
from werkzeug.wrappers import Request, Response

from cadenza.core.clock import utc_now
from cadenza.signals import ses_events
from cadenza.signals.sns import Sns
from local.world.mail import CapturedMail, MailCapture
from local.world.recipients import NothingToActOn, Recipients
from local.world.server import LoopbackServer
from local.world.ses_reports import SesReports
from local.world.sites import SITES, SampleSites
from local.world.sns import NotificationService, Subscription

SECRET = "whsec_" + "c2VjcmV0LXNlY3JldC1zZWNyZXQ="
FORWARDER = "whsec_c2VjcmV0IG9mIHRoZSBmb3J3YXJkZXI="
TOPIC = "arn:aws:sns:eu-west-1:123456789012:mail-events"
MESSAGE_ID = "0198c0de-0000-7000-8000-000000000001"


def mime(public_url: str) -> bytes:
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = "Ana <ana@sender.example>"
    message["To"] = "inês@fornoatlantico.example"
    message["Subject"] = "Pão, às 7h00 – 5 €"
    message["List-Unsubscribe"] = f"<{public_url}/u/token>, <mailto:stop@sender.example>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content("Olá Inês")
    message.add_alternative(
        f'<p>Olá</p><a href="https://elsewhere.example/t/x">no</a><a href="{public_url}/u/token">stop</a>'
        f'<a href="{public_url}/t/c/abc?x=1&amp;y=2">yes</a><img src="{public_url}/t/o/abc.gif" width="1">',
        subtype="html",
    )
    return message.as_bytes()


def send(capture: MailCapture, **changes) -> str:
    client = boto3.client(
        "sesv2",
        endpoint_url=capture.url,
        region_name="eu-west-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"max_attempts": 0}),
    )
    try:
        request = {
            "FromEmailAddress": "Ana <ana@sender.example>",
            "Destination": {"ToAddresses": ["inês@fornoatlantico.example"]},
            "Content": {"Raw": {"Data": mime("http://public.example/stage")}},
            "EmailTags": [{"Name": "cadenza-message-id", "Value": MESSAGE_ID}],
            "ConfigurationSetName": "cadenza",
        }
        return client.send_email(**(request | changes))["MessageId"]
    finally:
        client.close()


def test_a_mail_sent_with_boto3_is_kept_whole(tmp_path: Path) -> None:
    """Otherwise the demo cannot show what really left, header for header."""
    sent = mime("http://public.example/stage")
    with MailCapture(tmp_path / "mail") as capture:
        provider_id = send(capture, Content={"Raw": {"Data": sent}})
    (mail,) = capture.captured
    assert mail.provider_id == provider_id
    assert (mail.sender, mail.recipients) == ("Ana <ana@sender.example>", ("inês@fornoatlantico.example",))
    assert (mail.message_id, mail.configuration_set) == (MESSAGE_ID, "cadenza")
    assert mail.subject == "Pão, às 7h00 – 5 €"
    assert mail.text.strip() == "Olá Inês"
    assert "/t/o/abc.gif" in mail.html
    assert mail.captured_at.tzinfo is not None
    assert "AWS4-HMAC-SHA256" in mail.headers["Authorization"]
    assert mail.raw == sent
    assert (tmp_path / "mail" / "0001.eml").read_bytes() == sent
    assert json.loads((tmp_path / "mail" / "0001.json").read_bytes())["ConfigurationSetName"] == "cadenza"


def test_what_is_not_raw_content_is_refused_as_ses_would(tmp_path: Path) -> None:
    """Otherwise a change of the send call goes unnoticed until production."""
    simple = {"Simple": {"Subject": {"Data": "x"}, "Body": {"Text": {"Data": "x"}}}}
    with MailCapture(tmp_path) as capture, pytest.raises(ClientError) as caught:
        send(capture, Content=simple)
    assert caught.value.response["Error"]["Code"] == "BadRequestException"
    assert capture.captured == []


def test_each_mail_reaches_its_recipient_once_and_in_order(tmp_path: Path) -> None:
    """Otherwise the demo's recipients act twice, or on the wrong mail."""
    got: list[int] = []
    done = threading.Event()

    def on_mail(mail: CapturedMail) -> None:
        got.append(mail.number)
        if mail.number == 2:
            raise RuntimeError("out of office")
        if mail.number == 3:
            done.set()

    with MailCapture(tmp_path, on_mail=on_mail) as capture:
        for _ in range(3):
            send(capture)
        assert done.wait(5)
    assert got == [1, 2, 3]
    assert [str(failure) for failure in capture.failures] == ["out of office"]


# --- recipients --------------------------------------------------------------------------------------------------


class Public:
    """Stands where our public API stands: keeps requests, redirects clicks to the outside."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.server = LoopbackServer(Request.application(self._answer))
        self.url = f"{self.server.url}/stage"

    def _answer(self, request: Request) -> Response:
        path = request.full_path.rstrip("?")
        self.requests.append((request.method, path, request.get_data(), dict(request.headers.items())))
        if "/t/c/" in path:
            return Response(status=302, headers={"Location": "https://elsewhere.example/"})
        return Response(status=202)


@pytest.fixture
def public() -> Iterator[Public]:
    public = Public()
    with public.server:
        yield public


@pytest.fixture
def mail(public: Public, tmp_path: Path) -> CapturedMail:
    with MailCapture(tmp_path) as capture:
        send(capture, Content={"Raw": {"Data": mime(public.url)}})
    return capture.captured[0]


@pytest.fixture
def sns() -> Iterator[NotificationService]:
    with NotificationService() as service:
        yield service


@pytest.fixture
def recipients(public: Public, sns: NotificationService) -> Iterator[Recipients]:
    with (
        Subscription(sns, TOPIC, public.url) as topic,
        Recipients(public.url, events_secret=SECRET, inbound_secret=FORWARDER, ses=SesReports(topic)) as people,
    ):
        yield people


def test_recipients_open_click_and_unsubscribe_like_people(
    public: Public, mail: CapturedMail, recipients: Recipients
) -> None:
    """Otherwise the demo proves nothing about real opens, clicks and one-click unsubscribes."""
    assert recipients.open(mail).status_code == 202
    clicked = recipients.click(mail)
    assert clicked.headers["Location"] == "https://elsewhere.example/"
    assert recipients.unsubscribe(mail).status_code == 202
    assert [(method, path, body) for method, path, body, _ in public.requests] == [
        ("GET", "/stage/t/o/abc.gif", b""),
        ("GET", "/stage/t/c/abc?x=1&y=2", b""),
        ("POST", "/stage/u/token", b"List-Unsubscribe=One-Click"),
    ]
    assert all("Firefox" in headers["User-Agent"] for *_, headers in public.requests)


def test_ses_reports_through_sns_as_production_believes_it(
    public: Public, mail: CapturedMail, sns: NotificationService, recipients: Recipients
) -> None:
    """Otherwise the demo shows another SES and another SNS than there are."""
    recipients.sent(mail)
    recipients.delivered(mail, report_id="once")
    recipients.bounced(mail, hard=True)
    recipients.bounced(mail, hard=False)
    recipients.complained(mail)
    believing = Sns([TOPIC], origin=sns.url)
    envelopes = [believing.verify(body, utc_now()) for *_, body, _ in public.requests]
    signals = [ses_events.parse(envelope.message_id, json.loads(envelope.message)) for envelope in envelopes]
    assert [(signal.kind, signal.hard, str(signal.message_id)) for signal in signals if signal] == [
        ("sent", None, MESSAGE_ID),
        ("delivered", None, MESSAGE_ID),
        ("bounced", True, MESSAGE_ID),
        ("bounced", False, MESSAGE_ID),
        ("complained", None, MESSAGE_ID),
    ]
    assert envelopes[1].message_id == "once"
    assert {path for _, path, _, _ in public.requests} == {"/stage/webhooks/sns"}


def test_a_subscription_waits_for_its_confirmation(public: Public, sns: NotificationService) -> None:
    """Otherwise the demo would go on if our function did not confirm, and never hear of a bounce."""
    with Subscription(sns, TOPIC, public.url) as topic:
        assert not topic.confirm()
        url = json.loads(public.requests[0][2])["SubscribeURL"]
        assert httpx2.get(url).status_code == 200
        assert TOPIC in sns.confirmed
        assert httpx2.get(url.replace("Token=", "Token=x")).status_code == 400


def test_people_write_mails_that_their_mailboxes_forward(
    public: Public, mail: CapturedMail, recipients: Recipients
) -> None:
    """Otherwise the demo's replies are not what mail programs send."""
    recipients.replied(mail, "Hello")
    recipients.away(mail, date(2027, 1, 5))
    events = [Webhook(FORWARDER).verify(body, headers) for *_, body, headers in public.requests]
    found = [email.message_from_bytes(base64.b64decode(e["data"]["raw"]), policy=email.policy.default) for e in events]
    reply, absence = found
    assert reply["In-Reply-To"] == reply["References"] == f"<{mail.provider_id}@email.amazonses.com>"
    assert reply["To"] == "ana@sender.example"
    assert str(reply.get_content()).startswith("Hello")
    assert absence["Auto-Submitted"] == "auto-replied"
    assert "5 January 2027" in str(absence.get_content())
    assert {path for _, path, _, _ in public.requests} == {"/stage/webhooks/inbound"}


def test_other_systems_reports_are_signed_and_name_our_message(
    public: Public, mail: CapturedMail, recipients: Recipients
) -> None:
    """Otherwise our webhook refuses what real systems send, or takes what they do not."""
    recipients.report(mail, "delivered")
    recipients.report(mail, "bounced", hard=True)
    events = [Webhook(SECRET).verify(body, headers) for *_, body, headers in public.requests]
    assert [(e["type"], e["data"].get("hard")) for e in events] == [
        ("message.delivered", None),
        ("message.bounced", True),
    ]
    assert {e["data"]["message_id"] for e in events} == {MESSAGE_ID}
    assert len({headers["Webhook-Id"] for *_, headers in public.requests}) == 2


def test_a_mail_without_links_leaves_nothing_to_act_on(public: Public, tmp_path: Path, recipients: Recipients) -> None:
    """Otherwise a mail that lost its tracking or opt-out seems to work in the demo."""
    plain = EmailMessage()
    plain["To"] = "a@b.example"
    plain.set_content("hi")
    with MailCapture(tmp_path) as capture:
        send(capture, Content={"Raw": {"Data": plain.as_bytes()}}, EmailTags=[])
    (mail,) = capture.captured
    acts = (recipients.open, recipients.click, recipients.unsubscribe, recipients.unsubscribe_by_mail)
    for act in (*acts, lambda mail: recipients.report(mail, "opened")):
        with pytest.raises(NothingToActOn):
            act(mail)
    assert public.requests == []


# --- sites -------------------------------------------------------------------------------------------------------


def test_sites_are_told_apart_by_host_and_keep_to_their_folder() -> None:
    """Otherwise one sample company shows another's pages, or this machine's files."""
    with SampleSites() as sites, httpx2.Client(base_url=sites.url) as client:
        for host in sites.hosts:
            page = client.get("/", headers={"Host": host})
            assert page.status_code == 200
            assert "fictional company" in page.text
        host = {"Host": sites.hosts[0]}
        assert client.get("/", headers={"Host": "other.example"}).status_code == 404
        for path in ("/routes.json", "/../../../pyproject.toml", "/%2e%2e/%2e%2e/__init__.py", "/nothing"):
            assert client.get(path, headers=host | {"Host": "grand-meridian.example"}).status_code == 404


def test_every_sample_page_says_that_it_is_fictional() -> None:
    """Otherwise someone takes a made-up company for a real one."""
    pages = sorted(SITES.rglob("*.html"))
    assert len(pages) >= 15
    assert all("fictional" in page.read_text() for page in pages)


def test_servers_are_gone_after_their_block(tmp_path: Path) -> None:
    """Otherwise a demo leaves ports and threads behind."""
    before = set(threading.enumerate())
    with MailCapture(tmp_path) as capture, SampleSites() as sites:
        ports = [capture.port, sites.port]
    for port in ports:
        with pytest.raises(httpx2.ConnectError):
            httpx2.get(f"http://127.0.0.1:{port}/")
    sites.close()
    assert set(threading.enumerate()) <= before
