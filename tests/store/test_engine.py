"""The engine on real Postgres: decisions are written once, whole and in a constant number of statements."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from cadenza.campaigns import invariants
from cadenza.core.db import Database
from cadenza.core.ids import EnrolmentId
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import CampaignStatus, EnrolmentStatus, LeadStatus
from cadenza.delivery.outcomes import record
from cadenza.engine import actions, store
from cadenza.engine.apply import FollowUp, apply, apply_locked
from cadenza.engine.completion import complete_campaigns
from cadenza.engine.model import Due, Enrol, Halt, Sent
from tests.store import builders
from tests.store.builders import Scene

DAY = timedelta(days=1)


@pytest.fixture
def scene(database: Database) -> Scene:
    """A running campaign with a plan of two mails."""
    with database.worker() as conn:
        return builders.add_scene(conn)


def enrol(conn: Connection, scene: Scene, count: int = 1) -> list[EnrolmentId]:
    """Draft enrolments of new people."""
    lead_id = builders.add_lead(conn, scene.workspace_id)
    conn.execute(
        text("INSERT INTO campaign_leads VALUES (:campaign, :lead, :workspace, :now)"),
        {
            "campaign": scene.campaign_id,
            "lead": lead_id,
            "workspace": scene.workspace_id,
            "now": builders.NOW,
        },
    )
    return [
        builders.add_enrolment(
            conn,
            scene.workspace_id,
            scene.campaign_id,
            builders.add_contact(conn, scene.workspace_id, lead_id),
            scene.plan_id,
            status=EnrolmentStatus.DRAFT,
            current_node="",
            visit=0,
            entered_at=None,
        )
        for _ in range(count)
    ]


def run_due(conn: Connection, now: datetime) -> FollowUp:
    """What `Engine.run_due` does inside its transaction, for everything that is due."""
    ids = list(conn.execute(text("SELECT id FROM scheduled_actions WHERE due_at <= :now"), {"now": now}).scalars())
    enrolments = store.lock(conn, actions.enrolments_of(conn, ids), now)
    stimuli = [
        (action.enrolment_id, Due(action.kind, action.node, action.visit, action.event, action.due_at))
        for action in actions.live_actions(conn, ids)
    ]
    return apply_locked(conn, enrolments, stimuli, now)


def rows(conn: Connection, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """A query's rows as tuples."""
    return [tuple(row) for row in conn.execute(text(query), parameters)]


def assert_invariants(conn: Connection, now: datetime) -> None:
    """No invariant that rows can show is broken."""
    assert [finding for finding in invariants.check(conn, now) if finding.violations] == []


@contextmanager
def counted(database: Database) -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(database.engine, "before_cursor_execute", note)


def test_a_mail_follows_from_enrolment_and_a_timeout_from_the_mail(database: Database, scene: Scene) -> None:
    """If it failed, a campaign would not get past its first step."""
    now = builders.NOW
    with database.worker() as conn:
        (enrolment_id,) = enrol(conn, scene)
        follow_up = apply(conn, [(enrolment_id, Enrol())], now)
        assert [action.due_at for action in follow_up.actions] == [now]
        follow_up = run_due(conn, now)
        assert len(follow_up.messages) == 1
        conn.execute(text("UPDATE outbound_messages SET status = 'sent', sent_at = :now"), {"now": now})
        follow_up = apply(conn, [(enrolment_id, Sent("intro", 1, now))], now)
        assert [action.due_at for action in follow_up.actions] == [now + 3 * DAY]
        run_due(conn, now + 3 * DAY)
        assert rows(conn, "SELECT seq, to_node, cause FROM campaign_transitions ORDER BY seq") == [
            (1, "intro", "enrolled"),
            (2, "again", "no_open"),
        ]
        assert_invariants(conn, now + 3 * DAY)


