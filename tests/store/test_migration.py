"""Moving enrolments to another version of their plan, on real Postgres, as the API's role: previewed, then done."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import URL

from cadenza.campaigns.migration import BATCH, PREVIEW_LIFE, Migrations
from cadenza.campaigns.migration_model import Migration, MigrationPreview, WantedMigration
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, InvalidInput, NotFound
from cadenza.core.ids import CampaignId, EnrolmentId, MessageId, new_id
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import CampaignStatus, EnrolmentStatus, MessageStatus
from cadenza.delivery.outcomes import record
from cadenza.engine.apply import FollowUp, apply
from cadenza.engine.model import Enrol, Halt, Sent
from tests.store.builders import NOW, PLAN, Scene, add_plan, add_scene
from tests.store.drafting import Noted
from tests.store.test_engine import assert_invariants, counted, enrol, rows, run_due

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)


def changed(**nodes: Mapping[str, Any]) -> dict[str, Any]:
    """The builders' plan with other fields in some nodes."""
    return {**PLAN, "nodes": [node | nodes.get(node["id"], {}) for node in PLAN["nodes"]]}


PATIENT = changed(intro={"transitions": [{"on": "no_open", "to": "again", "after": "P5D"}]})
"""It waits five days for an open instead of three."""

LATER = changed(intro={"schedule": {"delay": "P2D"}})

RENAMED: dict[str, Any] = {**PATIENT, "startNodeId": "hello"}
RENAMED["nodes"] = [PATIENT["nodes"][0] | {"id": "hello"}, *PATIENT["nodes"][1:]]


@dataclass
class Desk:
    """A workspace's migrations with a clock that tests set."""

    database: Database
    migrations: Migrations
    scene: Scene
    noted: Noted
    now: list[datetime] = field(default_factory=lambda: [NOW])

    def preview(self, plan: Mapping[str, Any], **given: Any) -> MigrationPreview:
        """What would happen."""
        return self.migrations.preview(self.scene.campaign_id, WantedMigration(plan=dict(plan), **given))

    def migrate(self, plan: Mapping[str, Any], token: str, **given: Any) -> Migration:
        """Do it."""
        return self.migrations.migrate(self.scene.campaign_id, WantedMigration(plan=dict(plan), **given), token)

    def move(self, plan: Mapping[str, Any], **given: Any) -> Migration:
        """Preview, migrate, and see that what was shown was done."""
        preview = self.preview(plan, **given)
        done = self.migrate(plan, preview.token, **given)
        assert done.items == preview.items
        assert (done.moving, done.staying, done.next_cursor) == (preview.moving, preview.staying, preview.next_cursor)
        with self.database.worker() as conn:
            assert_invariants(conn, self.now[0])
        return done

    def rows(self, query: str, **parameters: Any) -> list[tuple[Any, ...]]:
        """A query's rows, of all workspaces."""
        with self.database.worker() as conn:
            return rows(conn, query, **parameters)

    def enrolled(self, count: int = 1) -> list[EnrolmentId]:
        """People whose first mail is scheduled."""
        with self.database.worker() as conn:
            ids = enrol(conn, self.scene, count)
            apply(conn, [(enrolment_id, Enrol()) for enrolment_id in ids], self.now[0])
        return ids

    def queued(self, count: int = 1) -> list[EnrolmentId]:
        """People whose first mail is in the outbox."""
        ids = self.enrolled(count)
        with self.database.worker() as conn:
            run_due(conn, self.now[0])
        return ids

    def sent(self, count: int = 1) -> list[EnrolmentId]:
        """People whose first mail went out."""
        ids = self.queued(count)
        with self.database.worker() as conn:
            conn.execute(text("UPDATE outbound_messages SET status = 'sent', sent_at = :now"), {"now": self.now[0]})
            apply(conn, [(enrolment_id, Sent("intro", 1, self.now[0])) for enrolment_id in ids], self.now[0])
        return ids


