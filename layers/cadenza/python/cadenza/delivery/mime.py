"""A rendered message as RFC 5322 bytes: the same message at the same instant gives the same bytes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP, EmailPolicy
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote

from cadenza.core.ids import MessageId
from cadenza.delivery.model import Claimed, Mail, Rejected
from cadenza.delivery.render import Rendered

MAX_REFERENCES: Final = 20
"""The oldest and the latest of a long conversation: RFC 5322 sets no limit, receivers do."""

_CONTROLS: Final = re.compile("[\x00-\x1f\x7f\x85\u2028\u2029]+")
"""Everything that any header parser takes for the end of a line."""


class _Policy(EmailPolicy):
    """SMTP's policy, except that headers made of ids and URLs are folded between these only.

    The standard one encodes a word longer than a line as RFC 2047 text, and no mail program reads an encoded Message-ID
    or opt-out URL.
    """

    def fold(self, name: str, value: str) -> str:
        """See `EmailPolicy.fold`."""
        if name.lower() in _VERBATIM:
            return f"{name}: " + f"{self.linesep} ".join(str(value).split()) + self.linesep
        return super().fold(name, value)

    def fold_binary(self, name: str, value: str) -> bytes:
        """See `EmailPolicy.fold_binary`."""
        return self.fold(name, value).encode("ascii") if name.lower() in _VERBATIM else super().fold_binary(name, value)


_VERBATIM: Final = frozenset({"message-id", "in-reply-to", "references", "list-unsubscribe"})
_POLICY: Final = _Policy(linesep=SMTP.linesep)


def header_id(message_id: MessageId, sender_domain: str) -> str:
    """The Message-ID that we give a message, with its brackets."""
    return f"<{message_id}@{_ascii_domain(sender_domain)}>"


def build(
    message: Claimed, rendered: Rendered, *, opt_out_url: str, thread: Sequence[str], now: datetime
) -> Mail | Rejected:
    """Put the mail together. ``thread`` holds the Message-IDs of the enrolment's earlier mails, oldest first.

    Addresses that cannot stand in a header are a `Rejected`.
    """
    sender, message_id = message.sender, message.stay.message_id
    try:
        from_address = _address(sender.email, sender.name)
        to_address = _address(message.recipient.address, message.recipient.name)
        reply_to = _address(sender.reply_to) if sender.reply_to else from_address
    except ValueError as error:
        return Rejected(str(error))
    subject = _one_line(rendered.subject)
    mail = EmailMessage(policy=_POLICY)
    mail["From"] = from_address
    mail["To"] = to_address
    if reply_to != from_address:
        mail["Reply-To"] = reply_to
    mail["Subject"] = subject
    mail["Date"] = format_datetime(now)
    mail["Message-ID"] = f"<{message_id}@{from_address.domain}>"
    if thread:
        mail["In-Reply-To"] = thread[-1]
        kept = thread if len(thread) <= MAX_REFERENCES else (thread[0], *thread[1 - MAX_REFERENCES :])
        mail["References"] = " ".join(kept)
    # RFC 2369 for people and programs, RFC 8058 for the one click; the HTTPS address must come with the latter.
    opt_out_mail = f"mailto:{reply_to.addr_spec}?subject={quote(f'unsubscribe {message_id}')}"
    mail["List-Unsubscribe"] = f"<{opt_out_url}>, <{opt_out_mail}>"
    mail["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    mail.set_content(rendered.text, cte="quoted-printable")
    mail.add_alternative(rendered.html, subtype="html", cte="quoted-printable")
    mail.set_boundary(f"=_{message_id.hex}")  # the library's own are random
    return Mail(message_id, from_address.addr_spec, to_address.addr_spec, subject, mail.as_bytes())


def _address(address: str, name: str = "") -> Address:
    """An address for a header.

    Raises:
        ValueError: It is none, or its local part is beyond ASCII (SES does not take SMTPUTF8).
    """
    local, _, domain = address.strip().rpartition("@")
    try:
        return Address(_one_line(name), addr_spec=f"{local}@{_ascii_domain(domain)}")
    except (ValueError, IndexError, MessageError):
        raise ValueError(f"{_one_line(address)!r} is no address that mail can be sent to or from") from None


def _ascii_domain(domain: str) -> str:
    return domain.encode("idna").decode("ascii") if domain else ""


def _one_line(text: str) -> str:
    return " ".join(_CONTROLS.sub(" ", text).split())
