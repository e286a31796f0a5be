"""Signals to transitions per second, beside raw SQL that does the same writes; and the price of a claim.

Run ``.venv/bin/python -m bench.engine`` on a quiet machine. Real embedded Postgres with default durability. Each signal
is an open that moves its enrolment on: a dedupe row, the message's status, the audit row, the new state, one timer
archived, the next one inserted, the event's verdict. The raw run does the same writes with the same number of rows in
set-based statements, its parameters known beforehand: what Postgres and the driver cost without a state machine.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event, text

from bench.seed import Seeded, seed_enrolments, seed_pending
from cadenza.core.consumer import uncollected
from cadenza.core.db import Database
from cadenza.core.messages import SignalKind, SignalReported
from cadenza.core.migrations import upgrade
from cadenza.delivery.outcomes import record
from cadenza.engine import actions
from local.postgres import EmbeddedPostgres

NOW = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)
BATCHES = (1, 10, 100, 1000)
CLAIM_SIZES = (10_000, 1_000_000)


@dataclass(frozen=True, slots=True)
class Rate:
    """Items a second of each round, and the statements that a batch took."""

    rounds: tuple[float, ...]
    statements: int = 0

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.rounds)


def signals_of(seeded: Sequence[Seeded]) -> list[SignalReported]:
    """One human open each."""
    return [
        SignalReported(
            provider="bench",
            provider_event_id=str(one.message_id),
            message_id=one.message_id,
            kind=SignalKind.OPENED,
            occurred_at=NOW + timedelta(minutes=1),
        )
        for one in seeded
    ]


def ours(database: Database, batch: Sequence[Seeded]) -> Callable[[], None]:
    """The engine's way, as the consumer of a batch runs it."""
    signals = signals_of(batch)

    def run() -> None:
        with uncollected(), database.worker() as conn:
            record(conn, signals, NOW + timedelta(minutes=2))

    return run


def raw(database: Database, batch: Sequence[Seeded]) -> Callable[[], None]:
    """The same writes, with nothing decided."""
    at = (NOW + timedelta(minutes=1)).isoformat()
    later = (NOW + timedelta(days=1)).isoformat()
    rows = json.dumps(
        [
            {
                "workspace_id": str(one.workspace_id),
                "campaign_id": str(one.campaign_id),
                "enrolment_id": str(one.enrolment_id),
                "message_id": str(one.message_id),
                "at": at,
                "due_at": later,
            }
            for one in batch
        ]
    )

    def run() -> None:
        with database.worker() as conn:
            for statement in RAW:
                conn.execute(statement, {"rows": rows})

    return run


_ROWS = """jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(workspace_id uuid, campaign_id uuid, enrolment_id uuid,
    message_id uuid, at timestamptz, due_at timestamptz)"""

RAW = tuple(
    text(statement)
    for statement in (
        # The audit row names its event, as ours does.
        f"""WITH event AS (
                INSERT INTO message_events (workspace_id, message_id, provider, provider_event_id, kind, grade,
                    occurred_at, received_at, payload, verdict)
                SELECT workspace_id, message_id, 'bench', message_id::text, 'opened', 'human', at, at, '{{}}', 'moved'
                FROM {_ROWS} ON CONFLICT (provider, provider_event_id) DO NOTHING RETURNING id, message_id)
            INSERT INTO campaign_transitions (workspace_id, enrolment_id, campaign_id, seq, from_node, from_visit,
                to_node, to_visit, to_status, cause, rule, event_id, at)
            SELECT workspace_id, enrolment_id, campaign_id, 2, 'intro', 1, 'consider', 2, 'active', 'opened',
                   'transitions/0: opened', event.id, at FROM {_ROWS} JOIN event USING (message_id)""",
        f"""UPDATE outbound_messages m SET status = 'delivered', finished_at = r.at
            FROM {_ROWS} WHERE m.id = r.message_id AND m.status = 'sent'""",
        f"""WITH gone AS (
                DELETE FROM scheduled_actions a USING {_ROWS} WHERE a.enrolment_id = r.enrolment_id AND a.visit <= 1
                RETURNING a.*)
            INSERT INTO finished_actions (action_id, workspace_id, enrolment_id, campaign_id, node, visit, kind, event,
                due_at, why, created_at, outcome, reason, finished_at)
            SELECT id, workspace_id, enrolment_id, campaign_id, node, visit, kind, event, due_at, why, created_at,
                   'cancelled', 'opened', due_at FROM gone""",
        f"""INSERT INTO scheduled_actions (workspace_id, enrolment_id, campaign_id, node, visit, kind, event, due_at,
                why, status, created_at)
            SELECT workspace_id, enrolment_id, campaign_id, 'consider', 2, 'timeout', 'no_click', due_at,
                   '["transitions/1: no_click"]', 'pending', at
            FROM {_ROWS}""",
        f"""UPDATE contact_campaigns e SET current_node = 'consider', visit = 2, entered_at = r.at, anchor_at = r.at,
                seq = 2
            FROM {_ROWS} WHERE e.id = r.enrolment_id""",
    )
)