@pytest.fixture
def desk(database: Database, database_url: URL) -> Iterator[Desk]:
    """A running campaign, and migrations with the rights of the API."""
    with database.worker() as conn:
        scene = add_scene(conn)
    api = Database(database_url, role="cadenza_api", patience_s=1)
    noted, now = Noted(), [NOW]
    yield Desk(database, Migrations(api, noted, scene.workspace_id, lambda: now[0]), scene, noted, now)
    api.close()


def signal(database: Database, kind: SignalKind, at: datetime) -> None:
    """Every message is reported on."""
    with database.worker() as conn:
        ids = [MessageId(row.id) for row in conn.execute(text("SELECT id FROM outbound_messages"))]
        signals = [
            SignalReported(provider="p", provider_event_id=f"{kind}{id_}", message_id=id_, kind=kind, occurred_at=at)
            for id_ in ids
        ]
        record(conn, signals, at)


# --- what moves --------------------------------------------------------------------------------------------------


def test_timers_of_the_new_plan_replace_those_of_the_old(desk: Desk):
    """Broken, a migrated enrolment would go on by its old plan's clock, or by both."""
    (enrolment_id,) = desk.sent()
    desk.now[0] += DAY
    done = desk.move(PATIENT)
    (item,) = done.items
    assert (item.enrolment_id, item.moves, item.from_node, item.to_node) == (enrolment_id, True, "intro", "intro")
    assert [(action.event, action.due_at) for action in item.cancelled] == [("no_open", NOW + 3 * DAY)]
    assert [(action.event, action.due_at) for action in item.scheduled] == [("no_open", NOW + 5 * DAY)]
    assert desk.rows("SELECT event, due_at, status FROM scheduled_actions") == [("no_open", NOW + 5 * DAY, "pending")]
    assert desk.rows("SELECT event, outcome, reason FROM finished_actions WHERE kind = 'timeout'") == [
        ("no_open", "cancelled", "migrated")
    ]
    (follow_up,) = desk.noted.follow_ups
    assert [action.due_at for action in follow_up.actions] == [NOW + 5 * DAY]


def test_the_audit_says_from_which_plan_to_which_and_replays(desk: Desk):
    """Broken, nobody could tell later why somebody's plan changed (I5)."""
    desk.sent()
    desk.now[0] += DAY
    done = desk.move(PATIENT)
    (old,) = desk.rows("SELECT hash FROM campaign_plans WHERE id = :id", id=desk.scene.plan_id)
    assert desk.rows("SELECT seq, from_node, to_node, cause, rule, at FROM campaign_transitions ORDER BY seq") == [
        (1, "", "intro", "enrolled", "engine: enrolled", NOW),
        (2, "intro", "intro", "migrated", f"engine: plan {old[0][:8]} → {done.plan_hash[:8]}", NOW + DAY),
    ]
    assert desk.rows("SELECT plan_id FROM contact_campaigns") == [(done.plan_id,)]
    assert desk.rows("SELECT hash, source FROM campaign_plans WHERE id = :id", id=done.plan_id) == [
        (done.plan_hash, "operator")
    ]


def test_what_is_migrated_goes_on(desk: Desk):
    """Broken, a migrated enrolment would stand still."""
    desk.sent()
    desk.now[0] += DAY
    desk.move(PATIENT)
    with desk.database.worker() as conn:
        assert run_due(conn, NOW + 5 * DAY).actions
        assert rows(conn, "SELECT current_node, visit FROM contact_campaigns") == [("again", 2)]
        assert len(run_due(conn, NOW + 5 * DAY).messages) == 1
        assert_invariants(conn, NOW + 5 * DAY)


def test_a_scheduled_send_falls_when_the_new_plan_says(desk: Desk):
    """Broken, the new delay would not hold for those who wait for the send, or the send would be lost (I2)."""
    desk.enrolled()
    desk.now[0] += HOUR
    desk.move(LATER)
    assert desk.rows("SELECT kind, due_at, why->>0 FROM scheduled_actions") == [
        ("send", NOW + 2 * DAY, "delay P2D → Thu 2026-01-15 11:00 Europe/Berlin")
    ]


