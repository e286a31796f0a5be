"""How well a company fits what a sender offers: by rule, coarse, and with the claims that say so.

A company is analysed once, an offering belongs to a campaign: the fit is a function of both, computed when somebody
looks. It counts words that both share, so it knows nothing that the site and the brief do not say in like words.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict

from cadenza.leads.language import detect_language
from cadenza.leads.report import Claim, SiteReport, Topic


class FitLevel(StrEnum):
    """How much a site and an offering have to do with one another."""

    HIGH = "high"
    """Three words or more of the offering, in two claims or more."""
    MEDIUM = "medium"
    """One or two."""
    LOW = "low"
    """None, although there was enough to compare."""
    UNKNOWN = "unknown"
    """Too little is said, or in different languages: ``why`` says which."""


class FitReason(BaseModel):
    """A claim of the site, and the words that it shares with the offering."""

    model_config = ConfigDict(frozen=True)

    words: tuple[str, ...]
    claim: Claim


class Fit(BaseModel):
    """The level, the claims it rests on, and why in words."""

    model_config = ConfigDict(frozen=True)

    level: FitLevel
    reasons: tuple[FitReason, ...] = ()
    why: str


_WORD: Final = re.compile(r"[^\W\d_]{4,}")
_STEM: Final = 5
_ENOUGH_WORDS, _ENOUGH_CLAIMS = 3, 2
_HIGH_WORDS, _HIGH_CLAIMS = 3, 2
# Words of any offering and any site: they join nothing.
_EMPTY_WORDS: Final = """
    about after also always been before best better business businesses company companies customer customers client
    clients conversation each every first free from good great hand have help helps here hours into just less like make
    many more most much need needs offer offers only other over people product products provide quality save service
    services short small solution solutions some such team teams than that their them then there these they this through
    time today very want week well were what when where which while with without work works year years your ours will
    would
    aber alle auch beim dass dein deine dies diese durch eine einem einen einer eines firma firmen gute haben hilft
    ihnen ihre ihrer jahr jahre jede kunden lösung lösungen mehr nach nicht noch oder ohne sehr sich sind unser unsere
    unternehmen viele werden wird zeit zwischen über
    avec avoir cette clients dans depuis elle entreprise entreprises leur mais notre nous plus pour produits sans
    services solutions tout toute tous votre vous être
    como cuando desde empresa empresas entre este esta clientes mais muito nossa nosso nuestra nuestro para pela pelo
    productos produtos quando servicios serviços sobre soluciones soluções todo todos toda tudo você
"""
_EMPTY: Final = frozenset(word[:_STEM] for word in _EMPTY_WORDS.split())
_TOPICS: Final = (Topic.AUDIENCE, Topic.SUMMARY, Topic.PRODUCT, Topic.SIGNAL)


def assess(offering: str, goal: str, report: SiteReport) -> Fit:
    """The fit of a company to an offering and the goal of its campaign."""
    wanted = f"{offering} {goal}"
    stems = _stems(wanted)
    claims = [claim for topic in _TOPICS for claim in report.about(topic)]
    if len(claims) < _ENOUGH_CLAIMS:
        return Fit(level=FitLevel.UNKNOWN, why="the site says too little of the company")
    if len(stems) < _ENOUGH_WORDS:
        return Fit(level=FitLevel.UNKNOWN, why="the campaign says too little of what is offered")
    spoken = detect_language(wanted)
    if spoken and report.language and spoken != report.language:
        return Fit(level=FitLevel.UNKNOWN, why=f"the offering is in {spoken!r} and the site in {report.language!r}")
    reasons = tuple(
        FitReason(words=tuple(sorted(shared.values())), claim=claim)
        for claim in claims
        if (shared := {stem: word for stem, word in _stems(claim.quote).items() if stem in stems})
    )
    found = {word[:_STEM] for reason in reasons for word in reason.words}
    if not found:
        return Fit(level=FitLevel.LOW, why="no claim of the site shares a word with the offering")
    is_high = len(found) >= _HIGH_WORDS and len(reasons) >= _HIGH_CLAIMS
    return Fit(
        level=FitLevel.HIGH if is_high else FitLevel.MEDIUM,
        reasons=reasons,
        why=f"the site shares {len(found)} words with the offering, in {len(reasons)} claims",
    )


def _stems(text: str) -> dict[str, str]:
    """The telling words by their stems."""
    words = (word for word in _WORD.findall(text.casefold()) if word[:_STEM] not in _EMPTY)
    return {word[:_STEM]: word for word in words}
