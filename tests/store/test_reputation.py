"""Reputation: campaigns and senders that bounce or are complained about too often stop by themselves."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, select, update

from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import MessageId, new_id
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import CampaignStatus, MessageStatus
from cadenza.delivery.gate import claim
from cadenza.delivery.model import Attempt, Verdict
from cadenza.delivery.outcomes import record
from cadenza.delivery.reputation import Paused, forgive, guard, judge
from tests.store.builders import Scene, add_scene

DAY = timedelta(days=1)
MESSAGES = tables.outbound_messages


def sent(database: Database, scene: Scene, count: int, at: datetime) -> list[MessageId]:
    """So many messages of the scene that are out, counted as the gate counts them."""
    with database.worker() as conn:
        ids = [
            scene.add_message(conn, status=MessageStatus.SENT, sent_at=at, claimed_at=at, provider="ses")
            for _ in range(count)
        ]
        charge(conn, scene, count, at)
    return ids


def charge(conn: Connection, scene: Scene, count: int, at: datetime) -> None:
    for scope, scope_id in (("campaign", scene.campaign_id), ("sender", scene.sender_id)):
        row = {"scope": scope, "scope_id": scope_id, "day": at.date(), "workspace_id": scene.workspace_id}
        conn.execute(insert(tables.send_quota), row | {"used": count})


def reported(
    database: Database, kind: SignalKind, ids: Sequence[MessageId], now: datetime, *, hard: bool | None = True
) -> list[SignalReported]:
    """The provider says so of these messages, and it is taken in as `SignalIntake` does it."""
    signals = [
        SignalReported(
            provider="ses",
            provider_event_id=f"{kind}-{message_id}",
            message_id=message_id,
            kind=kind,
            occurred_at=now,
            hard=hard if kind is SignalKind.BOUNCED else None,
        )
        for message_id in ids
    ]
    with database.worker() as conn:
        record(conn, signals, now)
    guard(database, signals, now)
    return signals


def standing(database: Database) -> tuple[str, str, bool, str]:
    """The campaign's status and its reason, whether the sender is paused, and why."""
    with database.worker() as conn:
        campaign = conn.execute(select(tables.campaigns)).one()
        sender = conn.execute(select(tables.sender_identities)).one()
    return campaign.status, campaign.status_reason, sender.paused_at is not None, sender.paused_reason


RUNNING = (CampaignStatus.RUNNING, "", False, "")


def scene_of(database: Database, **settings: Any) -> Scene:
    with database.worker() as conn:
        return add_scene(conn, settings={"reputation_min_sent": 20, **settings})


def test_too_many_bounces_pause_the_campaign_and_the_sender(database: Database, now: datetime):
    """Broken, a bad list would be mailed to its end, and the account's right to send would go with it."""
    scene = scene_of(database)
    ids = sent(database, scene, 25, now)
    reported(database, SignalKind.BOUNCED, ids[:1], now)
    assert standing(database) == RUNNING, "one is an accident: 4 % of 25, and no verdict"
    reported(database, SignalKind.BOUNCED, ids[1:2], now)
    why = "paused automatically: 2 of 25 messages bounced (8.00%)"
    assert standing(database) == (CampaignStatus.PAUSED, why, True, why)
    with database.worker() as conn:
        late = scene.add_message(conn)
        (judged,) = claim(conn, [late], Attempt(new_id(), now, now + DAY)).waiting
    assert judged.verdict is Verdict.CAMPAIGN_NOT_RUNNING, "from its commit on nothing passes the gate (I3)"


def test_complaints_weigh_more_than_bounces(database: Database, now: datetime):
    """Broken, people would go on calling it spam until the provider stops everybody."""
    scene = scene_of(database)
    ids = sent(database, scene, 60, now)
    reported(database, SignalKind.COMPLAINED, ids[:2], now)
    status, why, paused, _ = standing(database)
    assert (status, paused) == (CampaignStatus.PAUSED, True)
    assert why == "paused automatically: 2 of 60 messages brought complaints (3.33%)"


