"""Runs as the database's owner: migrates it, and makes workspaces.

``{}`` (or a deployment's trigger) migrates to the newest schema; ``{"create_workspace": {"name": "…"}}`` answers with a
new workspace's id and its API key, which is shown this once; ``{"create_key": {"name": "…"}}`` with a key of the
installation's own workspace (or of ``workspace_id``), with a ``role``.
"""

from __future__ import annotations

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from sqlalchemy import text

from cadenza.campaigns.installation import WantedKey, WantedWorkspace, create_workspace, owner
from cadenza.campaigns.keys import make_key
from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.log import get_logger
from cadenza.core.migrations import upgrade
from cadenza.core.settings import MigrateSettings, load

log = get_logger()


@log.inject_lambda_context(clear_state=True)
def handler(event: dict[str, Any] | None, context: LambdaContext) -> dict[str, str]:  # noqa: ARG001 - Lambda's signature
    """Do what the event asks for."""
    wanted = event or {}
    with owner(load(MigrateSettings)) as database:
        if (workspace := wanted.get("create_workspace")) is not None:
            return make_workspace(database, WantedWorkspace.model_validate(workspace))
        if (key := wanted.get("create_key")) is not None:
            return make_another_key(database, WantedKey.model_validate(key))
        return migrate(database)


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


def make_another_key(database: Database, wanted: WantedKey) -> dict[str, str]:
    """Make a key; it goes into no log."""
    with database.worker() as conn:
        made = make_key(conn, wanted.workspace_id, wanted, utc_now())
    log.info("key.created", workspace_id=str(wanted.workspace_id), role=wanted.role)
    return {"workspace_id": str(wanted.workspace_id), "api_key": made.key}
