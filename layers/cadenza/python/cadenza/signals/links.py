"""Signed links: what a mail carries so that an open, a click or an opt-out can be believed without a database.

A token is base64url(payload ‖ mac): the payload is the message id's 16 bytes, for a click followed by the target URL,
and the mac is HMAC-SHA256 over purpose and payload, cut to 128 bits (RFC 2104 §5 allows half the digest or more).
The purpose keeps the kinds apart: a click's token opts nobody out. The click's target lies inside what is signed, so
the redirect goes only where one of our own mails points.
"""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum
from urllib.parse import quote, urlsplit
from uuid import UUID

from cadenza.core.errors import InvalidInput
from cadenza.core.ids import MessageId

ID_BYTES = 16
MAC_BYTES = 16
MAX_TARGET_BYTES = 4096
"""API Gateway takes 10,240 bytes of request line and headers together; base64 makes 4 bytes of 3."""

_KEPT_IN_URLS = "%:/?#[]@!$&'()*+,;=~"
"""RFC 3986 reserved characters, and "%" because a target may be percent-encoded already."""


class UnknownLink(InvalidInput):
    """We did not sign this token, or not for this purpose."""


class Purpose(StrEnum):
    """What a token is good for. The value is part of what is signed: never change one."""

    OPEN = "open"
    CLICK = "click"
    HONEYPOT = "honeypot"
    UNSUBSCRIBE = "unsubscribe"


class Links:
    """Makes and verifies the signed links of one installation."""

    def __init__(self, public_url: str, key: str) -> None:
        """``public_url`` is the base of every link; ``key`` is the app secret's ``link_signing_key``."""
        self._base = public_url.rstrip("/")
        self._key = key.encode()

    def open_pixel(self, message_id: MessageId) -> str:
        """The URL of the message's tracking pixel."""
        return f"{self._base}/t/o/{self._sign(Purpose.OPEN, message_id.bytes)}.gif"

    def click(self, message_id: MessageId, target_url: str) -> str:
        """The URL that records a click and redirects to ``target_url``.

        Raises:
            InvalidInput: The target is not an absolute http(s) URL, or is longer than `MAX_TARGET_BYTES`.
        """
        target = _ascii_url(target_url)
        return f"{self._base}/t/c/{self._sign(Purpose.CLICK, message_id.bytes + target)}"

    def honeypot(self, message_id: MessageId) -> str:
        """The URL that no person sees. It looks as a click's does: only we can tell that its token has no target."""
        return f"{self._base}/t/c/{self._sign(Purpose.HONEYPOT, message_id.bytes)}"

    def unsubscribe(self, message_id: MessageId) -> str:
        """The URL whose page offers the opt-out, and whose POST is the one-click opt-out of RFC 8058."""
        return f"{self._base}/u/{self._sign(Purpose.UNSUBSCRIBE, message_id.bytes)}"

    def verify_open(self, token: str) -> MessageId:
        """The message whose pixel this is.

        Raises:
            UnknownLink: We did not sign this token for this purpose.
        """
        return _whole_id(self._verify(Purpose.OPEN, token))

    def verify_click(self, token: str) -> tuple[MessageId, str]:
        """The message whose link was followed, and where the link leads.

        Raises:
            UnknownLink: We did not sign this token for this purpose.
        """
        payload = self._verify(Purpose.CLICK, token)
        return MessageId(UUID(bytes=payload[:ID_BYTES])), payload[ID_BYTES:].decode("ascii")

    def verify_honeypot(self, token: str) -> MessageId:
        """The message whose hidden link was followed.

        Raises:
            UnknownLink: We did not sign this token for this purpose.
        """
        return _whole_id(self._verify(Purpose.HONEYPOT, token))

    def verify_unsubscribe(self, token: str) -> MessageId:
        """The message whose recipient opts out.

        Raises:
            UnknownLink: We did not sign this token for this purpose.
        """
        return _whole_id(self._verify(Purpose.UNSUBSCRIBE, token))

    def _sign(self, purpose: Purpose, payload: bytes) -> str:
        return _encode(payload + self._mac(purpose, payload))

    def _verify(self, purpose: Purpose, token: str) -> bytes:
        raw = _decode(token)
        payload, mac = raw[:-MAC_BYTES], raw[-MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(purpose, payload)):
            raise UnknownLink("this link is not one of ours")
        return payload

    def _mac(self, purpose: Purpose, payload: bytes) -> bytes:
        # No purpose contains the separator, so no two (purpose, payload) pairs sign the same bytes.
        return hmac.digest(self._key, purpose.encode() + b"\0" + payload, "sha256")[:MAC_BYTES]


def _whole_id(payload: bytes) -> MessageId:
    return MessageId(UUID(bytes=payload))


def _encode(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")


def _decode(token: str) -> bytes:
    """The token's bytes; one byte string has one spelling, so a token cannot be varied and stay valid."""
    try:
        raw = urlsafe_b64decode(token + "=" * (-len(token) % 4))
    except ValueError:
        raw = b""
    if len(raw) < ID_BYTES + MAC_BYTES or _encode(raw) != token:
        raise UnknownLink("this link is malformed")
    return raw


def _ascii_url(url: str) -> bytes:
    """The URL as a Location header may carry it: beyond ASCII, and blanks, percent-encoded (RFC 3987 §3.1)."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise InvalidInput("a link's target is malformed") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise InvalidInput("a link's target must be an absolute http or https URL")
    target = quote(url, safe=_KEPT_IN_URLS).encode("ascii")
    if len(target) > MAX_TARGET_BYTES:
        raise InvalidInput(f"a link's target must be at most {MAX_TARGET_BYTES} bytes")
    return target
