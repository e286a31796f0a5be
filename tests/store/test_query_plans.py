"""The hot queries find their rows by an index, however much lies around them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from bench.seed import Seeded, seed_enrolments, seed_pending
from cadenza.api import operations_queries, queries
from cadenza.api.reading import Slice
from cadenza.campaigns import approval_store, intake_store
from cadenza.campaigns.intake_store import Search
from cadenza.core.db import Database
from cadenza.core.ids import SYSTEM_WORKSPACE, CampaignId, MessageId, new_id
from cadenza.core.messages import MailNature, MailReceived, SignalKind, SignalReported
from cadenza.delivery import outbox
from cadenza.delivery.gate import claim
from cadenza.delivery.inbound import find_messages
from cadenza.delivery.model import Attempt
from cadenza.delivery.outcomes import record
from cadenza.delivery.reputation import judge
from cadenza.delivery.spread import put_off
from cadenza.engine import actions, store
from cadenza.engine.apply import apply_locked
from cadenza.engine.model import Due
from cadenza.figures.counts import send_counts
from cadenza.figures.reply_times import reply_times
from cadenza.figures.reports import By, Scope, funnel
from cadenza.figures.schedule import pace, schedules
from cadenza.leads import turns
from local.postgres import EmbeddedPostgres
from tests.conftest import TEMPLATE
from tests.store.builders import NOW

LARGE = frozenset(
    {
        "scheduled_actions",
        "finished_actions",
        "contact_campaigns",
        "contacts",
        "outbound_messages",
        "message_events",
        "campaign_transitions",
    }
)
ENROLMENTS = 3000
ACTIONS = 60_000


@pytest.fixture(scope="module")
def database(postgres: EmbeddedPostgres) -> Iterator[Database]:
    """One database for all of these tests: each rolls back what it does."""
    url = postgres.create("query_plans", TEMPLATE)
    with_role = Database(url, role="cadenza_worker")
    yield with_role
    with_role.close()
    postgres.drop("query_plans")


@pytest.fixture(scope="module")
def seeded(database: Database) -> list[Seeded]:
    """A database that has been at work for a while, with statistics."""
    with database.worker() as conn:
        rows = seed_enrolments(conn, ENROLMENTS, NOW)
        record(conn, [opened(row) for row in rows[: ENROLMENTS // 2]], NOW + timedelta(minutes=5))
        seed_pending(conn, ACTIONS, NOW)
        conn.execute(
            text("""
                INSERT INTO message_events (workspace_id, message_id, provider, provider_event_id, kind, grade,
                                            occurred_at, received_at)
                SELECT workspace_id, message_id, 'old', message_id || '-' || n, 'delivered', 'human', occurred_at,
                       received_at
                FROM message_events, generate_series(1, 40) AS n
            """)
        )
    owner = Database(database.url)
    with owner.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("ANALYZE"))
    owner.close()
    return rows


@pytest.fixture
def conn(
    database: Database,
    seeded: list[Seeded],  # noqa: ARG001 - rows with their statistics
) -> Iterator[Connection]:
    """A transaction of a worker's, rolled back at the end."""
    with database.engine.connect() as connection:
        # As on Aurora (infra/database.py): pages come from memory or fast storage.
        connection.execute(text("SET LOCAL random_page_cost = 1.1"))
        yield connection
        connection.rollback()


def opened(row: Seeded) -> SignalReported:
    """Somebody looked at the mail."""
    return SignalReported(
        provider="p",
        provider_event_id=str(row.message_id),
        message_id=row.message_id,
        kind=SignalKind.OPENED,
        occurred_at=NOW + timedelta(minutes=1),
    )


def sequential_scans(conn: Connection, run: Callable[[], object]) -> list[str]:
    """The statements that ``run`` sends and that read a large table from end to end."""
    sent: list[tuple[str, Any]] = []

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        sent.append((statement, parameters))

    event.listen(conn.engine, "before_cursor_execute", note)
    try:
        with conn.begin_nested() as savepoint:
            run()
            savepoint.rollback()
    finally:
        event.remove(conn.engine, "before_cursor_execute", note)
    explained = [
        (s, p) for s, p in sent if s.lstrip().upper().startswith(("SELECT", "INSERT", "UPDATE", "DELETE", "WITH"))
    ]
    assert explained
    bad: list[str] = []
    for statement, parameters in explained:
        plan = conn.exec_driver_sql(f"EXPLAIN (FORMAT JSON) {statement}", parameters).scalar_one()
        tree = (json.loads(plan) if isinstance(plan, str) else plan)[0]["Plan"]
        scanned = {node["Relation Name"] for node in nodes(tree) if node["Node Type"] == "Seq Scan"} & LARGE
        if scanned:
            bad.append(f"{sorted(scanned)}: {' '.join(statement.split())[:120]}")
    return bad