def test_a_queued_message_takes_its_content_and_windows_from_the_new_plan(desk: Desk):
    """Broken, the old text would go out after the migration, or the new one at night (I7)."""
    (enrolment_id,) = desk.queued()
    plan = changed(intro={"subject": "Another idea"}) | {"quietHours": {"start": "10:00", "end": "13:00"}}
    done = desk.move(plan)
    (item,) = done.items
    assert item.message is not None
    assert item.message.kept
    opens_at = datetime.fromisoformat("2026-01-13T12:00:00Z")
    assert desk.rows("SELECT status, due_at, closes_at, enqueued_at FROM outbound_messages") == [
        ("queued", opens_at, opens_at + 21 * HOUR, None)
    ]
    assert item.message.due_at == opens_at
    (follow_up,) = desk.noted.follow_ups
    assert follow_up.messages == (item.message.message_id,)
    assert desk.rows(
        "SELECT p.plan #>> '{nodes,0,subject}' FROM contact_campaigns e JOIN campaign_plans p ON p.id = e.plan_id"
        " WHERE e.id = :id",
        id=enrolment_id,
    ) == [("Another idea",)]


def test_a_queued_message_of_a_renamed_node_is_withdrawn_and_sent_once_under_the_new_name(desk: Desk):
    """Broken, it would be sent twice or never (I1, I2)."""
    desk.queued()
    done = desk.move(RENAMED, node_map={"intro": "hello"})
    (item,) = done.items
    assert item.message is not None
    assert (item.message.kept, item.to_node) == (False, "hello")
    with desk.database.worker() as conn:
        assert len(run_due(conn, NOW).messages) == 1
        assert run_due(conn, NOW) == FollowUp()
        assert rows(conn, "SELECT node, visit, status, reason FROM outbound_messages ORDER BY id") == [
            ("intro", 1, "skipped", "migrated"),
            ("hello", 1, "queued", ""),
        ]
        conn.execute(
            text("UPDATE outbound_messages SET status = 'sent', sent_at = :now WHERE node = 'hello'"), {"now": NOW}
        )
        apply(conn, [(item.enrolment_id, Sent("hello", 1, NOW))], NOW)
        assert rows(conn, "SELECT node, event, due_at FROM scheduled_actions") == [("hello", "no_open", NOW + 5 * DAY)]
        assert_invariants(conn, NOW)


def test_signals_about_a_mail_of_a_renamed_node_still_count(desk: Desk):
    """Broken, an open of the mail that went out before the migration would be lost, and the person asked again."""
    desk.sent()
    plan = {**RENAMED, "nodes": [PLAN["nodes"][0] | {"id": "hello"}, *RENAMED["nodes"][1:]]}
    desk.move(plan, node_map={"intro": "hello"})
    signal(desk.database, SignalKind.OPENED, NOW + HOUR)
    assert desk.rows("SELECT status, reason FROM contact_campaigns") == [("completed", "stop node end")]


def test_a_draft_begins_in_the_new_plan(desk: Desk):
    """Broken, people planned before the start would get the old plan."""
    with desk.database.worker() as conn:
        (enrolment_id,) = enrol(conn, desk.scene)
    done = desk.move(RENAMED)
    with desk.database.worker() as conn:
        apply(conn, [(enrolment_id, Enrol())], NOW)
        assert rows(conn, "SELECT plan_id, current_node FROM contact_campaigns") == [(done.plan_id, "hello")]
        assert_invariants(conn, NOW)


def test_who_ends_by_the_new_plan_lets_the_campaign_complete(desk: Desk):
    """Broken, a campaign whose last enrolment a migration ended would run for ever (I4)."""
    desk.sent()
    done = desk.move(changed(intro={"transitions": []}))
    (item,) = done.items
    assert (item.moves, item.status, item.reason) == (True, EnrolmentStatus.COMPLETED, "expired")
    assert desk.rows("SELECT status FROM campaigns") == [("completed",)]


