"""What happened to one enrolment, and why: one story out of six tables, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue
from sqlalchemy import Connection, Row, text

from cadenza.campaigns.approval_store import decisions
from cadenza.core.ids import EnrolmentId
from cadenza.core.states import ActionKind, ActionOutcome, MessageStatus


class EntryKind(StrEnum):
    """What an entry tells. Those of one instant are told in this order: cause before effect."""

    ENROLLED = "enrolled"
    """The contact got a plan."""
    DECIDED = "decided"
    """Somebody changed, approved or rejected the draft, or it was released by others' approval."""
    SIGNAL = "signal"
    """A provider reported something of a message: opened, clicked, replied …"""
    DUE = "due"
    """The time of an action came."""
    DROPPED = "dropped"
    """An action was cancelled before its time, or found nothing to do."""
    NOT_SENT = "not_sent"
    """A message was skipped or failed, or nobody knows."""
    SENT = "sent"
    """A message was handed to its provider."""
    MOVED = "moved"
    """The enrolment entered a node."""
    PLANNED = "planned"
    """An action was scheduled; ``why`` explains its due time."""
    QUEUED = "queued"
    """A message was put in the outbox."""
    ENDED = "ended"
    """The enrolment ended."""
    AHEAD = "ahead"
    """A live action that is still to come, at its due time."""


SIGNALS_ALIKE: Final = 50
"""Signals of one kind and grade about one message that are told, the first ones: a mail is opened as often as somebody
likes."""

_RANK = {kind: rank for rank, kind in enumerate(EntryKind)}


class Entry(BaseModel):
    """One thing that happened, or is planned to.

    ``detail`` says what, in fields that depend on the kind; ``why`` has one reason a line, the first cause first.
    """

    model_config = ConfigDict(frozen=True)

    at: datetime
    kind: EntryKind
    node: str
    detail: dict[str, JsonValue]
    why: tuple[str, ...] = ()


def timeline(conn: Connection, enrolment_id: EnrolmentId) -> list[Entry]:
    """The enrolment's story, oldest first; empty if there is no such enrolment. One statement a table."""
    entries = [
        *_enrolled(conn, enrolment_id),
        *_decided(conn, enrolment_id),
        *_live_actions(conn, enrolment_id),
        *_finished_actions(conn, enrolment_id),
        *_messages(conn, enrolment_id),
        *_signals(conn, enrolment_id),
        *_moves(conn, enrolment_id),
    ]
    return sorted(entries, key=lambda entry: (entry.at, _RANK[entry.kind]))  # stable: ties keep their table's order


def _rows(conn: Connection, query: str, enrolment_id: EnrolmentId) -> Iterator[Row[tuple[object, ...]]]:
    yield from conn.execute(text(query), {"id": enrolment_id})


def _enrolled(conn: Connection, enrolment_id: EnrolmentId) -> Iterator[Entry]:
    query = """
        SELECT e.created_at, p.id, p.source FROM contact_campaigns e JOIN campaign_plans p ON p.id = e.plan_id
        WHERE e.id = :id
    """
    for row in _rows(conn, query, enrolment_id):
        detail: dict[str, JsonValue] = {"plan_id": str(row.id), "source": row.source}
        yield Entry(at=row.created_at, kind=EntryKind.ENROLLED, node="", detail=detail)


def _decided(conn: Connection, enrolment_id: EnrolmentId) -> Iterator[Entry]:
    for done in decisions(conn, enrolment_id):
        detail: dict[str, JsonValue] = {"act": done.act, "plan_id": str(done.plan_id)}
        if done.key_id is not None:
            detail["key_id"] = str(done.key_id)
        why = (done.reason,) if done.reason else ()
        yield Entry(at=done.at, kind=EntryKind.DECIDED, node="", detail=detail, why=why)


def _live_actions(conn: Connection, enrolment_id: EnrolmentId) -> Iterator[Entry]:
    query = """
        SELECT node, kind, event, due_at, why, created_at FROM scheduled_actions WHERE enrolment_id = :id ORDER BY id
    """
    for row in _rows(conn, query, enrolment_id):
        yield _planned(row)
        yield Entry(at=row.due_at, kind=EntryKind.AHEAD, node=row.node, detail=_action(row))


