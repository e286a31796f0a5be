"""Messages sent per second, beside raw SQL that does the same writes, and beside the making of the mails alone.

Run ``.venv/bin/python -m bench.send`` on a quiet machine. Real embedded Postgres with default durability, a provider
that takes every mail at once. Each message is the last of its plan: it is claimed (gate, quotas of workspace, campaign
and sender), its content is loaded, the mail is made, handed over, recorded; the enrolment ends, with its audit row. The
raw run reads the same content and does the same writes in set-based statements, in the same two transactions, with
nothing judged, locked in order or decided. It makes no mails; what that costs is the third figure.
"""

from __future__ import annotations

import argparse
import json
import logging
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, text

from bench.engine import Rate, count_statements, migrated
from cadenza.core.db import Database
from cadenza.core.ids import MessageId, new_id
from cadenza.core.queues import Queue
from cadenza.core.settings import ExecutionQueue
from cadenza.delivery.gate import claim
from cadenza.delivery.hints import Hints
from cadenza.delivery.mime import build
from cadenza.delivery.model import LEASE, Attempt, EarlierMail, Mail, Rejected, Sent
from cadenza.delivery.render import render
from cadenza.delivery.service import Delivery
from cadenza.engine.dispatch import Dispatcher
from cadenza.engine.service import Engine
from cadenza.engine.wakes import Wakes
from cadenza.planning.model import content_hash, parse_plan
from cadenza.signals.links import Links
from local.postgres import EmbeddedPostgres

NOW = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)
BATCHES = (1, 10, 100)
LINKS = Links("https://go.bench.example", "0123456789abcdef")
PLAN = {
    "version": "1.0",
    "timezone": "Europe/Lisbon",
    "startNodeId": "intro",
    "nodes": [
        {
            "id": "intro",
            "action": "send",
            "subject": "An idea for {{firstName}}",
            "body": "Hi {{firstName}},\n\nplease have a look: https://bench.example/tour?a=1&b=2.\n\nBest,\nAda",
        }
    ],
}


class TakesAll:
    """A provider that answers at once."""

    def send(self, mail: Mail) -> Sent:
        """See `Provider`."""
        return Sent(f"id-{mail.message_id}")

    def header_id(self, mail: EarlierMail) -> str:
        """See `Provider`."""
        return f"<{mail.provider_message_id}@bench.example>"

    def close(self) -> None:
        """See `Provider`."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where the messages are."""

    workspace_id: UUID
    sender_id: UUID
    campaign_id: UUID
    plan_id: UUID


def make_home(conn: Connection) -> Home:
    """A workspace with a sender and a running campaign, each with a cap that is never reached."""
    home = Home(new_id(), new_id(), new_id(), new_id())
    given = {
        "workspace": home.workspace_id,
        "sender": home.sender_id,
        "campaign": home.campaign_id,
        "plan": home.plan_id,
        "hash": content_hash(parse_plan(PLAN)),
        "json": json.dumps(PLAN),
        "now": NOW,
    }
    for statement in (
        "INSERT INTO workspaces VALUES (:workspace, 'bench', :now)",
        "INSERT INTO automation_settings (workspace_id, daily_cap, updated_at) VALUES (:workspace, 10000000, :now)",
        """INSERT INTO sender_identities (id, workspace_id, name, email, company, postal_address, daily_cap, created_at)
           VALUES (:sender, :workspace, 'Ada', 'ada@bench.example', 'Bench', 'Musterweg 1', 10000000, :now)""",
        """INSERT INTO campaigns (id, workspace_id, name, kind, status, sender_id, daily_cap, created_at, updated_at)
           VALUES (:campaign, :workspace, 'bench', 'ai', 'running', :sender, 10000000, :now, :now)""",
        """INSERT INTO campaign_plans (id, workspace_id, hash, version, plan, created_at)
           VALUES (:plan, :workspace, :hash, '1.0', CAST(:json AS jsonb), :now)""",
    ):
        conn.execute(text(statement), given)
    return home


