"""What a batch of signals brings: the messages that it is about, locked, and the events that are new to us."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from msgspec import Struct, json
from msgspec.structs import replace
from sqlalchemy import Connection, text

from cadenza.core.ids import ContactId, EnrolmentId, EventId, MessageId, WorkspaceId, made_at
from cadenza.core.messages import SignalReported
from cadenza.core.states import MessageStatus
from cadenza.core.tables.base import literals
from cadenza.engine.model import SeenEvent

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
    scan_window_s: int
    """How long after its arrival its workspace takes scanners to be at work."""
    events: tuple[SeenEvent, ...] = ()
    """What is recorded of it, in order of ``occurred_at``."""

    @property
    def handed_over_at(self) -> datetime | None:
        """When a provider got it, or may have got it; None if none has."""
        if self.sent_at is None and self.status in UNSETTLED and self.attempt_id is not None:
            return made_at(self.attempt_id)
        return self.sent_at


Messages = Mapping[MessageId, Message]


class Heard(Struct, frozen=True, gc=False):
    """An event that is new to us, with the id that it will have."""

    event_id: EventId
    signal: SignalReported
    message: Message


def listen(conn: Connection, signals: Sequence[SignalReported]) -> tuple[Messages, list[Heard]]:
    """Lock the messages that the signals are about; which of these are not recorded yet. Two statements.

    Unknown messages are left out, and so are their signals. Nobody else can be recording an event of a locked message:
    what is new here is new for good, and what is recorded of the messages is all there is.
    """
    locked = _lock(conn, {signal.message_id for signal in signals})
    unique: dict[tuple[str, str], SignalReported] = {}
    for signal in signals:
        if signal.message_id in locked:
            unique.setdefault((signal.provider, signal.provider_event_id), signal)
    if not unique:
        return locked, []
    news = _news(conn, locked, unique)
    messages = {**locked, **{past.id: replace(locked[past.id], events=past.events) for past in news.past}}
    told = list(unique.values())
    return messages, [_heard(event_id, told[place - 1], messages) for place, event_id in news.new]


def _heard(event_id: EventId, signal: SignalReported, messages: Messages) -> Heard:
    return Heard(event_id, signal, messages[signal.message_id])


def _lock(conn: Connection, ids: Collection[MessageId]) -> dict[MessageId, Message]:
    """Lock the messages in id order."""
    found = _MESSAGES.decode(conn.execute(_LOCK, {"ids": list(ids)}).scalar_one())
    return {message.id: message for message in found}


_MESSAGES: Final = json.Decoder(list[Message])

_LOCK = text(f"""
    WITH own AS MATERIALIZED (
        SELECT m.id, m.workspace_id, m.enrolment_id, m.contact_id, m.node, m.visit, m.status, m.to_address, m.sent_at,
               m.attempt_id, {HANDED_OVER} AS handed_over
        FROM outbound_messages m WHERE m.id = ANY(:ids) ORDER BY m.id FOR UPDATE
    )
    SELECT CAST(coalesce(json_agg(message), '[]') AS text)
    FROM (SELECT own.*, s.scan_window_s
          FROM own JOIN automation_settings s ON s.workspace_id = own.workspace_id) message
""")


class _Past(Struct, frozen=True, gc=False):
    """What is recorded of one message."""

    id: MessageId
    events: tuple[SeenEvent, ...]


class _News(Struct, frozen=True, gc=False):
    """By its place among the events asked for, the id that a new one will have; and what is not new."""

    new: tuple[tuple[int, EventId], ...]
    past: tuple[_Past, ...]


def _news(conn: Connection, messages: Messages, events: Iterable[tuple[str, str]]) -> _News:
    given = {"ids": list(messages), "keys": json.encode(list(events)).decode()}
    return _NEWS_READER.decode(conn.execute(_NEWS, given).scalar_one())


_NEWS_READER: Final = json.Decoder(_News)

# A statement of its own, after the lock: only a new snapshot shows what the lock's previous holder recorded.
_NEWS = text("""
    SELECT CAST(json_build_object('new', (
        SELECT coalesce(json_agg(json_build_array(k.place, nextval('message_events_id_seq')) ORDER BY k.place), '[]')
        FROM jsonb_array_elements(CAST(:keys AS jsonb)) WITH ORDINALITY AS k(key, place)
        WHERE NOT EXISTS (SELECT FROM message_events v
                          WHERE v.provider = k.key ->> 0 AND v.provider_event_id = k.key ->> 1)
    ), 'past', (
        SELECT coalesce(json_agg(p), '[]') FROM (
            SELECT v.message_id AS id,
                   json_agg(json_build_object('event_id', v.id, 'kind', v.kind, 'grade', v.grade, 'hard', v.hard,
                                              'occurred_at', v.occurred_at) ORDER BY v.occurred_at, v.id) AS events
            FROM message_events v WHERE v.message_id = ANY(:ids) GROUP BY v.message_id) p
    )) AS text)
""")
