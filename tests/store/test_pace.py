"""Pace: how often a person, a company and a day get mail, and where what does not fit goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, update

from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import ContactId, MessageId, new_id
from cadenza.core.states import CampaignStatus, Channel, MessageStatus
from cadenza.delivery import outbox
from cadenza.delivery.gate import Claims, claim
from cadenza.delivery.metering import Meter
from cadenza.delivery.model import Attempt, Mail, Outcome, Provider, Quota, Rejected, Result, Sent, Verdict
from cadenza.delivery.spread import put_off
from tests.store.builders import NOW, PLAN, Scene, add_campaign, add_contact, add_enrolment, add_lead, add_scene

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MESSAGES = tables.outbound_messages


def attempt_at(now: datetime) -> Attempt:
    return Attempt(new_id(), now, now + timedelta(minutes=20))


def claim_at(database: Database, ids: Sequence[MessageId], now: datetime, **given: Any) -> Claims:
    """Claim, and put off what does not fit, as `Delivery` does in one transaction."""
    with database.worker() as conn:
        claims = claim(conn, ids, attempt_at(now), **given)
        put_off(conn, claims, now)
    return claims


def verdicts(claims: Claims) -> dict[MessageId, Verdict]:
    told = [*claims.skipped, *claims.waiting, *claims.put_off]
    return {judged.stay.message_id: judged.verdict for judged in told} | {
        claimed.stay.message_id: Verdict.OK for claimed in claims.claimed
    }


def rows(database: Database, ids: Sequence[MessageId]) -> list[Any]:
    """The messages' rows, in the order of ``ids``."""
    with database.worker() as conn:
        found = {row.id: row for row in conn.execute(select(MESSAGES).where(MESSAGES.c.id.in_(ids)))}
    return [found[message_id] for message_id in ids]


def person(conn: Connection, scene: Scene, **given: Any) -> ContactId:
    return add_contact(conn, scene.workspace_id, add_lead(conn, scene.workspace_id), **given)


def message_to(conn: Connection, scene: Scene, contact_id: ContactId, **given: Any) -> MessageId:
    """A queued message of a new campaign of the scene's sender to this person."""
    campaign_id = add_campaign(conn, scene.workspace_id, scene.sender_id)
    enrolment_id = add_enrolment(conn, scene.workspace_id, campaign_id, contact_id, scene.plan_id)
    row = {
        "id": new_id(),
        "workspace_id": scene.workspace_id,
        "enrolment_id": enrolment_id,
        "campaign_id": campaign_id,
        "contact_id": contact_id,
        "sender_id": scene.sender_id,
        "node": "intro",
        "visit": 1,
        "channel": Channel.EMAIL,
        "status": MessageStatus.QUEUED,
        "due_at": NOW,
        "queued_at": NOW,
    }
    conn.execute(insert(MESSAGES), row | given)
    return MessageId(row["id"])


# --- the person --------------------------------------------------------------------------------------------------


def test_two_campaigns_do_not_write_to_a_person_on_one_day(database: Database, now: datetime):
    """Broken, a person in three campaigns would get three first mails in one minute."""
    with database.worker() as conn:
        scene = add_scene(conn)
        contact_id = person(conn, scene)
        first, second = message_to(conn, scene, contact_id), message_to(conn, scene, contact_id)
    assert verdicts(claim_at(database, [first], now)) == {first: Verdict.OK}
    assert verdicts(claim_at(database, [second], now + HOUR)) == {second: Verdict.CONTACT_GAP}
    (row,) = rows(database, [second])
    assert row.due_at == now + DAY
    assert row.reason.startswith("contact_gap")
    assert verdicts(claim_at(database, [second], now + DAY)) == {second: Verdict.OK}


def test_a_plans_own_steps_pace_themselves(database: Database, now: datetime):
    """Broken, a plan that answers a click within the hour would wait for tomorrow."""
    with database.worker() as conn:
        scene = add_scene(conn)
        first = scene.add_message(conn)
        given = conn.execute(select(MESSAGES).where(MESSAGES.c.id == first)).one()
        second = MessageId(new_id())
        conn.execute(insert(MESSAGES), dict(given._mapping) | {"id": second, "node": "again", "visit": 2})
    assert verdicts(claim_at(database, [first], now)) == {first: Verdict.OK}
    assert verdicts(claim_at(database, [second], now + HOUR)) == {second: Verdict.OK}