def seed_queued(conn: Connection, home: Home, count: int) -> list[MessageId]:
    """People, each with a message that waits to be sent now."""
    ids = [(new_id(), new_id(), MessageId(new_id())) for _ in range(count)]
    given = {
        "rows": json.dumps([{"contact": str(c), "enrolment": str(e), "message": str(m)} for c, e, m in ids]),
        "workspace": home.workspace_id,
        "sender": home.sender_id,
        "campaign": home.campaign_id,
        "plan": home.plan_id,
        "now": NOW,
    }
    source = "jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(contact uuid, enrolment uuid, message uuid)"
    for statement in (
        f"""INSERT INTO contacts (id, workspace_id, email, name, first_name, created_at)
            SELECT contact, :workspace, contact || '@acme.example', 'Grace Hopper', 'Grace', CAST(:now AS timestamptz)
            FROM {source}""",
        f"""INSERT INTO contact_campaigns (id, workspace_id, campaign_id, contact_id, plan_id, status, current_node,
                visit, entered_at, seq, last_message_id, created_at)
            SELECT enrolment, :workspace, :campaign, contact, :plan, 'active', 'intro', 1, :now, 1, message,
                   CAST(:now AS timestamptz) FROM {source}""",
        f"""INSERT INTO outbound_messages (id, workspace_id, enrolment_id, campaign_id, contact_id, sender_id, node,
                visit, channel, status, due_at, queued_at, enqueued_at)
            SELECT message, :workspace, enrolment, :campaign, contact, :sender, 'intro', 1, 'email', 'queued', :now,
                   :now, CAST(:now AS timestamptz) FROM {source}""",
    ):
        conn.execute(text(statement), given)
    return [message_id for _, _, message_id in ids]


def delivery(database: Database) -> Delivery:
    """The service as the send function makes it. It has nothing to enqueue: the messages are their plans' last."""
    settings = ExecutionQueue(
        campaign_execution_queue_url="", campaign_execution_queue_arn="", scheduler_group="", scheduler_role_arn=""
    )
    send = Queue("")
    dispatcher = Dispatcher(Queue(""), Wakes(settings), send)
    return Delivery(
        database=database,
        engine=Engine(database, dispatcher, lambda: NOW),
        hints=Hints(send, dispatcher),
        providers={"ses": TakesAll()},
        links=LINKS,
        clock=lambda: NOW,
    )


# --- the same writes, raw ----------------------------------------------------------------------------------------

RAW_CLAIM = tuple(
    text(statement)
    for statement in (
        """UPDATE outbound_messages SET status = 'sending', attempt_id = :attempt, lease_until = :lease_until,
               sender_id = :sender, reason = '',
               to_address = (SELECT email FROM contacts k WHERE k.id = outbound_messages.contact_id)
           WHERE id = ANY(:ids) AND status = 'queued'""",
        """INSERT INTO send_quota AS q (scope, scope_id, day, workspace_id, used)
           VALUES ('workspace', :workspace, CAST(:now AS date), :workspace, :count),
                  ('campaign', :campaign, CAST(:now AS date), :workspace, :count),
                  ('sender', :sender, CAST(:now AS date), :workspace, :count)
           ON CONFLICT (scope, scope_id, day) DO UPDATE SET used = q.used + excluded.used""",
        """SELECT m.id, m.to_address, k.name, k.first_name, p.plan -> 'nodes' -> 0 AS content, s.email, s.name,
                  s.postal_address
           FROM outbound_messages m JOIN contact_campaigns e ON e.id = m.enrolment_id
           JOIN campaign_plans p ON p.id = e.plan_id JOIN contacts k ON k.id = m.contact_id
           JOIN sender_identities s ON s.id = m.sender_id WHERE m.id = ANY(:ids)""",
    )
)
RAW_RECORD = tuple(
    text(statement)
    for statement in (
        """UPDATE outbound_messages SET status = 'sent', sent_at = :now, finished_at = :now, provider = 'ses',
               provider_message_id = 'id-' || id, subject = 'An idea', reason = ''
           WHERE id = ANY(:ids) AND attempt_id = :attempt""",
        """INSERT INTO campaign_transitions (workspace_id, enrolment_id, campaign_id, seq, from_node, from_visit,
               to_node, to_visit, to_status, cause, rule, at)
           SELECT workspace_id, enrolment_id, campaign_id, 2, 'intro', 1, '', 1, 'completed', 'sent',
                  'engine: the last message is sent', CAST(:now AS timestamptz)
           FROM outbound_messages WHERE id = ANY(:ids)""",
        """UPDATE contact_campaigns e SET status = 'completed', anchor_at = :now, seq = 2, finished_at = :now,
               reason = 'node intro has no transitions'
           FROM outbound_messages m WHERE m.id = ANY(:ids) AND e.id = m.enrolment_id""",
    )
)


