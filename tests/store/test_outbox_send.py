"""Sending, once: whatever dies, whenever it dies, no message is handed over twice and none is forgotten."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from threading import Barrier
from typing import Any

import boto3
import pytest
from sqlalchemy import insert, select, update

from cadenza.core import tables
from cadenza.core.errors import Retryable
from cadenza.core.ids import new_id
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import CampaignStatus, EnrolmentStatus, MessageStatus
from cadenza.delivery import outbox
from cadenza.delivery.gate import claim
from cadenza.delivery.model import LEASE, Ambiguous, Attempt, Mail, Outcome, Rejected, Sent
from tests.store.builders import PLAN
from tests.store.sending import Crash, World


def test_a_due_message_is_sent_and_its_plan_goes_on(world: World, now: datetime):
    """Broken, the person would get no mail, or the plan's clock would not start with it."""
    message_id = world.message(world.scene())
    world.delivery.send([message_id])
    row = world.row(message_id)
    assert (row.status, row.sent_at, row.provider, row.provider_message_id) == (
        MessageStatus.SENT,
        now,
        "ses",
        f"ses-{message_id}",
    )
    assert row.subject == "An idea for Acme Logistics"
    assert world.enrolment(message_id).anchor_at == now
    assert world.actions(message_id) == [("no_open", now + timedelta(days=3))]
    assert world.ses.closed == 1


def test_repeating_a_send_sends_nothing_more(world: World):
    """Broken, a queue that delivers twice would mail twice (I1)."""
    message_id = world.message(world.scene())
    world.delivery.send([message_id, message_id])
    world.delivery.send([message_id])
    assert len(world.ses.taken) == 1


def test_many_at_once_send_each_message_once(world: World):
    """Broken, functions that run side by side would mail twice (I1)."""
    scene = world.scene()
    ids = [world.message(scene) for _ in range(12)]
    start = Barrier(4)

    def send() -> None:
        start.wait()
        world.delivery.send(ids)

    with ThreadPoolExecutor(4) as workers:
        for done in [workers.submit(send) for _ in range(4)]:
            done.result(timeout=30)
    assert sorted(mail.message_id for mail in world.ses.taken) == sorted(ids)
    assert {world.status(message_id) for message_id in ids} == {MessageStatus.SENT}


@pytest.mark.parametrize("was_taken", [True, False])
def test_a_process_that_dies_in_the_call_leaves_the_message_to_be_settled(world: World, now: datetime, was_taken: bool):
    """Broken, a crash would mail twice, or leave a campaign open for ever (I1, I4)."""
    message_id = world.message(world.scene())

    def die(_: Mail) -> Outcome:
        raise Crash

    world.ses.answer = die
    with pytest.raises(Crash):
        world.delivery.send([message_id])
    assert world.status(message_id) == MessageStatus.SENDING

    world.delivery.send([message_id])
    assert len(world.ses.taken) == 1

    world.now = now + LEASE
    world.upkeep.sweep()
    assert world.status(message_id) == MessageStatus.SENDING
    world.now = now + LEASE + timedelta(seconds=1)
    world.upkeep.sweep()
    assert world.status(message_id) == MessageStatus.UNKNOWN

    if was_taken:
        delivered = SignalReported(
            provider="ses",
            provider_event_id="event-1",
            message_id=message_id,
            kind=SignalKind.DELIVERED,
            occurred_at=now + timedelta(seconds=2),
        )
        world.signals.take([delivered])
        assert world.status(message_id) == MessageStatus.DELIVERED
        assert world.enrolment(message_id).anchor_at == now + timedelta(seconds=2)
    else:
        world.now += timedelta(days=1)
        world.upkeep.sweep()
        row = world.row(message_id)
        assert (row.status, row.reason) == (MessageStatus.FAILED, "unknown")
    world.delivery.send([message_id])
    assert len(world.ses.taken) == 1


