"""The migrated schema is the one that the code believes in."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, text
from sqlalchemy.engine import URL

from cadenza.core.tables import METADATA


def test_migrations_give_the_metadata(database_url: URL) -> None:
    """If it failed, queries would be written against columns or keys that production does not have."""
    engine = create_engine(database_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        difference = compare_metadata(context, METADATA)
    engine.dispose()
    assert difference == []


def test_every_table_with_a_workspace_has_its_walls(database_url: URL) -> None:
    """If it failed, a new table would show one workspace's rows to another (I9)."""
    engine = create_engine(database_url)
    with engine.connect() as connection:
        walls = connection.execute(
            text("""
                SELECT c.relname, c.relrowsecurity, array_agg(p.polname::text ORDER BY p.polname)
                FROM pg_class c LEFT JOIN pg_policy p ON p.polrelid = c.oid
                WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace GROUP BY 1, 2
            """)
        ).all()
    engine.dispose()
    found = {name: (secured, policies) for name, secured, policies in walls}
    tenant_tables = {name for name, table in METADATA.tables.items() if "workspace_id" in table.c} | {"workspaces"}
    assert {name: found[name] for name in tenant_tables} == dict.fromkeys(tenant_tables, (True, ["tenant", "worker"]))