def raw(database: Database, home: Home, ids: Sequence[MessageId]) -> Callable[[], None]:
    """The same writes, with nothing judged or decided."""
    given = {
        "ids": list(ids),
        "attempt": new_id(),
        "lease_until": NOW + LEASE,
        "workspace": home.workspace_id,
        "campaign": home.campaign_id,
        "sender": home.sender_id,
        "count": len(ids),
        "now": NOW,
    }

    def run() -> None:
        for statements in (RAW_CLAIM, RAW_RECORD):
            with database.worker() as conn:
                for statement in statements:
                    result = conn.execute(statement, given)
                    if result.returns_rows:
                        result.all()

    return run


# --- measuring ---------------------------------------------------------------------------------------------------


def compare(database: Database, home: Home, size: int, rounds: int, batches: int) -> tuple[Rate, Rate]:
    """Both ways in turn, round by round, on messages of their own, so that drift meets both alike."""
    service = delivery(database)

    def ours(ids: Sequence[MessageId]) -> Callable[[], None]:
        return lambda: service.send(ids)

    def bound(ids: Sequence[MessageId]) -> Callable[[], None]:
        return raw(database, home, ids)

    def fresh() -> list[MessageId]:
        with database.worker() as conn:
            return seed_queued(conn, home, size)

    open_end = fresh()  # never sent: the campaign stays open, as campaigns do
    statements = count_statements(database, ours(fresh()))
    raw_statements = count_statements(database, bound(fresh()))
    rates: dict[str, list[float]] = {"ours": [], "raw": []}
    for _ in range(rounds):
        for name, way in (("ours", ours), ("raw", bound)):
            runs = [way(fresh()) for _ in range(batches)]
            started = time.perf_counter()
            for run in runs:
                run()
            rates[name].append(size * batches / (time.perf_counter() - started))
    _check(database, len(open_end))
    return Rate(tuple(rates["ours"]), statements), Rate(tuple(rates["raw"]), raw_statements)


def _check(database: Database, waiting: int) -> None:
    """Everything but what was to wait has been sent: a bench of something that does not work measures nothing."""
    with database.worker() as conn:
        left = conn.execute(text("SELECT count(*) FROM outbound_messages WHERE status <> 'sent'")).scalar_one()
        conn.execute(text("UPDATE outbound_messages SET status = 'sent' WHERE status <> 'sent'"))
    if left != waiting:
        raise RuntimeError(f"{left} messages are not sent, instead of {waiting}")


def mails_per_second(database: Database, home: Home, rounds: int) -> float:
    """How many mails a second are rendered and built, alone."""
    with database.engine.connect() as conn:
        ids = seed_queued(conn, home, 200)
        claims = claim(conn, ids, Attempt(new_id(), NOW, NOW + LEASE))
        conn.rollback()
    rates: list[float] = []
    for _ in range(rounds):
        started = time.perf_counter()
        for message in claims.claimed:
            rendered = render(message, LINKS)
            if isinstance(rendered, Rejected):
                raise TypeError(rendered.reason)
            build(message, rendered, opt_out_url=LINKS.unsubscribe(message.stay.message_id), thread=[], now=NOW)
        rates.append(len(claims.claimed) / (time.perf_counter() - started))
    return statistics.median(rates)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    logging.disable(logging.INFO)  # one line a message: what a terminal makes of it is not what is measured
    with EmbeddedPostgres() as server:
        database = migrated(server, "send")
        with database.worker() as conn:
            home = make_home(conn)
        print(f"{'batch':>6} {'messages/s':>11} {'raw/s':>8} {'ratio':>6} {'statements':>11} {'raw statements':>15}")
        for size in BATCHES:
            mine, bound = compare(database, home, size, options.rounds, max(5, min(100, 1000 // size)))
            ratio = mine.median / bound.median
            print(
                f"{size:6} {mine.median:11.0f} {bound.median:8.0f} {ratio:6.2f} {mine.statements:11}"
                f" {bound.statements:15}"
            )
        print(f"\nmails made a second, alone: {mails_per_second(database, home, options.rounds):.0f}")
        database.close()


if __name__ == "__main__":
    main()
