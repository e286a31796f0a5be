"""Grades are fixed when a signal is recorded, by all that is known then: machines move nobody, readers do."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import event

from cadenza.campaigns.timeline import SIGNALS_ALIKE, EntryKind, timeline
from cadenza.core.db import Database
from cadenza.core.ids import EnrolmentId, MessageId, made_at
from cadenza.core.messages import Grade, SignalKind, SignalReported
from tests.store.reacting import DAY, MINUTE, NOW, People, reported

OPENED, CLICKED, DELIVERED = SignalKind.OPENED, SignalKind.CLICKED, SignalKind.DELIVERED
SECOND = timedelta(seconds=1)
WAITS = ("active", "")
MOVED = ("completed", "stop node end")
PROXY: dict[str, Any] = {"grade": Grade.LIKELY_MACHINE, "grade_reasons": ("image_proxy",)}


@pytest.fixture
def people(database: Database) -> People:
    """A workspace whose campaign ends with the first open."""
    return People(database)


def click(message_id: MessageId, at: Any, link: str = "https://a.example/", ip: str = "192.0.2.1") -> SignalReported:
    return reported(message_id, CLICKED, at, payload={"url": link, "ip": ip, "user_agent": "Mozilla/5.0 (X11) Firefox"})


def trapped(message_id: MessageId, at: Any, ip: str = "192.0.2.1") -> SignalReported:
    return reported(
        message_id, CLICKED, at, grade=Grade.MACHINE, grade_reasons=("honeypot",), payload={"ip": ip, "user_agent": ""}
    )


def test_a_scan_on_arrival_moves_nobody_and_a_reader_does(people: People):
    """Broken, a gateway that calls itself a browser would end campaigns as read; or no reader would be noticed."""
    message_id = people.mail(people.person())
    # Given a mail that its server took ten minutes after it was sent. A look seconds later is a scanner's.
    people.hear(reported(message_id, DELIVERED, NOW + 10 * MINUTE), reported(message_id, OPENED, NOW + 10 * MINUTE))
    people.hear(click(message_id, NOW + 10 * MINUTE + 59 * SECOND))
    assert people.stood(message_id) == WAITS
    # When somebody looks a minute after its arrival.
    people.hear(reported(message_id, OPENED, NOW + 11 * MINUTE))
    # Then the plan moves, and the reasons are kept.
    assert people.stood(message_id) == MOVED
    assert people.graded(message_id) == [
        ("delivered", "human", [], "recorded"),
        ("opened", "likely_machine", ["right_after_delivery"], "machine"),
        ("clicked", "likely_machine", ["right_after_delivery"], "machine"),
        ("opened", "human", [], "moved"),
    ]


def test_who_reads_in_gmail_has_opened(people: People):
    """Broken, everybody whose webmail loads images by a proxy would be asked again whether they have seen the mail."""
    at_once, later = people.mail(people.person()), people.mail(people.person())
    people.hear(
        reported(at_once, OPENED, NOW + 3 * SECOND, **PROXY), reported(later, OPENED, NOW + timedelta(hours=2), **PROXY)
    )
    assert people.stood(at_once) == WAITS
    assert people.stood(later) == MOVED
    assert people.graded(later) == [("opened", "human", ["image_proxy", "long_after_delivery"], "moved")]


def test_the_timeline_tells_why_a_signal_did_not_count(people: People, database: Database):
    """Broken, nobody could see why an open moved nothing (a user's first question)."""
    message_id = people.mail(people.person())
    people.hear(reported(message_id, OPENED, NOW + SECOND, **PROXY))
    ((enrolment_id,),) = people.rows("SELECT enrolment_id FROM outbound_messages")
    with database.worker() as conn:
        (told,) = [entry for entry in timeline(conn, EnrolmentId(enrolment_id)) if entry.kind is EntryKind.SIGNAL]
    assert (told.detail["grade"], told.why) == ("likely_machine", ("image_proxy", "right_after_delivery", "machine"))


def test_a_sweep_over_the_links_is_a_machines_even_in_one_batch(people: People):
    """Broken, a gateway that calls every link an hour later would look like a very keen reader."""
    message_id, hour = people.mail(people.person()), timedelta(hours=1)
    people.hear(
        click(message_id, NOW + hour, "https://a.example/"),
        click(message_id, NOW + hour + SECOND, "https://b.example/"),
    )
    people.hear(click(message_id, NOW + hour + 2 * SECOND, "https://c.example/"))
    assert people.stood(message_id) == WAITS
    assert {tuple(reasons) for _, _, reasons, _ in people.graded(message_id)} == {("links_in_a_burst",)}


@pytest.mark.parametrize("together", [True, False], ids=["in one batch", "the trap first"])
def test_whoever_was_in_the_honeypot_clicks_for_nobody(people: People, together: bool):
    """Broken, a scanner that takes its time between links would count as a reader."""
    message_id, hour = people.mail(people.person()), timedelta(hours=1)
    trap, next_link = trapped(message_id, NOW + hour), click(message_id, NOW + hour + 5 * MINUTE)
    if together:
        people.hear(next_link, trap)
    else:
        people.hear(trap)
        people.hear(next_link)
    assert people.stood(message_id) == WAITS
    assert people.graded(message_id)[1] == ("clicked", "machine", ["followed_the_honeypot"], "machine")
    # And a person, at another address, clicks for themselves.
    people.hear(click(message_id, NOW + hour + 6 * MINUTE, ip="198.51.100.7"))
    assert people.stood(message_id) == MOVED


def test_what_was_believed_is_never_taken_back(people: People):
    """Broken, a trap that is reported late would move people backwards, and mail them again."""
    message_id, hour = people.mail(people.person()), timedelta(hours=1)
    people.hear(click(message_id, NOW + hour))
    assert people.stood(message_id) == MOVED
    people.hear(trapped(message_id, NOW + hour + 10 * SECOND))
    assert people.stood(message_id) == MOVED
    assert [grade for _, grade, _, _ in people.graded(message_id)] == ["human", "machine"]


def test_a_message_whose_call_nobody_saw_end_can_be_read_too(people: People):
    """Broken, the open that proves that a mail went out would count as a scan, because it is all that is known."""
    attempt_id = UUID(int=(int(NOW.timestamp() * 1000) << 80) | 0x7000_8000_0000_0000_0000)  # a UUIDv7 of that instant
    assert (attempt_id.version, made_at(attempt_id)) == (7, NOW)
    message_id = people.mail(people.person(), status="unknown", sent_at=None, attempt_id=attempt_id)
    people.hear(reported(message_id, OPENED, NOW + 2 * DAY), now=NOW + 2 * DAY)
    assert people.stood(message_id) == MOVED


def test_each_workspace_says_how_long_scanners_are_at_work(database: Database):
    """Broken, a workspace whose readers answer within seconds could not be run at all."""
    people = People(database, {"scan_window_s": 0})
    message_id = people.mail(people.person())
    people.hear(reported(message_id, DELIVERED, NOW), reported(message_id, OPENED, NOW))
    assert people.stood(message_id) == MOVED


def test_a_repeat_is_no_second_visit(people: People):
    """Broken, a click that its provider reports twice would be taken for a sweep, or counted twice (I6)."""
    message_id = people.mail(people.person())
    once = click(message_id, NOW + timedelta(hours=1))
    people.hear(once, once)
    people.hear(once)
    assert people.graded(message_id) == [("clicked", "human", [], "moved")]


def test_history_is_one_statement_and_its_size_has_a_bound(people: People, database: Database):
    """Broken, somebody who calls a link in a loop could make each call slower than the one before."""
    message_id, hour = people.mail(people.person()), timedelta(hours=1)
    people.hear(*(click(message_id, NOW + hour + n * MINUTE / 60) for n in range(150)))
    sent: list[str] = []
    event.listen(database.engine, "before_cursor_execute", lambda *args: sent.append(args[2]))
    people.hear(*(click(message_id, NOW + hour + 3 * MINUTE + n * SECOND) for n in range(20)))
    (history,) = [statement for statement in sent if "r.since" in statement]
    assert re.search(r"LIMIT 100\b", history)


def test_a_mail_that_is_opened_without_end_has_a_story_that_ends(people: People):
    """Broken, the timeline of a mail that goes round would be too long to be answered, or hide who answered it."""
    message_id = people.mail(people.person())
    opens = [reported(message_id, OPENED, NOW + DAY + n * SECOND) for n in range(SIGNALS_ALIKE + 1)]
    people.hear(*opens, reported(message_id, SignalKind.REPLIED, NOW + 2 * DAY), now=NOW + 2 * DAY)
    ((enrolment_id,),) = people.rows("SELECT enrolment_id FROM outbound_messages WHERE id = :id", id=message_id)
    with people.database.worker() as conn:
        entries = [entry for entry in timeline(conn, EnrolmentId(enrolment_id)) if entry.kind is EntryKind.SIGNAL]
    assert [entry.detail["event"] for entry in entries] == ["opened"] * SIGNALS_ALIKE + ["replied"]
    assert [entry.at for entry in entries[:-1]] == [one.occurred_at for one in opens[:-1]]
