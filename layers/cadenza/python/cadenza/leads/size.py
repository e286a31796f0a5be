"""How large and how old a company says it is: figures read from its size claims, each with the sentence it stands in.

Only what a sentence says plainly of the company itself is read; a number that could be about its customers is none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from pydantic import BaseModel, ConfigDict


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True)


class Figure(_Frozen):
    """From ``least`` to ``most``; null where the sentence leaves that end open ("over 40", "up to 40").

    ``approximate``: the sentence says "about".
    """

    least: int | None
    most: int | None
    approximate: bool = False
    page_url: str
    quote: str


class Year(_Frozen):
    """A year of the common era."""

    year: int
    page_url: str
    quote: str


class CompanySize(_Frozen):
    """What a site says; null where it does not."""

    employees: Figure | None = None
    locations: Figure | None = None
    founded: Year | None = None


class Quote(NamedTuple):
    """A sentence that stands on a page."""

    page_url: str
    text: str


_ENGLISH: Final = ("two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve")
_GERMAN: Final = ("zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun", "zehn", "elf", "zwölf")
_TENS: Final = {"fifteen": 15, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50}
_WORDS: Final = _TENS | {word: n for words in (_ENGLISH, _GERMAN) for n, word in enumerate(words, 2)}
_NUMBER: Final = rf"(?:\d{{1,3}}(?:[.,'’\u00a0\u202f]\d{{3}})+|\d{{1,6}}|{'|'.join(_WORDS)})"
_AT_LEAST: Final = r"over|more than|at least|above|über|mehr als|mindestens|plus de|más de|mais de|mehr denn"
_AT_MOST: Final = r"up to|bis zu|jusqu[’']à|hasta|até"
_ABOUT: Final = (
    r"about|around|some|approximately|roughly|rund|etwa|ca\.?|circa|environ|unos|unas|cerca de|aproximadamente"
)
_COUNT: Final = (
    rf"(?:(?P<more>{_AT_LEAST})\s+|(?P<less>{_AT_MOST})\s+|(?P<about>{_ABOUT})\s+)?"
    rf"(?<![\d.,])(?P<n>{_NUMBER})(?:\s*(?:-|–|to|bis|à|até)\s*(?P<to>{_NUMBER}))?(?P<plus>\s?\+)?"
)
_BETWEEN: Final = r"(?:[\s-]+(?!(?:and|or|und|oder|et|ou|y|e)\b)[^\W\d]+){0,2}?[\s-]+"
_STAFF: Final = (
    r"(?:employees|staff|colleagues|team members|craftspeople|mitarbeite\w+|beschäftigten?|kolleg(?:en|innen)\w*|"
    r"collaborateurs|salariés|empleados|colaboradores|trabalhadores|funcionários)\b"
)
_TEAM: Final = r"(?:team|crew|workforce|équipe|equipo|equipa|equipe|belegschaft) (?:of|von|de|aus)\s+"
_PEOPLE: Final = r"(?:people|persons|menschen|leute|köpfe|personnes|personas|pessoas)\b"
_WE_ARE: Final = r"\b(?:we are|we employ|we’re|wir sind|wir beschäftigen|nous sommes|somos)"
_EMPLOYEES: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        _TEAM + _COUNT,
        rf"{_WE_ARE}\s+{_COUNT}{_BETWEEN}(?:{_PEOPLE}|{_STAFF})",
        rf"{_COUNT}{_BETWEEN}{_PEOPLE}\s+(?:work|strong|arbeiten|travaillent|trabajan|trabalham)",
        rf"\b{_COUNT}{_BETWEEN}{_STAFF}",
    )
)
_PLACES: Final = (
    r"(?:locations|offices|stores|shops|branches|workshops|plants|showrooms|standorte\w*|filialen|niederlassungen|"
    r"werkstätten|agences|magasins|bureaux|oficinas|tiendas|sedes|escritórios|lojas)\b"
)
_LOCATIONS: Final = (re.compile(rf"\b{_COUNT}{_BETWEEN}{_PLACES}", re.IGNORECASE),)
_YEAR: Final = r"(?P<year>1[5-9]\d\d|20\d\d)\b"
_IN_BUSINESS: Final = r"\b(?:family|in business|trading|operating|familien\w*|familiale?|familiar)\b"
_FOUNDED: Final = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        rf"\b(?:founded|established|gegründet|fondée?|fundad[ao])\b[^.;]{{0,30}}?\b{_YEAR}",
        rf"\b{_YEAR}\s+(?:founded|established|gegründet)",
        rf"{_IN_BUSINESS}[^.;]{{0,40}}\b(?:since|seit|depuis|desde)\s+{_YEAR}",
    )
)
# What the company does to others' people and places counts none of its own.
_OTHERS: Final = re.compile(
    r"\b(?:train|help|serv|support|coach|teach|suppl|equip|deliver|advis|for|with|schul|berat|beliefer|für|pour|para)"
    r"\w*\b[^.;]{0,25}$|\b(?:customers|clients|kunden|clientes)\b[^.;]{0,12}$",
    re.IGNORECASE,
)


def company_size(quotes: Iterable[Quote]) -> CompanySize:
    """The figures of the first sentences that state them."""
    known = list(quotes)
    return CompanySize(
        employees=next(_figures(known, _EMPLOYEES), None),
        locations=next(_figures(known, _LOCATIONS), None),
        founded=next(_years(known), None),
    )


def _figures(quotes: Iterable[Quote], patterns: Iterable[re.Pattern[str]]) -> Iterator[Figure]:
    for quote in quotes:
        for match in (match for pattern in patterns for match in pattern.finditer(quote.text)):
            if not _OTHERS.search(quote.text, 0, match.start()):
                yield _figure(match, quote)


def _figure(match: re.Match[str], quote: Quote) -> Figure:
    first = _value(match["n"])
    last = _value(match["to"]) if match["to"] else first
    return Figure(
        least=None if match["less"] else first,
        most=None if match["more"] or match["plus"] else max(first, last),
        approximate=bool(match["about"]),
        page_url=quote.page_url,
        quote=quote.text,
    )


def _value(number: str) -> int:
    return _WORDS.get(number.lower()) or int(re.sub(r"\D", "", number))


def _years(quotes: Iterable[Quote]) -> Iterator[Year]:
    for quote in quotes:
        for match in (match for pattern in _FOUNDED for match in pattern.finditer(quote.text)):
            yield Year(year=int(match["year"]), page_url=quote.page_url, quote=quote.text)
