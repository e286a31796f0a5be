"""The final grade of what people, or machines in their name, did: fixed when a signal is recorded, before it can act.

A grade is never changed later: nothing rewinds. A click that was taken for a person's stays one when the same visitor
is found in the honeypot a minute afterwards; what comes within seconds of delivery, which is when scanners are at work,
is therefore never taken for one. See `cadenza.signals.grading` for the clues.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from msgspec import Struct
from msgspec.json import Decoder, encode
from sqlalchemy import Connection, text

from cadenza.core.ids import EventId, MessageId
from cadenza.core.messages import OUT_OF_OFFICE, Grade, SignalKind, SignalReported
from cadenza.delivery.heard import Heard, Message, Messages
from cadenza.signals.grading import SAME_VISITOR, Grading, Surroundings, Visit, review, visit_of

_CLICKS_READ: Final = 100
"""Of one message at most: somebody who calls a link in a loop costs no more than that."""


def judge(conn: Connection, messages: Messages, heard: Sequence[Heard]) -> list[Heard]:
    """The same events with their final grades. One statement, if there is anything that history can tell more of."""
    absences_graded = [(event_id, _as_absence(signal)) for event_id, signal in heard]
    open_to_doubt = {signal.message_id for _, signal in heard if _is_open_to_doubt(signal)}
    if not open_to_doubt:
        return absences_graded
    around = _surroundings(conn, messages, heard, open_to_doubt)
    return [
        (event_id, _reviewed(event_id, signal, around[signal.message_id]) if _is_open_to_doubt(signal) else signal)
        for event_id, signal in absences_graded
    ]


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


def _is_open_to_doubt(signal: SignalReported) -> bool:
    return signal.kind in (SignalKind.OPENED, SignalKind.CLICKED) and signal.grade is not Grade.MACHINE


def _visit(signal: SignalReported) -> Visit:
    return visit_of(signal.occurred_at, signal.grade_reasons, signal.payload)


class _Around:
    """What surrounds the events of one message; each event sees all clicks but its own."""

    def __init__(self, message: Message) -> None:
        self.message = message
        self.scan_window = timedelta()
        self.delivered: list[datetime] = []
        self.clicks: dict[EventId, Visit] = {}

    def of(self, event_id: EventId) -> Surroundings:
        clicks = tuple(visit for other, visit in self.clicks.items() if other != event_id)
        arrived_at = min(self.delivered, default=self.message.handed_over_at)
        return Surroundings(arrived_at, clicks, self.scan_window)


def _reviewed(event_id: EventId, signal: SignalReported, around: _Around) -> SignalReported:
    first = Grading(signal.grade, signal.grade_reasons)
    surroundings = around.of(event_id)
    visit = _visit(signal) if surroundings.clicks else Visit(signal.occurred_at)  # nobody there to compare it with
    found = review(first, visit, surroundings)
    if found == first:
        return signal
    return signal.model_copy(update={"grade": found.grade, "grade_reasons": found.reasons})


def _surroundings(
    conn: Connection, messages: Messages, heard: Sequence[Heard], wanted: set[MessageId]
) -> dict[MessageId, _Around]:
    """What is recorded of the messages, and what the batch itself brings."""
    found = {message_id: _Around(messages[message_id]) for message_id in wanted}
    instants: defaultdict[MessageId, list[datetime]] = defaultdict(list)
    for event_id, signal in heard:
        if (around := found.get(signal.message_id)) is None:
            continue
        instants[signal.message_id].append(signal.occurred_at)
        if signal.kind is SignalKind.DELIVERED:
            around.delivered.append(signal.occurred_at)
        elif signal.kind is SignalKind.CLICKED:
            around.clicks[event_id] = _visit(signal)
    rows = [
        {
            "id": message_id,
            "workspace_id": messages[message_id].workspace_id,
            "since": min(own) - SAME_VISITOR,
            "until": max(own) + SAME_VISITOR,
        }
        for message_id, own in instants.items()
    ]
    for past in _PASTS.decode(conn.execute(_HISTORY, {"rows": encode(rows).decode()}).scalar_one()):
        around = found[past.id]
        around.scan_window = timedelta(seconds=past.scan_window_s)
        if past.delivered_at is not None:
            around.delivered.append(past.delivered_at)
        for event_id, at, reasons, payload in past.clicks:
            around.clicks[event_id] = visit_of(at, reasons, payload)
    return found


class _Past(Struct, frozen=True, gc=False):
    """What is recorded of one message."""

    id: MessageId
    scan_window_s: int
    delivered_at: datetime | None
    clicks: tuple[tuple[EventId, datetime, tuple[str, ...], dict[str, Any]], ...]


_PASTS: Final = Decoder(list[_Past])

_HISTORY = text(f"""
    SELECT CAST(coalesce(json_agg(json_build_object('id', r.id, 'scan_window_s', s.scan_window_s, 'delivered_at',
           (SELECT min(v.occurred_at) FROM message_events v
            WHERE v.message_id = r.id AND v.kind = '{SignalKind.DELIVERED}'), 'clicks',
           (SELECT coalesce(jsonb_agg(jsonb_build_array(c.id, c.occurred_at, c.grade_reasons, c.payload)), '[]')
            FROM (SELECT v.id, v.occurred_at, v.grade_reasons, v.payload FROM message_events v
                  WHERE v.message_id = r.id AND v.kind = '{SignalKind.CLICKED}'
                    AND v.occurred_at BETWEEN r.since AND r.until
                  ORDER BY v.occurred_at DESC LIMIT {_CLICKS_READ}) c))), '[]') AS text)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, workspace_id uuid, since timestamptz, until timestamptz)
    JOIN automation_settings s ON s.workspace_id = r.workspace_id
""")
