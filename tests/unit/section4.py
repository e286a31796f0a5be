"""Section 4 of the design as text, and the register of which test holds which of its sentences."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

DESIGN = Path(__file__).parents[2] / "docs" / "design.md"
_HEADING = "## 4. The plan\n"

SAID: dict[str, set[str]] = {}
"""Quotations of the section, each with the names of the tests that prove it."""

Test = TypeVar("Test", bound=Callable[..., object])


def plain(text: str) -> str:
    """Text without markup and line breaks."""
    return re.sub(r"\s+", " ", re.sub(r"[*`]", "", text)).strip()


def section() -> list[tuple[str, str]]:
    """The section's paragraphs: the introduction, then each bullet; as (its bold key, its text without markup)."""
    text = DESIGN.read_text(encoding="utf-8").split(_HEADING)[1].split("\n## ")[0]
    found: list[tuple[str, str]] = []
    for paragraph in re.split(r"\n(?=- )|\n\n", text.strip()):
        key = re.match(r"- \*\*(.+?)\*\*", paragraph)
        found.append(
            (plain(key[1]).rstrip(":.") if key else plain(paragraph)[:40], plain(paragraph.removeprefix("- ")))
        )
    return found


def says(*quotations: str) -> Callable[[Test], Test]:
    """Mark a test as the proof of these sentences of the section, quoted without their markup."""

    def register(test: Test) -> Test:
        for quotation in quotations:
            SAID.setdefault(plain(quotation), set()).add(test.__name__)
        return test

    return register


def unproved(text: str) -> str:
    """What is left of a paragraph once everything that some test quotes is taken out: "" if all is proved."""
    for quotation in sorted(SAID, key=len, reverse=True):
        text = text.replace(quotation, " ")
    return re.sub(r"[\s.,:;()]+", " ", text).strip()
