"""How well a site fits an offering: coarse, and never without a reason."""

from __future__ import annotations

import pytest

from cadenza.leads.fit import FitLevel, assess
from cadenza.leads.report import Claim, SiteReport, Topic

OFFERING = "We plan delivery routes for small fleets. Most teams save a few hours of driving a week with them."
GOAL = "a short first conversation"


def site(*quotes: str, language: str = "en", topic: Topic = Topic.SUMMARY) -> SiteReport:
    claims = tuple(Claim(topic=topic, text=q, page_url="https://a.example/", quote=q) for q in quotes)
    return SiteReport(domain="a.example", language=language, claims=claims)


@pytest.mark.parametrize(
    ("report", "level", "words"),
    [
        (
            site(
                "We deliver bread with our own fleet of vans.", "Our drivers plan their routes by hand every morning."
            ),
            FitLevel.HIGH,
            {"deliver", "fleet", "routes", "plan"},
        ),
        (site("We deliver bread all over Porto.", "Our ovens are made of stone."), FitLevel.MEDIUM, {"deliver"}),
        (site("We teach the violin in Bath.", "Our pupils play in two orchestras."), FitLevel.LOW, set()),
        (site("We deliver bread.", "Wir backen Brot.", language="de"), FitLevel.UNKNOWN, set()),
        (site("We deliver bread."), FitLevel.UNKNOWN, set()),
        (site(), FitLevel.UNKNOWN, set()),
        # What a site says of its size has nothing to do with an offering.
        (site("A fleet of 20 vans.", "40 routes a day.", topic=Topic.SIZE), FitLevel.UNKNOWN, set()),
        # Words of every site join nothing.
        (
            site("We save our customers time every week.", "Our teams work hard for small companies."),
            FitLevel.LOW,
            set(),
        ),
    ],
)
def test_the_level_rests_on_claims_that_share_words_with_the_offering(
    report: SiteReport, level: FitLevel, words: set[str]
) -> None:
    """Otherwise operators choose companies by a verdict that nothing stands behind."""
    fit = assess(OFFERING, GOAL, report)
    assert fit.level is level
    assert {word for reason in fit.reasons for word in reason.words} == words
    assert {reason.claim for reason in fit.reasons} <= set(report.claims)
    assert fit.why


def test_an_offering_of_nothing_fits_nothing() -> None:
    """Otherwise an empty brief is told that it does not fit."""
    assert assess("Hello!", "", site("We deliver bread.", "We bake it.")).level is FitLevel.UNKNOWN
