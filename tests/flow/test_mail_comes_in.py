"""What people and mail servers write back, from a forwarded mail to what becomes of its writer's campaign."""

from __future__ import annotations

import email
import email.policy
from datetime import timedelta
from email.message import EmailMessage

from local.world.mail import CapturedMail
from tests.flow.cloud import AtLeastOnce
from tests.flow.world import START, World

SITE = "fornoatlantico.example"
INES, MARTA, RUI = (f"{name}@{SITE}" for name in ("ines.duarte", "marta.figueira", "rui.carvalho"))


def bounce_of(mail: CapturedMail) -> EmailMessage:
    """What a receiving server sends back to a mailbox that sends by itself (RFC 3464)."""
    raw = (
        f"From: MAILER-DAEMON@mx.{SITE}\r\nTo: nora@tidewater-routing.example\r\nSubject: Undelivered\r\n"
        "Message-ID: <bounce-1@mx.example>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nNobody here has this name.\r\n"
        "--b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; {mail.recipients[0]}\r\nAction: failed\r\nStatus: 5.1.1\r\n\r\n"
        f"--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {mail.message['Message-ID']}\r\n\r\n--b--\r\n"
    )
    found = email.message_from_bytes(raw.encode(), policy=email.policy.SMTP)
    assert isinstance(found, EmailMessage)
    return found


def test_mail_moves_campaigns_as_its_writers_mean_it(flow: World) -> None:
    """Otherwise an absence ends a campaign, or an opt-out, a bounce or a reply by mail does not."""
    # Given three people with a first mail each, and queues on a bad day.
    flow.cloud.courier = AtLeastOnce(seed=2)
    flow.campaign(SITE)
    flow.cloud.pass_time(timedelta(minutes=5))
    first = {address: flow.mails(address)[0] for address in (INES, MARTA, RUI)}

    # When one's mailbox says that she is away, one asks by mail never to be written to, and one's server knows him not.
    people = flow.people
    for _ in range(2):
        back_on = START.date() + timedelta(days=1)
        assert people.away(first[INES], back_on, reply_id="away").status_code == 202
        assert people.forward(bounce_of(first[RUI])).status_code == 202
    assert people.unsubscribe_by_mail(first[MARTA]).status_code == 202
    flow.cloud.settle()

    # Then each is where their mail puts them, once.
    assert flow.enrolments() == {
        INES: ("active", "intro", ""),
        MARTA: ("stopped", "intro", "unsubscribed"),
        RUI: ("stopped", "intro", "hard bounce"),
    }
    assert flow.suppressed() == {MARTA: "unsubscribed", RUI: "hard bounce"}
    events = flow.rows("SELECT kind, grade, provider, payload FROM message_events ORDER BY kind")
    assert [(row.kind, row.grade) for row in events] == [
        ("bounced", "human"),
        ("replied", "machine"),
        ("unsubscribed", "human"),
    ]
    assert {row.provider for row in events} == {"inbound"}
    assert "out of the office" in events[1].payload["text"]
    flow.check()

    # And her own answer ends it.
    assert people.replied(first[INES], "Let us talk on Friday.").status_code == 202
    flow.cloud.run()
    status, _, reason = flow.enrolments()[INES]
    assert (status, reason) in {("stopped", "replied"), ("completed", "stop node stop")}
    assert len(flow.mails()) == 3
    flow.check()
