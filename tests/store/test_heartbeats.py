"""Signs of life: written now and then, and never in the way of the work."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import URL

from cadenza.core import heartbeats
from cadenza.core.db import DRIVER, Database
from cadenza.core.heartbeats import Heart
from tests.store.builders import NOW

SECOND, MINUTE = timedelta(seconds=1), timedelta(minutes=1)


class Clock:
    """Stands still unless it is set."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        """The instant that was set."""
        return self.now


def seen(database: Database) -> list[tuple[str, datetime, object]]:
    with database.worker() as conn:
        return [(beat.worker, beat.at, beat.detail.get("done")) for beat in heartbeats.all_of_them(conn)]


def test_a_process_beats_once_a_minute_at_most(database: Database) -> None:
    """If it failed, each message would cost a write more, or a function at work would look silent."""
    clock = Clock()
    heart = Heart(database, "send", clock)
    for done, passes in ((1, 59 * SECOND), (2, SECOND), (3, MINUTE)):
        heart.beat(done, 10)
        clock.now += passes
    assert seen(database) == [("send", NOW + MINUTE, 3)]
    heart.beat(4, 10)
    assert seen(database) == [("send", NOW + 2 * MINUTE, 4)]


def test_processes_of_a_function_share_its_sign(database: Database) -> None:
    """If it failed, a hundred processes would write one row a hundred times a minute, or take it back in time."""
    clock = Clock()
    first, second = (Heart(database, "plan", clock) for _ in range(2))
    clock.now += 30 * SECOND
    first.beat(1, 1)
    clock.now -= 10 * SECOND
    second.beat(2, 2)
    assert seen(database) == [("plan", NOW + 30 * SECOND, 1)]


def test_a_sign_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    """If it failed, work that was done would be done again, because nobody could write that it was."""
    nowhere = Database(URL.create(DRIVER, "nobody", query={"unix_sock": str(tmp_path / "none")}), patience_s=0)
    Heart(nowhere, "plan", Clock()).beat(1, 1)
    nowhere.close()
