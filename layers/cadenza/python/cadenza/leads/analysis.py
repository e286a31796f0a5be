"""Pages in, a report and contacts out: by rule, or by a model whose every word is checked by the same guards."""

from __future__ import annotations

import html
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from cadenza.contacts.model import ContactKind, FoundContact
from cadenza.core.ai import AiUsage, Model, as_data, load_prompt
from cadenza.leads.claims import MOST_A_TOPIC, claims_by_rule, is_organisation, tone_of
from cadenza.leads.evidence import Corpus, ReadPage, nameable, quotable, squash, verified
from cadenza.leads.extract import Extraction, extract_contacts
from cadenza.leads.language import detect_language
from cadenza.leads.model import Page
from cadenza.leads.people import (
    GENERIC_RANK,
    belongs_to,
    is_generic,
    is_name,
    is_title,
    role_rank,
    split_name,
    unaccented,
)
from cadenza.leads.places import country_of
from cadenza.leads.report import Analysis, AnalysisStats, Claim, SiteReport, Tone, Topic

OFFLINE_VERSION = "rules.v2"
AI_VERSION = "analyse.v2"
_MAX_PAGE_CHARS = 6_000
_MAX_CORPUS_CHARS = 40_000
_ORNAMENT = re.compile(r"[*_#`★☆✩⭐™®©]+|\s{2,}")


class _Analyst(NamedTuple):
    name: str
    version: str
    usage: AiUsage | None = None


_BY_RULE = _Analyst("offline", OFFLINE_VERSION)


def analyse_offline(domain: str, pages: Iterable[Page]) -> Analysis:
    """Analyse a site by rule: deterministic, without a model, from sentences that stand on its pages.

    ``domain`` is the lead's normalised one; pages of other sites, error pages and pages that give orders are set aside.
    """
    corpus = Corpus.read(domain, pages)
    basis = _basis(corpus)
    claims = tuple(claims_by_rule(corpus, basis.company_name))
    return _conclude(corpus, basis, claims, extract_contacts(corpus, basis.language, basis.company_name), _BY_RULE)


def analyse_with_ai(client: Model, domain: str, pages: Iterable[Page]) -> Analysis:
    """Analyse a site with a model. The model proposes; what it cannot prove from the pages is dropped and counted.

    Raises:
        AiBusy, AiRefused, AiInvalid, AiRejected: See `AiClient.ask`.
    """
    return analyse_corpus_with_ai(client, Corpus.read(domain, pages))


def analyse_corpus_with_ai(client: Model, corpus: Corpus) -> Analysis:
    """Analyse what was believed of a site with a model, which need not be wise: see `analyse_with_ai`.

    Addresses come from the pages by rule. The model may say whose they are, if name and title stand on a page; it can
    neither add an address nor hide one. A corpus without text is not sent anywhere.
    """
    basis = _basis(corpus)
    data = _excerpts(corpus)
    if not data:
        return _conclude(corpus, basis, (), extract_contacts(corpus, basis.language, basis.company_name), _BY_RULE)
    prompt = load_prompt("cadenza.leads", AI_VERSION)
    answer = client.ask(prompt, as_data("pages", data), AnalystAnswer)
    said = answer.value
    claims = tuple(Claim(topic=c.topic, text=c.text, page_url=c.page_url, quote=c.quote) for c in said.claims)
    basis = basis.model_copy(update={"tone": said.tone})
    found = _with_people(extract_contacts(corpus, basis.language, basis.company_name), said.people, corpus)
    return _conclude(corpus, basis, claims, found, _Analyst(client.model, prompt.version, answer.usage))


# --- what a model is asked for -----------------------------------------------------------------------------------


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class ProposedClaim(_Answer):
    """A claim as a model words it."""

    topic: Topic
    text: str = Field(description="One plain sentence in the language of the page, close to the quote.")
    page_url: str = Field(description="The url of the page that the quote stands on.")
    quote: str = Field(description="One sentence or heading of that page, copied character by character.")


class ProposedPerson(_Answer):
    """Whose address it is, as a model reads it."""

    email: str
    name: str
    title: str


class AnalystAnswer(_Answer):
    """What a model answers about a site."""

    tone: Tone
    claims: list[ProposedClaim]
    people: list[ProposedPerson]


def _excerpts(corpus: Corpus) -> list[JsonValue]:
    """The pages' text for a model, cut to size; the first pages weigh most, and every page gets its share."""
    excerpts: list[JsonValue] = []
    left = _MAX_CORPUS_CHARS
    for page in corpus.pages:
        text = "\n".join(line for line in (squash(page.page.structured.description), *page.lines) if line)
        text = text[: min(_MAX_PAGE_CHARS, left)]
        if text:
            left -= len(text)
            excerpts.append({"url": page.url, "title": squash(page.page.title), "text": text})
    return excerpts