def test_a_plan_that_is_stored_is_named_by_its_id(desk: Desk):
    """Broken, going back to the version before would need its text."""
    desk.sent()
    first = desk.move(PATIENT)
    wanted = WantedMigration(plan_id=desk.scene.plan_id)
    preview = desk.migrations.preview(desk.scene.campaign_id, wanted)
    assert preview.items[0].from_plan_id == first.plan_id
    desk.migrations.migrate(desk.scene.campaign_id, wanted, preview.token)
    assert desk.rows("SELECT plan_id, seq FROM contact_campaigns") == [(desk.scene.plan_id, 3)]
    assert desk.rows("SELECT count(*) FROM campaign_plans") == [(2,)]


# --- what stays --------------------------------------------------------------------------------------------------


def test_everybody_who_cannot_move_is_named_with_the_reason_and_left_alone(desk: Desk):
    """Broken, an operator would believe that all had moved, or the ended would come back."""
    ended, sending, unknown, moving = desk.queued(4)
    with desk.database.worker() as conn:
        apply(conn, [(ended, Halt(NOW, "operator", "not interested"))], NOW)
        for enrolment_id, status in ((sending, MessageStatus.SENDING), (unknown, MessageStatus.UNKNOWN)):
            conn.execute(
                text("UPDATE outbound_messages SET status = :status WHERE enrolment_id = :id"),
                {"status": status, "id": enrolment_id},
            )
    done = desk.move(PATIENT, enrolment_ids=(ended, sending, unknown, moving))
    reasons = {item.enrolment_id: item.reason for item in done.items if not item.moves}
    assert reasons == {
        ended: "it has ended: stopped, not interested",
        sending: "its message is being sent: try again once it is",
        unknown: "nobody knows yet whether its message was sent: try again once that is settled",
    }
    assert (done.moving, done.staying) == (1, 3)
    assert desk.rows("SELECT id FROM contact_campaigns WHERE plan_id = :plan", plan=done.plan_id) == [(moving,)]


def test_a_node_that_is_missing_holds_back_until_it_is_mapped(desk: Desk):
    """Broken, people would be lost between two plans."""
    desk.sent()
    (item,) = desk.move(RENAMED).items
    assert (item.moves, item.reason) == (
        False,
        "the new plan has no node 'intro' that can be reached: map 'intro' to one",
    )
    assert desk.rows("SELECT count(*) FROM campaign_plans") == [(1,)], "a plan that nobody goes by is not stored"
    assert desk.move(RENAMED, node_map={"intro": "hello"}).moving == 1


def test_only_the_chosen_ones_move(desk: Desk):
    """Broken, a trial with a few would move everybody."""
    chosen, other = desk.sent(2)
    done = desk.move(PATIENT, enrolment_ids=(chosen,))
    assert desk.rows("SELECT id, plan_id FROM contact_campaigns ORDER BY id") == [
        (chosen, done.plan_id),
        (other, desk.scene.plan_id),
    ]
    assert [item.enrolment_id for item in desk.preview(PATIENT).items] == [other], "who has moved is not asked again"


# --- what is refused ---------------------------------------------------------------------------------------------


def test_a_plan_with_errors_is_refused_with_its_findings(desk: Desk):
    """Broken, a plan that cannot run would be put under running enrolments."""
    desk.sent()
    broken = changed(intro={"transitions": [{"on": "opened", "to": "nowhere"}]}) | {"version": "1.1"}
    with pytest.raises(InvalidInput) as refused:
        desk.preview(broken)
    assert {problem.pointer for problem in refused.value.problems} >= {"/plan/nodes/0/transitions/0/to"}


@pytest.mark.parametrize(
    ("wanted", "pointer"),
    [
        ({}, ""),
        ({"plan": PATIENT, "plan_id": new_id()}, ""),
        ({"plan_id": new_id()}, "/plan_id"),
        ({"plan": PATIENT, "node_map": {"intro": "nowhere"}}, "/node_map"),
        ({"plan": PATIENT, "enrolment_ids": [new_id()]}, "/enrolment_ids/0"),
    ],
)
def test_what_does_not_exist_is_named(desk: Desk, wanted: dict[str, Any], pointer: str):
    """Broken, a typing error would look like a migration in which nothing moves."""
    with pytest.raises(InvalidInput) as refused:
        desk.migrations.preview(desk.scene.campaign_id, WantedMigration.model_validate(wanted))
    assert [problem.pointer for problem in refused.value.problems] == [pointer]