def test_an_event_settles_a_message_before_its_lease_ends(world: World, now: datetime):
    """Broken, the answer that comes after the provider's own event would send the plan's clock back."""
    message_id = world.message(world.scene())

    def answered_late(mail: Mail) -> Outcome:
        world.signals.take(
            [
                SignalReported(
                    provider="ses",
                    provider_event_id="event-1",
                    message_id=mail.message_id,
                    kind=SignalKind.BOUNCED,
                    hard=True,
                    occurred_at=now,
                )
            ]
        )
        world.now = now + timedelta(seconds=10)
        return Sent("0102")

    world.ses.answer = answered_late
    world.delivery.send([message_id])
    row = world.row(message_id)
    assert (row.status, row.provider_message_id, row.sent_at) == (MessageStatus.BOUNCED, "0102", now)


def test_nobody_knows_is_neither_sent_nor_failed(world: World):
    """Broken, a lost answer would be taken for a refusal, and the mail be sent again (I1)."""
    message_id = world.message(world.scene())
    world.ses.answer = lambda _: Ambiguous("SES: ReadTimeoutError")
    world.delivery.send([message_id])
    row = world.row(message_id)
    assert (row.status, row.reason) == (MessageStatus.SENDING, "SES: ReadTimeoutError")
    assert world.used() == {"workspace": 1, "campaign": 1, "sender": 1}


def test_an_unexpected_error_of_a_provider_is_ambiguous(world: World):
    """Broken, a bug in a provider would mail twice (I1)."""
    scene = world.scene()
    message_id, other = world.message(scene), world.message(scene)

    def break_once(mail: Mail) -> Outcome:
        if mail.message_id == message_id:
            raise KeyError("MessageId")
        return Sent("0102")

    world.ses.answer = break_once
    world.delivery.send([message_id, other])
    assert (world.status(message_id), world.status(other)) == (MessageStatus.SENDING, MessageStatus.SENT)


def test_a_refusal_is_final_and_costs_no_cap(world: World):
    """Broken, the plan would wait for ever for a mail that cannot be sent, or bad addresses would eat the cap."""
    message_id = world.message(world.scene())
    world.ses.answer = lambda _: Rejected("SES: MessageRejected: no")
    world.delivery.send([message_id])
    row = world.row(message_id)
    assert (row.status, row.reason) == (MessageStatus.FAILED, "SES: MessageRejected: no")
    assert world.used() == {"workspace": 0, "campaign": 0, "sender": 0}
    assert world.enrolment(message_id).status != EnrolmentStatus.ACTIVE


def test_a_throttled_provider_gets_its_messages_later(world: World):
    """Broken, a burst would lose mail, or use up a cap without sending."""
    scene = world.scene()
    ids = [world.message(scene) for _ in range(3)]

    def throttle(mail: Mail) -> Outcome:
        if mail.message_id == ids[0]:
            return Sent("0102")
        raise Retryable("SES: TooManyRequestsException")

    world.ses.answer = throttle
    with pytest.raises(Retryable, match="TooManyRequests"):
        world.delivery.send(ids)
    assert [world.status(message_id) for message_id in ids] == ["sent", "queued", "queued"]
    assert len(world.ses.taken) == 2, "the third would have met the same trouble"
    assert world.used() == {"workspace": 1, "campaign": 1, "sender": 1}
    world.ses.answer = lambda _: Sent("0103")
    world.delivery.send(ids)
    assert {world.status(message_id) for message_id in ids} == {MessageStatus.SENT}


def test_caps_given_back_after_midnight_are_yesterdays(world: World, now: datetime):
    """Broken, a throttled night would let more out on the next day than its cap allows (I8)."""
    message_id = world.message(world.scene(campaign={"daily_cap": 1}))
    world.now = now.replace(hour=23, minute=59)

    def throttle(_: Mail) -> Outcome:
        world.now = now + timedelta(days=1)
        raise Retryable("SES: TooManyRequestsException")

    world.ses.answer = throttle
    with pytest.raises(Retryable):
        world.delivery.send([message_id])
    with world.database.worker() as conn:
        rows = conn.execute(select(tables.send_quota.c.day, tables.send_quota.c.used)).all()
    assert set(rows) == {(now.date(), 0)}


