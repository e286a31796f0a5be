"""Mails that come in: what they are, told apart by what real mail programs and servers write."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.core.messages import MailNature, MailReceived
from cadenza.signals.mail_in import take
from cadenza.signals.mime_in import MAX_TEXT_CHARS, read_mail

RECEIVED_AT = datetime(2026, 1, 13, 10, 0, 30, tzinfo=UTC)
MESSAGE = "01890a5d-ac96-774b-bcce-b302099a8057"
OURS = f"{MESSAGE}@nordlicht.example"
HEADERS = {
    "From": "Grace Hopper <Grace@Acme.example>",
    "To": "Ada <ada@nordlicht.example>",
    "Subject": "Re: An idea for Acme",
    "Date": "Tue, 13 Jan 2026 11:00:00 +0100",
    "Message-ID": "<1@acme.example>",
    "In-Reply-To": f"<{OURS}>",
}


def mail(text: str = "Sounds good.", kind: str = "text/plain; charset=utf-8", **headers: str | None) -> bytes:
    """A mail on the wire; headers by their names with "_" for "-", None leaves one out."""
    given_ones = {name.replace("_", "-"): value for name, value in headers.items()}
    lines = {**HEADERS, "Content-Type": kind, **given_ones}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"{head}\r\n{text}".encode()


def taken(raw: bytes, **more: object) -> MailReceived:
    found = take(raw, RECEIVED_AT, **more)  # type: ignore[arg-type]
    assert found is not None
    return found


# --- people ------------------------------------------------------------------------------------------------------


def test_an_answer_is_a_reply_with_all_that_leads_to_our_message():
    """Broken, people who have answered would get the next mail all the same."""
    found = taken(mail(References=f"<first@nordlicht.example> <{OURS}>"))
    assert found.nature is MailNature.REPLY
    assert found.references == (OURS, "first@nordlicht.example")
    assert (found.sender, found.recipients) == ("grace@acme.example", ("ada@nordlicht.example",))
    assert (found.reasons, found.hard, found.away_until, found.about) == ((), None, None, None)
    assert found.payload["text"] == "Sounds good."
    assert found.payload["subject"] == "Re: An idea for Acme"


def test_a_mail_is_one_event_whoever_hands_it_over():
    """Broken, a mail that comes by SES and by a forwarder would be two replies."""
    one, again = taken(mail()), taken(mail(Delivered_To="ada@nordlicht.example"), recipients=("Ada@Nordlicht.example",))
    assert one.mail_id == again.mail_id
    assert again.recipients == ("ada@nordlicht.example",)
    assert taken(mail(Message_ID="<2@acme.example>")).mail_id != one.mail_id
    assert taken(mail(Message_ID=None)).mail_id != taken(mail("No.", Message_ID=None)).mail_id


@pytest.mark.parametrize(
    "text",
    [
        "I was out of the office, sorry. Tell me more!",
        "Ich bin ab Montag wieder im Büro, rufen Sie mich dann an.",
        "We'll be back on 5 March with an answer.",
        "Please stop by any time.",
        "Thanks!\r\n\r\nOn Tue, 13 Jan 2026, Ada wrote:\r\n> unsubscribe",
    ],
)
def test_a_person_who_writes_of_absence_is_a_person(text: str):
    """Broken, the best answers of all would count as machines'."""
    assert taken(mail(text)).nature is MailNature.REPLY


def test_an_answer_from_a_shared_mailbox_is_a_reply():
    """Broken, a company whose info@ is a group with list headers could never answer."""
    found = taken(mail(List_ID="<info.acme.example>", Precedence="list"))
    assert found.nature is MailNature.REPLY


# --- when ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Tue, 13 Jan 2026 10:00:00 +0000", datetime(2026, 1, 13, 10, 0, 0, 999_999, tzinfo=UTC)),
        ("Tue, 13 Jan 2026 10:00:30 +0000", RECEIVED_AT),
        ("Tue, 13 Jan 2026 10:05:00 +0000", RECEIVED_AT),
        ("Tue, 13 Jan 2015 10:00:00 +0000", RECEIVED_AT),
        ("some day", RECEIVED_AT),
        (None, RECEIVED_AT),
    ],
)
def test_a_mail_occurred_when_it_was_written_if_that_can_be_believed(said: str | None, meant: datetime):
    """Broken, a wrong clock, or whole seconds, would make an answer older than what it answers."""
    assert taken(mail(Date=said)).occurred_at == meant


