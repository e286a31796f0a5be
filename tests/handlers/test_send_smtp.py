"""People's own mailboxes: what is said to them, and what each of their answers, or silences, means."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from cadenza.core.errors import Retryable
from cadenza.core.ids import MessageId, SenderId
from cadenza.delivery.model import (
    Ambiguous,
    EarlierMail,
    Mail,
    MessageTrouble,
    Outcome,
    Rejected,
    Sender,
    SenderRefused,
    SenderTrouble,
    Sent,
)
from cadenza.delivery.providers import smtp_talk
from cadenza.delivery.providers.smtp import Smtp
from cadenza.delivery.providers.smtp_replies import Stage, judged
from tests.handlers.smtp_servers import HANG_UP, Mailbox, Scripted, make_certificate, real_server

MESSAGE_ID = MessageId(UUID("01890a5d-ac96-774b-bcce-b302099a8057"))
ADA = Sender(SenderId(UUID(int=1)), "ada@nordlicht.example", provider="smtp")
RAW = (
    b"From: ada@nordlicht.example\r\nTo: grace@acme.example\r\nSubject: Hi\r\n"
    b"Message-ID: <01890a5d-ac96-774b-bcce-b302099a8057@nordlicht.example>\r\n\r\nHello\r\n.\r\n.. Ada\r\n"
)


class Safe:
    """Passwords as the Parameter Store has them: ``stored`` can change, ``asked`` is when the process looks."""

    def __init__(self, **stored: str | None) -> None:
        self.stored: str | None = stored.get("password", "pässword")
        self.kept: str | None = stored.get("kept", self.stored)
        self.asked: list[bool] = []

    def get(self, _sender_id: SenderId, *, anew: bool = False) -> str | None:
        """See `Passwords.get`."""
        self.asked.append(anew)
        return self.stored if anew else self.kept


def mail(port: int, raw: bytes = RAW, **settings: Any) -> Mail:
    settings = {"host": "localhost", "port": port, "security": "none"} | settings
    return Mail(MESSAGE_ID, "ada@nordlicht.example", "grace@acme.example", "Hi", raw, replace(ADA, settings=settings))


def provider(tls: ssl.SSLContext | None = None, safe: Safe | None = None, *, private_hosts: bool = True) -> Smtp:
    return Smtp(safe or Safe(), private_hosts=private_hosts, tls=tls)  # type: ignore[arg-type]


def outcome(found: Mail, smtp: Smtp | None = None) -> Outcome | Retryable:
    """What a send says, raised or returned."""
    smtp = smtp or provider()
    try:
        return smtp.send(found)
    except Retryable as error:
        return error
    finally:
        smtp.close()


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The server's TLS, and a client's that trusts it."""
    return make_certificate(tmp_path_factory.mktemp("tls"), "localhost", "127.0.0.1")


@pytest.fixture(params=["starttls", "tls"])
def server(
    request: pytest.FixtureRequest, tls: tuple[ssl.SSLContext, ssl.SSLContext]
) -> Iterator[tuple[Mailbox, int, str]]:
    """A real server, encrypted the one way or the other."""
    mailbox = Mailbox()
    with real_server(mailbox, tls[0], implicit=request.param == "tls") as port:
        yield mailbox, port, request.param


# --- a real server -----------------------------------------------------------------------------------------------


def test_a_mail_arrives_whole_through_an_encrypted_login(
    server: tuple[Mailbox, int, str], tls: tuple[ssl.SSLContext, ssl.SSLContext]
):
    """Broken, nobody could send by their own mailbox, or answers and opt-outs would not find their mail."""
    mailbox, port, security = server
    said = outcome(mail(port, security=security, username="ada"), provider(tls[1]))
    assert said == Sent("2.0.0 Ok: queued as 1")
    (envelope,) = mailbox.mails
    assert (envelope.mail_from, envelope.rcpt_tos) == ("ada@nordlicht.example", ["grace@acme.example"])
    assert envelope.content == RAW, "our Message-ID stays, and so do lines that begin with dots"


