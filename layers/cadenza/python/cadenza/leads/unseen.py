"""Text that is on a page and not shown: nobody said it to a visitor, so nobody may be told that they said it.

Told by the markup itself: attributes, inline styles, and classes that the page's own ``<style>`` hides. External style
sheets are not read. What is hidden stays in the page's text, so that orders in it are noticed; it proves no claim.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

from bs4 import BeautifulSoup, Tag

_MOST = 400
_MAX_CHARS = 50_000
_DEPTH = 12
_MIN_CHARS = 8

HIDDEN_STYLE = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0?\.?0*(?![.\d])|"
    r"font-size\s*:\s*(?:0|[0-3](?:\.\d+)?px|0?\.[0-2]\d*r?em)(?![\d.])|"
    r"(?:left|right|top|text-indent|margin-left)\s*:\s*-\d{3,}|clip\s*:\s*rect\(\s*0|clip-path\s*:\s*inset\(\s*(?:50|100)%|"
    r"color\s*:\s*transparent|(?:max-)?(?:height|width)\s*:\s*0(?:px)?\s*(?:;|$)",
    re.IGNORECASE,
)
_PALE = re.compile(
    r"(?<![-\w])color\s*:\s*(?:white|snow|ivory|ghostwhite|#fff(?:fff)?\b|#f[a-f\d]f[a-f\d]f[a-f\d]\b|"
    r"rgba?\(\s*25\d\s*,\s*25\d\s*,\s*25\d)",
    re.IGNORECASE,
)
_BACKGROUND = re.compile(r"background(?:-color|-image)?\s*:", re.IGNORECASE)
_RULE = re.compile(r"\.([\w-]+)\s*\{([^{}]*)\}")


def unseen_texts(soup: BeautifulSoup) -> tuple[str, ...]:
    """The text of every outermost element that the markup hides, in document order, within bounds."""
    classes = frozenset(_hidden_classes(soup))
    inside: set[int] = set()
    texts: list[str] = []
    left = _MAX_CHARS
    for tag in soup.find_all(True):
        if left <= 0 or len(texts) == _MOST:
            break
        if id(tag.parent) in inside or _hides(tag, classes):
            known = id(tag.parent) in inside
            inside.add(id(tag))
            text = "" if known else " ".join(tag.get_text(" ").split())
            if len(text) >= _MIN_CHARS:
                texts.append(text[:left])
                left -= len(text)
    return tuple(texts)


def is_hidden(tag: Tag) -> bool:
    """Whether ``tag``, or what it stands in, says by itself that a browser shall not show it."""
    return any(_hides_itself(around) for around in (tag, *islice(tag.parents, _DEPTH)))


def _hides(tag: Tag, classes: frozenset[str]) -> bool:
    if tag.name in {"script", "style", "head", "html", "body"}:
        return False
    own = tag.get("class")
    named = classes.intersection(own if isinstance(own, list) else ())
    return _hides_itself(tag) or bool(named) or _pale(tag, str(tag.get("style", "")))


def _hides_itself(tag: Tag) -> bool:
    return tag.has_attr("hidden") or bool(HIDDEN_STYLE.search(str(tag.get("style", ""))))


def _pale(tag: Tag, style: str) -> bool:
    """White text, and no background of its own around it."""
    if not _PALE.search(style):
        return False
    around = (tag, *islice(tag.parents, _DEPTH))
    return not any(_BACKGROUND.search(str(parent.get("style", ""))) or parent.get("bgcolor") for parent in around)


def _hidden_classes(soup: BeautifulSoup) -> Iterator[str]:
    for sheet in soup.find_all("style"):
        # What stands behind the first @media may be hidden on some screens only.
        rules = sheet.get_text().partition("@media")[0]
        yield from (match[1] for match in _RULE.finditer(rules) if HIDDEN_STYLE.search(match[2]))
