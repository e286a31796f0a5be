"""Contacts from pages: every address that stands there and may be written to, and who is behind it.

An address comes from structured data (JSON-LD), a ``mailto:`` link, or the text, where "name [at] company [dot] com"
counts too. Nothing is ever composed: an address that is not on a page does not exist. Addresses under the company's
own registrable domain are taken anywhere; others only from structured data or a link on its contact, team or imprint
page, because a page may name anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import unquote, urlsplit

from email_validator import EmailNotValidError, validate_email
from pydantic import JsonValue

from cadenza.contacts.model import ContactKind, FoundContact
from cadenza.leads.domains import same_site
from cadenza.leads.evidence import Corpus, ReadPage, squash
from cadenza.leads.people import (
    GENERIC_RANK,
    NOBODY,
    NameAndTitle,
    bare_name,
    belongs_to,
    is_generic,
    is_name,
    is_title,
    is_unwritable,
    names_a_person,
    people_in,
    role_rank,
    split_name,
)
from cadenza.leads.places import country_of, e164, time_zone_of

MAX_CONTACTS = 200
"""A site that names more is a directory; those who decide come first."""

_CARD_LINES_BEFORE = 4
_CARD_LINES_AFTER = 2
_MAX_QUOTE_CHARS = 240


class Origin(IntEnum):
    """Where an address was seen; the best comes first."""

    JSON_LD = 1
    MAILTO = 2
    TEXT = 3


@dataclass(frozen=True)
class Sighting:
    """One address in one place. ``card``: the lines around it; ``person``: who structured data says it is."""

    email: str
    page: ReadPage
    origin: Origin
    quote: str
    card: tuple[str, ...] = ()
    person: NameAndTitle = NOBODY
    phone: str = ""


@dataclass(frozen=True)
class Extraction:
    """The contacts, who decides first, and how many addresses were seen but refused."""

    contacts: tuple[FoundContact, ...]
    refused: int


def extract_contacts(corpus: Corpus, language: str = "") -> Extraction:
    """Everybody on the believed pages who can be written to, one contact an address (compared in lower case)."""
    seen: dict[str, list[Sighting]] = {}
    refused: set[str] = set()
    for sighting in sightings(corpus):
        if may_be_written_to(sighting, corpus.domain):
            seen.setdefault(sighting.email.lower(), []).append(sighting)
        else:
            refused.add(sighting.email.lower())
    roster = tuple(_roster(corpus))
    country = country_of(corpus)
    contacts = [_contact(places, roster, country, language) for places in seen.values()]
    contacts.sort(key=lambda contact: (contact.role_rank, not contact.name, contact.email))
    return Extraction(tuple(contacts[:MAX_CONTACTS]), len(refused - seen.keys()) + len(contacts[MAX_CONTACTS:]))


# --- where addresses are -----------------------------------------------------------------------------------------

_PLAIN = re.compile(r"(?<![\w.+%/@-])[\w.+%'-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_AT = r"\s*(?:\[\s*(?:at|ät|arroba|@)\s*\]|\(\s*(?:at|ät|arroba|@)\s*\)|\{\s*(?:at|@)\s*\}|<\s*at\s*>)\s*"
_DOT_WORD = r"\s*(?:dot|punkt|ponto|punto|point|\.)\s*"
_DOT = rf"(?:\.|\s*(?:\[{_DOT_WORD}\]|\({_DOT_WORD}\)|\{{{_DOT_WORD}\}})\s*)"
_OBFUSCATED = re.compile(
    rf"(?<![\w.+%/@-])(?P<local>\w[\w+%'-]*(?:{_DOT}[\w+%'-]+){{0,4}}){_AT}(?P<host>[\w-]+(?:{_DOT}[\w-]+){{1,4}})",
    re.IGNORECASE,
)
_ANY_DOT = re.compile(_DOT, re.IGNORECASE)
_FILE_NAMES = re.compile(r"\.(?:png|jpe?g|gif|webp|svg|avif|ico|css|m?js|json|pdf|woff2?|html|php)$", re.IGNORECASE)


def sightings(corpus: Corpus) -> Iterator[Sighting]:
    """Every address on the believed pages, admissible or not."""
    for page in corpus.pages:
        for node in page.page.structured.json_ld:
            yield from _in_json_ld(node, page)
        for link in page.page.structured.mail_links:
            card = tuple(squash(line) for line in (link.nearby or link.label).splitlines())
            yield Sighting(link.address, page, Origin.MAILTO, link.address, card, phone=e164(link.nearby))
        yield from _in_markdown_links(page)
        yield from _in_text(page)


def _in_json_ld(node: JsonValue, page: ReadPage) -> Iterator[Sighting]:
    if isinstance(node, list):
        for item in node:
            yield from _in_json_ld(item, page)
    elif isinstance(node, dict):
        emails = node.get("email")
        for value in emails if isinstance(emails, list) else [emails]:
            if isinstance(value, str) and "@" in value:
                email = unquote(value.strip().removeprefix("mailto:").partition("?")[0])
                phone = node.get("telephone")
                yield Sighting(
                    email, page, Origin.JSON_LD, value, person=_json_ld_person(node), phone=e164(str(phone or ""))
                )
        for value in node.values():
            yield from _in_json_ld(value, page)


def _json_ld_person(node: Mapping[str, JsonValue]) -> NameAndTitle:
    kind = node.get("@type")
    if "Person" not in (kind if isinstance(kind, list) else [kind]):
        return NOBODY
    words = [node.get("givenName"), node.get("familyName")]
    name = node.get("name") or " ".join(word for word in words if isinstance(word, str))
    title = node.get("jobTitle")
    name = squash(name) if isinstance(name, str) else ""
    title = squash(title) if isinstance(title, str) else ""
    return NameAndTitle(bare_name(name) if is_name(name) else "", title if is_title(title) else "")


_MARKDOWN_MAILTO = re.compile(r"\]\(\s*<?mailto:([^)?>\s]+)", re.IGNORECASE)


def _in_markdown_links(page: ReadPage) -> Iterator[Sighting]:
    """``[label](mailto:…)`` of crawlers that return nothing but markdown."""
    known = {link.address.lower() for link in page.page.structured.mail_links}
    for number, line in enumerate(page.page.markdown.splitlines()):
        for match in _MARKDOWN_MAILTO.finditer(line):
            email = unquote(match[1])
            if email.lower() not in known:
                yield Sighting(email, page, Origin.MAILTO, match[1], _card(page.lines, number))


def _in_text(page: ReadPage) -> Iterator[Sighting]:
    for number, line in enumerate(page.lines):
        found = [(m.start(), m[0].rstrip("."), m[0]) for m in _PLAIN.finditer(line)]
        found += [(m.start(), _deobfuscated(m), m[0]) for m in _OBFUSCATED.finditer(line)]
        for at, email, written in sorted(found):
            quote = line if len(line) <= _MAX_QUOTE_CHARS else written
            # Of a line with several addresses, each owns what stands before it.
            before = max((start + len(w) for start, _, w in found if start < at), default=0)
            own = line[before:at] if len(found) > 1 else line
            card = _card(page.lines, number, own)
            yield Sighting(email, page, Origin.TEXT, quote, card, phone=_own_phone(card))


def _own_phone(card: tuple[str, ...]) -> str:
    """The number below the card's last name: what stands above it is the person's before."""
    last = max((n for n, line in enumerate(card) if people_in((line,))), default=len(card) - 1)
    return e164("\n".join(card[last:]))


def _deobfuscated(match: re.Match[str]) -> str:
    local, host = (_ANY_DOT.sub(".", match[name]) for name in ("local", "host"))
    return f"{local}@{host}"


def _card(lines: Sequence[str], number: int, own: str | None = None) -> tuple[str, ...]:
    """The lines that belong to the address in line ``number``: up to the neighbours' addresses, not further."""
    before: list[str] = []
    for line in reversed(lines[:number]):
        if "@" in line or _OBFUSCATED.search(line) or len(before) == _CARD_LINES_BEFORE:
            break
        if line:
            before.insert(0, line)
    after: list[str] = []
    for line in lines[number + 1 :]:
        # A blank line ends the card downwards: what follows is the next person's.
        if not line or "@" in line or len(after) == _CARD_LINES_AFTER:
            break
        after.append(line)
    return (*before, lines[number] if own is None else own, *after)


