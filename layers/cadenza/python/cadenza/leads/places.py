"""Country and time zone of a company, from what its site says outright. Empty rather than a guess."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from phonenumbers import Leniency, PhoneNumberFormat, PhoneNumberMatcher, format_number
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
    "33": "FR", "39": "IT", "44": "GB",
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
    "japan": "JP", "éire": "IE", "england": "GB", "scotland": "GB", "wales": "GB", "great britain": "GB",
    "luxembourg": "LU", "luxemburg": "LU", "belgique": "BE", "belgië": "BE", "svizzera": "CH", "danmark": "DK",
    "sverige": "SE", "norge": "NO", "suomi": "FI", "polska": "PL", "czechia": "CZ", "czech republic": "CZ",
}  # fmt: skip
_E164 = re.compile(r"(?:\+|\b00)\s?\d(?:[\s()./-]{0,3}\d){6,14}")
_MIN_DIGITS, _MAX_DIGITS = 8, 15
_MAX_LINE_CHARS = 240
_PARTS = re.compile(r"\s*[,;|·•()/]\s*|\s+[-–—]\s+|\.\s+")
# What only one country writes so. Crown dependencies share Britain's postal codes, and its way to be written to.
_MARKS = {
    "AT": re.compile(r"\bUID:? ?(?:-?Nr\.?:? ?)?ATU|\bA-\d{4}\b|\bFN ?\d{5,6} ?[a-z]\b"),
    "CH": re.compile(r"\bCH-\d{4}\b|\bCHE-\d{3}\.\d{3}\.\d{3}"),
    "DE": re.compile(r"\bD-\d{5}\b|\bHR[AB] ?\d+|\bUSt-?Id(?:Nr|-Nr)?\.?:? ?DE"),
    "ES": re.compile(r"\b(?:CIF|NIF|C\.I\.F\.|N\.I\.F\.):? ?[A-Z]-?\d{7}"),
    "FR": re.compile(r"\b(?:SIRET|SIREN|RCS [A-Z][a-zé]+)\b|\bF-\d{5}\b"),
    "GB": re.compile(r"\b(?:[A-Z]{1,2}\d[A-Z\d]?) ?\d[ABD-HJLNP-UW-Z]{2}\b"),
    "IE": re.compile(r"\b[ACDEFHKNPRTVWXY]\d[\dW] ?(?=[\dACDEFHKNPRTVWXY]*\d)[\dACDEFHKNPRTVWXY]{4}\b"),
    "IT": re.compile(r"\bP(?:artita|\.) ?IVA\b"),
    "NL": re.compile(r"\bKvK\b|\b\d{4} [A-Z]{2} [A-Z][a-z]+"),
    "PT": re.compile(r"\bNIPC\b|\b\d{4}-\d{3} [A-Z][a-z]+"),
    "US": re.compile(r"\b(?!GB|UK)[A-Z]{2} \d{5}(?:-\d{4})?\b"),
}
_FAX = re.compile(r"fax\W*$", re.IGNORECASE)
_FAX_CHARS = 12
_MAX_PHONE_TEXT_CHARS = 2_000


def phone_in(text: str, country: str = "") -> str:
    """The first telephone number in ``text`` as E.164, or "". National ones only where the country is known."""
    text = text[:_MAX_PHONE_TEXT_CHARS]
    # The country of a national number would be a guess, and a guess calls a stranger.
    for match in PhoneNumberMatcher(text, country or None, leniency=Leniency.VALID):
        if not _FAX.search(text[: match.start].rpartition("\n")[2][-_FAX_CHARS:]):
            return format_number(match.number, PhoneNumberFormat.E164)
    return e164(text)


def e164(text: str) -> str:
    """The first international number in ``text`` as E.164, or ""; its digits need not be in any numbering plan."""
    matches = (
        m for m in _E164.finditer(text.replace("(0)", "")) if not _FAX.search(m.string[: m.start()][-_FAX_CHARS:])
    )
    match = next(matches, None)
    digits = re.sub(r"\D", "", match[0]) if match else ""
    digits = digits.removeprefix("00")
    return f"+{digits}" if _MIN_DIGITS <= len(digits) <= _MAX_DIGITS else ""


def country_of(corpus: Corpus) -> str:
    """ISO 3166-1 alpha-2 of the company: the first kind of evidence that names exactly one country.

    Its structured address; its national domain; a country that ends an address line; a postal code, register or tax
    number that only one country writes so; the calling code of its numbers.
    """
    kinds = (_stated(corpus), _national(corpus), _in_lines(corpus), _by_marks(corpus), _dialled(corpus))
    return next((next(iter(found)) for found in kinds if len(found) == 1), "")


def _stated(corpus: Corpus) -> set[str]:
    return {code for page in corpus.pages for node in page.page.structured.json_ld for code in _countries(node)}


def _national(corpus: Corpus) -> set[str]:
    return {_NATIONAL_TLDS.get(corpus.domain.rpartition(".")[2], "")} - {""}


def _in_lines(corpus: Corpus) -> set[str]:
    """Countries that stand alone between commas on a line that also has a number, as an address does; or below one."""
    found = Counter[str]()
    for page in corpus.pages:
        on_page: set[str] = set()
        above = ""
        for line in page.lines:
            parts = [part.strip(" .").casefold() for part in _PARTS.split(line)] if len(line) <= _MAX_LINE_CHARS else []
            if re.search(r"\d", line) or (re.search(r"\d", above) and len(parts) == 1):
                on_page |= {_NAMES[part] for part in parts if part in _NAMES}
            above = line
        found.update(on_page)
    most = max(found.values(), default=0)
    return {code for code, pages in found.items() if pages == most}


def _by_marks(corpus: Corpus) -> set[str]:
    text = " ".join(page.visible for page in corpus.pages)
    return {code for code, mark in _MARKS.items() if mark.search(text)}


def _dialled(corpus: Corpus) -> set[str]:
    links = {e164(link.address) for page in corpus.pages for link in page.page.structured.phone_links}
    written = {e164(m[0]) for page in corpus.pages for m in _E164.finditer(page.visible.replace("(0)", ""))}
    return {code for phone in links | written - {""} if (code := _called(phone))}


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
