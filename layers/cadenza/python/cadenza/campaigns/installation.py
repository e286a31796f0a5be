"""What the installation's owner does: reach the database above all walls, make workspaces with their first API keys."""

from __future__ import annotations

import json
import ssl
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError
from sqlalchemy import URL, Connection, insert

from cadenza.campaigns.keys import NewApiKey, make_key
from cadenza.core import aws
from cadenza.core.db import DRIVER, Database
from cadenza.core.errors import ConfigurationError
from cadenza.core.ids import SYSTEM_WORKSPACE, WorkspaceId, new_id
from cadenza.core.settings import MigrateSettings
from cadenza.core.states import Role
from cadenza.core.tables import automation_settings, workspaces

OWNER_PATIENCE_S = 120.0
"""At the first deployment the cluster may just have been born."""


# --- the owner's connection --------------------------------------------------------------------------------------


class _OwnerSecret(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    username: str
    password: str
    host: str
    port: int = 5432
    dbname: str = ""


@contextmanager
def owner(settings: MigrateSettings) -> Generator[Database]:
    """The database as its owner, who is above row-level security. Closed at the end.

    Raises:
        ConfigurationError: Neither DATABASE_URL nor DATABASE_SECRET_ARN is set, or the secret is not what RDS makes.
    """
    if settings.database_url:
        database = Database(settings.database_url)
    elif settings.database_secret_arn:
        secret = _owner_secret(settings.database_secret_arn)
        url = URL.create(
            DRIVER,
            username=secret.username,
            password=secret.password,
            host=secret.host,
            port=secret.port,
            database=secret.dbname or settings.database_name,
        )
        context = ssl.create_default_context(cafile=settings.database_ca_file or None)
        database = Database(url, connect_args={"ssl_context": context}, patience_s=OWNER_PATIENCE_S)
    else:
        raise ConfigurationError("set DATABASE_URL or DATABASE_SECRET_ARN")
    try:
        yield database
    finally:
        database.close()


def _owner_secret(arn: str) -> _OwnerSecret:
    value = aws.secretsmanager().get_secret_value(SecretId=arn)
    try:
        return _OwnerSecret.model_validate(json.loads(value["SecretString"]))
    except (ValidationError, ValueError):
        # "from None": the error of a malformed secret could quote it.
        raise ConfigurationError("DATABASE_SECRET_ARN holds no secret of an RDS user") from None


# --- workspaces and keys -----------------------------------------------------------------------------------------


class WantedWorkspace(BaseModel):
    """A workspace to make."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]


class WantedKey(NewApiKey):
    """An API key to make, by default of the installation's own workspace."""

    role: Role = Role.ADMIN
    workspace_id: WorkspaceId = SYSTEM_WORKSPACE


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """A workspace and its first key. The key is shown once: only its hash is stored."""

    workspace_id: WorkspaceId
    api_key: str = field(repr=False)


def create_workspace(conn: Connection, name: str, now: datetime) -> NewWorkspace:
    """Add a workspace with default settings and one admin key. For the owner."""
    workspace_id = WorkspaceId(new_id())
    conn.execute(insert(workspaces), {"id": workspace_id, "name": name, "created_at": now})
    conn.execute(insert(automation_settings), {"workspace_id": workspace_id, "updated_at": now})
    first = make_key(conn, workspace_id, NewApiKey(name="first key", role=Role.ADMIN), now)
    return NewWorkspace(workspace_id, first.key)
