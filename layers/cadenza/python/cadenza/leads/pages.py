"""HTML and sitemaps to types: markdown for readers, and the structured data that markdown loses. Pure.

The same code reads what our crawler fetched and the raw HTML that Firecrawl returns, so the analysts see one shape.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from itertools import islice
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString
from markdownify import MarkdownConverter
from pydantic import JsonValue

from cadenza.core.errors import CadenzaError
from cadenza.leads.microdata import read_microdata
from cadenza.leads.model import LinkedAddress, Page, StructuredData
from cadenza.leads.revealed import reveal
from cadenza.leads.unseen import is_hidden, unseen_texts

_LXML: Any = import_module("lxml.etree")  # it has no types

MAX_MARKDOWN_CHARS = 100_000
MAX_LINKS = 2_000
_MAX_JSON_LD_CHARS = 200_000
_MAX_JSON_LD_NODES = 200
_MAX_ADDRESSES = 100
_MAX_TAGS = 60_000  # opening and closing; a heavy real page has some 20,000
_MAX_TEXT_CHARS = 400
_MAX_TEXT_NODES = 200
_MAX_CARD_DEPTH = 8
_MIN_PHRASE_WORDS = 3
_NOT_CONTENT = ("title", "script", "style", "noscript", "template", "svg", "iframe", "object", "nav", "select")
_BLOCKS = ("table", "p", "div", "ul", "ol", "h1", "h2", "h3", "h4")
_TABLE_PARTS = ("thead", "tbody", "tr", "td", "th")
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_META_CHARSET = re.compile(rb"<meta\s[^>]*?charset\s*=\s*[\"']?\s*([A-Za-z0-9_:.-]+)", re.IGNORECASE)
_META_WINDOW = 4096  # browsers look at the first 1024 bytes; some sites put their scripts first
_LONG_BLANK = re.compile(r"\s{100,}")
_MAIL_ADDRESS = re.compile(r"[^\s@,;:<>()\"]+@[^\s@,;:<>()\"]+\.[^\s@,;:<>()\"]+")


class UnreadablePage(CadenzaError):  # noqa: N818 - reads as what happened
    """HTML that no parser should be asked to finish: nested past any sane depth, or made of tags only."""


@dataclass(frozen=True)
class Link:
    """One ``<a href>``: its absolute URL without fragment, and its visible text."""

    url: str
    text: str


@dataclass(frozen=True)
class Document:
    """A parsed page: what is kept, and what only a crawler needs."""

    page: Page
    links: tuple[Link, ...]


def decode_html(body: bytes, http_charset: str = "") -> str:
    """The text of an HTML body. Never fails: what no candidate decodes becomes U+FFFD.

    A byte order mark wins; then UTF-8 wherever the bytes are valid UTF-8 with non-ASCII characters (a wrong label is
    common, such an accident is not); then the charset of the HTTP header, then that of ``<meta>``; then windows-1252,
    which browsers also use for a declared ISO-8859-1 (WHATWG Encoding Standard).
    """
    for bom, encoding in _BOMS:
        if body.startswith(bom):
            return body.decode(encoding, errors="replace")
    meta = _META_CHARSET.search(body, 0, _META_WINDOW)
    # ASCII bytes may still be ISO-2022-JP or UTF-16 text: there only the label can tell.
    for label in ("" if body.isascii() else "utf-8", http_charset, meta[1].decode("ascii") if meta else ""):
        try:
            name = codecs.lookup(label).name
            return body.decode("windows-1252" if name in {"iso8859-1", "ascii"} else name)
        except (LookupError, UnicodeDecodeError, ValueError):
            continue
    return body.decode("windows-1252", errors="replace")


def read_html(url: str, html: str, *, status_code: int = 200, markdown: str | None = None) -> Document:
    """Parse the HTML found at ``url``. ``markdown`` replaces our own conversion where a crawl service made one.

    Raises:
        UnreadablePage: The document is nested too deeply, or has too many tags.
    """
    if html.count("<") > _MAX_TAGS:
        raise UnreadablePage(f"the HTML of {url} has more than {_MAX_TAGS} tags")
    try:
        soup = BeautifulSoup(html, "lxml")
        base = _base_url(soup, url)
        reveal(soup, url, html)
        links = tuple(_links(soup, base))
        page = Page(
            url=url,
            title=_title(soup),
            language=_language(soup),
            status_code=status_code,
            structured=_structured(soup, html),
            # Last, because it prunes the tree.
            markdown=(_markdown(soup, base) if markdown is None else markdown)[:MAX_MARKDOWN_CHARS],
        )
    except RecursionError:
        raise UnreadablePage(f"the HTML of {url} is nested too deeply") from None
    return Document(page, links)


def read_sitemap(body: bytes) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The nested sitemaps and the page URLs of a sitemap or sitemap index (sitemaps.org); both empty for anything else.

    libxml2 reads no external entities here, and bounds depth and the expansion of internal ones: what is beyond its
    bounds, or no XML any more, ends the sitemap.
    """
    nested: list[str] = []
    urls: list[str] = []
    with suppress(_LXML.XMLSyntaxError):
        for _, loc in _LXML.iterparse(BytesIO(body), tag="{*}loc", recover=True, resolve_entities=False):
            parent = loc.getparent()
            inside = _LXML.QName(parent).localname if parent is not None else ""
            if url := "".join(loc.itertext()).strip():
                (nested if inside == "sitemap" else urls).append(url)
            loc.clear()
    return tuple(nested), tuple(urls)


