"""What a careful person would take from a sample site: the written truth that results are scored against."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

HERE = Path(__file__).resolve().parent
BLOCKS = {"sites": HERE / "sites", "held out": HERE / "held_out"}
"""The sites that the rules were tuned on, and those that were written afterwards."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TrueContact(_Frozen):
    """Somebody whom the site offers for contact. ``or_…`` are other readings that are as good."""

    email: str
    kind: Literal["person", "shared"]
    name: str = ""
    or_name: tuple[str, ...] = ()
    title: str = ""
    or_title: tuple[str, ...] = ()
    phone: str = ""


class Truth(_Frozen):
    """The truth about one site.

    ``must_not`` says why each address that also stands on the site may not be reported. ``facts`` are spans of the
    pages that a report should quote. ``catalogue`` is the number of generated pages.
    """

    language: str
    country: str
    company: str
    or_company: tuple[str, ...] = ()
    contacts: tuple[TrueContact, ...]
    must_not: dict[str, str] = Field(default_factory=dict)
    facts: tuple[str, ...] = ()
    catalogue: int = 0


def truths(folder: Path) -> dict[str, Truth]:
    """The truth of every site in ``folder``, by domain."""
    files = sorted(folder.glob("*/truth.json"))
    return {file.parent.name: Truth.model_validate_json(file.read_bytes()) for file in files}
