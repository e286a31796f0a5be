"""A company's people one after another: whose turn it is in a campaign, and when the next one's comes.

Of each company one person is *next*: begun, or waiting with an instant (``due_at``). A unique index allows no second
one. The others wait without an instant, until that person's enrolment is over; if somebody has replied by then, nobody
follows. A planning job is ordered when a turn begins, so that the ledger knows of those only whose turn has come.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, text

from cadenza.core import jobs
from cadenza.core.ids import CampaignId, ContactId
from cadenza.core.messages import Grade, PlanWanted, SignalKind
from cadenza.core.states import (
    CAMPAIGN_ENDED,
    TURN_MOVES,
    TURN_OPEN,
    CompanyOrder,
    EnrolmentStatus,
    JobKind,
    JobStatus,
    TurnStatus,
    sources,
)
from cadenza.core.tables.base import literals

REPLIED: Final = "somebody at the company has replied"
BEGUN_AT_ONCE: Final = 500


def ordered(conn: Connection, campaign_ids: Sequence[CampaignId]) -> set[CampaignId]:
    """Which of the campaigns take a company's people one after another."""
    query = text("SELECT id FROM campaigns WHERE id = ANY(:ids) AND company_order = :order")
    found = conn.execute(query, {"ids": list(campaign_ids), "order": CompanyOrder.ONE_AFTER_ANOTHER})
    return {CampaignId(one) for one in found.scalars()}


def place(conn: Connection, works: Sequence[jobs.Work], now: datetime) -> list[jobs.Work]:
    """Let these people wait for their turn; the plans to order now, of those whose turn it is. Three statements.

    The caller has locked their leads, so that two who bring a company's people do it one after the other.
    """
    rows = [
        {"campaign_id": str(work.campaign_id), "contact_id": str(work.contact_id), "lead_id": str(work.lead_id)}
        | {"workspace_id": str(work.workspace_id)}
        for work in works
    ]
    if not rows:
        return []
    parameters = {"rows": json.dumps(rows), "now": now}
    conn.execute(_PLACE, parameters)
    conn.execute(_NAME_NEXT_OF, parameters)
    begun = conn.execute(_BEGIN_OF, parameters)
    return [_work(row) for row in begun if row.status == TurnStatus.BEGUN]


def settle(conn: Connection, campaign_ids: Sequence[CampaignId], now: datetime, *, everywhere: bool) -> None:
    """End the turns of whom nothing is under way any more, and say who is next. Three statements at most.

    ``everywhere``: also at companies where nobody is, because two transactions did not see each other. The caller has
    locked the campaigns.
    """
    parameters = {"ids": list(campaign_ids), "now": now}
    ended = [dict(row) for row in conn.execute(_END, parameters).mappings()]
    if everywhere:
        conn.execute(_NAME_NEXT_EVERYWHERE, parameters)
    elif ended:
        rows = [{"campaign_id": str(row["campaign_id"]), "lead_id": str(row["lead_id"])} for row in ended]
        conn.execute(_NAME_NEXT_OF, {"rows": json.dumps(rows), "now": now})


def begin_due(conn: Connection, now: datetime, campaign_id: CampaignId | None = None) -> list[PlanWanted]:
    """Order the plans of those whose turn has come (in one campaign, or in all); at most `BEGUN_AT_ONCE` of them."""
    rows = conn.execute(_BEGIN_DUE, {"now": now, "campaign_id": campaign_id, "limit": BEGUN_AT_ONCE}).all()
    works = [_work(row) for row in rows if row.status == TurnStatus.BEGUN]
    new = jobs.enqueue(conn, works, now)
    return [
        PlanWanted(workspace_id=work.workspace_id, campaign_id=work.campaign_id, contact_id=work.contact_id)
        for work in works
        if work.key in new and work.campaign_id is not None and work.contact_id is not None
    ]


def answered(conn: Connection, campaign_id: CampaignId, contact_id: ContactId) -> bool:
    """Whether somebody at the company has replied since this person waits for their turn."""
    return bool(conn.execute(_ANSWERED, {"campaign_id": campaign_id, "contact_id": contact_id}).scalar())


def _work(row: object) -> jobs.Work:
    return jobs.planning(row.workspace_id, row.campaign_id, row.contact_id, row.lead_id)  # type: ignore[attr-defined]


_OPEN = literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)
_NEXT = f"o.due_at IS NOT NULL AND o.status IN ({literals(*TURN_OPEN)})"

# A reply of anybody there, in whichever campaign, from when this one has taken the company.
_REPLIED = f"""EXISTS (
    SELECT FROM contacts c
    JOIN outbound_messages m ON m.contact_id = c.id
    JOIN message_events v ON v.message_id = m.id
    WHERE c.lead_id = t.lead_id AND v.kind = '{SignalKind.REPLIED}' AND v.grade = '{Grade.HUMAN}'
      AND v.received_at >= t.created_at)
"""

_PLACE = text(f"""
    INSERT INTO campaign_turns (campaign_id, contact_id, workspace_id, lead_id, status, created_at)
    SELECT r.campaign_id, r.contact_id, r.workspace_id, r.lead_id, '{TurnStatus.WAITING}', CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(campaign_id uuid, contact_id uuid, workspace_id uuid, lead_id uuid)
    -- Whom an operator has put in already needs no turn.
    WHERE NOT EXISTS (SELECT FROM jobs j WHERE j.kind = '{JobKind.PLANNING}'
                      AND j.business_key = r.campaign_id::text || ':' || r.contact_id::text)
    ORDER BY r.campaign_id, r.contact_id
    ON CONFLICT (campaign_id, contact_id) DO NOTHING
""")


