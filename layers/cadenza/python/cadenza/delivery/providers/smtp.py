"""People's own mailboxes: message submission by SMTP (RFC 6409), encrypted, one connection a sender and batch."""

from __future__ import annotations

import ssl
from typing import Final

from pydantic import ValidationError

from cadenza.core.ids import SenderId
from cadenza.delivery import mime
from cadenza.delivery.model import EarlierMail, Mail, Outcome, SenderRefused
from cadenza.delivery.providers import accounts
from cadenza.delivery.providers.accounts import SmtpAccount
from cadenza.delivery.providers.passwords import Passwords
from cadenza.delivery.providers.smtp_talk import Talk, Ways

NAME: Final = accounts.SMTP


class Smtp:
    """A `cadenza.delivery.model.Provider`. Servers keep our Message-ID, so it needs no tag to find a mail again."""

    def __init__(self, passwords: Passwords, *, private_hosts: bool = False, tls: ssl.SSLContext | None = None) -> None:
        """``tls`` defaults to the system's trust; ``private_hosts`` allows servers in our own network."""
        self._passwords = passwords
        self._ways = Ways(tls or ssl.create_default_context(), private_hosts)
        self._open: dict[SenderId, Talk] = {}

    def send(self, mail: Mail) -> Outcome:
        """See `cadenza.delivery.model.Provider.send`."""
        sender_id = mail.identity.id
        talk = self._open.pop(sender_id, None)
        if talk is None or not talk.reset():
            talk = self._connect(mail)
        try:
            return talk.hand_over(mail)
        finally:
            if talk.is_open:
                self._open[sender_id] = talk

    def header_id(self, mail: EarlierMail) -> str:
        """See `cadenza.delivery.model.Provider.header_id`."""
        return mime.header_id(mail.message_id, mail.sender_domain)

    def close(self) -> None:
        """See `cadenza.delivery.model.Provider.close`."""
        while self._open:
            self._open.popitem()[1].close()

    def _connect(self, mail: Mail) -> Talk:
        try:
            account = SmtpAccount.model_validate(mail.identity.settings)
        except ValidationError as error:
            where = ", ".join(".".join(map(str, found["loc"])) for found in error.errors(include_input=False))
            raise SenderRefused("SMTP: settings", f"the sender's SMTP settings are not valid: {where}") from None
        if not account.username:
            return Talk(account, "", self._ways)
        password = self._password(mail)
        try:
            return Talk(account, password, self._ways)
        except SenderRefused:
            # Somebody may have changed it while this process had the old one.
            newer = self._password(mail, anew=True)
            if newer == password:
                raise
            return Talk(account, newer, self._ways)

    def _password(self, mail: Mail, *, anew: bool = False) -> str:
        password = self._passwords.get(mail.identity.id, anew=anew)
        if password is None:
            raise SenderRefused("SMTP: no password", "no password is stored for this sender")
        return password
