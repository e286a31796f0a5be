"""Automatic campaigns and whom they may take, in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text

from cadenza.campaigns.intake import Candidate, Intake
from cadenza.campaigns.model import CampaignBrief
from cadenza.contacts import store as contacts_store
from cadenza.contacts.model import ContactKind
from cadenza.core.ids import CampaignId, ContactId, LeadId, WorkspaceId
from cadenza.core.states import (
    UNDELIVERABLE,
    CampaignStatus,
    CampaignType,
    JobKind,
    JobStatus,
    LeadStatus,
    MessageStatus,
)
from cadenza.core.tables.base import literals
from cadenza.leads.automatic import IS_TAKING
from cadenza.leads.report import SiteReport


@dataclass(frozen=True, slots=True)
class Taking:
    """A campaign that takes people by itself, locked against moves. ``rules`` are its own, as stored."""

    id: CampaignId
    status: CampaignStatus
    created_at: datetime
    intake: Intake
    brief: CampaignBrief
    rules: Mapping[str, Any]
    daily_cap: int | None


@dataclass(frozen=True, slots=True)
class Switch:
    """The workspace's switch, and what bounds a batch. ``settings`` are the columns by which hours are reckoned."""

    enabled: bool
    stagger_s: int
    daily_cap: int | None
    settings: Mapping[str, Any]


def lock_switch(conn: Connection, workspace_id: WorkspaceId) -> Switch:
    """Lock the workspace's settings: of a workspace, one transaction at a time takes people, or turns the switch.

    So nobody is taken by two campaigns, and nobody at all once it is off.
    """
    row = conn.execute(_SWITCH, {"id": workspace_id}).mappings().first()
    if row is None:
        return Switch(enabled=False, stagger_s=0, daily_cap=None, settings={})
    return Switch(row["enabled"], row["stagger_s"], row["daily_cap"], row["hours"])


_SWITCH = text("""
    SELECT enabled, stagger_s, daily_cap,
           jsonb_build_object('working_hours_start', working_hours_start, 'working_hours_end', working_hours_end,
                              'working_days', working_days, 'holidays_country', holidays_country,
                              'extra_holidays', extra_holidays) AS hours
    FROM automation_settings WHERE workspace_id = :id FOR NO KEY UPDATE
""")


def set_switch(conn: Connection, workspace_id: WorkspaceId, now: datetime, *, enabled: bool) -> bool:
    """Turn the switch. False (zero rows): it stands so already."""
    moved = conn.execute(
        text("""
            UPDATE automation_settings SET enabled = :enabled, updated_at = :now
            WHERE workspace_id = :id AND enabled <> :enabled
        """),
        {"id": workspace_id, "enabled": enabled, "now": now},
    )
    return moved.rowcount > 0


def is_held(conn: Connection, campaign_id: CampaignId) -> bool:
    """Whether the campaign is fully automated, and its workspace's switch is off."""
    query = text("""
        SELECT c.type = :automated AND NOT s.enabled
        FROM campaigns c JOIN automation_settings s ON s.workspace_id = c.workspace_id WHERE c.id = :id
    """)
    return bool(conn.execute(query, {"id": campaign_id, "automated": CampaignType.FULLY_AUTOMATED}).scalar())


def taking(conn: Connection, workspace_id: WorkspaceId) -> list[Taking]:
    """The campaigns that take people by themselves, the oldest first; none moves until the transaction ends."""
    rows = conn.execute(_TAKING, {"id": workspace_id}).mappings()
    return [
        Taking(
            row["id"],
            CampaignStatus(row["status"]),
            row["created_at"],
            Intake.model_validate(row["intake"]),
            CampaignBrief.model_validate({"offering": ""} | row["brief"]),
            row["rules"],
            row["daily_cap"],
        )
        for row in rows
    ]


_TAKING = text(f"""
    SELECT c.id, c.status, c.created_at, c.intake, c.brief, c.rules, c.daily_cap FROM campaigns c
    WHERE c.workspace_id = :id AND {IS_TAKING} ORDER BY c.id FOR SHARE
""")


@dataclass(frozen=True, slots=True)
class Search:
    """Whom to look at: those who came at ``since`` or later, of ``lead_id`` if it is given, after ``after``."""

    workspace_id: WorkspaceId
    since: datetime | None
    limit: int
    after: ContactId | None = None
    lead_id: LeadId | None = None


def candidates(conn: Connection, search: Search, campaigns: Sequence[Taking]) -> list[Candidate]:
    """People of sites that have been read, or of none, whom one of the campaigns might take; in id order.

    Who is barred from being written to is among them. None is erased until the transaction ends.
    """
    parameters = {
        "workspace_id": search.workspace_id,
        "since": search.since,
        "after": search.after,
        "lead_id": search.lead_id,
        "limit": search.limit,
        "shared": [campaign.id for campaign in campaigns if not campaign.intake.exclusive],
        "exclusive": any(campaign.intake.exclusive for campaign in campaigns),
    }
    ids = list(conn.execute(_CANDIDATES, parameters).scalars())
    known = contacts_store.find_all(conn, ids)
    rows = {row.id: row for row in conn.execute(_ABOUT, {"ids": ids})}
    return [
        Candidate(
            contact=known[one],
            created_at=rows[one].created_at,
            country=known[one].country or rows[one].country,
            language=known[one].language or rows[one].language,
            role_rank=rows[one].role_rank,
            domain=rows[one].domain,
            source=rows[one].source,
            people_there=rows[one].people_there,
            taken_by=frozenset(rows[one].taken_by),
        )
        for one in ids
        if one in known and one in rows
    ]


