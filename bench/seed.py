"""Rows to measure on."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.ids import CampaignId, EnrolmentId, MessageId, WorkspaceId, new_id
from cadenza.planning.model import content_hash, parse_plan

PLAN: Final = {
    "version": "1.0",
    "timezone": "Europe/Lisbon",
    "quietHours": {"start": "21:00", "end": "07:30"},
    "startNodeId": "intro",
    "nodes": [
        {
            "id": "intro",
            "action": "send",
            "subject": "An idea",
            "body": "Hello",
            "transitions": [{"on": "opened", "to": "consider"}, {"on": "no_open", "to": "again", "after": "P3D"}],
        },
        {
            "id": "consider",
            "action": "wait",
            "transitions": [{"on": "clicked", "to": "stop"}, {"on": "no_click", "to": "again", "after": "P1D"}],
        },
        {
            "id": "again",
            "action": "send",
            "subject": "Again",
            "body": "Hello again",
            "transitions": [{"on": "no_open", "to": "stop", "after": "P3D"}],
        },
        {"id": "stop", "action": "stop"},
    ],
}


@dataclass(frozen=True, slots=True)
class Seeded:
    """One enrolment whose first mail is out."""

    workspace_id: WorkspaceId
    campaign_id: CampaignId
    enrolment_id: EnrolmentId
    message_id: MessageId


@dataclass(frozen=True, slots=True)
class Home:
    """A workspace with a campaign and its plan."""

    workspace_id: WorkspaceId
    campaign_id: CampaignId
    plan_id: UUID


def _home(conn: Connection, now: datetime) -> Home:
    found = conn.execute(
        text("""
            SELECT c.workspace_id, c.id, p.id AS plan_id FROM campaigns c
            JOIN campaign_plans p ON p.workspace_id = c.workspace_id LIMIT 1
        """)
    ).first()
    if found is not None:
        return Home(found.workspace_id, found.id, found.plan_id)
    home = Home(WorkspaceId(new_id()), CampaignId(new_id()), new_id())
    given = {
        "workspace": home.workspace_id,
        "campaign": home.campaign_id,
        "plan": home.plan_id,
        "hash": content_hash(parse_plan(PLAN)),
        "json": json.dumps(PLAN),
        "now": now,
    }
    for statement in (
        "INSERT INTO workspaces VALUES (:workspace, 'bench', :now)",
        "INSERT INTO automation_settings (workspace_id, updated_at) VALUES (:workspace, :now)",
        """INSERT INTO campaigns (id, workspace_id, name, kind, status, created_at, updated_at)
           VALUES (:campaign, :workspace, 'bench', 'ai', 'running', :now, :now)""",
        """INSERT INTO campaign_plans (id, workspace_id, hash, version, plan, created_at)
           VALUES (:plan, :workspace, :hash, '1.0', CAST(:json AS jsonb), :now)""",
    ):
        conn.execute(text(statement), given)
    return home


def seed_enrolments(conn: Connection, count: int, now: datetime) -> list[Seeded]:
    """Enrolments in the plan's first node, each with a sent message and one live timer three days off."""
    home = _home(conn, now)
    seeded = [
        Seeded(home.workspace_id, home.campaign_id, EnrolmentId(new_id()), MessageId(new_id())) for _ in range(count)
    ]
    rows = json.dumps(
        [{"enrolment": str(s.enrolment_id), "message": str(s.message_id), "contact": str(new_id())} for s in seeded]
    )
    given = {
        "rows": rows,
        "workspace": home.workspace_id,
        "campaign": home.campaign_id,
        "plan": home.plan_id,
        "now": now,
    }
    source = "jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(enrolment uuid, message uuid, contact uuid)"
    for statement in (
        f"""INSERT INTO contacts (id, workspace_id, email, created_at)
            SELECT contact, :workspace, contact || '@bench.example', CAST(:now AS timestamptz)
            FROM {source}""",
        f"""INSERT INTO contact_campaigns (id, workspace_id, campaign_id, contact_id, plan_id, status, current_node,
                visit, entered_at, anchor_at, seq, last_message_id, created_at)
            SELECT enrolment, :workspace, :campaign, contact, :plan, 'active', 'intro', 1, :now, :now, 1,
                   message, CAST(:now AS timestamptz) FROM {source}""",
        f"""INSERT INTO outbound_messages (id, workspace_id, enrolment_id, campaign_id, contact_id, node, visit,
                channel, status, due_at, queued_at, sent_at)
            SELECT message, :workspace, enrolment, :campaign, contact, 'intro', 1, 'email', 'sent', :now, :now,
                   CAST(:now AS timestamptz) FROM {source}""",
        f"""INSERT INTO scheduled_actions (workspace_id, enrolment_id, campaign_id, node, visit, kind, event, due_at,
                status, created_at)
            SELECT :workspace, enrolment, :campaign, 'intro', 1, 'timeout', 'no_open',
                   CAST(:now AS timestamptz) + interval '3 days', 'pending', CAST(:now AS timestamptz) FROM {source}""",
    ):
        conn.execute(text(statement), given)
    return seeded


