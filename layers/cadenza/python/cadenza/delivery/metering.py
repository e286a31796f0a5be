"""What the providers' accounts allow: read now and then, enforced by the gate, kept to when mail is handed over."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.log import get_logger
from cadenza.core.states import MessageStatus
from cadenza.delivery.gate import SLICE_S
from cadenza.delivery.model import Metered, Provider, Quota

READ_EVERY: Final = timedelta(minutes=5)


@dataclass(slots=True)
class _Pace:
    """A provider's pace in this process: one mail every ``interval_s``, and the next one at ``next_at``."""

    interval_s: float
    next_at: datetime


@dataclass(slots=True)
class Meter:
    """The quotas of the providers that have one. One a process.

    A provider's rate is its account's, so each of the ``processes`` that may send at once takes its share. The day's
    quota needs no shares: it is counted in Postgres, in the claim.
    """

    database: Database
    providers: Mapping[str, Provider]
    clock: Clock
    processes: int = 1
    sleep: Callable[[float], None] = time.sleep
    _asked_at: dict[str, datetime] = field(default_factory=dict[str, datetime])
    _paces: dict[str, _Pace] = field(default_factory=dict[str, _Pace])

    def read(self) -> None:
        """Ask the providers whose last answer has grown old."""
        for name, provider in self.providers.items():
            now = self.clock()
            asked_at = self._asked_at.get(name)
            if isinstance(provider, Metered) and (asked_at is None or now - asked_at >= READ_EVERY):
                self._read(name, provider, now)

    def slices(self) -> dict[str, int]:
        """How many mails each provider may be handed in one `SLICE_S` of this process; at least one."""
        return {name: max(1, int(SLICE_S / pace.interval_s)) for name, pace in self._paces.items()}

    def keep_pace(self, name: str) -> None:
        """Wait for the provider's next turn. Call it right before each mail."""
        pace = self._paces.get(name)
        if pace is None:
            return
        now = self.clock()
        turn = max(now, pace.next_at)
        pace.next_at = turn + timedelta(seconds=pace.interval_s)
        if turn > now:
            self.sleep((turn - now).total_seconds())

    def _read(self, name: str, provider: Metered, now: datetime) -> None:
        with self.database.worker() as conn:
            surely_counted = _surely_counted(conn, name)
        self._asked_at[name] = now
        try:
            quota = provider.quota()
        except Exception:  # noqa: BLE001 - a quota spares us refusals; not knowing it must keep no mail back
            get_logger().warning("provider.quota_unknown", provider=name, exc_info=True)
            return
        if quota is None:
            return
        if quota.per_second > 0:
            interval_s = self.processes / quota.per_second
            known = self._paces.get(name)
            self._paces[name] = _Pace(interval_s, known.next_at if known else now)
        with self.database.worker() as conn:
            _write(conn, name, quota, surely_counted, now)


def _surely_counted(conn: Connection, provider: str) -> int:
    """How many of the messages claimed so far the provider counts for sure: all but those in flight.

    Whatever is claimed or taken after this reading counts against what the provider says it has left: some of it twice,
    none of it never.
    """
    return conn.execute(_SURELY_COUNTED, {"provider": provider}).scalar_one()


_SURELY_COUNTED = text(f"""
    SELECT coalesce((SELECT claimed FROM provider_quotas WHERE provider = :provider), 0)
           - (SELECT count(*) FROM outbound_messages m JOIN sender_identities s ON s.id = m.sender_id
              WHERE m.status = '{MessageStatus.SENDING}' AND s.provider = :provider)
""")


def _write(conn: Connection, provider: str, quota: Quota, surely_counted: int, read_at: datetime) -> None:
    """Keep a reading. Zero rows: another process has a newer one."""
    parameters = {
        "provider": provider,
        "a_day": quota.a_day,
        "allowed": None if quota.a_day is None else surely_counted + max(0, quota.a_day - quota.sent),
        "read_at": read_at,
    }
    conn.execute(_WRITE, parameters)


_WRITE = text("""
    INSERT INTO provider_quotas AS q (provider, a_day, allowed, read_at)
    VALUES (:provider, :a_day, :allowed, :read_at)
    ON CONFLICT (provider) DO UPDATE SET a_day = excluded.a_day, allowed = excluded.allowed, read_at = excluded.read_at
    WHERE q.read_at < excluded.read_at
""")
