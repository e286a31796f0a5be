"""The mail as bytes: what other people's programs make of it."""

from __future__ import annotations

import email
import email.policy
import quopri
import re
from dataclasses import replace
from datetime import UTC, datetime
from email.message import Message
from email.utils import parsedate_to_datetime

import pytest

from cadenza.delivery.mime import MAX_REFERENCES, build
from cadenza.delivery.model import Claimed, Mail, Rejected
from cadenza.delivery.render import Rendered
from tests.unit.test_render import ADA, GRACE, LINKS, MESSAGE_ID, claimed, rendered

NOW = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)
OPT_OUT = LINKS.unsubscribe(MESSAGE_ID)


def made(message: Claimed | None = None, words: Rendered | None = None, thread: tuple[str, ...] = ()) -> Mail:
    message = message or claimed()
    mail = build(message, words or rendered(message), opt_out_url=OPT_OUT, thread=thread, now=NOW)
    assert isinstance(mail, Mail), mail
    return mail


def lines_of(raw: bytes) -> dict[str, str]:
    """The header section, unfolded by RFC 5322 §2.2.3 and nothing else: no decoding, no leniency."""
    section = raw.split(b"\r\n\r\n", 1)[0].decode("ascii")
    unfolded = re.sub(r"\r\n(?=[ \t])", "", section)
    pairs = [(name, value) for name, _, value in (line.partition(": ") for line in unfolded.split("\r\n"))]
    assert len({name for name, _ in pairs}) == len(pairs), "a header occurs twice"
    return dict(pairs)


def part(raw: bytes, kind: str) -> Message:
    """A body part, by the old parser, which is not the code that wrote it."""
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    return next(found for found in message.walk() if found.get_content_type() == kind)


def test_the_headers_are_those_that_bulk_mail_needs():
    """Broken, mailbox providers would file the mail as spam, or hide their unsubscribe button."""
    headers = lines_of(made().raw)
    assert headers["From"] == "Ada <ada@nordlicht.example>"
    assert headers["To"] == "Grace Hopper <grace@acme.example>"
    assert headers["Message-ID"] == f"<{MESSAGE_ID}@nordlicht.example>"
    assert parsedate_to_datetime(headers["Date"]) == NOW
    assert headers["MIME-Version"] == "1.0"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    web, mail = re.fullmatch(r"<(https://\S+)>, <(mailto:\S+)>", headers["List-Unsubscribe"]).groups()  # type: ignore[union-attr]
    assert web == OPT_OUT
    assert mail == f"mailto:ada@nordlicht.example?subject=unsubscribe%20{MESSAGE_ID}"
    assert "In-Reply-To" not in headers
    assert "Reply-To" not in headers


def test_headers_of_ids_and_urls_are_never_encoded_however_long():
    """Broken, mail programs would see neither the opt-out nor the conversation: they do not decode these headers."""
    long_domain = ".".join(["very-long-label-of-a-domain"] * 5) + ".example"
    thread = tuple(f"<{MESSAGE_ID}-{number}@{long_domain}>" for number in range(3))
    message = claimed(sender=replace(ADA, email=f"ada@{long_domain}"))
    opt_out = "https://go.cadenza.example/u/" + "x" * 300
    mail = build(message, rendered(message), opt_out_url=opt_out, thread=thread, now=NOW)
    assert isinstance(mail, Mail)
    headers = lines_of(mail.raw)
    assert headers["References"].split() == list(thread)
    assert headers["In-Reply-To"] == thread[-1]
    assert headers["Message-ID"] == f"<{MESSAGE_ID}@{long_domain}>"
    assert headers["List-Unsubscribe"].startswith(f"<{opt_out}>, <mailto:")


def test_a_long_conversation_keeps_its_first_and_its_latest_mails():
    """Broken, the header would grow until servers refuse the mail."""
    thread = tuple(f"<{number}@nordlicht.example>" for number in range(40))
    references = lines_of(made(thread=thread).raw)["References"].split()
    assert len(references) == MAX_REFERENCES
    assert (references[0], references[-1]) == (thread[0], thread[-1])


