"""What an installation's health is made of. Pure types; every duration is in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pydantic import JsonValue

from cadenza.core.ai_breaker import Breaker
from cadenza.core.queues import QueueName


class Verdict(StrEnum):
    """How an installation is, the best first."""

    OK = "ok"
    DEGRADED = "degraded"
    """It works, but something wants looking at."""
    DOWN = "down"
    """Work does not get done."""


class Work(StrEnum):
    """What can be overdue."""

    CRAWL = "crawl"
    ANALYSIS = "analysis"
    PLANNING = "planning"
    ACTION = "action"
    MESSAGE = "message"
    """Queued, and nothing keeps it back."""
    ATTEMPT = "attempt"
    """Handed to a provider, and nobody has written down how it ended."""


QUEUE_OF: Mapping[Work, QueueName] = {
    Work.CRAWL: QueueName.LEAD_ANALYSIS,
    Work.ANALYSIS: QueueName.LEAD_ANALYSIS,
    Work.PLANNING: QueueName.CAMPAIGN_CREATION,
    Work.ACTION: QueueName.CAMPAIGN_EXECUTION,
    Work.MESSAGE: QueueName.MESSAGE_SEND,
    Work.ATTEMPT: QueueName.MESSAGE_SEND,
}

WORKER_OF: Mapping[QueueName, str] = {
    QueueName.LEAD_ANALYSIS: "analyze",
    QueueName.CAMPAIGN_CREATION: "plan",
    QueueName.ENGAGEMENT_EVENTS: "execute",
    QueueName.CAMPAIGN_EXECUTION: "execute",
    QueueName.MESSAGE_SEND: "send",
}


@dataclass(frozen=True, slots=True)
class Figures:
    """What SQS says of a queue, of the whole installation and approximate; ``dead``: messages in its DLQ."""

    waiting: int
    in_flight: int
    delayed: int
    dead: int


@dataclass(frozen=True, slots=True)
class Overdue:
    """Work that should have been done. ``oldest_since``: when the oldest of it was due."""

    work: Work
    amount: int
    oldest_since: datetime
    overdue_s: float


@dataclass(frozen=True, slots=True)
class Base:
    """What the database says of itself. ``schema`` is the version that it has, ``schema_wanted`` the code's."""

    round_trip_ms: int
    schema: str
    schema_wanted: str


@dataclass(frozen=True, slots=True)
class NextWake:
    """The next timer that is too far off for a queue, and whether its schedule exists (None: nobody could tell)."""

    due_at: datetime
    bucket: datetime
    exists: bool | None = None


@dataclass(frozen=True, slots=True)
class Seen:
    """All that was looked at. ``database`` None: it did not answer; a queue's figures None: SQS did not."""

    at: datetime
    queues: Mapping[QueueName, Figures | None]
    database: Base | None = None
    signs: Mapping[str, tuple[datetime, Mapping[str, JsonValue]]] | None = None
    overdue: tuple[Overdue, ...] = ()
    breakers: tuple[Breaker, ...] = ()
    next_wake: NextWake | None = None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why it is not well, and what to do."""

    verdict: Verdict
    what: str
    detail: str
    steps: str


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """One queue. Figures are null if SQS did not answer.

    ``oldest_overdue_s`` is exact, from the database: of the work that the queue's messages are about. Null: none is, or
    (engagement-events) what the messages bring exists nowhere else yet.
    """

    name: QueueName
    worker: str
    waiting: int | None
    in_flight: int | None
    delayed: int | None
    dead: int | None
    oldest_overdue_s: float | None


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """One function. ``silent``: work is overdue, and it has done nothing since that was due. Idle ones are well."""

    worker: str
    last_at: datetime | None
    age_s: float | None
    detail: Mapping[str, JsonValue]
    silent: bool


@dataclass(frozen=True, slots=True)
class Health:
    """How an installation is, why, and what was looked at. ``database`` null: it did not answer."""

    verdict: Verdict
    checked_at: datetime
    reasons: tuple[Reason, ...]
    queues: tuple[QueueHealth, ...]
    workers: tuple[WorkerHealth, ...]
    overdue: tuple[Overdue, ...]
    breakers: tuple[Breaker, ...]
    database: Base | None
    next_wake: NextWake | None