def test_one_batch_keeps_the_gap_too_and_asks_each_to_come_in_its_turn(database: Database, now: datetime):
    """Broken, mails of one batch to one person would all go, or all come back at the same instant for ever."""
    with database.worker() as conn:
        scene = add_scene(conn, settings={"contact_gap_s": 3600})
        contact_id = person(conn, scene)
        ids = [message_to(conn, scene, contact_id, due_at=now - minutes * timedelta(minutes=1)) for minutes in range(4)]
    claims = claim_at(database, ids, now)
    assert verdicts(claims) == dict(zip(ids, [Verdict.CONTACT_GAP] * 3 + [Verdict.OK], strict=True))
    assert [row.due_at for row in rows(database, ids[:3])] == [now + 3 * HOUR, now + 2 * HOUR, now + HOUR]


def test_a_message_that_did_not_go_out_does_not_count(database: Database, now: datetime):
    """Broken, a throttled or refused mail would keep another campaign's away from its person."""
    with database.worker() as conn:
        scene = add_scene(conn)
        people = [person(conn, scene) for _ in range(2)]
        (released, refused) = [message_to(conn, scene, contact_id) for contact_id in people]
        others = [message_to(conn, scene, contact_id) for contact_id in people]
    attempt = attempt_at(now)
    with database.worker() as conn:
        claimed = claim(conn, [released, refused], attempt).claimed
        outbox.release(conn, attempt, {released: "away"})
        (gone,) = (one for one in claimed if one.stay.message_id == refused)
        outbox.record(conn, attempt, [Result(gone, Rejected("no such mailbox"), now)])
        outbox.give_back(conn, attempt, [released, refused])
    assert verdicts(claim_at(database, others, now)) == dict.fromkeys(others, Verdict.OK)


def test_a_person_gets_so_many_messages_in_so_many_days_and_no_more(database: Database, now: datetime):
    """Broken, long sequences of several campaigns together would flood one mailbox."""
    settings = {"contact_gap_s": 0, "frequency_cap": 2, "frequency_days": 3}
    with database.worker() as conn:
        scene = add_scene(conn, settings=settings)
        contact_id = person(conn, scene)
        ids = [message_to(conn, scene, contact_id) for _ in range(4)]
    assert list(verdicts(claim_at(database, ids[:1], now)).values()) == [Verdict.OK]
    assert Counter(verdicts(claim_at(database, ids[1:3], now + DAY)).values()) == {Verdict.OK: 1, Verdict.FREQUENCY: 1}
    assert verdicts(claim_at(database, ids[3:], now + 2 * DAY)) == {ids[3]: Verdict.FREQUENCY}
    (row,) = rows(database, ids[3:])
    assert row.due_at == now + 3 * DAY, "the first of the two leaves the window then"
    waiting = [row.id for row in rows(database, ids) if row.status == MessageStatus.QUEUED]
    counted = Counter(verdicts(claim_at(database, waiting, now + 3 * DAY)).values())
    assert counted == {Verdict.OK: 1, Verdict.FREQUENCY: 1}


def test_gap_and_frequency_hold_against_many_at_once(database: Database, now: datetime):
    """Broken, two functions at once would each see a person whom nobody has written to, and both write (I8)."""
    with database.worker() as conn:
        gapped = add_scene(conn, settings={"contact_gap_s": 3600})
        capped = add_scene(conn, settings={"contact_gap_s": 0, "frequency_cap": 3})
        company = add_scene(conn, settings={"contact_gap_s": 0, "domain_gap_s": 60})
        groups = []
        for scene in (gapped, capped):
            for _ in range(3):
                contact_id = person(conn, scene)
                groups.append([message_to(conn, scene, contact_id) for _ in range(8)])
        domain = [company.add_message(conn, contact={"email": f"p{n}@one.example"}) for n in range(8)]
    everything = [message_id for group in [*groups, domain] for message_id in group]
    batches = [everything[start::7] for start in range(7)] * 2
    with ThreadPoolExecutor(4) as workers:
        all_claims = list(workers.map(lambda batch: claim_at(database, batch, now), batches))
    claimed = Counter(one.stay.message_id for claims in all_claims for one in claims.claimed)
    assert set(claimed.values()) == {1}
    assert [sum(claimed[message_id] for message_id in group) for group in [*groups, domain]] == [1, 1, 1, 3, 3, 3, 1]