def nodes(plan: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """A plan's nodes, itself included."""
    yield plan
    for child in plan.get("Plans", ()):
        yield from nodes(child)


def test_claiming_what_is_due(conn: Connection) -> None:
    """If it failed, each wake would read every pending action of the installation."""
    assert sequential_scans(conn, lambda: actions.claim_due(conn, NOW, NOW)) == []
    assert sequential_scans(conn, lambda: actions.reclaim_lost(conn, NOW, NOW)) == []


def test_running_due_actions(conn: Connection, seeded: list[Seeded]) -> None:
    """If it failed, a due mail would cost more, the more people are enrolled."""
    query = text("SELECT id FROM scheduled_actions WHERE enrolment_id = ANY(:ids)")
    ids = list(conn.execute(query, {"ids": [row.enrolment_id for row in seeded[-20:]]}).scalars())
    later = NOW + timedelta(days=4)

    def run() -> None:
        enrolments = store.lock(conn, actions.enrolments_of(conn, ids), later)
        stimuli = [
            (action.enrolment_id, Due(action.kind, action.node, action.visit, action.event, action.due_at))
            for action in actions.live_actions(conn, ids)
        ]
        assert len(stimuli) == 20
        apply_locked(conn, enrolments, stimuli, later)

    assert sequential_scans(conn, run) == []


def test_taking_signals_in(conn: Connection, seeded: list[Seeded]) -> None:
    """If it failed, each open would read the whole history of events."""
    signals = [opened(row) for row in seeded[-20:]]
    assert sequential_scans(conn, lambda: record(conn, signals, NOW + timedelta(minutes=9))) == []


def test_what_signals_mean_for_others(conn: Connection, seeded: list[Seeded]) -> None:
    """If it failed, each answer, bounce and click would read all people, all their campaigns or all events."""
    conn.execute(text("UPDATE automation_settings SET stop_company_on_reply = true"))
    later = NOW + timedelta(minutes=8)
    signals = [
        SignalReported(
            provider="p",
            provider_event_id=f"{kind}-{row.message_id}",
            message_id=row.message_id,
            kind=kind,
            occurred_at=later,
            hard=False if kind is SignalKind.BOUNCED else None,
        )
        for row, kind in zip(
            seeded[-20:],
            (SignalKind.REPLIED, SignalKind.CLICKED, SignalKind.BOUNCED, SignalKind.OPENED) * 5,
            strict=True,
        )
    ]
    assert sequential_scans(conn, lambda: record(conn, signals, NOW + timedelta(minutes=9))) == []


def test_claiming_and_putting_off(conn: Connection, seeded: list[Seeded]) -> None:
    """If it failed, each mail would cost more, the more have been sent."""
    # Given one campaign with room for half of the batch, and everything that can be counted being counted.
    ids = queued(conn, seeded[-20:])
    conn.execute(text("UPDATE campaigns SET daily_cap = 10"))
    conn.execute(text("UPDATE automation_settings SET frequency_cap = 5, domain_gap_s = 60, contact_gap_s = 60"))
    conn.execute(
        text("INSERT INTO provider_quotas (provider, a_day, allowed, read_at) VALUES ('ses', 50, 50, :now)"),
        {"now": NOW},
    )

    def run() -> None:
        claims = claim(conn, ids, Attempt(new_id(), NOW, NOW + timedelta(minutes=20)), {"ses": 8})
        assert claims.claimed
        assert claims.put_off
        put_off(conn, claims, NOW)

    assert sequential_scans(conn, run) == []


def test_judging_reputations(conn: Connection, seeded: list[Seeded]) -> None:
    """If it failed, each bounce would read every mail ever sent."""
    sent = [row.message_id for row in seeded[-20:]]
    conn.execute(
        text("UPDATE outbound_messages SET status = 'complained', claimed_at = :now WHERE id = ANY(:ids)"),
        {"ids": sent, "now": NOW},
    )
    conn.execute(
        text("""
            INSERT INTO send_quota (scope, scope_id, day, workspace_id, used)
            SELECT 'campaign', id, CAST(:now AS date), workspace_id, 500 FROM campaigns
        """),
        {"now": NOW},
    )
    assert sequential_scans(conn, lambda: judge(conn, sent, NOW)) == []


def test_looking_at_drafts(conn: Connection, seeded: list[Seeded]) -> None:
    """If it failed, each plan that is made, and each look at the list, would read everybody who was ever enrolled."""
    ids = sorted(row.enrolment_id for row in seeded)[-20:]
    draft = "UPDATE contact_campaigns SET status = 'draft', approval = 'wanted' WHERE id = ANY(:ids)"
    conn.execute(text(draft), {"ids": ids})
    approved = {"ids": [row.enrolment_id for row in seeded if row.enrolment_id not in ids]}
    conn.execute(text("UPDATE contact_campaigns SET approval = 'approved' WHERE id = ANY(:ids)"), approved)
    conn.execute(text("UPDATE automation_settings SET approval_mode = 'review_first', approval_first_n = 5"))
    campaign_id = CampaignId(conn.execute(text("SELECT id FROM campaigns ORDER BY id LIMIT 1")).scalar_one())

    def run() -> None:
        assert approval_store.progress(conn, campaign_id).is_enough
        assert approval_store.waiting(conn, campaign_id)
        assert len(approval_store.lock(conn, ids)) == 20
        assert len(queries.drafts(conn, Slice(10), campaign_id=None).items) == 10

    assert sequential_scans(conn, run) == []


def test_looking_for_whom_to_take(conn: Connection, seeded: list[Seeded]) -> None:
    """If it failed, each site that is read, and each enrolment that ends, would read everybody who is known."""
    conn.execute(text("UPDATE campaigns SET type = 'fully_automated', company_order = 'one_after_another'"))
    workspace_id = seeded[0].workspace_id
    newest = "SELECT id, lead_id FROM contacts WHERE lead_id IS NOT NULL ORDER BY id DESC LIMIT 1"
    row = conn.execute(text(newest)).first()
    campaigns = intake_store.taking(conn, workspace_id)
    assert campaigns

    def run() -> None:
        if row is not None:
            intake_store.candidates(conn, Search(workspace_id, NOW, 500, lead_id=row.lead_id), campaigns)
        intake_store.candidates(conn, Search(workspace_id, NOW + timedelta(days=1), 500), campaigns)
        turns.settle(conn, [campaign.id for campaign in campaigns], NOW, everywhere=True)
        turns.begin_due(conn, NOW)

    assert sequential_scans(conn, run) == []


def queued(conn: Connection, rows: list[Seeded]) -> list[MessageId]:
    """The second messages of these enrolments, waiting to be sent, with a sender."""
    sender_id = new_id()
    conn.execute(
        text("""
            INSERT INTO sender_identities (id, workspace_id, email, created_at)
            SELECT :id, id, 'ada@nordlicht.example', created_at FROM workspaces WHERE id = :workspace_id
        """),
        {"id": sender_id, "workspace_id": rows[0].workspace_id},
    )
    conn.execute(text("UPDATE campaigns SET sender_id = :id"), {"id": sender_id})
    found = conn.execute(
        text("""
            INSERT INTO outbound_messages (id, workspace_id, enrolment_id, campaign_id, contact_id, node, visit,
                                           channel, status, due_at, queued_at)
            SELECT gen_random_uuid(), workspace_id, enrolment_id, campaign_id, contact_id, 'again', 2, channel,
                   'queued', due_at, queued_at
            FROM outbound_messages WHERE id = ANY(:ids) RETURNING id
        """),
        {"ids": [row.message_id for row in rows]},
    )
    return list(found.scalars())


def test_finding_what_a_mail_is_about(conn: Connection, seeded: list[Seeded]) -> None:
    """If it failed, each answer would read every mail ever sent, and everybody that there is."""
    mails = [
        MailReceived(
            mail_id=str(row.message_id),
            nature=MailNature.REPLY,
            occurred_at=NOW,
            references=(f"{row.message_id}@nordlicht.example", "0100-000000@email.amazonses.com"),
            sender="grace@acme.example",
            recipients=("ada@nordlicht.example",),
        )
        for row in seeded[-20:]
    ]
    assert sequential_scans(conn, lambda: find_messages(conn, mails)) == []


def test_counting_one_campaign(conn: Connection, seeded: list[Seeded]) -> None:
    """If it failed, a look at a small campaign would read everybody's, and so would each page of its schedule."""
    own = small_campaign(conn, seeded[-20:])

    def run() -> None:
        assert send_counts(conn, own).sent == 20
        campaign = pace(conn, own)
        assert campaign is not None
        assert len(schedules(conn, campaign, [row.enrolment_id for row in seeded[-20:]], NOW)) == 20

    assert sequential_scans(conn, run) == []


@pytest.mark.parametrize("by", By)
def test_reporting_on_some_days_or_one_campaign(conn: Connection, seeded: list[Seeded], by: By) -> None:
    """If it failed, each report would read every mail ever sent, and every event."""
    own = small_campaign(conn, seeded[-20:])
    workspace_id = seeded[0].workspace_id
    days = Scope(workspace_id, since=NOW + timedelta(days=1), until=NOW + timedelta(days=2))
    assert sequential_scans(conn, lambda: funnel(conn, days, by, "Europe/Lisbon")) == []
    campaign = Scope(workspace_id, own)
    assert sequential_scans(conn, lambda: funnel(conn, campaign, by, "Europe/Lisbon")) == []
    assert sequential_scans(conn, lambda: reply_times(conn, days)) == []
    assert sequential_scans(conn, lambda: reply_times(conn, campaign)) == []


def small_campaign(conn: Connection, rows: list[Seeded]) -> CampaignId:
    """These enrolments and their messages, in a campaign of their own."""
    campaign_id = CampaignId(new_id())
    conn.execute(
        text("""
            INSERT INTO campaigns (id, workspace_id, name, kind, status, created_at, updated_at)
            SELECT :id, workspace_id, 'small', kind, status, created_at, updated_at FROM campaigns LIMIT 1
        """),
        {"id": campaign_id},
    )
    for table, column in (("contact_campaigns", "id"), ("outbound_messages", "enrolment_id")):
        conn.execute(
            text(f"UPDATE {table} SET campaign_id = :id WHERE {column} = ANY(:ids)"),
            {"id": campaign_id, "ids": [row.enrolment_id for row in rows]},
        )
    return campaign_id


def test_looking_after_the_outbox(conn: Connection) -> None:
    """If it failed, each sweep would read every mail ever sent."""
    assert sequential_scans(conn, lambda: outbox.requeue(conn, NOW, NOW, NOW)) == []
    assert sequential_scans(conn, lambda: outbox.expire_leases(conn, NOW)) == []


def test_asking_what_is_overdue(conn: Connection) -> None:
    """If it failed, each look at the health of the installation would read all live work and every mail ever sent."""
    conn.execute(text("RESET ROLE"))
    conn.execute(text("SELECT set_config('cadenza.workspace_id', :id, true)"), {"id": str(SYSTEM_WORKSPACE)})
    work = conn.execute(text("SELECT work, amount FROM overdue_work(:now, :now, :now, :now)"), {"now": NOW})
    assert {row.work for row in work} >= {"ahead"}
    # The function's own statement is not to be seen in a plan; what it has read is counted.
    read = "SELECT relname FROM pg_stat_xact_user_tables WHERE seq_scan > 0"
    assert set(conn.execute(text(read)).scalars()) & {"scheduled_actions", "outbound_messages"} == set()


def test_looking_at_what_failed(conn: Connection, seeded: list[Seeded]) -> None:
    """If it failed, a look at failures would read every mail ever sent."""
    failed = "UPDATE outbound_messages SET status = 'failed' WHERE id = ANY(:ids)"
    conn.execute(text(failed), {"ids": [row.message_id for row in seeded[-20:]]})

    def run() -> None:
        assert len(operations_queries.failed(conn, Slice(10), operations_queries.FailedFilter(), NOW).items) == 10

    assert sequential_scans(conn, run) == []
