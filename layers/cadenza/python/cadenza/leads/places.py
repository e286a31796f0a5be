"""Country and time zone of a company, from what its site says outright. Empty rather than a guess."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import JsonValue

from cadenza.leads.evidence import Corpus

# Countries that keep one time on all of their inhabited land (IANA tzdb). France is in, because its overseas parts have
# country codes of their own; Portugal and Spain are out, because their islands are an hour behind.
_ZONES = {
    "AT": "Europe/Vienna", "BE": "Europe/Brussels", "BG": "Europe/Sofia", "CH": "Europe/Zurich",
    "CZ": "Europe/Prague", "DE": "Europe/Berlin", "DK": "Europe/Copenhagen", "EE": "Europe/Tallinn",
    "FI": "Europe/Helsinki", "FR": "Europe/Paris", "GB": "Europe/London", "GR": "Europe/Athens",
    "HR": "Europe/Zagreb", "HU": "Europe/Budapest", "IE": "Europe/Dublin", "IL": "Asia/Jerusalem",
    "IN": "Asia/Kolkata", "IS": "Atlantic/Reykjavik", "IT": "Europe/Rome", "JP": "Asia/Tokyo", "KR": "Asia/Seoul",
    "LI": "Europe/Vaduz", "LT": "Europe/Vilnius", "LU": "Europe/Luxembourg", "LV": "Europe/Riga",
    "MT": "Europe/Malta", "NL": "Europe/Amsterdam", "NO": "Europe/Oslo", "PL": "Europe/Warsaw",
    "RO": "Europe/Bucharest", "SE": "Europe/Stockholm", "SG": "Asia/Singapore", "SI": "Europe/Ljubljana",
    "SK": "Europe/Bratislava", "TR": "Europe/Istanbul", "ZA": "Africa/Johannesburg",
}  # fmt: skip
_SEVERAL_ZONES = frozenset({"AU", "BR", "CA", "CL", "ES", "MX", "NZ", "PT", "RU", "US"})
# ccTLDs that are sold as words (.io, .ai, .co, .me …) say nothing; these are used at home.
_NATIONAL_TLDS = {code.lower(): code for code in (*_ZONES, "AU", "BR", "CA", "CL", "ES", "MX", "NZ", "PT")} | {
    "uk": "GB"
}
for _sold_abroad in ("gb", "in", "is", "li", "sg", "us", "ru"):
    _NATIONAL_TLDS.pop(_sold_abroad, None)
_CALLING_CODES = {
    "30": "GR", "31": "NL", "32": "BE", "34": "ES", "351": "PT", "352": "LU", "353": "IE", "36": "HU", "370": "LT",
    "371": "LV", "372": "EE", "385": "HR", "386": "SI", "40": "RO", "41": "CH", "420": "CZ", "421": "SK",
    "43": "AT", "45": "DK", "46": "SE", "48": "PL", "49": "DE", "55": "BR", "81": "JP", "82": "KR",
}  # fmt: skip
_NAMES = {
    "germany": "DE", "deutschland": "DE", "austria": "AT", "österreich": "AT", "switzerland": "CH", "schweiz": "CH",
    "suisse": "CH", "france": "FR", "portugal": "PT", "spain": "ES", "españa": "ES", "italy": "IT", "italia": "IT",
    "netherlands": "NL", "nederland": "NL", "belgium": "BE", "united kingdom": "GB", "uk": "GB", "ireland": "IE",
    "denmark": "DK", "sweden": "SE", "norway": "NO", "finland": "FI", "poland": "PL", "brazil": "BR",
    "brasil": "BR", "united states": "US", "usa": "US", "canada": "CA", "mexico": "MX", "méxico": "MX",
    "japan": "JP",
}  # fmt: skip
_E164 = re.compile(r"(?:\+|\b00)\s?\d(?:[\s()./-]{0,3}\d){6,14}")
_MIN_DIGITS, _MAX_DIGITS = 8, 15


def e164(text: str) -> str:
    """The first international number in ``text`` as E.164, or "". The country of a national one would be a guess."""
    match = _E164.search(text.replace("(0)", ""))
    digits = re.sub(r"\D", "", match[0]) if match else ""
    digits = digits.removeprefix("00")
    return f"+{digits}" if _MIN_DIGITS <= len(digits) <= _MAX_DIGITS else ""


def country_of(corpus: Corpus) -> str:
    """ISO 3166-1 alpha-2 of the company: its structured address, its national domain, or its only calling code."""
    stated = {code for page in corpus.pages for node in page.page.structured.json_ld for code in _countries(node)}
    if stated:
        return stated.pop() if len(stated) == 1 else ""
    national = _NATIONAL_TLDS.get(corpus.domain.rpartition(".")[2])
    if national:
        return national
    phones = {e164(link.address) for page in corpus.pages for link in page.page.structured.phone_links} - {""}
    called = {_called(phone) for phone in phones}
    return called.pop() if len(called) == 1 else ""


def _called(phone: str) -> str:
    return next((_CALLING_CODES[phone[1:n]] for n in (4, 3) if phone[1:n] in _CALLING_CODES), "")


def time_zone_of(country: str) -> str:
    """The country's IANA zone if it has only one, else ""."""
    return _ZONES.get(country, "")


def _countries(value: JsonValue) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _countries(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key == "addressCountry":
                yield from _country_code(item.get("name") if isinstance(item, dict) else item)
            else:
                yield from _countries(item)


def _country_code(value: JsonValue | None) -> Iterator[str]:
    text = value.strip() if isinstance(value, str) else ""
    if text.upper() in _ZONES or text.upper() in _SEVERAL_ZONES:
        yield text.upper()
    elif code := _NAMES.get(text.casefold()):
        yield code