def _with_people(found: Extraction, people: Sequence[ProposedPerson], corpus: Corpus) -> Extraction:
    """What the model says of the contacts, as far as the pages say so too. Invented addresses count as refused."""
    known = {contact.email.lower() for contact in found.contacts}
    said = {person.email.strip().lower(): person for person in people}
    contacts = [_named(contact, said.get(contact.email.lower()), corpus) for contact in found.contacts]
    contacts.sort(key=lambda contact: (contact.role_rank, not contact.name, contact.email))
    return Extraction(tuple(contacts), found.refused + len(said.keys() - known))


def _named(contact: FoundContact, person: ProposedPerson | None, corpus: Corpus) -> FoundContact:
    local = contact.email.rpartition("@")[0]
    if person is None or is_generic(local):
        return contact
    name, title = squash(person.name), squash(person.title)
    page = _page_with(corpus, name) if is_name(name) else None
    fits = name == contact.name or (not contact.name and belongs_to(local, name))
    if page is None or not fits:
        return contact
    title = title if is_title(title) and quotable(title) and page.holds(title) else contact.title
    first, last = split_name(name)
    return contact.model_copy(
        update={
            "kind": ContactKind.PERSON,
            "role_rank": min(role_rank(title), GENERIC_RANK),
            "name": name,
            "first_name": first,
            "last_name": last,
            "title": title,
        }
    )


def _page_with(corpus: Corpus, text: str) -> ReadPage | None:
    return next((page for page in corpus.pages if page.holds(text)), None)


# --- what both have in common ------------------------------------------------------------------------------------


def _basis(corpus: Corpus) -> SiteReport:
    """The report before its claims: what is read off the pages the same way, whoever analyses them."""
    return SiteReport(
        domain=corpus.domain,
        company_name=_company_name(corpus),
        language=_language(corpus),
        tone=tone_of(corpus),
        country=country_of(corpus),
    )


def _conclude(
    corpus: Corpus,
    basis: SiteReport,
    claims: Sequence[Claim],
    found: Extraction,
    by: _Analyst,
) -> Analysis:
    checked = verified(claims, corpus, basis.company_name)
    kept = tuple(c for topic in Topic for c in _first(checked.claims, topic, MOST_A_TOPIC))
    stats = AnalysisStats(
        pages_read=len(corpus.pages),
        pages_set_aside=len(corpus.set_aside),
        claims_proposed=len(claims),
        claims_kept=len(kept),
        claims_dropped=checked.dropped,
        drop_reasons=checked.drop_reasons,
        texts_replaced=checked.replaced,
        contacts_found=len(found.contacts),
        people_found=sum(contact.kind is ContactKind.PERSON for contact in found.contacts),
        contacts_dropped=found.refused,
    )
    report = basis.model_copy(update={"claims": kept})
    return Analysis(
        report=report, contacts=found.contacts, stats=stats, analyst=by.name, version=by.version, usage=by.usage
    )


def _first(claims: Sequence[Claim], topic: Topic, most: Mapping[Topic, int]) -> list[Claim]:
    return [claim for claim in claims if claim.topic is topic][: most[topic]]


def _language(corpus: Corpus) -> str:
    """The language that the text is in; where that cannot be told, what the first page declares."""
    told = detect_language(" ".join(page.visible for page in corpus.pages)[:_MAX_CORPUS_CHARS])
    return told or next((page.page.language for page in corpus.pages if page.page.language), "")


def _company_name(corpus: Corpus) -> str:
    """The company's name by its structured data, site name or titles; else the domain's first label, capitalised."""
    for candidate in _company_names(corpus):
        name = squash(_ORNAMENT.sub(" ", candidate))
        if nameable(name):
            return name
    return corpus.domain.partition(".")[0].replace("-", " ").title()


def _company_names(corpus: Corpus) -> Iterable[str]:
    nodes = [node for page in corpus.pages for node in page.page.structured.json_ld]
    for key in ("name", "legalName"):
        for node in nodes:
            value = node.get(key)
            if isinstance(value, str) and is_organisation(node):
                yield html.unescape(value)
    yield from (page.page.structured.site_name for page in corpus.pages)
    label = _squashed(corpus.domain.partition(".")[0])
    parts = [re.split(r"\s+[-–—|·:]\s+|:\s+", page.page.title) for page in corpus.pages]
    for part in (part for title in parts for part in title):
        # "Contact – Thornbury Joinery": the part that the domain is made of.
        if label and (whole := _squashed(part)) and (whole.startswith(label) or label.startswith(whole)):
            yield part
    # Else the part that most titles have in common.
    common = Counter(part.strip() for title in parts for part in set(title))
    yield from (part for part, pages in common.most_common(1) if 1 < pages > len(parts) / 2)


def _squashed(text: str) -> str:
    return re.sub(r"[^a-z0-9]", "", unaccented(text.casefold()))
