"""Contacts from pages: every address that stands there and may be written to, and who is behind it.

An address comes from structured data (JSON-LD), a ``mailto:`` link, or the text, where "name [at] company [dot] com"
counts too. Nothing is ever composed: an address that is not on a page does not exist. Addresses under the company's
own registrable domain are taken anywhere, unless the page says that their owner has left. Others are taken only where
the company offers them (a link or structured data on its contact, team or imprint page) *and* they are its own: at a
provider of mailboxes, or under its name. A page may name anybody: its agency, a partner, a customer who is quoted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from urllib.parse import unquote

from pydantic import JsonValue

from cadenza.contacts.model import ContactKind, FoundContact
from cadenza.leads.cards import NOBODY, NameAndTitle, inverted_in, named_in_prose, people_in
from cadenza.leads.claims import split_sentences
from cadenza.leads.domains import same_site
from cadenza.leads.evidence import Corpus, ReadPage, squash
from cadenza.leads.ownership import Owner, has_left, is_own_page
from cadenza.leads.people import (
    GENERIC_RANK,
    bare_name,
    belongs_to,
    is_generic,
    is_name,
    is_title,
    may_be_short_for,
    names_a_person,
    role_rank,
    split_name,
)
from cadenza.leads.places import country_of, phone_in, time_zone_of

MAX_CONTACTS = 200
"""A site that names more is a directory; those who decide come first."""

_CARD_LINES_BEFORE = 4
_CARD_LINES_AFTER = 2
_MAX_QUOTE_CHARS = 240
_AROUND_CHARS = 300
_REACH_LINES = 8
_MAX_NUMBER_CHARS = 40
_MIN_NUMBER_DIGITS = 6
_MAX_HEADING_WORDS = 4
_MAX_JOB_TITLE_CHARS = 60


class Origin(IntEnum):
    """Where an address was seen; the best comes first."""

    JSON_LD = 1
    MAILTO = 2
    TEXT = 3


@dataclass(frozen=True)
class Sighting:
    """One address in one place. ``card``: the lines around it; ``person``: who structured data says it is.

    ``around`` is the text before and after it in its line or card, ``sentence`` the one of these that it stands in.
    """

    email: str
    page: ReadPage
    origin: Origin
    quote: str
    card: tuple[str, ...] = ()
    around: str = ""
    sentence: str = ""
    person: NameAndTitle = NOBODY
    phone: str = ""


@dataclass(frozen=True)
class Extraction:
    """The contacts, who decides first, and how many addresses were seen but refused."""

    contacts: tuple[FoundContact, ...]
    refused: int


def extract_contacts(corpus: Corpus, language: str = "", company_name: str = "") -> Extraction:
    """Everybody on the believed pages who can be written to, one contact an address (compared in lower case)."""
    owner = Owner(corpus.domain, company_name)
    country = country_of(corpus)
    seen: dict[str, list[Sighting]] = {}
    refused: set[str] = set()
    gone: set[str] = set()
    for sighting in sightings(corpus, country):
        email = sighting.email.lower()
        context = " ".join((*sighting.card, sighting.sentence))
        if _is_gone(sighting):
            gone.add(email)
        elif owner.may_offer(email, sighting.page.url, context, linked=sighting.origin is not Origin.TEXT):
            seen.setdefault(email, []).append(sighting)
        else:
            refused.add(email)
    for email in gone:  # wherever else it stands: pages are forgotten more often than people return
        seen.pop(email, None)
    roster = tuple(_roster(corpus))
    contacts = [_contact(places, roster, owner, country, language) for places in seen.values()]
    contacts.sort(key=lambda contact: (contact.role_rank, not contact.name, contact.email))
    left_out = len((refused | gone) - seen.keys()) + len(contacts[MAX_CONTACTS:])
    return Extraction(tuple(contacts[:MAX_CONTACTS]), left_out)


def _is_gone(sighting: Sighting) -> bool:
    """Whether the address' sentence says that its owner has left, or a heading above it does. Desks do not leave."""
    if is_generic(sighting.email.partition("@")[0]):
        return False
    headings = (line for line in sighting.card if len(line.split()) <= _MAX_HEADING_WORDS)
    return any(has_left(text) for text in (sighting.sentence, *headings))


# --- where addresses are -----------------------------------------------------------------------------------------

