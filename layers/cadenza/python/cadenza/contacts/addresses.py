"""The one form in which an address, a number or a domain is stored and compared."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import idna

from cadenza.core.states import SuppressionChannel

MAX_LENGTH: Final = 254
"""Of an address (RFC 5321, section 4.5.3.1.3, less its brackets), and more than a domain name may have."""

MAILBOX_PROVIDERS: Final = (
    *("gmail.com", "googlemail.com", "outlook.com", "hotmail.com", "live.com", "msn.com", "hotmail.co.uk"),
    *("hotmail.fr", "outlook.de", "outlook.fr", "yahoo.com", "yahoo.co.uk", "yahoo.de", "yahoo.fr", "ymail.com"),
    *("aol.com", "icloud.com", "me.com", "mac.com", "proton.me", "protonmail.com", "gmx.com", "gmx.de", "gmx.net"),
    *("gmx.at", "gmx.ch", "web.de", "t-online.de", "freenet.de", "posteo.de", "mailbox.org", "orange.fr", "wanadoo.fr"),
    *("free.fr", "laposte.net", "sfr.fr", "libero.it", "virgilio.it", "bluewin.ch", "sapo.pt", "telenet.be"),
    *("zoho.com", "fastmail.com", "hey.com", "mail.com", "yandex.com", "yandex.ru", "mail.ru", "qq.com", "163.com"),
)
"""Domains that people of many companies share. An address there says nothing about its owner's company, and a gap
between mails to one domain spares no company there. One that is missing costs its people time, or a contact.
"""

_PATTERNS: Final[Mapping[SuppressionChannel, tuple[str, str]]] = {
    SuppressionChannel.EMAIL: (r"[^@\s]+@[^@\s]+\.[^@\s]+", "an e-mail address"),
    SuppressionChannel.PHONE: (r"\+[1-9]\d{6,14}", "a telephone number in E.164 form, such as +4930123456"),
    SuppressionChannel.DOMAIN: (r"[a-z0-9_-]+(\.[a-z0-9-]+)+", "a domain name"),
}
_PLAIN: Final = re.compile(r"[A-Za-z0-9_.-]+")
_BETWEEN_DIGITS: Final = re.compile(r"[\s().\-/\u2010-\u2015]")


def normal(channel: SuppressionChannel, text: str) -> str:
    """Lower case, domains in ASCII (RFC 5891), numbers in E.164.

    Raises:
        ValueError: It is none; the message says what is wanted.
    """
    match channel:
        case SuppressionChannel.EMAIL:
            address = email(text.lower())
        case SuppressionChannel.PHONE:
            address = phone(text)
        case SuppressionChannel.DOMAIN:
            address = _ascii(text.strip().lower().removeprefix("*.").removeprefix("@"))
    pattern, wanted = _PATTERNS[channel]
    if len(address) > MAX_LENGTH or not re.fullmatch(pattern, address):
        raise ValueError(f"address must be {wanted}")
    return address


def email(text: str) -> str:
    """An address with its domain in ASCII, in lower case; its local part as it was. What is no address stays so."""
    local, at, domain = text.strip().rpartition("@")
    return f"{local}{at}{_ascii(domain)}" if local else text.strip()


def phone(text: str) -> str:
    """A number in international notation without all that is between its digits. A national one stays what it is."""
    digits = _BETWEEN_DIGITS.sub("", text.strip().lower().removeprefix("tel:").replace("(0)", ""))
    return f"+{digits.removeprefix('00')}" if digits.startswith("00") else digits


def guess(text: str) -> SuppressionChannel:
    """What somebody means who does not say: an address has an "@" inside, a number begins with a plus or a digit."""
    stripped = text.strip()
    if "@" in stripped[1:]:
        return SuppressionChannel.EMAIL
    if re.fullmatch(r"(tel:)?[+\d(][\d\s().\-/]*", stripped):
        return SuppressionChannel.PHONE
    return SuppressionChannel.DOMAIN


def _ascii(domain: str) -> str:
    domain = domain.rstrip(".")
    if _PLAIN.fullmatch(domain):
        return domain.lower()
    try:
        return idna.encode(domain, uts46=True).decode().lower()
    except idna.IDNAError:
        return ""
