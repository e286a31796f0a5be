"""How the API reads what failed, and what operators did."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

from sqlalchemy import (
    TIMESTAMP,
    ColumnElement,
    Connection,
    Integer,
    Text,
    Uuid,
    and_,
    cast,
    func,
    literal,
    literal_column,
    null,
    or_,
    select,
    union_all,
)

from cadenza.api.models import Answer, Page
from cadenza.api.operations_models import AuditRecord, Failed, FailedKind, Retry
from cadenza.api.reading import Slice, equal, page_of
from cadenza.core import jobs, tables
from cadenza.core.states import JOB_ENDED_BADLY, MESSAGE_NOT_SENT, AuditAct, JobStatus, MessageStatus
from cadenza.delivery.outbox import UNKNOWN

# --- what failed -------------------------------------------------------------------------------------------------

_NEVER_AGAIN: Final = "put the person into a campaign anew, if they are still to be written to"
_BY_ITSELF: Final = "it is tried again by itself"


class _Row(Answer):
    id: UUID
    kind: FailedKind
    status: str
    reason: str
    lead_id: UUID | None
    contact_id: UUID | None
    campaign_id: UUID | None
    enrolment_id: UUID | None
    failed_at: datetime
    attempts_made: int
    next_attempt_at: datetime | None


def _literals(*states: StrEnum) -> list[ColumnElement[str]]:
    """States written out, so that the partial indexes serve."""
    return [literal_column(f"'{state.value}'", Text) for state in states]


_JOBS, _MESSAGES = tables.jobs, tables.outbound_messages
_JOB_COLUMNS = (
    _JOBS.c.id,
    _JOBS.c.kind,
    _JOBS.c.status,
    _JOBS.c.reason,
    _JOBS.c.lead_id,
    _JOBS.c.contact_id,
    _JOBS.c.campaign_id,
    cast(null(), Uuid).label("enrolment_id"),
    func.coalesce(_JOBS.c.finished_at, _JOBS.c.started_at, _JOBS.c.queued_at).label("failed_at"),
    _JOBS.c.attempts_made,
    _JOBS.c.next_attempt_at,
)
_FAILED = union_all(
    select(*_JOB_COLUMNS).where(_JOBS.c.status.in_(_literals(*JOB_ENDED_BADLY))),
    select(*_JOB_COLUMNS).where(_JOBS.c.status.in_(_literals(JobStatus.QUEUED)), _JOBS.c.attempts_made > 0),
    select(
        _MESSAGES.c.id,
        literal(FailedKind.MESSAGE, Text),
        _MESSAGES.c.status,
        _MESSAGES.c.reason,
        cast(null(), Uuid),
        _MESSAGES.c.contact_id,
        _MESSAGES.c.campaign_id,
        _MESSAGES.c.enrolment_id,
        func.coalesce(_MESSAGES.c.finished_at, _MESSAGES.c.due_at),
        literal(0, Integer),
        cast(null(), TIMESTAMP(timezone=True)),
    ).where(_MESSAGES.c.status.in_(_literals(*MESSAGE_NOT_SENT))),
).subquery("failed")
_ELIGIBLE = and_(
    _FAILED.c.status.in_(JOB_ENDED_BADLY),
    or_(_FAILED.c.kind != FailedKind.PLANNING, _FAILED.c.contact_id.is_not(None)),
)


@dataclass(frozen=True, slots=True)
class FailedFilter:
    """Which of what failed; None means any. ``reason``: words that it contains."""

    kind: FailedKind | None = None
    campaign_id: UUID | None = None
    reason: str | None = None
    eligible: bool | None = None


def failed(conn: Connection, part: Slice, which: FailedFilter, now: datetime) -> Page[Failed]:
    """What failed, and whether and when it is tried again."""
    query = select(_FAILED).where(*equal({_FAILED.c.kind: which.kind, _FAILED.c.campaign_id: which.campaign_id}))
    if which.reason is not None:
        query = query.where(_FAILED.c.reason.icontains(which.reason, autoescape=True))
    if which.eligible is not None:
        query = query.where(_ELIGIBLE if which.eligible else ~_ELIGIBLE)
    page = page_of(conn, _Row, query, _FAILED.c.id, part)
    items = tuple(Failed(**dict(row), retry=_retry(row, now)) for row in page.items)
    return Page[Failed](items=items, next_cursor=page.next_cursor)


def _retry(row: _Row, now: datetime) -> Retry:
    why_not = _why_not(row)
    waits = row.status == JobStatus.QUEUED
    next_attempt_at = (row.next_attempt_at or now) if waits else None
    return Retry(
        eligible=not why_not,
        why_not=why_not,
        delay_s=max(0.0, (next_attempt_at - now).total_seconds()) if next_attempt_at else None,
        next_attempt_at=next_attempt_at,
        attempts_made=row.attempts_made,
        attempt=row.attempts_made + 1,
    )


def _why_not(row: _Row) -> str:
    """Why nobody can, or need, ask for it again; "": it can be asked for."""
    if row.kind is FailedKind.MESSAGE:
        if row.status == MessageStatus.SKIPPED:
            return f"it was kept back for good when it was its turn; {_NEVER_AGAIN}"
        if row.reason == UNKNOWN:
            return "nobody knows whether it was sent, so it is never sent again"
        return f"its provider has refused it for good; {_NEVER_AGAIN}"
    if row.status == JobStatus.QUEUED:
        return _BY_ITSELF
    return jobs.WITHOUT_SUBJECT if row.kind is FailedKind.PLANNING and row.contact_id is None else ""


# --- audit -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """Which records; None means any."""

    act: AuditAct | None = None
    key_id: UUID | None = None
    subject_id: UUID | None = None
    since: datetime | None = None
    until: datetime | None = None


def audit_records(conn: Connection, part: Slice, which: AuditFilter) -> Page[AuditRecord]:
    """What operators did."""
    table = tables.audit_log
    wanted = {table.c.act: which.act, table.c.key_id: which.key_id, table.c.subject_id: which.subject_id}
    query = select(table).where(*equal(wanted))
    if which.since is not None:
        query = query.where(table.c.at >= which.since)
    if which.until is not None:
        query = query.where(table.c.at < which.until)
    return page_of(conn, AuditRecord, query, table.c.id, part)
