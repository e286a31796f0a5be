"""What an analyst hands on: the site's report, the people found on it, and the figures about both. Pure types."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from cadenza.contacts.model import FoundContact
from cadenza.core.ai import AiUsage
from cadenza.leads.size import CompanySize, Quote, company_size


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

    @property
    def size(self) -> CompanySize:
        """The figures that its size claims state."""
        return company_size(Quote(claim.page_url, claim.quote) for claim in self.about(Topic.SIZE))


class DropReason(StrEnum):
    """Why a claim was not believed."""

    UNKNOWN_PAGE = "unknown_page"
    """It names a page that was not read, or was set aside."""
    NOT_QUOTABLE = "not_quotable"
    """Its quote holds a link, an address, markup or orders, or is too short or too long."""
    NOT_ON_PAGE = "not_on_page"
    """Its quote does not stand on the page it names."""
    NOT_ITS_OWN = "not_its_own"
    """Its quote is no whole sentence, shown to visitors, in which the company speaks of itself."""


class AnalysisFigures(_Frozen):
    """The four figures of an analysis; all are nothing for a site that could not be read.

    ``site_analysis_success``: at least one claim was proved. ``contact_extraction_success``: at least one contact was
    found. ``contacts_created`` counts those that were not known before.
    """

    contacts_found: int = 0
    contacts_created: int = 0
    site_analysis_success: bool = False
    contact_extraction_success: bool = False


class AnalysisStats(_Frozen):
    """How much was looked at and how much was believed. ``texts_replaced`` counts claims put back to their quote.

    ``drop_reasons`` says of each reason how many of the ``claims_dropped`` it was; those that nothing was dropped for
    are left out.
    """

    pages_read: int = 0
    pages_set_aside: int = 0
    claims_proposed: int = 0
    claims_kept: int = 0
    claims_dropped: int = 0
    drop_reasons: Mapping[DropReason, int] = {}
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
