"""Counts, schedules and reports against the rows, while campaigns live through whatever production may."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, text

from cadenza.core.ids import CampaignId, EnrolmentId
from cadenza.core.messages import Grade, SignalKind
from cadenza.core.states import MessageStatus
from cadenza.engine.completion import complete_campaigns
from cadenza.figures.counts import SendCounts, send_counts
from cadenza.figures.reply_times import reply_times
from cadenza.figures.reports import By, Figures, Scope, funnel
from cadenza.figures.schedule import ScheduledSend, SendState, pace, schedules
from local.postgres import EmbeddedPostgres
from tests.conftest import TEMPLATE
from tests.store.chaos.script import Play, run_out
from tests.store.chaos.seams import Baton, SeamDatabase
from tests.store.chaos.worlds import Worlds, ids_of, make_worlds
from tests.store.sending import World

SIZE, ROUNDS, STEPS = 12, 6, 24
SENT = {MessageStatus.SENT, MessageStatus.DELIVERED, MessageStatus.BOUNCED, MessageStatus.COMPLAINED}
AHEAD = (SendState.PLANNED, SendState.DUE, SendState.QUEUED, SendState.SENDING)
BERLIN = ZoneInfo("Europe/Berlin")
Row = Any


@pytest.fixture
def worlds(postgres: EmbeddedPostgres, now: datetime) -> Iterator[tuple[Worlds, Play]]:
    """A few worlds, and what happens to them."""
    with ExitStack() as opened:
        baton = Baton()
        database = SeamDatabase(postgres.create("numbers", TEMPLATE), baton)
        opened.callback(postgres.drop, "numbers")
        opened.callback(database.close)
        opened.enter_context(ids_of(7))
        made = make_worlds(7, SIZE, now, database, baton)
        yield made, Play(made, baton)


def test_counts_are_the_truth_of_the_rows_at_each_moment(worlds: tuple[Worlds, Play]):
    """Broken, an operator would be told that mails remain which never come, or that all is done when it is not."""
    made, play = worlds
    with made.database.worker() as conn:
        assert {counts_of(conn, one).emails_scheduled for one in campaigns_of(made)} == {6, 2}
    seen = Counter[SendState]()
    for _ in range(ROUNDS):
        play.run(STEPS)
        seen += check(made)
    run_out(made)
    seen += check(made)
    assert {state for state in SendState if not seen[state]} <= {SendState.SENDING}, "it has come to everything"
    with made.database.worker() as conn:
        assert [one for one in campaigns_of(made) if counts_of(conn, one).remaining] == []


def campaigns_of(worlds: Worlds) -> list[CampaignId]:
    """All campaigns of all worlds."""
    return [campaign_id for world in worlds.all for campaign_id in world.campaigns]


def counts_of(conn: Connection, campaign_id: CampaignId) -> SendCounts:
    """The counts, once their sum is seen to be right."""
    counts = send_counts(conn, campaign_id)
    assert counts.sent + counts.failed + counts.skipped + counts.remaining == counts.emails_scheduled
    return counts


def check(worlds: Worlds) -> Counter[SendState]:
    """Each campaign's counts are those of its rows and of its schedule, send by send."""
    seen = Counter[SendState]()
    with worlds.database.worker() as conn:
        for campaign_id in campaigns_of(worlds):
            counts = counts_of(conn, campaign_id)
            rows = Counter(
                conn.execute(
                    text("SELECT status FROM outbound_messages WHERE campaign_id = :id"), {"id": campaign_id}
                ).scalars()
            )
            assert counts.sent == sum(rows[status] for status in SENT)
            listed = Counter(send.state for send in schedule_of(conn, campaign_id, worlds.now))
            assert counts.failed == listed[SendState.FAILED] >= rows[MessageStatus.FAILED]
            assert counts.skipped == listed[SendState.SKIPPED] >= rows[MessageStatus.SKIPPED]
            assert counts.remaining == sum(listed[state] for state in AHEAD)
            assert counts.not_reached == listed[SendState.NOT_REACHED]
            seen += listed
    return seen


def schedule_of(conn: Connection, campaign_id: CampaignId, now: datetime) -> list[ScheduledSend]:
    """The whole schedule of a campaign."""
    campaign = pace(conn, campaign_id)
    assert campaign is not None
    ids = conn.execute(text("SELECT id FROM contact_campaigns WHERE campaign_id = :id"), {"id": campaign_id})
    found = schedules(conn, campaign, [EnrolmentId(one) for one in ids.scalars()], now)
    for sends in found.values():
        assert [send.step for send in sends] == list(range(1, len(sends) + 1))
    return [send for sends in found.values() for send in sends]


# --- reports -----------------------------------------------------------------------------------------------------


def test_a_funnel_is_what_a_naive_count_gives(worlds: tuple[Worlds, Play]):
    """Broken, an operator would stop what works and go on with what does not."""
    made, play = worlds
    play.run(ROUNDS * STEPS)
    run_out(made)
    with made.database.worker() as conn:
        rows = sends_of(conn)
        assert len({row["status"] for row in rows}) >= 5
        for world in made.all:
            own = [row for row in rows if row["workspace_id"] == world.workspace_id]
            scope = Scope(world.workspace_id)
            for by in By:
                found = funnel(conn, scope, by, "Europe/Berlin")
                assert found.total == figures(own)
                keys = {(str(key_of(row, by)), label_of(row, by)) for row in own}
                assert {(line.key, line.label) for line in found.lines} == keys
                for line in found.lines:
                    mine = [row for row in own if (str(key_of(row, by)), label_of(row, by)) == (line.key, line.label)]
                    assert Figures.model_validate(line.model_dump()) == figures(mine), (by, line.key)
            check_part(conn, scope, own)


