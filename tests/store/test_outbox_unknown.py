"""Messages of which nobody knows whether they were sent: each workspace says what becomes of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text, update

from cadenza.campaigns.explain import explain
from cadenza.campaigns.timeline import EntryKind, timeline
from cadenza.core import tables
from cadenza.core.ids import MessageId, new_id
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import EnrolmentStatus, MessageStatus, UnknownPolicy
from cadenza.delivery.model import LEASE, Ambiguous, Sent
from tests.store.builders import NOW, Scene
from tests.store.sending import World

BOUND = timedelta(hours=2)


@pytest.fixture
def lose(world: World) -> Callable[..., tuple[Scene, MessageId]]:
    """A message whose provider never answered, an instant before its bound is past."""

    def make(policy: UnknownPolicy, **given: Any) -> tuple[Scene, MessageId]:
        scene = world.scene(settings={"unknown_policy": policy, "unknown_bound_s": int(BOUND.total_seconds())}, **given)
        message_id = world.message(scene)
        world.ses.answer = lambda _: Ambiguous("no answer")
        world.delivery.send([message_id])
        world.ses.answer = lambda mail: Sent(f"ses-{mail.message_id}")
        world.now += LEASE + timedelta(seconds=1)
        world.upkeep.sweep()
        assert world.status(message_id) == MessageStatus.UNKNOWN
        world.now += BOUND - timedelta(seconds=1)
        world.upkeep.sweep()
        assert world.status(message_id) == MessageStatus.UNKNOWN, "the bound is not past"
        world.now += timedelta(seconds=1)
        world.hinted()
        return scene, message_id

    return make


def heard(message_id: MessageId, kind: SignalKind, at: datetime, *, hard: bool | None = None) -> SignalReported:
    return SignalReported(
        provider="ses",
        provider_event_id=f"{message_id}/{kind}",
        message_id=message_id,
        kind=kind,
        hard=hard,
        occurred_at=at,
    )


def test_by_default_it_fails_and_is_never_sent_again(world: World, lose: Any):
    """Broken, a crash could mail twice without anybody having chosen so (I1)."""
    scene = world.scene()
    with world.database.worker() as conn:
        settings = tables.automation_settings
        policy = conn.execute(select(settings.c.unknown_policy).where(settings.c.workspace_id == scene.workspace_id))
        assert policy.scalar_one() == UnknownPolicy.FAIL
    _, message_id = lose(UnknownPolicy.FAIL)
    world.upkeep.sweep()
    world.delivery.send([message_id])
    row = world.row(message_id)
    assert (row.status, row.reason, row.resends, len(world.ses.taken)) == (MessageStatus.FAILED, "unknown", 0, 1)
    assert world.enrolment(message_id).status == EnrolmentStatus.FAILED


def test_assumed_sent_the_plan_goes_on_from_the_claim(world: World, lose: Any):
    """Broken, a workspace that would rather go on would lose its enrolments, or start their clocks a day late."""
    _, message_id = lose(UnknownPolicy.ASSUME_SENT)
    world.upkeep.sweep()
    row = world.row(message_id)
    assert (row.status, row.sent_at, row.reason) == (MessageStatus.SENT, NOW, "unknown: assume_sent")
    assert world.enrolment(message_id).anchor_at == NOW
    assert world.actions(message_id) == [("no_open", NOW + timedelta(days=3))]
    assert len(world.ses.taken) == 1
    world.signals.take([heard(message_id, SignalKind.BOUNCED, NOW + timedelta(minutes=1), hard=True)])
    assert world.status(message_id) == MessageStatus.BOUNCED, "a late event still says what is true"


def test_sent_again_it_goes_out_once_more_at_most(world: World, lose: Any):
    """Broken, the choice to send again would do nothing, or would mail a person every day for ever."""
    _, message_id = lose(UnknownPolicy.RESEND)
    world.upkeep.sweep()
    row = world.row(message_id)
    assert (row.status, row.reason, row.resends) == (MessageStatus.QUEUED, "unknown: resend", 1)
    assert world.hinted() == {message_id}, "it needs no other sweep"
    world.ses.answer = lambda _: Ambiguous("no answer, again")
    world.delivery.send([message_id])
    assert (len(world.ses.taken), world.used()["workspace"]) == (2, 2), "it is charged again: both may be out"
    world.now += LEASE + BOUND + timedelta(seconds=2)
    world.upkeep.sweep()
    world.upkeep.sweep()
    row = world.row(message_id)
    assert (row.status, row.reason, row.resends) == (MessageStatus.FAILED, "unknown", 1)
    assert (world.hinted(), len(world.ses.taken)) == (set(), 2)


def test_a_second_try_that_is_taken_ends_like_any_other(world: World, lose: Any):
    """Broken, nobody could see afterwards that this person may have had the mail twice."""
    _, message_id = lose(UnknownPolicy.RESEND)
    world.upkeep.sweep()
    world.delivery.send([message_id])
    row = world.row(message_id)
    assert (row.status, row.sent_at, row.resends) == (MessageStatus.SENT, world.now, 1)
    with world.database.worker() as conn:
        told = list(timeline(conn, row.enrolment_id))
    (sent,) = [entry for entry in told if entry.kind is EntryKind.SENT]
    assert sent.detail["resends"] == 1


@pytest.mark.parametrize(
    ("kind", "status"), [(SignalKind.DELIVERED, MessageStatus.DELIVERED), (SignalKind.FAILED, MessageStatus.FAILED)]
)
def test_an_event_of_the_first_try_stops_the_second(world: World, lose: Any, kind: SignalKind, status: MessageStatus):
    """Broken, a mail that is known to have arrived, or to have been refused, would be sent again all the same."""
    _, message_id = lose(UnknownPolicy.RESEND)
    world.upkeep.sweep()
    world.signals.take([heard(message_id, kind, NOW + timedelta(seconds=3))])
    world.delivery.send([message_id])
    assert (world.status(message_id), len(world.ses.taken)) == (status, 1)
    assert world.row(message_id).reason == "settled by a provider event"


def test_an_event_about_a_message_that_was_never_handed_over_settles_nothing(world: World, now: datetime):
    """Broken, a forged or mistaken event would make us believe that a waiting mail is out."""
    message_id = world.message(world.scene())
    world.signals.take([heard(message_id, SignalKind.DELIVERED, now)])
    assert world.status(message_id) == MessageStatus.QUEUED


def test_nobody_is_written_to_again_who_has_left_meanwhile(world: World, lose: Any):
    """Broken, a person whose enrolment has ended would get the mail of its last node again."""
    _, message_id = lose(UnknownPolicy.RESEND)
    with world.database.worker() as conn:
        conn.execute(update(tables.contact_campaigns).values(status=EnrolmentStatus.STOPPED))
    world.upkeep.sweep()
    row = world.row(message_id)
    assert (row.status, row.reason, row.resends) == (MessageStatus.FAILED, "unknown", 0)


def test_the_gate_judges_a_second_try_like_a_first(world: World, lose: Any):
    """Broken, who was suppressed while a message was unknown would get it (I3)."""
    scene, message_id = lose(UnknownPolicy.RESEND)
    suppression = {"workspace_id": scene.workspace_id, "channel": "email", "created_at": NOW}
    with world.database.worker() as conn:
        address = conn.execute(text("SELECT lower(email) FROM contacts")).scalar_one()
        conn.execute(insert(tables.suppressions), {"id": new_id(), "address": address, **suppression})
    world.upkeep.sweep()
    world.delivery.send([message_id])
    assert (world.row(message_id).reason, len(world.ses.taken)) == ("suppressed", 1)


@pytest.mark.parametrize(
    ("policy", "then"),
    [
        (UnknownPolicy.FAIL, "it fails, and is not sent again"),
        (UnknownPolicy.ASSUME_SENT, "it counts as sent"),
        (UnknownPolicy.RESEND, "it is sent once more"),
    ],
)
def test_explain_says_what_will_become_of_it(world: World, lose: Any, policy: UnknownPolicy, then: str):
    """Broken, an operator could not see whether a person may get a mail twice."""
    scene, message_id = lose(policy)
    with world.database.workspace(scene.workspace_id) as conn:
        told = explain(conn, world.row(message_id).enrolment_id, world.now)
    (block,) = [block for block in told.blocked_by if block.gate == "attempt"]
    assert block.reason.endswith(then)
