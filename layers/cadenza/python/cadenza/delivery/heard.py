"""What a batch of signals brings: the messages that it is about, locked, and the events that are new to us."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct, json
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


class Message(Struct, frozen=True, gc=False):
    """A message as it was when it was locked. ``attempt_id`` is its latest claim's, which was made at that instant."""

    id: MessageId
    workspace_id: WorkspaceId
    enrolment_id: EnrolmentId
    contact_id: ContactId
    node: str
    visit: int
    status: MessageStatus
    to_address: str
    sent_at: datetime | None
    attempt_id: UUID | None
    handed_over: bool
    """Whether a provider may have it, and nobody has seen the call end (`HANDED_OVER`)."""

    @property
    def handed_over_at(self) -> datetime | None:
        """When a provider got it, or may have got it; None if none has."""
        if self.sent_at is None and self.status in UNSETTLED and self.attempt_id is not None:
            return made_at(self.attempt_id)
        return self.sent_at


Messages = Mapping[MessageId, Message]
Heard = tuple[EventId, SignalReported]
"""An event that is new to us, with the id that it will have."""


def lock_messages(conn: Connection, ids: Collection[MessageId]) -> dict[MessageId, Message]:
    """Lock the messages in id order; unknown ids are left out."""
    found = _MESSAGES.decode(conn.execute(_LOCK, {"ids": list(ids)}).scalar_one())
    return {message.id: message for message in found}


_MESSAGES: Final = json.Decoder(list[Message])

_LOCK = text(f"""
    WITH own AS MATERIALIZED (
        SELECT m.id, m.workspace_id, m.enrolment_id, m.contact_id, m.node, m.visit, m.status, m.to_address, m.sent_at,
               m.attempt_id, {HANDED_OVER} AS handed_over
        FROM outbound_messages m WHERE m.id = ANY(:ids) ORDER BY m.id FOR UPDATE
    )
    SELECT CAST(coalesce(json_agg(own), '[]') AS text) FROM own
""")
