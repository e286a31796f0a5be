"""Addresses that a page hides from robots and shows to people: put back where people see them.

Nothing is guessed: an address is put where a browser would show it, from what the page itself says. Where the page
gives only its parts (``data-user``, ``data-domain``), the host must be the page's own site.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from bs4 import BeautifulSoup, Tag
from bs4.element import NavigableString

from cadenza.leads.domains import same_site
from cadenza.leads.unseen import HIDDEN_STYLE

_MOST = 200
"""Of anything on one page: a page that hides more addresses than this is no company's."""

_ADDRESS = re.compile(r"[\w.+%'-]{1,64}@[\w-]+(?:\.[\w-]+)+")
_HOST = re.compile(r"[\w-]+(?:\.[\w-]+)+")
_LOCAL = re.compile(r"[A-Za-z][\w.+-]{1,40}")
_MAX_TRAP_CHARS = 40


def reveal(soup: BeautifulSoup, url: str, source: str) -> None:
    """Put hidden addresses of the page at ``url`` into its tree, as text or ``mailto:`` links.

    ``source`` is the page's HTML: what does not occur there is not looked for in the tree, which takes longer.
    """
    source = source.lower()
    if "cfemail" in source or "email-protection" in source:
        _cloudflare(soup)
    if "data-" in source:
        _attributes(soup, url)
    if "<script" in source:
        _scripts(soup)
    if "@" in source or any(mark in source for mark in ("&#64;", "&#x40;", "&commat;")):
        _backwards(soup, url)
        _traps(soup)


def _traps(soup: BeautifulSoup) -> None:
    """``anna<span style="display:none">.x</span>@…``. Longer hidden text stays, to be judged."""
    for tag in soup.find_all(["span", "i", "b", "em", "small"], style=HIDDEN_STYLE, limit=_MOST):
        beside = "".join(
            str(text) for text in (tag.previous_sibling, tag.next_sibling) if type(text) is NavigableString
        )
        if "@" in beside and len(tag.get_text()) <= _MAX_TRAP_CHARS:
            tag.decompose()


def _show(tag: Tag, address: str) -> None:
    if tag.name == "a":
        tag["href"] = f"mailto:{address}"
    else:
        tag.string = address


# --- Cloudflare --------------------------------------------------------------------------------------------------


def _cloudflare(soup: BeautifulSoup) -> None:
    """Cloudflare's e-mail obfuscation: hexadecimal, each byte XORed with the first."""
    for tag in soup.find_all(_has_cfemail, limit=_MOST):
        if address := _decoded(str(tag["data-cfemail"])):
            _show(tag, address)
            tag.string = address
    for anchor in soup.find_all("a", href=re.compile(r"/cdn-cgi/l/email-protection#"), limit=_MOST):
        if address := _decoded(str(anchor["href"]).partition("#")[2]):
            _show(anchor, address)


def _has_cfemail(tag: Tag) -> bool:
    return tag.has_attr("data-cfemail")


def _decoded(text: str) -> str:
    try:
        key, *rest = bytes.fromhex(text)
    except ValueError:
        return ""
    address = bytes(byte ^ key for byte in rest).decode("utf-8", errors="replace").partition("?")[0]
    return address if _ADDRESS.fullmatch(address) else ""


# --- attributes --------------------------------------------------------------------------------------------------


def _attributes(soup: BeautifulSoup, url: str) -> None:
    """``data-email="…"``, and ``data-user="…" data-domain="…"`` that a script would join."""
    for tag in soup.find_all(_has_data, limit=_MOST * 10):
        values = {name: unquote(str(v)).strip() for name, v in tag.attrs.items() if name.startswith("data-")}
        whole = [v.removeprefix("mailto:") for v in values.values() if _ADDRESS.fullmatch(v.removeprefix("mailto:"))]
        if address := whole[0] if len(whole) == 1 else _joined_parts(values, url):
            _show(tag, address)


def _has_data(tag: Tag) -> bool:
    return any(name.startswith("data-") for name in tag.attrs)


def _joined_parts(values: Mapping[str, str], url: str) -> str:
    hosts = [v.lstrip("@") for v in values.values() if _HOST.fullmatch(v.lstrip("@")) and same_site(v.lstrip("@"), url)]
    locals_ = [v.rstrip("@") for v in values.values() if _LOCAL.fullmatch(v.rstrip("@")) and v.lstrip("@") not in hosts]
    return f"{locals_[0]}@{hosts[0]}" if len(hosts) == 1 and len(locals_) == 1 else ""


# --- scripts -----------------------------------------------------------------------------------------------------

_MAX_SCRIPT_CHARS = 5_000
_WRITES = re.compile(r"document\s*\.\s*write|innerHTML|textContent|\.href|insertAdjacent")
_TOKEN = re.compile(r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|[A-Za-z_$][\w$]*|\+(?!\+)|=(?!=)|[^\s]")
_ESCAPE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))")


def _scripts(soup: BeautifulSoup) -> None:
    """Addresses that an inline script joins from strings and writes into the page."""
    for script in soup.find_all("script", src=False, limit=_MOST):
        code = script.get_text()
        if len(code) > _MAX_SCRIPT_CHARS or not _WRITES.search(code):
            continue
        written = [html.unescape(text) for text in strings_of(code)]
        found = dict.fromkeys(address for text in written for address in _ADDRESS.findall(text))
        for address in found:
            link = soup.new_tag("a", href=f"mailto:{address}")
            link.string = address
            script.insert_before(link)


def strings_of(code: str) -> Iterator[str]:
    """The strings that JavaScript ``code`` makes of literals and variables that hold such strings, in order."""
    known: dict[str, str] = {}
    tokens = _TOKEN.findall(code)
    at = 0
    while at < len(tokens):
        assigned = at + 1 < len(tokens) and tokens[at + 1] == "=" and tokens[at][0] not in "\"'"
        start = at + 2 * assigned
        text, end = _expression(tokens, start, known)
        if text is not None:
            yield text
            if assigned:
                known[tokens[at]] = text
        at = max(end, at + 1)


def _expression(tokens: list[str], start: int, known: Mapping[str, str]) -> tuple[str | None, int]:
    """``"a" + b + "c"`` at ``start``, and where it ends; None where a part is not known."""
    text: str | None = ""
    at = start
    while at < len(tokens):
        part = _literal(tokens[at]) if tokens[at][0] in "\"'" else known.get(tokens[at])
        text = None if part is None or text is None else text + part
        at += 1
        if at >= len(tokens) or tokens[at] != "+":
            break
        at += 1
    return text, at


def _literal(token: str) -> str:
    return _ESCAPE.sub(lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else m[3], token[1:-1])


# --- direction ---------------------------------------------------------------------------------------------------


def _backwards(soup: BeautifulSoup, url: str) -> None:
    """Addresses written backwards and turned by a style sheet: known by their host, the page's own site."""
    for text in soup.find_all(string=_ADDRESS, limit=_MOST):
        if type(text) is NavigableString:
            turned = _ADDRESS.sub(lambda m: _forwards(m[0], url), str(text))
            if turned != text:
                text.replace_with(turned)


def _forwards(address: str, url: str) -> str:
    turned = address[::-1]
    ours = same_site(turned.rpartition("@")[2], url) and not same_site(address.rpartition("@")[2], url)
    return turned if ours else address
