"""Amazon SNS over HTTPS: who may speak to us, whether it was them, and the handshake of a subscription.

After "Verifying the signatures of Amazon SNS messages" and "HTTP/HTTPS notification JSON format" (Amazon SNS developer
guide). Only SignatureVersion 2 (SHA-256) is believed: topics make version 1 (SHA-1) unless told otherwise.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from cadenza.core.errors import ConfigurationError, Unauthorised
from cadenza.core.log import get_logger
from cadenza.signals import https
from cadenza.signals.payloads import json_object, read

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

SIGNATURE_VERSION: Final = "2"
PAST: Final = timedelta(minutes=75)
"""SNS tries again for an hour at most ("Amazon SNS message delivery retries"), with the first try's timestamp."""
FUTURE: Final = timedelta(minutes=5)
MIN_KEY_BITS: Final = 2048
MAX_CERTIFICATES: Final = 8
"""Kept in a process. SNS rotates its certificate about once a year."""

_ARN: Final = re.compile(r"arn:aws(?P<partition>-cn|-us-gov)?:sns:(?P<region>[a-z0-9-]+):\d{12}:[A-Za-z0-9_-]{1,256}")
_INSTANT: Final = TypeAdapter(AwareDatetime)
_EXPECTED: Final = "this is not a message of SNS"

Fetch = Callable[[str], bytes]


class EnvelopeType(StrEnum):
    """What SNS sends."""

    NOTIFICATION = "Notification"
    SUBSCRIPTION = "SubscriptionConfirmation"
    UNSUBSCRIPTION = "UnsubscribeConfirmation"


