"""Why nothing is sent to somebody now, and when something will be: each gate, and what clears it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text
from sqlalchemy.engine import URL

from cadenza.campaigns.explain import Explanation, explain
from cadenza.campaigns.obstacles import Block, Gate
from cadenza.core import tables
from cadenza.core.db import Database
from cadenza.core.ids import EnrolmentId, MessageId, new_id
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.states import CampaignStatus, EnrolmentStatus, MessageStatus
from cadenza.delivery.gate import claim
from cadenza.delivery.model import Attempt, Verdict
from cadenza.delivery.outcomes import record
from cadenza.engine.apply import apply
from cadenza.engine.model import Enrol, Sent
from tests.store.builders import NOW, PLAN, Scene, add_campaign, add_contact, add_enrolment, add_lead, add_scene
from tests.store.test_engine import enrol, rows, run_due

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
TOMORROW = datetime(2026, 1, 14, tzinfo=UTC)


@dataclass
class Desk:
    """A database as the engine sees it, and as the API's role sees it."""

    database: Database
    api: Database

    def ask(self, scene: Scene, enrolment_id: EnrolmentId | None = None, at: datetime = NOW) -> Explanation:
        """Explain the enrolment (the only one, if not said), with the rights of the API, and see that nothing moved."""
        with self.database.worker() as conn:
            found = enrolment_id or EnrolmentId(conn.execute(text("SELECT id FROM contact_campaigns")).scalar_one())
            before = _everything(conn)
        with self.api.workspace(scene.workspace_id) as conn:
            answer = explain(conn, found, at)
        with self.database.worker() as conn:
            assert _everything(conn) == before
        assert answer is not None
        return answer

    def scene(self, **given: Any) -> Scene:
        """See `add_scene`."""
        with self.database.worker() as conn:
            return add_scene(conn, **given)

    def message(self, scene: Scene, **given: Any) -> MessageId:
        """See `Scene.add_message`."""
        with self.database.worker() as conn:
            return scene.add_message(conn, **given)

    def enrolled(self, scene: Scene) -> EnrolmentId:
        """Somebody whose first mail is scheduled."""
        with self.database.worker() as conn:
            (enrolment_id,) = enrol(conn, scene)
            apply(conn, [(enrolment_id, Enrol())], NOW)
        return enrolment_id

    def sent(self, scene: Scene) -> EnrolmentId:
        """Somebody whose first mail went out."""
        enrolment_id = self.enrolled(scene)
        with self.database.worker() as conn:
            run_due(conn, NOW)
            conn.execute(text("UPDATE outbound_messages SET status = 'sent', sent_at = :now"), {"now": NOW})
            apply(conn, [(enrolment_id, Sent("intro", 1, NOW))], NOW)
        return enrolment_id

    def change(self, statement: str, **parameters: Any) -> None:
        """Change rows by hand."""
        with self.database.worker() as conn:
            conn.execute(text(statement), parameters)


def _everything(conn: Connection) -> list[object]:
    """What an explanation must not change."""
    names = ("contact_campaigns", "scheduled_actions", "outbound_messages", "send_quota", "campaign_transitions")
    return [rows(conn, f"SELECT * FROM {name} ORDER BY 1, 2") for name in names]


@pytest.fixture
def desk(database: Database, database_url: URL) -> Iterator[Desk]:
    """An empty database."""
    api = Database(database_url, role="cadenza_api", patience_s=1)
    yield Desk(database, api)
    api.close()


def gates(answer: Explanation) -> dict[Gate, datetime | None]:
    """Each closed gate with the instant it clears."""
    return {block.gate: block.clears_at for block in answer.blocked_by}


def only(answer: Explanation) -> Block:
    """The one gate that is closed."""
    (block,) = answer.blocked_by
    return block


# --- nothing in the way ------------------------------------------------------------------------------------------


