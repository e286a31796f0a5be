"""SES: each answer, and each way of not getting one, means one thing."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import UUID

import boto3
import pytest
from botocore.config import Config
from moto import mock_aws

from cadenza.core.errors import Retryable
from cadenza.core.ids import MessageId, SenderId
from cadenza.delivery.model import Ambiguous, EarlierMail, Mail, Outcome, Rejected, Sender, Sent
from cadenza.delivery.providers.ses import MEANINGS, Meaning, Ses, meaning
from local.world.mail import MailCapture

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

MESSAGE_ID = MessageId(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
MAIL = Mail(
    MESSAGE_ID,
    "ada@nordlicht.example",
    "grace@acme.example",
    "Hi",
    b"From: ada@nordlicht.example\r\nTo: grace@acme.example\r\nSubject: Hi\r\n\r\nHello\r\n",
    Sender(SenderId(UUID(int=1)), "ada@nordlicht.example"),
)

R, N, A = Meaning.REJECTED, Meaning.RETRYABLE, Meaning.AMBIGUOUS
TABLE = {
    # SendEmail's own, by the SES API v2 reference
    ("AccountSuspendedException", 400): N,
    ("BadRequestException", 400): R,
    ("LimitExceededException", 400): N,
    ("MailFromDomainNotVerifiedException", 400): N,
    ("MessageRejected", 400): R,
    ("NotFoundException", 404): N,
    ("SendingPausedException", 400): N,
    ("TooManyRequestsException", 429): N,
    # SES's others
    ("ConcurrentModificationException", 500): N,
    ("ConflictException", 409): N,
    ("InternalServiceErrorException", 500): A,
    ("InvalidParameterValue", 400): R,
    # common to all of AWS
    ("AccessDenied", 403): N,
    ("AccessDeniedException", 403): N,
    ("ExpiredToken", 403): N,
    ("ExpiredTokenException", 403): N,
    ("IncompleteSignature", 403): N,
    ("InternalFailure", 500): A,
    ("InternalServerError", 500): A,
    ("InternalServiceError", 500): A,
    ("InvalidClientTokenId", 403): N,
    ("InvalidSignatureException", 403): N,
    ("MissingAuthenticationToken", 403): N,
    ("MissingAuthenticationTokenException", 403): N,
    ("NotAuthorized", 401): N,
    ("OptInRequired", 403): N,
    ("RequestEntityTooLargeException", 413): R,
    ("RequestExpired", 400): N,
    ("RequestThrottled", 400): N,
    ("RequestThrottledException", 400): N,
    ("RequestTimeout", 408): A,
    ("RequestTimeoutException", 408): A,
    ("ServiceUnavailable", 503): N,
    ("ServiceUnavailableException", 503): N,
    ("SignatureDoesNotMatch", 403): N,
    ("Throttling", 400): N,
    ("ThrottlingException", 400): N,
    ("UnrecognizedClientException", 403): N,
    ("ValidationException", 400): R,
    # never heard of
    ("SomethingNew", 400): R,
    ("SomethingNew", 403): N,
    ("SomethingNew", 429): N,
    ("SomethingNew", 500): A,
    ("SomethingNew", 502): A,
    ("SomethingNew", 503): N,
    ("SomethingNew", 504): A,
    ("", 0): A,
}


def client(url: str) -> SESV2Client:
    return boto3.client(
        "sesv2",
        endpoint_url=url,
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=0.5),
    )


@contextmanager
def serving(kind: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    """A loopback SES that answers as ``kind`` does."""
    server = HTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(BaseHTTPRequestHandler):
    requests = 0

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing on the terminal."""

    def take(self) -> None:
        """Read the whole request."""
        type(self).requests += 1
        self.rfile.read(int(self.headers["Content-Length"]))


def answering(code: str, status: int) -> type[_Quiet]:
    """An SES that refuses everything, worded as AWS's REST-JSON protocol does."""

    class Refusing(_Quiet):
        def do_POST(self) -> None:
            self.take()
            body = json.dumps({"message": f"{code} happened"}).encode()
            self.send_response(status)
            self.send_header("x-amzn-ErrorType", code)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    return Refusing


def outcome(url: str) -> Outcome | Retryable:
    """What a send says, raised or returned."""
    ses = Ses(client=client(url))
    try:
        return ses.send(MAIL)
    except Retryable as error:
        return error
    finally:
        ses.close()


@pytest.mark.parametrize(("code", "status"), TABLE)
def test_each_error_code_has_its_meaning(code: str, status: int):
    """Broken, a full mailbox's worth of good messages would be thrown away, or one message be sent twice (I1)."""
    assert meaning(code, status) is TABLE[code, status]


