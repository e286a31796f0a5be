"""Time: the group of one-shot wakes, the role they act with, and the safety sweep."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Aws, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.config import InfraConfig
from infra.nag import acknowledge


class Schedules(Construct):
    """Everything that puts a message on a queue because it is time.

    Wakes go to ``execution``; the safety sweep goes to every queue of ``swept``, whose consumer looks after its own.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: InfraConfig,
        execution: sqs.Queue,
        swept: Sequence[sqs.Queue],
    ) -> None:
        super().__init__(scope, construct_id)
        self.group = scheduler.CfnScheduleGroup(self, "Wakes", name=f"{config.stack_name}-wakes")
        # The local AWS takes every schedule to be in the default group when it checks a grant.
        self._granted_groups = [str(self.group.name), *(["default"] if config.is_local else [])]
        group_arn = Stack.of(self).format_arn(
            service="scheduler", resource="schedule-group", resource_name=str(self.group.name)
        )
        self.role = iam.Role(
            self,
            "WakeRole",
            description="What a wake may do: put a message on campaign-execution",
            # Only for schedules of this group: nobody else's schedule can borrow the role (confused deputy).
            assumed_by=iam.ServicePrincipal(  # pyright: ignore[reportArgumentType] - jsii
                "scheduler.amazonaws.com",
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID, "aws:SourceArn": group_arn}},
            ),
        )
        self.role.add_to_policy(iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[execution.queue_arn]))
        self.sweep = events.Rule(
            self,
            "Sweep",
            description="Safety sweep: re-drives what was claimed but not finished, and what has no wake",
            schedule=events.Schedule.rate(Duration.minutes(config.sweep_minutes)),
            targets=[
                targets.SqsQueue(  # pyright: ignore[reportArgumentType] - jsii
                    queue, message=events.RuleTargetInput.from_object({"type": "sweep", "version": 1})
                )
                for queue in swept
            ],
        )

    def grant_look(self, function: lambda_.Function) -> None:
        """Let ``function`` see whether a schedule of the group exists."""
        function.add_to_role_policy(iam.PolicyStatement(actions=["scheduler:GetSchedule"], resources=self._schedules()))

    def grant_create(self, function: lambda_.Function) -> None:
        """Let ``function`` create schedules in the group, acting with the wake role, and tell it their names."""
        role = function.role
        assert role is not None  # noqa: S101 - every function has one; the narrowing is for the type checker
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["scheduler:CreateSchedule"],
                resources=self._schedules(),
            )
        )
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["iam:PassRole"],
                resources=[self.role.role_arn],
                conditions={"StringEquals": {"iam:PassedToService": "scheduler.amazonaws.com"}},
            )
        )
        function.add_environment("SCHEDULER_GROUP", str(self.group.name))
        function.add_environment("SCHEDULER_ROLE_ARN", self.role.role_arn)
        prefix = "arn:<AWS::Partition>:scheduler:<AWS::Region>:<AWS::AccountId>:schedule"
        reason = "Any schedule, but of one group: schedules are named after the time they wake."
        acknowledge(role, {f"IAM5[Resource::{prefix}/{group}/*]": reason for group in self._granted_groups})

    def _schedules(self) -> list[str]:
        """Any schedule of the group: its schedules are named after the time they wake."""
        return [
            Stack.of(self).format_arn(service="scheduler", resource="schedule", resource_name=f"{group}/*")
            for group in self._granted_groups
        ]
