"""Which message a mail is about: told by what it names, answers, or by who wrote to whom."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, event, text

from cadenza.core.db import Database
from cadenza.core.ids import MessageId, new_id
from cadenza.core.messages import Grade, MailNature, MailReceived, SignalKind
from cadenza.core.states import MessageStatus
from cadenza.delivery.inbound import Inbound, find_messages
from tests.store.builders import NOW, Scene, add_scene

SES_ID = "0107019bb6c4a5e0-3f1d8e1a-0000-4000-8000-5d1c2a7b9e10-000000"


def received(nature: MailNature = MailNature.REPLY, **given: Any) -> MailReceived:
    return MailReceived(**({"mail_id": new_id().hex, "nature": nature, "occurred_at": NOW} | given))


def sent(conn: Connection, scene: Scene, address: str, **given: Any) -> MessageId:
    """A mail that has left for a person of their own."""
    return scene.add_message(
        conn, contact={"email": address}, **({"status": MessageStatus.SENT, "sent_at": NOW, "provider": "ses"} | given)
    )


@pytest.fixture
def conn(database: Database) -> Iterator[Connection]:
    with database.worker() as connection:
        yield connection


@pytest.fixture
def scene(conn: Connection) -> Scene:
    return add_scene(conn, sender={"email": "Ada@Nordlicht.example", "reply_to": "answers@nordlicht.example"})


def found(conn: Connection, *mails: MailReceived) -> list[MessageId | None]:
    by_place = find_messages(conn, mails)
    return [by_place.get(place) for place in range(len(mails))]


def test_a_mail_is_about_what_it_answers(conn: Connection, scene: Scene):
    """Broken, an answer would count for the wrong mail, or for none: SES gives mails another Message-ID than ours."""
    own = sent(conn, scene, "grace@acme.example")
    by_ses = sent(conn, scene, "alan@acme.example", provider_message_id=SES_ID)
    assert found(
        conn,
        received(references=(f"{own}@nordlicht.example",)),
        received(references=(f"{str(own).upper()}@NORDLICHT.example",)),
        received(references=(f"{SES_ID}@eu-central-1.amazonses.com",)),
        received(references=(f"{SES_ID}@email.amazonses.com",)),
        received(references=("other@acme.example", f"{own}@nordlicht.example", f"{SES_ID}@email.amazonses.com")),
        received(MailNature.OPT_OUT, about=own, references=(f"{SES_ID}@email.amazonses.com",)),
        received(MailNature.BOUNCE, references=(f"{own}@nordlicht.example",)),
    ) == [own, own, by_ses, by_ses, own, own, own]


def test_a_mail_that_answers_nothing_is_about_the_latest_mail_to_its_writer(conn: Connection, scene: Scene):
    """Broken, absences of programs that set no references would be lost, or held against an old mail."""
    sent(conn, scene, "alan@acme.example")
    latest = sent(conn, scene, "grace@acme.example")
    conn.execute(text("UPDATE outbound_messages SET sent_at = :at WHERE id = :id"), {"at": NOW, "id": latest})
    queued = scene.add_message(conn, contact={"email": "new@acme.example"})
    assert found(
        conn,
        received(sender="grace@acme.example", recipients=("ada@nordlicht.example",)),
        received(sender="grace@acme.example", recipients=("x@y.example", "answers@nordlicht.example")),
        received(
            MailNature.OPT_OUT, about=new_id(), sender="grace@acme.example", recipients=("ada@nordlicht.example",)
        ),
        received(sender="new@acme.example", recipients=("ada@nordlicht.example",)),
    ) == [latest, latest, latest, None]
    assert queued


@pytest.mark.parametrize("status", [MessageStatus.SENDING, MessageStatus.UNKNOWN])
def test_an_answer_may_be_faster_than_our_own_record(conn: Connection, scene: Scene, status: MessageStatus):
    """Broken, absences, which mailboxes send within a second, would be lost while their batch is still being sent."""
    own = sent(conn, scene, "grace@acme.example", status=status, sent_at=None)
    mail = received(
        references=(f"{SES_ID}@email.amazonses.com",),
        sender="grace@acme.example",
        recipients=("ada@nordlicht.example",),
    )
    assert found(conn, mail) == [own]


def test_of_several_mails_the_latest_counts(conn: Connection, scene: Scene):
    """Broken, an answer would be filed under the first mail of a campaign for ever."""
    first = sent(conn, scene, "grace@acme.example")
    later = new_id()
    conn.execute(
        text("""
            INSERT INTO outbound_messages (id, workspace_id, enrolment_id, campaign_id, contact_id, sender_id, node,
                                           visit, channel, status, due_at, queued_at, sent_at)
            SELECT :id, workspace_id, enrolment_id, campaign_id, contact_id, sender_id, 'again', 2, channel, status,
                   due_at, queued_at, :at FROM outbound_messages WHERE id = :first
        """),
        {"id": later, "first": first, "at": NOW + timedelta(days=1)},
    )
    mail = received(sender="grace@acme.example", recipients=("ada@nordlicht.example",))
    assert found(conn, mail, received(references=(f"{first}@nordlicht.example",))) == [later, first]


def test_strangers_and_forgers_match_nothing(conn: Connection, scene: Scene):
    """Broken, anybody could end a campaign by writing another's address into a mail."""
    own = sent(conn, scene, "grace@acme.example")
    other = add_scene(conn)
    sent(conn, other, "grace@acme.example")
    assert (
        found(
            conn,
            received(sender="stranger@acme.example", recipients=("ada@nordlicht.example",)),
            received(sender="grace@acme.example", recipients=("somebody@nordlicht.example",)),
            received(sender="grace@acme.example", recipients=("ada@nordlicht.example",), authentic=False),
            received(MailNature.BOUNCE, sender="grace@acme.example", recipients=("ada@nordlicht.example",)),
            received(references=(f"{new_id()}@nordlicht.example", "x@eu-central-1.amazonses.com", "not an id")),
            received(sender="", recipients=("",)),
        )
        == [None] * 6
    )
    # What a forged mail answers is another matter: only who has our mail knows its id.
    assert found(conn, received(references=(f"{own}@x.example",), authentic=False)) == [own]