# --- absences and other machines ---------------------------------------------------------------------------------

ABSENCES = {
    "exchange": (
        {"Subject": "Automatic reply: An idea for Acme", "Auto_Submitted": "auto-generated"},
        "I am out of the office until 19 January.",
        date(2026, 1, 19),
    ),
    "exchange-de": (
        {"Subject": "=?utf-8?q?Automatische_Antwort=3A_An_idea?=", "Auto_Submitted": "auto-replied"},
        "Ich bin bis einschließlich 19.01.2026 nicht im Büro.",
        date(2026, 1, 20),
    ),
    "gmail": (
        {"Subject": "Out of Office Re: An idea for Acme", "Precedence": "bulk", "X_Autoreply": "yes"},
        "I'll be back on Monday.",
        date(2026, 1, 19),
    ),
    "fr": (
        {"Subject": "Réponse automatique : An idea", "Auto_Submitted": "auto-replied"},
        "Je suis absent jusqu'au 20 janvier 2026.",
        date(2026, 1, 20),
    ),
    "es": (
        {"Subject": "Respuesta automática: An idea", "Auto_Submitted": "auto-replied"},
        "Estoy de vacaciones hasta el 2 de febrero.",
        date(2026, 2, 2),
    ),
    "pt": (
        {"Subject": "Resposta automática: An idea", "Auto_Submitted": "auto-replied"},
        "Estarei de volta a 3 de fevereiro de 2026.",
        date(2026, 2, 3),
    ),
    "no date": ({"Auto_Submitted": "auto-replied"}, "I am on parental leave. Please write to my colleague.", None),
    "a date gone by": ({"Auto_Submitted": "auto-replied"}, "Out of office until 19 December 2025.", None),
    "quoted dates": (
        {"Auto_Submitted": "auto-replied"},
        "Out of office.\r\n\r\n> we will be back on 5 March 2026",
        None,
    ),
    "subject only": ({"Subject": "Abwesend bis 19.01.2026: An idea"}, "Viele Grüße", date(2026, 1, 19)),
    "null sender": ({"Return_Path": "<>"}, "I am away until 20 January.", date(2026, 1, 20)),
}


@pytest.mark.parametrize("name", ABSENCES)
def test_an_absence_is_told_from_a_reply(name: str):
    """Broken, a campaign would end, or go on at somebody's empty desk, because their mailbox answered for them."""
    headers, text, back_on = ABSENCES[name]
    found = taken(mail(text, **headers))
    assert (found.nature, found.away_until) == (MailNature.OUT_OF_OFFICE, back_on)
    assert found.reasons[0] == "out_of_office"
    assert len(found.reasons) > 1, "nothing says how it is known to be a machine's"


def test_a_date_counts_from_the_mails_own_day():
    """Broken, "back tomorrow" in a mail that was forwarded days later would name a wrong day."""
    late = RECEIVED_AT + timedelta(days=5)
    found = take(mail("I am away. I am back tomorrow.", Auto_Submitted="auto-replied"), late)
    assert found is not None
    assert found.away_until == date(2026, 1, 14)


@pytest.mark.parametrize(
    "headers",
    [
        {"Auto_Submitted": "auto-generated; type=ticket"},
        {"X_Autorespond": "1"},
        {"Precedence": "auto_reply"},
        {"Subject": "Auto-Reply: your ticket"},
    ],
)
def test_a_ticket_systems_answer_is_no_persons(headers: dict[str, str]):
    """Broken, a help desk's receipt would end the campaign as if somebody had answered."""
    found = taken(mail("Your ticket 4711 has been created.", **headers))
    assert found.nature is MailNature.AUTO_REPLY
    assert found.reasons[0] == "auto_reply"


def test_auto_submitted_no_is_a_person():
    """Broken, mail programs that say that a person wrote a mail would be taken for machines (RFC 3834 §5)."""
    assert taken(mail(Auto_Submitted="no")).nature is MailNature.REPLY


