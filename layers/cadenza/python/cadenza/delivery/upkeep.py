"""What the outbox needs by time: messages put off come back, lost hints are repeated, unknown ends are settled."""

from __future__ import annotations

from datetime import datetime

from cadenza.core import idempotency
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.log import get_logger
from cadenza.delivery import outbox
from cadenza.delivery.hints import Hints
from cadenza.engine.apply import SOON, apply
from cadenza.engine.service import LOST_AFTER, SWEEP_HORIZON, Engine
from cadenza.engine.wakes import BUCKET


class Upkeep:
    """Runs beside the engine, on the same wakes and sweeps. Safe to repeat."""

    def __init__(self, database: Database, engine: Engine, hints: Hints, clock: Clock) -> None:
        """``clock`` is read once a step."""
        self._database = database
        self._engine = engine
        self._hints = hints
        self._clock = clock

    def wake(self, bucket: datetime) -> None:
        """Hint at everything that is due in ``bucket``, and at whatever is overdue without a hint."""
        self._requeue(bucket + BUCKET)

    def sweep(self) -> None:
        """Repeat lost hints, renew the wakes ahead, settle what nobody has heard of again, forget old keys."""
        now = self._clock()
        self._requeue(now + SOON)
        with self._database.worker() as conn:
            ahead = outbox.pending_dues(conn, now + SWEEP_HORIZON)
        self._hints.renew(ahead, now)
        self._settle()
        self._forget()

    def _forget(self) -> None:
        forgotten = idempotency.FORGOTTEN_AT_ONCE
        while forgotten == idempotency.FORGOTTEN_AT_ONCE:
            with self._database.worker() as conn:
                forgotten = idempotency.forget(conn, self._clock())

    def _requeue(self, until: datetime) -> None:
        while True:
            now = self._clock()
            with self._database.worker() as conn:
                due = outbox.requeue(conn, until, now - LOST_AFTER, now)
            self._hints.remind(due, now)
            if len(due) < outbox.LIMIT:
                return

    def _settle(self) -> None:
        while True:
            now = self._clock()
            with self._database.worker() as conn:
                expired = outbox.expire_leases(conn, now)
                settled = outbox.settle_unknown(conn, now)
                follow_up = apply(conn, settled.stimuli, now)
            if expired or settled.count:
                resent = len(settled.resent)
                get_logger().warning("outbox.unsettled", expired=expired, given_up=settled.count, resent=resent)
            self._engine.finish(follow_up)
            self._hints.remind(settled.resent, now)
            if max(expired, settled.count) < outbox.LIMIT:
                return
