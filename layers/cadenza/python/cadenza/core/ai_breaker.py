"""The circuit breaker of a provider, shared by all who ask it: while it fails, work waits instead of failing with it.

Closed: calls go through, and failures in a row are counted. Open: none goes through until an instant. Past that instant
one may try: whoever moves the instant ahead holds the door until it is back. Every move is a guarded UPDATE.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, text

FAILURES_TO_OPEN = 5
PAUSE_S, LONGEST_PAUSE_S = 30, 900
"""How long it stays open: at first, and ever. It doubles with each trial that fails."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """What is known of a provider. ``open_until`` None: closed; past: the next call is the trial."""

    provider: str
    failures: int
    open_until: datetime | None
    reason: str
    updated_at: datetime


def all_of_them(conn: Connection) -> list[Breaker]:
    """Every provider that has ever failed."""
    rows = conn.execute(
        text("SELECT provider, failures, open_until, reason, updated_at FROM circuit_breakers ORDER BY provider")
    )
    return [Breaker(**row) for row in rows.mappings()]


def hold_door(conn: Connection, provider: str, until: datetime, now: datetime) -> bool:
    """Take the trial call, so that nobody else does before ``until``. False: somebody has, or it is not time yet."""
    held = conn.execute(
        text("""
            UPDATE circuit_breakers SET open_until = :until, updated_at = :now
            WHERE provider = :provider AND open_until <= :now
        """),
        {"provider": provider, "until": until, "now": now},
    )
    return held.rowcount > 0


def note_answer(conn: Connection, provider: str, now: datetime) -> None:
    """The provider is well. Zero rows: it was."""
    conn.execute(
        text("""
            UPDATE circuit_breakers SET failures = 0, open_until = NULL, reason = '', updated_at = :now
            WHERE provider = :provider AND (failures > 0 OR open_until IS NOT NULL)
        """),
        {"provider": provider, "now": now},
    )


def note_failure(conn: Connection, provider: str, reason: str, now: datetime, *, trial: bool) -> datetime | None:
    """A call failed. While it is open only the trial's failure counts: the others began before it opened.

    Until when it is open now, None if it is not.
    """
    longest = timedelta(seconds=LONGEST_PAUSE_S)
    conn.execute(
        text("""
            INSERT INTO circuit_breakers AS b (provider, failures, reason, updated_at)
            VALUES (:provider, 1, :reason, :now)
            ON CONFLICT (provider) DO UPDATE SET
                failures = b.failures + 1, reason = :reason, updated_at = :now,
                open_until = CASE WHEN b.failures + 1 >= :limit THEN
                    CAST(:now AS timestamptz) + least(
                        CAST(:longest AS interval),
                        make_interval(secs => :pause_s * 2 ^ least(b.failures + 1 - :limit, 10)))
                END
            WHERE b.open_until IS NULL OR :trial
        """),
        {
            "provider": provider,
            "reason": reason,
            "now": now,
            "limit": FAILURES_TO_OPEN,
            "pause_s": PAUSE_S,
            "longest": longest,
            "trial": trial,
        },
    )
    query = text("SELECT open_until FROM circuit_breakers WHERE provider = :provider")
    return conn.execute(query, {"provider": provider}).scalar()
