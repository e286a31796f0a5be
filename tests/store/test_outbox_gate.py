"""The gate: who may be written to now, and who may not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, insert, select, update

from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import MessageId, new_id
from cadenza.core.states import CampaignStatus, Channel, EnrolmentStatus, MessageStatus
from cadenza.delivery.gate import Claims, claim
from cadenza.delivery.model import DISPOSITIONS, Attempt, Disposition, Verdict
from tests.store.builders import Scene, add_scene, add_sender

HOUR = timedelta(hours=1)
MESSAGES = tables.outbound_messages


def attempt_at(now: datetime) -> Attempt:
    return Attempt(new_id(), now, now + timedelta(minutes=20))


def claim_now(database: Database, ids: Sequence[MessageId], now: datetime) -> Claims:
    with database.worker() as conn:
        return claim(conn, ids, attempt_at(now))


def verdicts(claims: Claims) -> dict[MessageId, Verdict]:
    """Every message's verdict."""
    told = [*claims.skipped, *claims.waiting, *claims.put_off]
    return {judged.stay.message_id: judged.verdict for judged in told} | {
        claimed.stay.message_id: Verdict.OK for claimed in claims.claimed
    }


def row(database: Database, message_id: MessageId) -> Any:
    with database.worker() as conn:
        return conn.execute(select(MESSAGES).where(MESSAGES.c.id == message_id)).one()


def suppress(conn: Connection, scene: Scene, channel: str, address: str) -> None:
    conn.execute(
        insert(tables.suppressions),
        {
            "id": new_id(),
            "workspace_id": scene.workspace_id,
            "channel": channel,
            "address": address,
            "created_at": datetime.now(UTC),
        },
    )


def hold(conn: Connection, scene: Scene, message_id: MessageId, until: datetime) -> None:
    contact_id = conn.execute(select(MESSAGES.c.contact_id).where(MESSAGES.c.id == message_id)).scalar_one()
    conn.execute(
        insert(tables.holds),
        {
            "id": new_id(),
            "workspace_id": scene.workspace_id,
            "contact_id": contact_id,
            "until": until,
            "created_at": until,
        },
    )


def test_a_message_whose_time_has_come_is_claimed_with_all_that_sending_needs(database: Database, now: datetime):
    """Broken, nothing would be sent, or a mail would go out under the wrong name or to the wrong person."""
    with database.worker() as conn:
        scene = add_scene(conn)
        message_id = scene.add_message(conn, contact={"email": "Grace@Acme.example "})
    attempt = attempt_at(now)
    with database.worker() as conn:
        claims = claim(conn, [message_id], attempt)
    (claimed,) = claims.claimed
    assert claimed.recipient.address == "Grace@Acme.example"
    assert claimed.recipient.company == "Acme Logistics"
    assert claimed.content is not None
    assert claimed.content.subject == "An idea for {{company}}"
    assert claimed.sender.postal_address == "Musterweg 1\n20095 Hamburg"
    assert claimed.brief == {"offering": "a faster warehouse"}
    stored = row(database, message_id)
    assert (stored.status, stored.attempt_id, stored.lease_until) == (
        MessageStatus.SENDING,
        attempt.id,
        attempt.lease_until,
    )
    assert stored.to_address == "Grace@Acme.example"


