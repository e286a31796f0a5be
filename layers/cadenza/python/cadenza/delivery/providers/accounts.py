"""What a sender identity says about how its mail leaves: the settings of each provider, without any secret."""

from __future__ import annotations

import ipaddress
import re
from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

SES: Final = "ses"
SMTP: Final = "smtp"

SERVER_PORT: Final = 25
"""Where servers talk to servers. AWS blocks it from Lambda, and mailbox providers want submission (RFC 6409, 8314)."""

_HOST: Final = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*")


class Security(StrEnum):
    """How the connection to an SMTP server is encrypted."""

    STARTTLS = "starttls"
    """It begins in the clear and must become encrypted before anything is said (RFC 3207): port 587."""
    TLS = "tls"
    """It is encrypted from the first byte (RFC 8314): port 465."""
    NONE = "none"
    """It is not: only to a server on this machine."""


class SmtpAccount(BaseModel):
    """Somebody's own mailbox, by SMTP. The password is kept elsewhere; without a ``username`` nobody logs in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, StringConstraints(strip_whitespace=True, to_lower=True, max_length=253)]
    port: int = Field(default=587, ge=1, le=65_535)
    security: Security = Security.STARTTLS
    username: Annotated[str, StringConstraints(strip_whitespace=True, max_length=254)] = ""

    @field_validator("host")
    @classmethod
    def _name(cls, host: str) -> str:
        if not _HOST.fullmatch(host) and not _is_address(host):
            raise ValueError("is no host name; write it as in smtp.your-provider.example")
        return host

    @field_validator("username")
    @classmethod
    def _no_nul(cls, username: str) -> str:
        if "\0" in username:
            raise ValueError("contains a NUL character")  # it would end the name early (RFC 4616 §2)
        return username

    @model_validator(mode="after")
    def _safe(self) -> Self:
        if self.is_loopback:
            return self
        if self.security is Security.NONE:
            raise ValueError("security none is for a server on this machine only: use starttls or tls")
        if self.port == SERVER_PORT:
            raise ValueError("port 25 is for servers, and blocked on AWS: use 587 with starttls, or 465 with tls")
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine."""
        return self.host == "localhost" or (_is_address(self.host) and ipaddress.ip_address(self.host).is_loopback)


class SesAccount(BaseModel):
    """How SES sends for this identity. ``tenant`` keeps its reputation apart; "" is the installation's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{0,64}$")] = ""


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
