"""A rendered message as RFC 5322 bytes: the same message at the same instant gives the same bytes."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote

from cadenza.core.ids import MessageId
from cadenza.delivery.addresses import ascii_domain, mail_address, one_line
from cadenza.delivery.model import Claimed, Mail, Rejected
from cadenza.delivery.render import Rendered

MAX_REFERENCES: Final = 20
"""The oldest and the latest of a long conversation: RFC 5322 sets no limit, receivers do."""


MAX_LINE: Final = 76
"""What a line of a quoted-printable body, or one with encoded words, may have (RFC 2045 §6.7 (5), RFC 2047 §2)."""
_MAX_WORD: Final = 60
"""Longer words of people's text are encoded, because an encoded word can be folded. Ids and URLs never are."""
_CHUNK_BYTES: Final = 39
"""Makes an encoded word of 64 characters, of which the first fits beside its field's name (RFC 2047 §2)."""
_ATOM: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")

_BODY_POLICY: Final = SMTP.clone(max_line_length=MAX_LINE)


def header_id(message_id: MessageId, sender_domain: str) -> str:
    """The Message-ID that we give a message, with its brackets."""
    return f"<{message_id}@{ascii_domain(sender_domain)}>"


def build(
    message: Claimed, rendered: Rendered, *, opt_out_url: str, thread: Sequence[str], now: datetime
) -> Mail | Rejected:
    """Put the mail together. ``thread`` holds the Message-IDs of the enrolment's earlier mails, oldest first.

    Addresses that cannot stand in a header are a `Rejected`.
    """
    sender, message_id = message.sender, message.stay.message_id
    try:
        from_address = mail_address(sender.email, sender.name)
        to_address = mail_address(message.recipient.address, message.recipient.name)
        reply_to = mail_address(sender.reply_to) if sender.reply_to else from_address
    except ValueError as error:
        return Rejected(str(error))
    subject = one_line(rendered.subject)
    # RFC 2369 for people and programs, RFC 8058 for the one click; the HTTPS address must come with the latter.
    opt_out_mail = f"mailto:{reply_to.addr_spec}?subject={quote(f'unsubscribe {message_id}')}"
    kept = thread if len(thread) <= MAX_REFERENCES else (thread[0], *thread[1 - MAX_REFERENCES :])
    head = [
        _field("From", [*_phrase(from_address.display_name), f"<{from_address.addr_spec}>"]),
        _field("To", [*_phrase(to_address.display_name), f"<{to_address.addr_spec}>"]),
        _field("Reply-To", [reply_to.addr_spec] if reply_to != from_address else []),
        _field("Subject", _words(subject)),
        _field("Date", [format_datetime(now)]),
        _field("Message-ID", [f"<{message_id}@{from_address.domain}>"]),
        _field("In-Reply-To", kept[-1:]),
        _field("References", kept),
        _field("List-Unsubscribe", [f"<{opt_out_url}>,", f"<{opt_out_mail}>"]),
        _field("List-Unsubscribe-Post", ["List-Unsubscribe=One-Click"]),
    ]
    raw = "".join(head).encode("ascii") + _body(rendered, boundary=f"=_{message_id.hex}")
    return Mail(message_id, from_address.addr_spec, to_address.addr_spec, subject, raw, sender)


def _body(rendered: Rendered, boundary: str) -> bytes:
    """Both parts, with the header fields that describe them."""
    parts = EmailMessage(policy=_BODY_POLICY)
    parts.set_content(rendered.text, cte="quoted-printable")
    parts.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    parts.set_boundary(boundary)  # the library's own are random
    return parts.as_bytes()


# --- header fields -----------------------------------------------------------------------------------------------
# Made by hand: the library encodes an id or URL that is longer than a line, which no mail program then reads, and loses
# blanks between the words of a long subject beyond ASCII.


def _field(name: str, words: Sequence[str]) -> str:
    """A field, folded between its words only (RFC 5322 §2.2.3); "" without words."""
    if not words:
        return ""
    lines = [f"{name}: {words[0]}"]
    for word in words[1:]:
        if len(lines[-1]) + 1 + len(word) <= MAX_LINE:
            lines[-1] += f" {word}"
        else:
            lines.append(f" {word}")
    return "".join(f"{line}\r\n" for line in lines)


def _words(text: str) -> list[str]:
    """Unstructured text as words: as they are, or all of them encoded (RFC 2047)."""
    words = text.split(" ")
    is_plain = text.isascii() and "=?" not in text and all(len(word) <= _MAX_WORD for word in words)
    return words if is_plain else _encoded(text)


def _phrase(name: str) -> list[str]:
    """A display name as words: atoms, one quoted string, or encoded words (RFC 5322 §3.2.5, RFC 2047 §5 (3))."""
    if not name:
        return []
    words = _words(name)
    if words != name.split(" ") or all(map(_ATOM.fullmatch, words)):
        return words
    quoted = '"{}"'.format(re.sub(r'(["\\])', r"\\\1", name))
    return [quoted] if len(quoted) <= _MAX_WORD else _encoded(name)


def _encoded(text: str) -> list[str]:
    """The text as encoded words, none of which ends within a character (RFC 2047 §5)."""
    chunks = [b""]
    for character in text:
        encoded = character.encode()
        if len(chunks[-1]) + len(encoded) > _CHUNK_BYTES:
            chunks.append(b"")
        chunks[-1] += encoded
    return [f"=?utf-8?b?{b64encode(chunk).decode('ascii')}?=" for chunk in chunks]
