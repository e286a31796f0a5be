"""SMTP servers on loopback: a real one with STARTTLS and logins, and one that says what a test tells it to."""

from __future__ import annotations

import datetime as dt
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

LOOPBACK = "127.0.0.1"


# --- certificates ------------------------------------------------------------------------------------------------


def make_certificate(folder: Path, *names: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """A server's TLS with a fresh certificate for these names, and a client's that trusts just that one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0])])
    today = dt.datetime.now(dt.UTC)
    found: list[x509.GeneralName] = [
        x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name) for name in names
    ]
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - dt.timedelta(days=1))
        .not_valid_after(today + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName(found), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain = folder / f"{names[0]}.pem"
    pem, unencrypted = serialization.Encoding.PEM, serialization.NoEncryption()
    chain.write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, unencrypted) + certificate.public_bytes(pem)
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(chain)
    return server, ssl.create_default_context(cafile=str(chain))


# --- a real server -----------------------------------------------------------------------------------------------


@dataclass
class Mailbox:
    """What a real server knows and gets. ``connections`` counts those that were opened."""

    passwords: dict[str, str] = field(default_factory=lambda: {"ada": "pässword"})
    mails: list[Envelope] = field(default_factory=list[Envelope])
    logins: list[str] = field(default_factory=list[str])
    connections: int = 0

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name
        """Take the mail. See aiosmtpd."""
        self.mails.append(envelope)
        return f"250 2.0.0 Ok: queued as {len(self.mails)}"

    def authenticate(self, _server: SMTP, _session: Session, _envelope: Envelope, mechanism: str, data: Any) -> Any:
        """Check a login. See aiosmtpd."""
        assert isinstance(data, LoginPassword)
        name, password = data.login.decode(), data.password.decode()
        self.logins.append(mechanism)
        if self.passwords.get(name) == password:
            return AuthResult(success=True)
        return AuthResult(success=False, handled=False, message="535 5.7.8 Username and password not accepted")


@contextmanager
def real_server(mailbox: Mailbox, tls: ssl.SSLContext, *, implicit: bool = False, **options: Any) -> Iterator[int]:
    """A mail server that takes nothing in the clear and from nobody it does not know; its port."""

    class Counting(Controller):
        def factory(self) -> SMTP:
            mailbox.connections += 1
            return super().factory()

    more = {"ssl_context": tls} if implicit else {"tls_context": tls, "require_starttls": True}
    controller = Counting(
        mailbox,
        hostname=LOOPBACK,
        port=_free_port(),
        authenticator=mailbox.authenticate,
        # It takes implicit TLS for none.
        auth_required=not implicit,
        auth_require_tls=not implicit,
        **(more | options),
    )
    controller.start()
    mailbox.connections = 0  # the controller looks whether it answers
    try:
        yield controller.port
    finally:
        controller.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


# --- a server by script ------------------------------------------------------------------------------------------

DEFAULTS = {"": "220 hello", "DATA": "354 go on"}
HANG_UP = ""


@dataclass
class Scripted:
    """Answers each verb as told, in the clear. "" is the greeting, "." the end of the content; `HANG_UP` hangs up.

    A list answers one after the other, its last for ever. ``hang_up_in_content`` hangs up in the middle of it;
    ``thinks_s`` is how long the server then thinks about it.
    """

    answers: Mapping[str, str | list[str]] = field(default_factory=dict[str, "str | list[str]"])
    hang_up_in_content: bool = False
    thinks_s: float = 0.0
    said: list[str] = field(default_factory=list[str])
    contents: list[bytes] = field(default_factory=list[bytes])

    @contextmanager
    def serving(self) -> Iterator[int]:
        """Serve in a thread; the port."""
        scripts = {verb: list(a) if isinstance(a, list) else [a] for verb, a in {**DEFAULTS, **self.answers}.items()}
        with socket.create_server((LOOPBACK, 0)) as listener:
            thread = threading.Thread(target=self._serve, args=(listener, scripts), daemon=True)
            thread.start()
            try:
                yield listener.getsockname()[1]
            finally:
                listener.shutdown(socket.SHUT_RDWR)
                thread.join(5)

    def _serve(self, listener: socket.socket, scripts: dict[str, list[str]]) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rwb") as stream, suppress(OSError):
                self._talk(stream, scripts)

    def _talk(self, stream: Any, scripts: dict[str, list[str]]) -> None:
        verb = ""
        while True:
            script = scripts.get(verb, ["250 ok"])
            answer = script.pop(0) if len(script) > 1 else script[0]
            if answer == HANG_UP:
                return
            stream.write(answer.encode() + b"\r\n")
            stream.flush()
            if answer.startswith("354"):
                if self.hang_up_in_content:
                    stream.read(100)
                    # Unread bytes make the close a reset, which the sender notices while it is still writing.
                    return
                lines = list(takewhile(lambda line: line not in {b".\r\n", b""}, iter(stream.readline, None)))
                if not lines:
                    return
                self.contents.append(b"".join(lines))
                time.sleep(self.thinks_s)
                verb = "."
                continue
            line = stream.readline().decode()
            if not line:
                return
            line = line[:4].upper() + line[4:]
            self.said.append(line.rstrip())
            verb = line[:4].rstrip()