def test_one_connection_serves_a_batch(server: tuple[Mailbox, int, str], tls: tuple[ssl.SSLContext, ssl.SSLContext]):
    """Broken, mailbox providers would count a login for each mail, and lock the account."""
    mailbox, port, security = server
    smtp = provider(tls[1])
    for _ in range(3):
        smtp.send(mail(port, security=security, username="ada"))
    smtp.close()
    assert (len(mailbox.mails), mailbox.connections, len(mailbox.logins)) == (3, 1, 1)
    assert isinstance(outcome(mail(port, security=security, username="ada"), smtp), Sent), "a closed one stays usable"


def test_a_server_whose_certificate_is_not_valid_gets_no_password(server: tuple[Mailbox, int, str], tmp_path: Path):
    """Broken, whoever sits between could read the mailbox's password."""
    mailbox, port, security = server
    _, stranger = make_certificate(tmp_path, "localhost")
    said = outcome(mail(port, security=security, username="ada"), provider(stranger))
    assert isinstance(said, SenderTrouble)
    assert "certificate of localhost is not valid" in said.said
    assert mailbox.logins == []


def test_a_name_that_the_certificate_does_not_have_is_refused(tmp_path: Path):
    """Broken, any valid certificate would do for any server."""
    server_side, client_side = make_certificate(tmp_path, "mail.other.example")
    with real_server(Mailbox(), server_side) as port:
        said = outcome(mail(port, security="starttls", username="ada"), provider(client_side))
    assert isinstance(said, SenderTrouble)
    assert "certificate" in said.said


def test_a_wrong_password_is_the_sender_s_trouble(
    server: tuple[Mailbox, int, str], tls: tuple[ssl.SSLContext, ssl.SSLContext]
):
    """Broken, every message of a campaign would be given up because somebody changed a password."""
    _, port, security = server
    said = outcome(mail(port, security=security, username="ada"), provider(tls[1], Safe(password="old")))
    assert isinstance(said, SenderRefused)
    assert "535" in said.said
    assert "ada" not in said.detail, "details go to the log"


def test_a_password_that_was_changed_meanwhile_is_fetched_before_anybody_is_blamed(
    server: tuple[Mailbox, int, str], tls: tuple[ssl.SSLContext, ssl.SSLContext]
):
    """Broken, a sender would be paused right after its operator has mended it."""
    mailbox, port, security = server
    safe = Safe(kept="old")
    said = outcome(mail(port, security=security, username="ada"), provider(tls[1], safe))
    assert isinstance(said, Sent)
    assert safe.asked == [False, True]
    assert len(mailbox.logins) == 2


def test_without_a_password_nobody_is_called():
    """Broken, a sender without a password would look like one whose server is away."""
    assert isinstance(outcome(mail(1, username="ada"), provider(safe=Safe(password=None))), SenderRefused)


# --- servers that do not want --------------------------------------------------------------------------------


def test_a_server_without_starttls_hears_nothing_of_us():
    """Broken, mails and passwords would cross the internet in the clear."""
    scripted = Scripted()
    with scripted.serving() as port:
        said = outcome(mail(port, security="starttls", username="ada"))
    assert isinstance(said, SenderRefused)
    assert "no encryption" in said.said
    assert [line[:4] for line in scripted.said] == ["EHLO"]


def test_login_is_by_what_the_server_offers():
    """Broken, servers that know only the old way, or no way by password, would be misunderstood."""
    answers = {"EHLO": "250-hello\r\n250 AUTH LOGIN XOAUTH2", "AUTH": "334 VXNlcm5hbWU6"}
    scripted = Scripted(answers | {"YWRH": "334 UGFzc3dvcmQ6", "CMOK": "235 ok"})
    with scripted.serving() as port:
        outcome(mail(port, username="ada"))
    assert scripted.said[1] == "AUTH LOGIN"
    assert scripted.said[2:4] == ["YWRH", "CMOKc3N3b3Jk"]
    with Scripted({"EHLO": "250-hello\r\n250 AUTH XOAUTH2"}).serving() as port:
        said = outcome(mail(port, username="ada"))
    assert isinstance(said, SenderRefused)
    assert "XOAUTH2" in said.said


