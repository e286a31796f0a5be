"""Sender identities that their own mail service refuses: they are paused, and their messages wait."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from cadenza.core.ids import SenderId
from cadenza.core.log import get_logger

EVENT: Final = "sender.refused"
"""The log line of a pause: an alarm counts it (infra/monitoring.py)."""


def pause(conn: Connection, refused: Mapping[SenderId, str], now: datetime) -> None:
    """Pause the senders, for these reasons. Zero rows: somebody has paused them before, and that reason stays."""
    if not refused:
        return
    rows = [{"id": str(sender_id), "reason": reason} for sender_id, reason in refused.items()]
    for sender_id in conn.execute(_PAUSE, {"rows": json.dumps(rows), "now": now}).scalars():
        get_logger().error(EVENT, sender_id=str(sender_id))


_PAUSE = text("""
    WITH wanted AS MATERIALIZED (
        SELECT s.id, r.reason
        FROM sender_identities s JOIN jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, reason text) USING (id)
        WHERE s.paused_at IS NULL ORDER BY s.id FOR NO KEY UPDATE OF s
    )
    UPDATE sender_identities s SET paused_at = :now, paused_reason = wanted.reason
    FROM wanted WHERE s.id = wanted.id RETURNING s.id
""")