def test_both_parts_arrive_as_they_were_written():
    """Broken, umlauts would arrive as garbage, or the richer part would not be shown."""
    words = Rendered("Grüße", "Schöne Grüße 🚀\n" + "lang " * 300 + "\n.\nFrom me\n", "<p>Schöne Grüße 🚀</p>\n")
    raw = made(words=words).raw
    message = email.message_from_bytes(raw, policy=email.policy.compat32)
    assert message.get_content_type() == "multipart/alternative"
    assert [found.get_content_type() for found in message.walk()][1:] == ["text/plain", "text/html"]
    for kind, written in (("text/plain", words.text), ("text/html", words.html)):
        found = part(raw, kind)
        assert found["Content-Transfer-Encoding"] == "quoted-printable"
        decoded = quopri.decodestring(str(found.get_payload()).encode("ascii")).decode(str(found.get_content_charset()))
        assert decoded.replace("\r\n", "\n") == written


def test_every_line_fits_and_ends_as_smtp_wants():
    """Broken, servers would break lines for us, and with them the signature of the mail."""
    words = Rendered("Ü" * 300, "ä" * 5000, "<p>" + "x" * 5000 + "</p>")
    raw = made(words=words, thread=tuple(f"<{number}@nordlicht.example>" for number in range(15))).raw
    assert raw.isascii()
    assert re.search(rb"(?<!\r)\n|\r(?!\n)", raw) is None
    # 78 as RFC 5322 §2.1.1 recommends, except where one id or URL is longer; 998 as it demands.
    assert max(len(line) for line in raw.split(b"\r\n") if b"https://" not in line and b"mailto:" not in line) <= 78
    assert max(len(line) for line in raw.split(b"\r\n")) <= 998


@pytest.mark.parametrize("evil", ["\r\nBcc: all@acme.example", "\nX: y", "\u2028X: y", "\x85X: y", "\x00"])
def test_nobody_can_add_a_header(evil: str):
    """Broken, a name found on a web site could make our mail go to others, or look like another sender's."""
    message = claimed(to=replace(GRACE, name=f"Grace{evil}"), sender=replace(ADA, name=f"Ada{evil}"))
    mail = made(message, Rendered(f"Hi{evil}", "text", "html"))
    assert set(lines_of(mail.raw)) == set(lines_of(made().raw))
    for address in (f"grace@acme.example{evil}", f"gra{evil}ce@acme.example", f"a@b.example, c{evil}@d.example"):
        refusal = build(
            replace(message, recipient=replace(GRACE, address=address)),
            Rendered("Hi", "text", "html"),
            opt_out_url=OPT_OUT,
            thread=(),
            now=NOW,
        )
        assert isinstance(refusal, Rejected) or set(lines_of(refusal.raw)) == set(lines_of(mail.raw))


@pytest.mark.parametrize("address", ["", "grace", "grace@", "@acme.example", "a b@acme.example", "größe@acme.example"])
def test_what_is_no_address_is_refused(address: str):
    """Broken, one bad address would fail its whole batch, again and again."""
    message = claimed(to=replace(GRACE, address=address))
    refusal = build(message, rendered(message), opt_out_url=OPT_OUT, thread=(), now=NOW)
    assert isinstance(refusal, Rejected)
    assert "no address" in refusal.reason


def test_an_international_domain_is_written_in_ascii():
    """Broken, companies with umlauts in their domain could not be written to."""
    mail = made(claimed(to=replace(GRACE, address="grace@müller.example")))
    assert mail.to == "grace@xn--mller-kva.example"
    assert lines_of(mail.raw)["To"].endswith("<grace@xn--mller-kva.example>")


def test_names_beyond_ascii_are_readable():
    """Broken, people would see garbage for their own name."""
    mail = made(claimed(to=replace(GRACE, name='Größe, "G" Hopper')), Rendered("Grüße 🚀", "text", "html"))
    parsed = email.message_from_bytes(mail.raw, policy=email.policy.default)
    assert parsed["To"].addresses[0].display_name == 'Größe, "G" Hopper'
    assert parsed["Subject"] == mail.subject == "Grüße 🚀"


def test_replies_go_where_the_sender_wants_them():
    """Broken, answers would reach a mailbox that nobody reads."""
    headers = lines_of(made(claimed(sender=replace(ADA, reply_to="sales@nordlicht.example"))).raw)
    assert headers["Reply-To"] == "sales@nordlicht.example"
    assert "<mailto:sales@nordlicht.example?" in headers["List-Unsubscribe"]


def test_the_same_message_at_the_same_time_gives_the_same_bytes():
    """Broken, nobody could check afterwards what was sent."""
    assert made().raw == made().raw