_PLAIN = re.compile(r"(?<![\w.+%/@-])[\w.+%'-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_AT_WORD = r"\s*(?:at|ät|arroba|arobase|chiocciola|apenstaartje|klammeraffe|affenschwanz|@)\s*"
_AT = rf"\s*(?:\[{_AT_WORD}\]|\({_AT_WORD}\)|\{{{_AT_WORD}\}}|<\s*at\s*>)\s*"
_DOT_WORD = r"\s*(?:dot|punkt|ponto|punto|punt|point|\.)\s*"
_DOT = rf"(?:\.|\s*(?:\[{_DOT_WORD}\]|\({_DOT_WORD}\)|\{{{_DOT_WORD}\}})\s*)"
_OBFUSCATED = re.compile(
    rf"(?<![\w.+%/@-])(?P<local>\w[\w+%'-]*(?:{_DOT}[\w+%'-]+){{0,4}}){_AT}(?P<host>[\w-]+(?:{_DOT}[\w-]+){{1,4}})",
    re.IGNORECASE,
)
# Without brackets only what cannot be a sentence: "info AT company DOT com", "ordini chiocciola azienda.it".
_SPELLED = re.compile(
    r"(?<![\w.+%/@-])(?P<local>\w[\w+%'-]*(?:\.[\w+%'-]+){0,4})\s+(?:AT|arroba|arobase|chiocciola|apenstaartje|"
    r"klammeraffe)\s+(?P<host>[\w-]+(?:(?:\.|\s+(?:DOT|punkt|ponto|punto|punt|point)\s+)[\w-]+){1,4})"
)
_ANY_DOT = re.compile(rf"{_DOT}|\s+(?:DOT|punkt|ponto|punto|punt|point)\s+", re.IGNORECASE)


def sightings(corpus: Corpus, country: str = "") -> Iterator[Sighting]:
    """Every address on the believed pages, admissible or not. ``country`` is where national numbers are dialled."""
    for page in corpus.pages:
        for node in page.page.structured.json_ld:
            yield from _in_json_ld(node, page, country)
        for link in page.page.structured.mail_links:
            card = tuple(squash(line) for line in (link.nearby or link.label).splitlines())
            phone, text = _phone(card, page, country), " ".join(card)
            yield Sighting(link.address, page, Origin.MAILTO, link.address, card, text, text, phone=phone)
        yield from _in_markdown_links(page)
        yield from _in_text(page, country)


def _in_json_ld(node: JsonValue, page: ReadPage, country: str) -> Iterator[Sighting]:
    if isinstance(node, list):
        for item in node:
            yield from _in_json_ld(item, page, country)
    elif isinstance(node, dict):
        emails = node.get("email")
        for value in emails if isinstance(emails, list) else [emails]:
            if isinstance(value, str) and "@" in value:
                email = unquote(value.strip().removeprefix("mailto:").partition("?")[0])
                phone = phone_in(str(node.get("telephone") or ""), country)
                yield Sighting(email, page, Origin.JSON_LD, value, person=_json_ld_person(node), phone=phone)
        for value in node.values():
            yield from _in_json_ld(value, page, country)


def _json_ld_person(node: Mapping[str, JsonValue]) -> NameAndTitle:
    kind = node.get("@type")
    if "Person" not in (kind if isinstance(kind, list) else [kind]):
        return NOBODY
    words = [node.get("givenName"), node.get("familyName")]
    name = node.get("name") or " ".join(word for word in words if isinstance(word, str))
    title = node.get("jobTitle")
    name = squash(name) if isinstance(name, str) else ""
    title = squash(title) if isinstance(title, str) else ""
    # What is said to be a title need not have a word that titles have.
    plain = len(title) <= _MAX_JOB_TITLE_CHARS and not re.search(r"[@\d{}<>]|://", title)
    return NameAndTitle(bare_name(name) if is_name(name) else "", title if plain or is_title(title) else "")


_MARKDOWN_MAILTO = re.compile(r"\]\(\s*<?mailto:([^)?>\s]+)", re.IGNORECASE)


def _in_markdown_links(page: ReadPage) -> Iterator[Sighting]:
    """``[label](mailto:…)`` of crawlers that return nothing but markdown."""
    known = {link.address.lower() for link in page.page.structured.mail_links}
    for number, line in enumerate(page.page.markdown.splitlines()):
        for match in _MARKDOWN_MAILTO.finditer(line):
            email = unquote(match[1])
            if email.lower() not in known:
                yield Sighting(email, page, Origin.MAILTO, match[1], _card(page.lines, number))


def _in_text(page: ReadPage, country: str) -> Iterator[Sighting]:
    raw = page.page.markdown.splitlines()
    code = _code_lines(raw)
    for number, line in enumerate(page.lines):
        if number in code and not is_own_page(page.url):
            continue  # what documentation shows as an example
        found = _addresses_in(line, page.url)
        for at, email, written in found:
            quote = line if len(line) <= _MAX_QUOTE_CHARS else written
            # Of a line with several addresses, each owns what stands before it.
            before = max((start + len(w) for start, _, w in found if start < at), default=0)
            own = line[before:at] if len(found) > 1 else line
            row = raw[number].lstrip().startswith("|") and len(own) > len(written)
            card = (own,) if row else _card(page.lines, number, own)
            around = line[max(0, at - _AROUND_CHARS) : at + len(written) + _AROUND_CHARS]
            sentence = next((s for s in split_sentences(around) if written in s), written)
            # Without a name, a number after another address belongs to that one.
            shared = any(map(_has_address, page.lines[max(0, number - _REACH_LINES) : number]))
            near = _card(page.lines, number, own, across_blanks=False) if shared and not people_in(card) else card
            phone = _phone(near, page, country)
            yield Sighting(email, page, Origin.TEXT, quote, card, around, sentence, phone=phone)


def _code_lines(raw: Sequence[str]) -> set[int]:
    """The lines inside of fenced code."""
    fences = [n for n, line in enumerate(raw) if line.lstrip().startswith("```")]
    return {n for start, end in zip(fences[::2], fences[1::2], strict=False) for n in range(start, end)}


def _addresses_in(line: str, url: str) -> list[tuple[int, str, str]]:
    """Where in a line addresses begin, what they are, and how they are written."""
    found = [(m.start(), m[0].rstrip("."), m[0]) for m in _PLAIN.finditer(line)]
    found += [(m.start(), _deobfuscated(m), m[0]) for m in _OBFUSCATED.finditer(line)]
    spelled = ((m.start(), _deobfuscated(m), m[0]) for m in _SPELLED.finditer(line))
    found += [(at, email, written) for at, email, written in spelled if same_site(email.rpartition("@")[2], url)]
    return sorted(found)


def _phone(card: tuple[str, ...], page: ReadPage, country: str) -> str:
    """The number below the card's last name: what stands above it is the person's before. Links say it best."""
    last = max((n for n, line in enumerate(card) if people_in((line,))), default=0)
    text = "\n".join(card[last:])
    links = page.page.structured.phone_links
    linked = (phone_in(link.address, country) for link in links if link.label and link.label in text)
    return next(linked, "") or phone_in(text, country)


def _deobfuscated(match: re.Match[str]) -> str:
    local, host = (_ANY_DOT.sub(".", match[name]) for name in ("local", "host"))
    return f"{local}@{host}"


def _card(lines: Sequence[str], number: int, own: str | None = None, *, across_blanks: bool = True) -> tuple[str, ...]:
    """The lines that belong to the address in line ``number``: up to the neighbours' addresses, not further."""
    before: list[str] = []
    for line in reversed(lines[:number]):
        if _has_address(line) or len(before) == _CARD_LINES_BEFORE or not (line or across_blanks):
            break
        if line:
            before.insert(0, line)
    after: list[str] = []
    fresh = True
    for line in lines[number + 1 : number + 1 + _REACH_LINES]:
        fresh = fresh and bool(line)
        # A blank line ends the card downwards: what follows is the next person's, but for a line that is a number.
        if _has_address(line) or len(after) == _CARD_LINES_AFTER or not (fresh or not line or _is_number(line)):
            break
        if line:
            after.append(line)
    return (*before, lines[number] if own is None else own, *after)


def _is_number(line: str) -> bool:
    return len(line) <= _MAX_NUMBER_CHARS and sum(c.isdigit() for c in line) >= _MIN_NUMBER_DIGITS


def _has_address(line: str) -> bool:
    return "@" in line or _OBFUSCATED.search(line) is not None


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


def _contact(
    places: Sequence[Sighting], roster: Sequence[NameAndTitle], owner: Owner, country: str, language: str
) -> FoundContact:
    local = places[0].email.rpartition("@")[0]
    ordered = sorted(places, key=lambda place: place.origin)
    person, source = NOBODY, ordered[0]
    if not is_generic(local):
        for place in ordered:
            person = place.person if place.person.name else _person_in(place.card, local, owner)
            if not person.name:
                person = named_in_prose(place.around, local)
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


def _person_in(card: tuple[str, ...], local: str, owner: Owner) -> NameAndTitle:
    """Whom a card shows: the name that the address is made of, else its only name, with a title, if that may be it."""
    people = [*people_in(card), inverted_in(card, local)]
    for person in reversed(people):  # the nearest name is the last one before the address
        if belongs_to(local, person.name):
            return person
    # "first.last" that fits no name here is somebody else's.
    if len({p.name for p in people} - {""}) != 1 or not people[0].title or names_a_person(local):
        return NOBODY
    """Whom a card shows: whose name the address is made of, else the only one with a title, if it may be theirs."""
    fits = may_be_short_for(local, people[0].name) or owner.is_called(local)
    return people[0] if fits else NOBODY


def _from_roster(person: NameAndTitle, local: str, roster: Sequence[NameAndTitle]) -> NameAndTitle:
    """Name and title from elsewhere on the site, if exactly one person there fits the address."""
    fitting = {known.name.casefold(): known for known in roster if known.title and belongs_to(local, known.name)}
    if person.name:
        return fitting.get(person.name.casefold(), person)
    return next(iter(fitting.values())) if len(fitting) == 1 else person
