"""Claims by rule: which sentences of a site say what its company does, for whom, what is new and how large it is.

Every claim is a sentence that stands on the page, so it needs no paraphrase and cannot be wrong about the site. The
rules know English, German, French, Spanish, Portuguese, Italian and Dutch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from pydantic import JsonValue

from cadenza.leads.evidence import Corpus, ReadPage, quotable, squash
from cadenza.leads.report import Claim, Tone, Topic

MOST_A_TOPIC = {Topic.SUMMARY: 1, Topic.AUDIENCE: 2, Topic.PRODUCT: 4, Topic.SIGNAL: 3, Topic.SIZE: 2}
_WORDS = (4, 45)
_MAX_PRODUCT_WORDS = 8
_LONG_CHARS = 200
_FEW_MARKS = 3
_NEAR = 60
_QUOTES = frozenset("\"“„«‘'")
_MIN_NAME_CHARS = 5

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”’)]*\s+(?=[\"“„¿¡(]?[A-ZÀ-ÞЀ-Я0-9])")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|z\.B|p\.ex|etc|approx|ca|Dr|Prof|Mr|Mrs|Ms|St|No|Nr|Sr|Sra|Eng|Inc|Ltd|Co|bzw|vgl|Str)|"
    r"\b[A-Z]|\b\d{1,2})\.$"  # "zum 1. August"
)

# Text that is on every site and says nothing about this company.
_BOILERPLATE = re.compile(
    r"cookie|javascript|copyright|all rights reserved|alle rechte|tous droits|derechos reservados|direitos reservados|"
    r"privacy|datenschutz|terms of|(?:our|unser\w*|notre|nuestro|nossa|nostra|onze|the) newsletter|"
    r"newsletter[- ]?(?:anmeld|sign)|subscribe|log ?in|sign (?:in|up)|password|your cart|warenkorb|"
    r"lorem ipsum|click here|read more|learn more|mehr erfahren|saiba mais|leer más|en savoir plus|page not found|404|"
    r"leggi tutto|scopri di più|lees meer|lees verder|fictional|fiktiv|erfunden|fictive|fict[ií]ci[ao]|"
    r"fittizi[ao]|verzonnen|"
    r"©|liability|haftung|verantwortlich",
    re.IGNORECASE,
)
_WE = re.compile(
    r"\b(?:we|our|us|ik|ich|(?-i:I)|wir|unser\w*|nous|notre|nos|nosotros|nuestr[oa]s?|noss[oa]s?|noi|nostr[oaie]|wij|"
    r"onze|ons|"
    # Verbs that say "we" by their ending.
    r"[a-zà-ÿ]{2,}(?:amos|emos|imos|ámos|iamo))\b",
    re.IGNORECASE,
)
_DOES = re.compile(
    r"\b(?:build|make|craft|design|develop|offer|provide|deliver|produce|manufactur|help|run|operate|supply|install|"
    r"repair|restor|bake|roast|grow|teach|advise|specialis|specializ|maintain|create|sell|rent|plan|is an?|are an?|"
    r"bauen|fertig|entwickel|bieten|liefern|beraten|helfen|herstell|produzier|betreib|planen|ist ein|sind ein|fabriqu|"
    r"concev|proposons|offrons|aidons|accompagn|réalis|constru|fabric|diseñ|ofrecemos|ayudamos|desarroll|constru[ií]|"
    r"fazemos|produz|desenvolv|oferece|ajudamos|projetamos|somos|elabora|cultiv|vend(?:emos|iamo)|instala|repara|"
    r"planea|"
    r"costrui|costruzion|produc|realizz|progett|offr|ripar|siamo|restaura|crée|créons|fabrique|ontwerp|maken|maakt|"
    r"lever|"
    r"onderhoud|bouw|verko|repareer|install|adviseer|helpen|care for|look after|looks after|process|print|clean|brew|"
    r"distribut|transport|train|fertigen|fertigt|bietet|liefert|plant|berät|wartet|repariert|verkauf)\w*",
    re.IGNORECASE,
)
_FOR = re.compile(
    r"\b(?:for|help(?:s|ing)?|serv(?:e|es|ing)|trusted by|used by|work(?:s|ing)? with|für|hilft|helfen|aidons|pour|"
    r"para|ayudamos|ajudamos|trabalhamos com|trabajamos con|voor|per)\b(?!\s+(?:that|this|it|more|further|example|"
    r"instance|"
    r"years|weitere|mehr|mais|más|plus)\b)",
    re.IGNORECASE,
)
_GROUPS = re.compile(
    r"\b(?:businesses|companies|teams|clients|customers|hotels?|restaurants?|caf[eé]s?|shops?|retailers?|hospitals?|"
    r"clinics?|schools?|homeowners|families|farms?|farmers|manufacturers?|startups?|developers|architects|landlords|"
    r"builders|studios|agencies|councils|unternehmen|betriebe|kunden|firmen|praxen|schulen|familien|architekten|"
    r"hersteller|entreprises|équipes|clients|écoles|familles|hôtels|empresas|equipos|clientes|hoteles|escuelas|"
    r"familias|equipas|equipes|hotéis|escolas|famílias|restaurantes|arquitetos|lojas|tiendas|distribuidores|communes|"
    r"architectes|particuliers|professionnels|aziende|imprese|negozi|famiglie|scuole|ristoranti|alberghi|hotel|clienti|"
    r"bedrijven|scholen|gemeenten|zorginstellingen|gezinnen|winkels|klanten|owners|operators|growers|dairies|makers|"
    r"breweries|bakeries|mills|plants|vereine|gemeinden|handwerker|händler|ferries|pets|horses|buyers)\b",
    re.IGNORECASE,
)
_SIGNAL = re.compile(
    r"\b(?:we(?:'|’| a)re hiring|join our team|open positions?|vacanc(?:y|ies)|we are looking for|wir suchen|"
    r"suchen wir|"
    r"stellenangebote?|offene stellen|nous recrutons|estamos a contratar|estamos contratando|vagas|buscamos|rais(?:ed|"
    r"es) .{0,20}(?:€|\$|£|million)|series [a-d]\b|seed round|(?:newly|just|recently) (?:opened|launched|moved)|"
    r"(?:opened|opening|opens) (?:a|an|our|its|in)\b|new (?:office|workshop|plant|site|showroom|location|branch)|"
    r"launch(?:ed|es|ing)\b|expand(?:ed|ing|s)\b|acquir(?:ed|es)\b|award|awarded|winner of|certifi(?:ed|cation)|"
    r"iso \d{4,5}|zertifizier\w*|ausgezeichnet|eröffn\w*|neuer? standort|abrimos|inaugur\w+|lançámos|prémio|"
    r"nueva sede|nuevo almacén|hemos (?:abierto|ampliado|inaugurado|estrenado)|premio|certificad\w+|"
    r"ouvert(?:ure)?|nouveau site|primé|certifié\w*|"
    r"nova (?:linha|loja|unidade)|abbiamo (?:aperto|inaugurato)|inaugurat[oa]|nuov[oa] (?:sede|reparto|"
    r"stabilimento|negozio)|"
    r"cerchiamo|assumiamo|certificat[oa]|nieuwe? (?:vestiging|locatie|werkplaats|winkel)|geopend|wij zoeken|vacatures?|"
    r"gecertificeerd|we(?:'|’)re hiring|we are hiring|we are recruiting|has won|have won|won an?\b|is now open)",
    re.IGNORECASE,
)
_SIZE = re.compile(
    r"\b\d[\d.,]*\+?\s*(?:\w+\s){0,2}?(?:employees|people|colleagues|staff|engineers|craftspeople|team members|"
    r"locations|offices|stores|customers|clients|mitarbeite\w+|beschäftigte|standorte|kunden|collaborateurs|salariés|"
    r"personnes|empleados|personas|clientes|colaboradores|pessoas|trabalhadores|trabajadores|"
    r"mitarbeitende\w*|persone|dipendenti|collaboratori|addetti|medewerkers|collega(?:'|’)?s|mensen)\b|\b(?:founded|"
    r"established|gegründet|"
    r"fondée?|fundad[oa]|fondat[ao]|opgericht)\b.{0,16}\b(?:1[89]|20)\d\d\b|\b(?:we|our|wir|unsere?|nous|notre|nossa|"
    r"nuestra|wij|onze|siamo)\b.{0,60}\b(?:since|seit|depuis|desde|sinds|dal)\b.{0,16}\b(?:1[89]|20)\d\d\b|"
    r"\bteam of (?:\d+|two|three|four|"
    r"five|six|seven|eight|nine|ten|twelve|fifteen|twenty)\b",
    re.IGNORECASE,
)
_OFFER_HEADING = re.compile(
    r"^(?:our |unsere |nos |nuestros? |nuestras? |os nossos |as nossas |nossos |nossas )?(?:products?|services?|"
    r"solutions?|what we (?:do|make|offer|build)|leistungen|produkte|angebot|lösungen|prestations|produits|servicios|"
    r"productos|soluciones|serviços|produtos|soluções|i nostri (?:prodotti|servizi)|prodotti|servizi|soluzioni|"
    r"onze (?:diensten|producten)|diensten|producten|savoir-faire|vins|vinos)\b",
    re.IGNORECASE,
)
# Headings that stand among the products and name none.
_ASIDE = re.compile(
    r"(?:what|why|how|who|when|where|our|contact|faq|was|warum|wie|wer|por que|porqué|cómo|como|pourquoi|comment)\b",
    re.IGNORECASE,
)
_FRIENDLY = re.compile(r"!|\b(?:hey|hi there|awesome|love|fun|du|dein|euch|tu|tú|você)\b", re.IGNORECASE)
_FORMAL = re.compile(
    r"\b(?:Sie|Ihnen|Ihre[nmrs]?|usted|ustedes|vous|V\. Exa|pursuant|clients|expertise|solutions|excellence|"
    r"committed to)\b"
)


# schema.org types by their endings: LocalBusiness, AutoRepairBusiness, NGO's Organization …
_ORGANISATIONS = ("Organization", "Corporation", "Business", "Store", "Service", "Restaurant")


@dataclass(frozen=True)
class Sentence:
    """One sentence and where it stands. ``weight`` says how much its page speaks for the company."""

    text: str
    page: ReadPage
    weight: int


def claims_by_rule(corpus: Corpus, company_name: str) -> Iterator[Claim]:
    """The best sentences of every topic; none is used for two topics."""
    sentences = list(_sentences(corpus))
    used: set[str] = set()
    for topic, candidates in (
        (Topic.SIGNAL, _matching(sentences, _SIGNAL)),
        (Topic.SIZE, [*_stated_size(corpus), *_matching(sentences, _SIZE)]),
        (Topic.SUMMARY, _summaries(corpus, sentences, company_name)),
        (Topic.AUDIENCE, _audiences(sentences, company_name)),
        (Topic.PRODUCT, _products(corpus)),
    ):
        fresh = [s for s in _distinct(candidates) if s.text.casefold() not in used][: MOST_A_TOPIC[topic]]
        used |= {s.text.casefold() for s in fresh}
        yield from (Claim(topic=topic, text=s.text, page_url=s.page.url, quote=s.text) for s in fresh)


def _distinct(sentences: Iterable[Sentence]) -> Iterator[Sentence]:
    seen: set[str] = set()
    for sentence in sentences:
        if sentence.text.casefold() not in seen and quotable(sentence.text):
            seen.add(sentence.text.casefold())
            yield sentence


def split_sentences(text: str) -> list[str]:
    """The sentences of a paragraph; common abbreviations do not end one."""
    parts: list[str] = []
    for part in _SENTENCE_END.split(text):
        if parts and _ABBREVIATION.search(parts[-1]):
            parts[-1] += f" {part}"
        else:
            parts.append(part)
    return [part.strip() for part in parts if part.strip()]


def _sentences(corpus: Corpus) -> Iterator[Sentence]:
    least, most = _WORDS
    for page in corpus.pages:
        weight = _weight(page)
        for text in (s for line in page.lines for s in split_sentences(line)):
            whole = text[-1] in ".!" and "@" not in text and least <= len(text.split()) <= most
            if whole and not _BOILERPLATE.search(text):
                yield Sentence(text, page, weight)


def _weight(page: ReadPage) -> int:
    path = urlsplit(page.url).path.lower().strip("/")
    if not path or re.fullmatch(r"[a-z]{2}(?:-[a-z]{2})?|index\.\w+", path):
        return 4
    if re.search(r"about|uber-uns|ueber-uns|sobre|quem-somos|quienes-somos|a-propos|company|unternehmen", path):
        return 4
    if re.search(r"product|service|leistung|produkt|solution|prestation|servicio|servico", path):
        return 3
    if re.search(r"blog|news|legal|imprint|impressum|terms|agb|privacy|datenschutz|cookie", path):
        return 0
    return 1


def _matching(sentences: Iterable[Sentence], pattern: re.Pattern[str]) -> list[Sentence]:
    found = [s for s in sentences if pattern.search(s.text)]
    return sorted(found, key=lambda s: (-s.weight, len(s.text)))


def _audiences(sentences: Iterable[Sentence], company_name: str) -> list[Sentence]:
    """Where the company itself says for whom it works: the group is named right after the "for"."""
    name = company_name.casefold()
    found = (s for s in _matching(sentences, _FOR) if _WE.search(s.text) or (name and name in s.text.casefold()))
    return [s for s in found if any(_GROUPS.search(s.text, m.end(), m.end() + _NEAR) for m in _FOR.finditer(s.text))]


def _summaries(corpus: Corpus, sentences: Iterable[Sentence], company_name: str) -> list[Sentence]:
    scored = [(_summary_score(s, company_name), -n, s) for n, s in enumerate(sentences)]
    scored += [(_summary_score(s, company_name) + 1, 1, s) for s in _descriptions(corpus)]
    return [s for score, _, s in sorted(scored, key=lambda x: x[:2], reverse=True) if score > 0]


def _summary_score(sentence: Sentence, company_name: str) -> int:
    text = sentence.text
    opens = text[:40].casefold()
    acts = _acts(text, company_name)
    speaks = acts or bool(_WE.search(opens)) or (bool(company_name) and company_name.casefold() in opens)
    if text[0] in _QUOTES or not (speaks and (acts or _DOES.search(text))) or _SIGNAL.search(text):
        return 0
    return sentence.weight + 3 * (acts or bool(_DOES.search(text[:60]))) - (text[-1] == "!") - (len(text) > _LONG_CHARS)


def _acts(text: str, company_name: str) -> bool:
    """Whether a sentence begins with the company's name, or its first word, and a verb: a word in lower case."""
    for name in (company_name, company_name.partition(" ")[0]):
        rest = text[len(name) :].lstrip(" ,") if len(name) >= _MIN_NAME_CHARS else ""
        if rest and text.startswith(name) and text[len(name)] == " " and re.match(r"[a-zà-ÿ]{2,}\s", rest):
            return True
    return False


