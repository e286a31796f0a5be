"""The API's small writes: suppressions and settings. What has rules of its own lives with its concept."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects.postgresql import insert

from cadenza.api.models import AutomationSettings, NewSuppression, Suppression
from cadenza.core.errors import NotFound
from cadenza.core.ids import WorkspaceId, new_id
from cadenza.core.tables import automation_settings, suppressions

OPERATOR = "api"
"""The source of what an operator suppressed by hand."""


def suppress(conn: Connection, workspace_id: WorkspaceId, new: NewSuppression, now: datetime) -> Suppression:
    """Add a suppression, or find it: an address is suppressed once, for its first reason."""
    row = {"id": new_id(), "workspace_id": workspace_id, **new.model_dump(), "source": OPERATOR, "created_at": now}
    conn.execute(insert(suppressions).values(row).on_conflict_do_nothing())
    query = select(suppressions).where(
        suppressions.c.workspace_id == workspace_id,
        suppressions.c.channel == new.channel,
        suppressions.c.address == new.address,
    )
    return Suppression.model_validate(dict(conn.execute(query).mappings().one()))


def unsuppress(conn: Connection, suppression_id: UUID) -> None:
    """Take a suppression back. Zero rows: this workspace has none with this id."""
    if not conn.execute(delete(suppressions).where(suppressions.c.id == suppression_id)).rowcount:
        raise NotFound("suppression", suppression_id)


def save_settings(conn: Connection, workspace_id: WorkspaceId, new: AutomationSettings, now: datetime) -> None:
    """Replace the workspace's settings. Its row was made with the workspace."""
    statement = update(automation_settings).where(automation_settings.c.workspace_id == workspace_id)
    conn.execute(statement.values(**new.model_dump(), updated_at=now))
