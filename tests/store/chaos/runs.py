"""Runs: make the worlds, let things happen to them, let time run out, judge."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime

from cadenza.campaigns import invariants
from cadenza.core.db import Database
from local.postgres import EmbeddedPostgres
from tests.store.chaos.oracle import WITNESS, Findings, Stop, judge
from tests.store.chaos.script import Play, collide, contend, run_out
from tests.store.chaos.seams import Baton, Jitter, SeamDatabase, Seams
from tests.store.chaos.worlds import Services, Worlds, ids_of, make_worlds

TEMPLATE = "chaos_template"


@dataclass
class Arena:
    """Where runs take place: a database each, cloned from one that has the witness's triggers."""

    server: EmbeddedPostgres
    now: datetime

    @classmethod
    def open(cls, server: EmbeddedPostgres, migrated: str, now: datetime) -> Arena:
        """An arena on the server; ``migrated`` names a database with the schema."""
        owner = Database(server.create(TEMPLATE, migrated))
        with owner.worker() as conn:
            conn.exec_driver_sql(WITNESS)
        owner.close()
        return cls(server, now)

    def close(self) -> None:
        """Leave nothing behind."""
        self.server.drop(TEMPLATE)

    def interleave(self, seed: int, size: int, steps: int) -> Findings:
        """``size`` worlds with one worker at a time, changed at the seams. The same seed gives the same run."""
        baton = Baton()
        with self._worlds(seed, size, baton) as worlds:
            play = Play(worlds, baton)
            play.run(steps)
            return self._end(worlds, play.counts, [], serial=True)

    def digest(self, seed: int, size: int, steps: int) -> str:
        """What happens in `interleave`, before time runs out, in a few letters."""
        baton = Baton()
        with self._worlds(seed, size, baton) as worlds:
            Play(worlds, baton).run(steps)
            with worlds.database.worker() as conn:
                return judge(conn, worlds.evidence(stops=[], serial=True)).digest

    def collide(self, seed: int, size: int, rounds: int) -> Findings:
        """``size`` worlds with threads side by side. The seed gives what they do, not who comes first."""
        jitter, counts = Jitter(seed), Counter[str]()
        with self._worlds(seed, size, jitter) as worlds, self._crew(worlds, jitter, 4) as crew:
            return self._end(worlds, counts, collide(worlds, crew, jitter, rounds, counts), serial=False)

    def contend(self, seed: int, size: int, rounds: int) -> Findings:
        """``size`` worlds whose campaigns are drafts, and two operators at once. The seed gives what they press."""
        jitter, counts = Jitter(seed), Counter[str]()
        with self._worlds(seed, size, jitter, asleep=1.0) as worlds, self._crew(worlds, jitter, 2) as crew:
            contend(worlds, crew, jitter, rounds, counts)
            return self._end(worlds, counts, [], serial=False)

    @staticmethod
    @contextmanager
    def _crew(worlds: Worlds, jitter: Jitter, size: int) -> Generator[list[Services]]:
        """Processes, each with a database connection of its own."""
        with ExitStack() as opened:
            databases = [SeamDatabase(worlds.database.url, jitter) for _ in range(size)]
            for database in databases:
                opened.callback(database.close)
            yield [worlds.crew(database, jitter) for database in databases]

    @contextmanager
    def _worlds(self, seed: int, size: int, seams: Seams, **given: float) -> Generator[Worlds]:
        name = f"chaos_{seed}"
        database = SeamDatabase(self.server.create(name, TEMPLATE), seams)
        try:
            with ids_of(seed):
                yield make_worlds(seed, size, self.now, database, seams, **given)
        finally:
            database.close()
            self.server.drop(name)

    @staticmethod
    def _end(worlds: Worlds, counts: Counter[str], stops: list[Stop], *, serial: bool) -> Findings:
        run_out(worlds)
        with worlds.database.worker() as conn:
            findings = judge(conn, worlds.evidence(stops=stops, serial=serial))
            for found in invariants.check(conn, worlds.now):
                findings.violations += [f"{found.name}: {found.violations} violations"] * bool(found.violations)
        findings.counts.update(counts)
        findings.counts["runs"] += 1
        findings.counts["worlds"] += len(worlds.all)
        return findings