def test_a_repeated_due_action_does_nothing(database: Database, scene: Scene) -> None:
    """If it failed, a repeated queue message would send a mail twice (I1)."""
    now = builders.NOW
    with database.worker() as conn:
        (enrolment_id,) = enrol(conn, scene)
        apply(conn, [(enrolment_id, Enrol())], now)
        assert len(run_due(conn, now).messages) == 1
        assert run_due(conn, now) == FollowUp()
        assert rows(conn, "SELECT count(*) FROM outbound_messages") == [(1,)]


def test_two_workers_run_the_same_action_once(database: Database, scene: Scene) -> None:
    """If it failed, two Lambda invocations with the same hint would both queue the mail (I1)."""
    now = builders.NOW
    with database.worker() as conn:
        for enrolment_id in enrol(conn, scene, 20):
            apply(conn, [(enrolment_id, Enrol())], now)
    queued: list[int] = []
    barrier = threading.Barrier(4)

    def work() -> None:
        barrier.wait()
        with database.worker() as conn:
            queued.append(len(run_due(conn, now).messages))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(queued) == 20
    with database.worker() as conn:
        assert rows(conn, "SELECT count(*), count(DISTINCT enrolment_id) FROM outbound_messages") == [(20, 20)]
        assert_invariants(conn, now)


@pytest.mark.parametrize("count", [1, 50])
def test_a_batch_of_signals_takes_a_constant_number_of_statements(database: Database, scene: Scene, count: int) -> None:
    """If it failed, a flood of events would take the database down with it."""
    now = builders.NOW
    with database.worker() as conn:
        messages = [
            scene.add_message(conn, status="sent", sent_at=now, enrolment={"anchor_at": now}) for _ in range(count)
        ]
    signals = [
        SignalReported(
            provider="p",
            provider_event_id=f"{kind}-{message_id}",
            message_id=message_id,
            kind=kind,
            occurred_at=now + timedelta(minutes=minutes),
        )
        for message_id in messages
        for minutes, kind in ((1, SignalKind.DELIVERED), (3, SignalKind.OPENED), (4, SignalKind.REPLIED))
    ]
    with counted(database) as sent, database.worker() as conn:
        record(conn, signals, now + timedelta(minutes=5))
    assert len(sent) <= 12
    with database.worker() as conn:
        assert rows(conn, "SELECT DISTINCT status, reason FROM contact_campaigns") == [("completed", "stop node end")]


def test_a_repeated_signal_changes_nothing(database: Database, scene: Scene) -> None:
    """If it failed, a provider's retry would move a plan twice (I6)."""
    now = builders.NOW
    with database.worker() as conn:
        message_id = scene.add_message(conn, status="sent", sent_at=now, enrolment={"anchor_at": now})
    signal = SignalReported(
        provider="p", provider_event_id="1", message_id=message_id, kind=SignalKind.REPLIED, occurred_at=now + DAY
    )
    for _ in range(3):
        with database.worker() as conn:
            record(conn, [signal, signal], now + DAY)
    with database.worker() as conn:
        assert rows(conn, "SELECT count(*) FROM message_events") == [(1,)]
        assert rows(conn, "SELECT count(*), max(to_status) FROM campaign_transitions") == [(1, "stopped")]


def test_a_late_delivery_never_covers_up_a_bounce(database: Database, scene: Scene) -> None:
    """If it failed, a bounced address would look healthy and be written to again (I10)."""
    now = builders.NOW
    with database.worker() as conn:
        message_id = scene.add_message(conn, status="sent", sent_at=now, enrolment={"anchor_at": now})

    def report(kind: SignalKind, hard: bool | None = None) -> None:
        with database.worker() as conn:
            signal = SignalReported(
                provider="p", provider_event_id=kind, message_id=message_id, kind=kind, occurred_at=now, hard=hard
            )
            record(conn, [signal], now)

    report(SignalKind.BOUNCED, hard=True)
    report(SignalKind.DELIVERED)
    with database.worker() as conn:
        assert rows(conn, "SELECT status FROM outbound_messages") == [("bounced",)]
        assert rows(conn, "SELECT channel, reason FROM suppressions") == [("email", "hard bounce")]
        assert rows(conn, "SELECT status FROM contact_campaigns") == [("stopped",)]


