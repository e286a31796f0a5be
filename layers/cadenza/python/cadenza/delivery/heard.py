"""What a batch of signals brings: the messages that it is about, locked, and the events that are new to us."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.ids import ContactId, EnrolmentId, EventId, MessageId, WorkspaceId, made_at
from cadenza.core.messages import SignalReported
from cadenza.core.states import MessageStatus
from cadenza.core.tables.base import literals

UNSETTLED: Final = (MessageStatus.SENDING, MessageStatus.UNKNOWN)
"""Handed over, or about to be, and nobody has seen the call end."""

HANDED_OVER: Final = f"""
    (m.status IN ({literals(*UNSETTLED)}) OR (m.status = '{MessageStatus.QUEUED}' AND m.resends > 0))
"""
"""A message ``m`` that an event settles. One that waits for its second try counts: the event keeps it back."""


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it was when it was locked. ``handed_over_at`` is None for one that never was."""

    id: MessageId
    workspace_id: WorkspaceId
    enrolment_id: EnrolmentId
    contact_id: ContactId
    node: str
    visit: int
    status: MessageStatus
    to_address: str
    handed_over_at: datetime | None
    handed_over: bool
    """Whether a provider may have it, and nobody has seen the call end (`HANDED_OVER`)."""


Messages = Mapping[MessageId, Message]
Heard = tuple[EventId, SignalReported]
"""An event that is new to us, with the id that it will have."""


def lock_messages(conn: Connection, ids: Collection[MessageId]) -> dict[MessageId, Message]:
    """Lock the messages in id order; unknown ids are left out."""
    found: list[dict[str, Any]] = conn.execute(_LOCK, {"ids": sorted(ids)}).scalar_one()
    return {message.id: message for message in map(_message, found)}


_LOCK = text(f"""
    WITH own AS MATERIALIZED (
        SELECT m.id, m.workspace_id, m.enrolment_id, m.contact_id, m.node, m.visit, m.status, m.to_address, m.sent_at,
               m.attempt_id, {HANDED_OVER} AS handed_over
        FROM outbound_messages m WHERE m.id = ANY(:ids) ORDER BY m.id FOR UPDATE
    )
    SELECT coalesce(json_agg(own), '[]') FROM own
""")


def _message(row: dict[str, Any]) -> Message:
    status = MessageStatus(row["status"])
    handed_over_at = None if row["sent_at"] is None else datetime.fromisoformat(row["sent_at"])
    if handed_over_at is None and status in UNSETTLED and row["attempt_id"] is not None:
        handed_over_at = made_at(UUID(row["attempt_id"]))
    return Message(
        MessageId(UUID(row["id"])),
        WorkspaceId(UUID(row["workspace_id"])),
        EnrolmentId(UUID(row["enrolment_id"])),
        ContactId(UUID(row["contact_id"])),
        row["node"],
        row["visit"],
        status,
        row["to_address"],
        handed_over_at,
        row["handed_over"],
    )
