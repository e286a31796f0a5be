"""The network of the database functions. Which way out, at what idle cost: docs/adr/0002."""

from __future__ import annotations

from typing import assert_never

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from infra.config import Egress, InfraConfig
from infra.nag import acknowledge

APPLICATION = "application"
DATA = "data"


class Network(Construct):
    """A VPC of two zones: functions with a way out, the database without one."""

    def __init__(self, scope: Construct, construct_id: str, *, config: InfraConfig) -> None:
        super().__init__(scope, construct_id)
        self._nat: ec2.NatInstanceProviderV2 | None = None
        self.ipv6 = config.egress is Egress.IPV6
        self.vpc = self._vpc(config.egress)
        if self._nat:
            self._nat.connections.allow_from(ec2.Peer.ipv4(self.vpc.vpc_cidr_block), ec2.Port.all_traffic())
            acknowledge(
                self.vpc,
                {
                    "EC23": "The rule cannot read an intrinsic: the one source allowed is the VPC's own address range.",
                    "EC26": "The NAT instance keeps nothing on its disk, and CDK's provider offers no say in it.",
                    "EC28": "The NAT instance carries no state; basic monitoring shows whether it lives.",
                    "EC29": "The NAT instance carries no state; it may be replaced at any time.",
                },
            )
        acknowledge(
            self.vpc,
            {"VPC7": "Flow logs cost by the byte; nothing here accepts connections from outside."},
        )

    def _vpc(self, egress: Egress) -> ec2.Vpc:
        data = ec2.SubnetConfiguration(name=DATA, subnet_type=ec2.SubnetType.PRIVATE_ISOLATED, cidr_mask=26)
        application = ec2.SubnetConfiguration(
            name=APPLICATION, subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS, cidr_mask=22
        )
        public = ec2.SubnetConfiguration(name="public", subnet_type=ec2.SubnetType.PUBLIC, cidr_mask=26)
        match egress:
            case Egress.NAT_INSTANCE:
                self._nat = ec2.NatProvider.instance_v2(
                    instance_type=ec2.InstanceType("t4g.nano"),
                    machine_image=ec2.MachineImage.latest_amazon_linux2023(cpu_type=ec2.AmazonLinuxCpuType.ARM_64),
                    default_allowed_traffic=ec2.NatTrafficDirection.OUTBOUND_ONLY,
                    # Unlimited bursting is billed by surprise; a standard instance slows down instead.
                    credit_specification=ec2.CpuCredits.STANDARD,
                )
                return ec2.Vpc(
                    self,
                    "Vpc",
                    max_azs=2,
                    nat_gateways=1,
                    nat_gateway_provider=self._nat,
                    subnet_configuration=[public, application, data],
                    restrict_default_security_group=False,
                )
            case Egress.NAT_GATEWAY:
                return ec2.Vpc(
                    self,
                    "Vpc",
                    max_azs=2,
                    nat_gateways=1,
                    subnet_configuration=[public, application, data],
                    restrict_default_security_group=False,
                )
            case Egress.IPV6:
                return ec2.Vpc(
                    self,
                    "Vpc",
                    max_azs=2,
                    nat_gateways=0,
                    ip_protocol=ec2.IpProtocol.DUAL_STACK,
                    subnet_configuration=[application, data],
                    restrict_default_security_group=False,
                )
            case _:
                assert_never(egress)