def test_an_event_settles_a_message_whose_answer_was_lost(database: Database, scene: Scene) -> None:
    """If it failed, a mail that went out would be forgotten, and its timers never started."""
    now = builders.NOW
    with database.worker() as conn:
        message_id = scene.add_message(conn, status="unknown")
        signal = SignalReported(
            provider="p", provider_event_id="1", message_id=message_id, kind=SignalKind.DELIVERED, occurred_at=now
        )
        follow_up = record(conn, [signal], now + DAY)
        assert rows(conn, "SELECT status, sent_at FROM outbound_messages") == [("delivered", now)]
        assert [action.due_at for action in follow_up.actions] == [now + 3 * DAY]


def test_a_campaign_completes_when_the_last_thing_is_final_and_not_before(database: Database, scene: Scene) -> None:
    """If it failed, "finished" would be shown with mail unsent, or never (I4)."""
    now = builders.NOW
    with database.worker() as conn:
        one, other = enrol(conn, scene, 2)
        apply(conn, [(one, Enrol()), (other, Enrol())], now)
        apply(conn, [(one, Halt(now, "operator", "not interested"))], now)
        assert complete_campaigns(conn, [scene.campaign_id], now) == []
        run_due(conn, now)
        apply(conn, [(other, Halt(now, "operator", "not interested"))], now)
        conn.execute(text("UPDATE leads SET status = 'crawling'"))
        assert complete_campaigns(conn, [scene.campaign_id], now) == []
        conn.execute(text("UPDATE leads SET status = :done"), {"done": LeadStatus.ANALYZED})
        assert complete_campaigns(conn, None, now) == [scene.campaign_id]
        assert rows(conn, "SELECT status FROM outbound_messages") == [("skipped",)]
        assert_invariants(conn, now)


def test_claiming_takes_what_is_due_of_running_campaigns_only(database: Database, scene: Scene) -> None:
    """If it failed, a wake would hand on a paused campaign's work, or miss what is due."""
    now = builders.NOW
    with database.worker() as conn:
        (enrolment_id,) = enrol(conn, scene)
        apply(conn, [(enrolment_id, Enrol())], now)
        actions.put_back(conn, [row.id for row in conn.execute(text("SELECT id FROM scheduled_actions"))])
        conn.execute(text("UPDATE campaigns SET status = :paused"), {"paused": CampaignStatus.PAUSED})
        assert actions.claim_due(conn, now + DAY, now) == ()
        conn.execute(text("UPDATE campaigns SET status = :running"), {"running": CampaignStatus.RUNNING})
        assert len(actions.claim_due(conn, now + DAY, now)) == 1
        assert actions.claim_due(conn, now + DAY, now) == ()
        assert len(actions.reclaim_lost(conn, now + DAY, now + 2 * DAY)) == 1


def test_invariants_notice_what_is_broken(database: Database, scene: Scene) -> None:
    """If it failed, the checks would say ok whatever the tables hold."""
    now = builders.NOW
    with database.worker() as conn:
        one, other = enrol(conn, scene, 2)
        apply(conn, [(one, Enrol()), (other, Enrol())], now)
        assert_invariants(conn, now)
        conn.execute(text("UPDATE contact_campaigns SET current_node = 'again' WHERE id = :id"), {"id": one})
        conn.execute(text("UPDATE campaigns SET status = 'completed'"))
        draft = "UPDATE contact_campaigns SET status = 'draft', approval = 'wanted' WHERE id = :id"
        conn.execute(text(draft), {"id": other})
        broken = {finding.name.split()[0]: finding.violations for finding in invariants.check(conn, now)}
        assert broken == {"I1": 0, "I2": 2, "I4": 1, "I5": 2, "I6": 0, "I11": 1}