# --- the company -------------------------------------------------------------------------------------------------


def test_a_company_gets_its_mails_one_after_the_other(database: Database, now: datetime):
    """Broken, ten colleagues would compare the mails that reached them in one second; so would a spam filter."""
    with database.worker() as conn:
        scene = add_scene(conn, settings={"domain_gap_s": 600})
        ids = [scene.add_message(conn, contact={"email": f"p{n}@One.example"}) for n in range(3)]
        elsewhere = scene.add_message(conn, contact={"email": "p@two.example"})
        shared = [scene.add_message(conn, contact={"email": f"p{n}@gmail.com"}) for n in range(2)]
        texted = scene.add_message(conn, contact={"email": "t@one.example", "phone": "+4940123456"}, channel="sms")
    told = verdicts(claim_at(database, [*ids, elsewhere, *shared, texted], now))
    assert told == dict.fromkeys([ids[0], elsewhere, *shared, texted], Verdict.OK) | dict.fromkeys(
        ids[1:], Verdict.DOMAIN_GAP
    )
    assert [row.due_at for row in rows(database, ids[1:])] == [now + 600 * n * timedelta(seconds=1) for n in (1, 2)]
    assert verdicts(claim_at(database, ids[1:2], now + timedelta(seconds=599))) == {ids[1]: Verdict.NOT_DUE}
    assert verdicts(claim_at(database, ids[1:2], now + timedelta(seconds=600))) == {ids[1]: Verdict.OK}


# --- the warm-up -------------------------------------------------------------------------------------------------

RAMPS: dict[str, tuple[dict[str, Any], int | None, dict[int, int]]] = {
    "by factor": ({"first_day": 2, "factor": 1.5, "step": 0, "ceiling": 100}, None, {0: 2, 1: 3, 2: 4, 3: 6, 300: 100}),
    "by step": ({"first_day": 1, "factor": 1.0, "step": 2, "ceiling": 6}, None, {0: 1, 1: 3, 2: 5, 3: 6, 4: 6}),
    "before its start": ({"first_day": 3, "factor": 2.0, "step": 0, "ceiling": 50}, None, {-5: 3}),
    "under the sender's own cap": ({"first_day": 5, "factor": 2.0, "step": 0, "ceiling": 50}, 8, {0: 5, 1: 8}),
    "years later": ({"first_day": 5, "factor": 2.0, "step": 0, "ceiling": 9}, None, {5000: 9}),
}


@pytest.mark.parametrize("ramp", RAMPS)
def test_a_new_sender_sends_a_little_more_each_day(database: Database, now: datetime, ramp: str):
    """Broken, a fresh address would send at full speed, and mailbox providers would take it for a spammer's."""
    warm_up, daily_cap, expected = RAMPS[ramp]
    for day, cap in expected.items():
        sender = {"warm_up": {"starts_on": (now.date() - day * DAY).isoformat(), **warm_up}, "daily_cap": daily_cap}
        with database.worker() as conn:
            scene = add_scene(conn, sender=sender)
            ids = [scene.add_message(conn) for _ in range(12 if cap < 12 else 1)]
        counted = Counter(verdicts(claim_at(database, ids, now)).values())
        assert counted[Verdict.OK] == min(cap, len(ids)), (day, counted)


# --- what does not fit -------------------------------------------------------------------------------------------


