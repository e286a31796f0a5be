"""Which workspaces have fully automated campaigns that take people now."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Connection, text

from cadenza.core.ids import WorkspaceId
from cadenza.core.states import CampaignStatus, CampaignType
from cadenza.core.tables.base import literals

IS_TAKING: Final = f"""
    c.type = '{CampaignType.FULLY_AUTOMATED}'
    AND c.status IN ({literals(CampaignStatus.RUNNING, CampaignStatus.PAUSED)}) AND c.intake_closed_at IS NULL
"""
"""Whether the campaign ``c`` takes new contacts by itself, as far as its workspace's switch lets it."""

_TAKING = f"""
    FROM automation_settings s
    WHERE s.enabled AND EXISTS (SELECT FROM campaigns c WHERE c.workspace_id = s.workspace_id AND {IS_TAKING})
"""


def takes(conn: Connection, workspace_id: WorkspaceId) -> bool:
    """Whether somebody new may be taken by a campaign of the workspace."""
    query = text(f"SELECT EXISTS (SELECT {_TAKING} AND s.workspace_id = :id)")
    return bool(conn.execute(query, {"id": workspace_id}).scalar())


def taking_workspaces(conn: Connection) -> list[WorkspaceId]:
    """All of which `takes` is true."""
    return list(conn.execute(text(f"SELECT s.workspace_id {_TAKING} ORDER BY 1")).scalars())
