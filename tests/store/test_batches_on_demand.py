"""Batches on demand: who is taken now, who is not, and why."""

from __future__ import annotations

from sqlalchemy import text

from tests.store.builders import NOW
from tests.store.drafting import Desk
from tests.store.test_intake import a_batch, automation, people, taken
from tests.store.test_intake import office as office  # noqa: PLC0414 - a fixture


def test_a_batch_says_who_was_taken_and_why_others_were_not(office: Desk):
    """Broken, an operator could not tell why somebody gets no mails."""
    with office.database.worker() as conn:
        conn.execute(text("""UPDATE campaigns SET intake = '{"countries": ["DE"]}', daily_cap = 1"""))
    german, second, french, dead = people(
        office, {"country": "DE"}, {"country": "DE"}, {"country": "FR"}, {"address_check": "no_mx"}
    )
    shown = automation(office).run(a_batch(dry_run=True))
    assert (taken(office), office.rows("SELECT id FROM audit_log")) == ({}, [])
    done = automation(office).run(a_batch())
    for batch in (shown, done):
        assert [one.contact_id for one in batch.queued] == [german]
        told = {one.contact_id: (one.reason, one.detail) for one in batch.skipped}
        assert told == {
            second: ("cap_used_up", "the campaign's daily cap is used up"),
            french: ("no_campaign", "country FR"),
            dead: ("undeliverable", told[dead][1]),
        }
    assert [message.contact_id for message in office.post.sent] == [german]
    # And what is being planned counts: asking again takes nobody into a cap that is used up.
    assert automation(office).run(a_batch()).queued == ()
    assert len(taken(office)) == 1


def test_a_batch_keeps_the_hours_at_the_recipient(office: Desk):
    """Broken, a batch would be ordered at night, and lie about when its mails go."""
    with office.database.worker() as conn:
        hours = "working_hours_start = '09:00', working_hours_end = '17:00', working_days = '{1,2,3,4,5}'"
        conn.execute(text(f"UPDATE automation_settings SET {hours}"))
    berlin, tokyo = people(office, {"time_zone": "Europe/Berlin"}, {"time_zone": "Asia/Tokyo"})
    batch = automation(office).run(a_batch())
    assert [one.contact_id for one in batch.queued] == [berlin]
    (skipped,) = batch.skipped
    # 10:01 UTC is 19:01 in Tokyo; 9:00 there is midnight UTC.
    assert (skipped.contact_id, skipped.reason) == (tokyo, "outside_hours")
    assert skipped.opens_at == NOW.replace(day=14, hour=0, minute=0)
    assert "09:00–17:00" in skipped.detail


def test_a_batch_goes_on_where_the_last_one_ended(office: Desk):
    """Broken, those at the end of a long list would never have their turn."""
    found = people(office, *({} for _ in range(5)))
    first = automation(office).run(a_batch(limit=2))
    second = automation(office).run(a_batch(limit=2, cursor=first.next_cursor))
    last = automation(office).run(a_batch(limit=2, cursor=second.next_cursor))
    assert [one.contact_id for batch in (first, second, last) for one in batch.queued] == found
    assert last.next_cursor is None