# --- opting out --------------------------------------------------------------------------------------------------


def test_our_own_opt_out_mail_names_its_message():
    """Broken, the mailto of List-Unsubscribe would lead nowhere (RFC 2369)."""
    found = taken(mail("", Subject=f"unsubscribe {MESSAGE}", In_Reply_To=None))
    assert (found.nature, found.about) == (MailNature.OPT_OUT, UUID(MESSAGE))


@pytest.mark.parametrize(
    "text",
    [
        "STOP",
        "Unsubscribe",
        "please remove me from your list.",
        "Bitte abmelden",
        "Abmelden, danke!",
        "Me désinscrire, s'il vous plaît",
        "Darme de baja",
        "Cancelar inscrição",
        "unsubscribe\r\n\r\nOn Tue, 13 Jan 2026 at 11:00, Ada <ada@nordlicht.example> wrote:\r\n> Hi Grace",
    ],
)
def test_who_says_no_in_so_many_words_is_opted_out(text: str):
    """Broken, an objection (GDPR Art. 21) would end one campaign and not the next."""
    assert taken(mail(text)).nature is MailNature.OPT_OUT


@pytest.mark.parametrize("text", ["Don't stop!", "Who can unsubscribe me from paying taxes?", "No, thank you."])
def test_more_words_are_for_a_person_to_read(text: str):
    """Broken, an interested answer would suppress its writer for good."""
    assert taken(mail(text)).nature is MailNature.REPLY


# --- bounces -----------------------------------------------------------------------------------------------------


def dsn(status: str, action: str = "failed", original: str = "message/rfc822") -> bytes:
    """A delivery status notification as Postfix writes it."""
    text = (
        "--b\r\nContent-Type: text/plain\r\n\r\nThis is the mail system at host mx.acme.example.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.acme.example\r\nArrival-Date: Tue, 13 Jan 2026 10:00:00 +0000\r\n\r\n"
        f"Final-Recipient: rfc822; grace@acme.example\r\nAction: {action}\r\nStatus: {status}\r\n"
        f"Diagnostic-Code: smtp; 550 {status} no\r\n\r\n"
        f"--b\r\nContent-Type: {original}\r\n\r\n"
        f"From: ada@nordlicht.example\r\nMessage-ID: <{OURS}>\r\nSubject: An idea\r\n\r\nHi Grace\r\n--b--\r\n"
    )
    return mail(
        text,
        "multipart/report; report-type=delivery-status; boundary=b",
        From="MAILER-DAEMON@mx.acme.example",
        Subject="Undelivered Mail Returned to Sender",
        Auto_Submitted="auto-replied",
        In_Reply_To=None,
    )


@pytest.mark.parametrize(
    ("status", "hard"),
    [
        ("5.1.1", True),
        ("5.0.0", True),
        ("5.4.4", True),
        ("5.2.1", True),
        ("5.2.2", False),
        ("5.7.1", False),
        ("5.3.4", False),
        ("4.4.7", False),
        ("4.2.2", False),
    ],
)
def test_a_bounce_is_hard_if_the_address_is_dead(status: str, hard: bool):
    """Broken, a full mailbox would suppress a person for good, or a dead address would be written to again."""
    found = taken(dsn(status))
    assert (found.nature, found.hard, found.reasons) == (MailNature.BOUNCE, hard, (status,))
    assert found.references == (OURS,)


def test_a_bounce_may_return_headers_only():
    """Broken, bounces of servers that do not return whole mails would match nothing (RFC 6522 §4)."""
    assert taken(dsn("5.1.1", original="text/rfc822-headers")).references == (OURS,)


@pytest.mark.parametrize("action", ["delayed", "relayed", "delivered", "expanded"])
def test_what_is_no_failure_is_no_bounce(action: str):
    """Broken, a mail that is late would count against its address."""
    assert take(dsn("4.4.1", action), RECEIVED_AT) is None