CASES: dict[str, tuple[dict[str, Any], Verdict]] = {
    "campaign paused": ({"scene": {"campaign": {"status": CampaignStatus.PAUSED}}}, Verdict.CAMPAIGN_NOT_RUNNING),
    "campaign cancelled": ({"scene": {"campaign": {"status": CampaignStatus.CANCELLED}}}, Verdict.CAMPAIGN_ENDED),
    "campaign failed": ({"scene": {"campaign": {"status": CampaignStatus.FAILED}}}, Verdict.CAMPAIGN_ENDED),
    "campaign completed": ({"scene": {"campaign": {"status": CampaignStatus.COMPLETED}}}, Verdict.CAMPAIGN_ENDED),
    "enrolment stopped": ({"enrolment": {"status": EnrolmentStatus.STOPPED}}, Verdict.ENROLMENT_ENDED),
    "enrolment completed": ({"enrolment": {"status": EnrolmentStatus.COMPLETED}}, Verdict.ENROLMENT_ENDED),
    "sender paused": (
        {"scene": {"sender": {"paused_at": datetime(2026, 1, 1, tzinfo=UTC)}}},
        Verdict.SENDER_PAUSED,
    ),
    "no address": ({"contact": {"email": None}}, Verdict.NO_ADDRESS),
    "blank address": ({"contact": {"email": " "}}, Verdict.NO_ADDRESS),
    "no phone": ({"message": {"channel": Channel.SMS}}, Verdict.NO_ADDRESS),
    "not due": ({"message": {"due_at": datetime(2026, 1, 13, 10, 0, 1, tzinfo=UTC)}}, Verdict.NOT_DUE),
    "due now": ({"message": {"due_at": datetime(2026, 1, 13, 10, 0, tzinfo=UTC)}}, Verdict.OK),
    "window closes now": (
        {"message": {"closes_at": datetime(2026, 1, 13, 10, 0, tzinfo=UTC)}},
        Verdict.WINDOW_CLOSED,
    ),
    "window closes later": (
        {"message": {"closes_at": datetime(2026, 1, 13, 10, 0, 1, tzinfo=UTC)}},
        Verdict.OK,
    ),
    "campaign cap of none": ({"scene": {"campaign": {"daily_cap": 0}}}, Verdict.CAP_REACHED),
    "sender cap of none": ({"scene": {"sender": {"daily_cap": 0}}}, Verdict.CAP_REACHED),
    "workspace cap of none": ({"scene": {"settings": {"daily_cap": 0}}}, Verdict.CAP_REACHED),
    "caps with room": (
        {"scene": {"settings": {"daily_cap": 1}, "campaign": {"daily_cap": 1}, "sender": {"daily_cap": 1}}},
        Verdict.OK,
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_the_gate_says_why(database: Database, now: datetime, case: str):
    """Broken, mail would go to people who must not get it, or nobody could see why theirs was not sent."""
    given, expected = CASES[case]
    with database.worker() as conn:
        scene = add_scene(conn, **given.get("scene", {}))
        message_id = scene.add_message(
            conn,
            contact=given.get("contact"),
            enrolment=given.get("enrolment"),
            **given.get("message", {}),
        )
    assert verdicts(claim_now(database, [message_id], now)) == {message_id: expected}
    stored = row(database, message_id)
    match DISPOSITIONS[expected]:
        case Disposition.CLAIM:
            assert (stored.status, stored.reason) == (MessageStatus.SENDING, "")
        case Disposition.SKIP:
            assert (stored.status, stored.reason, stored.finished_at) == (MessageStatus.SKIPPED, expected, now)
        case Disposition.WAIT | Disposition.PUT_OFF:
            reason = "" if expected is Verdict.NOT_DUE else expected
            assert (stored.status, stored.reason, stored.enqueued_at) == (MessageStatus.QUEUED, reason, None)


@pytest.mark.parametrize(
    ("channel", "address", "suppressed"),
    [
        ("email", "grace@mail.acme.example", True),
        ("domain", "mail.acme.example", True),
        ("domain", "acme.example", True),
        ("domain", "cme.example", False),
        ("email", "ada@mail.acme.example", False),
        ("phone", "+4940123456", False),
    ],
)
def test_suppressions_hold_by_address_and_by_domain(
    database: Database, now: datetime, channel: str, address: str, suppressed: bool
):
    """Broken, people who said no would get mail, or others would be silenced with them."""
    with database.worker() as conn:
        scene = add_scene(conn)
        message_id = scene.add_message(conn, contact={"email": "Grace@Mail.Acme.example", "phone": "+4940123456"})
        suppress(conn, scene, channel, address)
    expected = Verdict.SUPPRESSED if suppressed else Verdict.OK
    assert verdicts(claim_now(database, [message_id], now)) == {message_id: expected}


def test_a_suppressed_number_gets_no_text(database: Database, now: datetime):
    """Broken, a person who forbade texts would get them."""
    with database.worker() as conn:
        scene = add_scene(conn)
        message_id = scene.add_message(conn, contact={"phone": "+4940123456"}, channel=Channel.SMS)
        suppress(conn, scene, "phone", "+4940123456")
    assert verdicts(claim_now(database, [message_id], now)) == {message_id: Verdict.SUPPRESSED}


def test_a_suppression_of_another_workspace_is_none_of_ours(database: Database, now: datetime):
    """Broken, one tenant could silence another's campaigns (I9)."""
    with database.worker() as conn:
        scene, other = add_scene(conn), add_scene(conn)
        message_id = scene.add_message(conn, contact={"email": "grace@acme.example"})
        suppress(conn, other, "email", "grace@acme.example")
    assert verdicts(claim_now(database, [message_id], now)) == {message_id: Verdict.OK}


@pytest.mark.parametrize(("until", "expected"), [(HOUR, Verdict.HELD), (timedelta(0), Verdict.OK)])
def test_nobody_is_written_to_during_a_hold(database: Database, now: datetime, until: timedelta, expected: Verdict):
    """Broken, people would get mail during their leave."""
    with database.worker() as conn:
        scene = add_scene(conn)
        message_id = scene.add_message(conn)
        hold(conn, scene, message_id, now + until)
    assert verdicts(claim_now(database, [message_id], now)) == {message_id: expected}


def test_a_message_without_a_sender_is_skipped(database: Database, now: datetime):
    """Broken, it would keep its campaign from ever completing."""
    with database.worker() as conn:
        scene = add_scene(conn)
        message_id = scene.add_message(conn, sender_id=None)
        conn.execute(update(tables.campaigns).values(sender_id=None))
    assert verdicts(claim_now(database, [message_id], now)) == {message_id: Verdict.NO_SENDER}


def test_a_cap_lets_exactly_its_number_pass_in_order_of_due_time(database: Database, now: datetime):
    """Broken, a cap would be exceeded (I8), or the wrong messages would wait for tomorrow."""
    with database.worker() as conn:
        scene = add_scene(conn, campaign={"daily_cap": 3})
        ids = [scene.add_message(conn, due_at=now - minutes * timedelta(minutes=1)) for minutes in range(5)]
    assert verdicts(claim_now(database, ids, now)) == dict(
        zip(ids, [Verdict.CAP_REACHED] * 2 + [Verdict.OK] * 3, strict=True)
    )
    assert quotas(database) == {"workspace": 3, "campaign": 3, "sender": 3}


def test_a_message_that_one_cap_stops_takes_nothing_from_another(database: Database, now: datetime):
    """Broken, an exhausted sender would eat up the campaign's cap, and good messages would wait a day for nothing."""
    with database.worker() as conn:
        scene = add_scene(conn, campaign={"daily_cap": 2}, sender={"daily_cap": 1})
        fresh = add_sender(conn, scene.workspace_id)
        first, second = scene.add_message(conn), scene.add_message(conn)
        third = scene.add_message(conn, sender_id=fresh)
        fourth = scene.add_message(conn, sender_id=fresh)
    assert verdicts(claim_now(database, [first, second, third, fourth], now)) == {
        first: Verdict.OK,
        second: Verdict.CAP_REACHED,
        third: Verdict.OK,
        fourth: Verdict.CAP_REACHED,
    }


def test_caps_begin_anew_with_the_utc_day(database: Database, now: datetime):
    """Broken, a campaign would stop for good after its first full day."""
    with database.worker() as conn:
        scene = add_scene(conn, campaign={"daily_cap": 1})
        first, second = scene.add_message(conn), scene.add_message(conn)
    assert verdicts(claim_now(database, [first, second], now))[second] is Verdict.CAP_REACHED
    midnight = now.replace(hour=0) + timedelta(days=1)
    assert verdicts(claim_now(database, [second], midnight - timedelta(seconds=1))) == {second: Verdict.CAP_REACHED}
    assert verdicts(claim_now(database, [second], midnight)) == {second: Verdict.OK}


def quotas(database: Database) -> dict[str, int]:
    with database.worker() as conn:
        rows = conn.execute(select(tables.send_quota.c.scope, tables.send_quota.c.used)).all()
    return {row.scope: row.used for row in rows}


def test_no_cap_is_exceeded_and_none_left_unused_by_many_at_once(database: Database, now: datetime):
    """Broken, ten functions at once would send more than a cap allows (I8), or claim a message twice (I1)."""
    with database.worker() as conn:
        scene = add_scene(conn, settings={"daily_cap": 40}, campaign={"daily_cap": 25}, sender={"daily_cap": 33})
        ids = [scene.add_message(conn) for _ in range(60)]
    # Overlapping batches, so that workers fight for the same rows and the same quotas.
    batches = [ids[start : start + 12] for start in range(0, 60, 6)] * 2
    with ThreadPoolExecutor(4) as workers:
        all_claims = list(workers.map(lambda batch: claim_now(database, batch, now), batches))
    counted = Counter(claimed.stay.message_id for claims in all_claims for claimed in claims.claimed)
    assert set(counted.values()) == {1}
    assert len(counted) == 25
    assert quotas(database) == {"workspace": 25, "campaign": 25, "sender": 25}


PAUSES = {
    Verdict.CAMPAIGN_NOT_RUNNING: update(tables.campaigns).values(status=CampaignStatus.PAUSED),
    Verdict.SENDER_PAUSED: update(tables.sender_identities).values(paused_at=datetime(2026, 1, 1, tzinfo=UTC)),
}


@pytest.mark.parametrize("verdict", PAUSES)
def test_a_pause_waits_for_claims_under_way_and_binds_all_later_ones(
    database: Database, now: datetime, verdict: Verdict
):
    """Broken, mail would begin to go out after an operator's pause has been confirmed (I3)."""
    with database.worker() as conn:
        scene = add_scene(conn)
        first, second = scene.add_message(conn), scene.add_message(conn)

    def pause() -> datetime:
        with database.worker() as conn:
            conn.execute(PAUSES[verdict])
        return datetime.now(UTC)

    with ThreadPoolExecutor(1) as operator:
        with database.worker() as conn:
            claim(conn, [first], attempt_at(now))
            paused = operator.submit(pause)
            wait_until_blocked(database)
            assert not paused.done()
            claimed_at = datetime.now(UTC)
        assert paused.result(timeout=5) > claimed_at
    assert verdicts(claim_now(database, [second], now)) == {second: verdict}


def wait_until_blocked(database: Database) -> None:
    """Return once some backend waits for a lock."""
    deadline = datetime.now(UTC) + timedelta(seconds=5)
    while datetime.now(UTC) < deadline:
        with database.engine.connect() as conn:
            waiting = conn.exec_driver_sql("SELECT count(*) FROM pg_locks WHERE NOT granted").scalar_one()
        if waiting:
            return
    raise AssertionError("nobody waits")


def test_a_claim_takes_the_same_number_of_statements_for_one_and_for_many(database: Database, now: datetime):
    """Broken, sending would slow down with the size of its batches."""
    with database.worker() as conn:
        scene = add_scene(conn, campaign={"daily_cap": 1000})
        ids = [scene.add_message(conn) for _ in range(31)]
    counts = []
    for batch in (ids[:1], ids[1:]):
        statements: list[str] = []

        def count(_c: object, _cur: object, statement: str, *_: object, seen: list[str] = statements) -> None:
            seen.append(statement)

        event.listen(database.engine, "before_cursor_execute", count)
        claim_now(database, batch, now)
        event.remove(database.engine, "before_cursor_execute", count)
        counts.append(len(statements))
    assert counts == [7, 7]


def test_follow_ups_know_the_mails_before_them(database: Database, now: datetime):
    """Broken, each mail of a sequence would begin a conversation of its own in the recipient's mail program."""
    with database.worker() as conn:
        scene = add_scene(conn, sender={"email": "ada@nordlicht.example"})
        first = scene.add_message(
            conn, status=MessageStatus.SENT, sent_at=now, provider="ses", provider_message_id="0102"
        )
        told = conn.execute(select(MESSAGES).where(MESSAGES.c.id == first)).one()
        second = MessageId(new_id())
        conn.execute(
            insert(MESSAGES),
            dict(told._mapping)
            | {
                "id": second,
                "node": "again",
                "visit": 2,
                "status": "queued",
                "sent_at": None,
                "provider_message_id": None,
            },
        )
    (claimed,) = claim_now(database, [second], now).claimed
    (earlier,) = claimed.thread
    assert (earlier.message_id, earlier.sender_domain, earlier.provider_message_id) == (
        first,
        "nordlicht.example",
        "0102",
    )
