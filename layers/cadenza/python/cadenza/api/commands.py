"""The API's small write: settings. What has rules of its own lives with its concept."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, update

from cadenza.api.settings_models import AutomationSettings
from cadenza.core.ids import WorkspaceId
from cadenza.core.tables import automation_settings


def save_settings(conn: Connection, workspace_id: WorkspaceId, new: AutomationSettings, now: datetime) -> None:
    """Replace the workspace's settings. Its row was made with the workspace."""
    statement = update(automation_settings).where(automation_settings.c.workspace_id == workspace_id)
    conn.execute(statement.values(**new.model_dump(exclude={"enabled"}), updated_at=now))
