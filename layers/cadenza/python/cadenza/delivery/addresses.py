"""Addresses that can stand in a mail's header, and text that can: one rule for what senders say and what is sent."""

from __future__ import annotations

import re
from email.errors import MessageError
from email.headerregistry import Address
from typing import Final

_CONTROLS: Final = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
"""Everything that any header parser takes for the end of a line."""


def is_sendable(address: str) -> bool:
    """Whether mail can be sent to or from this address."""
    try:
        mail_address(address)
    except ValueError:
        return False
    return True


def mail_address(address: str, name: str = "") -> Address:
    """An address for a header.

    Raises:
        ValueError: It is none, or its local part is beyond ASCII (SES does not take SMTPUTF8).
    """
    local, _, domain = address.strip().rpartition("@")
    try:
        return Address(one_line(name), addr_spec=f"{local}@{ascii_domain(domain)}")
    except (ValueError, IndexError, MessageError):
        raise ValueError(f"{one_line(address)!r} is no address that mail can be sent to or from") from None


def ascii_domain(domain: str) -> str:
    """The domain as it is written in mail (RFC 3490)."""
    return domain.encode("idna").decode("ascii") if domain else ""


def one_line(text: str) -> str:
    """The text without controls and without more than one blank in a row."""
    return " ".join(_CONTROLS.sub(" ", text).split())
