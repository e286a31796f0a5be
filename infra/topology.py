"""Which functions and queues there are, how large, and who talks to whom. Plain data: the constructs read it.

The picture is in docs/design.md; the sizes follow from what a function waits for, not from what it computes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FunctionName = Literal["api", "webhook", "analyze", "plan", "execute", "send", "migrate"]
QueueName = Literal["lead-analysis", "campaign-creation", "engagement-events", "campaign-execution", "message-send"]
DatabaseUser = Literal["cadenza_api", "cadenza_worker"]


@dataclass(frozen=True, kw_only=True)
class FunctionSpec:
    """One function: its size, the Postgres user it connects as, and what else it may do."""

    timeout_s: int
    memory_mb: int
    database_user: DatabaseUser | None = None
    reads_secret: bool = True
    creates_wakes: bool = False
    """Creates one-shot schedules that wake campaign-execution."""
    sends_to: tuple[QueueName, ...] = ()
    tends_queues: bool = False
    """Sees how all queues are, and looks into, redrives and empties their dead-letter queues."""


@dataclass(frozen=True, kw_only=True)
class QueueSpec:
    """One queue and its event source."""

    consumer: FunctionName
    batch_size: int
    max_concurrency: int
    """At most this many batches at once. Low: two connections nearly saturate two database cores (benchmarks)."""
    window_s: int = 0
    """How long the event source may wait to fill a batch; 0 where latency matters."""

    @property
    def visibility_s(self) -> int:
        """Six times the consumer's timeout (AWS's advice, for throttled retries) after the batching window."""
        return 6 * FUNCTIONS[self.consumer].timeout_s + self.window_s


MAX_RECEIVE_COUNT = 3

FUNCTIONS: dict[FunctionName, FunctionSpec] = {
    # An HTTP API gives up after 30 s.
    "api": FunctionSpec(
        timeout_s=29,
        memory_mb=1024,
        database_user="cadenza_api",
        reads_secret=False,
        creates_wakes=True,
        # To engagement-events only what it takes out of its dead-letter queue.
        sends_to=("lead-analysis", "campaign-creation", "engagement-events", "campaign-execution", "message-send"),
        tends_queues=True,
    ),
    # Providers expect an answer within seconds.
    "webhook": FunctionSpec(timeout_s=10, memory_mb=512, sends_to=("lead-analysis", "engagement-events")),
    # Crawls and asks a model.
    "analyze": FunctionSpec(
        timeout_s=300,
        memory_mb=1024,
        database_user="cadenza_worker",
        sends_to=("lead-analysis", "campaign-creation"),
    ),
    # Asks a model, with a bounded repair.
    "plan": FunctionSpec(
        timeout_s=180,
        memory_mb=512,
        database_user="cadenza_worker",
        creates_wakes=True,
        sends_to=("campaign-creation", "campaign-execution"),
    ),
    # 60 s hold a database that wakes from its pause (15 to 30 s).
    "execute": FunctionSpec(
        timeout_s=60,
        memory_mb=1024,
        database_user="cadenza_worker",
        reads_secret=False,
        creates_wakes=True,
        sends_to=("campaign-execution", "message-send"),
    ),
    # SMTP servers may take their time, one message after the other.
    "send": FunctionSpec(
        timeout_s=300,
        memory_mb=512,
        database_user="cadenza_worker",
        creates_wakes=True,
        sends_to=("campaign-execution", "message-send"),
    ),
    # Connects as the master user: it creates the others.
    "migrate": FunctionSpec(timeout_s=600, memory_mb=512, reads_secret=False),
}

QUEUES: dict[QueueName, QueueSpec] = {
    # One long job a batch: a slow site must not hold up, or take down, its neighbours.
    "lead-analysis": QueueSpec(consumer="analyze", batch_size=1, max_concurrency=5),
    "campaign-creation": QueueSpec(consumer="plan", batch_size=1, max_concurrency=5),
    # Signals come in floods, and nobody waits for one: large batches are what makes them fast.
    "engagement-events": QueueSpec(consumer="execute", batch_size=100, window_s=1, max_concurrency=2),
    # A message carries many ids already.
    "campaign-execution": QueueSpec(consumer="execute", batch_size=10, max_concurrency=2),
    "message-send": QueueSpec(consumer="send", batch_size=10, max_concurrency=4),
}