def check_part(conn: Connection, scope: Scope, own: list[Row]) -> None:
    """One campaign, some days."""
    days = sorted({row["at"] for row in own})
    since, until = days[len(days) // 3], days[2 * len(days) // 3]
    campaign_id = CampaignId(own[0]["campaign_id"])
    part = Scope(scope.workspace_id, campaign_id, since, until)
    mine = [row for row in own if row["campaign_id"] == campaign_id and since <= row["at"] < until]
    assert funnel(conn, part, By.STEP, "UTC").total == figures(mine)
    took = [seconds for row in mine for seconds in row["answers"][:1] if row["status"] in SENT]
    assert reply_times(conn, part).replies == len(took)


def sends_of(conn: Connection) -> list[Row]:
    """Every message with its events, and every send that was dropped without one; one statement a message."""
    found: list[Row] = []
    query = """
        SELECT m.*, coalesce(m.sent_at, m.queued_at) AS at, e.plan_id, p.hash, i.id AS identity, i.email
        FROM outbound_messages m JOIN contact_campaigns e ON e.id = m.enrolment_id
        JOIN campaigns c ON c.id = m.campaign_id JOIN sender_identities i ON i.id = c.sender_id
        JOIN campaign_plans p ON p.id = e.plan_id
    """
    for row in conn.execute(text(query)).mappings().all():
        events = conn.execute(
            text("SELECT * FROM message_events WHERE message_id = :id ORDER BY occurred_at"), {"id": row["id"]}
        )
        heard = [dict(one) for one in events.mappings()]
        answers = [one["occurred_at"] for one in heard if one["kind"] == "replied" and one["grade"] == Grade.HUMAN]
        found.append({**row, "events": heard, "answers": answers})
    dropped = """
        SELECT f.*, f.finished_at AS at, 'skipped' AS status, e.plan_id, e.contact_id, p.hash, i.id AS identity, i.email
        FROM finished_actions f JOIN contact_campaigns e ON e.id = f.enrolment_id
        JOIN campaigns c ON c.id = f.campaign_id JOIN sender_identities i ON i.id = c.sender_id
        JOIN campaign_plans p ON p.id = e.plan_id
        WHERE f.kind = 'send' AND f.outcome = 'cancelled' AND f.reason = 'skipped'
    """
    found += [{**row, "events": [], "answers": []} for row in conn.execute(text(dropped)).mappings()]
    for row in found:
        earlier = [one for one in found if one["enrolment_id"] == row["enrolment_id"] and one["visit"] < row["visit"]]
        row["step"] = 1 + len(earlier)
    return found


def key_of(row: Row, by: By) -> object:
    """What a line is of."""
    match by:
        case By.CAMPAIGN:
            return row["campaign_id"]
        case By.SENDER:
            return row["identity"]
        case By.VERSION:
            return row["plan_id"]
        case By.STEP:
            return row["step"]
        case By.DAY:
            return row["at"].astimezone(BERLIN).date()


def label_of(row: Row, by: By) -> str:
    """What a line is called."""
    return {By.CAMPAIGN: "c", By.STEP: row["node"], By.SENDER: row["email"], By.VERSION: row["hash"]}.get(by, "")


def figures(rows: list[Row]) -> Figures:
    """The figures, counted one by one."""
    count = Counter[str]()
    people: dict[str, set[object]] = {}
    for row in rows:
        tell: set[str] = {"planned"}
        status = row["status"]
        heard = {
            (one["kind"], one["grade"] == Grade.HUMAN, one["hard"] is True) for one in row["events"] if status in SENT
        }
        kinds = {kind for kind, _, _ in heard}
        human = {kind for kind, person, _ in heard if person}
        hard = any(kind == SignalKind.BOUNCED and is_hard for kind, _, is_hard in heard)
        soft = SignalKind.BOUNCED in kinds and not hard
        seen = kinds & {"delivered", "opened", "clicked", "replied", "complained", "unsubscribed"}
        tell |= {"waiting"} if status in {"queued", "sending", "unknown"} else set()
        tell |= {status} & {"failed", "skipped"}
        if status in SENT:
            tell.add("sent")
            tell |= {"arrived"} if not hard and not (soft and not seen) else set()
        tell |= {"delivered"} if seen and not hard else set()
        tell |= {"bounced_hard"} if hard else {"bounced_soft"} if soft else set()
        tell |= kinds & {"complained", "unsubscribed"}
        opened = human & {"opened", "clicked", "replied"}
        tell |= {"opened"} if opened else {"opened_by_machine"} if "opened" in kinds else set()
        for kind in {"clicked", "replied"} & kinds:
            tell.add(kind if kind in human else f"{kind}_by_machine")
        count.update(tell)
        for told in tell & {"sent", "opened", "clicked", "replied", "unsubscribed"}:
            people.setdefault("people" if told == "sent" else f"people_{told}", set()).add(row["contact_id"])
    return Figures.model_validate({**count, **{name: len(who) for name, who in people.items()}})


# --- completion --------------------------------------------------------------------------------------------------


def test_an_outcome_in_the_middle_of_a_campaign_holds_nobody_up(world: World):
    """Broken, every outcome of a large campaign would wait for the claims of its other messages, and they for it."""
    scene = world.scene()
    world.message(scene)
    held = "SELECT id FROM campaigns FOR SHARE"
    with world.database.worker() as claiming, world.database.worker() as conn:
        claiming.execute(text(held))
        conn.execute(text("SET LOCAL lock_timeout = '200ms'"))
        assert complete_campaigns(conn, [scene.campaign_id], world.now) == []
        assert conn.execute(text("SELECT pg_current_xact_id_if_assigned()")).scalar_one() is None, "nothing is written"
