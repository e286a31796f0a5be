"""What wakes a person: work that died, work that waits, functions that fail, and a sweep that does not come."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.config import InfraConfig
from infra.functions import Functions
from infra.queues import Queues
from infra.schedules import Schedules
from infra.topology import QUEUES

PAUSED = "reputation.paused"
"""The log line of an automatic pause (cadenza.delivery.reputation)."""
REFUSED = "sender.refused"
"""The log line of a sender's pause because its mail service refuses it (cadenza.delivery.senders)."""

OLDEST_FACTOR = 2
"""A message older than this many visibility timeouts has been waiting, or failing, for too long."""


class Monitoring(Construct):
    """CloudWatch alarms and, with an address in the context, the topic that tells about them."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: InfraConfig,
        queues: Queues,
        functions: Functions,
        schedules: Schedules,
    ) -> None:
        super().__init__(scope, construct_id)
        self._actions: list[cloudwatch.IAlarmAction] = []
        if config.alarm_email:
            topic = sns.Topic(self, "Alarms", enforce_ssl=True)
            topic.add_subscription(
                subscriptions.EmailSubscription(config.alarm_email)  # pyright: ignore[reportArgumentType] - jsii
            )
            self._actions.append(actions.SnsAction(topic))  # pyright: ignore[reportArgumentType] - jsii
        self._watch_queues(queues)
        self._watch_functions(functions)
        self._watch_sweep(schedules, Duration.minutes(config.sweep_minutes))
        self._watch_pauses(functions)

    def _alarm(
        self,
        construct_id: str,
        metric: cloudwatch.IMetric,
        description: str,
        *,
        threshold: float = 0,
        evaluation_periods: int = 1,
        comparison: cloudwatch.ComparisonOperator = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
        missing: cloudwatch.TreatMissingData = cloudwatch.TreatMissingData.NOT_BREACHING,
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            construct_id,
            metric=metric,
            alarm_description=description,
            threshold=threshold,
            evaluation_periods=evaluation_periods,
            comparison_operator=comparison,
            treat_missing_data=missing,
        )
        alarm.add_alarm_action(*self._actions)

    def _watch_queues(self, queues: Queues) -> None:
        for name, pair in queues.pairs.items():
            self._alarm(
                f"{name}-dead",
                pair.dead_letters.metric_approximate_number_of_messages_visible(
                    statistic="Maximum", period=Duration.minutes(5)
                ),
                f"{name}: messages in the dead-letter queue. See why (job ledger), then redrive.",
            )
            self._alarm(
                f"{name}-old",
                pair.queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=Duration.minutes(5)),
                f"{name}: the oldest message waits for more than {OLDEST_FACTOR} visibility timeouts.",
                threshold=OLDEST_FACTOR * QUEUES[name].visibility_s,
            )

    def _watch_functions(self, functions: Functions) -> None:
        for name, function in functions.items():
            self._alarm(
                f"{name}-errors",
                function.metric_errors(period=Duration.minutes(5)),
                f"{name}: invocations end in an error (not: messages reported as failed).",
            )
        self._alarm(
            "throttles",
            # Of the whole account: that is what runs out, whoever used it up.
            lambda_.Function.metric_all_throttles(period=Duration.minutes(5)),
            "Functions are throttled: the account's concurrency is used up.",
            evaluation_periods=3,
        )

    def _watch_pauses(self, functions: Functions) -> None:
        """What pauses by itself is told to somebody: nothing of it goes out until a person resumes it."""
        for name, function, line, description in (
            (
                "reputation",
                functions["execute"],
                PAUSED,
                "A campaign or sender was paused: too many bounces or complaints. Mend the cause, then resume it.",
            ),
            (
                "senders",
                functions["send"],
                REFUSED,
                "A sender was paused: its mail service refuses it (a password, an address). Mend it, then resume it.",
            ),
        ):
            pauses = logs.MetricFilter(
                self,
                f"{name.capitalize()}Pauses",
                log_group=function.log_group,
                filter_pattern=logs.FilterPattern.string_value("$.message", "=", line),
                metric_namespace="Cadenza",
                metric_name=f"{name.capitalize()}Pauses",
            )
            self._alarm(name, pauses.metric(statistic="Sum", period=Duration.minutes(5)), description)

    def _watch_sweep(self, schedules: Schedules, interval: Duration) -> None:
        self._alarm(
            "sweep-missing",
            cloudwatch.Metric(
                namespace="AWS/Events",
                metric_name="Invocations",
                dimensions_map={"RuleName": schedules.sweep.rule_name},
                statistic="Sum",
                period=interval,
            ),
            "The safety sweep has not been sent twice in a row.",
            threshold=1,
            evaluation_periods=2,
            comparison=cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD,
            missing=cloudwatch.TreatMissingData.BREACHING,
        )
