"""Mail through SES: the configuration set, whom the send function may send as, and how we hear what became of it."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_ses as ses
from aws_cdk import aws_ses_actions as actions
from aws_cdk import aws_sns as sns
from constructs import Construct, IDependable

from infra.config import InfraConfig
from infra.nag import acknowledge

SNS_PATH = "/webhooks/sns"

EVENTS = (
    ses.EmailSendingEvent.SEND,
    ses.EmailSendingEvent.REJECT,
    ses.EmailSendingEvent.BOUNCE,
    ses.EmailSendingEvent.COMPLAINT,
    ses.EmailSendingEvent.DELIVERY,
    ses.EmailSendingEvent.RENDERING_FAILURE,
    ses.EmailSendingEvent.SUBSCRIPTION,
)
"""Not opens and clicks: our own pixel and links tell of these, and SES would put its own around them."""

RETRIES = sns.DeliveryPolicy(
    healthy_retry_policy=sns.HealthyRetryPolicy(
        num_retries=50,
        num_min_delay_retries=5,
        min_delay_target=Duration.seconds(5),
        num_max_delay_retries=30,
        max_delay_target=Duration.seconds(60),
        backoff_function=sns.BackoffFunction.EXPONENTIAL,
    )
)
"""About three quarters of an hour, of the hour that SNS allows: its default is three tries within a minute."""


class Mail(Construct):
    """The configuration set every message is sent with. Identities are verified by hand: DNS is not ours to change.

    SNS carries what SES reports to the webhook function. The topics have no key of their own: SES could use none but a
    customer's, with its monthly fee, and SNS keeps a message only until it is delivered.
    """

    def __init__(self, scope: Construct, construct_id: str, *, config: InfraConfig) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        self._tenants = config.ses_tenants
        self._passwords = config.sender_secrets_path
        self.configuration_set = ses.ConfigurationSet(self, "ConfigurationSet", reputation_metrics=True)
        self.events = self._topic("Events")
        ses.ConfigurationSetEventDestination(
            self,
            "ToEvents",
            configuration_set=self.configuration_set,  # pyright: ignore[reportArgumentType] - jsii
            destination=ses.EventDestination.sns_topic(self.events),  # pyright: ignore[reportArgumentType] - jsii
            events=list(EVENTS),
        )
        self.rule_set_name = ""
        """The receipt rule set, for the operator to make the active one; "" without inbound mail."""
        self.topics = [self.events]
        if config.inbound_domain:
            self.topics.append(self._receive(config.inbound_domain))

    def grant_send(self, function: lambda_.Function) -> None:
        """Let ``function`` send as the configured identities; without any it may not send through SES at all."""
        name = self.configuration_set.configuration_set_name
        function.add_environment("SES_CONFIGURATION_SET", name)
        # The account's quota; GetAccount knows no resources.
        function.add_to_role_policy(iam.PolicyStatement(actions=["ses:GetAccount"], resources=["*"]))
        if self._tenants:
            function.add_environment("SES_TENANT", self._tenants[0])
        identities = self._config.sender_identities
        if not identities:
            return
        stack = Stack.of(self)
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["ses:SendEmail"],
                resources=[
                    stack.format_arn(service="ses", resource="configuration-set", resource_name=name),
                    *(
                        stack.format_arn(service="ses", resource="identity", resource_name=identity)
                        for identity in identities
                    ),
                    *(
                        stack.format_arn(service="ses", resource="tenant", resource_name=f"{tenant}/*")
                        for tenant in self._tenants
                    ),
                ],
            )
        )
        reason = "SES appends an id of its own to a tenant's name in the ARN."
        _acknowledge(function, [("ses", f"tenant/{name}/*") for name in self._tenants], reason)

    def keep_passwords(self, *, writer: lambda_.Function, reader: lambda_.Function) -> None:
        """Let ``writer`` store senders' passwords and never read one, and ``reader`` read them and never store one.

        They are encrypted by the account's own key for the Parameter Store, whose policy lets in whoever may use that.
        """
        stack = Stack.of(self)
        one_each = stack.format_arn(service="ssm", resource="parameter", resource_name=f"{self._passwords[1:]}/*")
        for function, allowed in (
            (writer, ["ssm:PutParameter", "ssm:DeleteParameter"]),
            (reader, ["ssm:GetParameter"]),
        ):
            function.add_environment("SENDER_SECRETS_PATH", self._passwords)
            function.add_to_role_policy(iam.PolicyStatement(actions=allowed, resources=[one_each]))
            reason = "One parameter a sender identity, under a path that holds nothing else."
            _acknowledge(function, [("ssm", f"parameter{self._passwords}/*")], reason)

    def let_speak_to(self, function: lambda_.Function) -> None:
        """Let ``function`` believe these topics, and no others."""
        function.add_environment("SNS_TOPIC_ARNS", " ".join(topic.topic_arn for topic in self.topics))
        if self._config.sns_origin:
            function.add_environment("SNS_ORIGIN", self._config.sns_origin)

    def subscribe(self, public_url: str, *, after: IDependable) -> None:
        """Have the topics call the webhook, which confirms: ``after`` everything that it needs in order to answer."""
        for topic in self.topics:
            subscription = sns.Subscription(
                topic,
                "ToWebhook",
                topic=topic,  # pyright: ignore[reportArgumentType] - jsii
                endpoint=f"{public_url}{SNS_PATH}",
                protocol=sns.SubscriptionProtocol.HTTPS,
                delivery_policy=RETRIES,
            )
            subscription.node.add_dependency(after)

    def _topic(self, construct_id: str) -> sns.Topic:
        return sns.Topic(self, construct_id, enforce_ssl=True, signature_version="2")

    def _receive(self, domain: str) -> sns.Topic:
        """Mail to ``domain`` comes as a notification. Which rule set is active is a choice of the account's owner."""
        topic = self._topic("Received")
        may_publish = topic.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("ses.amazonaws.com")],  # pyright: ignore[reportArgumentType] - jsii
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                conditions={"StringEquals": {"aws:SourceAccount": Stack.of(self).account}},
            )
        )
        rules = ses.ReceiptRuleSet(self, "Inbound")
        rule = rules.add_rule(
            "ToReceived",
            recipients=[domain],
            scan_enabled=True,
            # As it came: in UTF-8, whatever is in another encoding would be lost.
            actions=[actions.Sns(topic=topic, encoding=actions.EmailEncoding.BASE64)],  # pyright: ignore[reportArgumentType] - jsii
        )
        if may_publish.policy_dependable:
            rule.node.add_dependency(may_publish.policy_dependable)  # SES tries it out when the rule is made
        self.rule_set_name = rules.receipt_rule_set_name
        return topic


def _acknowledge(function: lambda_.Function, wildcards: Sequence[tuple[str, str]], reason: str) -> None:
    """Accept these resources of the function's role: services, and what follows the account in the ARN."""
    role = function.role
    assert role is not None  # noqa: S101 - every function has one; the narrowing is for the type checker
    account = "<AWS::Region>:<AWS::AccountId>"
    arns = [f"arn:<AWS::Partition>:{service}:{account}:{resource}" for service, resource in wildcards]
    acknowledge(role, {f"IAM5[Resource::{arn}]": reason for arn in arns})
