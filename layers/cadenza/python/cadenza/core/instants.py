"""Instants and days as callers write them: in text, as RFC 3339 has it, and never as a number."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AwareDatetime, BeforeValidator


def _written(value: object) -> object:
    # Pydantic would take a number for seconds, or milliseconds, since 1970: whichever looks likelier.
    text = value.strip() if isinstance(value, str) else value
    if isinstance(text, int | float) or (isinstance(text, str) and text.lstrip("+-").replace(".", "", 1).isdigit()):
        raise ValueError("write it as RFC 3339 has it, such as 2026-01-13T10:00:00Z or 2026-01-13")
    return value


Instant = Annotated[AwareDatetime, BeforeValidator(_written)]
Day = Annotated[date, BeforeValidator(_written)]
