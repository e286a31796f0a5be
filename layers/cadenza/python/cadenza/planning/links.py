"""Ways out of a mail: links, addresses and numbers that nobody approved, however spelled; and text in disguise."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from cadenza.core.errors import InvalidInput
from cadenza.leads.domains import normalise
from cadenza.leads.evidence import imitations, visible

_ADDRESS = re.compile(
    r"[\w.+%-]+\s?(?:@|\[at\]|\(at\)|\{at\}|\s(?:at|arroba)\s(?=[\w-]+\s(?:dot|punkt|ponto|punto)\s))\s?"
    r"[\w-]+(?:(?:\.|\s?[\[({](?:dot|\.)[\])}]\s?|\s(?:dot|punkt|ponto|punto)\s)[\w-]+)+",
    re.IGNORECASE,
)
_HANDLE = re.compile(r"(?<![\w@.])@[A-Za-z_]\w{2,}")
_PHONE = re.compile(r"(?<![\w/.,])\+?\(?\d[\d\s()/.-]{5,}\d(?!\w)")
_PHONE_DIGITS = 7
_URL = re.compile(
    r"(?:\b(?:[a-z][a-z0-9+.-]*|h(?:xx|\*\*)ps?)\s?:\s?//|\bwww\s?\.|\b(?:mailto|tel|sms|data|javascript):|"
    r"(?<![\w:/])//(?=[\w-]+\.))\s?[^\s<>\"“”»]*",
    re.IGNORECASE,
)
_BARE_DOMAIN = re.compile(r"(?<![\w@./-])(?:[\w-]+\.)+[^\W\d_]{2,}(?:[/?:][^\s<>\"“”»]*)?")
# "evil [.] example", "evil(dot)example", "evil dot example/claim", "evil .example": no honest text is spaced like that.
_SPELLED = re.compile(
    r"\b[\w-]{2,}(?:\s?[\[({]\s?(?:\.|dot|punkt|ponto|punto|point)\s?[\])}]\s?|\sdot\s|\s\.\s?)[a-z]{2,}\b[^\s]*|"
    r"\b(?:\w\s){4,}\.\s(?:\w\s?){2,}",
    re.IGNORECASE,
)


def foreign_links(text: str, allowed: str, field: str = "body") -> list[str]:
    """The links in ``text``, with a scheme or without, other than exactly ``allowed``. Subjects carry none at all.

    The whole URL counts, not its host: a path or query nobody approved can be an open redirect or carry data out.
    Bare domain names count too, because mail programs turn them into links; and names that are spelled out, because
    people do.
    """
    if allowed and field == "body":
        text = re.sub(rf"{re.escape(allowed)}(?=[\s.,;:!?)\"”»]*(?:\s|$))", " ", text)
    urls = [match[0] for match in _URL.finditer(text)]
    text = _ADDRESS.sub(" ", _URL.sub(" ", text))
    bare = [match[0] for match in _BARE_DOMAIN.finditer(text) if _is_domain(match[0])]
    return [*urls, *bare, *(match[0].strip() for match in _SPELLED.finditer(_BARE_DOMAIN.sub(" ", text)))]


def without_links(text: str) -> str:
    """``text`` without its URLs."""
    return _URL.sub(" ", text)


def foreign_addresses(text: str, allowed: str) -> Iterator[tuple[str, str]]:
    """Mail addresses, handles and phone numbers in ``text``, and what each is. ``allowed`` is a link."""
    text = text.replace(allowed, " ") if allowed else text
    for pattern, what in ((_ADDRESS, "an address"), (_HANDLE, "a handle")):
        yield from ((match[0].strip(), what) for match in pattern.finditer(text))
        text = pattern.sub(" ", text)
    for match in _PHONE.finditer(text):
        if sum(c.isdecimal() for c in match[0]) >= _PHONE_DIGITS:
            yield match[0].strip(), "a phone number"


def _is_domain(text: str) -> bool:
    """Whether a mail program may link it: a name that could be a company's."""
    try:
        normalise(re.split(r"[/?:]", text)[0].rstrip("."))
    except InvalidInput:
        return False
    return True


# --- disguise ----------------------------------------------------------------------------------------------------

_LONG = re.compile(r"[A-Za-z0-9+/=_-]{16,}")
_MARKS_IN_A_ROW = re.compile(r"[\u0300-\u036f]{2,}")


def disguised(text: str) -> Iterator[str]:
    """What in ``text`` people do not see as machines do: hidden characters, imitated letters, encoded text."""
    hidden = sorted({c for c in text if c not in "\n\t\u00ad" and not visible(c)})
    yield from (f"U+{ord(c):04X}" for c in hidden)
    shown = "".join(c for c in text if visible(c) or c.isspace())
    yield from imitations(shown)
    yield from (match[0] for match in _MARKS_IN_A_ROW.finditer(unicodedata.normalize("NFC", shown)))
    for match in _LONG.finditer(_URL.sub(" ", shown)):
        token = match[0]
        kinds = sum(bool(re.search(kind, token)) for kind in (r"\d", r"[a-z][A-Z]", r"[+/=_]"))
        if kinds and not re.fullmatch(r"[\d-]+|[a-zA-Z]+(?:-[a-zA-Z]+)+", token):
            yield token