def _finished_actions(conn: Connection, enrolment_id: EnrolmentId) -> Iterator[Entry]:
    query = """
        SELECT node, kind, event, due_at, why, created_at, outcome, reason, finished_at FROM finished_actions
        WHERE enrolment_id = :id ORDER BY action_id
    """
    for row in _rows(conn, query, enrolment_id):
        yield _planned(row)
        done = row.outcome == ActionOutcome.DONE
        yield Entry(
            at=row.finished_at,
            kind=EntryKind.DUE if done else EntryKind.DROPPED,
            node=row.node,
            detail=_action(row),
            why=() if done or not row.reason else (row.reason,),
        )


def _planned(row: Row[tuple[object, ...]]) -> Entry:
    detail = {**_action(row), "due_at": row.due_at.isoformat()}
    return Entry(at=row.created_at, kind=EntryKind.PLANNED, node=row.node, detail=detail, why=tuple(row.why))


def _action(row: Row[tuple[object, ...]]) -> dict[str, JsonValue]:
    return {"action": row.event if row.kind == ActionKind.TIMEOUT else row.kind}


def _messages(conn: Connection, enrolment_id: EnrolmentId) -> Iterator[Entry]:
    query = """
        SELECT node, channel, status, queued_at, sent_at, finished_at, subject, provider, reason, resends
        FROM outbound_messages
        WHERE enrolment_id = :id ORDER BY id
    """
    for row in _rows(conn, query, enrolment_id):
        yield Entry(at=row.queued_at, kind=EntryKind.QUEUED, node=row.node, detail={"channel": row.channel})
        why = (row.reason,) if row.reason else ()
        if row.sent_at is not None:
            detail: dict[str, JsonValue] = {"channel": row.channel, "subject": row.subject, "provider": row.provider}
            if row.resends:
                detail["resends"] = row.resends
            yield Entry(at=row.sent_at, kind=EntryKind.SENT, node=row.node, detail=detail, why=why)
        elif row.finished_at is not None or row.status == MessageStatus.UNKNOWN:
            at = row.finished_at or row.queued_at
            yield Entry(at=at, kind=EntryKind.NOT_SENT, node=row.node, detail={"status": row.status}, why=why)


def _signals(conn: Connection, enrolment_id: EnrolmentId) -> Iterator[Entry]:
    query = f"""
        SELECT node, kind, grade, grade_reasons, verdict, hard, occurred_at
        FROM (SELECT m.node, v.id, v.kind, v.grade, v.grade_reasons, v.verdict, v.hard, v.occurred_at,
                     row_number() OVER (PARTITION BY v.message_id, v.kind, v.grade ORDER BY v.occurred_at, v.id) AS nth
              FROM message_events v JOIN outbound_messages m ON m.id = v.message_id
              WHERE m.enrolment_id = :id) AS told
        WHERE nth <= {SIGNALS_ALIKE} ORDER BY occurred_at, id
    """
    for row in _rows(conn, query, enrolment_id):
        detail: dict[str, JsonValue] = {"event": row.kind, "grade": row.grade}
        if row.hard is not None:
            detail["hard"] = row.hard
        why = (*row.grade_reasons, *((row.verdict,) if row.verdict else ()))
        yield Entry(at=row.occurred_at, kind=EntryKind.SIGNAL, node=row.node, detail=detail, why=why)


def _moves(conn: Connection, enrolment_id: EnrolmentId) -> Iterator[Entry]:
    query = """
        SELECT from_node, to_node, to_status, cause, rule, at FROM campaign_transitions
        WHERE enrolment_id = :id ORDER BY seq
    """
    for row in _rows(conn, query, enrolment_id):
        why = tuple(reason for reason in (row.cause, row.rule) if reason)
        if row.to_node:
            detail: dict[str, JsonValue] = {"from": row.from_node, "to": row.to_node}
            yield Entry(at=row.at, kind=EntryKind.MOVED, node=row.to_node, detail=detail, why=why)
        else:
            yield Entry(at=row.at, kind=EntryKind.ENDED, node=row.from_node, detail={"status": row.to_status}, why=why)