def test_a_message_that_may_go_goes_now(desk: Desk):
    """Broken, what is under way would look stuck."""
    scene = desk.scene()
    desk.message(scene)
    answer = desk.ask(scene)
    assert (answer.blocked_by, answer.will_send_at, answer.will_send_node) == ((), NOW, "intro")
    (step,) = answer.next
    assert (step.kind, step.status, step.due_at) == ("send", "queued", NOW)


def test_a_send_ahead_shows_why_it_is_due_then(desk: Desk):
    """Broken, an operator would see a time and not where it comes from."""
    node = PLAN["nodes"][0] | {"schedule": {"delay": "PT12H"}}
    plan = {**PLAN, "nodes": [node, *PLAN["nodes"][1:]], "quietHours": {"start": "20:00", "end": "08:00"}}
    scene = desk.scene(plan=plan)
    desk.enrolled(scene)
    answer = desk.ask(scene)
    assert answer.will_send_at == TOMORROW + 7 * HOUR
    block = only(answer)
    assert (block.gate, block.verdict, block.clears_at) == (Gate.DUE, "not_due", TOMORROW + 7 * HOUR)
    assert block.steps == answer.next[0].why == answer.will_send_why
    assert [step.partition(" → ")[0] for step in block.steps] == ["delay PT12H", "quiet hours 20:00–08:00"]


def test_it_is_the_gate_that_speaks(desk: Desk):
    """Broken, the explanation would say one thing, and the next claim do another."""
    scene = desk.scene(campaign={"daily_cap": 1}, sender={"paused_at": NOW, "paused_reason": "bounces"})
    message_id = desk.message(scene, contact={"email": "grace@acme.example"}, due_at=NOW + HOUR, closes_at=NOW)
    desk.change(
        "INSERT INTO suppressions VALUES (:id, :workspace, 'domain', 'acme.example', 'asked', 'api', :at)",
        id=new_id(),
        workspace=scene.workspace_id,
        at=NOW - DAY,
    )
    closed = [block.verdict for block in desk.ask(scene).blocked_by]
    for repair in (
        "DELETE FROM suppressions",
        "UPDATE sender_identities SET paused_at = NULL",
        f"UPDATE outbound_messages SET due_at = '{NOW.isoformat()}'",
        "UPDATE outbound_messages SET closes_at = NULL",
    ):
        with desk.database.worker() as conn:
            claims = claim(conn, [message_id], Attempt(new_id(), NOW, NOW + HOUR))
            (judged,) = [*claims.skipped, *claims.waiting, *claims.put_off]
            conn.rollback()
        assert closed.pop(0) == judged.verdict
        desk.change(repair)
    assert closed == []
    assert desk.ask(scene).blocked_by == ()


# --- what only a person can clear --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "gate", "verdict", "reason"),
    [
        (
            {"campaign": {"status": CampaignStatus.PAUSED, "paused_at": NOW, "status_reason": "wrong price"}},
            Gate.CAMPAIGN,
            Verdict.CAMPAIGN_NOT_RUNNING,
            "the campaign is paused: wrong price",
        ),
        (
            {"campaign": {"status": CampaignStatus.CANCELLED}},
            Gate.CAMPAIGN,
            Verdict.CAMPAIGN_ENDED,
            "the campaign is cancelled",
        ),
        (
            {"sender": {"paused_at": NOW, "paused_reason": "bounces"}},
            Gate.SENDER,
            Verdict.SENDER_PAUSED,
            "the sender is paused: bounces",
        ),
    ],
)
def test_a_pause_is_told_with_its_reason_and_no_time(
    desk: Desk, given: dict[str, Any], gate: Gate, verdict: Verdict, reason: str
):
    """Broken, an operator would wait for a time that never comes."""
    scene = desk.scene(**given)
    desk.message(scene)
    answer = desk.ask(scene)
    block = only(answer)
    assert (block.gate, block.verdict, block.reason, block.clears_at) == (gate, verdict, reason, None)
    assert (answer.will_send_at, answer.will_send_why) == (None, (reason,))


