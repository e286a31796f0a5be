"""A mail that came in, as far as we read it: bounded, lenient, without its attachments.

By the standard library's parser with its oldest policy: the newer one raises on some of what the world calls headers.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, message_from_string
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.utils import getaddresses, parsedate_to_datetime
from html.parser import HTMLParser
from typing import Final

MAX_PARSED_BYTES: Final = 256 * 1024
"""Headers, the text and the parts of a bounce come first; attachments are what makes a mail long."""
MAX_TEXT_CHARS: Final = 4096
MAX_HEADER_CHARS: Final = 998
"""RFC 5322 §2.1.1: what a line may have. A longer subject tells us nothing more."""
MAX_REFERENCES: Final = 40
MAX_ADDRESSES: Final = 20

_MESSAGE_ID: Final = re.compile(r"<\s*([^<>\s@]{1,256}@[^<>\s@]{1,255})\s*>")
_BLANKS: Final = re.compile(r"[ \t\r\f\v\u00a0]+")
_BLOCKS: Final = frozenset({"br", "div", "li", "p", "tr", "h1", "h2", "h3", "blockquote", "table"})


@dataclass(frozen=True, slots=True)
class Report:
    """What a delivery status notification says of one recipient (RFC 3464 §2.3). ``action`` is lower-case."""

    action: str
    status: str
    diagnostic: str = ""


@dataclass(frozen=True, slots=True)
class IncomingMail:
    """The parts of a mail that matter. Addresses are lower-case, Message-IDs without brackets, header names lower.

    ``date`` is None if the header is missing or malformed. ``references`` are the ids that it answers or returns, the
    nearest first. ``reports`` are empty unless it is a delivery status notification.
    """

    message_id: str = ""
    sender: str = ""
    recipients: tuple[str, ...] = ()
    subject: str = ""
    text: str = ""
    date: datetime | None = None
    references: tuple[str, ...] = ()
    reports: tuple[Report, ...] = ()
    headers: dict[str, str] = field(default_factory=dict[str, str])


_KEPT: Final = (
    "auto-submitted",
    "x-autoreply",
    "x-autorespond",
    "precedence",
    "list-id",
    "list-post",
    "list-unsubscribe",
    "return-path",
)
"""What tells who, or what, wrote a mail."""


def read_mail(raw: bytes) -> IncomingMail:
    """Read a mail; whatever is wrong with it, something comes out."""
    mail = message_from_bytes(raw[:MAX_PARSED_BYTES])
    parts = list(mail.walk())
    reports = tuple(_reports(parts[1:]))
    returned = _returned_ids(parts[1:]) if reports else ()
    answered = [*_ids(mail, "In-Reply-To"), *reversed(_ids(mail, "References")), *returned]
    recipients = _addresses(mail, "Delivered-To", "X-Original-To", "To", "Cc")
    return IncomingMail(
        message_id=next(iter(_ids(mail, "Message-ID")), ""),
        sender=next(iter(_addresses(mail, "From")), ""),
        recipients=recipients[:MAX_ADDRESSES],
        subject=_words(mail, "Subject"),
        text=_text(parts),
        date=_date(mail),
        references=tuple(dict.fromkeys(answered))[:MAX_REFERENCES],
        reports=reports,
        headers={name: value for name in _KEPT if (value := _words(mail, name)) or name in mail},
    )


def mentioned_ids(text: str) -> tuple[str, ...]:
    """The Message-IDs that stand in a text, such as that of a bounce in nobody's format."""
    return tuple(dict.fromkeys(_MESSAGE_ID.findall(text)))[:MAX_REFERENCES]


def _headers(mail: Message, name: str) -> list[str]:
    return [str(value) for value in mail.get_all(name, [])]


