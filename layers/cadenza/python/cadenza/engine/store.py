"""The engine's SQL: lock and load enrolments. What is decided is written by `cadenza.engine.writes`.

Lock order, for everybody: campaigns, outbox rows that are no longer queued, enrolments in id order, quotas, queued
outbox rows, live actions. An enrolment's lock serialises all that can happen to it; nobody changes its actions without
it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

from msgspec import Struct, json
from msgspec.structs import replace
from sqlalchemy import Connection, TextClause, text

from cadenza.core.ids import CampaignId, EnrolmentId, MessageId, PlanId, WorkspaceId
from cadenza.core.states import (
    APPROVAL_GIVEN,
    MESSAGE_OPEN,
    CampaignStatus,
)
from cadenza.core.tables.base import literals
from cadenza.engine.model import LastMessage, SendingRules, State
from cadenza.engine.rules import sending_rules

_NONE: Final[Mapping[MessageId, LastMessage]] = MappingProxyType({})


class Enrolment(Struct, frozen=True, gc=False):
    """A locked enrolment with what surrounds it."""

    id: EnrolmentId
    workspace_id: WorkspaceId
    campaign_id: CampaignId
    plan_id: PlanId
    campaign_status: CampaignStatus
    state: State
    rules: SendingRules


def lock(
    conn: Connection, ids: Iterable[EnrolmentId], now: datetime, known: Mapping[MessageId, LastMessage] = _NONE
) -> dict[EnrolmentId, Enrolment]:
    """Lock the enrolments in id order and load their state; unknown ids are left out. Two statements at most.

    ``known`` are messages that the caller holds locked, as they are now: they need not be loaded.
    """
    return _load(conn, _LOCK, ids, now, known)


def look(conn: Connection, ids: Iterable[EnrolmentId], now: datetime) -> dict[EnrolmentId, Enrolment]:
    """As `lock`, without the lock: for those who only want to know. What they see may be changing."""
    return _load(conn, _LOOK, ids, now, _NONE)


def _load(
    conn: Connection,
    query: TextClause,
    ids: Iterable[EnrolmentId],
    now: datetime,
    known: Mapping[MessageId, LastMessage],
) -> dict[EnrolmentId, Enrolment]:
    wanted = list(set(ids))  # the statement sorts them, and faster
    if not wanted:
        return {}
    found = _FOUND.decode(conn.execute(query, {"ids": wanted, "now": now}).scalar_one())
    last_ids = [row.last_message_id for row in found.enrolments if row.last_message_id is not None]
    if missing := [message_id for message_id in last_ids if message_id not in known]:
        loaded = _LAST.decode(conn.execute(_LAST_MESSAGES, {"ids": missing}).scalar_one())
        known = {**known, **{message.message_id: message for message in loaded}}
    home_of = {home.id: home for home in map(_home, found.campaigns)}
    return {row.id: _enrolment(row, home_of[row.campaign_id], known) for row in found.enrolments}


# One JSON text a query: read by C code into what the engine works with, where rows would be read in Python, column by
# column. The names in the JSON are those of the structs.


class _Row(Struct, frozen=True, gc=False):
    id: EnrolmentId
    campaign_id: CampaignId
    plan_id: PlanId
    state: State
    time_zone: str
    held_until: datetime | None
    last_message_id: MessageId | None


class _Found(Struct, frozen=True, gc=False):
    enrolments: list[_Row]
    campaigns: list[dict[str, Any]]


_FOUND = json.Decoder(_Found)
_LAST = json.Decoder(list[LastMessage])

_ENROLMENTS = """
    WITH own AS MATERIALIZED (
        SELECT id, campaign_id, contact_id, plan_id, status, current_node, visit, entered_at, anchor_at, seq, reason,
               last_message_id, approval
        FROM contact_campaigns WHERE id = ANY(:ids) ORDER BY id {lock}
    ), enrolments AS (
        SELECT own.id, own.campaign_id, own.plan_id, own.last_message_id, k.time_zone, h.until AS held_until,
               json_build_object('status', own.status, 'node', own.current_node, 'visit', own.visit,
                                 'entered_at', own.entered_at, 'anchor_at', own.anchor_at, 'seq', own.seq,
                                 'reason', own.reason, 'approved', own.approval IN ({given})) AS state
        FROM own JOIN contacts k ON k.id = own.contact_id
        LEFT JOIN holds h ON h.contact_id = own.contact_id AND h.until > :now
    ), homes AS (
        SELECT c.id, c.workspace_id, c.status, c.rules, c.skip_due_before, s.working_hours_start, s.working_hours_end,
               s.working_days, s.holidays_country, s.extra_holidays
        FROM campaigns c JOIN automation_settings s ON s.workspace_id = c.workspace_id
        WHERE c.id IN (SELECT campaign_id FROM own)
    )
    SELECT CAST(json_build_object('enrolments', (SELECT coalesce(json_agg(e), '[]') FROM enrolments e),
                                  'campaigns', (SELECT coalesce(json_agg(h), '[]') FROM homes h)) AS text)
"""
_LOOK = text(_ENROLMENTS.format(lock="", given=literals(*APPROVAL_GIVEN)))
_LOCK = text(_ENROLMENTS.format(lock="FOR UPDATE", given=literals(*APPROVAL_GIVEN)))

# A statement of its own, after the lock: only a new snapshot shows what the lock's previous holder wrote.
_LAST_MESSAGES = text(f"""
    SELECT CAST(coalesce(json_agg(json_build_object(
               'message_id', m.id, 'node', m.node, 'visit', m.visit, 'sent_at', m.sent_at,
               'final', m.status NOT IN ({literals(*MESSAGE_OPEN)}), 'events', coalesce(
                   (SELECT json_agg(json_build_object('event_id', v.id, 'kind', v.kind, 'grade', v.grade,
                                                      'occurred_at', v.occurred_at, 'hard', v.hard)
                                    ORDER BY v.occurred_at, v.id)
                    FROM message_events v WHERE v.message_id = m.id), '[]'))), '[]') AS text)
    FROM outbound_messages m WHERE m.id = ANY(:ids)
""")


class _Home(Struct, frozen=True, gc=False):
    """What the enrolments of one campaign share."""

    id: CampaignId
    workspace_id: WorkspaceId
    status: CampaignStatus
    rules: SendingRules


def _home(row: dict[str, Any]) -> _Home:
    return _Home(
        CampaignId(UUID(row["id"])),
        WorkspaceId(UUID(row["workspace_id"])),
        CampaignStatus(row["status"]),
        sending_rules(row, row["rules"], row["skip_due_before"]),
    )


def _enrolment(row: _Row, home: _Home, messages: Mapping[MessageId, LastMessage]) -> Enrolment:
    zone, held_until = row.time_zone, row.held_until
    state = row.state
    if row.last_message_id is not None:
        state = replace(state, message=messages[row.last_message_id])
    return Enrolment(
        row.id,
        home.workspace_id,
        home.id,
        row.plan_id,
        home.status,
        state,
        replace(home.rules, recipient_zone=zone, not_before=held_until) if zone or held_until else home.rules,
    )


def plans(conn: Connection, ids: Iterable[PlanId]) -> dict[PlanId, object]:
    """The plans' JSON by id."""
    rows = conn.execute(text("SELECT id, plan FROM campaign_plans WHERE id = ANY(:ids)"), {"ids": list(ids)})
    return {row.id: row.plan for row in rows}