def primary_language(tag: str) -> str:
    """The primary subtag of a language tag ("pt-BR" → "pt"), or "" for what is none."""
    primary = re.split(r"[-_]", tag.strip(), maxsplit=1)[0].lower()
    return primary if re.fullmatch(r"[a-z]{2,3}", primary) else ""


def _language(soup: BeautifulSoup) -> str:
    return primary_language(_attribute(soup.html, "lang"))


def _base_url(soup: BeautifulSoup, url: str) -> str:
    base = soup.find("base", href=True)
    return _absolute(url, _attribute(base, "href")) or url if isinstance(base, Tag) else url


def _absolute(base: str, href: str) -> str:
    """``href`` as an absolute http(s) URL without fragment, or "" if it is none."""
    try:
        absolute = urljoin(base, href.strip())
        parts = urlsplit(absolute)
        parts.port  # noqa: B018 - raises ValueError for a port that is none
    except ValueError:
        return ""
    return absolute.partition("#")[0] if parts.scheme in {"http", "https"} and parts.hostname else ""


def _links(soup: BeautifulSoup, base: str) -> Iterator[Link]:
    for anchor in soup.find_all("a", href=True, limit=MAX_LINKS):
        if url := _absolute(base, _attribute(anchor, "href")):
            yield Link(url, _inline_text(anchor))


def _title(soup: BeautifulSoup) -> str:
    for tag in (soup.title, soup.find("h1")):
        if isinstance(tag, Tag) and (text := _inline_text(tag)):
            return text
    return ""


def _structured(soup: BeautifulSoup, html: str) -> StructuredData:
    return StructuredData(
        description=_meta(soup, "description") or _meta(soup, "og:description"),
        site_name=_meta(soup, "og:site_name"),
        json_ld=(*_json_ld(soup), *(read_microdata(soup) if "itemscope" in html else ())),
        mail_links=_linked_addresses(soup, "mailto"),
        phone_links=_linked_addresses(soup, "tel"),
        unseen=unseen_texts(soup),
    )


def _meta(soup: BeautifulSoup, name: str) -> str:
    for attribute in ("name", "property"):
        tag = soup.find("meta", attrs={attribute: re.compile(f"^{re.escape(name)}$", re.IGNORECASE), "content": True})
        if isinstance(tag, Tag):
            return " ".join(_attribute(tag, "content").split())
    return ""


def _json_ld(soup: BeautifulSoup) -> Iterator[dict[str, JsonValue]]:
    """The nodes of every readable JSON-LD block, in document order; unreadable blocks are left out."""
    budget = _MAX_JSON_LD_NODES
    for script in soup.find_all("script", type=re.compile(r"^\s*application/ld\+json\b", re.IGNORECASE)):
        text = script.get_text()
        if len(text) > _MAX_JSON_LD_CHARS:
            continue
        try:
            # Some sites put raw line breaks into strings; strict=False takes them.
            block: JsonValue = json.loads(text.strip().removeprefix("<!--").removesuffix("-->"), strict=False)
        except ValueError:
            continue
        for node in _nodes(block):
            if budget == 0:
                return
            budget -= 1
            yield node


def _nodes(block: JsonValue) -> Iterator[dict[str, JsonValue]]:
    if isinstance(block, list):
        for item in block:
            yield from _nodes(item)
    elif isinstance(block, dict):
        graph = block.get("@graph")
        yield from _nodes(graph) if isinstance(graph, list) else (block,)


def _linked_addresses(soup: BeautifulSoup, scheme: str) -> tuple[LinkedAddress, ...]:
    """All ``scheme:`` links, one an address: the occurrence that stands in the richest card."""
    found: dict[str, LinkedAddress] = {}
    for anchor in soup.find_all("a", href=_of_scheme(scheme), limit=_MAX_ADDRESSES):
        addresses = () if is_hidden(anchor) else _addresses(anchor)
        label, nearby = (_inline_text(anchor), _nearby(anchor, scheme)) if addresses else ("", "")
        for address in addresses:
            known = found.get(address.lower())
            if known is None or len(nearby) > len(known.nearby):
                found[address.lower()] = LinkedAddress(address=address, label=label, nearby=nearby)
    return tuple(found.values())


