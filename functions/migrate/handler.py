"""Runs as the database's owner: migrates it, and makes workspaces.

``{}`` (or a deployment's trigger) migrates to the newest schema; ``{"create_workspace": {"name": "…"}}`` answers with a
new workspace's id and its API key, which is shown this once.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from sqlalchemy import text

from cadenza.campaigns.installation import WantedWorkspace, create_workspace, owner
from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.log import get_logger
from cadenza.core.migrations import upgrade
from cadenza.core.settings import MigrateSettings, load

log = get_logger()


@log.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any] | None, context: LambdaContext) -> dict[str, str]:  # noqa: ARG001 - Lambda's signature
    """Do what the event asks for."""
    wanted = (event or {}).get("create_workspace")
    with owner(load(MigrateSettings)) as database:
        return migrate(database) if wanted is None else make_workspace(database, WantedWorkspace.model_validate(wanted))


def migrate(database: Database) -> dict[str, str]:
    """Bring the schema to its newest version; the version."""
    with database.worker() as conn:
        upgrade(conn)
        revision = str(conn.execute(text("SELECT version_num FROM alembic_version")).scalar_one())
    log.info("database.migrated", revision=revision)
    return {"revision": revision}


def make_workspace(database: Database, wanted: WantedWorkspace) -> dict[str, str]:
    """Make a workspace; its id and its key, which goes into no log."""
    with database.worker() as conn:
        made = create_workspace(conn, wanted.name, utc_now())
    log.info("workspace.created", workspace_id=str(made.workspace_id))
    return {"workspace_id": str(made.workspace_id), "api_key": made.api_key}
