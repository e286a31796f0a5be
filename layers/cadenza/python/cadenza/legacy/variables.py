"""Placeholders of old templates as ours (`cadenza.delivery.variables`). Pure.

An old template is taken only if every placeholder in it means something here: a mail never leaves with a hole.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cadenza.legacy.reading import squashed
from cadenza.planning.compiler import SINGLE_BRACES

_OLD_NAMES: Final = {
    "first_name": "firstname fname first givenname vorname",
    "last_name": "lastname lname last surname familyname nachname",
    "full_name": "fullname contactname leadname",
    "name": "name",
    "email": "email emailaddress leademail",
    "title": "title jobtitle position role",
    "company": "company companyname organization organisation business businessname account",
    "domain": "domain companydomain",
    "website": "website url companywebsite site",
    "sender_name": "sendername fromname myname yourname senderfirstname",
    "sender_email": "senderemail fromemail",
    "sender_company": "sendercompany mycompany fromcompany",
    "unsubscribe_url": "unsubscribeurl unsubscribelink unsubscribe optouturl unsub",
}
_OURS: Final = {old: ours for ours, names in _OLD_NAMES.items() for old in names.split()}
_OWNERS: Final = r"(?:(?:lead|contact|recipient|person|user|prospect|merge)\.)?"

_SINGLE: Final = SINGLE_BRACES.pattern.replace("([A-Za-z_]", "(?P<single>[A-Za-z_]")
_PLACEHOLDER: Final = re.compile(
    r"\{\{\{(?P<triple>[^{}]*)\}\}\}|\{\{(?P<double>[^{}]*)\}\}|\[\[(?P<square>[\w .]+)\]\]|\*\|(?P<merge>\w+)\|\*"
    rf"|%(?P<percent>[A-Z]{{3,}}(?:_[A-Z]+)*)%|{_SINGLE}"
)
_FALLBACK: Final = r"(?:(?:\|\|?|\?\?)\s*(?:default\s*[:(]?)?\s*(?P<fallback>[^|()]*?)\)?\s*)?"
_INSIDE: Final = re.compile(rf"\s*{_OWNERS}(?P<name>(?:sender\.)?[A-Za-z_][\w ]*?)\s*{_FALLBACK}")
_TOLD: Final = 20
"""Holes that are told: more help nobody."""
_LONGEST: Final = 200
"""Of what stands between braces: more is no placeholder, and would take long to be found out."""
_LEFT: Final = re.compile(r"\{\{|\}\}|\{%|\{#")


@dataclass(frozen=True, slots=True)
class Hole:
    """A placeholder that nothing here fills: as it was written, and on which line."""

    written: str
    line: int


@dataclass(frozen=True, slots=True)
class Mapped:
    """A text with our placeholders. With ``holes`` it cannot be used."""

    text: str
    holes: tuple[Hole, ...]
    renamed: tuple[str, ...] = ()
    """What was written otherwise, as ``%FIRST_NAME% → first_name``."""


def mapped(text: str) -> Mapped:
    """An old text with our placeholders."""
    holes: list[Hole] = []
    renamed: dict[str, None] = {}

    def hole(found: re.Match[str]) -> str:
        if len(holes) < _TOLD:
            holes.append(Hole(found[0][:60], text.count("\n", 0, found.start()) + 1))
        return ""

    def ours(found: re.Match[str]) -> str:
        inner = next(group for group in found.groups() if group is not None)
        read = _INSIDE.fullmatch(inner) if len(inner) <= _LONGEST else None
        name = _OURS.get(squashed(read["name"])) if read is not None else None
        if read is None or name is None:
            return hole(found)
        fallback = (read["fallback"] or "").strip().strip("'\"`")
        if not re.fullmatch(r"[^'\\{}%]*", fallback):
            return hole(found)
        if found[0].strip("{} ") != name and len(renamed) < _TOLD:
            renamed[f"{found[0][:60]} → {name}"] = None
        return f"{{{{ {name} | default('{fallback}') }}}}" if fallback else f"{{{{ {name} }}}}"

    parts = list(_split(text, ours))
    # What looks like a placeholder, and was not written as one, would be printed or refused when it is due.
    left = next((found for part, is_ours in parts if not is_ours for found in _LEFT.finditer(part)), None)
    if left is not None:
        holes.append(Hole(left[0], text.count("\n", 0, text.find(left[0])) + 1))
    return Mapped("".join(part for part, _ in parts), tuple(holes), tuple(renamed))


def _split(text: str, ours: Callable[[re.Match[str]], str]) -> Iterator[tuple[str, bool]]:
    """The text in parts: what stands between placeholders, and the new placeholders."""
    end = 0
    for found in _PLACEHOLDER.finditer(text):
        yield text[end : found.start()], False
        yield ours(found), True
        end = found.end()
    yield text[end:], False
