"""SNS, as far as an HTTPS endpoint sees it: signed messages, a certificate to check them by, subscriptions to confirm.

After "HTTP/HTTPS notification JSON format" and "Verifying the signatures of Amazon SNS messages" (Amazon SNS developer
guide). Key and certificate are made at start and nobody else's.
"""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, Self
from urllib.parse import urlencode
from uuid import uuid4

import httpx2
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from werkzeug.wrappers import Request, Response

from cadenza.core.clock import Clock, utc_now
from local.world.server import LoopbackServer

CERTIFICATE_PATH: Final = "/SimpleNotificationService-local.pem"
SNS_PATH: Final = "/webhooks/sns"
_SIGNED: Final[Mapping[str, tuple[str, ...]]] = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
    "UnsubscribeConfirmation": ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"),
}

Fields = dict[str, str]


class Signer:
    """A key with its certificate, and messages signed by it. ``base`` is the URL that has the certificate."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.local.example")])
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            # Wide: tests live at other times.
            .not_valid_before(datetime(2000, 1, 1, tzinfo=UTC))
            .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
            .sign(self._key, hashes.SHA256())
        )
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def message(self, kind: str, topic_arn: str, at: datetime, message: str, **fields: str) -> Fields:
        """A message of SNS as its JSON's fields; further ones (``Subject``, ``MessageId``) by their own names."""
        found: Fields = {
            "Type": kind,
            "MessageId": str(uuid4()),
            "TopicArn": topic_arn,
            "Message": message,
            "Timestamp": at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "SignatureVersion": "2",
            "SigningCertURL": f"{self.base}{CERTIFICATE_PATH}",
            **fields,
        }
        return {**found, "Signature": self.sign(found)}

    def sign(self, fields: Fields) -> str:
        """The signature (version 2) over those of the fields that count."""
        signed = "".join(f"{name}\n{fields[name]}\n" for name in _SIGNED[fields["Type"]] if name in fields)
        return base64.b64encode(self._key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256())).decode()


class NotificationService(LoopbackServer):
    """The service: serves its certificate, and takes confirmations."""

    def __init__(self, *, clock: Clock = utc_now) -> None:
        super().__init__(Request.application(self._answer))
        self._signer = Signer(self.url)
        self._clock = clock
        self._tokens: dict[str, str] = {}
        self.confirmed: set[str] = set()
        """Topics with a confirmed subscription."""

    def _answer(self, request: Request) -> Response:
        if request.path == CERTIFICATE_PATH:
            return Response(self._signer.pem, mimetype="application/x-pem-file")
        topic = self._tokens.get(request.args.get("Token", ""))
        if request.args.get("Action") != "ConfirmSubscription" or topic is None:
            return Response(status=400)
        self.confirmed.add(topic)
        return Response("<ConfirmSubscriptionResponse/>", mimetype="text/xml")

    def confirmation(self, topic_arn: str) -> Fields:
        """The first message of a subscription: it asks the endpoint whether it wants it."""
        token = secrets.token_hex(32)
        self._tokens[token] = topic_arn
        query = urlencode({"Action": "ConfirmSubscription", "TopicArn": topic_arn, "Token": token})
        text = f"You have chosen to subscribe to the topic {topic_arn}."
        fields = {"Token": token, "SubscribeURL": f"{self.url}/?{query}"}
        return self._signer.message("SubscriptionConfirmation", topic_arn, self._clock(), text, **fields)

    def notification(self, topic_arn: str, message: str, **fields: str) -> Fields:
        """A published message."""
        return self._signer.message("Notification", topic_arn, self._clock(), message, **fields)


class Subscription:
    """A topic whose messages go to one endpoint. A context manager; made by asking the endpoint, as SNS does."""

    def __init__(
        self,
        service: NotificationService,
        topic_arn: str,
        public_url: str,
        *,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        self._service = service
        self._topic_arn = topic_arn
        self._endpoint = f"{public_url.rstrip('/')}{SNS_PATH}"
        self._http = httpx2.Client(
            timeout=30, transport=transport, headers={"User-Agent": "Amazon Simple Notification"}
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def confirm(self) -> bool:
        """Do the handshake; whether the endpoint wants the messages."""
        self._post(self._service.confirmation(self._topic_arn))
        return self._topic_arn in self._service.confirmed

    def publish(self, message: object, *, message_id: str = "") -> httpx2.Response:
        """Deliver one message (JSON); the same ``message_id`` is a repetition of the same delivery."""
        fields = {"MessageId": message_id} if message_id else {}
        return self._post(self._service.notification(self._topic_arn, json.dumps(message), **fields))

    def _post(self, fields: Fields) -> httpx2.Response:
        headers = {
            "Content-Type": "text/plain; charset=UTF-8",
            "x-amz-sns-message-type": fields["Type"],
            "x-amz-sns-message-id": fields["MessageId"],
            "x-amz-sns-topic-arn": fields["TopicArn"],
        }
        return self._http.post(self._endpoint, content=json.dumps(fields), headers=headers)
