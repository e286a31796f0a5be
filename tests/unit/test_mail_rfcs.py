"""Mails of the production code, held to the RFCs by a parser that is not the one that made them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cadenza.delivery.mime import build
from cadenza.delivery.model import Mail, Recipient, Rejected
from cadenza.delivery.render import render
from local.mailcheck import CheckedMail, check_mails
from tests.unit.test_render import ADA, GRACE, LINKS, MESSAGE_ID, claimed

NOW = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)
LONG_URL = "https://demo.example/" + "path/" * 150 + "?q=ä"


def to(**changes: str) -> Recipient:
    return replace(GRACE, **changes)


CASES = {
    "plain": claimed(),
    "umlauts": claimed(
        "Grüße\n\n日本語 🚀", subject="Grüße, {{name}}", to=to(name="Größe Ö. Hopper"), sender=replace(ADA, name="Åda")
    ),
    "long subject": claimed(subject="An idea about the routes of {{company}} " * 8),
    "long subject beyond ASCII": claimed(subject="Überlegungen für Größeres — " * 12),
    "one long word": claimed(subject="x" * 900, to=to(name="y" * 300)),
    "one long word beyond ASCII": claimed(subject="ü" * 300, to=to(name="ß" * 120)),
    "quotes, commas and backslashes": claimed(to=to(name='Hopper, "Amazing" Grace \\ Co. <x@y.example>')),
    "a name that is an address": claimed(to=to(name="grace@acme.example")),
    "an encoded word as a name": claimed(subject="=?utf-8?q?x?=", to=to(name="=?utf-8?q?evil?=")),
    "a quoted local part": claimed(to=to(address='"grace hopper"@acme.example')),
    "an international domain": claimed(to=to(address="grace@müller.example")),
    "long lines and long URLs": claimed(f"See {LONG_URL} " + "word " * 3000 + "\n\n" + "z" * 5000),
    "blanks and dots": claimed("a \nb\t\n.\n..\n \nFrom me\n=3D = =\n-- \n"),
    "line ends of all kinds": claimed("a\rb\r\nc\u2028d\x0be\x85f"),
    "HTML of its own": claimed(
        html='<h1>Größe</h1><p>Hi {{name}}, <a href="https://demo.example/?a=1&amp;b=2">see</a></p>'
    ),
    "a reply address": claimed(sender=replace(ADA, reply_to="sales@nordlicht.example", name="Ada, Ltd. (Sales)")),
    "no names": claimed(to=Recipient("info@acme.example", domain="acme.example"), sender=replace(ADA, name="")),
    "a conversation": claimed(),
}


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Mail, CheckedMail]]:
    """Each case's mail, and what the other parser says: one run for all of them."""
    folder = tmp_path_factory.mktemp("mails")
    mails: dict[str, Mail] = {}
    for number, (name, message) in enumerate(CASES.items()):
        words = render(message, LINKS)
        assert not isinstance(words, Rejected)
        thread = [f"<0102018d{n}-000000@eu-central-1.amazonses.com>" for n in range(40)] if "convers" in name else []
        mail = build(message, words, opt_out_url=LINKS.unsubscribe(MESSAGE_ID), thread=thread, now=NOW)
        assert isinstance(mail, Mail), mail
        mails[name] = mail
        (folder / f"{number:02d}.eml").write_bytes(mail.raw)
    answers = check_mails(sorted(folder.iterdir()))
    return {name: (mail, answer) for (name, mail), answer in zip(mails.items(), answers, strict=True)}


@pytest.mark.parametrize("case", CASES)
def test_every_mail_is_what_the_rfcs_say(checked: dict[str, tuple[Mail, CheckedMail]], case: str):
    """Broken, servers would refuse such mails, spam filters mark them down, or programs show them as garbage."""
    assert checked[case][1].problems == ()


@pytest.mark.parametrize("case", CASES)
def test_everybody_reads_what_was_written(checked: dict[str, tuple[Mail, CheckedMail]], case: str):
    """Broken, other people's programs would show other words than ours."""
    mail, answer = checked[case]
    words = render(CASES[case], LINKS)
    assert not isinstance(words, Rejected)
    assert answer.read.subject == mail.subject
    assert "\n".join(answer.read.text.splitlines()).strip() == "\n".join(words.text.splitlines()).strip()
    assert "\n".join(answer.read.html.splitlines()).strip() == "\n".join(words.html.splitlines()).strip()


CLOSING = f"--=_{MESSAGE_ID.hex}--\r\n".encode()
DEFECTS = {
    "a bare line feed": (b"Hello", b"Hel\nlo", "RFC 5322 §2.3"),
    "an umlaut as it is": (b"Hello", b"H\xc3\xa4llo", "RFC 5322 §2.2"),
    "a line without end": (b"Hello", b"x" * 999, "RFC 5322 §2.1.1"),
    "no date": (b"Date:", b"X-Date:", "RFC 5322 §3.6"),
    "two subjects": (b"Subject:", b"Subject: a\r\nSubject:", "RFC 5322 §3.6"),
    "a wrong weekday": (b"Tue, 13", b"Wed, 13", "RFC 5322 §3.3"),
    "an address without a domain": (b"<grace@acme.example>", b"<grace>", "RFC 5322 §3.4"),
    "a naked umlaut in a name": (b"Grace Hopper", b"Grace, Hopper", "RFC 5322 §3.4"),
    "an id without brackets": (b"Message-ID: <", b"Message-ID: x<", "RFC 5322 §3.6.4"),
    "no version": (b"MIME-Version: 1.0", b"MIME-Version: 1.1", "RFC 2045 §4"),
    "no closing boundary": (CLOSING, CLOSING[:-4] + b"\r\n", "RFC 2046 §5.1.1"),
    "an unknown encoding": (b"quoted-printable", b"quoted-readable", "RFC 2045 §6"),
    "a broken escape": (b"Howdy", b"Howdy=3d", "RFC 2045 §6.7"),
    "no one click": (b"One-Click", b"Two-Click", "RFC 8058 §3.1"),
    "an opt-out in the clear": (b"<https://go.", b"<http://go.", "RFC 8058 §3.1"),
    "an opt-out without brackets": (b"List-Unsubscribe: <", b"List-Unsubscribe: ", "RFC 2369 §2"),
}


def test_the_check_sees_what_is_broken(tmp_path: Path):
    """Broken, it would call every mail good, and these tests would hold nothing."""
    message = claimed("Howdy")
    words = render(message, LINKS)
    assert not isinstance(words, Rejected)
    mail = build(message, words, opt_out_url=LINKS.unsubscribe(MESSAGE_ID), thread=(), now=NOW)
    assert isinstance(mail, Mail)
    for name, (good, bad, _) in DEFECTS.items():
        assert good in mail.raw, name
        (tmp_path / f"{name}.eml").write_bytes(mail.raw.replace(good, bad, 1))
    found = {answer.file.stem: answer.problems for answer in check_mails(sorted(tmp_path.iterdir()))}
    missed = {n: found[n] for n, (_, _, rule) in DEFECTS.items() if not any(p.startswith(rule) for p in found[n])}
    assert missed == {}