def test_a_batch_of_mails_takes_one_statement(database: Database, conn: Connection, scene: Scene):
    """Broken, a hundred answers in a morning would take hundreds of round trips."""
    own = [sent(conn, scene, f"p{number}@acme.example") for number in range(20)]
    statements: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    mails = [received(references=(f"{message_id}@nordlicht.example",)) for message_id in own]
    assert found(conn, *mails) == own
    assert len(statements) == 1


SIGNALS = {
    MailNature.REPLY: (SignalKind.REPLIED, Grade.HUMAN),
    MailNature.OUT_OF_OFFICE: (SignalKind.REPLIED, Grade.MACHINE),
    MailNature.AUTO_REPLY: (SignalKind.REPLIED, Grade.MACHINE),
    MailNature.BOUNCE: (SignalKind.BOUNCED, Grade.HUMAN),
    MailNature.OPT_OUT: (SignalKind.UNSUBSCRIBED, Grade.HUMAN),
}


@pytest.mark.parametrize("nature", MailNature)
def test_each_nature_is_a_signal_of_its_kind(database: Database, nature: MailNature):
    """Broken, a machine's answer would end a campaign, or an opt-out would be an open."""
    with database.worker() as conn:
        own = sent(conn, add_scene(conn), "grace@acme.example")
    mail = received(
        nature,
        references=(f"{own}@nordlicht.example",),
        reasons=("why",),
        hard=True if nature is MailNature.BOUNCE else None,
        payload={"subject": "Re"},
        correlation_id="request-1",
    )
    (signal,) = Inbound(database).signals([mail, received(references=(f"{UUID(int=1)}@nordlicht.example",))])
    assert (signal.kind, signal.grade) == SIGNALS[nature]
    assert signal.grade_reasons == (("why",) if signal.grade is Grade.MACHINE else ())
    assert (signal.provider, signal.provider_event_id, signal.message_id) == ("inbound", mail.mail_id, own)
    assert (signal.correlation_id, signal.hard, signal.payload) == ("request-1", mail.hard, {"subject": "Re"})


def test_unmatched_mail_is_counted_without_a_name(database: Database, caplog: pytest.LogCaptureFixture):
    """Broken, logs would hold who writes to whom; or nobody would see that answers are lost."""
    with caplog.at_level("WARNING"):
        mails = [
            received(sender="grace@acme.example", recipients=("ada@nordlicht.example",), payload={"text": "secret"})
        ]
        assert Inbound(database).signals(mails) == []
    told = "".join(str(vars(record)) for record in caplog.records)
    assert "mail.unmatched" in told
    for private in ("grace", "nordlicht", "secret"):
        assert private not in told
