"""Which page of a site to read next: a deterministic priority queue of URLs. Pure."""

from __future__ import annotations

import heapq
import re
from collections import Counter
from itertools import count
from typing import Final
from urllib.parse import parse_qsl, unquote, urlencode, urlsplit, urlunsplit

# What a URL or a link text says about its page, best first: who works there, who they are, what they offer. English,
# German, Portuguese, Spanish, French, Italian, Dutch and Polish, without accents.
_TELLING: Final = (
    re.compile(
        r"\b(team|people|staff|leadership|management|founders?|contacts?|kontakt|mitarbeiter|ansprechpartner|equipa|equipe"
        r"|contactos?|contatos?|pessoas|equipo|contacto|squadra|contatti|persone|medewerkers|zespol|ludzie)\b"
    ),
    re.compile(
        r"\b(about|about us|company|who we are|imprint|impressum|uber uns|ueber uns|unternehmen|sobre|quem somos"
        r"|empresa|nosotros|quienes somos|a propos|qui sommes nous|mentions legales|chi siamo|azienda|over ons|o nas"
        r"|o firmie)\b"
    ),
    re.compile(
        r"\b(services?|products?|solutions?|pricing|prices|customers?|references|cases?|industries|leistungen|produkte"
        r"|losungen|loesungen|preise|kunden|referenzen|servicos|produtos|solucoes|precos|clientes|servicios|productos"
        r"|soluciones|precios|tarifs|produits|clients|servizi|prodotti|prezzi|diensten|producten|prijzen|oferta|cennik)\b"
    ),
)
_DULL: Final = re.compile(
    r"\b(privacy|datenschutz|privacidade|cookies?|terms|agb|login|signin|register|cart|basket|checkout|account|search|tag"
    r"|tags|category|author|feed|archive|wp json|wp admin|print)\b"
)
_NOT_PAGES: Final = re.compile(
    r"\.(pdf|jpe?g|png|gif|webp|svg|ico|css|js|mjs|json|xml|rss|zip|gz|rar|7z|mp[34]|m4a|avi|mov|webm|woff2?|ttf|eot|docx?"
    r"|xlsx?|pptx?|odt|ics|vcf|exe|dmg|apk)$",
    re.IGNORECASE,
)
_TRACKING: Final = re.compile(r"^(utm_.*|fbclid|gclid|msclkid|mc_[ce]id|ref|sessionid|phpsessid|sid)$", re.IGNORECASE)
_ACCENTS: Final = str.maketrans("áàâãäåçéèêëíìîïñóòôõöúùûüłśżź", "aaaaaaceeeeiiiinooooouuuulszz")
_MAX_URL = 500
_COUNTED: Final = "#"
_MOST_A_SHAPE = 6


def url_key(url: str) -> str:
    """What all URLs of one page share: no scheme, ``www.``, port, trailing slash, fragment or tracking query."""
    parts = urlsplit(url)
    host = (parts.hostname or "").removeprefix("www.")
    query = urlencode([(k, v) for k, v in parse_qsl(parts.query, keep_blank_values=True) if not _TRACKING.match(k)])
    return urlunsplit(("", host, unquote(parts.path).rstrip("/"), query, ""))


def url_shape(url: str) -> str:
    """What the URLs of a calendar, an archive or a filter share: host, path with its numbers left out, query keys."""
    parts = urlsplit(url)
    keys = ",".join(sorted({key for key, _ in parse_qsl(parts.query, keep_blank_values=True)}))
    path = re.sub(r"\d+", _COUNTED, unquote(parts.path))
    return f"{(parts.hostname or '').removeprefix('www.')}{path}" + (f"?{keys}" if keys else "")


def may_be_page(url: str) -> bool:
    """Whether a URL is worth a request: http(s), no credentials, sane length, and not a file of another kind."""
    parts = urlsplit(url)
    return (
        parts.scheme in {"http", "https"}
        and "@" not in parts.netloc
        and len(url) <= _MAX_URL
        and not _NOT_PAGES.search(parts.path)
    )


def telling(url: str, text: str = "") -> int:
    """How soon a page is worth reading: 0 (people and contact) to 5 (privacy policy, search results)."""
    parts = urlsplit(url)
    words = re.sub(r"[\W_]+", " ", f"{unquote(parts.path)} {text}".lower().translate(_ACCENTS))
    if _DULL.search(words):
        return 5
    for rank, pattern in enumerate(_TELLING):
        if pattern.search(words):
            return rank
    return 4 if parts.query else 3


class Frontier:
    """URLs to visit, each at most once, by `telling`, then depth, then order of discovery."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, int, str]] = []
        self._seen: set[str] = set()
        self._shapes = Counter[str]()
        self._order = count()

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, url: str, *, depth: int, text: str = "") -> None:
        """Offer a URL found ``depth`` links away from the start.

        Known ones and what cannot be a page are dropped; so are those of a shape of which there are many already.
        """
        if may_be_page(url) and self.mark_seen(url) and self._is_varied(url):
            heapq.heappush(self._heap, (telling(url, text), depth, next(self._order), url))

    def _is_varied(self, url: str) -> bool:
        shape = url_shape(url)
        self._shapes[shape] += 1
        return self._shapes[shape] <= _MOST_A_SHAPE or not (_COUNTED in shape or "?" in shape)

    def mark_seen(self, url: str) -> bool:
        """Remember that ``url`` was visited or is waiting. True if that is news."""
        key = url_key(url)
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def pop(self) -> tuple[str, int]:
        """The best waiting URL and its depth."""
        _, depth, _, url = heapq.heappop(self._heap)
        return url, depth
