"""The offline planner's words, a set a language. Plain, short, and without a claim of their own.

Placeholders: ``{company}`` is the recipient's and ``{house}`` the sender's, ``{first}`` and ``{name}`` are the
recipient's, ``{quote}`` is a sentence of their site, ``{link}`` the sender's.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from cadenza.planning.phrases.germanic import DUTCH, ENGLISH, GERMAN
from cadenza.planning.phrases.model import Mail, Phrases
from cadenza.planning.phrases.romance import FRENCH, ITALIAN, PORTUGUESE, SPANISH

__all__ = ["PHRASES", "Mail", "Phrases"]

PHRASES: Final[Mapping[str, Phrases]] = MappingProxyType(
    {
        "en": ENGLISH,
        "de": GERMAN,
        "nl": DUTCH,
        "fr": FRENCH,
        "es": SPANISH,
        "pt": PORTUGUESE,
        "it": ITALIAN,
    }
)
