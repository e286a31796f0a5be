"""Which version of the schema the code was written for, told without Alembic, which takes long to import."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from sqlalchemy import Connection, text

_VERSIONS = Path(__file__).parent / "migrations" / "versions"


@cache
def wanted() -> str:
    """The newest migration that this code brings."""
    return max(path.name.partition("_")[0] for path in _VERSIONS.glob("[0-9]*"))


def found(conn: Connection) -> str:
    """The version that the database has."""
    return str(conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
