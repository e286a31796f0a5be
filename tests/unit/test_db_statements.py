"""What `cadenza.core.db` does to the driver changes what a statement costs, never what it says."""

from __future__ import annotations

from typing import Any

import pg8000.legacy
import pytest
from pg8000.dbapi import convert_paramstyle
from sqlalchemy import text

from cadenza.core.db import DRIVER, Database
from local.postgres import EmbeddedPostgres


@pytest.fixture(autouse=True)
def made() -> None:
    """A database object has been made, as in every process that uses one."""
    Database(f"{DRIVER}://cadenza@127.0.0.1/cadenza").close()


@pytest.mark.parametrize("style", ["format", "qmark", "named"])
def test_statements_come_out_as_the_driver_means_them(style: str):
    """Broken, a percent sign or a quoted one would become a parameter, and queries would fail or lie."""
    mark: dict[str, tuple[str, Any]] = {"format": ("%s", [1, 2]), "qmark": ("?", [1, 2]), "named": (":a", {"a": 1})}
    sign, parameters = mark[style]
    statement = f"SELECT {sign}, 'a%%b?:c', \"x%\", 5 {'%%' if style == 'format' else '%'} 3, {sign} -- %s ? :a"
    for _ in range(2):
        assert pg8000.legacy.convert_paramstyle(style, statement, parameters) == convert_paramstyle(
            style, statement, parameters
        )


def test_each_execution_has_its_own_parameters(postgres: EmbeddedPostgres):
    """Broken, the second message of a process would be judged by the values of the first."""
    database = Database(postgres.url("postgres"))
    with database.worker() as conn:
        assert [conn.execute(text("SELECT :a || '%'"), {"a": word}).scalar_one() for word in "xy"] == ["x%", "y%"]
    database.close()
