"""Versions of what can be edited and of what is kept: ETag, If-Match and If-None-Match (RFC 9110, section 13).

What can be edited is one `Editable`. Its GET and its edits answer with the version; an edit works at the desk that
`Editable.at` gives it, whose transactions begin by locking the row and comparing its version with the one that the
caller has read. So of two edits of one version the second is refused, and no service knows of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Generic, TypeVar
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON
from aws_lambda_powertools.event_handler.openapi.params import Header
from pydantic import BaseModel
from sqlalchemy import Connection, Table, select

from cadenza.api.desk import Desk
from cadenza.core.errors import Overtaken

M = TypeVar("M", bound=BaseModel)

_LONGEST = 1000
_TAG_LENGTH = 32
"""128 bits in hex: nobody forges a version, and no two meet by chance."""

IfMatch = Annotated[
    str | None,
    Header(
        alias="if-match", max_length=_LONGEST, description="the `etag` of what was read: 412 if it has changed since"
    ),
]
IfNoneMatch = Annotated[
    str | None,
    Header(alias="if-none-match", description="the `etag` of what you have: 304 if it holds"),
]


def etag(text: str) -> str:
    """A strong tag of a text."""
    return f'"{sha256(text.encode()).hexdigest()[:_TAG_LENGTH]}"'


def named(tag: str) -> dict[str, str | list[str]]:
    """The header that says which version an answer shows; ``tag`` is without quotes."""
    return {"etag": f'"{tag}"'}


def versions(if_match: str | None) -> frozenset[str] | None:
    """The versions that ``If-Match`` names, without quotes; empty for any, None without the header.

    A weak tag keeps its mark, and so matches nothing (RFC 9110, section 13.1.1).
    """
    if if_match is None or if_match.strip() == "*":
        return None if if_match is None else frozenset()
    return frozenset(tag.strip().strip('"') for tag in if_match.split(","))


def kept(
    text: str, media_type: str, if_none_match: str | None, headers: Mapping[str, str] | None = None
) -> Response[str]:
    """A text that is worth keeping, or 304 for whoever has it (a weak comparison: RFC 9110, section 13.1.2)."""
    tag = etag(text)
    told: dict[str, str | list[str]] = {"etag": tag, "cache-control": "no-cache", **(headers or {})}
    had = {one.strip().removeprefix("W/") for one in (if_none_match or "").split(",")}
    if had & {tag, "*"}:
        return Response(HTTPStatus.NOT_MODIFIED, media_type, "", told)
    return Response(HTTPStatus.OK, media_type, text, told)


@dataclass(frozen=True, slots=True)
class Editable(Generic[M]):
    """Something that is edited: the row of ``table`` by its primary key, as ``show`` shows it.

    ``fields`` are what an edit can change, None for all: what changes by itself (counts, states) shall refuse nobody.
    """

    table: Table
    show: Callable[[Connection, UUID], M]
    fields: Collection[str] | None = field(default=None)

    def tag(self, shown: M) -> str:
        """The version of what is shown."""
        return etag(shown.model_dump_json(include=None if self.fields is None else set(self.fields)))

    def answer(self, shown: M, status: HTTPStatus = HTTPStatus.OK) -> Response[M]:
        """What is shown, with its version."""
        return Response(status, APPLICATION_JSON, shown, {"etag": self.tag(shown)})

    def read(self, desk: Desk, key: UUID) -> Response[M]:
        """What it is now, with its version.

        Raises:
            NotFound: There is none.
        """
        with desk.transaction() as conn:
            return self.answer(self.show(conn, key))

    def at(self, desk: Desk, key: UUID, if_match: str | None) -> Desk:
        """The desk at which an edit is carried out only if ``if_match`` names the version that there is, or is None.

        Every transaction there begins with the comparison, so an edit writes in its last one.

        Raises (once something is done there):
            NotFound: There is none.
            Overtaken: It has another version.
        """
        wanted = versions(if_match)
        if not wanted:  # none is named, or any
            return desk
        (identity,) = self.table.primary_key.columns

        def compare(conn: Connection) -> None:
            conn.execute(select(identity).where(identity == key).with_for_update(key_share=True))
            if self.tag(self.show(conn, key)).strip('"') not in wanted:
                raise Overtaken("it has changed since it was read: read it again")

        return replace(desk, office=replace(desk.office, database=desk.office.database.beginning_with(compare)))
