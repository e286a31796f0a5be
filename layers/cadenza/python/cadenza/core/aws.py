"""The AWS clients, one each a process. boto3 is imported when the first is asked for, never before."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

HASTY_CALLS = 12
"""How many calls of a hasty client may be under way at once."""

# boto3's own `client` is typed for the services whose stubs are installed and unknown for all others.
# pyright: reportUnknownMemberType=false


@cache
def sqs() -> SQSClient:
    """SQS."""
    import boto3  # noqa: PLC0415

    return boto3.client("sqs")


@cache
def scheduler() -> EventBridgeSchedulerClient:
    """EventBridge Scheduler."""
    import boto3  # noqa: PLC0415

    return boto3.client("scheduler")


@cache
def hasty_sqs() -> SQSClient:
    """SQS for who must answer within seconds, whether or not it does. Many threads may use it at once."""
    import boto3  # noqa: PLC0415

    return boto3.client("sqs", config=_haste())


@cache
def hasty_scheduler() -> EventBridgeSchedulerClient:
    """EventBridge Scheduler for who must answer within seconds, whether or not it does."""
    import boto3  # noqa: PLC0415

    return boto3.client("scheduler", config=_haste())


def _haste() -> Config:
    from botocore.config import Config  # noqa: PLC0415

    return Config(
        connect_timeout=1,
        read_timeout=2,
        retries={"mode": "standard", "total_max_attempts": 2},
        max_pool_connections=HASTY_CALLS,
    )


@cache
def secretsmanager() -> SecretsManagerClient:
    """Secrets Manager."""
    import boto3  # noqa: PLC0415

    return boto3.client("secretsmanager")


@cache
def ssm() -> SSMClient:
    """Systems Manager, of which we use the Parameter Store."""
    import boto3  # noqa: PLC0415

    return boto3.client("ssm")


@cache
def rds() -> RDSClient:
    """RDS, which only signs tokens for us: no call leaves the process."""
    import boto3  # noqa: PLC0415

    return boto3.client("rds")