def compare(database: Database, size: int, rounds: int, batches: int) -> tuple[Rate, Rate]:
    """Both ways in turn, batch by batch, on enrolments of their own, so that drift meets both alike."""
    rates: dict[str, list[float]] = {"ours": [], "raw": []}
    statements = count_statements(database, ours(database, seed(database, size)))
    ours(database, seed(database, size))()  # plans compiled, connections open, code warm
    raw(database, seed(database, size))()
    for _ in range(rounds):
        took_s = {"ours": 0.0, "raw": 0.0}
        for _ in range(batches):
            for name, way in (("ours", ours), ("raw", raw)):
                run = way(database, seed(database, size))
                started = time.perf_counter()
                run()
                took_s[name] += time.perf_counter() - started
        for name, spent_s in took_s.items():
            rates[name].append(size * batches / spent_s)
    return Rate(tuple(rates["ours"]), statements), Rate(tuple(rates["raw"]), len(RAW))


def seed(database: Database, count: int) -> list[Seeded]:
    """Fresh enrolments that wait for an open."""
    with database.worker() as conn:
        return seed_enrolments(conn, count, NOW)


def count_statements(database: Database, run: Callable[[], None]) -> int:
    """How many statements one run sends."""
    sent: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
        sent.append(statement)

    event.listen(database.engine, "before_cursor_execute", note)
    try:
        run()
    finally:
        event.remove(database.engine, "before_cursor_execute", note)
    return len(sent)


def claim_ms(database: Database, rounds: int) -> float:
    """Median milliseconds to claim 1000 due actions, rolled back each time."""
    times: list[float] = []
    for _ in range(rounds + 1):
        with database.engine.connect() as connection:
            started = time.perf_counter()
            claimed = actions.claim_due(connection, NOW, NOW)
            times.append((time.perf_counter() - started) * 1000)
            connection.rollback()
        if len(claimed) != actions.CLAIM_LIMIT:
            raise RuntimeError(f"claimed {len(claimed)} instead of {actions.CLAIM_LIMIT}")
    return statistics.median(times[1:])


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--no-claim", action="store_true", help="leave out the million pending actions")
    options = parser.parse_args()
    with EmbeddedPostgres() as server:
        compare_all(server, options.rounds)
        if not options.no_claim:
            claim_all(server, options.rounds * 3)


def compare_all(server: EmbeddedPostgres, rounds: int) -> None:
    """The table of batch sizes."""
    database = migrated(server, "engine")
    print(f"{'batch':>6} {'signals/s':>10} {'raw/s':>10} {'ratio':>6} {'statements':>11}")
    for size in BATCHES:
        mine, bound = compare(database, size, rounds, max(3, min(100, 5000 // size)))
        ratio = mine.median / bound.median
        print(f"{size:6} {mine.median:10.0f} {bound.median:10.0f} {ratio:6.2f} {mine.statements:11}")
    database.close()


def claim_all(server: EmbeddedPostgres, rounds: int) -> None:
    """The table of claims."""
    database = migrated(server, "claims")
    print(f"\n{'pending':>9} {'claim of 1000, ms':>18}")
    costs: list[float] = []
    for size in CLAIM_SIZES:
        with database.worker() as conn:
            seed_pending(conn, size, NOW)
        server.execute("VACUUM ANALYZE", database="claims")
        costs.append(claim_ms(database, rounds))
        print(f"{size:9} {costs[-1]:18.2f}")
    print(f"ratio {costs[-1] / costs[0]:.2f}")
    database.close()


def migrated(server: EmbeddedPostgres, name: str) -> Database:
    """A fresh database with the schema, as the workers see it."""
    owner = Database(server.create(name))
    with owner.worker() as conn:
        upgrade(conn)
    owner.close()
    return Database(owner.url, role="cadenza_worker")


if __name__ == "__main__":
    main()
