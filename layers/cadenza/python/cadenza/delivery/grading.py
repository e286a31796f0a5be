"""The final grade of what people, or machines in their name, did: fixed when a signal is recorded, before it can act.

A grade is never changed later: nothing rewinds. A click that was taken for a person's stays one when the same visitor
is found in the honeypot a minute afterwards; what comes within seconds of delivery, which is when scanners are at work,
is therefore never taken for one. See `cadenza.signals.grading` for the clues.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Decoder, encode
from msgspec.structs import replace
from sqlalchemy import Connection, text

from cadenza.core.ids import EventId, MessageId
from cadenza.core.messages import OUT_OF_OFFICE, Grade, SignalKind, SignalReported
from cadenza.delivery.heard import Heard, Message
from cadenza.signals.grading import SAME_VISITOR, Grading, Surroundings, Visit, review, visit_of

_CLICKS_READ: Final = 100
"""Of one message at most: somebody who calls a link in a loop costs no more than that."""


def judge(conn: Connection, heard: Sequence[Heard]) -> list[Heard]:
    """The same events with their final grades. One statement, if there are clicks to compare them with."""
    around = _surroundings(conn, heard)
    graded = [(one, _graded(one, around.get(one.message.id))) for one in heard]
    return [one if signal is one.signal else replace(one, signal=signal) for one, signal in graded]


def is_absence(signal: SignalReported) -> bool:
    """Whether the signal is an answer that only says that its person is away."""
    stated = signal.away_until is not None or OUT_OF_OFFICE in signal.grade_reasons
    return signal.kind is SignalKind.REPLIED and stated


def _as_absence(signal: SignalReported) -> SignalReported:
    """An absence note is a machine's, whoever reported it, and says until when in its reasons."""
    if not is_absence(signal):
        return signal
    reasons = signal.grade_reasons if OUT_OF_OFFICE in signal.grade_reasons else (*signal.grade_reasons, OUT_OF_OFFICE)
    if signal.away_until is not None:
        reasons = (*reasons, f"away until {signal.away_until}")
    return signal.model_copy(update={"grade": Grade.MACHINE, "grade_reasons": reasons})


def _graded(one: Heard, around: _Around | None) -> SignalReported:
    signal = one.signal
    if around is None or not _is_open_to_doubt(signal):
        return _as_absence(signal)
    first = Grading(signal.grade, signal.grade_reasons)
    surroundings = around.of(one.event_id)
    visit = _visit(signal) if surroundings.clicks else Visit(signal.occurred_at)  # nobody there to compare it with
    found = review(first, visit, surroundings)
    if found == first:
        return signal
    return signal.model_copy(update={"grade": found.grade, "grade_reasons": found.reasons})


def _is_open_to_doubt(signal: SignalReported) -> bool:
    return signal.kind in (SignalKind.OPENED, SignalKind.CLICKED) and signal.grade is not Grade.MACHINE


def _visit(signal: SignalReported) -> Visit:
    return visit_of(signal.occurred_at, signal.grade_reasons, signal.payload)


class _Around:
    """What surrounds the events of one message; each event sees all clicks but its own."""

    def __init__(self, message: Message) -> None:
        delivered = (event.occurred_at for event in message.events if event.kind is SignalKind.DELIVERED)
        self.arrived_at = min(delivered, default=None)
        self.handed_over_at = message.handed_over_at
        self.scan_window = timedelta(seconds=message.scan_window_s)
        self.clicks: dict[EventId, Visit] = {}
        self.instants: list[datetime] = []

    def hear(self, event_id: EventId, signal: SignalReported) -> None:
        """Take in an event of the batch."""
        self.instants.append(signal.occurred_at)
        if signal.kind is SignalKind.DELIVERED:
            self.arrived_at = min(signal.occurred_at, self.arrived_at or signal.occurred_at)
        elif signal.kind is SignalKind.CLICKED:
            self.clicks[event_id] = _visit(signal)

    def of(self, event_id: EventId) -> Surroundings:
        clicks = tuple(visit for other, visit in self.clicks.items() if other != event_id)
        return Surroundings(self.arrived_at or self.handed_over_at, clicks, self.scan_window)


def _surroundings(conn: Connection, heard: Sequence[Heard]) -> dict[MessageId, _Around]:
    """Of the messages that somebody opened or clicked: what is recorded, and what the batch itself brings."""
    doubted = {one.message.id: one.message for one in heard if _is_open_to_doubt(one.signal)}
    found = {message_id: _Around(message) for message_id, message in doubted.items()}
    for one in heard:
        if (around := found.get(one.message.id)) is not None:
            around.hear(one.event_id, one.signal)
    clicked = [
        {"id": message.id, "since": min(around.instants) - SAME_VISITOR, "until": max(around.instants) + SAME_VISITOR}
        for message, around in zip(doubted.values(), found.values(), strict=True)
        if any(event.kind is SignalKind.CLICKED for event in message.events)
    ]
    if clicked:
        for past in _PASTS.decode(conn.execute(_CLICKS, {"rows": encode(clicked).decode()}).scalar_one()):
            for event_id, at, reasons, payload in past.clicks:
                found[past.id].clicks[event_id] = visit_of(at, reasons, payload)
    return found


class _Past(Struct, frozen=True, gc=False):
    """The clicks that are recorded of one message."""

    id: MessageId
    clicks: tuple[tuple[EventId, datetime, tuple[str, ...], dict[str, Any]], ...]


_PASTS: Final = Decoder(list[_Past])

_CLICKS = text(f"""
    SELECT CAST(coalesce(json_agg(json_build_object('id', r.id, 'clicks',
           (SELECT coalesce(jsonb_agg(jsonb_build_array(c.id, c.occurred_at, c.grade_reasons, c.payload)), '[]')
            FROM (SELECT v.id, v.occurred_at, v.grade_reasons, v.payload FROM message_events v
                  WHERE v.message_id = r.id AND v.kind = '{SignalKind.CLICKED}'
                    AND v.occurred_at BETWEEN r.since AND r.until
                  ORDER BY v.occurred_at DESC LIMIT {_CLICKS_READ}) c))), '[]') AS text)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, since timestamptz, until timestamptz)
""")
