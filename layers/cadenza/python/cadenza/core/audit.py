"""What operators did, and by which key: written in the transaction that does it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from uuid import UUID

from pydantic import JsonValue
from sqlalchemy import Connection, text

from cadenza.core.ids import WorkspaceId, new_id
from cadenza.core.states import AuditAct


def record(
    conn: Connection,
    workspace_id: WorkspaceId,
    act: AuditAct,
    now: datetime,
    *,
    key_id: UUID | None,
    subject_id: UUID | None = None,
    detail: Mapping[str, JsonValue] | None = None,
) -> None:
    """Keep that it was done. ``key_id`` None: the system did it. No personal data belongs into ``detail``."""
    conn.execute(
        text("""
            INSERT INTO audit_log (id, workspace_id, act, key_id, subject_id, detail, at)
            VALUES (:id, :workspace_id, :act, :key_id, :subject_id, CAST(:detail AS jsonb), :now)
        """),
        {
            "id": new_id(),
            "workspace_id": workspace_id,
            "act": act,
            "key_id": key_id,
            "subject_id": subject_id,
            "detail": json.dumps(detail or {}),
            "now": now,
        },
    )
