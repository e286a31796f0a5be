"""Taking one person out of text and JSON that is about more than them. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, cast

from pydantic import JsonValue

from cadenza.contacts.model import GONE

_AT: Final = r"\s*(?:@|[\[({]\s*(?:at|ät)\s*[\])}]|&#64;|%40)\s*"
_DOT: Final = r"\s*(?:\.|[\[({]\s*(?:dot|punkt)\s*[\])}])\s*"
_BETWEEN_DIGITS: Final = r"[\s().\-/\u2010-\u2015]*"
_COPY: Final = ("subject", "body", "html")


@dataclass(frozen=True, slots=True)
class Identity:
    """What a person is known by."""

    email: str = ""
    phone: str = ""
    name: str = ""
    first_name: str = ""
    last_name: str = ""


class Redaction:
    """Finds one person in text: the address, also spelled out; the number, however spaced; the whole name."""

    def __init__(self, who: Identity) -> None:
        self._pattern = _pattern(who)

    def text(self, value: str) -> str:
        """The text without the person."""
        return value if self._pattern is None else self._pattern.sub(GONE, value)

    def document(self, value: JsonValue) -> JsonValue:
        """The JSON without the person: in all texts, at any depth, keys too."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(key): self.document(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.document(item) for item in value]
        return value


def _pattern(who: Identity) -> re.Pattern[str] | None:
    parts: list[str] = []
    if who.email:
        local, _, domain = who.email.rpartition("@")
        host = _DOT.join(re.escape(label) for label in domain.split("."))
        parts.append(rf"(?<![\w.+-]){re.escape(local)}{_AT}{host}(?![\w-])")
    if digits := re.sub(r"\D", "", who.phone):
        spaced = _BETWEEN_DIGITS.join(digits)
        parts.append(rf"(?<!\d)(?:\+|00)?{spaced}(?!\d)")
    parts += (rf"(?<!\w){name}(?!\w)" for name in _names(who))
    return re.compile("|".join(parts), re.IGNORECASE) if parts else None


def _names(who: Identity) -> Iterable[str]:
    """Whole names only: a first or last name alone is a word that others bear too."""
    pairs = [who.name.split(), [*who.first_name.split(), *who.last_name.split()]]
    if who.first_name and who.last_name:
        pairs.append([f"{who.last_name},", who.first_name])
    return dict.fromkeys(r"\s+".join(re.escape(word) for word in words) for words in pairs if len(words) > 1)


def tombstone(plan: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A plan's structure without its copy: what remains replays every audit row of its enrolments (I5).

    Kept are ids, actions, channels, times and transitions; `GONE` stands for the copy; everything else is gone.
    """
    kept = {name: plan[name] for name in _PLAN if name in plan}
    nodes = cast("list[dict[str, JsonValue]]", plan["nodes"])
    kept["nodes"] = [_node(node) for node in nodes]
    return kept


_PLAN: Final = ("version", "timezone", "quietHours", "workingHours", "workingDays", "defaults", "startNodeId")
_NODE: Final = ("id", "action", "channel", "schedule", "transitions")


def _node(node: Mapping[str, JsonValue]) -> JsonValue:
    kept: dict[str, JsonValue] = {name: node[name] for name in _NODE if name in node}
    return kept | {name: GONE for name in _COPY if node.get(name)}