def test_every_error_that_sendemail_declares_is_in_the_table():
    """Broken, an error that SES documents would be judged by a guess."""
    declared = client("http://127.0.0.1:1").meta.service_model.operation_model("SendEmail").error_shapes
    assert {shape.name for shape in declared} <= MEANINGS.keys()
    assert {code for code, _ in TABLE} >= MEANINGS.keys(), "each is pinned to its meaning above"


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("MessageRejected", 400, Rejected),
        ("TooManyRequestsException", 429, Retryable),
        ("InternalFailure", 500, Ambiguous),
    ],
)
def test_an_answer_is_heard_once_and_never_asked_for_again(code: str, status: int, kind: type):
    """Broken, the library's own retries would send twice what nobody knows the end of (I1)."""
    server = answering(code, status)
    with serving(server) as url:
        said = outcome(url)
    assert isinstance(said, kind)
    assert server.requests == 1
    if isinstance(said, Rejected):
        assert said.reason == "SES: MessageRejected: MessageRejected happened"


def test_a_connection_that_breaks_after_the_request_is_ambiguous():
    """Broken, a mail that SES took would be sent again (I1)."""

    class Dying(_Quiet):
        def do_POST(self) -> None:
            self.take()
            self.connection.shutdown(socket.SHUT_RDWR)
            self.close_connection = True

    with serving(Dying) as url:
        assert outcome(url) == Ambiguous("SES: ConnectionClosedError")


def test_an_answer_that_does_not_come_is_ambiguous():
    """Broken, a mail that SES took slowly would be sent again (I1)."""
    done = threading.Event()

    class Silent(_Quiet):
        def do_POST(self) -> None:
            self.take()
            done.wait(5)

    with serving(Silent) as url:
        said = outcome(url)
        done.set()
    assert said == Ambiguous("SES: ReadTimeoutError")


def test_a_connection_that_never_was_is_certain():
    """Broken, mail that never left us would be given up as unknown."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
    said = outcome(f"http://127.0.0.1:{port}")
    assert isinstance(said, Retryable)
    assert said.detail == "SES: EndpointConnectionError"


def test_tls_that_breaks_midway_is_ambiguous():
    """Broken, a connection cut after the request would count as never made (I1)."""

    class NoTls(_Quiet):
        def do_POST(self) -> None:
            """Never reached: the server does not speak TLS."""

    with serving(NoTls) as url:
        assert isinstance(outcome(url.replace("http:", "https:")), Ambiguous)


def test_a_mail_reaches_ses_whole_with_our_id_as_its_tag(tmp_path: Path):
    """Broken, SES's events could not be matched to our messages: opens and bounces would be lost."""
    with MailCapture(tmp_path) as capture:
        ses = Ses("outreach", client(capture.url))
        said = ses.send(MAIL)
        ses.close()
        again = ses.send(MAIL)
        ses.close()
    first, second = capture.captured
    assert said == Sent(first.provider_id)
    assert again == Sent(second.provider_id), "a closed provider stays usable"
    assert (first.sender, first.recipients, first.raw) == (MAIL.sender, (MAIL.to,), MAIL.raw)
    assert (first.message_id, first.configuration_set) == (str(MESSAGE_ID), "outreach")


@pytest.mark.parametrize(
    ("own", "installation_s", "tenant"), [("north", "south", "north"), ("", "south", "south"), ("", "", None)]
)
def test_a_mail_counts_for_its_sender_s_tenant(tmp_path: Path, own: str, installation_s: str, tenant: str | None):
    """Broken, one customer's bounces would spoil another's reputation, or pause all of them."""
    with MailCapture(tmp_path) as capture:
        ses = Ses("outreach", client(capture.url), installation_s)
        ses.send(replace(MAIL, identity=replace(MAIL.identity, settings={"tenant": own})))
        ses.close()
    assert json.loads(capture.captured[0].body).get("TenantName") == tenant


def test_ses_as_moto_knows_it_takes_the_request(monkeypatch: pytest.MonkeyPatch):
    """Broken, our request would not be one that the real API accepts."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        moto = boto3.client("sesv2", region_name="eu-central-1")
        ses = Ses(client=moto)
        assert isinstance(ses.send(MAIL), Rejected), "SES refuses senders that are not verified"
        moto.create_email_identity(EmailIdentity="ada@nordlicht.example")
        assert isinstance(ses.send(MAIL), Sent)


@pytest.mark.parametrize(("region", "domain"), [("us-east-1", "email"), ("eu-central-1", "eu-central-1")])
def test_the_message_id_is_the_one_that_ses_writes(region: str, domain: str):
    """Broken, follow-ups would answer to an id that no mail program has ever seen."""
    moto = boto3.client("sesv2", region_name=region, aws_access_key_id="x", aws_secret_access_key="x")
    earlier = EarlierMail(MESSAGE_ID, "nordlicht.example", "ses", "0102018d-000000")
    assert Ses(client=moto).header_id(earlier) == f"<0102018d-000000@{domain}.amazonses.com>"