def test_what_does_not_fit_is_spread_over_the_next_days_in_order(database: Database, now: datetime):
    """Broken, all of it would come back at midnight, in no order, day after day."""
    with database.worker() as conn:
        scene = add_scene(conn, campaign={"daily_cap": 4})
        ids = [scene.add_message(conn, due_at=now + (n - 20) * timedelta(minutes=1)) for n in range(14)]
    # In batches as the queue brings them; the last ones first within each, for the order is not the queue's.
    for start in range(0, 14, 5):
        claim_at(database, ids[start : start + 5][::-1], now)
    found = rows(database, ids)
    assert [row.status for row in found] == [MessageStatus.SENDING] * 4 + [MessageStatus.QUEUED] * 10
    days = [row.booked_on for row in found[4:]]
    assert days == [date(2026, 1, 14)] * 4 + [date(2026, 1, 15)] * 4 + [date(2026, 1, 16)] * 2
    due = [row.due_at for row in found[4:]]
    assert [instant.date() for instant in due] == days
    assert due == sorted(due)
    assert min(later - earlier for earlier, later in pairwise(due)) == 6 * HOUR, "a day's four lie evenly over it"
    assert "place 2 of 4 on 2026-01-14" in found[5].reason


def test_places_lie_in_the_windows_of_their_day(database: Database, now: datetime):
    """Broken, a capped message would be put to the night, or a weekend's messages to its first minute."""
    plan = {**PLAN, "version": "1.1", "workingDays": [1, 2, 3, 4, 5], "quietHours": {"start": "17:00", "end": "09:00"}}
    friday = now + 3 * DAY
    with database.worker() as conn:
        scene = add_scene(conn, sender={"daily_cap": 2}, plan=plan)
        ids = [scene.add_message(conn, due_at=friday) for _ in range(6)]
    claim_at(database, ids, friday)
    due = [row.due_at for row in rows(database, ids[2:])]
    monday = datetime(2026, 1, 19, 8, tzinfo=UTC)  # nine o'clock in Berlin
    assert due == [monday, monday + 4 * HOUR, monday + DAY, monday + DAY + 4 * HOUR]


def test_who_was_put_off_is_not_overtaken(database: Database, now: datetime):
    """Broken, new messages would take each new day's cap, and old ones would wait for ever."""
    with database.worker() as conn:
        scene = add_scene(conn, campaign={"daily_cap": 3})
        old = [scene.add_message(conn) for _ in range(5)]
    claim_at(database, old, now)
    tomorrow = datetime(2026, 1, 14, tzinfo=UTC)
    with database.worker() as conn:
        new = [scene.add_message(conn, due_at=tomorrow) for _ in range(3)]
    # Two of the day's three places are taken: one newcomer fits, the others stand behind.
    told = verdicts(claim_at(database, new, tomorrow))
    assert told == dict(zip(new, [Verdict.OK, Verdict.CAP_REACHED, Verdict.CAP_REACHED], strict=True))
    assert verdicts(claim_at(database, old[3:], tomorrow + 23 * HOUR)) == dict.fromkeys(old[3:], Verdict.OK)
    assert [row.booked_on for row in rows(database, new[1:])] == [date(2026, 1, 15)] * 2


def test_a_paused_campaigns_places_are_free_for_others(database: Database, now: datetime):
    """Broken, one paused campaign would keep a whole workspace from sending."""
    with database.worker() as conn:
        scene = add_scene(conn, settings={"daily_cap": 2})
        paused = [scene.add_message(conn) for _ in range(4)]
        people = [person(conn, scene) for _ in range(2)]
    claim_at(database, paused, now)
    tomorrow = datetime(2026, 1, 14, tzinfo=UTC)
    with database.worker() as conn:
        conn.execute(update(tables.campaigns).values(status=CampaignStatus.PAUSED))
        others = [message_to(conn, scene, contact_id, due_at=tomorrow) for contact_id in people]
    assert verdicts(claim_at(database, others, tomorrow)) == dict.fromkeys(others, Verdict.OK)


