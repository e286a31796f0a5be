"""An absence note holds its person until they are back, in every campaign, and moves no plan."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from cadenza.core.db import Database
from cadenza.core.ids import MessageId
from cadenza.core.messages import Grade, SignalKind, SignalReported
from tests.store.builders import PLAN
from tests.store.reacting import DAY, NOW, People, reported

HOUR = timedelta(hours=1)
WAITS = ("active", "")


@pytest.fixture
def people(database: Database) -> People:
    """A workspace with a plan on Berlin's clock that stops on any reply."""
    return People(database, plan={**PLAN, "nodes": _answering(PLAN["nodes"])})


def _answering(nodes: list[dict[str, Any]]) -> list[dict[str, Any]]:
    first, *rest = nodes
    return [{**first, "transitions": [{"on": "replied", "to": "end"}, *first["transitions"]]}, *rest]


def away(message_id: MessageId, until: date | None, at: datetime = NOW + HOUR, **given: Any) -> SignalReported:
    row = {"grade": Grade.MACHINE, "grade_reasons": ("out_of_office",)} | given
    return reported(message_id, SignalKind.REPLIED, at, away_until=until, **row)


def test_a_note_holds_its_person_until_the_day_of_return(people: People):
    """Broken, mail would pile up in the inbox of somebody who is on leave, and be deleted with the rest."""
    person = people.person()
    message_id = people.mail(person)
    people.hear(away(message_id, date(2026, 2, 2)))
    assert people.held() == {person: datetime(2026, 2, 1, 23, tzinfo=UTC)}, "midnight on the plan's clock, Berlin's"
    assert people.rows("SELECT reason FROM holds") == [("out of office",)]
    assert people.stood(message_id) == WAITS
    assert people.graded(message_id) == [
        ("replied", "machine", ["out_of_office", "away until 2026-02-02"], "machine"),
    ]


@pytest.mark.parametrize(
    ("zone", "day", "until"),
    [
        ("America/New_York", date(2026, 2, 2), datetime(2026, 2, 2, 5, tzinfo=UTC)),
        ("Nowhere/Town", date(2026, 2, 2), datetime(2026, 2, 1, 23, tzinfo=UTC)),
        # Where clocks go forward at midnight, the day begins at one o'clock.
        ("Africa/Cairo", date(2026, 4, 24), datetime(2026, 4, 23, 22, tzinfo=UTC)),
    ],
)
def test_the_day_of_return_begins_on_the_persons_own_clock(people: People, zone: str, day: date, until: datetime):
    """Broken, somebody in America would get the mail the evening before they are back."""
    person = people.person(time_zone=zone)
    people.hear(away(people.mail(person), day))
    assert people.held() == {person: until}


@pytest.mark.parametrize(("settings", "days"), [({}, 7), ({"absence_days": 3}, 3)])
def test_an_absence_without_a_date_holds_for_the_workspaces_days(database: Database, settings: dict, days: int):
    """Broken, whoever does not say until when would get the next mail on the first day of their leave."""
    people = People(database, settings)
    person = people.person()
    people.hear(away(people.mail(person), None))
    assert people.held() == {person: datetime(2026, 1, 12, 23, tzinfo=UTC) + days * DAY}


def test_notes_extend_a_hold_and_never_shorten_it(people: People):
    """Broken, the second of two notes, or one that travelled slowly, would end a leave early."""
    person = people.person()
    one, two = people.mail(person), people.mail(person, people.another())
    ends = {day: datetime(2026, 2, day - 1, 23, tzinfo=UTC) for day in (3, 6, 9)}
    people.hear(away(one, date(2026, 2, 6)))
    people.hear(away(two, date(2026, 2, 3)))
    assert people.held() == {person: ends[6]}
    people.hear(away(two, date(2026, 2, 9)), away(one, date(2026, 2, 3)))
    assert people.held() == {person: ends[9]}


def test_a_note_is_taken_once(people: People, database: Database):
    """Broken, a queue that repeats a note would bring back a hold that an operator has released (I6)."""
    note = away(people.mail(people.person()), date(2026, 2, 2))
    people.hear(note, note)
    with database.worker() as conn:
        conn.exec_driver_sql("DELETE FROM holds")
    people.hear(note)
    assert people.held() == {}


@pytest.mark.parametrize(
    ("until", "expected"),
    [
        (date(2026, 1, 13), None),
        (date(2026, 1, 14), datetime(2026, 1, 13, 23, tzinfo=UTC)),
        (date(2027, 1, 14), datetime(2027, 1, 13, 23, tzinfo=UTC)),
        (date(2027, 1, 15), datetime(2026, 1, 19, 23, tzinfo=UTC)),
        (date.max, datetime(2026, 1, 19, 23, tzinfo=UTC)),
        (date.min, None),
    ],
    ids=["already back", "tomorrow", "in a year", "in more than a year", "never", "long ago"],
)
def test_a_date_that_cannot_be_meant_is_no_date(people: People, until: date, expected: datetime | None):
    """Broken, one misread year would keep a person from ever being written to, or fail a batch for ever."""
    person = people.person()
    people.hear(away(people.mail(person), until), now=NOW + HOUR)
    assert people.held() == ({} if expected is None else {person: expected})


def test_a_note_is_a_machines_whatever_its_source_says(people: People):
    """Broken, a source that grades badly would end campaigns with "I am on the beach"."""
    message_id = people.mail(people.person())
    people.hear(away(message_id, date(2026, 2, 2), grade=Grade.HUMAN, grade_reasons=()))
    assert people.stood(message_id) == WAITS
    assert people.graded(message_id)[0][1:3] == ("machine", ["out_of_office", "away until 2026-02-02"])


def test_other_auto_replies_hold_nobody(people: People):
    """Broken, a ticket system's receipt would keep its company from being written to for a week."""
    people.hear(away(people.mail(people.person()), None, grade_reasons=("auto_reply",)))
    assert people.held() == {}


def test_a_note_about_a_campaign_that_is_over_holds_too(people: People):
    """Broken, the other campaigns would go on writing to somebody who said that they are away."""
    person = people.person()
    message_id = people.mail(person)
    people.hear(reported(message_id, SignalKind.REPLIED, NOW + HOUR))
    people.hear(away(message_id, date(2026, 2, 2)))
    assert list(people.held()) == [person]
