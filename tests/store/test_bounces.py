"""Soft bounces add up to a hard one: by messages, over all campaigns, whoever reports them in which order."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cadenza.core.db import Database
from cadenza.core.ids import ContactId, EventId, MessageId
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.delivery.bounces import Bounce, Limit, reaching
from cadenza.delivery.outcomes import record
from tests.store.reacting import DAY, MINUTE, NOW, People, in_turn, reported, unsuppress

BOUNCED = SignalKind.BOUNCED
WAITS = ("active", "")
TOLD = "3 soft bounces in 30 days"


@pytest.fixture
def people(database: Database) -> People:
    """A workspace with the default limit."""
    return People(database)


def soft(message_id: MessageId, at: datetime = NOW + MINUTE, **given: object) -> SignalReported:
    return reported(message_id, BOUNCED, at, hard=False, **given)


def mails(people: People, person: ContactId, number: int) -> list[MessageId]:
    """Messages to one person, each of another campaign."""
    return [people.mail(person, people.another()) for _ in range(number)]


def stood(people: People, messages: Sequence[MessageId]) -> list[tuple[str, str]]:
    return [people.stood(message_id) for message_id in messages]


def test_the_third_soft_bounce_acts_as_a_hard_one(people: People):
    """Broken, a sender's reputation would go down with mailboxes that are full for ever."""
    first, second, third = own = mails(people, people.person(email="grace@acme.example"), 3)
    people.hear(soft(first))
    people.hear(soft(second, NOW + 10 * DAY))
    assert stood(people, own) == [WAITS] * 3
    assert people.suppressed() == []
    people.hear(soft(third, NOW + 30 * DAY))
    # Then the address is suppressed, and all that is enrolled there has stopped; each says why.
    assert people.suppressed() == [("grace@acme.example", TOLD)]
    elsewhere = ("stopped", "another campaign's message bounced")
    assert stood(people, own) == [elsewhere, elsewhere, ("stopped", TOLD)]
    # And the event stands as it was reported, with what it came to.
    query = "SELECT hard, grade_reasons FROM message_events ORDER BY id"
    assert people.rows(query) == [(False, []), (False, []), (False, ["soft_bounce_limit"])]
    query = """
        SELECT t.cause, m.id FROM campaign_transitions t JOIN message_events v ON v.id = t.event_id
        JOIN outbound_messages m ON m.id = v.message_id WHERE t.to_status = 'stopped' ORDER BY t.enrolment_id
    """
    assert people.rows(query) == [("bounced_elsewhere", third), ("bounced_elsewhere", third), ("bounced", third)]


def test_all_three_in_one_batch_in_any_order(people: People):
    """Broken, what a queue held back and handed over at once would count less."""
    own = mails(people, people.person(), 3)
    people.hear(*(soft(message_id, NOW + hours * MINUTE) for message_id, hours in zip(own, (3, 1, 2), strict=True)))
    assert [reason for _, reason in people.suppressed()] == [TOLD]
    assert [status for status, _ in stood(people, own)] == ["stopped"] * 3


def test_repeats_and_second_reports_of_one_bounce_are_one(people: People):
    """Broken, one full mailbox that two sources report, twice each, would be given up for dead (I6)."""
    own = mails(people, people.person(), 2)
    for _ in range(2):
        people.hear(*(soft(message_id, provider_event_id=f"x{message_id}") for message_id in own))
        people.hear(*(soft(message_id, NOW + DAY) for message_id in own))
    assert stood(people, own) == [WAITS] * 2


@pytest.mark.parametrize(
    ("settings", "days"),
    [({}, (0, 1, 31)), ({"soft_bounce_days": 2}, (0, 2, 3)), ({"soft_bounce_limit": None}, (0, 0, 0))],
    ids=["too far apart", "shorter days", "no limit"],
)
def test_what_the_workspace_does_not_count_does_nothing(database: Database, settings: dict, days: tuple[int, ...]):
    """Broken, an address that bounces now and then over years would be lost."""
    people = People(database, settings)
    own = mails(people, people.person(), 3)
    for message_id, day in zip(own, days, strict=True):
        people.hear(soft(message_id, NOW + day * DAY))
    assert stood(people, own) == [WAITS] * 3


def test_only_one_address_is_counted(people: People):
    """Broken, somebody's new address would suffer for the old one; or one colleague for another."""
    person = people.person()
    own = [*mails(people, person, 2), people.mail(person, people.another(), to_address="new@acme.example")]
    own += mails(people, people.person(), 1)
    people.hear(*map(soft, own))
    assert stood(people, own) == [WAITS] * 4


def test_the_count_begins_anew_when_a_suppression_is_lifted(people: People, database: Database):
    """Broken, an address that works again would be lost with its first hiccup."""
    person = people.person()
    people.hear(*map(soft, mails(people, person, 3)))
    with database.worker() as conn:
        unsuppress(conn)
    anew = mails(people, person, 3)
    people.hear(*map(soft, anew[:2]))
    assert people.suppressed() == []
    people.hear(soft(anew[2]))
    assert [reason for _, reason in people.suppressed()] == [TOLD]


def test_two_that_are_recorded_at_once_see_each_other(people: People, database: Database):
    """Broken, bounces that come at the same time would each be the second one."""
    first, second, third = own = mails(people, people.person(), 3)
    people.hear(soft(first))
    in_turn(
        database,
        lambda conn: record(conn, [soft(second)], NOW + DAY),
        lambda conn: record(conn, [soft(third)], NOW + DAY),
    )
    assert [reason for _, reason in people.suppressed()] == [TOLD]
    assert [status for status, _ in stood(people, own)] == ["stopped"] * 3


# --- the count itself --------------------------------------------------------------------------------------------

LIMIT = Limit(3, 30)


def bounces(*days: int) -> list[Bounce]:
    return [
        Bounce(EventId(place), MessageId(UUID(int=place)), NOW + timedelta(days=day))
        for place, day in enumerate(days, start=1)
    ]


@given(st.lists(st.integers(0, 90), min_size=1, max_size=6, unique=True), st.randoms(use_true_random=False))
def test_the_order_of_hearing_does_not_matter(days: list[int], shuffle) -> None:
    """Broken, whether an address is given up would depend on how its bounces travelled."""
    found = bounces(*days)
    heard = list(found)
    shuffle.shuffle(heard)
    known: list[Bounce] = []
    reached = False
    for place, bounce in enumerate(heard, start=1):
        new = Bounce(EventId(place), bounce.message_id, bounce.at)
        reached = reached or bool(reaching(LIMIT, known, [new]))
        known.append(new)
    ordered = sorted(days)
    assert reached == any(last - first <= LIMIT.days for first, last in zip(ordered, ordered[2:], strict=False))


def test_a_message_that_has_counted_does_not_count_again():
    """Broken, a second source's report of an old bounce would be the first step to the next suppression."""
    old = [*bounces(0, 1), Bounce(EventId(3), MessageId(UUID(int=3)), NOW, escalated=True)]
    again = Bounce(EventId(4), old[0].message_id, NOW)
    fresh = [Bounce(EventId(5), MessageId(UUID(int=5)), NOW), Bounce(EventId(6), MessageId(UUID(int=6)), NOW)]
    assert reaching(LIMIT, old, [again, *fresh]) == []
    assert reaching(LIMIT, old, [*fresh, Bounce(EventId(7), MessageId(UUID(int=7)), NOW)]) == [7]
