"""Where a process can be halted, killed or cut off: around transactions, provider calls and queue calls.

The production code runs as it is. What it is given (database, provider, AWS clients) tells `Seams` before and after
each thing that leaves a mark outside the process; `Baton` then decides who runs on, in one order that a seed gives.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import Enum, auto
from typing import Any, Protocol

from botocore.exceptions import EndpointConnectionError
from sqlalchemy import Connection, event
from sqlalchemy.engine import URL

from cadenza.core.db import Database
from cadenza.core.errors import Retryable


class Died(BaseException):
    """The process ends here. No ``except Exception`` of ours can stop it, as none stops a kill."""


class Place(Enum):
    """Between what two marks a process is. It holds no lock at any of them but `COMMITTING`."""

    BEGIN = auto()
    COMMITTING = auto()
    COMMITTED = auto()
    CALL = auto()
    ANSWERED = auto()
    ENQUEUE = auto()


class Fate(Enum):
    """What happens to a worker where it waits."""

    GO = auto()
    DIE = auto()
    FAIL = auto()
    """The service behind the seam does not answer: before it acted (`BEGIN`, `ENQUEUE`) or after (`COMMITTED`)."""
    DIE_UNCOMMITTED = auto()
    """It goes on, and dies at the end of its next transaction, before the commit."""


class Seams(Protocol):
    """Is told where each process is. May hold it there, kill it (`Died`) or fail it (`Retryable`)."""

    def at(self, place: Place) -> None:
        """The process has come to ``place``."""
        ...


class Open:
    """Seams that let everybody pass."""

    def at(self, place: Place) -> None:
        """See `Seams`."""


def cut_off(place: Place) -> None:
    """What a process sees of a service that does not answer."""
    match place:
        case Place.BEGIN | Place.COMMITTED:
            raise Retryable("database: no answer")
        case Place.ENQUEUE:
            raise EndpointConnectionError(endpoint_url="https://sqs.eu-central-1.amazonaws.com")
        case _:
            pass


# --- one at a time -----------------------------------------------------------------------------------------------


class Worker:
    """A process of ours: a thread that runs only while it has the baton."""

    def __init__(self, name: str, must_end_by: Any, job: Callable[[], None], baton: Baton) -> None:
        self.name = name
        self.must_end_by = must_end_by
        self.place = Place.BEGIN
        self.ended = False
        self.outcome: BaseException | None = None
        self.fate = Fate.GO
        self.dies_uncommitted = False
        self.go = threading.Semaphore(0)
        self.parked = threading.Semaphore(0)
        self._thread = threading.Thread(target=self._run, args=(job, baton), name=name, daemon=True)
        self._thread.start()

    def _run(self, job: Callable[[], None], baton: Baton) -> None:
        baton.enter(self)
        self.go.acquire()
        try:
            job()
        except BaseException as error:  # noqa: BLE001 - how it ended is the scheduler's affair, whatever it is
            self.outcome = error
        self.ended = True
        self.parked.release()

    def join(self) -> None:
        """Wait for the thread of a worker that has ended."""
        self._thread.join()


class Baton:
    """Seams at which a worker waits until it is resumed. The main thread passes them freely."""

    def __init__(self) -> None:
        self._here = threading.local()

    def start(self, name: str, must_end_by: Any, job: Callable[[], None]) -> Worker:
        """A worker that waits for its first turn."""
        return Worker(name, must_end_by, job, self)

    def enter(self, worker: Worker) -> None:
        """The current thread is this worker's."""
        self._here.worker = worker

    def resume(self, worker: Worker, fate: Fate = Fate.GO) -> None:
        """Let the worker run until its next seam or its end."""
        worker.fate = fate
        worker.go.release()
        worker.parked.acquire()
        if worker.ended:
            worker.join()

    def at(self, place: Place) -> None:
        """See `Seams`."""
        worker: Worker | None = getattr(self._here, "worker", None)
        if worker is None:
            return
        if place is Place.COMMITTING:
            if worker.dies_uncommitted:
                raise Died
            return
        worker.place = place
        worker.parked.release()
        worker.go.acquire()
        match worker.fate:
            case Fate.GO:
                pass
            case Fate.DIE:
                raise Died
            case Fate.FAIL:
                cut_off(place)
            case Fate.DIE_UNCOMMITTED:
                worker.dies_uncommitted = True


# --- all at once -------------------------------------------------------------------------------------------------


class Jitter:
    """Seams of threads that really run side by side: short random sleeps, rare deaths and failures."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._here = threading.local()

    def enter(self, number: int) -> None:
        """The current thread gets its own chances."""
        self._here.rng = random.Random(f"{self._seed}/{number}")  # noqa: S311 - a seed that gives the same run again

    def at(self, place: Place) -> None:
        """See `Seams`."""
        rng: random.Random | None = getattr(self._here, "rng", None)
        if rng is None:
            return
        self.nap()
        chance = rng.random()
        if chance < 0.01:
            raise Died
        if chance < 0.02 and place is not Place.COMMITTING:
            cut_off(place)

    def nap(self) -> None:
        """Let others run, so that what may overlap does."""
        rng: random.Random | None = getattr(self._here, "rng", None)
        if rng is not None and rng.random() < 0.4:
            time.sleep(rng.random() * 0.004)


# --- what the production code is given ---------------------------------------------------------------------------


_HERE = threading.local()


def last_transaction() -> tuple[float, float, float]:
    """When this thread's last transaction began, began to commit and had committed (monotonic seconds)."""
    return _HERE.last


class SeamDatabase(Database):
    """A database whose transactions begin and end at seams. One a process, so that none waits for a connection."""

    def __init__(self, url: URL, seams: Seams) -> None:
        super().__init__(url, role="cadenza_worker", patience_s=5)
        self._seams = seams
        if isinstance(seams, Jitter):
            event.listen(self.engine, "before_cursor_execute", lambda *_: seams.nap())

    @contextmanager
    def worker(self) -> Generator[Connection]:
        """See `Database.worker`."""
        self._seams.at(Place.BEGIN)
        began = time.monotonic()
        with super().worker() as conn:
            yield conn
            self._seams.at(Place.COMMITTING)
            committing = time.monotonic()
        _HERE.last = began, committing, time.monotonic()
        self._seams.at(Place.COMMITTED)


class Aws:
    """SQS and EventBridge Scheduler as far as we call them, in memory, behind a seam."""

    def __init__(self, seams: Seams, deliver: Callable[[str, str, int], None], wake: Callable[[str], None]) -> None:
        """``deliver`` gets the queue's URL, the body and the delay in seconds; ``wake`` a schedule's input."""
        self._seams = seams
        self._deliver = deliver
        self._wake = wake

    def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - boto3
        """As boto3's."""
        self._seams.at(Place.ENQUEUE)
        for entry in Entries:
            self._deliver(QueueUrl, entry["MessageBody"], entry["DelaySeconds"])
        return {}

    def create_schedule(self, **given: Any) -> None:
        """As boto3's."""
        self._seams.at(Place.ENQUEUE)
        self._wake(given["Target"]["Input"])
