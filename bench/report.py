"""What looking costs on a large campaign: its counts, a page of its schedule, its reports; and beside a plain count.

    python -m bench.report [--enrolments 100000]

Real embedded Postgres. Each enrolment has a plan of its own, as in AI campaigns, and up to three messages with an event
each. "times a count" is against `count(*)` over the same messages and events; the best of three runs counts.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

from bench.engine import migrated
from bench.seed import PLAN, Home, seed_drafts
from cadenza.core.db import Database
from cadenza.figures.counts import send_counts
from cadenza.figures.reply_times import reply_times
from cadenza.figures.reports import By, Scope, funnel
from cadenza.figures.schedule import pace, schedules
from local.postgres import EmbeddedPostgres

NOW = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)
PAGE = 50


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--enrolments", type=int, default=100_000)
    options = parser.parse_args()
    with EmbeddedPostgres() as server:
        database = migrated(server, "report")
        with database.worker() as conn:
            home = seed_drafts(conn, options.enrolments, NOW)
            _live_through(conn, home)
        server.execute("VACUUM ANALYZE", database="report")
        measure(database, home)
        database.close()


def measure(database: Database, home: Home) -> None:
    """Look at everything."""
    with database.worker() as conn:
        rows = conn.execute(text(_COUNT)).one()
        print(f"{rows.messages:,} messages, {rows.events:,} events")
        plain_s = _best(lambda: conn.execute(text(_COUNT)).one())
        print(f"{'':30} {'ms':>8} {'times a count':>15}")
        print(f"{'count(*)':30} {plain_s * 1000:8.0f}")
        campaign = pace(conn, home.campaign_id)
        if campaign is None:
            raise RuntimeError("the campaign is gone")
        ids = list(conn.execute(text("SELECT id FROM contact_campaigns LIMIT :n"), {"n": PAGE}).scalars())
        all_of_it, days = Scope(home.workspace_id), Scope(home.workspace_id, since=NOW + timedelta(days=26))
        looks: list[tuple[str, Callable[[], object]]] = [
            ("counts of a campaign", lambda: send_counts(conn, home.campaign_id)),
            (f"schedule, {PAGE} enrolments", lambda: schedules(conn, campaign, ids, NOW)),
            *((f"funnel by {by}", lambda by=by: funnel(conn, all_of_it, by, "Europe/Lisbon")) for by in By),
            ("funnel by day, last days", lambda: funnel(conn, days, By.DAY, "Europe/Lisbon")),
            ("time to reply", lambda: reply_times(conn, all_of_it)),
        ]
        for what, look in looks:
            took_s = _best(look)
            print(f"{what:30} {took_s * 1000:8.0f} {took_s / plain_s:15.1f}", flush=True)


def _best(look: Callable[[], object]) -> float:
    """The fastest of three, in seconds."""
    took: list[float] = []
    for _ in range(3):
        started = time.perf_counter()
        look()
        took.append(time.perf_counter() - started)
    return min(took)


_COUNT = """
    SELECT (SELECT count(*) FROM outbound_messages) AS messages, (SELECT count(*) FROM message_events) AS events
"""


def _live_through(conn: Connection, home: Home) -> None:
    """Plans of their own, and rows as they are after four weeks: one in ten has not begun, one in ten has ended."""
    given = {"workspace": home.workspace_id, "campaign": home.campaign_id, "plan": json.dumps(PLAN), "now": NOW}
    for statement in _STATEMENTS:
        conn.execute(text(statement), given)


_STATEMENTS = (
    """INSERT INTO campaign_plans (id, workspace_id, hash, version, plan, created_at)
       SELECT id, :workspace, encode(sha256(CAST(CAST(id AS text) AS bytea)), 'hex'), '1.0',
              jsonb_set(CAST(:plan AS jsonb), '{nodes,0,body}', to_jsonb('Hello ' || id || repeat(' and more', 100))),
              CAST(:now AS timestamptz)
       FROM contact_campaigns""",
    "UPDATE campaigns SET status = 'running' WHERE id = :campaign",
    """UPDATE contact_campaigns e
       SET plan_id = e.id, status = s.status, current_node = s.node, visit = s.visit, entered_at = :now,
           anchor_at = CASE WHEN s.visit > 0 THEN CAST(:now AS timestamptz) END, seq = s.visit
       FROM (SELECT id, CASE mod(n, 10) WHEN 0 THEN 'draft' WHEN 1 THEN 'stopped' ELSE 'active' END AS status,
                    CASE WHEN mod(n, 10) = 0 THEN '' WHEN mod(n, 2) = 0 THEN 'intro' ELSE 'again' END AS node,
                    CASE WHEN mod(n, 10) = 0 THEN 0 WHEN mod(n, 2) = 0 THEN 1 ELSE 2 END AS visit
             FROM (SELECT id, row_number() OVER (ORDER BY id) AS n FROM contact_campaigns) numbered) s
       WHERE s.id = e.id""",
    """INSERT INTO outbound_messages (id, workspace_id, enrolment_id, campaign_id, contact_id, node, visit, channel,
                                      status, due_at, queued_at, sent_at)
       SELECT gen_random_uuid(), e.workspace_id, e.id, e.campaign_id, e.contact_id,
              CASE v WHEN 1 THEN 'intro' ELSE 'again' END, v, 'email',
              CASE WHEN random() < 0.02 THEN 'failed' ELSE 'delivered' END, :now, :now,
              CAST(:now AS timestamptz) + v * interval '9 days' + random() * interval '1 day'
       FROM contact_campaigns e, generate_series(1, 3) AS v WHERE e.visit > 0""",
    """UPDATE contact_campaigns e SET last_message_id = m.id FROM outbound_messages m
       WHERE m.enrolment_id = e.id AND m.visit = e.visit""",
    """INSERT INTO message_events (workspace_id, message_id, provider, provider_event_id, kind, grade, occurred_at,
                                   received_at)
       SELECT workspace_id, id, 'bench', CAST(id AS text), (CAST(
              '{delivered,delivered,delivered,delivered,delivered,opened,opened,clicked,replied,bounced}' AS text[])
              )[1 + floor(random() * 10)], CASE WHEN random() < 0.8 THEN 'human' ELSE 'machine' END,
              sent_at + random() * interval '2 days', :now
       FROM outbound_messages WHERE status = 'delivered'""",
)


if __name__ == "__main__":
    main()
