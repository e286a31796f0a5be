"""What the installation's owner does: make workspaces and hand out their API keys."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from sqlalchemy import Connection, insert

from cadenza.core.ids import WorkspaceId, new_id
from cadenza.core.states import Role
from cadenza.core.tables import api_keys, automation_settings, workspaces

KEY_PREFIX = "cad_"
"""Makes a key that leaked into a log or a repository easy to find."""
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class NewWorkspace:
    """A workspace and its first key. The key is shown once: only its hash is stored."""

    workspace_id: WorkspaceId
    api_key: str = field(repr=False)


def create_workspace(conn: Connection, name: str, now: datetime) -> NewWorkspace:
    """Add a workspace with default settings and one admin key. Run as the owner, who is above row-level security."""
    workspace_id = WorkspaceId(new_id())
    conn.execute(insert(workspaces), {"id": workspace_id, "name": name, "created_at": now})
    conn.execute(insert(automation_settings), {"workspace_id": workspace_id, "updated_at": now})
    return NewWorkspace(workspace_id, create_key(conn, workspace_id, Role.ADMIN, "first key", now))


def create_key(conn: Connection, workspace_id: WorkspaceId, role: Role, name: str, now: datetime) -> str:
    """Add an API key and return it; it cannot be read again."""
    key = KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES)
    row = {"id": new_id(), "workspace_id": workspace_id, "name": name, "key_hash": key_hash(key), "role": role}
    conn.execute(insert(api_keys), row | {"created_at": now})
    return key


def key_hash(key: str) -> str:
    """SHA-256 of a key, in hex: how it is stored and looked up. 256 random bits need no salt and no slow hash."""
    return sha256(key.encode()).hexdigest()