def test_a_suppression_is_told_with_its_channel_and_since_when(desk: Desk):
    """Broken, nobody could tell an opt-out from a bounce, or see that it was years ago."""
    scene = desk.scene()
    desk.message(scene, contact={"email": "Grace@Acme.example"})
    with desk.database.worker() as conn:
        conn.execute(
            insert(tables.suppressions),
            [
                {
                    "id": new_id(),
                    "workspace_id": scene.workspace_id,
                    "channel": channel,
                    "address": address,
                    "reason": "unsubscribed",
                    "created_at": NOW - days * DAY,
                }
                for days, (channel, address) in enumerate(
                    [("email", "grace@acme.example"), ("domain", "acme.example"), ("email", "zoe@acme.example")]
                )
            ],
        )
    answer = desk.ask(scene)
    assert [(block.reason, block.since) for block in answer.blocked_by] == [
        ("the domain is suppressed: unsubscribed", NOW - DAY),
        ("the email is suppressed: unsubscribed", NOW),
    ]
    assert answer.will_send_at is None


@pytest.mark.parametrize(("contact", "gate"), [({"email": None}, Gate.ADDRESS), ({}, Gate.SENDER)])
def test_what_is_missing_is_named(desk: Desk, contact: dict[str, Any], gate: Gate):
    """Broken, a contact without an address would look like any other."""
    scene = desk.scene()
    desk.message(scene, contact=contact, **({} if contact else {"sender_id": None}))
    if gate is Gate.SENDER:
        desk.change("UPDATE campaigns SET sender_id = NULL")
    assert gates(desk.ask(scene)) == {gate: None}


def test_a_draft_waits_for_its_campaign(desk: Desk):
    """Broken, somebody planned for and not started would look forgotten."""
    scene = desk.scene(campaign={"status": CampaignStatus.DRAFT})
    with desk.database.worker() as conn:
        enrol(conn, scene)
    answer = desk.ask(scene)
    assert gates(answer) == {Gate.ENROLMENT: None, Gate.CAMPAIGN: None}
    assert (answer.will_send_at, answer.will_send_node) == (None, "intro")
    assert answer.will_send_why == ("it is a draft: it begins with its campaign", "the campaign is draft")


# --- what time clears --------------------------------------------------------------------------------------------


def test_a_hold_clears_at_its_end(desk: Desk):
    """Broken, nobody would know when somebody's leave is over."""
    scene = desk.scene(plan={**PLAN, "quietHours": {"start": "10:30", "end": "13:00"}})
    desk.message(scene)
    desk.change(
        "INSERT INTO holds (id, workspace_id, contact_id, until, created_at)"
        " SELECT :id, workspace_id, id, :until, :now FROM contacts",
        id=new_id(),
        until=NOW + 7 * DAY,
        now=NOW,
    )
    answer = desk.ask(scene)
    assert gates(answer) == {Gate.HOLD: NOW + 7 * DAY, Gate.WINDOW: NOW + 2 * HOUR}
    assert answer.will_send_at == NOW + 7 * DAY + 2 * HOUR


def test_a_closed_window_says_when_it_opens_and_why(desk: Desk):
    """Broken, an operator could not tell quiet hours from a holiday."""
    scene = desk.scene(campaign={"rules": {"working_days": [4, 5]}})
    desk.message(scene, closes_at=NOW)
    answer = desk.ask(scene)
    block = only(answer)
    assert (block.gate, block.verdict, block.since) == (Gate.WINDOW, Verdict.WINDOW_CLOSED, NOW)
    thursday = datetime(2026, 1, 14, 23, tzinfo=UTC)
    assert block.clears_at == answer.will_send_at == thursday
    assert block.steps == ("Tuesday is no working day → Thu 2026-01-15 00:00 Europe/Berlin",)


