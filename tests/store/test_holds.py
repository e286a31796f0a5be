"""Holds: who is away, or asked for time, is left alone until then, in every campaign."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from sqlalchemy import Connection, select, update
from sqlalchemy.engine import URL

from cadenza.contacts import holds
from cadenza.contacts.holds import Hold, NewHold
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import ContactId, MessageId, new_id
from cadenza.delivery.gate import claim
from cadenza.delivery.model import Attempt
from cadenza.delivery.service import LEASE
from tests.store.builders import add_contact, add_scene, add_workspace
from tests.store.reacting import in_turn

DAY = timedelta(days=1)


def contact_of(conn: Connection, message_id: MessageId) -> ContactId:
    messages = tables.outbound_messages
    return ContactId(conn.execute(select(messages.c.contact_id).where(messages.c.id == message_id)).scalar_one())


def test_a_later_end_extends_a_hold_and_an_earlier_one_does_not_shorten_it(database: Database, now: datetime):
    """Broken, a second, vaguer absence note would bring mail in the middle of somebody's leave."""
    with database.worker() as conn:
        person = add_contact(conn, add_workspace(conn))
        assert holds.of_contact(conn, person) is None
        assert holds.hold(conn, [NewHold(person, now + 7 * DAY, "away")], now) == {person}
        assert holds.hold(conn, [NewHold(person, now + 3 * DAY, "shorter")], now + DAY) == frozenset()
        assert holds.of_contact(conn, person) == Hold(person, now + 7 * DAY, "away", now)
        # Several at once: the latest counts, whichever is named first.
        both = [NewHold(person, now + 9 * DAY, "longer"), NewHold(person, now + 8 * DAY, "long")]
        assert holds.hold(conn, both, now + DAY) == {person}
        assert holds.of_contact(conn, person) == Hold(person, now + 9 * DAY, "longer", now + DAY)


def test_a_hold_that_is_released_holds_nobody(database: Database, now: datetime):
    """Broken, a person who is back early could not be written to."""
    with database.worker() as conn:
        person = add_contact(conn, add_workspace(conn))
        holds.hold(conn, [NewHold(person, now + DAY)], now)
        assert holds.release(conn, person)
        assert holds.of_contact(conn, person) is None
        assert not holds.release(conn, person)
        assert holds.hold(conn, [], now) == frozenset()


def test_nobody_holds_another_workspaces_people(database: Database, database_url: URL, now: datetime):
    """Broken, one customer could stop the mail of another (I9)."""
    with database.worker() as conn:
        here, person = add_workspace(conn), add_contact(conn, add_workspace(conn))
    api = Database(database_url, role="cadenza_api", patience_s=1)
    with api.workspace(here) as conn:
        assert holds.hold(conn, [NewHold(person, now + DAY)], now) == frozenset()
    api.close()
    with database.worker() as conn:
        assert holds.of_contact(conn, person) is None


@pytest.mark.parametrize("hold_first", [True, False], ids=["hold first", "claim first"])
def test_a_hold_and_a_claim_never_miss_each_other(database: Database, now: datetime, hold_first: bool):
    """Broken, mail would go out to somebody whose hold had been confirmed to an operator before (I3)."""
    with database.worker() as conn:
        message_id = add_scene(conn).add_message(conn)
        person = contact_of(conn, message_id)

    def put_on_hold(conn: Connection) -> frozenset[ContactId]:
        return holds.hold(conn, [NewHold(person, now + DAY)], now)

    def send(conn: Connection) -> int:
        return len(claim(conn, [message_id], Attempt(new_id(), now, now + LEASE)).claimed)

    if hold_first:
        assert in_turn(database, put_on_hold, send) == 0
    else:
        assert in_turn(database, send, put_on_hold) == {person}


def test_a_held_persons_message_waits_for_the_end_of_the_hold(database: Database, now: datetime):
    """Broken, mail to somebody on leave would be thrown away, or tried again every minute."""
    with database.worker() as conn:
        message_id = add_scene(conn).add_message(conn)
        holds.hold(conn, [NewHold(contact_of(conn, message_id), now + DAY)], now)
        claims = claim(conn, [message_id], Attempt(new_id(), now, now + LEASE))
        assert [judged.verdict for judged in claims.put_off] == ["held"]
        (enrolment,) = claims.enrolments.values()
        assert enrolment.rules.not_before == now + DAY
        conn.execute(update(tables.outbound_messages).values(due_at=now + DAY))
        later = now + DAY
        assert len(claim(conn, [message_id], Attempt(new_id(), later, later + LEASE)).claimed) == 1
