"""Looking at an installation: everything at once, and each wait bounded, so that the answer comes within seconds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from cadenza.core import ai_breaker, aws, heartbeats, schema
from cadenza.core.db import Database
from cadenza.core.errors import Retryable
from cadenza.core.ids import WorkspaceId
from cadenza.core.log import get_logger
from cadenza.core.queues import QueueName
from cadenza.core.settings import ApiSettings
from cadenza.engine.apply import SOON
from cadenza.engine.wakes import bucket_of, name_of
from cadenza.operations.model import Base, Figures, Health, NextWake, Overdue, Seen, Work
from cadenza.operations.verdict import judge

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeNameType

DUE_BOUND: Final = timedelta(minutes=5)
"""Actions, messages and leases later than this are overdue: longer than a hint's way through a queue takes."""
JOB_BOUND: Final = timedelta(minutes=15)
CRAWL_BOUND: Final = timedelta(minutes=40)
"""An active crawl may be a provider's, which is given up after 30 minutes."""

DATABASE_PATIENCE_S: Final = 2.0
DATABASE_TIMEOUT_S: Final = 3.0

_AHEAD: Final = "ahead"
_WAITING: Final[QueueAttributeNameType] = "ApproximateNumberOfMessages"
_IN_FLIGHT: Final[QueueAttributeNameType] = "ApproximateNumberOfMessagesNotVisible"
_DELAYED: Final[QueueAttributeNameType] = "ApproximateNumberOfMessagesDelayed"


@dataclass(frozen=True, slots=True)
class Pair:
    """URLs of a queue and of its dead-letter queue."""

    queue_url: str
    dead_letters_url: str


@dataclass(frozen=True, slots=True)
class Installation:
    """What is looked at. The database is one whose waits are bounded (`DATABASE_TIMEOUT_S`)."""

    database: Database
    queues: Mapping[QueueName, Pair]
    scheduler_group: str

    @classmethod
    def of(cls, settings: ApiSettings, database: Database) -> Installation:
        """The installation that the settings name."""
        pairs = {
            QueueName.LEAD_ANALYSIS: Pair(settings.lead_analysis_queue_url, settings.lead_analysis_dlq_url),
            QueueName.CAMPAIGN_CREATION: Pair(settings.campaign_creation_queue_url, settings.campaign_creation_dlq_url),
            QueueName.ENGAGEMENT_EVENTS: Pair(settings.engagement_events_queue_url, settings.engagement_events_dlq_url),
            QueueName.CAMPAIGN_EXECUTION: Pair(
                settings.campaign_execution_queue_url, settings.campaign_execution_dlq_url
            ),
            QueueName.MESSAGE_SEND: Pair(settings.message_send_queue_url, settings.message_send_dlq_url),
        }
        return cls(database, pairs, settings.scheduler_group)


def health(installation: Installation, workspace_id: WorkspaceId, now: datetime) -> Health:
    """How the installation is, seen from a workspace: overdue work is its own, or all if it is the installation's.

    What does not answer in time makes the verdict `down`; nothing is raised.
    """
    with ThreadPoolExecutor(aws.HASTY_CALLS) as threads:
        pending = threads.submit(figures, installation.queues, threads)
        seen = _ask_database(installation.database, workspace_id, Seen(now, {}))
        queues = pending.result()
    if seen.next_wake is not None and any(queues.values()):
        exists = _wake_exists(installation.scheduler_group, seen.next_wake.bucket)
        seen = replace(seen, next_wake=replace(seen.next_wake, exists=exists))
    return judge(replace(seen, queues=queues))


def _ask_database(database: Database, workspace_id: WorkspaceId, seen: Seen) -> Seen:
    begun = time.monotonic()
    try:
        with database.workspace(workspace_id) as conn:
            conn.execute(text("SELECT 1"))
            took_ms = round((time.monotonic() - begun) * 1000)
            base = Base(took_ms, schema.found(conn), schema.wanted())
            signs = {beat.worker: (beat.at, beat.detail) for beat in heartbeats.all_of_them(conn)}
            work = _overdue(conn, seen.at)
            breakers = tuple(ai_breaker.all_of_them(conn))
    except (Retryable, DBAPIError, OSError) as error:
        get_logger().warning("health.database", error=type(error).__name__)
        return seen
    ahead = work.pop(_AHEAD, None)
    overdue = tuple(
        Overdue(Work(name), amount, since, (seen.at - since).total_seconds()) for name, (amount, since) in work.items()
    )
    wake = NextWake(ahead[1], bucket_of(ahead[1])) if ahead else None
    return replace(seen, database=base, signs=signs, overdue=overdue, breakers=breakers, next_wake=wake)


def _overdue(conn: Connection, now: datetime) -> dict[str, tuple[int, datetime]]:
    rows = conn.execute(
        text("SELECT work, amount, oldest FROM overdue_work(:due, :jobs, :crawls, :ahead) ORDER BY work"),
        # A bucket's wake is made for what is further off than SOON; its schedule fires when the bucket begins.
        {"due": now - DUE_BOUND, "jobs": now - JOB_BOUND, "crawls": now - CRAWL_BOUND, "ahead": now + 2 * SOON},
    )
    return {row.work: (row.amount, row.oldest) for row in rows if row.oldest is not None}


def figures(queues: Mapping[QueueName, Pair], threads: ThreadPoolExecutor) -> dict[QueueName, Figures | None]:
    """What SQS says of each queue; None if it did not answer."""
    client = aws.hasty_sqs()

    def attributes(url: str) -> Mapping[QueueAttributeNameType, str] | None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with the client

        try:
            return client.get_queue_attributes(QueueUrl=url, AttributeNames=[_WAITING, _IN_FLIGHT, _DELAYED])[
                "Attributes"
            ]
        except (BotoCoreError, ClientError) as error:
            get_logger().warning("health.queue", error=type(error).__name__)
            return None

    def pairs() -> Iterator[tuple[QueueName, Figures | None]]:
        urls = [url for pair in queues.values() for url in (pair.queue_url, pair.dead_letters_url)]
        found = dict(zip(urls, threads.map(attributes, urls), strict=True))
        for name, pair in queues.items():
            own, dead = found[pair.queue_url], found[pair.dead_letters_url]
            if own is None or dead is None:
                yield name, None
                continue
            yield (
                name,
                Figures(int(own[_WAITING]), int(own[_IN_FLIGHT]), int(own[_DELAYED]), sum(map(int, dead.values()))),
            )

    return dict(pairs())


def _wake_exists(group: str, bucket: datetime) -> bool | None:
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with the client

    try:
        aws.hasty_scheduler().get_schedule(GroupName=group, Name=name_of(bucket))
    except ClientError as error:
        return False if error.response.get("Error", {}).get("Code") == "ResourceNotFoundException" else None
    except BotoCoreError:
        return None
    return True