def _name_next(companies: str) -> str:
    """Who of each of the companies is next, where nobody is; nobody, where somebody has replied."""
    return f"""
        WITH free AS MATERIALIZED (
            SELECT DISTINCT t.campaign_id, t.lead_id FROM {companies}
            WHERE t.status = '{TurnStatus.WAITING}' AND t.due_at IS NULL AND NOT EXISTS (
                SELECT FROM campaign_turns o WHERE o.campaign_id = t.campaign_id AND o.lead_id = t.lead_id AND {_NEXT})
        ), answered AS (
            UPDATE campaign_turns t SET status = '{TurnStatus.DROPPED}', reason = '{REPLIED}', ended_at = :now
            FROM free WHERE t.campaign_id = free.campaign_id AND t.lead_id = free.lead_id
              AND t.status = '{TurnStatus.WAITING}' AND {_REPLIED}
            RETURNING t.campaign_id, t.contact_id
        )
        UPDATE campaign_turns t SET due_at = greatest(CAST(:now AS timestamptz), (
            -- The gap lies behind what has been written to a colleague; whoever was not written to costs no time.
            SELECT max(e.finished_at) + CAST(g.company_gap AS interval)
            FROM campaign_turns o
            JOIN contact_campaigns e ON e.campaign_id = o.campaign_id AND e.contact_id = o.contact_id
            WHERE o.campaign_id = t.campaign_id AND o.lead_id = t.lead_id AND e.visit > 0))
        FROM campaigns g, (
            SELECT DISTINCT ON (w.campaign_id, w.lead_id) w.campaign_id, w.contact_id
            FROM free JOIN campaign_turns w ON w.campaign_id = free.campaign_id AND w.lead_id = free.lead_id
            JOIN contacts k ON k.id = w.contact_id
            WHERE w.status = '{TurnStatus.WAITING}'
              AND NOT EXISTS (SELECT FROM answered a
                              WHERE a.campaign_id = w.campaign_id AND a.contact_id = w.contact_id)
            ORDER BY w.campaign_id, w.lead_id, k.role_rank, k.id) AS best
        WHERE g.id = t.campaign_id AND best.campaign_id = t.campaign_id AND best.contact_id = t.contact_id
          AND t.due_at IS NULL AND t.status = '{TurnStatus.WAITING}'
    """


_NAMED = """
    (SELECT DISTINCT campaign_id, lead_id FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(campaign_id uuid, lead_id uuid)) AS r
    JOIN campaign_turns t ON t.campaign_id = r.campaign_id AND t.lead_id = r.lead_id
"""
_NAME_NEXT_OF = text(_name_next(_NAMED))
_NAME_NEXT_EVERYWHERE = text(_name_next("(SELECT * FROM campaign_turns WHERE campaign_id = ANY(:ids)) AS t"))

_END = text(f"""
    UPDATE campaign_turns t SET status = '{TurnStatus.ENDED}', ended_at = :now
    FROM (SELECT o.campaign_id, o.contact_id
          FROM campaign_turns o
          LEFT JOIN contact_campaigns e ON e.campaign_id = o.campaign_id AND e.contact_id = o.contact_id
          LEFT JOIN jobs j ON j.kind = '{JobKind.PLANNING}'
              AND j.business_key = o.campaign_id::text || ':' || o.contact_id::text
          WHERE o.campaign_id = ANY(:ids) AND o.status = '{TurnStatus.BEGUN}'
            AND CASE WHEN e.id IS NULL THEN j.status IN ({literals(JobStatus.FAILED, JobStatus.SKIPPED)})
                     ELSE e.status NOT IN ({_OPEN}) END) AS over
    WHERE t.campaign_id = over.campaign_id AND t.contact_id = over.contact_id
      AND t.status IN ({literals(*sources(TURN_MOVES, TurnStatus.ENDED))})
    RETURNING t.campaign_id, t.lead_id
""")


def _begin(due: str) -> str:
    return f"""
        UPDATE campaign_turns t SET status = CASE WHEN {_REPLIED} THEN '{TurnStatus.DROPPED}'
                                                  ELSE '{TurnStatus.BEGUN}' END,
               reason = CASE WHEN {_REPLIED} THEN '{REPLIED}' ELSE '' END,
               ended_at = CASE WHEN {_REPLIED} THEN CAST(:now AS timestamptz) END
        FROM ({due}) AS d
        WHERE t.campaign_id = d.campaign_id AND t.contact_id = d.contact_id AND t.status = '{TurnStatus.WAITING}'
        RETURNING t.workspace_id, t.campaign_id, t.contact_id, t.lead_id, t.status
    """


_BEGIN_OF = text(
    _begin(f"""
        SELECT t.campaign_id, t.contact_id FROM {_NAMED}
        WHERE t.status = '{TurnStatus.WAITING}' AND t.due_at <= CAST(:now AS timestamptz)
    """)
)
_BEGIN_DUE = text(
    _begin(f"""
        SELECT w.campaign_id, w.contact_id FROM campaign_turns w JOIN campaigns g ON g.id = w.campaign_id
        WHERE w.status = '{TurnStatus.WAITING}' AND w.due_at <= CAST(:now AS timestamptz)
          AND g.status NOT IN ({literals(*CAMPAIGN_ENDED)})
          AND (CAST(:campaign_id AS uuid) IS NULL OR w.campaign_id = :campaign_id)
        ORDER BY w.due_at LIMIT :limit FOR UPDATE OF w SKIP LOCKED
    """)
)

_ANSWERED = text(f"""
    SELECT {_REPLIED} FROM campaign_turns t WHERE t.campaign_id = :campaign_id AND t.contact_id = :contact_id
""")
