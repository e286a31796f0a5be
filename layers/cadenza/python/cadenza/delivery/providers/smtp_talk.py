"""One SMTP connection (RFC 5321): what was said, and what is known for certain of each mail."""

from __future__ import annotations

import ipaddress
import re
import smtplib
import socket
import ssl
import time
from base64 import b64encode
from dataclasses import dataclass
from typing import Final

from cadenza.core.addresses import is_public, system_addresses
from cadenza.delivery.model import Ambiguous, Mail, Outcome, Rejected, SenderRefused, SenderTrouble, Sent
from cadenza.delivery.providers.accounts import Security, SmtpAccount
from cadenza.delivery.providers.smtp_replies import CLOSING, Stage, judged, said_in

CONNECT_S: Final = 10.0
COMMAND_S: Final = 30.0
SETUP_S: Final = 60.0
"""What connecting and logging in, or a mail up to the end of its content, may take together."""
END_S: Final = 45.0
"""How long the last answer may take. RFC 5321 §4.5.3.2.6 gives it ten minutes, which no function has; giving up costs
a message, because nobody may send it again."""

DONE: Final = 2
"""A reply's first digit is what a client acts on (RFC 5321 §4.3.2): done."""
GO_ON: Final = 3
"""Go on: the server waits for more."""
REFUSALS: Final = (4, 5)

_LINE_START: Final = re.compile(rb"(?m)^\.")


@dataclass(frozen=True, slots=True)
class Ways:
    """How servers are reached. ``tls`` verifies their certificates; ``private_hosts`` allows our own network."""

    tls: ssl.SSLContext
    private_hosts: bool = False


