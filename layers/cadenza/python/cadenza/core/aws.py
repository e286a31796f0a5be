"""The AWS clients, one each a process. boto3 is imported when the first is asked for, never before."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from mypy_boto3_rds import RDSClient
    from mypy_boto3_scheduler import EventBridgeSchedulerClient
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient

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