def test_a_campaign_that_has_ended_or_is_not_ours_moves_nobody(desk: Desk):
    """Broken, ended campaigns could be changed after the fact, or another's be seen (I9)."""
    with desk.database.worker() as conn:
        theirs = add_scene(conn)
        conn.execute(text("UPDATE campaigns SET status = :status"), {"status": CampaignStatus.CANCELLED})
    with pytest.raises(Conflict):
        desk.preview(PATIENT)
    with pytest.raises(NotFound):
        desk.migrations.preview(theirs.campaign_id, WantedMigration(plan=PATIENT))
    with pytest.raises(NotFound):
        desk.migrations.migrate(CampaignId(new_id()), WantedMigration(plan=PATIENT), "")


def test_anothers_plan_is_not_to_be_had(desk: Desk):
    """Broken, one customer could read another's texts by a plan's id (I9)."""
    with desk.database.worker() as conn:
        theirs = add_scene(conn, plan=PATIENT)
    with pytest.raises(InvalidInput):
        desk.migrations.preview(desk.scene.campaign_id, WantedMigration(plan_id=theirs.plan_id))


# --- previewed, then done ----------------------------------------------------------------------------------------


def test_a_preview_changes_nothing(desk: Desk):
    """Broken, looking would be doing."""
    desk.sent(2)
    before = desk.rows("SELECT * FROM contact_campaigns ORDER BY id"), desk.rows("SELECT * FROM scheduled_actions")
    desk.preview(PATIENT)
    assert desk.rows("SELECT count(*) FROM campaign_plans") == [(1,)]
    assert before == (
        desk.rows("SELECT * FROM contact_campaigns ORDER BY id"),
        desk.rows("SELECT * FROM scheduled_actions"),
    )


def _replied(desk: Desk) -> None:
    signal(desk.database, SignalKind.REPLIED, NOW + HOUR)


def _timed_out(desk: Desk) -> None:
    with desk.database.worker() as conn:
        run_due(conn, NOW + 3 * DAY)


def _joined(desk: Desk) -> None:
    desk.enrolled()


@pytest.mark.parametrize("happens", [_replied, _timed_out, _joined])
def test_what_has_changed_since_the_preview_is_not_moved_unseen(desk: Desk, happens: Callable[[Desk], None]):
    """Broken, something else than what was shown would be done."""
    desk.sent(2)
    preview = desk.preview(PATIENT)
    happens(desk)
    before = desk.rows("SELECT id, plan_id, seq FROM contact_campaigns ORDER BY id")
    with pytest.raises(Conflict, match="preview again"):
        desk.migrate(PATIENT, preview.token)
    assert desk.rows("SELECT id, plan_id, seq FROM contact_campaigns ORDER BY id") == before
    assert desk.noted.follow_ups == []


def test_what_changes_nothing_of_it_does_not_ask_for_another_preview(desk: Desk):
    """Broken, a busy campaign could never be migrated: something is reported every second."""
    desk.sent(2)
    preview = desk.preview(PATIENT)
    signal(desk.database, SignalKind.DELIVERED, NOW + HOUR)
    desk.now[0] += HOUR
    assert desk.migrate(PATIENT, preview.token).items == preview.items


def test_a_token_is_for_one_plan_one_map_and_one_hour(desk: Desk):
    """Broken, something would be done that nobody has seen, or that was seen long ago."""
    desk.sent()
    token = desk.preview(PATIENT).token
    with pytest.raises(Conflict):
        desk.migrate(changed(intro={"subject": "Other"}), token)
    with pytest.raises(Conflict):
        desk.migrate(PATIENT, token, node_map={"intro": "again"})
    with pytest.raises(InvalidInput):
        desk.migrate(PATIENT, "made up")
    desk.now[0] += PREVIEW_LIFE + timedelta(seconds=1)
    with pytest.raises(Conflict, match="too old"):
        desk.migrate(PATIENT, token)