def test_a_bounce_in_nobodys_format_is_read_by_its_status():
    """Broken, bounces of old servers would be replies of a person called MAILER-DAEMON."""
    text = (
        f"Hi. I'm sorry, this is a permanent error.\r\n<grace@acme.example>: 550 5.1.1 unknown\r\nMessage-ID: <{OURS}>"
    )
    daemon = {"From": "MAILER-DAEMON@mx.acme.example", "In_Reply_To": None}
    found = taken(mail(text, **daemon))
    assert (found.nature, found.hard, OURS in found.references) == (MailNature.BOUNCE, True, True)
    assert take(mail("I could not do it.", **daemon), RECEIVED_AT) is None


# --- what is not for us ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"List_Unsubscribe": "<https://news.example/u>", "Precedence": "bulk"},
        {"List_ID": "<news.acme.example>"},
        {"From": ""},
    ],
)
def test_newsletters_are_not_replies(headers: dict[str, str]):
    """Broken, a sender who gets a newsletter from a contact's company would stop that contact's campaign."""
    assert take(mail("Our January news", In_Reply_To=None, **headers), RECEIVED_AT) is None


# --- the form ----------------------------------------------------------------------------------------------------


def test_the_text_is_found_in_whatever_holds_it():
    """Broken, absences of mail programs that write HTML only, or in another encoding, would have no date."""
    parts = (
        "--b\r\nContent-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "Gr=FC=DFe\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>other</p>\r\n--b--\r\n"
    )
    assert read_mail(mail(parts, "multipart/alternative; boundary=b")).text == "Grüße"
    html = "<html><head><style>p {}</style></head><body><p>Back on<br>Monday &amp; well</p><script>x</script></body>"
    assert read_mail(mail(html, "text/html; charset=utf-8")).text == "Back on\nMonday & well"
    assert read_mail(mail("Gr\u00fc\u00dfe", "text/plain; charset=x-unknown")).text == "Grüße"


def test_an_attachment_is_never_kept():
    """Broken, people's files would lie in our database and queues."""
    parts = (
        "--b\r\nContent-Type: text/plain\r\nContent-Disposition: attachment; filename=a.txt\r\n\r\nsecret\r\n"
        "--b\r\nContent-Type: text/plain\r\n\r\nHello\r\n--b--\r\n"
    )
    found = taken(mail(parts, "multipart/mixed; boundary=b"))
    assert found.payload["text"] == "Hello"
    assert "secret" not in found.model_dump_json()


def test_a_long_mail_is_cut():
    """Broken, SQS would refuse the message, and its mail would be lost."""
    many = " ".join(f"<{number}@acme.example>" for number in range(2000))
    found = taken(mail("x" * 3_000_000, References=many, To=", ".join(f"a{n}@b.example" for n in range(2000))))
    assert len(str(found.payload["text"])) <= MAX_TEXT_CHARS
    assert len(found.model_dump_json()) < 64 * 1024


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\x00\xff\xfe",
        b"no header at all",
        mail(From="=?utf-8?b?!!!?= <a@b", Subject="=?x?q?=ff?=", Date="Tue, 99 Foo 9999 99:99:99"),
        mail("a\x00b", Subject="a\x00b \udcff".encode("utf-8", "replace").decode()),
        mail("--b\r\n", "multipart/report; boundary=b"),
        mail("x", 'multipart/mixed; boundary="'),
        mail("=?", "text/plain; charset=\x00"),
        dsn("5.1.1")[:600],
    ],
)
def test_no_mail_breaks_the_reader(raw: bytes):
    """Broken, one garbled mail would be answered with errors, and be sent again without end."""
    found = take(raw, RECEIVED_AT)
    assert found is None or "\\u0000" not in found.model_dump_json()


@given(
    st.binary(max_size=400),
    st.sampled_from([b"Subject: ", b"From: ", b"Content-Type: ", b"Date: ", b"References: ", b"\r\n"]),
)
def test_no_bytes_break_the_reader(noise: bytes, name: bytes):
    """Broken, whoever can write us a mail could stop our intake."""
    for raw in (noise, name + noise, mail() + noise, dsn("5.1.1") + name + noise, name + noise + b"\r\n" + mail()):
        found = take(raw, RECEIVED_AT)
        assert found is None or MailReceived.model_validate_json(found.model_dump_json()) == found