def seed_drafts(conn: Connection, count: int, now: datetime) -> Home:
    """A draft campaign that could start, with ``count`` draft enrolments."""
    home = _home(conn, now)
    given = {"workspace": home.workspace_id, "campaign": home.campaign_id, "plan": home.plan_id, "now": now, "n": count}
    for statement in (
        """INSERT INTO sender_identities (id, workspace_id, name, email, company, postal_address, provider, created_at)
           VALUES (gen_random_uuid(), :workspace, 'Bench', 'bench@bench.example', 'Bench', 'Nowhere 1', 'ses', :now)""",
        """UPDATE campaigns SET status = 'draft', brief = '{"offering": "We measure."}',
                  sender_id = (SELECT id FROM sender_identities LIMIT 1) WHERE id = :campaign""",
        """INSERT INTO contacts (id, workspace_id, email, created_at)
           SELECT gen_random_uuid(), :workspace, i || '@bench.example', CAST(:now AS timestamptz)
           FROM generate_series(1, CAST(:n AS int)) AS i""",
        """INSERT INTO contact_campaigns (id, workspace_id, campaign_id, contact_id, plan_id, status, created_at)
           SELECT gen_random_uuid(), :workspace, :campaign, id, :plan, 'draft', CAST(:now AS timestamptz)
           FROM contacts""",
    ):
        conn.execute(text(statement), given)
    return home


def seed_pending(conn: Connection, count: int, now: datetime) -> None:
    """Fill up to ``count`` pending actions of 3,000 enrolments; 5,000 of them are due, the rest lie ahead."""
    spread = seed_enrolments(conn, 3000, now)
    have = conn.execute(text("SELECT count(*) FROM scheduled_actions")).scalar_one()
    due = conn.execute(text("SELECT count(*) FROM scheduled_actions WHERE due_at < :now"), {"now": now}).scalar_one()
    conn.execute(
        text("""
            INSERT INTO scheduled_actions (workspace_id, enrolment_id, campaign_id, node, visit, kind, event, due_at,
                status, created_at)
            SELECT :workspace, (CAST(:enrolments AS uuid[]))[1 + mod(i, 3000)], :campaign, 'n', i, 'timeout', 'no_open',
                   CAST(:now AS timestamptz) + CASE WHEN i <= :due THEN -i * interval '1 second'
                                                    ELSE i * interval '1 second' END, 'pending', :now
            FROM generate_series(1, CAST(:missing AS int)) AS i
        """),
        {
            "workspace": spread[0].workspace_id,
            "enrolments": [one.enrolment_id for one in spread],
            "campaign": spread[0].campaign_id,
            "now": now,
            "due": max(0, 5000 - due),
            "missing": count - have,
        },
    )
