"""Signs of life: each function that works writes when it last got something done, at most once a minute a process.

The webhook function has no database and so no sign: that it takes what it is sent shows in its queues. Nothing done is
no fault: a function that is not asked writes nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from pydantic import JsonValue
from sqlalchemy import Connection, text
from sqlalchemy.exc import SQLAlchemyError

from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import CadenzaError
from cadenza.core.log import get_logger

EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """When a function last got something done. ``detail``: of how many messages at once, and how many were done."""

    worker: str
    at: datetime
    detail: dict[str, JsonValue]


class Heart:
    """The sign of life of one process of a function."""

    def __init__(self, database: Database, worker: str, clock: Clock) -> None:
        """``worker`` is the function's name."""
        self._database = database
        self._worker = worker
        self._clock = clock
        self._last: datetime | None = None

    def beat(self, done: int, received: int) -> None:
        """Write that something was done, unless a minute has not passed. Trouble is logged: the work is done."""
        now = self._clock()
        if self._last is not None and now - self._last < EVERY:
            return
        self._last = now
        try:
            with self._database.worker() as conn:
                write(conn, Heartbeat(self._worker, now, {"done": done, "received": received}))
        except (CadenzaError, SQLAlchemyError):
            get_logger().exception("heartbeat.not_written")


@cache
def heart(database: Database, worker: str, clock: Clock) -> Heart:
    """The heart of this process."""
    return Heart(database, worker, clock)


def write(conn: Connection, beat: Heartbeat) -> None:
    """Keep the newest sign. Zero rows: another process of the function has just written one."""
    conn.execute(
        text("""
            INSERT INTO heartbeats AS h (worker, at, detail) VALUES (:worker, :at, CAST(:detail AS jsonb))
            ON CONFLICT (worker) DO UPDATE SET at = excluded.at, detail = excluded.detail
            WHERE h.at <= excluded.at - CAST(:every AS interval)
        """),
        {"worker": beat.worker, "at": beat.at, "detail": json.dumps(beat.detail), "every": EVERY},
    )


def all_of_them(conn: Connection) -> list[Heartbeat]:
    """Every function that has ever got something done."""
    rows = conn.execute(text("SELECT worker, at, detail FROM heartbeats ORDER BY worker"))
    return [Heartbeat(**row) for row in rows.mappings()]
