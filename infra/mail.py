"""Mail through SES: the configuration set, and whom the send function may send as."""

from __future__ import annotations

from aws_cdk import Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ses as ses
from constructs import Construct

from infra.config import InfraConfig


class Mail(Construct):
    """The configuration set every message is sent with. Identities are verified by hand: DNS is not ours to change."""

    def __init__(self, scope: Construct, construct_id: str, *, config: InfraConfig) -> None:
        super().__init__(scope, construct_id)
        self._identities = config.sender_identities
        self.configuration_set = ses.ConfigurationSet(self, "ConfigurationSet", reputation_metrics=True)

    def grant_send(self, function: lambda_.Function) -> None:
        """Let ``function`` send as the configured identities; without any it may not send through SES at all."""
        name = self.configuration_set.configuration_set_name
        function.add_environment("SES_CONFIGURATION_SET", name)
        # The account's quota; GetAccount knows no resources.
        function.add_to_role_policy(iam.PolicyStatement(actions=["ses:GetAccount"], resources=["*"]))
        if not self._identities:
            return
        stack = Stack.of(self)
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["ses:SendEmail"],
                resources=[
                    stack.format_arn(service="ses", resource="configuration-set", resource_name=name),
                    *(
                        stack.format_arn(service="ses", resource="identity", resource_name=identity)
                        for identity in self._identities
                    ),
                ],
            )
        )