def test_windows_that_never_open_are_said_to(desk: Desk):
    """Broken, it would look as if tomorrow something were sent."""
    scene = desk.scene(plan={**PLAN, "version": "1.1", "workingDays": [6]}, campaign={"rules": {"working_days": [1]}})
    desk.message(scene)
    answer = desk.ask(scene)
    assert (gates(answer), answer.will_send_at) == ({Gate.WINDOW: None}, None)


@pytest.mark.parametrize("scope", ["workspace", "campaign", "sender"])
def test_a_cap_says_whose_and_how_much_and_clears_at_midnight(desk: Desk, scope: str):
    """Broken, nobody would know which limit to raise."""
    caps = {"workspace": "settings", "campaign": "campaign", "sender": "sender"}
    scene = desk.scene(**{caps[scope]: {"daily_cap": 2}})
    ids = [desk.message(scene) for _ in range(3)]
    with desk.database.worker() as conn:
        claim(conn, ids, Attempt(new_id(), NOW, NOW + HOUR))
        enrolment_id = conn.execute(
            text("SELECT enrolment_id FROM outbound_messages WHERE id = :id"), {"id": ids[2]}
        ).scalar_one()
    answer = desk.ask(scene, enrolment_id)
    block = only(answer)
    assert (block.gate, block.clears_at) == (Gate.CAP, TOMORROW)
    assert block.reason == f"the {scope}'s daily cap is used up: 2 of 2"
    assert answer.will_send_at == TOMORROW
    assert desk.ask(scene, enrolment_id, TOMORROW).blocked_by == ()


def test_each_gap_is_named_and_clears_at_its_instant(desk: Desk):
    """Broken, a person whom two campaigns want would look forgotten by one of them."""
    scene = desk.scene(settings={"frequency_cap": 1, "frequency_days": 3, "domain_gap_s": 7200})
    first = desk.message(scene, contact={"email": "p1@one.example"})
    desk.message(scene, contact={"email": "p2@one.example"})
    with desk.database.worker() as conn:
        claim(conn, [first], Attempt(new_id(), NOW, NOW + HOUR))
        sent, colleague = conn.execute(text("SELECT contact_id, enrolment_id FROM outbound_messages ORDER BY id")).all()
        other = add_campaign(conn, scene.workspace_id, scene.sender_id)
        enrolment_id = add_enrolment(conn, scene.workspace_id, other, sent.contact_id, scene.plan_id)
        row = conn.execute(text("SELECT * FROM outbound_messages WHERE id = :id"), {"id": first}).mappings().one()
        again = {"id": new_id(), "enrolment_id": enrolment_id, "campaign_id": other, "status": MessageStatus.QUEUED}
        conn.execute(insert(tables.outbound_messages), {**row, **again, "claimed_at": None, "attempt_id": None})
    answer = desk.ask(scene, enrolment_id)
    assert gates(answer) == {Gate.GAP: NOW + DAY, Gate.FREQUENCY: NOW + 3 * DAY, Gate.DOMAIN: NOW + 2 * HOUR}
    assert answer.will_send_at == NOW + 3 * DAY
    colleagues = desk.ask(scene, EnrolmentId(colleague.enrolment_id))
    assert gates(colleagues) == {Gate.DOMAIN: NOW + 2 * HOUR}
    assert desk.ask(scene, enrolment_id, NOW + 3 * DAY).blocked_by == ()


def test_a_warm_up_and_an_accounts_quota_are_caps_too(desk: Desk):
    """Broken, a sender that may send two mails today would look as if it had no limit."""
    warm_up = {"starts_on": "2026-01-12", "first_day": 1, "factor": 2.0, "step": 0, "ceiling": 50}
    scene = desk.scene(sender={"warm_up": warm_up})
    ids = [desk.message(scene) for _ in range(3)]
    with desk.database.worker() as conn:
        conn.execute(
            text("INSERT INTO provider_quotas (provider, a_day, allowed, read_at) VALUES ('ses', 200, 2, :now)"),
            {"now": NOW},
        )
        claim(conn, ids, Attempt(new_id(), NOW, NOW + HOUR))
        enrolment_id = conn.execute(
            text("SELECT enrolment_id FROM outbound_messages WHERE id = :id"), {"id": ids[2]}
        ).scalar_one()
    assert {block.reason for block in desk.ask(scene, enrolment_id).blocked_by} == {
        "the sender's daily cap is used up: 2 of 2",
        "the provider's daily cap is used up: 200 of 200",
    }


