"""Until when somebody is away, as an out-of-office answer says it: English, German, French, Spanish, Portuguese.

A date counts only with words beside it that make it the end of an absence ("back on", "bis zum"): what is not certain
is None, which costs a default pause; a wrong date would cost months of silence, or a mail to an empty desk. "Until the
5th" means that the 5th is the day of return; "through", "bis einschließlich" mean the day after.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

MAX_AWAY: Final = timedelta(days=366)
MAX_WITHOUT_YEAR: Final = timedelta(days=270)
"""A day and month that were meant to be last year's (an answer never switched off) lie almost a year ahead."""

_MONTHS: Final = (
    "january|jan|januar|jänner|janvier|janv|enero|ene|janeiro",
    "february|feb|februar|février|fevrier|févr|fév|febrero|fevereiro|fev",
    "march|mar|märz|maerz|mrz|mars|marzo|março|marco",
    "april|apr|avril|avr|abril|abr",
    "may|mai|mayo|maio",
    "june|jun|juni|juin|junio|junho",
    "july|jul|juli|juillet|juil|julio|julho",
    "august|aug|août|aout|agosto|ago",
    "september|sept|sep|septembre|septiembre|setiembre|setembro|set",
    "october|oct|oktober|okt|octobre|octubre|outubro|out",
    "november|nov|novembre|noviembre|novembro",
    "december|dec|dezember|dez|décembre|déc|diciembre|dic|dezembro",
)
_WEEKDAYS: Final = (
    "monday|mon|montag|lundi|lunes|segunda-feira|segunda",
    "tuesday|tue|tues|dienstag|mardi|martes|terça-feira|terça",
    "wednesday|wed|mittwoch|mercredi|miércoles|miercoles|quarta-feira|quarta",
    "thursday|thu|thurs|donnerstag|jeudi|jueves|quinta-feira|quinta",
    "friday|fri|freitag|vendredi|viernes|sexta-feira|sexta",
    "saturday|sat|samstag|sonnabend|samedi|sábado|sabado",
    "sunday|sun|sonntag|dimanche|domingo",
)
_TOMORROW: Final = "tomorrow|morgen|demain|mañana|amanhã"


def _numbered(names: tuple[str, ...]) -> dict[str, int]:
    return {word: number for number, words in enumerate(names) for word in words.split("|")}


_MONTH: Final = _numbered(_MONTHS)
_WEEKDAY: Final = _numbered(_WEEKDAYS)


def _any(names: tuple[str, ...]) -> str:
    return "|".join(sorted((word for words in names for word in words.split("|")), key=len, reverse=True))


_DATE: Final = re.compile(
    rf"""(?<![\w.])(?:
        (?P<y1>20\d\d)-(?P<m1>\d\d?)-(?P<d1>\d\d?)(?![\d-])
      | (?P<d2>\d\d?)\.\s?(?P<m2>\d\d?)(?:\.(?:\s?(?P<y2>(?:20)?\d\d))?)(?!\d)
      | (?P<a3>\d\d?)/(?P<b3>\d\d?)(?:/(?P<y3>(?:20)?\d\d))?(?![\d/])
      | (?P<d4>\d\d?)(?:st|nd|rd|th|er|º|ª|\.)?\s+(?:of\s+|de\s+)?(?P<m4>{_any(_MONTHS)})\b\.?
            (?:,?\s+(?:de\s+|del\s+)?(?P<y4>20\d\d))?
      | (?P<m5>{_any(_MONTHS)})\.?\s+(?:the\s+)?(?P<d5>\d\d?)(?:st|nd|rd|th)?\b(?:,?\s+(?P<y5>20\d\d))?
      | (?P<weekday>{_any(_WEEKDAYS)})\b(?!,?\s+(?:the\s+|den\s+|dem\s+|le\s+|el\s+|dia\s+)?\d)
            (?!,?\s+(?:{_any(_MONTHS)})\b)
      | (?P<tomorrow>{_TOMORROW})\b
    )""",
    re.IGNORECASE | re.VERBOSE,
)

_RETURN: Final = re.compile(
    r"\b(?:back|return(?:ing|s)?|reachable|available|resume"
    r"|zurück|zurueck|wieder"
    r"|retour|reviendrai|reprendrai|rentrerai|disponible"
    r"|regres\w+|vuel[tv]\w+|volver\w+|reincorpor\w+"
    r"|volt[ao]\w*|retorn\w+|disponível)\b",
    re.IGNORECASE,
)
"""Words beside the day of return."""