# --- which may be written to -------------------------------------------------------------------------------------

_OWN_PAGES = re.compile(
    r"contact|kontakt|conta[ck]to|contato|contatti|imprint|impressum|mentions-legales|aviso-legal|legal-notice|about|"
    r"uber-uns|ueber-uns|team|equip[aeo]|people|staff|quem-somos|sobre|quienes-somos|a-propos|qui-sommes",
    re.IGNORECASE,
)
_OTHERS = re.compile(
    r"web ?design|website by|site by|powered by|hosting|hosted by|realisi?z?ation|realisierung|umsetzung|webagentur|"
    r"ombuds|supervisory authority|aufsichtsbeh|schlichtung|data protection authority",
    re.IGNORECASE,
)


def may_be_written_to(sighting: Sighting, domain: str) -> bool:
    """Whether an address is well-formed, meant for people, and the company's own or offered by it in so many words."""
    local, _, host = sighting.email.rpartition("@")
    if is_unwritable(local) or _FILE_NAMES.search(host) or not _well_formed(sighting.email):
        return False
    if same_site(host, domain):
        return True
    offered = sighting.origin is not Origin.TEXT and _is_own_page(sighting.page)
    return offered and _is_public(host) and not _OTHERS.search(" ".join(sighting.card))


def _well_formed(email: str) -> bool:
    try:
        # Reserved names (.example) are refused for foreign addresses only: a site may well live there.
        validate_email(email, check_deliverability=False, globally_deliverable=False, allow_smtputf8=False)
    except EmailNotValidError:
        return False
    return "." in email.rpartition("@")[2]