def _of_scheme(scheme: str) -> re.Pattern[str]:
    return re.compile(rf"^\s*{scheme}:", re.IGNORECASE)


def _addresses(anchor: Tag) -> tuple[str, ...]:
    """The addresses of a ``mailto:`` (RFC 6068) or ``tel:`` (RFC 3966) link, without malformed ones."""
    scheme, _, rest = _attribute(anchor, "href").strip().partition(":")
    address = unquote(rest.partition("?")[0]).strip()
    if scheme.lower() == "mailto":
        written = (part.strip() for part in address.split(","))
        return tuple(part for part in written if _MAIL_ADDRESS.fullmatch(part))
    number = address.partition(";")[0]
    return (number,) if number else ()


def _nearby(anchor: Tag, scheme: str) -> str:
    """The text of the largest element around ``anchor`` that is still about this one address, a line a text run."""
    own = {address.lower() for address in _addresses(anchor)}
    text = ""
    for parent in islice(anchor.parents, _MAX_CARD_DEPTH):
        lines = _text_runs(parent)
        # Size first: only small elements are searched for other addresses.
        if lines is None or parent.name in {"body", "html", "main", "[document]"}:
            break
        others = (address.lower() for a in parent.find_all("a", href=_of_scheme(scheme)) for address in _addresses(a))
        if not own.issuperset(others):
            break
        text = "\n".join(lines)
    return text


def _text_runs(tag: Tag) -> list[str] | None:
    """The runs of text inside ``tag``; None for an element too large to be a card, a title or a link's text.

    Bounded by nodes as well as characters, so that markup made to be slow (wide, deep and empty) is not.
    """
    runs: list[str] = []
    chars = 0
    for n, node in enumerate(tag.descendants):
        if type(node) is NavigableString and (run := " ".join(node[: _MAX_TEXT_CHARS + 1].split())):
            chars += len(run)
            runs.append(run)
        if n > _MAX_TEXT_NODES or chars > _MAX_TEXT_CHARS:
            return None
    return runs


def _markdown(soup: BeautifulSoup, base: str) -> str:
    for tag in soup.find_all(_NOT_CONTENT):
        tag.decompose()
    _unfold_layout_tables(soup)
    for span in soup.find_all("span"):
        beside = span.next_sibling
        if isinstance(beside, Tag) and beside.name == "span" and _is_phrase(span) and _is_phrase(beside):
            span.append(soup.new_tag("br"))  # set apart by a style sheet only
    for anchor in soup.find_all("a", href=True):
        href = _attribute(anchor, "href")
        if _of_scheme("mailto").search(href) and is_hidden(anchor):
            del anchor["href"]  # its text is data to judge; it offers nothing to anybody
        else:
            anchor["href"] = _absolute(base, href) or href
    for text in soup.find_all(string=_LONG_BLANK):
        # Some of the converter's expressions take quadratic time over long runs of blanks.
        text.replace_with(_LONG_BLANK.sub(" ", text))
    converter = MarkdownConverter(
        heading_style="atx",
        bullets="-",
        wrap=True,
        wrap_width=None,
        strip=["img"],
        escape_asterisks=False,
        escape_underscores=False,
    )
    markdown = converter.convert_soup(soup.body or soup)
    return re.sub(r"\n{3,}", "\n\n", "\n".join(line.rstrip() for line in markdown.split("\n"))).strip()


def _unfold_layout_tables(soup: BeautifulSoup) -> None:
    """Tables that hold blocks are layout: as markdown all of one would be a single line."""
    layout = {id(table) for block in soup.find_all(_BLOCKS) if (table := block.find_parent("table")) is not None}
    for part in [part for part in soup.find_all(_TABLE_PARTS) if id(part.find_parent("table")) in layout]:
        part.name = "div"
    for table in [table for table in soup.find_all("table") if id(table) in layout]:
        table.name = "div"


def _is_phrase(tag: Tag) -> bool:
    return len(_inline_text(tag).split()) >= _MIN_PHRASE_WORDS


def _inline_text(tag: Tag) -> str:
    return " ".join(_text_runs(tag) or ())


def _attribute(tag: Tag | None, name: str) -> str:
    """An attribute's value; those that HTML defines as lists (``rel``) come as one string."""
    value = tag.get(name) if tag is not None else None
    return " ".join(value) if isinstance(value, list) else value or ""