def test_a_cap_of_today_does_not_hold_back_what_is_due_tomorrow(desk: Desk):
    """Broken, every send of the week would look capped."""
    scene = desk.scene(campaign={"daily_cap": 1})
    first, later = desk.message(scene), desk.message(scene, due_at=NOW + DAY)
    with desk.database.worker() as conn:
        claim(conn, [first], Attempt(new_id(), NOW, NOW + HOUR))
        enrolment_id = conn.execute(
            text("SELECT enrolment_id FROM outbound_messages WHERE id = :id"), {"id": later}
        ).scalar_one()
    answer = desk.ask(scene, enrolment_id)
    assert (gates(answer), answer.will_send_at) == ({Gate.DUE: NOW + DAY}, NOW + DAY)


def test_a_scheduled_campaign_clears_when_it_starts(desk: Desk):
    """Broken, a campaign that starts by itself would look as if it needed a person."""
    scene = desk.scene(campaign={"status": CampaignStatus.SCHEDULED, "starts_at": NOW + DAY})
    desk.message(scene)
    answer = desk.ask(scene)
    assert (gates(answer), answer.will_send_at) == ({Gate.CAMPAIGN: NOW + DAY}, NOW + DAY)


# --- what is waited for ------------------------------------------------------------------------------------------


def test_who_waits_for_an_event_sees_which_and_when_time_leads_on(desk: Desk):
    """Broken, waiting for an answer would look like being stuck."""
    scene = desk.scene()
    desk.sent(scene)
    answer = desk.ask(scene, at=NOW + HOUR)
    assert [(way.on, way.to, way.opens_at, way.until) for way in answer.awaits] == [("opened", "end", None, None)]
    assert gates(answer) == {Gate.EVENT: NOW + 3 * DAY, Gate.DUE: NOW + 3 * DAY}
    assert (answer.will_send_at, answer.will_send_node) == (NOW + 3 * DAY, "again")
    assert answer.will_send_why[0] == "transitions/0: no_open after P3D → 2026-01-16 10:00 UTC"


def test_windows_of_events_are_told(desk: Desk):
    """Broken, an event that comes too late would be awaited for ever."""
    ways = [
        {"on": "opened", "to": "end", "within": "P1D"},
        {"on": "clicked", "to": "end", "after": "P2D"},
        {"on": "no_reply", "to": "again", "after": "P9D"},
    ]
    node = PLAN["nodes"][0] | {"transitions": ways}
    scene = desk.scene(plan={**PLAN, "version": "1.1", "nodes": [node, *PLAN["nodes"][1:]]})
    desk.sent(scene)

    def awaited(at: datetime) -> list[tuple[str, datetime | None, datetime | None]]:
        return [(way.on, way.opens_at, way.until) for way in desk.ask(scene, at=at).awaits]

    assert awaited(NOW) == [("opened", None, NOW + DAY), ("clicked", NOW + 2 * DAY, None)]
    assert awaited(NOW + DAY + HOUR) == [("clicked", NOW + 2 * DAY, None)]


def test_where_no_send_follows_it_is_said_how_it_ends(desk: Desk):
    """Broken, an operator would wait for a mail that is not in the plan."""
    ways = [{"on": "no_open", "to": "end", "after": "P3D"}]
    node = PLAN["nodes"][0] | {"transitions": ways}
    scene = desk.scene(plan={**PLAN, "nodes": [node, PLAN["nodes"][2]]})
    desk.sent(scene)
    answer = desk.ask(scene)
    assert answer.will_send_at is None
    assert answer.will_send_why == ("without an event it ends as completed at 2026-01-16 10:00 UTC: stop node end",)