def test_private_hosts_are_refused_unless_the_installation_allows_them():
    """Broken, a customer could make our functions knock on doors of our own network."""
    with Scripted().serving() as port:
        said = outcome(mail(port), provider(private_hosts=False))
    assert isinstance(said, SenderRefused)
    assert "not a public mail server" in said.said


M, S, X, R = MessageTrouble, SenderTrouble, SenderRefused, Rejected
TABLE: dict[tuple[Stage, int, str], type] = {
    # before anybody knows who we are
    (Stage.GREETING, 421, "4.3.2 busy"): S,
    (Stage.GREETING, 554, "5.7.1 no service for your address"): S,
    (Stage.STARTTLS, 454, "4.7.0 TLS is away"): S,
    (Stage.STARTTLS, 501, "syntax"): X,
    # login
    (Stage.LOGIN, 454, "4.7.0 Temporary authentication failure"): S,
    (Stage.LOGIN, 421, "4.7.0 Too many login attempts"): S,
    (Stage.LOGIN, 535, "5.7.8 Username and Password not accepted"): X,
    (Stage.LOGIN, 534, "5.7.9 Application-specific password required"): X,
    (Stage.LOGIN, 535, "5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled"): X,
    (Stage.LOGIN, 500, "5.5.1 unrecognised"): X,
    # who sends
    (Stage.MAIL, 451, "4.3.0 try later"): S,
    (Stage.MAIL, 530, "5.7.0 Authentication required"): X,
    (Stage.MAIL, 553, "5.1.8 sender domain does not exist"): X,
    (Stage.MAIL, 550, "you may not send as this address"): X,
    (Stage.MAIL, 550, "5.4.5 Daily user sending limit exceeded"): S,
    (Stage.MAIL, 552, "5.3.4 message too big"): R,
    # who gets it
    (Stage.RCPT, 450, "4.2.1 receiving too quickly"): M,
    (Stage.RCPT, 451, "4.7.1 greylisted"): M,
    (Stage.RCPT, 452, "mailbox full"): M,
    (Stage.RCPT, 421, "4.3.2 closing"): S,
    (Stage.RCPT, 550, "5.1.1 no such user"): R,
    (Stage.RCPT, 551, "user not local"): R,
    (Stage.RCPT, 553, "5.1.3 bad address"): R,
    (Stage.RCPT, 554, "5.7.1 refused by policy"): R,
    (Stage.RCPT, 530, "5.7.57 Client not authenticated to send mail"): X,
    (Stage.RCPT, 550, "5.1.90 daily limit"): S,
    # what it says
    (Stage.DATA, 451, "4.3.0 try later"): S,
    (Stage.DATA, 452, "4.3.1 disk full"): S,
    (Stage.DATA, 550, "5.7.1 looks like spam"): R,
    (Stage.DATA, 552, "5.2.3 too big"): R,
    (Stage.DATA, 554, "5.6.0 malformed"): R,
    (Stage.DATA, 554, "5.2.252 SendAsDenied"): X,
    (Stage.DATA, 550, "5.7.501 spam abuse detected, account banned"): X,
    (Stage.DATA, 550, "5.4.5 Daily user sending limit exceeded"): S,
}


@pytest.mark.parametrize(("stage", "code", "reply"), TABLE, ids=str)
def test_each_refusal_has_its_meaning(stage: Stage, code: int, reply: str):
    """Broken, good messages would be burnt for their sender's trouble, or one bad address stop a sender's mail."""
    verdict = judged(stage, code, reply)
    assert type(verdict) is TABLE[stage, code, reply]
    words = verdict.reason if isinstance(verdict, Rejected) else verdict.said
    assert reply in words


