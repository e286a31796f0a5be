"""Which countries there are, and what a workspace asks for before it writes to their people."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from cadenza.core.states import ContactPolicy


@cache
def codes() -> frozenset[str]:
    """The two-letter codes of ISO 3166-1, as the IANA time zone database lists them (iso3166.tab)."""
    table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    return frozenset(line[:2] for line in table.splitlines() if line and not line.startswith("#"))


def known_country(code: str) -> str:
    """The code itself.

    Raises:
        ValueError: No country has it.
    """
    if code not in codes():
        raise ValueError("is no country's two-letter code (ISO 3166-1), such as DE")
    return code


def _known_ones(policies: Mapping[str, ContactPolicy]) -> Mapping[str, ContactPolicy]:
    for code in policies:
        if code not in codes():
            raise ValueError(f"{code} is no country's two-letter code (ISO 3166-1), such as DE")
    return policies


class CountryPolicy(BaseModel):
    """What is asked for by country. ``otherwise`` judges the countries that are not named, and people of none.

    Cold mail to companies is judged differently from country to country, so nothing is refused unless the workspace
    says so.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    countries: Annotated[Mapping[str, ContactPolicy], AfterValidator(_known_ones)] = {}
    otherwise: ContactPolicy = ContactPolicy.ALLOWED
