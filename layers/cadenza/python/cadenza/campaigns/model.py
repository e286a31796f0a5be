"""What operators say about a campaign and about who sends it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, HttpUrl, StringConstraints, field_validator, model_validator

from cadenza.core.ids import SenderId
from cadenza.core.states import CampaignKind
from cadenza.engine.rules import CampaignRules
from cadenza.planning.brief import Cadence
from cadenza.planning.model import Hours
from cadenza.planning.zones import find_zone

MAX_CAP: Final = 2_147_483_647
"""What a Postgres integer holds."""

Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Paragraph = Annotated[str, StringConstraints(strip_whitespace=True, max_length=4000)]


class CampaignBrief(BaseModel):
    """What the planner is told: what is offered, to what end, in which tone, at what pace."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    offering: Paragraph
    """One or two whole sentences in the sender's own words ("We plan …"): they stand in the mails as they are."""
    goal: Paragraph = "a short first conversation"
    ask: Paragraph = ""
    """The closing question; "" lets the planner choose one."""
    link: HttpUrl | None = None
    """The only link that a mail may carry."""
    language: Annotated[str, StringConstraints(pattern=r"^[a-z]{2}$")] = "en"
    """Where neither the contact nor the site says which (ISO 639-1)."""
    time_zone: Line = "UTC"
    """IANA name, where the contact's own is unknown."""
    quiet_hours: Hours | None = None
    cadence: Cadence = Cadence()

    @field_validator("time_zone")
    @classmethod
    def _zone(cls, name: str) -> str:
        if find_zone(name) is None:
            raise ValueError("is no IANA time zone")
        return name


class NewCampaign(BaseModel):
    """A campaign to create. It starts as a draft."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line
    kind: Literal[CampaignKind.AI] = CampaignKind.AI
    sender_id: SenderId | None = None
    brief: CampaignBrief
    rules: CampaignRules = CampaignRules()
    daily_cap: int | None = Field(default=None, ge=1, le=MAX_CAP)


class WarmUp(BaseModel):
    """How a new sender's cap grows while mailbox providers get to know it.

    On the n-th UTC day after ``starts_on`` it is ``first_day × factor^n + step × n``, rounded down, and never more than
    ``ceiling``; before that day it is as on it. The sender's own ``daily_cap`` holds as well.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    starts_on: date
    first_day: int = Field(ge=1, le=MAX_CAP)
    factor: float = Field(default=1, ge=1, le=2)
    step: int = Field(default=0, ge=0, le=MAX_CAP)
    ceiling: int = Field(ge=1, le=MAX_CAP)

    @model_validator(mode="after")
    def _grows(self) -> Self:
        if self.ceiling < self.first_day:
            raise ValueError("ceiling must not be below first_day")
        if self.factor == 1 and self.step == 0 and self.ceiling > self.first_day:
            raise ValueError("it would never grow: give a factor above 1 or a step above 0")
        return self


class NewSender(BaseModel):
    """Who sends. The postal address stands in every mail (15 U.S.C. 7704(a)(5), CAN-SPAM)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line
    email: Annotated[str, Field(pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$", max_length=254)]
    company: Line
    postal_address: Line
    reply_to: Annotated[str, Field(max_length=254)] = ""
    daily_cap: int | None = Field(default=None, ge=1, le=MAX_CAP)
    warm_up: WarmUp | None = None


class SenderChange(BaseModel):
    """What is to change of a sender; what is left out stays. Null takes a cap or a warm-up away.

    The address stays: another address is another sender, with a reputation of its own.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Line = ""
    company: Line = ""
    postal_address: Line = ""
    reply_to: Annotated[str, Field(max_length=254)] = ""
    daily_cap: int | None = Field(default=None, ge=1, le=MAX_CAP)
    warm_up: WarmUp | None = None