@pytest.mark.parametrize("case", ["few sent", "soft", "low rate", "long ago", "switched off"])
def test_what_is_no_verdict(database: Database, now: datetime, case: str):
    """Broken, a campaign would stop for a full mailbox, for its first mails, or for what was last month."""
    settings = {"max_bounce_percent": None} if case == "switched off" else {}
    scene = scene_of(database, **settings)
    at = now - 8 * DAY if case == "long ago" else now
    ids = sent(database, scene, {"few sent": 10, "low rate": 51}.get(case, 25), at)
    reported(database, SignalKind.BOUNCED, ids[:2], now, hard=case != "soft")
    assert standing(database) == RUNNING


def test_a_repeated_report_pauses_if_the_first_one_died(database: Database, now: datetime):
    """Broken, a process that dies between the record and the pause would lose the pause."""
    scene = scene_of(database)
    ids = sent(database, scene, 25, now)
    signals = reported(database, SignalKind.BOUNCED, ids[:1], now)
    with database.worker() as conn:  # recorded, and then nothing
        more = [signals[0].model_copy(update={"message_id": ids[1], "provider_event_id": "x"})]
        record(conn, more, now)
    assert standing(database) == RUNNING
    with database.worker() as conn:
        record(conn, more, now)
    guard(database, more, now)
    assert standing(database)[0] == CampaignStatus.PAUSED


def test_after_a_resume_the_old_events_do_not_pause_again(database: Database, now: datetime):
    """Broken, an operator could never resume: the next late report would pause at once."""
    scene = scene_of(database)
    ids = sent(database, scene, 40, now)
    reported(database, SignalKind.BOUNCED, ids[:4], now)
    resumed_at = now + timedelta(hours=1)
    with database.worker() as conn:
        conn.execute(update(tables.campaigns).values(status=CampaignStatus.RUNNING, resumed_at=resumed_at))
        conn.execute(update(tables.sender_identities).values(paused_at=None, paused_reason="", resumed_at=resumed_at))
        forgive(conn, "campaign", scene.campaign_id)
        forgive(conn, "sender", scene.sender_id)
    # Late reports of what went out before count for nothing,
    later = now + timedelta(hours=2)
    reported(database, SignalKind.BOUNCED, ids[4:8], later)
    assert standing(database)[0] == CampaignStatus.RUNNING
    # and what goes out afterwards is measured by itself.
    with database.worker() as conn:
        fresh = [scene.add_message(conn, status=MessageStatus.SENT, sent_at=later, claimed_at=later) for _ in range(30)]
        quota = tables.send_quota
        conn.execute(update(quota).values(used=quota.c.used + 30))
    reported(database, SignalKind.BOUNCED, fresh[:2], later)
    assert standing(database)[1] == "paused automatically: 2 of 30 messages bounced (6.67%)"


def test_a_sender_is_judged_over_all_its_campaigns(database: Database, now: datetime):
    """Broken, an address could go bad a little in each campaign, and never be noticed."""
    scene = scene_of(database)
    with database.worker() as conn:
        other = add_scene(conn)
    ids = sent(database, scene, 15, now)
    with database.worker() as conn:
        conn.execute(
            update(tables.send_quota)
            .where(tables.send_quota.c.scope == "sender", tables.send_quota.c.scope_id == scene.sender_id)
            .values(used=30)
        )
    sent(database, other, 25, now)
    reported(database, SignalKind.BOUNCED, ids[:2], now)
    with database.worker() as conn:
        campaigns = conn.execute(select(tables.campaigns.c.status)).scalars().all()
        senders = {row.id: row.paused_at for row in conn.execute(select(tables.sender_identities))}
    assert set(campaigns) == {CampaignStatus.RUNNING}, "15 are too few for a campaign's verdict"
    assert senders[scene.sender_id] == now
    assert senders[other.sender_id] is None


def test_a_pause_is_made_once(database: Database, now: datetime):
    """Broken, each further bounce would ring the alarm, and write over an operator's own reason."""
    scene = scene_of(database)
    ids = sent(database, scene, 25, now)
    with database.worker() as conn:
        conn.execute(update(MESSAGES).where(MESSAGES.c.id.in_(ids[:4])).values(status=MessageStatus.COMPLAINED))
        first, again = judge(conn, ids[:4], now), judge(conn, ids[:4], now)
    reason = "paused automatically: 4 of 25 messages brought complaints (16.00%)"
    assert first == [Paused("campaign", scene.campaign_id, reason), Paused("sender", scene.sender_id, reason)]
    assert again == []