def test_a_skipped_message_moves_its_plan_on(world: World):
    """Broken, an enrolment would wait for ever for a mail that is never sent (I4)."""
    message_id = world.message(world.scene(), contact={"email": None})
    world.delivery.send([message_id])
    assert world.status(message_id) == MessageStatus.SKIPPED
    assert world.enrolment(message_id).status != EnrolmentStatus.ACTIVE
    assert world.ses.taken == []


def test_a_text_that_cannot_be_rendered_is_refused_and_not_sent(world: World):
    """Broken, people would read "Hi {{nmae}}"."""
    plan = PLAN | {"nodes": [PLAN["nodes"][0] | {"body": "Hi {{nmae}}"}, *PLAN["nodes"][1:]]}
    message_id = world.message(world.scene(plan=plan))
    world.delivery.send([message_id])
    row = world.row(message_id)
    assert (row.status, row.reason) == (MessageStatus.FAILED, "unknown variable 'nmae'")
    assert world.ses.taken == []


def test_what_a_cap_stops_goes_out_the_next_day_in_its_window(world: World, now: datetime):
    """Broken, capped mail would be lost, or go out at night (I7)."""
    plan = PLAN | {"quietHours": {"start": "20:00", "end": "08:00"}}
    scene = world.scene(plan=plan, campaign={"daily_cap": 1})
    ids = [world.message(scene) for _ in range(2)]
    world.delivery.send(ids)
    waiting = next(message_id for message_id in ids if world.status(message_id) == MessageStatus.QUEUED)
    row = world.row(waiting)
    eight_in_berlin = now.replace(hour=7) + timedelta(days=1)
    assert (row.due_at, row.closes_at) == (eight_in_berlin, eight_in_berlin + timedelta(hours=12))
    assert row.reason.startswith("cap_reached; quiet hours")
    assert "wake-20260114T0700" in world.wakes()
    world.delivery.send([waiting])
    assert world.row(waiting).reason == row.reason, "asking too early tells nothing new"
    world.hinted()
    world.now = eight_in_berlin
    world.upkeep.wake(eight_in_berlin)
    assert world.hinted() == {waiting}
    world.delivery.send([waiting])
    assert world.status(waiting) == MessageStatus.SENT


def test_a_message_that_missed_its_window_waits_for_the_next(world: World, now: datetime):
    """Broken, a delayed queue would send mail at night (I7)."""
    plan = PLAN | {"workingHours": {"start": "09:00", "end": "11:30"}, "version": "1.1"}
    message_id = world.message(world.scene(plan=plan), closes_at=now + timedelta(minutes=30))
    world.now = now + timedelta(minutes=30)
    world.delivery.send([message_id])
    row = world.row(message_id)
    assert (row.status, row.due_at) == (MessageStatus.QUEUED, now.replace(hour=8) + timedelta(days=1))


def test_a_hint_that_comes_early_comes_back_in_time(world: World, now: datetime):
    """Broken, a resumed campaign would wait for the next sweep with what is due in a minute."""
    message_id = world.message(world.scene(), due_at=now + timedelta(seconds=1))
    world.delivery.send([message_id])
    assert world.status(message_id) == MessageStatus.QUEUED
    queue = boto3.client("sqs").get_queue_attributes(
        QueueUrl=world.queue_url, AttributeNames=["ApproximateNumberOfMessagesDelayed"]
    )
    assert queue["Attributes"]["ApproximateNumberOfMessagesDelayed"] == "1"