_JOB = f"j.contact_id = k.id AND j.kind = '{JobKind.PLANNING}'"
_CANDIDATES = text(f"""
    SELECT k.id FROM contacts k LEFT JOIN leads l ON l.id = k.lead_id
    WHERE k.workspace_id = :workspace_id AND k.erased_at IS NULL AND k.email IS NOT NULL
      AND (CAST(:since AS timestamptz) IS NULL OR k.created_at >= CAST(:since AS timestamptz))
      AND (CAST(:after AS uuid) IS NULL OR k.id > :after)
      AND (CAST(:lead_id AS uuid) IS NULL OR k.lead_id = :lead_id)
      AND (l.id IS NULL OR l.status IN ({literals(LeadStatus.ANALYZED, LeadStatus.FAILED)}))
      AND ((:exclusive AND NOT EXISTS (SELECT FROM jobs j WHERE {_JOB})
            AND NOT EXISTS (SELECT FROM contact_campaigns e WHERE e.contact_id = k.id)
            AND NOT EXISTS (SELECT FROM campaign_turns t WHERE t.lead_id = k.lead_id AND t.contact_id = k.id))
           OR EXISTS (
               SELECT FROM unnest(CAST(:shared AS uuid[])) AS s(id)
               WHERE NOT EXISTS (SELECT FROM jobs j WHERE {_JOB} AND j.campaign_id = s.id)
                 AND NOT EXISTS (SELECT FROM contact_campaigns e WHERE e.contact_id = k.id AND e.campaign_id = s.id)
                 AND NOT EXISTS (SELECT FROM campaign_turns t WHERE t.contact_id = k.id AND t.campaign_id = s.id)))
    ORDER BY k.id LIMIT :limit
""")

_ABOUT = text(f"""
    SELECT k.id, k.created_at, k.role_rank, coalesce(l.domain, split_part(lower(k.email), '@', 2)) AS domain,
           coalesce(b.source, '') AS source, coalesce(a.report ->> 'country', '') AS country,
           coalesce(a.report ->> 'language', '') AS language,
           EXISTS (SELECT FROM contacts p WHERE p.lead_id = k.lead_id AND p.kind = '{ContactKind.PERSON}'
                   AND p.email IS NOT NULL AND p.address_check NOT IN ({literals(*UNDELIVERABLE)})) AS people_there,
           ARRAY(SELECT j.campaign_id FROM jobs j WHERE {_JOB} AND j.campaign_id IS NOT NULL
                 UNION SELECT e.campaign_id FROM contact_campaigns e WHERE e.contact_id = k.id
                 UNION SELECT t.campaign_id FROM campaign_turns t
                       WHERE t.lead_id = k.lead_id AND t.contact_id = k.id) AS taken_by
    FROM contacts k
    LEFT JOIN leads l ON l.id = k.lead_id
    LEFT JOIN lead_batches b ON b.id = l.batch_id
    LEFT JOIN LATERAL (SELECT report FROM lead_analyses a WHERE a.lead_id = k.lead_id
                       ORDER BY a.created_at DESC LIMIT 1) AS a ON true
    WHERE k.id = ANY(:ids)
""")


def reports(conn: Connection, lead_ids: Sequence[LeadId]) -> dict[LeadId, SiteReport]:
    """The newest report of each lead that has one."""
    rows = conn.execute(_REPORTS, {"ids": list(lead_ids)})
    return {LeadId(row.lead_id): SiteReport.model_validate(row.report) for row in rows}


_REPORTS = text("""
    SELECT DISTINCT ON (lead_id) lead_id, report FROM lead_analyses WHERE lead_id = ANY(:ids)
    ORDER BY lead_id, created_at DESC
""")


def lock_leads(conn: Connection, lead_ids: Sequence[LeadId]) -> None:
    """Lock leads in id order, as whoever brings their people does."""
    conn.execute(text("SELECT FROM leads WHERE id = ANY(:ids) ORDER BY id FOR UPDATE"), {"ids": list(lead_ids)})


def used_today(
    conn: Connection, workspace_id: WorkspaceId, campaigns: Sequence[Taking], day: str
) -> dict[WorkspaceId | CampaignId, int]:
    """How much of the UTC day's caps is used up, of the workspace and of each campaign.

    What is queued, and what is being planned, counts as if it went today.
    """
    ids = [campaign.id for campaign in campaigns]
    rows = conn.execute(_USED, {"workspace_id": workspace_id, "ids": ids, "day": day})
    return {row.scope_id: row.used for row in rows}


_PLANNED = f"j.kind = '{JobKind.PLANNING}' AND j.status IN ({literals(JobStatus.QUEUED, JobStatus.ACTIVE)})"
_USED = text(f"""
    SELECT CAST(:workspace_id AS uuid) AS scope_id,
           (SELECT coalesce(sum(q.used), 0) FROM send_quota q
            WHERE q.scope = 'workspace' AND q.scope_id = :workspace_id AND q.day = CAST(:day AS date))
           + (SELECT count(*) FROM outbound_messages m JOIN campaigns c ON c.id = m.campaign_id
              WHERE c.workspace_id = :workspace_id AND m.status = '{MessageStatus.QUEUED}')
           + (SELECT count(*) FROM jobs j WHERE j.workspace_id = :workspace_id AND {_PLANNED}) AS used
    UNION ALL
    SELECT c.id,
           (SELECT coalesce(sum(q.used), 0) FROM send_quota q
            WHERE q.scope = 'campaign' AND q.scope_id = c.id AND q.day = CAST(:day AS date))
           + (SELECT count(*) FROM outbound_messages m
              WHERE m.campaign_id = c.id AND m.status = '{MessageStatus.QUEUED}')
           + (SELECT count(*) FROM jobs j WHERE j.campaign_id = c.id AND {_PLANNED})
    FROM campaigns c WHERE c.id = ANY(:ids)
""")
