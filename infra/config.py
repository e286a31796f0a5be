"""What an installation may choose: one frozen model, read from the CDK context (``-c key=value`` or cdk.json).

Keys are the fields' names in camelCase (``max_capacity_acu`` is ``-c maxCapacityAcu=8``). Local and production are the
same constructs; everything that differs between them is a field or a property of this model.
"""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Self

from aws_cdk import RemovalPolicy
from constructs import Node
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

ROOT = Path(__file__).resolve().parent.parent


class Stage(StrEnum):
    """Where the stack runs."""

    LOCAL = "local"
    PRODUCTION = "production"


class Egress(StrEnum):
    """How functions in the VPC reach the internet; costs and limits of each: docs/adr/0002."""

    NAT_INSTANCE = "nat-instance"
    NAT_GATEWAY = "nat-gateway"
    IPV6 = "ipv6"


def _parse_json(value: object) -> object:
    """``-c`` can only pass text: lists and objects arrive as JSON."""
    return json.loads(value) if isinstance(value, str) and value else value or None


class InfraConfig(BaseModel):
    """Choices of one installation. The defaults are a production that costs little when idle."""

    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True)

    stage: Stage = Stage.PRODUCTION
    stack_name: str = Field(default="Cadenza", pattern=r"^[A-Za-z][A-Za-z0-9-]{0,60}$")

    # Code. The domain layer and the functions are the sources themselves in the local stage.
    functions_root: Path = ROOT / "functions"
    layers_root: Path | None = None

    # Public face.
    public_url: str = ""
    """Base of the URLs that leave the house, without a trailing slash; empty: the API's own endpoint."""
    cors_origins: Annotated[tuple[str, ...], BeforeValidator(lambda v: _parse_json(v) or ())] = ()
    throttle_rate_per_s: int = Field(default=200, ge=1)
    throttle_burst: int = Field(default=400, ge=1)

    # Database. `database_url` replaces Aurora and its network, in the local stage only.
    database_url: str = ""
    max_capacity_acu: float = Field(default=4, ge=1, le=256)
    pause_after_s: int = Field(default=300, ge=300, le=86_400)
    deletion_protection: bool = True
    egress: Egress = Egress.NAT_INSTANCE

    # Work.
    sweep_minutes: int = Field(default=60, ge=1, le=1440)
    """Minutes between two safety sweeps. Each wakes a paused database: a longer interval is a lower idle cost."""
    environment: Annotated[dict[str, str], BeforeValidator(lambda v: _parse_json(v) or {})] = Field(
        default_factory=dict[str, str]
    )
    """Further environment of every function, such as OPENAI_BASE_URL, or the local endpoints."""

    # Mail and alarms.
    sender_identities: Annotated[tuple[str, ...], BeforeValidator(lambda v: _parse_json(v) or ())] = ()
    """SES identities (domains or addresses) that the send function may send from; verified outside of this stack."""
    inbound_domain: str = ""
    """Domain whose mail SES receives for us (replies, absences, opt-outs); empty: none. Its MX record: by hand."""
    sns_origin: str = ""
    """What stands in for SNS in the local stage, as ``http://127.0.0.1:PORT``; refused in any other."""
    ses_tenants: Annotated[tuple[str, ...], BeforeValidator(lambda v: _parse_json(v) or ())] = ()
    """SES tenants that senders may name; the first is that of senders who name none."""
    alarm_email: str = ""
    """Who is told about alarms; empty: alarms change state and tell nobody."""

    @model_validator(mode="after")
    def _one_database(self) -> Self:
        if self.is_local != bool(self.database_url):
            # Elsewhere it would put a password into the functions' environment.
            raise ValueError("databaseUrl is required in the local stage and refused in any other")
        return self

    @model_validator(mode="after")
    def _sns_is_sns(self) -> Self:
        if not self.is_local and (self.sns_origin or "SNS_ORIGIN" in self.environment):
            # Elsewhere, whoever answers there could sign in the name of SNS.
            raise ValueError("snsOrigin is for the local stage only")
        return self

    @property
    def is_local(self) -> bool:
        """Whether the stack is for the local AWS."""
        return self.stage is Stage.LOCAL

    @property
    def domain_layer(self) -> Path:
        """Folder of the domain layer: built with its .pyc files, or the sources themselves."""
        return (self.layers_root or ROOT / ("layers" if self.is_local else "build/layers")) / "cadenza"

    @property
    def dependency_layer(self) -> Path:
        """Folder of the third-party layer: built, or (the local AWS's Python has the packages) next to empty."""
        return (self.layers_root or ROOT / ("layers" if self.is_local else "build/layers")) / "dependencies"

    @property
    def data_removal(self) -> RemovalPolicy:
        """What happens to secrets and logs when the stack is deleted."""
        return RemovalPolicy.RETAIN if self.deletion_protection else RemovalPolicy.DESTROY

    @property
    def sender_secrets_path(self) -> str:
        """Where in the Parameter Store senders' passwords are. Names must not begin with aws or ssm: stacks may."""
        return f"/cadenza/{self.stack_name}/senders"

    @classmethod
    def from_context(cls, node: Node) -> InfraConfig:
        """Read every field from the context of ``node``.

        Raises:
            pydantic.ValidationError: A value is malformed; the message names its key.
        """
        found = ((field.alias, node.try_get_context(str(field.alias))) for field in cls.model_fields.values())
        return cls.model_validate({alias: value for alias, value in found if value is not None})