class Envelope(BaseModel):
    """A message of SNS. ``message`` is what was published."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    type: EnvelopeType = Field(alias="Type")
    message_id: str = Field(alias="MessageId", min_length=1, max_length=128)
    topic_arn: str = Field(alias="TopicArn")
    message: str = Field(alias="Message")
    timestamp: str = Field(alias="Timestamp")
    signature_version: str = Field(alias="SignatureVersion")
    signature: str = Field(alias="Signature")
    certificate_url: str = Field(alias="SigningCertURL")
    subject: str | None = Field(default=None, alias="Subject")
    token: str = Field(default="", alias="Token")
    subscribe_url: str = Field(default="", alias="SubscribeURL")

    def signed(self) -> bytes:
        """The bytes that the signature is over: names and values of the fields that count, each on a line."""
        return "".join(f"{name}\n{value}\n" for name, value in self._signed_fields()).encode()

    def _signed_fields(self) -> Iterator[tuple[str, str]]:
        yield "Message", self.message
        yield "MessageId", self.message_id
        if self.type is EnvelopeType.NOTIFICATION:
            if self.subject is not None:
                yield "Subject", self.subject
        else:
            yield "SubscribeURL", self.subscribe_url
        yield "Timestamp", self.timestamp
        if self.type is not EnvelopeType.NOTIFICATION:
            yield "Token", self.token
        yield "TopicArn", self.topic_arn
        yield "Type", self.type


class Sns:
    """The topics that may speak to this installation."""

    def __init__(self, topics: Sequence[str], *, origin: str = "", fetch: Fetch = https.get) -> None:
        """``topics`` are ARNs. ``origin`` (local stage only) stands in for SNS's own host; ``fetch`` gets a URL.

        Raises:
            ConfigurationError: An ARN is none.
        """
        # A topic's own region names the one host that may vouch for it. A pattern over all regions would be a hole:
        # sns.s3.amazonaws.com is an S3 bucket, and may be anybody's.
        self._bases = {topic: origin or _base(topic) for topic in topics}
        self._fetch = fetch
        self._keys: dict[str, RSAPublicKey] = {}

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._bases)

    def verify(self, raw_body: bytes, now: datetime) -> Envelope:
        """The message, once it is certain that SNS signed it for one of our topics, not too long ago.

        Raises:
            InvalidInput: Not JSON of SNS's shape.
            Unauthorised: Another topic, signature version or certificate host; too old; or the signature is wrong.
            Retryable: The signing certificate could not be fetched.
        """
        envelope = read(Envelope, json_object(raw_body, _EXPECTED), _EXPECTED)
        base = self._bases.get(envelope.topic_arn)
        if base is None:
            raise Unauthorised("the topic (TopicArn) is not one of ours")
        if envelope.signature_version != SIGNATURE_VERSION:
            raise Unauthorised("SignatureVersion 1 (SHA-1) is refused: set the topic's SignatureVersion to 2")
        _check_age(envelope.timestamp, now)
        if not re.fullmatch(rf"{re.escape(base)}/[A-Za-z0-9_-]+\.pem", envelope.certificate_url):
            raise Unauthorised("the signing certificate's URL (SigningCertURL) is not one of SNS in the topic's region")
        self._check_signature(envelope, now)
        return envelope

    def confirm(self, envelope: Envelope) -> None:
        """Finish the handshake that makes a subscription of ours deliver.

        Raises:
            Unauthorised: Its URL is not one of SNS, or SNS does not know it any more.
            Retryable: SNS did not answer.
        """
        if not envelope.subscribe_url.startswith(f"{self._bases[envelope.topic_arn]}/?"):
            raise Unauthorised("the confirmation's URL (SubscribeURL) is not one of SNS in the topic's region")
        self._fetch(envelope.subscribe_url)
        get_logger().info("sns.subscribed", topic=envelope.topic_arn)

    def _check_signature(self, envelope: Envelope, now: datetime) -> None:
        # Heavy, and only for this source: somebody who clicks a link does not wait for it.
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15  # noqa: PLC0415
        from cryptography.hazmat.primitives.hashes import SHA256  # noqa: PLC0415

        try:
            signature = b64decode(envelope.signature, validate=True)
            self._key(envelope.certificate_url, now).verify(signature, envelope.signed(), PKCS1v15(), SHA256())
        except (ValueError, InvalidSignature):
            raise Unauthorised("the message's signature does not match") from None

    def _key(self, url: str, now: datetime) -> RSAPublicKey:
        key = self._keys.get(url)
        if key is None:
            key = _public_key(self._fetch(url), now)
            if len(self._keys) >= MAX_CERTIFICATES:
                self._keys.clear()
            self._keys[url] = key
        return key


def _base(topic: str) -> str:
    match = _ARN.fullmatch(topic)
    if match is None:
        raise ConfigurationError(f"SNS_TOPIC_ARNS: {topic!r} is not the ARN of a topic")
    suffix = "amazonaws.com.cn" if match["partition"] == "-cn" else "amazonaws.com"
    return f"https://sns.{match['region']}.{suffix}"


def _check_age(timestamp: str, now: datetime) -> None:
    try:
        at = _INSTANT.validate_python(timestamp)
    except ValidationError:
        raise Unauthorised("the message's Timestamp is malformed") from None
    if not now - PAST <= at <= now + FUTURE:
        raise Unauthorised("the message was signed too long ago, or in the future")


def _public_key(pem: bytes, now: datetime) -> RSAPublicKey:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey  # noqa: PLC0415 - as above
    from cryptography.x509 import load_pem_x509_certificate  # noqa: PLC0415

    try:
        certificate = load_pem_x509_certificate(pem)
        key = certificate.public_key()
    except ValueError:
        raise Unauthorised("the signing certificate is malformed") from None
    if not certificate.not_valid_before_utc <= now <= certificate.not_valid_after_utc:
        raise Unauthorised("the signing certificate is not valid at this time")
    if not isinstance(key, RSAPublicKey) or key.key_size < MIN_KEY_BITS:
        raise Unauthorised(f"the signing certificate's key is not RSA of at least {MIN_KEY_BITS} bits")
    return key
