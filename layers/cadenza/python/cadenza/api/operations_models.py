"""What the API takes and answers about running an installation: health, retries, dead letters, the audit log."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Literal, Self
from uuid import UUID

from pydantic import Field, JsonValue, StrictBool, StringConstraints, computed_field, model_validator

from cadenza.api.ai_models import Breaker
from cadenza.api.models import Answer, Taken
from cadenza.core.queues import QueueName
from cadenza.core.states import AuditAct, JobKind, JobStatus
from cadenza.operations.dead_letters import AT_ONCE
from cadenza.operations.model import Verdict, Work

# --- health ------------------------------------------------------------------------------------------------------


class Reason(Answer):
    """Why something is not well (``what``), and what to do (``steps``)."""

    verdict: Verdict
    what: str
    detail: str
    steps: str


class QueueHealth(Answer):
    """A queue, of the whole installation; approximate, and null if SQS did not answer. ``dead``: in its DLQ.

    ``oldest_overdue_s`` is exact, from the database: of overdue work that the queue's messages are about. It is always
    null for engagement-events, whose messages bring what exists nowhere else yet.
    """

    name: QueueName
    worker: str
    waiting: int | None
    in_flight: int | None
    delayed: int | None
    dead: int | None
    oldest_overdue_s: float | None


class WorkerHealth(Answer):
    """A function. ``last_at``: when it last got something done, to the minute; null: never.

    ``silent``: work is overdue, and it has done nothing since that was due. One that nobody asks is idle, and well.
    """

    worker: str
    last_at: datetime | None
    age_s: float | None
    detail: Mapping[str, JsonValue]
    silent: bool


class Overdue(Answer):
    """Work of the caller's workspace (of all, for a key of the installation) that should have been done by now."""

    work: Work
    amount: int
    oldest_since: datetime
    overdue_s: float


class DatabaseHealth(Answer):
    """What the database says of itself. ``schema_version`` differs from ``schema_wanted`` while a deployment runs."""

    round_trip_ms: int
    schema_version: Annotated[str, Field(validation_alias="schema")]
    schema_wanted: str


class NextWake(Answer):
    """The next timer too far off for a queue. ``exists``: whether its schedule does; null: nobody could tell."""

    due_at: datetime
    bucket: datetime
    exists: bool | None


class InstallationHealth(Answer):
    """How the installation is. `down` is answered with 503; ``database`` null: it did not answer."""

    verdict: Verdict
    checked_at: datetime
    reasons: tuple[Reason, ...]
    queues: tuple[QueueHealth, ...]
    workers: tuple[WorkerHealth, ...]
    overdue: tuple[Overdue, ...]
    breakers: tuple[Breaker, ...]
    database: DatabaseHealth | None
    next_wake: NextWake | None


# --- retries -----------------------------------------------------------------------------------------------------


class FailedKind(StrEnum):
    """What can fail and be looked at."""

    CRAWL = "crawl"
    ANALYSIS = "analysis"
    PLANNING = "planning"
    MESSAGE = "message"


class Retry(Answer):
    """Whether it can be tried again. ``why_not`` says why not, or that nobody needs to ask.

    ``next_attempt_at`` and ``delay_s`` (from now): when it is tried again by itself; null: it is not.
    """

    eligible: bool
    why_not: str
    delay_s: float | None
    next_attempt_at: datetime | None
    attempts_made: int
    attempt: int


class Failed(Answer):
    """A job that has failed, was skipped, or failed and waits for its next attempt; or a message that was not sent.

    ``id`` is the job's or the message's. Jobs are tried again by `POST /v1/jobs/{id}/retry`.
    """

    id: UUID
    kind: FailedKind
    status: str
    reason: str
    lead_id: UUID | None
    contact_id: UUID | None
    campaign_id: UUID | None
    enrolment_id: UUID | None
    failed_at: datetime
    retry: Retry


class RetryWanted(Taken):
    """Which jobs to ask for again: the oldest ``limit`` of this status, and of what else is given.

    ``reason``: words that theirs contains, in any case.
    """

    status: Literal[JobStatus.FAILED, JobStatus.SKIPPED]
    reason: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    kind: JobKind | None = None
    campaign_id: UUID | None = None
    limit: Annotated[int, Field(ge=1, le=1000)] = 1000


class Retried(Answer):
    """Jobs that were asked for again; they begin one by one between ``first_at`` and ``last_at``.

    ``remaining``: jobs like them that have not been asked for again.
    """

    count: int
    by_kind: Mapping[JobKind, int]
    first_at: datetime | None
    last_at: datetime | None
    remaining: int


class RetryStatistic(Answer):
    """Jobs of one kind and reason: how many are FAILED or SKIPPED now, and what asking again has come to."""

    kind: JobKind
    reason: str
    failed: int
    retried: int
    succeeded: int
    failed_again: int
    pending: int

    @computed_field
    @property
    def success_rate(self) -> float | None:
        """Of the retries that have ended, how many succeeded (0 to 1); null: none has ended."""
        ended = self.succeeded + self.failed_again
        return self.succeeded / ended if ended else None


class RetryStatistics(Answer):
    """By kind and reason, the most frequent first, 200 at most."""

    since: datetime
    items: tuple[RetryStatistic, ...]


# --- dead letters ------------------------------------------------------------------------------------------------


class DeadLetterQueue(Answer):
    """How many messages are in a queue's DLQ, of the whole installation and roughly, as SQS counts."""

    queue: QueueName
    depth: int


class DeadLetterQueues(Answer):
    """All dead-letter queues."""

    items: tuple[DeadLetterQueue, ...]


class DeadLetter(Answer):
    """A message that broke its function, or met the same trouble for a day.

    ``type`` "" and ``wrong``: it is none of our messages, because of these fields. ``error`` is what the job ledger
    says about its work; "" where it says nothing. ``receives`` counts this look too. A body that is not JSON is a text.
    """

    message_id: str
    type: str
    ids: Mapping[str, tuple[str, ...]]
    body: JsonValue
    wrong: tuple[str, ...]
    error: str
    sent_at: datetime
    first_received_at: datetime
    receives: int


class DeadLetters(Answer):
    """The caller's messages in a DLQ, the oldest first. ``complete`` false: there are more than could be looked at."""

    items: tuple[DeadLetter, ...]
    complete: bool


SqsId = Annotated[str, StringConstraints(min_length=1, max_length=100)]


class WhichLetters(Taken):
    """Messages by their ids, or all of the caller's."""

    message_ids: Annotated[tuple[SqsId, ...], Field(min_length=1, max_length=AT_ONCE)] | None = None
    all: StrictBool = False

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.message_ids is None) is not self.all:
            raise ValueError("give either message_ids or all: true")
        return self


class PurgeWanted(WhichLetters):
    """Messages to delete for good. ``confirm``: the queue's name once more."""

    confirm: str


class LettersMoved(Answer):
    """What became of messages. ``not_found``: named, but not seen, or not yours. ``undone``: SQS refused them.

    ``complete`` false: there were more than one request takes (500); ask again.
    """

    queue: QueueName
    count: int
    message_ids: tuple[str, ...]
    not_found: tuple[str, ...]
    undone: tuple[str, ...]
    complete: bool


# --- audit -------------------------------------------------------------------------------------------------------


class AuditRecord(Answer):
    """Who did what, and when. ``key_id`` null: the system did it."""

    id: UUID
    act: AuditAct
    key_id: UUID | None
    subject_id: UUID | None
    detail: dict[str, JsonValue]
    at: datetime
