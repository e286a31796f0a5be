"""Postgres: Aurora Serverless v2 that pauses when nothing is due, or (local) one that is already there."""

from __future__ import annotations

from typing import Protocol

from aws_cdk import Annotations, Duration, RemovalPolicy
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from constructs import Construct

from infra.config import InfraConfig
from infra.nag import acknowledge
from infra.network import APPLICATION, DATA, Network
from infra.topology import DatabaseUser

NAME = "cadenza"
CA_FILE = "/opt/certs/rds-global-bundle.pem"
"""Where the dependency layer puts the RDS certificate authorities (layers/dependencies/README.md)."""

IDLE_SESSION_MS = 60_000
"""A warm function's idle connection would keep the database from pausing: the server closes it."""


class Placement:
    """Where functions that talk to the database run."""

    def __init__(self, network: Network) -> None:
        self.vpc = network.vpc
        self.subnets = ec2.SubnetSelection(subnet_group_name=APPLICATION)
        self.ipv6 = network.ipv6
        self.security_group = ec2.SecurityGroup(
            network,
            "Functions",
            vpc=network.vpc,
            description="Functions that talk to the database",
            allow_all_ipv6_outbound=network.ipv6,
        )


class Database(Protocol):
    """What a function needs in order to reach Postgres."""

    @property
    def placement(self) -> Placement | None:
        """Where the functions must run; None: anywhere."""
        ...

    @property
    def prerequisites(self) -> list[Construct]:
        """What must exist before anybody can connect."""
        ...

    def connect(self, function: lambda_.Function, user: DatabaseUser) -> None:
        """Let ``function`` connect as ``user``."""
        ...

    def administer(self, function: lambda_.Function) -> None:
        """Let ``function`` connect as the owner of the schema and of the users."""
        ...


class GivenDatabase:
    """A Postgres outside of the stack, by URL. Functions take on their role after connecting."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.placement: Placement | None = None
        self.prerequisites: list[Construct] = []

    def connect(self, function: lambda_.Function, user: DatabaseUser) -> None:
        """Let ``function`` connect, and act as ``user``."""
        function.add_environment("DATABASE_URL", self._url)
        function.add_environment("DATABASE_ROLE", user)

    def administer(self, function: lambda_.Function) -> None:
        """Let ``function`` connect as whoever the URL names."""
        function.add_environment("DATABASE_URL", self._url)


class Aurora(Construct):
    """Aurora PostgreSQL from 0 ACU. No RDS Proxy: its pool would keep the cluster from ever pausing."""

    def __init__(self, scope: Construct, construct_id: str, *, config: InfraConfig, network: Network) -> None:
        super().__init__(scope, construct_id)
        self.placement: Placement | None = Placement(network)
        # The cluster's endpoint exists long before its writer, and the way out is needed for the master secret.
        self.prerequisites: list[Construct] = [self, network]
        engine = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_17_7)
        self.cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            engine=engine,
            writer=rds.ClusterInstance.serverless_v2(
                "Writer", ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1, enable_performance_insights=False
            ),
            serverless_v2_min_capacity=0,
            serverless_v2_max_capacity=config.max_capacity_acu,
            serverless_v2_auto_pause_duration=Duration.seconds(config.pause_after_s),
            vpc=network.vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_group_name=DATA),
            default_database_name=NAME,
            credentials=rds.Credentials.from_generated_secret("cadenza_owner"),
            iam_authentication=True,
            storage_encrypted=True,
            deletion_protection=config.deletion_protection,
            removal_policy=RemovalPolicy.SNAPSHOT if config.deletion_protection else RemovalPolicy.DESTROY,
            backup=rds.BackupProps(retention=Duration.days(7)),
            copy_tags_to_snapshot=True,
            parameter_group=rds.ParameterGroup(
                self,
                "Parameters",
                engine=engine,
                parameters={
                    "idle_session_timeout": str(IDLE_SESSION_MS),
                    "idle_in_transaction_session_timeout": "60000",
                    # At 4 the planner prefers to scan a queue's whole table over its partial index.
                    "random_page_cost": "1.1",
                    "rds.force_ssl": "1",
                },
            ),
        )
        if not (config.dependency_layer / CA_FILE.removeprefix("/opt/")).is_file():
            Annotations.of(self).add_warning_v2(
                "cadenza:rds-ca",
                "The dependency layer has no RDS certificate authorities: functions will refuse to connect "
                "(layers/dependencies/README.md).",
            )
        self.cluster.connections.allow_default_port_from(self.placement.security_group)
        acknowledge(
            self.cluster,
            {
                "SMG4": "Used by the migrate function alone, at deploy; rotation on a timer would wake the database.",
            }
            | (
                {}
                if config.deletion_protection
                else {"RDS10": "Switched off by context, for a throw-away installation."}
            ),
        )

    def connect(self, function: lambda_.Function, user: DatabaseUser) -> None:
        """Let ``function`` connect with IAM authentication, as ``user`` and nobody else."""
        self._locate(function)
        function.add_environment("DATABASE_USER", user)
        function.add_environment("DATABASE_ROLE", user)
        self.cluster.grant_connect(function, user)

    def administer(self, function: lambda_.Function) -> None:
        """Let ``function`` connect as the master user, by the cluster's own secret."""
        self._locate(function)
        secret = self.cluster.secret
        assert secret is not None  # noqa: S101 - credentials are generated above; the narrowing is for the type checker
        function.add_environment("DATABASE_SECRET_ARN", secret.secret_arn)
        secret.grant_read(function)

    def _locate(self, function: lambda_.Function) -> None:
        function.add_environment("DATABASE_HOST", self.cluster.cluster_endpoint.hostname)
        function.add_environment("DATABASE_PORT", "5432")
        function.add_environment("DATABASE_NAME", NAME)
        function.add_environment("DATABASE_CA_FILE", CA_FILE)
