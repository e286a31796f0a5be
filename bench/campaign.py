"""What the operator's buttons cost on a large campaign: start, pause, preview, resume, cancel; time and statements.

    python -m bench.campaign [--enrolments 100000]

Real embedded Postgres, default durability. Queues are not: their hints are counted, not sent. "in the request" is what
the operator waits for; what is left goes on in the execute function, a part at a time, and is shown beside it.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import event, text

from bench.engine import migrated
from bench.seed import seed_drafts
from cadenza.campaigns.service import Campaigns
from cadenza.core.db import Database
from cadenza.core.ids import CampaignId
from cadenza.core.states import ResumePolicy
from cadenza.engine import following
from cadenza.engine.apply import FollowUp
from cadenza.engine.dispatch import Dispatcher
from local.postgres import EmbeddedPostgres

NOW = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)


@dataclass
class Counted(Dispatcher):
    """Counts what it would hand on."""

    actions: int = 0
    parts: int = 0
    wakes: int = 0

    def dispatch(self, follow_up: FollowUp, now: datetime, correlation_id: str = "") -> None:  # noqa: ARG002
        """See `Dispatcher.dispatch`."""
        self.actions += len(follow_up.actions)

    def follow(self, campaigns: Iterable[CampaignId], correlation_id: str = "") -> None:  # noqa: ARG002
        """See `Dispatcher.follow`."""
        self.parts += len(list(campaigns))

    def wake(self, now: datetime) -> None:  # noqa: ARG002
        """See `Dispatcher.wake`."""
        self.wakes += 1


@dataclass
class Stopwatch:
    """Times what is done to a database, and counts its statements."""

    database: Database
    sent: list[str] = field(default_factory=list[str])

    def __post_init__(self) -> None:
        event.listen(self.database.engine, "before_cursor_execute", self._note)

    def _note(self, _conn: Any, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's event
        self.sent.append(statement)

    def run(self, what: str, do: Callable[[], object], then: Callable[[], int] | None = None) -> None:
        """Do it, and whatever is left of it ``then``, and print a line."""
        self.sent.clear()
        started = time.perf_counter()
        do()
        request_s, statements = time.perf_counter() - started, len(self.sent)
        started = time.perf_counter()
        parts = then() if then is not None else 0
        rest = f"{time.perf_counter() - started:10.1f} s in {parts} parts" if parts else ""
        print(f"{what:20} {request_s * 1000:12.0f} {statements:11} {rest}", flush=True)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--enrolments", type=int, default=100_000)
    options = parser.parse_args()
    with EmbeddedPostgres() as server:
        database = migrated(server, "campaign")
        with database.worker() as conn:
            home = seed_drafts(conn, options.enrolments, NOW)
        server.execute("VACUUM ANALYZE", database="campaign")
        now = NOW
        campaigns = Campaigns(database, Counted(), home.workspace_id, None, lambda: now, "https://go.cadenza.example")
        watch = Stopwatch(database)

        def rest() -> int:
            """What the execute function does, part by part."""
            parts = 0
            while True:
                with database.worker() as conn:
                    parts += 1
                    if not following.follow(conn, home.campaign_id, now).more:
                        return parts

        print(f"{'of ' + format(options.enrolments, ','):20} {'request, ms':>12} {'statements':>11}      afterwards")
        watch.run("start", lambda: campaigns.start(home.campaign_id), rest)
        for policy in ResumePolicy:
            watch.run("pause", lambda: campaigns.pause(home.campaign_id))
            now += timedelta(days=2)
            watch.run("preview", lambda: campaigns.preview_resume(home.campaign_id))
            watch.run(f"resume {policy}", lambda policy=policy: campaigns.resume(home.campaign_id, policy), rest)
        watch.run("cancel", lambda: campaigns.cancel(home.campaign_id), rest)
        with database.worker() as conn:
            left = conn.execute(text("SELECT count(*) FROM scheduled_actions")).scalar_one()
        if left:
            raise RuntimeError(f"{left} actions are left of a cancelled campaign")
        database.close()


if __name__ == "__main__":
    main()