def _descriptions(corpus: Corpus) -> Iterator[Sentence]:
    """What the site says of itself to machines: meta descriptions and JSON-LD organisations."""
    for page in corpus.pages:
        data = page.page.structured
        stated = [node.get("description") for node in data.json_ld if is_organisation(node)]
        for text in (data.description, *(text for text in stated if isinstance(text, str))):
            for sentence in split_sentences(squash(text))[:2]:
                if not _BOILERPLATE.search(sentence):
                    yield Sentence(sentence, page, _weight(page))


def is_organisation(node: Mapping[str, JsonValue]) -> bool:
    """Whether a schema.org node is a company: by its type, or because it has an address of its own and a telephone."""
    kind = node.get("@type")
    kinds = kind if isinstance(kind, list) else [kind]
    reachable = "address" in node and "telephone" in node and "Person" not in kinds
    return reachable or any(str(name).endswith(_ORGANISATIONS) for name in kinds)


def _stated_size(corpus: Corpus) -> Iterator[Sentence]:
    """Sentences first: JSON-LD's ``numberOfEmployees`` is a bare number and proves nothing that can be quoted."""
    for page in corpus.pages:
        text = squash(page.page.structured.description)
        yield from (Sentence(s, page, _weight(page)) for s in split_sentences(text) if _SIZE.search(s) and s[-1] == ".")


