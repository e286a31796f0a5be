"""The five queues of the design, each with a dead-letter queue of its own."""

from __future__ import annotations

from dataclasses import dataclass

from aws_cdk import Duration
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.config import InfraConfig
from infra.nag import acknowledge
from infra.topology import MAX_RECEIVE_COUNT, QUEUES, QueueName


@dataclass(frozen=True)
class Pair:
    """A queue and where its poison messages go."""

    queue: sqs.Queue
    dead_letters: sqs.Queue


class Queues(Construct):
    """Standard queues: redelivery and reordering are normal, and change nothing."""

    def __init__(self, scope: Construct, construct_id: str, *, config: InfraConfig) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        self.pairs: dict[QueueName, Pair] = {name: self._pair(name) for name in QUEUES}
        if config.is_local:
            acknowledge(self, {"SQS4": "The local AWS speaks plain HTTP, on loopback only."})

    def __getitem__(self, name: QueueName) -> sqs.Queue:
        return self.pairs[name].queue

    def _pair(self, name: QueueName) -> Pair:
        dead_letters = self._queue(f"{name}-dlq", retention_period=Duration.days(14))
        queue = self._queue(
            name,
            visibility_timeout=Duration.seconds(QUEUES[name].visibility_s),
            # A day less than the DLQ: a message keeps its age when it is moved there.
            retention_period=Duration.days(4),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=MAX_RECEIVE_COUNT),
            redrive_allow_policy=sqs.RedriveAllowPolicy(redrive_permission=sqs.RedrivePermission.DENY_ALL),
        )
        return Pair(queue, dead_letters)

    def _queue(
        self,
        construct_id: str,
        *,
        retention_period: Duration,
        visibility_timeout: Duration | None = None,
        dead_letter_queue: sqs.DeadLetterQueue | None = None,
        redrive_allow_policy: sqs.RedriveAllowPolicy | None = None,
    ) -> sqs.Queue:
        return sqs.Queue(
            self,
            construct_id,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=not self._config.is_local,
            retention_period=retention_period,
            visibility_timeout=visibility_timeout,
            dead_letter_queue=dead_letter_queue,
            redrive_allow_policy=redrive_allow_policy,
        )