def test_a_signal_at_the_same_moment_comes_before_or_after_but_not_between(desk: Desk):
    """Broken, a reply that arrives during a migration would be lost, or its enrolment go on (I3, I5)."""
    ids = desk.sent(30)
    preview = desk.preview(PATIENT)
    barrier = threading.Barrier(2)

    def reply() -> None:
        barrier.wait()
        signal(desk.database, SignalKind.REPLIED, NOW + HOUR)

    def migrate() -> None:
        barrier.wait()
        try:
            desk.migrate(PATIENT, preview.token)
        except Conflict:
            refused.append(True)

    refused: list[bool] = []
    threads = [threading.Thread(target=work) for work in (reply, migrate)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert desk.rows("SELECT status, reason, count(*) FROM contact_campaigns GROUP BY 1, 2") == [
        ("stopped", "replied", len(ids))
    ]
    assert desk.rows("SELECT count(*) FROM scheduled_actions") == [(0,)]
    migrated = 0 if refused else len(ids)
    assert desk.rows("SELECT count(*) FROM campaign_transitions WHERE cause = 'migrated'") == [(migrated,)]
    with desk.database.worker() as conn:
        assert_invariants(conn, NOW + HOUR)


# --- many --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 40])
def test_a_batch_takes_a_constant_number_of_statements(desk: Desk, count: int):
    """Broken, migrating a large campaign would take the database down with it."""
    desk.sent(count)
    desk.queued(count)
    preview = desk.preview(PATIENT)
    with counted(desk.migrations.database) as sent:
        assert desk.migrate(PATIENT, preview.token).moving == 2 * count
    assert len(sent) <= 20


def test_open_enrolments_come_in_batches(desk: Desk):
    """Broken, a large campaign would be moved in part, and nobody would know."""
    ids = [EnrolmentId(new_id()) for _ in range(BATCH + 1)]
    with desk.database.worker() as conn:
        (first,) = enrol(conn, desk.scene)
        conn.execute(
            text("""
                INSERT INTO contacts (id, workspace_id, email, created_at)
                SELECT i, :workspace, i || '@acme.example', :now FROM unnest(CAST(:ids AS uuid[])) AS i
            """),
            {"ids": ids, "workspace": desk.scene.workspace_id, "now": NOW},
        )
        conn.execute(
            text("""
                INSERT INTO contact_campaigns (id, workspace_id, campaign_id, contact_id, plan_id, status, created_at)
                SELECT i, :workspace, :campaign, i, :plan, 'draft', :now FROM unnest(CAST(:ids AS uuid[])) AS i
            """),
            {
                "ids": ids,
                "workspace": desk.scene.workspace_id,
                "campaign": desk.scene.campaign_id,
                "plan": desk.scene.plan_id,
                "now": NOW,
            },
        )
    everybody = sorted([first, *ids])
    page = desk.preview(PATIENT)
    assert [item.enrolment_id for item in page.items] == everybody[:BATCH]
    rest = desk.preview(PATIENT, cursor=page.next_cursor)
    assert [item.enrolment_id for item in rest.items] == everybody[BATCH:]
    assert rest.next_cursor is None


def test_enrolments_of_different_plans_meet_in_one(desk: Desk):
    """Broken, contacts whose plans were written for each of them could not be brought together."""
    desk.sent()
    with desk.database.worker() as conn:
        own = add_plan(conn, desk.scene.workspace_id, changed(intro={"subject": "Only for you"}))
        conn.execute(text("UPDATE contact_campaigns SET plan_id = :plan"), {"plan": own})
    desk.sent()
    done = desk.move(PATIENT)
    assert {item.from_plan_id for item in done.items} == {own, desk.scene.plan_id}
    assert desk.rows("SELECT DISTINCT plan_id FROM contact_campaigns") == [(done.plan_id,)]