def test_a_full_workspace_waits_for_its_own_days_not_for_another_campaigns(database: Database, now: datetime):
    """Broken, a small cap with a long line would push back everybody who shares a larger one."""
    with database.worker() as conn:
        scene = add_scene(conn, settings={"daily_cap": 3}, campaign={"daily_cap": 1})
        slow = [scene.add_message(conn) for _ in range(6)]
        people = [person(conn, scene) for _ in range(4)]
        fast = [message_to(conn, scene, contact_id) for contact_id in people]
    claim_at(database, slow, now)
    claim_at(database, fast, now)
    assert [row.booked_on for row in rows(database, slow[1:])] == [date(2026, 1, 14 + n) for n in range(5)]
    assert [row.booked_on for row in rows(database, fast)] == [None, None, date(2026, 1, 14), date(2026, 1, 14)]


def test_a_line_follows_the_senders_warm_up(database: Database, now: datetime):
    """Broken, places would be promised on days that cannot keep them, and the line would be put off again daily."""
    warm_up = {"starts_on": "2026-01-13", "first_day": 1, "factor": 2.0, "step": 0, "ceiling": 4}
    with database.worker() as conn:
        scene = add_scene(conn, sender={"warm_up": warm_up})
        ids = [scene.add_message(conn) for _ in range(12)]
    claim_at(database, ids, now)
    booked = Counter(row.booked_on for row in rows(database, ids))
    assert booked == {None: 1, date(2026, 1, 14): 2, date(2026, 1, 15): 4, date(2026, 1, 16): 4, date(2026, 1, 17): 1}


def test_a_day_of_a_long_line_keeps_its_cap_and_uses_it_up(database: Database, now: datetime):
    """Broken, the days after a rush would send too much (I8) or too little."""
    with database.worker() as conn:
        scene = add_scene(conn, campaign={"daily_cap": 5})
        ids = [scene.add_message(conn) for _ in range(40)]
    batches = [ids[start : start + 8] for start in range(0, 40, 8)]
    with ThreadPoolExecutor(4) as workers:
        list(workers.map(lambda batch: claim_at(database, batch, now), batches))
    for day in range(1, 9):
        due = [row for row in rows(database, ids) if row.status == MessageStatus.QUEUED]
        today = sorted((row for row in due if row.due_at < now + day * DAY), key=lambda row: row.due_at)
        assert len(today) <= 5
        for row in today:
            claim_at(database, [row.id], row.due_at)
    claimed = Counter(row.claimed_at.date() for row in rows(database, ids) if row.claimed_at)
    assert set(claimed.values()) == {5}


