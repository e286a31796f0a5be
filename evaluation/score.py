"""What was found against what is true. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from bs4 import BeautifulSoup

from cadenza.contacts.model import ContactKind, FoundContact
from cadenza.leads.report import Analysis
from evaluation.truth import TrueContact, Truth

PRECISION_BAR = 0.95
RECALL_BAR = 0.85


@dataclass(frozen=True)
class Tally:
    """Counts of one site, or of several added up. ``asked`` is the true number, ``right`` how many came out right."""

    pages: int = 0
    contacts: int = 0
    found: int = 0
    correct: int = 0
    names: int = 0
    names_right: int = 0
    titles: int = 0
    titles_right: int = 0
    kinds_right: int = 0
    phones: int = 0
    phones_right: int = 0
    phones_wrong: int = 0
    sites: int = 0
    languages_right: int = 0
    countries_right: int = 0
    companies_right: int = 0
    facts: int = 0
    facts_held: int = 0
    claims: int = 0
    claims_proved: int = 0
    seconds: float = 0.0

    def __add__(self, other: Tally) -> Tally:
        return Tally(**{f.name: getattr(self, f.name) + getattr(other, f.name) for f in fields(self)})

    @property
    def precision(self) -> float:
        """How much of what was found is true; 1 where nothing was found."""
        return self.correct / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        """How much of what is true was found; 1 where there is nothing."""
        return self.correct / self.contacts if self.contacts else 1.0

    @property
    def holds(self) -> bool:
        """Whether the bars are met, and every claim stands on its page."""
        return self.precision >= PRECISION_BAR and self.recall >= RECALL_BAR and self.claims == self.claims_proved


@dataclass(frozen=True)
class SiteScore:
    """One site's counts, and each miss in words."""

    domain: str
    tally: Tally
    misses: tuple[str, ...]


def score_site(domain: str, truth: Truth, analysis: Analysis, html: Mapping[str, str], seconds: float) -> SiteScore:
    """Score an analysis. ``html`` has each page as it was served: quotes are looked up there, not in what we parsed."""
    report = analysis.report
    true = {contact.email.lower(): contact for contact in truth.contacts}
    found = {contact.email.lower(): contact for contact in analysis.contacts}
    both = [(true[email], found[email]) for email in true.keys() & found.keys()]
    quotes = [_plain(claim.quote) for claim in report.claims]
    proved = [claim for claim in report.claims if _stands(claim.quote, html.get(claim.page_url, ""))]
    right = [_Right.of(wanted, got) for wanted, got in both]
    facts_held = [fact for fact in truth.facts if any(_plain(fact) in quote for quote in quotes)]
    tally = Tally(
        pages=analysis.stats.pages_read + analysis.stats.pages_set_aside,
        contacts=len(true),
        found=len(found),
        correct=len(both),
        names=sum(bool(wanted.name) for wanted, _ in both),
        names_right=sum(r.name for r in right if r.wanted.name),
        titles=sum(bool(wanted.title) for wanted, _ in both),
        titles_right=sum(r.title for r in right if r.wanted.title),
        kinds_right=sum(r.kind for r in right),
        phones=sum(bool(wanted.phone) for wanted, _ in both),
        phones_right=sum(bool(wanted.phone) and wanted.phone == got.phone for wanted, got in both),
        phones_wrong=sum(bool(got.phone) and wanted.phone != got.phone for wanted, got in both),
        sites=1,
        languages_right=int(report.language == truth.language),
        countries_right=int(report.country == truth.country),
        companies_right=int(report.company_name in (truth.company, *truth.or_company)),
        facts=len(truth.facts),
        facts_held=len(facts_held),
        claims=len(report.claims),
        claims_proved=len(proved),
        seconds=seconds,
    )
    misses = [
        *(f"{email} was missed" for email in sorted(true.keys() - found.keys())),
        *(f"{email} is {truth.must_not.get(email, 'not theirs')}" for email in sorted(found.keys() - true.keys())),
        *(line for r in right for line in r.misses()),
        *_differs("language", truth.language, report.language),
        *_differs("country", truth.country, report.country),
        *(() if tally.companies_right else _differs("company", truth.company, report.company_name)),
        *(f"no claim quotes {fact!r}" for fact in truth.facts if fact not in facts_held),
        *(f"{claim.quote!r} does not stand on {claim.page_url}" for claim in report.claims if claim not in proved),
    ]
    return SiteScore(domain, tally, tuple(misses))


@dataclass(frozen=True)
class _Right:
    """How well one found contact is described. A name or title where there is none is wrong."""

    wanted: TrueContact
    got: FoundContact
    name: bool
    title: bool
    kind: bool

    @classmethod
    def of(cls, wanted: TrueContact, got: FoundContact) -> _Right:
        titles = {_plain(title) for title in (wanted.title, *wanted.or_title)}
        return cls(
            wanted,
            got,
            name=_plain(got.name) in {_plain(name) for name in (wanted.name, *wanted.or_name)},
            title=_plain(got.title) in titles,
            kind=(got.kind is ContactKind.PERSON) == (wanted.kind == "person"),
        )

    def misses(self) -> Iterable[str]:
        email = self.wanted.email
        if not self.name:
            yield f"{email}: the name is {self.wanted.name!r}, not {self.got.name!r}"
        if not self.title:
            yield f"{email}: the title is {self.wanted.title!r}, not {self.got.title!r}"
        if not self.kind:
            yield f"{email}: is {self.wanted.kind}, not {self.got.kind}"
        if self.got.phone != self.wanted.phone:
            yield f"{email}: the phone is {self.wanted.phone!r}, not {self.got.phone!r}"


def _differs(what: str, wanted: str, got: str) -> tuple[str, ...]:
    return () if wanted == got else (f"the {what} is {wanted!r}, not {got!r}",)


def _plain(text: str) -> str:
    """For comparing: one kind of apostrophe and blank, no case."""
    return " ".join(text.replace("’", "'").split()).casefold()


def _stands(quote: str, html: str) -> bool:
    """Whether ``quote`` stands in the text of ``html`` or in what it says to machines; white space does not matter."""
    return _dense(quote) in _dense(text_of(html))


def text_of(html: str) -> str:
    """What a page says to people and to machines, by no code that the analyst uses."""
    soup = BeautifulSoup(html, "lxml")
    attributes = [str(tag.get("content", "")) for tag in soup.find_all("meta")]
    data = [script.get_text() for script in soup.find_all("script", type="application/ld+json")]
    return " ".join((soup.get_text(), *attributes, *data))


def _dense(text: str) -> str:
    return re.sub(r"\s+", "", text).casefold()