def test_the_sweep_repeats_lost_hints_and_leaves_paused_campaigns_alone(world: World, now: datetime):
    """Broken, a message whose hint was lost would never be sent (I2)."""
    lost = world.message(world.scene(), enqueued_at=now - timedelta(minutes=21))
    fresh = world.message(world.scene(), enqueued_at=now - timedelta(minutes=19))
    paused = world.message(world.scene(campaign={"status": CampaignStatus.PAUSED}), enqueued_at=None)
    world.upkeep.sweep()
    assert world.hinted() == {lost}
    world.upkeep.sweep()
    assert world.hinted() == set()
    assert {world.status(message_id) for message_id in (lost, fresh, paused)} == {MessageStatus.QUEUED}


def test_the_last_message_completes_its_campaign(world: World, now: datetime):
    """Broken, a campaign of which everything is done would stay open (I4)."""
    plan = PLAN | {"nodes": [{"id": "intro", "action": "send", "subject": "Hi", "body": "Hi {{name}}"}]}
    scene = world.scene(plan=plan)
    message_id = world.message(scene)
    with world.database.worker() as conn:
        lead_id = conn.execute(select(tables.leads.c.id)).scalar_one()
        conn.execute(
            insert(tables.campaign_leads),
            {
                "campaign_id": scene.campaign_id,
                "lead_id": lead_id,
                "workspace_id": scene.workspace_id,
                "created_at": now,
            },
        )
    world.delivery.send([message_id])
    with world.database.worker() as conn:
        status = conn.execute(select(tables.campaigns.c.status)).scalar_one()
    assert (world.enrolment(message_id).status, status) == (EnrolmentStatus.COMPLETED, CampaignStatus.COMPLETED)


def test_a_failure_while_recording_is_overcome(world: World, monkeypatch: pytest.MonkeyPatch):
    """Broken, one deadlock after a batch would leave mail that is out recorded as unknown."""
    message_id = world.message(world.scene())
    record, failures = outbox.record, iter([Retryable("database: 40P01")])

    def unlucky(*args: Any) -> outbox.Recorded:
        for failure in failures:
            raise failure
        return record(*args)

    monkeypatch.setattr(outbox, "record", unlucky)
    world.delivery.send([message_id])
    assert world.status(message_id) == MessageStatus.SENT


def test_an_answer_that_comes_after_the_lease_still_counts(world: World, now: datetime):
    """Broken, a slow provider's mail would be reported as failed a day after it was read."""
    message_id = world.message(world.scene())

    def answer_late(_: Mail) -> Outcome:
        world.now = now + LEASE + timedelta(seconds=1)
        world.upkeep.sweep()
        assert world.status(message_id) == MessageStatus.UNKNOWN
        return Sent("0102")

    world.ses.answer = answer_late
    world.delivery.send([message_id])
    row = world.row(message_id)
    assert (row.status, row.provider_message_id) == (MessageStatus.SENT, "0102")


def test_only_the_holder_of_an_attempt_may_end_it(world: World, now: datetime):
    """Broken, a function that was given up for dead could undo what was settled after it."""
    message_id = world.message(world.scene())
    attempt = Attempt(new_id(), now, now + LEASE)
    with world.database.worker() as conn:
        claim(conn, [message_id], attempt)
    stranger = Attempt(new_id(), now, now + LEASE)
    with world.database.worker() as conn:
        assert outbox.release(conn, stranger, {message_id: "away"}) == []
        assert outbox.release(conn, attempt, {message_id: "away"}) == [message_id]
        assert outbox.release(conn, attempt, {message_id: "away"}) == []


def test_an_erased_contact_is_not_written_to(world: World):
    """Broken, a person who had their data deleted could still get mail."""
    message_id = world.message(world.scene())
    with world.database.worker() as conn:
        conn.execute(update(tables.contacts).values(email=None))
    world.delivery.send([message_id])
    assert world.row(message_id).reason == "no_address"
