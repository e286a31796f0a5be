"""The invariants of docs/design.md, section 6, as far as rows can show them, each one query.

They may be asked of any database at any time: a violation is a bug of ours or somebody else's hand in the tables.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from cadenza.core.states import (
    CAMPAIGN_ENDED,
    MESSAGE_OPEN,
    ActionKind,
    ActionOutcome,
    Approval,
    CampaignStatus,
    CampaignType,
    EnrolmentStatus,
    MessageStatus,
)
from cadenza.core.tables.base import literals

GRACE: Final = timedelta(hours=2)
"""How long a due action of a running campaign may still live: the sweep's period and the queue's delays."""

_ENDED = literals(*CAMPAIGN_ENDED)
_OPEN_ENROLMENT = literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One invariant's answer: how many things were looked at, and how many of them break it."""

    name: str
    statement: str
    checked: int
    violations: int


@dataclass(frozen=True, slots=True)
class _Invariant:
    name: str
    statement: str
    query: str


_INVARIANTS: Final = (
    _Invariant(
        "I1 once",
        "no stay in a node is handed to a provider twice",
        f"""
        SELECT count(*) AS checked,
               count(*) FILTER (WHERE handed > 1) AS violations
        FROM (SELECT enrolment_id, node, visit, count(*) AS handed FROM outbound_messages
              WHERE status NOT IN ({literals(MessageStatus.QUEUED, MessageStatus.SKIPPED)})
              GROUP BY 1, 2, 3) stays
        """,
    ),
    _Invariant(
        "I2 nothing lost",
        "every action ends in the archive with a reason, and every send that was done has its message",
        f"""
        SELECT count(*) AS checked, count(*) FILTER (WHERE lost) AS violations
        FROM (
            SELECT f.reason = '' OR (f.kind = '{ActionKind.SEND}' AND f.outcome = '{ActionOutcome.DONE}'
                AND NOT EXISTS (SELECT FROM outbound_messages m WHERE m.enrolment_id = f.enrolment_id
                                AND m.node = f.node AND m.visit = f.visit)
                AND NOT EXISTS (SELECT FROM scheduled_actions a WHERE a.enrolment_id = f.enrolment_id
                                AND a.node = f.node AND a.visit = f.visit AND a.kind = f.kind)
                AND NOT EXISTS (SELECT FROM finished_actions later WHERE later.enrolment_id = f.enrolment_id
                                AND later.node = f.node AND later.visit = f.visit AND later.kind = f.kind
                                AND later.action_id > f.action_id)) AS lost
            FROM finished_actions f
            UNION ALL
            SELECT c.status IN ({_ENDED}) OR e.status NOT IN ({_OPEN_ENROLMENT})
                OR (c.status = '{CampaignStatus.RUNNING}' AND a.due_at < :lost_before)
            FROM scheduled_actions a
            JOIN campaigns c ON c.id = a.campaign_id
            JOIN contact_campaigns e ON e.id = a.enrolment_id
        ) actions
        """,
    ),
    _Invariant(
        "I4 complete means complete",
        "a completed campaign has no open enrolment and no open message, and takes nobody in by itself",
        f"""
        SELECT count(*) AS checked, count(*) FILTER (WHERE
            (c.type = '{CampaignType.FULLY_AUTOMATED}' AND c.intake_closed_at IS NULL)
            OR EXISTS (SELECT FROM contact_campaigns e WHERE e.campaign_id = c.id AND e.status IN ({_OPEN_ENROLMENT}))
            OR EXISTS (SELECT FROM outbound_messages m
                       WHERE m.campaign_id = c.id AND m.status IN ({literals(*MESSAGE_OPEN)}))) AS violations
        FROM campaigns c WHERE c.status = '{CampaignStatus.COMPLETED}'
        """,
    ),
    _Invariant(
        "I5 the audit replays",
        "transitions in order, without a gap, lead to where each enrolment stands",
        """
        WITH steps AS (
            SELECT enrolment_id, seq, from_node, from_visit, to_node, to_visit, to_status,
                   lag(to_node, 1, '') OVER w AS came_from, lag(to_visit, 1, 0) OVER w AS came_visit,
                   row_number() OVER w AS place, lead(seq) OVER w IS NULL AS last
            FROM campaign_transitions WINDOW w AS (PARTITION BY enrolment_id ORDER BY seq)
        ), replayed AS (
            SELECT enrolment_id, bool_and(seq = place AND from_node = came_from AND from_visit = came_visit) AS whole,
                   max(seq) AS seq, max(to_status) FILTER (WHERE last) AS status,
                   max(coalesce(nullif(to_node, ''), from_node)) FILTER (WHERE last) AS node
            FROM steps GROUP BY enrolment_id
        )
        SELECT count(*) AS checked, count(*) FILTER (WHERE e.seq > 0 AND NOT coalesce(
            r.whole AND r.seq = e.seq AND r.status = e.status AND r.node = e.current_node, false)) AS violations
        FROM contact_campaigns e LEFT JOIN replayed r ON r.enrolment_id = e.id
        """,
    ),
    _Invariant(
        "I6 once per event",
        "an event changes state at most once",
        """
        SELECT count(*) AS checked, count(*) FILTER (WHERE times > 1) AS violations
        FROM (SELECT v.id, count(DISTINCT t.at) AS times
              FROM message_events v LEFT JOIN campaign_transitions t ON t.event_id = v.id GROUP BY v.id) events
        """,
    ),
    _Invariant(
        "I11 asked first",
        "nothing begins before somebody has approved it, where that is wanted",
        f"""
        SELECT count(*) FILTER (WHERE e.approval <> '{Approval.NOT_NEEDED}') AS checked,
               count(*) FILTER (WHERE e.approval IN ({literals(Approval.WANTED, Approval.REJECTED)})
                   AND (e.visit > 0
                        OR EXISTS (SELECT FROM scheduled_actions a WHERE a.enrolment_id = e.id)
                        OR EXISTS (SELECT FROM outbound_messages m WHERE m.enrolment_id = e.id))) AS violations
        FROM contact_campaigns e
        """,
    ),
)


def check(conn: Connection, now: datetime) -> list[Finding]:
    """Ask all of them. The connection decides whose rows are looked at."""
    findings: list[Finding] = []
    for invariant in _INVARIANTS:
        query = text(invariant.query)
        parameters = {"lost_before": now - GRACE} if ":lost_before" in invariant.query else {}
        row = conn.execute(query, parameters).one()
        findings.append(Finding(invariant.name, invariant.statement, row.checked, row.violations))
    return findings
