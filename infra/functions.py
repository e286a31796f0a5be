"""The functions, their layers, and exactly what each may do."""

from __future__ import annotations

from collections.abc import Sequence

from aws_cdk import Duration, RemovalPolicy, triggers
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.config import InfraConfig
from infra.database import Database, Placement
from infra.mail import Mail
from infra.nag import acknowledge
from infra.queues import Queues
from infra.schedules import Schedules
from infra.topology import FUNCTIONS, QUEUES, FunctionName, FunctionSpec, QueueName

NETWORK_INTERFACE_ACTIONS = (
    "ec2:CreateNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:DeleteNetworkInterface",
    "ec2:AssignPrivateIpAddresses",
    "ec2:UnassignPrivateIpAddresses",
)
"""What the Lambda service needs in order to place a function in a VPC (as in AWSLambdaVPCAccessExecutionRole)."""


class Functions(Construct):
    """All functions of the topology. Iterate over ``items()``; get one by its name."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        config: InfraConfig,
        queues: Queues,
        schedules: Schedules,
        database: Database,
        secret: secretsmanager.ISecret,
        mail: Mail,
        public_url: str,
    ) -> None:
        super().__init__(scope, construct_id)
        self._config = config
        self._queues = queues
        self._layers = self._make_layers()
        self._environment = {
            "PUBLIC_URL": public_url,
            "POWERTOOLS_METRICS_NAMESPACE": "Cadenza",
            **config.environment,
        }
        self._functions: dict[FunctionName, lambda_.Function] = {}
        for name, spec in FUNCTIONS.items():
            needs_database = spec.database_user is not None or name == "migrate"
            function = self._function(name, spec, database.placement if needs_database else None)
            self._functions[name] = function
            if spec.database_user:
                database.connect(function, spec.database_user)
            if spec.reads_secret:
                secret.grant_read(function)
                function.add_environment("APP_SECRET_ARN", secret.secret_arn)
            if spec.creates_wakes:
                schedules.grant_create(function)
                function.add_environment("CAMPAIGN_EXECUTION_QUEUE_ARN", queues["campaign-execution"].queue_arn)
            self._let_send(function, spec.sends_to)
            if spec.tends_queues:
                self._let_tend(function)
                schedules.grant_look(function)
        database.administer(self["migrate"])
        mail.grant_send(self["send"])
        self["send"].add_environment("SEND_CONCURRENCY", str(QUEUES["message-send"].max_concurrency))
        for name in ("analyze", "plan"):
            self[name].add_environment("MX_LOOKUP", "false" if config.is_local else "true")
        mail.let_speak_to(self["webhook"])
        mail.keep_passwords(writer=self["api"], reader=self["send"])
        self._consume()
        if not config.is_local:
            self._migrate_at_deploy(database)

    def __getitem__(self, name: FunctionName) -> lambda_.Function:
        return self._functions[name]

    def items(self) -> Sequence[tuple[FunctionName, lambda_.Function]]:
        """Every function with its name, in the topology's order."""
        return tuple(self._functions.items())

    def _make_layers(self) -> list[lambda_.ILayerVersion]:
        folders = {"Domain": self._config.domain_layer, "Dependencies": self._config.dependency_layer}
        return [
            lambda_.LayerVersion(
                self,
                f"{name}Layer",
                code=lambda_.Code.from_asset(
                    str(folder),
                    # Bytecode beside sources was made by another Python; a build's own is for the runtime's.
                    exclude=["**/__pycache__"] if self._config.is_local else [],
                ),
                compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
                compatible_architectures=[lambda_.Architecture.ARM_64],
                removal_policy=RemovalPolicy.DESTROY,
            )
            for name, folder in folders.items()
        ]

    def _function(self, name: FunctionName, spec: FunctionSpec, placement: Placement | None) -> lambda_.Function:
        log_group = logs.LogGroup(
            self,
            f"{name}-logs",
            retention=logs.RetentionDays.ONE_MONTH,
            removal_policy=self._config.data_removal,
        )
        function = lambda_.Function(
            self,
            name,
            description=f"Cadenza: {name}",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            handler="handler.handler",
            code=lambda_.Code.from_asset(str(self._config.functions_root / name), exclude=["**/__pycache__"]),
            layers=self._layers,
            role=self._role(name, in_vpc=placement is not None),  # pyright: ignore[reportArgumentType] - jsii
            timeout=Duration.seconds(spec.timeout_s),
            memory_size=spec.memory_mb,
            tracing=lambda_.Tracing.ACTIVE,
            log_group=log_group,
            environment={**self._environment, "POWERTOOLS_SERVICE_NAME": name},
            vpc=placement.vpc if placement else None,
            vpc_subnets=placement.subnets if placement else None,
            security_groups=[placement.security_group] if placement else None,
            ipv6_allowed_for_dual_stack=placement.ipv6 if placement else None,
        )
        log_group.grant_write(function)
        if placement and placement.ipv6:
            # Without it the SDK asks for endpoints that have no IPv6 address.
            function.add_environment("AWS_USE_DUALSTACK_ENDPOINT", "true")
        acknowledge(
            function, {"L1": "Python 3.13 is what the layers are built and tested for; a newer one is a choice."}
        )
        return function

    def _role(self, name: FunctionName, *, in_vpc: bool) -> iam.Role:
        """A role with nothing in it: CDK's own would let the function write every log group of the account."""
        role = iam.Role(
            self,
            f"{name}-role",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),  # pyright: ignore[reportArgumentType] - jsii
        )
        reasons = "X-Ray has no resource to name for trace segments"
        if in_vpc:
            role.add_to_policy(iam.PolicyStatement(actions=list(NETWORK_INTERFACE_ACTIONS), resources=["*"]))
            reasons += "; nor has EC2 for the network interfaces that the Lambda service makes"
        acknowledge(role, {"IAM5[Resource::*]": f"{reasons}."})
        return role

    def _let_send(self, function: lambda_.Function, names: Sequence[QueueName]) -> None:
        if names:
            arns = [self._queues[name].queue_arn for name in names]
            # AWS checks a batch as SendMessage; the local AWS, by the name of the call.
            actions = ["sqs:SendMessage", *(["sqs:SendMessageBatch"] if self._config.is_local else [])]
            function.add_to_role_policy(iam.PolicyStatement(actions=actions, resources=arns))
        for name in names:
            key = f"{name.replace('-', '_').upper()}_QUEUE_URL"
            function.add_environment(key, self._queues[name].queue_url)

    def _let_tend(self, function: lambda_.Function) -> None:
        """Let it see how full each queue is, and take messages out of dead-letter queues.

        It may not purge: that would take other workspaces' messages too.
        """
        pairs = self._queues.pairs
        dead = [pair.dead_letters.queue_arn for pair in pairs.values()]
        alive = [pair.queue.queue_arn for pair in pairs.values()]
        taking = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility"]
        # As above: AWS checks a batch as its single call.
        taking += ["sqs:DeleteMessageBatch", "sqs:ChangeMessageVisibilityBatch"] if self._config.is_local else []
        function.add_to_role_policy(iam.PolicyStatement(actions=["sqs:GetQueueAttributes"], resources=alive + dead))
        function.add_to_role_policy(iam.PolicyStatement(actions=taking, resources=dead))
        for name, pair in pairs.items():
            function.add_environment(f"{name.replace('-', '_').upper()}_DLQ_URL", pair.dead_letters.queue_url)

    def _consume(self) -> None:
        for name, spec in QUEUES.items():
            # What meets passing trouble is sent again to its own queue (cadenza.core.consumer).
            self[spec.consumer].add_to_role_policy(
                iam.PolicyStatement(actions=["sqs:SendMessage"], resources=[self._queues[name].queue_arn])
            )
            self[spec.consumer].add_event_source(
                sources.SqsEventSource(
                    self._queues[name],
                    batch_size=spec.batch_size,
                    max_batching_window=Duration.seconds(spec.window_s) if spec.window_s else None,
                    max_concurrency=spec.max_concurrency,
                    report_batch_item_failures=True,
                )
            )

    def _migrate_at_deploy(self, database: Database) -> None:
        """Run the migrations before any other function of the new version exists, and on every change of them.

        The trigger fires when the function's version changes, which includes its layers: migrations ship in one.
        """
        triggers.Trigger(
            self,
            "Migration",
            handler=self["migrate"],
            timeout=Duration.seconds(FUNCTIONS["migrate"].timeout_s),
            execute_after=database.prerequisites,
            execute_before=[function for name, function in self.items() if name != "migrate"],
        )
