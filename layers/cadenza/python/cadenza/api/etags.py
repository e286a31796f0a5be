"""How versions travel: ``ETag`` on what is read, ``If-Match`` on what replaces it."""

from __future__ import annotations

from typing import Annotated

from aws_lambda_powertools.event_handler.openapi.params import Header

IfMatch = Annotated[
    str | None, Header(alias="if-match", max_length=1000, description="the ETag of what was read; required")
]


def etag(tag: str) -> dict[str, str | list[str]]:
    """The header that names this version."""
    return {"etag": f'"{tag}"'}


def seen(if_match: str | None) -> frozenset[str] | None:
    """The versions that ``If-Match`` names, empty for any (RFC 9110 §13.1.1; a weak tag matches nothing)."""
    if if_match is None or if_match.strip() == "*":
        return None if if_match is None else frozenset()
    return frozenset(tag.strip().strip('"') for tag in if_match.split(","))