def test_a_paused_campaign_blocks_those_who_wait_too(desk: Desk):
    """Broken, the times of a paused campaign would look as if they held."""
    scene = desk.scene()
    desk.sent(scene)
    desk.change("UPDATE campaigns SET status = 'paused'")
    answer = desk.ask(scene)
    assert gates(answer)[Gate.CAMPAIGN] is None
    assert answer.will_send_at is None


# --- under way, and over -----------------------------------------------------------------------------------------


def test_a_message_under_way_says_since_when_and_how_long_at_most(desk: Desk):
    """Broken, a message that is being sent would look lost."""
    scene = desk.scene()
    message_id = desk.message(scene)
    attempt = Attempt(new_id(), NOW, NOW + timedelta(minutes=20))
    with desk.database.worker() as conn:
        claim(conn, [message_id], attempt)
    answer = desk.ask(scene)
    block = only(answer)
    assert (block.gate, block.verdict, block.clears_at) == (Gate.ATTEMPT, "sending", attempt.lease_until)
    assert block.since is not None
    assert abs(block.since - datetime.now(UTC)) < timedelta(minutes=1)
    assert answer.will_send_at is None
    assert [step.status for step in answer.next] == ["sending"]


def test_an_unknown_end_says_when_it_is_settled(desk: Desk):
    """Broken, nobody would know that nothing needs to be done."""
    scene = desk.scene(settings={"unknown_bound_s": 7200})
    desk.message(scene, status=MessageStatus.UNKNOWN, lease_until=NOW)
    block = only(desk.ask(scene))
    assert (block.gate, block.verdict, block.clears_at) == (Gate.ATTEMPT, "unknown", NOW + 2 * HOUR)


def test_an_end_is_told_by_its_last_audit_row(desk: Desk):
    """Broken, "why did it stop?" would need a database."""
    scene = desk.scene()
    enrolment_id = desk.sent(scene)
    with desk.database.worker() as conn:
        (message_id,) = [row.id for row in conn.execute(text("SELECT id FROM outbound_messages"))]
        signal = SignalReported(
            provider="p",
            provider_event_id="1",
            message_id=message_id,
            kind=SignalKind.REPLIED,
            occurred_at=NOW + HOUR,
        )
        record(conn, [signal], NOW + HOUR)
    answer = desk.ask(scene, enrolment_id, NOW + DAY)
    assert (answer.status, answer.reason, answer.next) == (EnrolmentStatus.STOPPED, "replied", ())
    assert answer.ended is not None
    assert (answer.ended.at, answer.ended.cause, answer.ended.rule) == (
        NOW + HOUR,
        "replied",
        "engine: stop on replied",
    )
    assert only(answer).verdict == Verdict.ENROLMENT_ENDED
    assert answer.will_send_why == ("the enrolment has ended: stopped, replied",)


def _another(conn: Connection, scene: Scene) -> EnrolmentId:
    contact_id = add_contact(conn, scene.workspace_id, add_lead(conn, scene.workspace_id))
    return add_enrolment(conn, scene.workspace_id, scene.campaign_id, contact_id, scene.plan_id)


@pytest.mark.parametrize("whose", [_another, lambda conn, scene: EnrolmentId(new_id())])  # noqa: ARG005
def test_what_is_not_ours_is_not_there(desk: Desk, whose: Callable[[Connection, Scene], EnrolmentId]):
    """Broken, one customer could see whom another writes to (I9)."""
    mine, theirs = desk.scene(), desk.scene()
    with desk.database.worker() as conn:
        enrolment_id = whose(conn, theirs)
    with desk.api.workspace(mine.workspace_id) as conn:
        assert explain(conn, enrolment_id, NOW) is None
