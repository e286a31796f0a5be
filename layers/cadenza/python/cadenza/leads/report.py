"""What an analyst hands on: the site's report, the people found on it, and the figures about both. Pure types."""

from __future__ import annotations

from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from cadenza.contacts.model import FoundContact
from cadenza.core.ai import AiUsage


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Topic(StrEnum):
    """What a claim is about."""

    SUMMARY = "summary"
    """What the company does."""
    AUDIENCE = "audience"
    """For whom."""
    PRODUCT = "product"
    SIGNAL = "signal"
    """Something that happens now: hiring, funding, an opening, an award, a certificate."""
    SIZE = "size"


class Tone(StrEnum):
    """How the site speaks to its visitors."""

    NEUTRAL = "neutral"
    FORMAL = "formal"
    FRIENDLY = "friendly"


class Claim(_Frozen):
    """A statement about the company and its proof: ``quote`` stands verbatim on ``page_url`` (`evidence.verified`)."""

    topic: Topic
    text: str
    page_url: str
    quote: str


class SiteReport(_Frozen):
    """What a site says about its company. Every claim has passed `evidence.verified`. ``language`` is a primary tag."""

    domain: str
    company_name: str = ""
    language: str = ""
    tone: Tone = Tone.NEUTRAL
    country: str = ""
    claims: tuple[Claim, ...] = ()

    def about(self, topic: Topic) -> tuple[Claim, ...]:
        """The claims of one topic, best first."""
        return tuple(claim for claim in self.claims if claim.topic is topic)

    @property
    def summary(self) -> str:
        """What the company does, in one sentence; "" if the site does not say."""
        return next((claim.text for claim in self.about(Topic.SUMMARY)), "")


class AnalysisStats(_Frozen):
    """How much was looked at and how much was believed. ``texts_replaced`` counts claims put back to their quote."""

    pages_read: int = 0
    pages_set_aside: int = 0
    claims_proposed: int = 0
    claims_kept: int = 0
    claims_dropped: int = 0
    texts_replaced: int = 0
    contacts_found: int = 0
    people_found: int = 0
    contacts_dropped: int = 0


class Analysis(_Frozen):
    """An analyst's result. ``analyst`` names who made it: the model, or "offline"; ``version`` its prompt or rules."""

    report: SiteReport
    contacts: tuple[FoundContact, ...]
    stats: AnalysisStats
    analyst: str
    version: str
    usage: AiUsage | None = None