class Talk:
    """A connection on which mails can be handed over. Close it in the end."""

    def __init__(self, account: SmtpAccount, password: str, ways: Ways) -> None:
        """Connect, encrypt, log in.

        Raises:
            SenderTrouble: It did not work; `SenderRefused`, if only a person can change that.
        """
        self._until = time.monotonic() + SETUP_S
        connection = _connected(account, ways)
        self._smtp = smtplib.SMTP(local_hostname=_literal(connection))
        self._smtp.sock = connection
        try:
            self._open(account, password, ways)
        except BaseException:
            self.close()
            raise

    @property
    def is_open(self) -> bool:
        """Whether another mail may follow."""
        return self._smtp.sock is not None

    def close(self) -> None:
        """Hang up, without waiting for a goodbye: a server may take its time for it."""
        self._smtp.close()

    def reset(self) -> bool:
        """Begin anew after a mail. False: the server has hung up meanwhile, which loses nothing."""
        self._until = time.monotonic() + SETUP_S
        try:
            code, _ = self._say("RSET")
        except SenderTrouble:
            return False
        if code // 100 != DONE:
            self.close()
        return self.is_open

    def hand_over(self, mail: Mail) -> Outcome:
        """Hand over one mail.

        Raises:
            MessageTrouble: It was certainly not taken (or one of its kinds).
        """
        self._until = time.monotonic() + SETUP_S
        steps = (
            (Stage.MAIL, f"MAIL FROM:<{mail.sender}>", DONE),
            (Stage.RCPT, f"RCPT TO:<{mail.to}>", DONE),
            (Stage.DATA, "DATA", GO_ON),
        )
        for stage, command, wanted in steps:
            refusal = self._refusal(stage, self._say(command), wanted)
            if refusal is not None:
                return refusal
        content = _LINE_START.sub(b"..", mail.raw)  # RFC 5321 §4.5.2
        try:
            self._smtp.send(content if content.endswith(b"\r\n") else content + b"\r\n")
        except OSError as error:
            self.close()
            raise _lost(Stage.DATA, error) from error
        return self._ended()

    def _ended(self) -> Outcome:
        """Say that the content is complete. From here on the server may have the mail, whatever we hear of it."""
        self._until = time.monotonic() + END_S
        try:
            self._wait_at_most(END_S)
            self._smtp.send(b".\r\n")
            code, reply = self._smtp.getreply()
        except OSError as error:
            self.close()
            return Ambiguous(f"SMTP: no answer at the end of the content ({type(error).__name__})")
        text = reply.decode("utf-8", "replace")
        if code // 100 not in (DONE, *REFUSALS):
            self.close()
            return Ambiguous("SMTP: an answer that is none at the end of the content")
        return self._refusal(Stage.DATA, (code, text), DONE) or Sent(said_in(text))

    # --- opening -------------------------------------------------------------------------------------------------

    def _open(self, account: SmtpAccount, password: str, ways: Ways) -> None:
        if account.security is Security.TLS:
            self._encrypt(account, ways)
        self._expect(Stage.GREETING, self._hear())
        self._greet()
        if account.security is Security.STARTTLS:
            if not self._smtp.has_extn("starttls"):
                raise SenderRefused("SMTP: no STARTTLS", f"{account.host} offers no encryption (STARTTLS)")
            self._expect(Stage.STARTTLS, self._say("STARTTLS"))
            self._encrypt(account, ways)
            self._greet()  # what was said in the clear does not count (RFC 3207 §4.2)
        if account.username:
            self._log_in(account.username, password)

    def _encrypt(self, account: SmtpAccount, ways: Ways) -> None:
        plain = self._smtp.sock
        assert plain is not None  # noqa: S101 - for the type checker
        try:
            self._wait_at_most(COMMAND_S)
            self._smtp.sock = ways.tls.wrap_socket(plain, server_hostname=account.host)
        except ssl.SSLCertVerificationError as error:
            why = f"the certificate of {account.host} is not valid: {error.verify_message}"
            raise SenderTrouble("SMTP: certificate refused", why) from error
        except OSError as error:
            raise _lost(Stage.STARTTLS, error) from error
        self._smtp.file = None

    def _greet(self) -> None:
        try:
            self._wait_at_most(COMMAND_S)
            code, reply = self._smtp.ehlo()
        except OSError as error:
            raise _lost(Stage.GREETING, error) from error
        self._expect(Stage.GREETING, (code, reply.decode("utf-8", "replace")))

    def _log_in(self, username: str, password: str) -> None:
        """PLAIN (RFC 4616), else LOGIN, in UTF-8: the standard library's knows only ASCII passwords."""
        offered = self._smtp.esmtp_features.get("auth", "").upper().split()
        if "PLAIN" in offered:
            answer = self._say("AUTH PLAIN " + _b64(f"\x00{username}\x00{password}"))
        elif "LOGIN" in offered:
            answer = self._say("AUTH LOGIN")
            for word in (username, password):
                if answer[0] // 100 == GO_ON:
                    answer = self._say(_b64(word))
        else:
            offer = ", ".join(offered) or "none"
            raise SenderRefused("SMTP: no AUTH", f"the server offers no login by password (it offers: {offer})")
        self._expect(Stage.LOGIN, answer)

    # --- saying and hearing --------------------------------------------------------------------------------------

    def _say(self, command: str) -> tuple[int, str]:
        try:
            self._wait_at_most(COMMAND_S)
            self._smtp.putcmd(command)
        except OSError as error:
            self.close()
            raise _lost(None, error) from error
        return self._hear()

    def _hear(self) -> tuple[int, str]:
        try:
            self._wait_at_most(COMMAND_S)
            code, reply = self._smtp.getreply()
        except OSError as error:
            self.close()
            raise _lost(None, error) from error
        return code, reply.decode("utf-8", "replace")

    def _wait_at_most(self, seconds: float) -> None:
        connection = self._smtp.sock
        if connection is None:
            raise smtplib.SMTPServerDisconnected("hung up")
        left = min(seconds, self._until - time.monotonic())
        if left <= 0:
            raise TimeoutError("the server takes too long")
        connection.settimeout(left)

    def _expect(self, stage: Stage, answer: tuple[int, str]) -> None:
        verdict = self._refusal(stage, answer, DONE)
        if verdict is not None:  # no message is concerned yet
            raise SenderTrouble(f"SMTP: {stage} {answer[0]}", verdict.reason)

    def _refusal(self, stage: Stage, answer: tuple[int, str], wanted: int) -> Rejected | None:
        """None if the answer begins with the wanted digit; else what it means, returned or raised."""
        code, reply = answer
        if code // 100 == wanted:
            return None
        confused = code // 100 not in REFUSALS
        if code == CLOSING or confused:
            self.close()
        if confused:
            raise SenderTrouble(f"SMTP: {stage} answered {code}", f"SMTP {stage}: {code} {said_in(reply)}")
        verdict = judged(stage, code, reply)
        if isinstance(verdict, Rejected):
            return verdict
        raise verdict


def _connected(account: SmtpAccount, ways: Ways) -> socket.socket:
    """A connection to one of the host's addresses, each checked before: a name may lead into our own network."""
    try:
        addresses = system_addresses(account.host, account.port)
    except OSError as error:
        raise SenderTrouble("SMTP: no such host", f"{account.host} is not found: {error}") from error
    if not ways.private_hosts and not all(is_public(ipaddress.ip_address(address)) for address in addresses):
        raise SenderRefused("SMTP: private host", f"{account.host} is not a public mail server")
    trouble: OSError = OSError("no address")
    for address in addresses:
        try:
            connection = socket.create_connection((address, account.port), timeout=CONNECT_S)
        except OSError as error:
            trouble = error
        else:
            # The end of the content is a write of its own: it must not wait for the other one's acknowledgement.
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return connection
    raise _lost(None, trouble) from trouble


def _literal(connection: socket.socket) -> str:
    """How we greet: by our address, having no name that anybody could look up (RFC 5321 §4.1.4)."""
    address: str = connection.getsockname()[0]
    return f"[IPv6:{address}]" if ":" in address else f"[{address}]"


def _lost(stage: Stage | None, error: OSError) -> SenderTrouble:
    where = f" at {stage}" if stage else ""
    return SenderTrouble(f"SMTP: {type(error).__name__}{where}", f"SMTP: connection lost{where}: {error}")


def _b64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