def _words(mail: Message, name: str) -> str:
    """A header as people read it, in one line."""
    raw = next(iter(_headers(mail, name)), "")
    try:
        parts = [_decoded(value, charset or "ascii") for value, charset in decode_header(raw)]
    except HeaderParseError:
        parts = [raw]
    return " ".join(_clean("".join(parts)).split())[:MAX_HEADER_CHARS]


def _decoded(value: bytes | str, charset: str) -> str:
    if isinstance(value, str):
        return value
    try:
        return value.decode(charset, "replace")
    except (LookupError, ValueError):
        return value.decode("utf-8", "replace")


def _clean(text: str) -> str:
    """Without what Postgres cannot keep (U+0000), or JSON cannot (halves of surrogate pairs)."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def _ids(mail: Message, name: str) -> list[str]:
    return [found for value in _headers(mail, name) for found in mentioned_ids(_clean(value))]


def _addresses(mail: Message, *names: str) -> tuple[str, ...]:
    found = getaddresses([_clean(value) for name in names for value in _headers(mail, name)])
    return tuple(dict.fromkeys(address.lower() for _, address in found if "@" in address))


def _date(mail: Message) -> datetime | None:
    try:
        at = parsedate_to_datetime(next(iter(_headers(mail, "Date")), ""))
        # "-0000" says that the zone is not known (RFC 5322 §3.3): a naive instant, taken as UTC.
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at
    except (ValueError, IndexError, OverflowError, TypeError):
        return None


# --- the text ----------------------------------------------------------------------------------------------------


def _text(parts: Sequence[Message]) -> str:
    """The beginning of the first text; HTML only if there is no plain text."""
    for kind in ("text/plain", "text/html"):
        for part in parts:
            if part.get_content_type() == kind and part.get_content_disposition() != "attachment":
                content = _content(part)
                text = _strip_html(content) if kind == "text/html" else content
                if text.strip():
                    return _tidy(text)
    return ""


def _content(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    return _clean(_decoded(payload, str(part.get_content_charset("utf-8"))))


def _tidy(text: str) -> str:
    lines = (_BLANKS.sub(" ", line).strip() for line in text[: 4 * MAX_TEXT_CHARS].splitlines())
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()[:MAX_TEXT_CHARS]


class _Words(HTMLParser):
    """Collects the visible text of a page."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[str] = []
        self._hidden = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:  # noqa: ARG002 - the base's
        """See `HTMLParser`."""
        if tag in {"style", "script", "title"}:
            self._hidden += 1
        elif tag == "blockquote":
            self.found.append("\n> ")  # what follows is quoted: the text ends here
        elif tag in _BLOCKS:
            self.found.append("\n")

    def handle_endtag(self, tag: str) -> None:
        """See `HTMLParser`."""
        if tag in {"style", "script", "title"}:
            self._hidden = max(0, self._hidden - 1)
        elif tag in _BLOCKS:
            self.found.append("\n")

    def handle_data(self, data: str) -> None:
        """See `HTMLParser`."""
        if not self._hidden:
            self.found.append(data)


def _strip_html(html: str) -> str:
    words = _Words()
    words.feed(html[: 16 * MAX_TEXT_CHARS])
    return "".join(words.found)


# --- delivery status notifications -------------------------------------------------------------------------------


def _returned_ids(parts: Sequence[Message]) -> Iterator[str]:
    """The Message-ID of the mail that comes back: whole, or only its headers (RFC 6522 §4)."""
    for part in parts:
        yield from _ids(part, "Message-ID")
        if part.get_content_type() == "text/rfc822-headers":
            yield from _ids(message_from_string(_content(part)), "Message-ID")


def _reports(parts: Sequence[Message]) -> Iterator[Report]:
    """The groups of fields that stand for a recipient each; the parser makes a part of each group."""
    for part in parts:
        if "Action" in part and "Status" in part:
            status = re.search(r"\d\.\d{1,3}\.\d{1,3}", _words(part, "Status"))
            action = _words(part, "Action").lower()
            yield Report(action, status[0] if status else "", _words(part, "Diagnostic-Code"))
