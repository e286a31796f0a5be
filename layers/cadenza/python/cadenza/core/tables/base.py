"""The metadata, and the columns that every table writes the same way."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from sqlalchemy import TIMESTAMP, CheckConstraint, Column, ForeignKey, MetaData, Text, Uuid, text
from sqlalchemy.dialects.postgresql import JSONB

METADATA = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)
"""Constraint names are part of the contract: ``core.db`` turns them into typed errors."""


def public_id() -> Column[UUID]:
    """A UUIDv7 primary key, made by `cadenza.core.ids.new_id`."""
    return Column("id", Uuid, primary_key=True)


def workspace_id() -> Column[UUID]:
    """The tenant, by which row-level security holds rows apart."""
    return Column("workspace_id", Uuid, ForeignKey("workspaces.id"), nullable=False)


def reference(name: str, target: str, *, nullable: bool = False, cascade: bool = False) -> Column[UUID]:
    """A foreign key to ``target`` (``table.column``)."""
    return Column(name, Uuid, ForeignKey(target, ondelete="CASCADE" if cascade else None), nullable=nullable)


def instant(name: str, *, nullable: bool = False) -> Column[datetime]:
    """An aware instant."""
    return Column(name, TIMESTAMP(timezone=True), nullable=nullable)


def words(name: str, *, nullable: bool = False) -> Column[str]:
    """Text that is "" when there is none, unless absence means something (``nullable``)."""
    return Column(name, Text, nullable=nullable, server_default=None if nullable else text("''"))


def document(name: str, default: str = "{}", *, comment: str | None = None) -> Column[Any]:
    """A JSON document."""
    return Column(name, JSONB, nullable=False, server_default=text(f"'{default}'::jsonb"), comment=comment)


def state(name: str = "status") -> Column[str]:
    """A state; pair it with `one_of`."""
    return Column(name, Text, nullable=False)


def one_of(column: str, states: type[StrEnum]) -> CheckConstraint:
    """The database refuses what the enum does not know."""
    return CheckConstraint(f"{column} IN ({literals(*states)})", name=column)


def literals(*states: StrEnum) -> str:
    """The states as SQL literals, for predicates of partial indexes."""
    return ", ".join(f"'{state.value}'" for state in states)