def test_putting_off_takes_the_same_number_of_statements_for_one_and_for_many(database: Database, now: datetime):
    """Broken, a rush would slow down with its size."""
    with database.worker() as conn:
        scene = add_scene(conn, campaign={"daily_cap": 0})
        ids = [scene.add_message(conn) for _ in range(31)]
    counts = []
    for batch in (ids[:1], ids[1:]):
        statements: list[str] = []

        def count(_c: object, _cur: object, statement: str, *_: object, seen: list[str] = statements) -> None:
            seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", count)
        claim_at(database, batch, now)
        event.remove(database.engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts[0] - counts[1] in (0, 1), "the first batch also loads the plan"
    assert counts[1] == 6 + 2


# --- the provider ------------------------------------------------------------------------------------------------


@dataclass
class Sandbox:
    """A provider whose account allows what the test says."""

    allowed: Quota | None
    asked: int = 0

    def send(self, mail: Mail) -> Outcome:
        """See `Provider`."""
        return Sent(str(mail.message_id))

    def quota(self) -> Quota | None:
        """See `Metered`."""
        self.asked += 1
        if self.allowed is None:
            raise ConnectionError
        return self.allowed

    def header_id(self, mail: Any) -> str:
        """See `Provider`."""
        return str(mail)

    def close(self) -> None:
        """See `Provider`."""


@dataclass
class Clockwork:
    """Time that passes when somebody sleeps."""

    now: datetime
    slept: list[float] = field(default_factory=list[float])

    def __call__(self) -> datetime:
        """The current instant."""
        return self.now

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


def metered(database: Database, provider: Provider, now: datetime, processes: int = 1) -> tuple[Meter, Clockwork]:
    clock = Clockwork(now)
    return Meter(database, {"ses": provider}, clock, processes, clock.sleep), clock


def test_an_accounts_daily_quota_holds_over_all_workspaces(database: Database, now: datetime):
    """Broken, a sandbox account would answer everything after its 200th mail with an error."""
    with database.worker() as conn:
        one, two = add_scene(conn), add_scene(conn)
        ids = [scene.add_message(conn) for _ in range(6) for scene in (one, two)]
    sandbox = Sandbox(Quota(a_day=200, sent=195, per_second=1000))
    meter, clock = metered(database, sandbox, now)
    meter.read()
    meter.read()
    assert sandbox.asked == 1
    batches = [ids[start::3] for start in range(3)]
    with ThreadPoolExecutor(3) as workers:
        all_claims = list(workers.map(lambda batch: claim_at(database, batch, now, slices=meter.slices()), batches))
    assert sum(len(claims.claimed) for claims in all_claims) == 5
    waiting = [row for row in rows(database, ids) if row.status == MessageStatus.QUEUED]
    assert {row.booked_on for row in waiting} == {date(2026, 1, 14)}
    # The next reading counts what is in flight, once the provider does not count it yet.
    clock.now += timedelta(minutes=5)
    sandbox.allowed = Quota(a_day=200, sent=190, per_second=1000)
    meter.read()
    with database.worker() as conn:
        conn.execute(update(MESSAGES).where(MESSAGES.c.status == MessageStatus.QUEUED).values(due_at=now))
    tomorrow = [row.id for row in waiting]
    assert Counter(verdicts(claim_at(database, tomorrow, now + DAY)).values())[Verdict.OK] == 5


def test_mail_that_was_given_back_is_given_back_to_the_account_too(database: Database, now: datetime):
    """Broken, each throttled mail would use up a place of the day."""
    with database.worker() as conn:
        scene = add_scene(conn)
        first, second = scene.add_message(conn), scene.add_message(conn)
    meter, _ = metered(database, Sandbox(Quota(a_day=1, sent=0, per_second=10)), now)
    meter.read()
    attempt = attempt_at(now)
    with database.worker() as conn:
        claim(conn, [first], attempt)
        outbox.release(conn, attempt, {first: "away"})
        outbox.give_back(conn, attempt, [first])
    assert verdicts(claim_at(database, [second], now)) == {second: Verdict.OK}


def test_an_accounts_rate_is_shared_and_kept(database: Database, now: datetime):
    """Broken, four functions at once would send four times as fast as the account may."""
    with database.worker() as conn:
        scene = add_scene(conn)
        ids = [scene.add_message(conn) for _ in range(10)]
    meter, clock = metered(database, Sandbox(Quota(a_day=None, sent=0, per_second=4)), now, processes=4)
    meter.read()
    claims = claim_at(database, ids, now, slices=meter.slices())
    assert Counter(verdicts(claims).values()) == {Verdict.OK: 4, Verdict.PACED: 6}
    for _ in claims.claimed:
        meter.keep_pace("ses")
    assert clock.slept == [1.0, 1.0, 1.0]
    # What is too much for now comes back right behind, as many at once as may go.
    put = Counter(row.due_at - now for row in rows(database, ids) if row.status == MessageStatus.QUEUED)
    assert put == {timedelta(seconds=4): 4, timedelta(seconds=8): 2}


def test_a_quota_that_cannot_be_read_keeps_no_mail_back(database: Database, now: datetime):
    """Broken, a permission that is missing, or was taken away, would stop all sending."""
    with database.worker() as conn:
        message_id = add_scene(conn).add_message(conn)
        old = {"provider": "ses", "a_day": 9, "allowed": 0, "read_at": now - 3 * DAY}
        conn.execute(insert(tables.provider_quotas), old)
    meter, clock = metered(database, Sandbox(None), now)
    meter.read()
    meter.keep_pace("ses")
    assert (meter.slices(), clock.slept) == ({}, [])
    assert verdicts(claim_at(database, [message_id], now, slices=meter.slices())) == {message_id: Verdict.OK}