@pytest.mark.parametrize(
    ("verb", "answer", "kind"),
    [
        ("", "421 busy", SenderTrouble),
        ("", "554 go away", SenderTrouble),
        ("", HANG_UP, SenderTrouble),
        ("", "SSH-2.0-OpenSSH", SenderTrouble),
        ("EHLO", "502 what?", SenderTrouble),
        ("MAIL", "451 later", SenderTrouble),
        ("MAIL", "550 not you", SenderRefused),
        ("MAIL", HANG_UP, SenderTrouble),
        ("RCPT", "450 later", MessageTrouble),
        ("RCPT", "550 5.1.1 nobody", Rejected),
        ("RCPT", HANG_UP, SenderTrouble),
        ("RCPT", "251 will forward", Sent),
        ("DATA", "451 later", SenderTrouble),
        ("DATA", "554 no", Rejected),
        ("DATA", "250 what?", SenderTrouble),
        ("DATA", HANG_UP, SenderTrouble),
        (".", "451 later", SenderTrouble),
        (".", "554 spam", Rejected),
        (".", "250 ok", Sent),
        (".", HANG_UP, Ambiguous),
        (".", "no code", Ambiguous),
        (".", "354 what?", Ambiguous),
    ],
)
def test_each_stage_of_the_conversation_ends_as_it_must(verb: str, answer: str, kind: type):
    """Broken, a mail would be sent twice (I1), or given up though it could have gone."""
    with Scripted({verb: answer}).serving() as port:
        assert type(outcome(mail(port))) is kind


def test_a_connection_that_breaks_within_the_content_is_certain():
    """Broken, mails that never left would count as unknown, and never be sent."""
    with Scripted(hang_up_in_content=True).serving() as port:
        said = outcome(mail(port, RAW + b"x" * 78 * 200_000 + b"\r\n"))
    assert isinstance(said, SenderTrouble)


def test_a_server_that_does_not_answer_in_the_end_is_ambiguous(monkeypatch: pytest.MonkeyPatch):
    """Broken, a slow server's mail would be sent again (I1)."""
    monkeypatch.setattr(smtp_talk, "END_S", 0.2)
    with Scripted(thinks_s=0.5).serving() as port:
        assert isinstance(outcome(mail(port)), Ambiguous)


def test_a_server_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch):
    """Broken, one slow server would hold the function until it is killed, and all its messages would be unknown."""
    monkeypatch.setattr(smtp_talk, "SETUP_S", 0.0)
    with Scripted().serving() as port:
        said = outcome(mail(port))
    assert isinstance(said, SenderTrouble)


def test_a_refused_mail_does_not_spoil_the_connection_for_the_next():
    """Broken, one bad address would end the batch of its sender."""
    scripted = Scripted({"RCPT": ["550 5.1.1 nobody", "250 ok"]})
    with scripted.serving() as port:
        smtp = provider()
        assert isinstance(smtp.send(mail(port)), Rejected)
        assert isinstance(smtp.send(mail(port)), Sent)
        smtp.close()
    assert [line[:4] for line in scripted.said] == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA"]


def test_a_connection_that_died_between_two_mails_is_made_anew():
    """Broken, servers that hang up after some mails would stop a sender for a while each time."""
    scripted = Scripted({"RSET": HANG_UP})
    with scripted.serving() as port:
        smtp = provider()
        assert isinstance(smtp.send(mail(port)), Sent)
        assert isinstance(smtp.send(mail(port)), Sent)
        smtp.close()
    assert len(scripted.contents) == 2


def test_nobody_there_is_the_sender_s_trouble():
    """Broken, a mail server that restarts would cost the messages of that minute."""
    with Scripted().serving() as port:
        pass
    said = outcome(mail(port))
    assert isinstance(said, SenderTrouble)
    assert not isinstance(said, SenderRefused)


def test_settings_that_make_no_sense_are_the_sender_s_trouble():
    """Broken, a row that somebody edited by hand would fail its messages one by one."""
    assert isinstance(outcome(mail(1, host="not a host")), SenderRefused)


def test_the_message_id_stays_ours():
    """Broken, follow-ups would answer to an id that no mail program has ever seen."""
    earlier = EarlierMail(MESSAGE_ID, "nordlicht.example", "smtp", "2.0.0 Ok: queued as 1")
    assert provider().header_id(earlier) == f"<{MESSAGE_ID}@nordlicht.example>"
