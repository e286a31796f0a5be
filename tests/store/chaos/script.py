"""What happens to the worlds: at random, from a seed, everything that production may live through.

`Play` lets one worker run at a time and changes between them where they hold no lock; `collide` lets threads run side
by side. Both end with `run_out`: time runs on without new trouble, until everything should have become final.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from threading import Thread
from time import monotonic
from typing import Any

from sqlalchemy import text

from cadenza.core.errors import Conflict, Retryable
from cadenza.core.ids import new_id
from cadenza.core.messages import Sweep
from cadenza.core.states import ResumePolicy
from tests.store.chaos.oracle import Row, Stop
from tests.store.chaos.seams import Baton, Died, Fate, Jitter, Place, Worker
from tests.store.chaos.worlds import Parcel, Services, World, Worlds, wanted

AT_ONCE = 4
"""Workers that are in the middle of something, at most."""
_ODDS = {False: (90, 3, 4, 3), True: (985, 5, 0, 10)}
"""Of the fates in their order: around transactions, and (True) around provider calls, of which a batch has many."""
JUMPS_S = (1, 1, 5, 5, 20, 20, 60, 60, 300, 300, 900, 3600, 7200, 20_000, 43_000)


@dataclass
class Play:
    """One run with the baton."""

    worlds: Worlds
    baton: Baton
    counts: Counter[str] = field(default_factory=Counter[str])
    workers: list[Worker] = field(default_factory=list[Worker])
    old_hints: list[Parcel] = field(default_factory=list[Parcel])

    def run(self, steps: int) -> None:
        """Start ``steps`` pieces of work, and let them interleave; then everybody comes to an end, or dies."""
        rng = self.worlds.rng
        while steps or self.workers:
            if self.workers and (len(self.workers) == AT_ONCE or not steps or rng.random() < 0.6):
                self._go_on(rng.choice(self.workers))
                continue
            steps -= 1
            rng.choices(
                (self._send, self._execute, self._operate, self._jump),
                weights=(15, 22, len(self.worlds.all) * 0.4, 14),
            )[0]()

    def _go_on(self, worker: Worker) -> None:
        rng = self.worlds.rng
        odds = _ODDS[worker.place in (Place.CALL, Place.ANSWERED)]
        fate = rng.choices(list(Fate), weights=odds)[0]
        if self.worlds.now > worker.must_end_by:
            fate = Fate.DIE  # the platform ends a function that runs too long
        self.counts[f"{fate.name} at {worker.place.name}"] += fate is not Fate.GO
        self.baton.resume(worker, fate)
        if worker.ended:
            self.workers.remove(worker)
            if not isinstance(worker.outcome, Died | Retryable | None):
                raise worker.outcome
            self.counts["crashes"] += isinstance(worker.outcome, Died)

    def _start(self, name: str, job: Callable[[], None], queue: list[Parcel], parcels: Sequence[Parcel]) -> None:
        """A worker on what it received; unless it ends well, all of that comes back, as SQS promises."""

        def consume() -> None:
            done = False
            try:
                job()
                done = True
            finally:
                if not done:
                    back = self.worlds.now + timedelta(minutes=self.worlds.rng.choice((1, 10, 90)))
                    queue.extend(Parcel(back, parcel.message) for parcel in parcels)

        self.counts[name] += 1
        must_end_by = self.worlds.now + timedelta(minutes=self.worlds.rng.choice((15, 15, 30)))
        self.workers.append(self.baton.start(name, must_end_by, consume))

    # --- what can happen -----------------------------------------------------------------------------------------

    def _send(self, share: float = 0.0) -> None:
        rng, post = self.worlds.rng, self.worlds.post
        parcels = post.take(post.send, share or rng.choice((0.1, 0.3, 0.7)))
        again = rng.sample(self.old_hints, min(len(self.old_hints), rng.choice((0, 0, 3))))
        self.old_hints = [*self.old_hints, *parcels][-200:]
        if ids := wanted([*parcels, *again]):
            self._start("sends", lambda: self.worlds.services.delivery.send(ids), post.send, parcels)

    def _execute(self) -> None:
        rng, post = self.worlds.rng, self.worlds.post
        parcels = post.take(post.execution, rng.choice((0.3, 0.7, 1.0)))
        parcels += post.due_wakes()
        messages: list[Any] = [parcel.message for parcel in parcels]
        if rng.random() < 0.15:
            messages.append(Sweep())
            self.counts["sweeps"] += 1
        if messages:
            self._start("executions", lambda: self.worlds.services.execution.handle(messages), post.execution, parcels)

    def _operate(self) -> None:
        operate(self.worlds, self.worlds.rng.choice(self.worlds.all), self.counts)

    def _jump(self) -> None:
        rng = self.worlds.rng
        if rng.random() < 0.1:
            self._midnight()
            return
        jump_s = rng.choice(JUMPS_S)
        if jump_s >= 900:
            self._go_on_until(0.05)  # by then most work is done
        self.worlds.now += timedelta(seconds=jump_s)

    def _midnight(self) -> None:
        """What is under way at midnight counts for the day on which it was claimed."""
        self._go_on_until(0.05)
        tomorrow = self.worlds.now.date() + timedelta(days=1)
        self.worlds.now = datetime.combine(tomorrow, time(), UTC) - timedelta(minutes=1)
        self._to_its_end(self._execute)
        self._send(share=1.0)
        self._go_on_until(0.1)
        self.worlds.now += timedelta(minutes=2)
        self._to_its_end(self._execute)  # the new day has begun for others
        self._to_its_end(self._send)

    def _to_its_end(self, start: Callable[[], None]) -> None:
        before = set(map(id, self.workers))
        start()
        for worker in [worker for worker in self.workers if id(worker) not in before]:
            while not worker.ended:
                self._go_on(worker)

    def _go_on_until(self, chance: float) -> None:
        """Let workers go on, until none is left or chance says so."""
        while self.workers and self.worlds.rng.random() >= chance:
            self._go_on(self.worlds.rng.choice(self.workers))


# --- operators ---------------------------------------------------------------------------------------------------


def operate(worlds: Worlds, world: World, counts: Counter[str], stopped: list[Stop] | None = None) -> None:
    """Somebody does something with a world. ``stopped`` gets what is to hold from then on."""
    rng = worlds.rng
    campaigns, campaign_id = worlds.campaigns(world), rng.choice(world.campaigns)
    act = rng.choices(list(_ACTS), weights=[weight for weight, _ in _ACTS.values()])[0]
    counts[act] += 1
    with suppress(Conflict, Retryable):  # refused in this state; or the queue did not answer: the sweep makes up for it
        match act:
            case "start":
                campaigns.start(campaign_id)
            case "pause":
                campaigns.pause(campaign_id, "operator")
                _note(stopped, f"the pause of {campaign_id}", _of("campaign_id", campaign_id))
            case "resume":
                _lift(stopped, f"the pause of {campaign_id}", monotonic())
                campaigns.resume(campaign_id, rng.choice(list(ResumePolicy)))
            case "cancel":
                campaigns.cancel(campaign_id, "operator")
                _note(stopped, f"the cancellation of {campaign_id}", _of("campaign_id", campaign_id))
            case "pause sender":
                worlds.senders(world).pause(world.sender_id, "operator")
                _note(stopped, f"the pause of {world.sender_id}", _of("sender_id", world.sender_id))
            case "resume sender":
                _lift(stopped, f"the pause of {world.sender_id}", monotonic())
                worlds.senders(world).resume(world.sender_id)
            case _:
                person = rng.randrange(len(world.people))
                given = {
                    "id": new_id(),
                    "workspace_id": world.workspace_id,
                    "sender_id": world.sender_id,
                    "campaign_id": campaign_id,
                    "contact_id": world.people[person],
                    "address": world.addresses[person],
                    "domain": world.addresses[person].partition("@")[2],
                    "cap": rng.choice((None, 1, 2, 3)),
                    "until": worlds.now + timedelta(hours=rng.choice((1, 30))),
                    "now": worlds.now,
                }
                with worlds.database.workspace(world.workspace_id) as conn:
                    conn.execute(text(_ACTS[act][1]), given)
                if act == "suppress":
                    _note(stopped, "a suppression", _of("contact_id", world.people[person]), locked=False)


# What moves a campaign or a sender is the services'; the other acts are the one row that their routes write.
_ACTS: dict[str, tuple[int, str]] = {
    "start": (8, ""),
    "pause": (25, ""),
    "resume": (25, ""),
    "cancel": (4, ""),
    "suppress": (
        5,
        """INSERT INTO suppressions (id, workspace_id, channel, address, reason, source, created_at)
           VALUES (:id, :workspace_id, 'email', :address, 'operator', 'api', :now) ON CONFLICT DO NOTHING""",
    ),
    "suppress domain": (
        1,
        """INSERT INTO suppressions (id, workspace_id, channel, address, reason, source, created_at)
           VALUES (:id, :workspace_id, 'domain', :domain, 'operator', 'api', :now) ON CONFLICT DO NOTHING""",
    ),
    "hold": (
        8,
        """INSERT INTO holds AS h (id, workspace_id, contact_id, until, created_at)
           VALUES (:id, :workspace_id, :contact_id, :until, :now)
           ON CONFLICT (contact_id) DO UPDATE SET until = greatest(h.until, excluded.until)""",
    ),
    "release": (3, "DELETE FROM holds WHERE contact_id = :contact_id"),
    "pause sender": (4, ""),
    "resume sender": (6, ""),
    "workspace cap": (5, "UPDATE automation_settings SET daily_cap = :cap WHERE workspace_id = :workspace_id"),
    "campaign cap": (5, "UPDATE campaigns SET daily_cap = :cap WHERE id = :campaign_id"),
    "sender cap": (5, "UPDATE sender_identities SET daily_cap = :cap WHERE id = :sender_id"),
}


def _of(column: str, value: Any) -> Callable[[Row], bool]:
    return lambda message: message[column] == str(value)


def _note(stopped: list[Stop] | None, what: str, covers: Callable[[Row], bool], *, locked: bool = True) -> None:
    if stopped is not None:
        stopped.append(Stop(covers, what, locked, done=monotonic()))


def _lift(stopped: list[Stop] | None, what: str, at: float) -> None:
    if stopped is not None:
        stopped[:] = [
            Stop(s.covers, s.what, s.locked, s.done, at) if s.what == what and s.lifted == float("inf") else s
            for s in stopped
        ]


def press(worlds: Worlds, world: World, rng: random.Random, counts: Counter[str]) -> None:
    """Somebody presses one of the buttons that move a campaign."""
    campaigns, campaign_id = worlds.campaigns(world), world.campaigns[0]
    button = rng.choices(("start", "pause", "resume", "cancel"), weights=(4, 6, 6, 1))[0]
    try:
        match button:
            case "start":
                campaigns.start(campaign_id)
            case "pause":
                campaigns.pause(campaign_id)
            case "resume":
                campaigns.resume(campaign_id, rng.choice(list(ResumePolicy)))
            case _:
                campaigns.cancel(campaign_id)
        counts[button] += 1
    except Conflict:
        counts[f"{button} refused"] += 1
    except Retryable:
        counts["came back"] += 1


# --- side by side ------------------------------------------------------------------------------------------------


def collide(worlds: Worlds, crew: Sequence[Services], jitter: Jitter, rounds: int, counts: Counter[str]) -> list[Stop]:
    """Two senders, two executors and one operator at the same time, each on a connection of its own; several times."""
    stops: list[Stop] = []
    post, rng = worlds.post, worlds.rng
    with worlds.database.worker() as conn:  # as if the day had begun: whoever makes a quota's row locks it, too
        conn.execute(text(_OPEN_BOOKS), {"day": worlds.now.date()})
    for number in range(rounds):
        # Turn and turn about: different messages that the same caps count, or the same ones.
        ids = wanted(post.take(post.send, 1.0))
        mine, yours = (ids[::2], ids[1::2]) if number % 2 else (ids, ids)
        messages: list[Any] = [p.message for p in (*post.take(post.execution, 0.8), *post.due_wakes())]
        half = len(messages) // 2
        acting = rng.sample(worlds.all, min(len(worlds.all), 12))

        def operators(worlds: Worlds = worlds, acting: list[World] = acting) -> None:
            for world in acting:
                operate(worlds, world, counts, stops)

        jobs: list[Callable[[], None]] = [
            lambda ids=mine: crew[0].delivery.send(ids),
            lambda ids=yours: crew[1].delivery.send(ids),
            lambda some=messages[:half]: crew[2].execution.handle(some),
            lambda some=messages[half:]: crew[3].execution.handle([*some, Sweep()]),
            operators,
        ]
        _side_by_side(jobs, jitter, counts)
        worlds.now += timedelta(seconds=rng.choice(JUMPS_S if number > 3 else JUMPS_S[:4]))
    for what in {stop.what for stop in stops}:
        _lift(stops, what, monotonic())
    return stops


def contend(worlds: Worlds, crew: Sequence[Services], jitter: Jitter, rounds: int, counts: Counter[str]) -> None:
    """Two operators press the buttons of the same campaigns at once, while a sender and an executor work."""
    post = worlds.post
    for number in range(rounds):
        ids = wanted(post.take(post.send, 1.0))
        messages: list[Any] = [p.message for p in (*post.take(post.execution, 0.8), *post.due_wakes())]

        def operator(seed: str) -> None:
            rng = random.Random(seed)  # noqa: S311 - a seed that gives the same run again
            for world in worlds.all:  # in the same order: they meet again and again
                for _ in range(rng.choice((1, 1, 2))):
                    press(worlds, world, rng, counts)

        jobs: list[Callable[[], None]] = [
            lambda ids=ids: crew[0].delivery.send(ids),
            lambda messages=messages: crew[1].execution.handle([*messages, Sweep()]),
            lambda number=number: operator(f"{worlds.seed}/{number}/one"),
            lambda number=number: operator(f"{worlds.seed}/{number}/other"),
        ]
        _side_by_side(jobs, jitter, counts)
        worlds.now += timedelta(seconds=worlds.rng.choice(JUMPS_S))


_OPEN_BOOKS = """
    INSERT INTO send_quota (scope, scope_id, day, workspace_id, used)
    SELECT 'workspace', workspace_id, CAST(:day AS date), workspace_id, 0 FROM automation_settings
    UNION ALL SELECT 'campaign', id, CAST(:day AS date), workspace_id, 0 FROM campaigns
    UNION ALL SELECT 'sender', id, CAST(:day AS date), workspace_id, 0 FROM sender_identities
