"""What a planner is told: who writes to whom about what, what is known for certain, and the limits."""

from __future__ import annotations

from typing import Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cadenza.contacts.model import FoundContact
from cadenza.leads.report import Claim, SiteReport, Tone
from cadenza.planning.durations import BadDuration, parse_duration
from cadenza.planning.model import Hours


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cadence(_Frozen):
    """How long to wait, ISO 8601 each, and how often to write at most.

    ``no_open_after`` counts from the first mail if nobody opened it, ``interested_after`` from a click to its answer,
    ``follow_up_after`` from one mail to the next, ``give_up_after`` from the last mail to the end.
    """

    no_open_after: str = "P2D"
    follow_up_after: str = "P3D"
    interested_after: str = "P1D"
    give_up_after: str = "P5D"
    max_emails: int = Field(default=3, ge=1, le=6)

    @model_validator(mode="after")
    def _durations(self) -> Self:
        for text in (self.no_open_after, self.follow_up_after, self.interested_after, self.give_up_after):
            try:
                parse_duration(text)
            except BadDuration as error:
                raise ValueError(str(error)) from error
        return self


class PlanBrief(_Frozen):
    """One contact's brief. ``offering`` and ``ask`` are the sender's own words and are used as they are.

    ``offering`` is one or two whole sentences ("We plan …"). ``goal`` is what the campaign wants, for a model. ``ask``
    is the closing question in the mail's language, "" for the planner's own. ``link`` is the only one that mails may
    carry. ``claims`` are verified facts about the recipient's company; nothing else about it may be stated.
    """

    sender_name: str = Field(min_length=1)
    sender_company: str = Field(min_length=1)
    offering: str = Field(min_length=1)
    goal: str = ""
    ask: str = ""
    link: str = ""
    tone: Tone = Tone.NEUTRAL
    language: str = "en"
    company_name: str
    contact_name: str = ""
    first_name: str = ""
    contact_title: str = ""
    claims: tuple[Claim, ...] = ()
    cadence: Cadence = Cadence()
    time_zone: str = "UTC"
    quiet_hours: Hours | None = None

    @model_validator(mode="after")
    def _link(self) -> Self:
        if self.link and (urlsplit(self.link).scheme not in {"http", "https"} or not urlsplit(self.link).hostname):
            raise ValueError("link must be an http(s) URL")
        return self

    @property
    def link_host(self) -> str:
        """The host that mails may link to, in lower case; "" for none."""
        return (urlsplit(self.link).hostname or "").lower()

    def about(self, report: SiteReport, contact: FoundContact) -> PlanBrief:
        """This brief, filled in for one contact of an analysed site."""
        return self.model_copy(
            update={
                "company_name": report.company_name,
                "contact_name": contact.name,
                "first_name": contact.first_name,
                "contact_title": contact.title,
                "claims": report.claims,
                "tone": report.tone,
                "language": contact.language or report.language or self.language,
                "time_zone": contact.time_zone or self.time_zone,
            }
        )
