"""Timers without polling: one one-shot schedule wakes the engine for all that falls in a 15-minute bucket."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from cadenza.core import aws
from cadenza.core.errors import Retryable
from cadenza.core.messages import Wake

if TYPE_CHECKING:
    from mypy_boto3_scheduler import EventBridgeSchedulerClient

    from cadenza.core.settings import ExecutionQueue

BUCKET = timedelta(minutes=15)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def bucket_of(instant: datetime) -> datetime:
    """The first instant of the bucket that ``instant`` falls in."""
    return instant - (instant - _EPOCH) % BUCKET


def name_of(bucket: datetime) -> str:
    """The name of the schedule that wakes a bucket."""
    return f"wake-{bucket:%Y%m%dT%H%M}"


class Wakes:
    """Creates the schedules. Each is named after its bucket, so creating one again is a conflict, which is fine."""

    def __init__(self, settings: ExecutionQueue, client: EventBridgeSchedulerClient | None = None) -> None:
        """``client`` defaults to the process's own, made on first use."""
        self._settings = settings
        self._client = client
        self._known: set[datetime] = set()

    def ensure(self, buckets: Iterable[datetime]) -> None:
        """See to it that each bucket's wake exists.

        Raises:
            Retryable: Scheduler did not take one; the safety sweep will ask again.
        """
        self.renew(set(buckets) - self._known)

    def renew(self, buckets: Iterable[datetime]) -> None:
        """As `ensure`, also for wakes that this process has created itself: somebody may have lost them since."""
        for bucket in sorted(set(buckets)):
            self._create(bucket)
            self._known.add(bucket)

    def _create(self, bucket: datetime) -> None:
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with the client

        client = self._client or aws.scheduler()
        try:
            client.create_schedule(
                GroupName=self._settings.scheduler_group,
                Name=name_of(bucket),
                ScheduleExpression=f"at({bucket:%Y-%m-%dT%H:%M:%S})",
                ScheduleExpressionTimezone="UTC",
                FlexibleTimeWindow={"Mode": "OFF"},
                ActionAfterCompletion="DELETE",
                Target={
                    "Arn": self._settings.campaign_execution_queue_arn,
                    "RoleArn": self._settings.scheduler_role_arn,
                    "Input": Wake(bucket=bucket).model_dump_json(),
                },
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") != "ConflictException":
                raise Retryable(f"EventBridge Scheduler refused the wake {bucket:%Y-%m-%dT%H:%MZ}") from error
        except BotoCoreError as error:
            raise Retryable("EventBridge Scheduler did not answer") from error
