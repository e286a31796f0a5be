"""What the API reads of keys."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, select

from cadenza.api import key_models
from cadenza.api.models import Page
from cadenza.api.reading import Slice, one_of, page_of
from cadenza.core import tables

_KEYS, _WORKSPACES = tables.api_keys, tables.workspaces
_SHOWN = select(*(_KEYS.c[name] for name in key_models.ApiKey.model_fields))


def api_keys(conn: Connection, part: Slice, *, revoked: bool | None) -> Page[key_models.ApiKey]:
    """The workspace's keys."""
    query = _SHOWN if revoked is None else _SHOWN.where(_KEYS.c.revoked_at.is_not(None) == revoked)
    return page_of(conn, key_models.ApiKey, query, _KEYS.c.id, part)


def api_key(conn: Connection, key_id: UUID) -> key_models.ApiKey:
    """One key."""
    return one_of(conn, key_models.ApiKey, _SHOWN.where(_KEYS.c.id == key_id), "API key", key_id)


def workspace(conn: Connection, workspace_id: UUID) -> key_models.WorkspaceName:
    """The workspace."""
    query = select(_WORKSPACES).where(_WORKSPACES.c.id == workspace_id)
    return one_of(conn, key_models.WorkspaceName, query, "workspace", workspace_id)