def _products(corpus: Corpus) -> Iterator[Sentence]:
    """What stands under a heading such as "What we make", and the names of JSON-LD products and services."""
    for page in sorted(corpus.pages, key=_weight, reverse=True):
        for node in page.page.structured.json_ld:
            name = node.get("name")
            if node.get("@type") in ("Product", "Service") and isinstance(name, str):
                yield Sentence(squash(name), page, _weight(page))
        yield from (Sentence(text, page, _weight(page)) for text in _offered(page))


def _offered(page: ReadPage) -> Iterator[str]:
    level = 0
    for raw, text in zip(page.page.markdown.splitlines(), page.lines, strict=True):
        heading = re.match(r"\s*(#{1,6})\s", raw)
        if heading and _OFFER_HEADING.match(text):
            level = len(heading[1])
        elif heading and len(heading[1]) <= level:
            level = 0
        elif level and (heading or re.match(r"\s*[-*+]\s", raw)):
            name = re.split(r"\s+[-–—]\s+|:\s", text)[0].rstrip(".")
            named = 1 <= len(name.split()) <= _MAX_PRODUCT_WORDS and not _ASIDE.match(name)
            if named and not _BOILERPLATE.search(name):
                yield name


def tone_of(corpus: Corpus) -> Tone:
    """How the site speaks, by its small words and exclamation marks; neutral unless one side clearly leads."""
    text = " ".join(page.visible for page in corpus.pages)
    friendly, formal = len(_FRIENDLY.findall(text)), len(_FORMAL.findall(text))
    if max(friendly, formal) < _FEW_MARKS or friendly == formal:
        return Tone.NEUTRAL
    return Tone.FRIENDLY if friendly > formal else Tone.FORMAL