"""


def _side_by_side(jobs: Sequence[Callable[[], None]], jitter: Jitter, counts: Counter[str]) -> None:
    errors: list[BaseException] = []

    def run(number: int, job: Callable[[], None]) -> None:
        jitter.enter(number)
        try:
            job()
        except Died:
            counts["crashes"] += 1
        except Retryable:
            counts["came back"] += 1
        except BaseException as error:  # noqa: BLE001 - raised below, in the main thread
            errors.append(error)

    threads = [Thread(target=run, args=pair) for pair in enumerate(jobs)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for error in errors:
        raise error


# --- the end -----------------------------------------------------------------------------------------------------


def run_out(worlds: Worlds, jump: timedelta = timedelta(hours=11), most: int = 120) -> int:
    """Time runs on, what rests starts or resumes, nothing is lost any more: how many jumps until all is final."""
    post, database = worlds.post, worlds.database
    post.lossy = False
    with database.worker() as conn:
        asleep = set(conn.execute(text("SELECT id FROM campaigns WHERE status = 'draft'")).scalars())
        paused = set(conn.execute(text("SELECT id FROM campaigns WHERE status = 'paused'")).scalars())
        paused |= set(conn.execute(text("SELECT id FROM sender_identities WHERE paused_at IS NOT NULL")).scalars())
    for world in worlds.all:
        if world.sender_id in paused:
            worlds.senders(world).resume(world.sender_id)
        for campaign_id in paused & set(world.campaigns):
            worlds.campaigns(world).resume(campaign_id)
        for campaign_id in asleep & set(world.campaigns):
            try:
                worlds.campaigns(world).start(campaign_id)
            except Conflict:  # nobody is left to write to
                worlds.campaigns(world).cancel(campaign_id)
    for jumps in range(most):
        _drain(worlds)
        if _all_final(worlds):
            return jumps
        worlds.now += jump
    return most


def _drain(worlds: Worlds) -> None:
    """Hand on whatever is ready until nothing is, with one sweep."""
    post = worlds.post
    messages: list[Any] = [Sweep()]
    while True:
        messages += [parcel.message for parcel in (*post.take(post.execution, 1.0), *post.due_wakes())]
        if messages:
            with suppress(Retryable):
                worlds.services.execution.handle(messages)
        ids = wanted(post.take(post.send, 1.0))
        if ids:
            with suppress(Retryable):
                worlds.services.delivery.send(ids)
        if not messages and not ids:
            return
        messages = []


def _all_final(worlds: Worlds) -> bool:
    with worlds.database.worker() as conn:
        open_ones = """
            SELECT (SELECT count(*) FROM campaigns WHERE status NOT IN ('completed', 'cancelled'))
                 + (SELECT count(*) FROM outbound_messages WHERE status IN ('queued', 'sending', 'unknown'))
        """
        return not conn.execute(text(open_ones)).scalar_one() and not worlds.post.execution


__all__ = ["Place", "Play", "collide", "operate", "run_out"]