def _is_public(host: str) -> bool:
    try:
        validate_email(f"x@{host}", check_deliverability=False)
    except EmailNotValidError:
        return False
    return not re.fullmatch(r"(?:.*\.)?example\.(?:com|org|net)", host.lower())


def _is_own_page(page: ReadPage) -> bool:
    return _OWN_PAGES.search(unquote(urlsplit(page.url).path)) is not None


# --- who is behind them ------------------------------------------------------------------------------------------


def _roster(corpus: Corpus) -> Iterator[NameAndTitle]:
    """Everybody whom the site names with a title, with an address or without."""
    for page in corpus.pages:
        for node in page.page.structured.json_ld:
            yield from _json_ld_people(node)
        yield from people_in(tuple(line for line in page.lines if line))


def _json_ld_people(node: JsonValue) -> Iterator[NameAndTitle]:
    if isinstance(node, dict):
        person = _json_ld_person(node)
        if person.name:
            yield person
    inner: Iterable[JsonValue] = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for value in inner:
        yield from _json_ld_people(value)


def _contact(places: Sequence[Sighting], roster: Sequence[NameAndTitle], country: str, language: str) -> FoundContact:
    local = places[0].email.rpartition("@")[0]
    ordered = sorted(places, key=lambda place: place.origin)
    person, source = NOBODY, ordered[0]
    if not is_generic(local):
        for place in ordered:
            person = place.person if place.person.name else _person_in(place.card, local)
            if person.name:
                source = place
                break
        if not person.title:
            person = _from_roster(person, local, roster)
    generic = not person.name and not names_a_person(local)
    first, last = split_name(person.name)
    return FoundContact(
        email=source.email,
        kind=ContactKind.GENERIC if generic else ContactKind.PERSON,
        role_rank=GENERIC_RANK if generic else role_rank(person.title),
        name=person.name,
        first_name=first,
        last_name=last,
        title=person.title,
        phone=next((place.phone for place in ordered if place.phone), ""),
        country=country,
        time_zone=time_zone_of(country),
        language=language,
        page_url=source.page.url,
        quote=source.quote,
    )


def _person_in(card: tuple[str, ...], local: str) -> NameAndTitle:
    """Whom a card shows: the name that the address is made of, else its only name if that has a title beside it."""
    people = people_in(card)
    for person in reversed(people):  # the nearest name is the last one before the address
        if belongs_to(local, person.name):
            return person
    # "first.last" that fits no name here is somebody else's.
    alone = len(people) == 1 and bool(people[0].title) and not names_a_person(local)
    return people[0] if alone else NOBODY


def _from_roster(person: NameAndTitle, local: str, roster: Sequence[NameAndTitle]) -> NameAndTitle:
    """Name and title from elsewhere on the site, if exactly one person there fits the address."""
    fitting = {known.name.casefold(): known for known in roster if known.title and belongs_to(local, known.name)}
    if person.name:
        return fitting.get(person.name.casefold(), person)
    return next(iter(fitting.values())) if len(fitting) == 1 else person
