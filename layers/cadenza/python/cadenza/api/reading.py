"""How the API reads: one statement a question, newest first, through row-level security.

Lists page by id: public ids are UUIDv7, so their order is that of creation, and a cursor is the last id shown.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

from pydantic import BaseModel
from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
)

from cadenza.api import models
from cadenza.api.models import Page
from cadenza.core.errors import NotFound

M = TypeVar("M", bound=BaseModel)
A = TypeVar("A", bound=models.Answer)
C = TypeVar("C", bound=ColumnElement[Any])
Condition = ColumnElement[bool]


@dataclass(frozen=True, slots=True)
class Slice:
    """Which part of a list: at most ``limit`` rows, older than ``cursor``."""

    limit: int
    cursor: UUID | None = None


def page_of(
    conn: Connection,
    answer: type[A],
    query: Select[Any],
    key: ColumnElement[UUID],
    part: Slice,
    *,
    oldest_first: bool = False,
) -> Page[A]:
    """One page of a list."""
    if part.cursor is not None:
        query = query.where(key > part.cursor if oldest_first else key < part.cursor)
    # One row more than shown says whether there is another page.
    ordered = query.order_by(key if oldest_first else key.desc())
    rows = conn.execute(ordered.limit(part.limit + 1)).mappings().all()
    items = tuple(answer.model_validate(dict(row)) for row in rows[: part.limit])
    return Page[A](items=items, next_cursor=rows[part.limit - 1]["id"] if len(rows) > part.limit else None)


def one_of(conn: Connection, answer: type[M], query: Select[Any], what: str, key: UUID, **more: object) -> M:
    """The one row that the query finds.

    Raises:
        NotFound: There is none.
    """
    row = conn.execute(query).mappings().first()
    if row is None:
        raise NotFound(what, key)
    return answer.model_validate({**row, **more})


def all_of(conn: Connection, answer: type[M], query: Select[Any]) -> tuple[M, ...]:
    """All rows that the query finds."""
    return tuple(answer.model_validate(dict(row)) for row in conn.execute(query).mappings())


def equal(wanted: Mapping[C, object]) -> list[Condition]:
    """Filters that the caller has given; None filters nothing."""
    return [column == value for column, value in wanted.items() if value is not None]
