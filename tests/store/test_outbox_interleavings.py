"""Sending is exact, whatever comes between: thousands of random histories on real Postgres, judged by witnesses.

`make test` plays a few hundred worlds, `make test-long` ten thousand. A failure names the seed; `CADENZA_SEED=<seed>`
plays that run alone (interleavings come out the same, threads do what they can).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import pytest
from sqlalchemy.exc import DBAPIError

from cadenza.core.errors import CadenzaError
from cadenza.core.messages import Grade
from local.postgres import EmbeddedPostgres
from tests.conftest import TEMPLATE
from tests.store.chaos.mutants import MUTANTS, Mutant
from tests.store.chaos.oracle import Findings
from tests.store.chaos.runs import Arena
from tests.unit.properties import LONG

SIZE, STEPS = (200, 500) if LONG else (100, 120)
RUNS = 45 if LONG else 1
CROWD, ROUNDS = (40, 8) if LONG else (20, 3)
CROWDS = 25 if LONG else 1
BUTTONS = ("start", "pause", "resume", "cancel")
TOLD = ("runs", "worlds", "messages", "claims", "provider calls", "crashes", "events", "pause", "resume", "cancel")
TOLD += ("suppress", "hold", "different histories", "violations")


@pytest.fixture(scope="module")
def arena(postgres: EmbeddedPostgres) -> Iterator[Arena]:
    arena = Arena.open(postgres, TEMPLATE, datetime(2026, 1, 13, 10, 0, tzinfo=UTC))
    yield arena
    arena.close()


def seeds(first: int, count: int) -> range:
    """Which runs to play."""
    only = os.environ.get("CADENZA_SEED")
    return range(int(only), int(only) + 1) if only else range(first, first + count)


def told(findings: Findings) -> str:
    """The counts, for people."""
    counts = findings.counts
    counts["events"] = sum(counts[f"recorded {grade}"] for grade in Grade)
    counts["different histories"] = len(findings.histories)
    counts["violations"] = len(findings.violations)
    return ", ".join(f"{counts[name]} {name}" for name in TOLD)


@pytest.mark.long
def test_no_interleaving_breaks_what_sending_promises(arena: Arena, record_property: Callable[[str, object], None]):
    """Broken, some order of claims, crashes, events and pauses would mail twice, too much, or to who said no."""
    total = Findings()
    for seed in seeds(1, RUNS):
        found = arena.interleave(seed, SIZE, STEPS)
        assert not found.violations, f"CADENZA_SEED={seed}: {found.violations[:10]}"
        total += found
    record_property("counts", f"interleavings: {told(total)} (I1, I3, I7, I8, I10, and I2, I4, I5, I6 at the end)")
    assert len(total.histories) > 0.9 * total.counts["worlds"]
    assert min(total.counts[name] for name in ("claims", "crashes", "pause", "resume", "suppress", "hold")) > 0


@pytest.mark.long
def test_nothing_breaks_when_all_happens_at_once(arena: Arena, record_property: Callable[[str, object], None]):
    """Broken, functions that really run side by side would do what taking turns does not show."""
    total = Findings()
    for seed in seeds(10_001, CROWDS):
        found = arena.collide(seed, CROWD, ROUNDS)
        assert not found.violations, f"CADENZA_SEED={seed}: {found.violations[:10]}"
        total += found
    record_property("counts", f"side by side: {told(total)}")


@pytest.mark.long
def test_two_operators_press_start_pause_and_resume_at_once(
    arena: Arena, record_property: Callable[[str, object], None]
):
    """Broken, two people at two screens would start a campaign twice, or mail out of one that stands on paused."""
    total = Findings()
    for seed in seeds(30_001, CROWDS):
        found = arena.contend(seed, CROWD, ROUNDS)
        assert not found.violations, f"CADENZA_SEED={seed}: {found.violations[:10]}"
        total += found
    pressed = {name: total.counts[name] for name in sorted(total.counts) if name.split()[0] in BUTTONS}
    record_property("counts", f"two operators: {told(total)}; {pressed}")
    if LONG:
        assert total.counts["worlds"] >= 1000
        assert min(total.counts[name] + total.counts[f"{name} refused"] for name in BUTTONS) > 100


def test_a_seed_tells_the_same_story_again(arena: Arena):
    """Broken, a violation that was found could not be looked at again."""
    assert arena.digest(7, 20, 60) == arena.digest(7, 20, 60)


@pytest.mark.skipif(not LONG, reason="the mutants are tried by make test-long")
@pytest.mark.long
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_sender_is_noticed(arena: Arena, monkeypatch: pytest.MonkeyPatch, mutant: Mutant):
    """Broken, the runs above would prove nothing."""
    mutant.apply(monkeypatch)
    tries = 60 if mutant.side_by_side else 12  # threads meet when they like
    for seed in range(20_001, 20_001 + tries):
        try:
            found = arena.collide(seed, 80, 5) if mutant.side_by_side else arena.interleave(seed, 40, 160)
        except (CadenzaError, DBAPIError, LookupError) as error:
            found = Findings([f"it breaks down: {error!r}"])
        if any(violation.startswith(mutant.by) for violation in found.violations):
            return
    pytest.fail("nobody noticed")