_THE: Final = (
    r"(?:(?:the|on|zum|den|dem|le|la|el|o|a|ao|dia|día|einschließlich|einschl\.?|inkl\.?|inkl(?:usive)?|and\s+including|"
    rf"y\s+incluyendo|e\s+incluindo|including|inclusive|{_any(_WEEKDAYS)}),?\s+)*"
)
_UNTIL: Final = re.compile(
    rf"(?:\b(?:until|till|til|through|thru|to|bis|jusqu['’]?\s?(?:au|à|a)?|au|hasta|al|até|ate|a)\s+{_THE}|[-–—]\s*)$",
    re.IGNORECASE,
)
"""Words before the last day, or the day of return: usage differs, see the module."""
_RANGE_ONLY: Final = re.compile(rf"(?:\b(?:to|au|al|a)\s+{_THE}|[-–—]\s*)$", re.IGNORECASE)
"""Those of them that mean it only behind another date ("5 to 9 May", "3.–7.4.")."""
_INCLUSIVE: Final = re.compile(r"\b(?:through|thru|includ\w+|inclus\w+|einschl\w*|inkl\w*|inclu\w+)", re.IGNORECASE)
_SENTENCE: Final = re.compile(r"(?<=[!?])\s+|(?<=[^\W\d]{2}\.)\s+(?=[A-ZÄÖÜÉÀÁ¿¡])|\n\s*\n|(?<=[.!?])\n|;\s")
_ENGLISH: Final = re.compile(r"\b(?:the|office|back|until|return)\b", re.IGNORECASE)
_REACH: Final = 80
"""Characters in which a word still belongs to a date."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A date with how certain it is that somebody returns then: 2 says so, 1 is the end of a range."""

    certainty: int
    day: date


def away_until(text: str, sent_on: date) -> date | None:
    """The day of return that a text states; None if it states none, one gone by, or one more than a year ahead."""
    found = [
        candidate
        for sentence in _SENTENCE.split(text)
        for candidate in _in_sentence(" ".join(sentence.split()), sent_on)
        if sent_on <= candidate.day <= sent_on + MAX_AWAY
    ]
    best = max((candidate.certainty for candidate in found), default=0)
    return max((candidate.day for candidate in found if candidate.certainty == best), default=None)


def _in_sentence(sentence: str, sent_on: date) -> Iterator[_Found]:
    matches = list(_DATE.finditer(sentence))
    for place, match in enumerate(matches):
        day = _day(match, sent_on, english=bool(_ENGLISH.search(sentence)))
        if day is None:
            continue
        begins = max(matches[place - 1].end() if place else 0, match.start() - _REACH)
        before = sentence[begins : match.start()]
        last = place == len(matches) - 1
        after = sentence[match.end() : match.end() + _REACH] if last else ""
        until = _UNTIL.search(before)
        if until and _RANGE_ONLY.fullmatch(until[0]) and not place and not re.search(r"\d", before):
            until = None
        if until and not _RETURN.search(before[: until.start()]):
            near = until[0] + after[:25]
            yield _Found(1, day + timedelta(days=1) if _INCLUSIVE.search(near) else day)
        elif _RETURN.search(before) or _RETURN.search(after):
            yield _Found(2, day)


def _day(match: re.Match[str], sent_on: date, *, english: bool) -> date | None:
    if match["tomorrow"]:
        return sent_on + timedelta(days=1)
    if match["weekday"]:
        ahead = (_WEEKDAY[match["weekday"].lower()] - sent_on.weekday() - 1) % 7 + 1
        return sent_on + timedelta(days=ahead)
    if match["a3"]:
        return _slashed(int(match["a3"]), int(match["b3"]), match["y3"], sent_on, english=english)
    for number in "1245":
        if match[f"d{number}"]:
            month = match[f"m{number}"].lower()
            return _nearest(
                int(match[f"d{number}"]),
                int(month) if month.isdecimal() else _MONTH[month] + 1,
                match[f"y{number}"],
                sent_on,
            )
    return None


def _slashed(first: int, second: int, year: str | None, sent_on: date, *, english: bool) -> date | None:
    """5/6 is the 5th of June, but in America the 6th of May: of two dates ahead, in English, the nearer one."""
    readings = [_nearest(first, second, year, sent_on)]
    if english:
        readings.append(_nearest(second, first, year, sent_on))
    return min((day for day in readings if day is not None and day >= sent_on), default=None)


def _nearest(day: int, month: int, year: str | None, sent_on: date) -> date | None:
    """The date; without a year, the next one from the mail's own day on. None: there is no such day, or none near."""
    if year:
        return _date(int(year) + (2000 if len(year) == 2 else 0), month, day)  # noqa: PLR2004 - two digits
    ahead = [_date(candidate, month, day) for candidate in (sent_on.year, sent_on.year + 1)]
    near = [found for found in ahead if found is not None and sent_on <= found <= sent_on + MAX_WITHOUT_YEAR]
    return near[0] if near else None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None
