"""Microdata (WHATWG HTML, section 5) as the same nodes that JSON-LD gives. Pure.

extruct reads more formats and brings a dozen packages with it; sites state their people in this one.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from bs4 import BeautifulSoup, Tag
from pydantic import JsonValue

_MAX_ITEMS = 200
_MAX_PROPERTIES = 100
_MAX_TEXT_CHARS = 400
_ATTRIBUTE_OF = {
    "meta": "content", "a": "href", "link": "href", "area": "href", "time": "datetime", "data": "value", "img": "src",
}  # fmt: skip


def read_microdata(soup: BeautifulSoup) -> Iterator[dict[str, JsonValue]]:
    """Every item that is no other item's property, in document order."""
    for tag in soup.find_all(_is_item, limit=_MAX_ITEMS):
        yield _item(tag)


def _is_item(tag: Tag) -> bool:
    return tag.has_attr("itemscope") and not tag.has_attr("itemprop")


def _item(tag: Tag) -> dict[str, JsonValue]:
    node: dict[str, JsonValue] = {"@type": str(tag.get("itemtype", "")).split(" ")[0].rstrip("/").rpartition("/")[2]}
    for inner in islice(_properties(tag), _MAX_PROPERTIES):
        value: JsonValue = _item(inner) if inner.has_attr("itemscope") else _value(inner)
        for name in str(inner["itemprop"]).split():
            known = node.get(name)
            # A property that comes again is a list, as it would be in JSON-LD.
            node[name] = value if known is None else [*known, value] if isinstance(known, list) else [known, value]
    return node


def _properties(tag: Tag) -> Iterator[Tag]:
    """The properties of the item ``tag``, but not those of items inside it."""
    for child in tag.children:
        if isinstance(child, Tag):
            if child.has_attr("itemprop"):
                yield child
            if not child.has_attr("itemscope"):
                yield from _properties(child)


def _value(tag: Tag) -> str:
    attribute = _ATTRIBUTE_OF.get(tag.name, "")
    text = str(tag[attribute]) if attribute and tag.has_attr(attribute) else tag.get_text(" ")
    return " ".join(text[: 2 * _MAX_TEXT_CHARS].split())[:_MAX_TEXT_CHARS]
