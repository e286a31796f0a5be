"""What an import writes, in SQL: a constant number of statements, however long the export."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.ids import CampaignId, ContactId, EnrolmentId, LeadId, PlanId, SenderId, WorkspaceId
from cadenza.core.states import Approval, CampaignStatus, Channel, EnrolmentStatus, LeadStatus
from cadenza.legacy.model import Kind

Values = Mapping[str, object]
Key = tuple[Kind, str]
"""By what a row is known again."""

PROVIDER = "import"
"""Who has sent what was sent before, and has reported on it."""


def _json(rows: object) -> str:
    """Rows as the one JSON parameter that a set-based statement takes; ids and instants as text."""
    return json.dumps(rows, default=str)


def lock(conn: Connection, workspace_id: WorkspaceId) -> None:
    """Let imports of one workspace come one after the other: until the transaction ends nobody else imports."""
    conn.execute(_LOCK, {"id": str(workspace_id)})


_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended('legacy import ' || :id, 0))")


def known(conn: Connection, workspace_id: WorkspaceId, keys: Iterable[Key]) -> dict[Key, UUID]:
    """What earlier imports have brought of these, and is still there."""
    rows = [{"kind": kind, "old_id": old_id} for kind, old_id in dict.fromkeys(keys)]
    found = conn.execute(_KNOWN, {"rows": _json(rows), "workspace_id": workspace_id})
    return {(Kind(row.kind), row.old_id): row.new_id for row in found}


# What an operator has deleted since is not there any more, and may be brought again.
_KNOWN = text(f"""
    SELECT l.kind, l.old_id, l.new_id
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, old_id text)
    JOIN legacy_ids l ON l.workspace_id = :workspace_id AND l.kind = r.kind AND l.old_id = r.old_id
    WHERE CASE l.kind
        WHEN '{Kind.TEMPLATE}' THEN EXISTS (SELECT FROM templates t WHERE t.id = l.new_id)
        WHEN '{Kind.WORKFLOW}' THEN EXISTS (SELECT FROM workflows w WHERE w.id = l.new_id)
        ELSE true END
""")


def remember(
    conn: Connection, workspace_id: WorkspaceId, rows: Sequence[Values], key_id: UUID | None, now: datetime
) -> None:
    """Keep what was brought: ``kind, old_id, new_id, detail``."""
    parameters = {"rows": _json(rows), "workspace_id": workspace_id, "key_id": key_id, "now": now}
    conn.execute(_REMEMBER, parameters)


_REMEMBER = text("""
    INSERT INTO legacy_ids (workspace_id, kind, old_id, new_id, detail, key_id, at)
    SELECT DISTINCT ON (r.kind, r.old_id) :workspace_id, r.kind, r.old_id, r.new_id, coalesce(r.detail, '{}'),
           CAST(:key_id AS uuid), CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(kind text, old_id text, new_id uuid, detail jsonb)
    ORDER BY r.kind, r.old_id
    ON CONFLICT (workspace_id, kind, old_id) DO UPDATE
    SET new_id = excluded.new_id, key_id = excluded.key_id, at = excluded.at
""")


# --- content -----------------------------------------------------------------------------------------------------


def add_content(
    conn: Connection,
    workspace_id: WorkspaceId,
    templates: Sequence[Values],
    workflows: Sequence[Values],
    steps: Sequence[Values],
    now: datetime,
) -> None:
    """Add templates, workflows and their steps. Three statements."""
    parameters = {"workspace_id": workspace_id, "now": now}
    conn.execute(_ADD_TEMPLATES, parameters | {"rows": _json(templates)})
    conn.execute(_ADD_WORKFLOWS, parameters | {"rows": _json(workflows)})
    conn.execute(_ADD_STEPS, {"workspace_id": workspace_id, "rows": _json(steps)})


_ADD_TEMPLATES = text("""
    INSERT INTO templates (id, workspace_id, name, subject, text_body, html_body, created_at, updated_at)
    SELECT id, :workspace_id, name, subject, text_body, html_body, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id uuid, name text, subject text, text_body text, html_body text)
""")

_ADD_WORKFLOWS = text("""
    INSERT INTO workflows (id, workspace_id, name, created_at, updated_at)
    SELECT id, :workspace_id, name, CAST(:now AS timestamptz), CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, name text)
""")

_ADD_STEPS = text("""
    INSERT INTO workflow_steps (id, workspace_id, workflow_id, position, template_id, delay)
    SELECT id, :workspace_id, workflow_id, position, template_id, delay
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id uuid, workflow_id uuid, position int, template_id uuid, delay text)
""")


# --- sites -------------------------------------------------------------------------------------------------------


def add_sites(
    conn: Connection, workspace_id: WorkspaceId, sites: Sequence[Values], now: datetime
) -> tuple[dict[str, LeadId], set[str]]:
    """Add sites, or find them: by domain, each locked until the transaction ends; which ones are new. Two statements.

    Nothing is crawled: whoever wants a site's report asks for it.
    """
    parameters = {"rows": _json(sites), "workspace_id": workspace_id, "now": now}
    new = set(conn.execute(_ADD_SITES, parameters).scalars())
    domains = [site["domain"] for site in sites]
    found = conn.execute(_LOCK_SITES, {"workspace_id": workspace_id, "domains": domains})
    return {row.domain: LeadId(row.id) for row in found}, new


_ADD_SITES = text(f"""
    INSERT INTO leads (id, workspace_id, domain, url, company_name, status, created_at, updated_at)
    SELECT r.id, :workspace_id, r.domain, r.url, r.company, '{LeadStatus.NEW}', CAST(:now AS timestamptz),
           CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, domain text, url text, company text)
    ORDER BY r.domain
    ON CONFLICT (workspace_id, domain) DO NOTHING
    RETURNING domain
""")

_LOCK_SITES = text("""
    SELECT id, domain FROM leads WHERE workspace_id = :workspace_id AND domain = ANY(:domains) ORDER BY id FOR UPDATE
""")


# --- campaigns ---------------------------------------------------------------------------------------------------


def senders(conn: Connection, addresses: Iterable[str]) -> dict[str, SenderId]:
    """The sender identities with these addresses (lower case)."""
    query = text("SELECT id, lower(email) AS email FROM sender_identities WHERE lower(email) = ANY(:addresses)")
    rows = conn.execute(query, {"addresses": sorted(set(addresses))})
    return {row.email: SenderId(row.id) for row in rows}


def add_plans(
    conn: Connection, workspace_id: WorkspaceId, plans: Mapping[str, Values], now: datetime
) -> dict[str, PlanId]:
    """Store plans (``id, version, plan, source``) under their hashes; the same plan is stored once."""
    rows = [{"hash": plan_hash, **plan} for plan_hash, plan in sorted(plans.items())]
    parameters = {"rows": _json(rows), "workspace_id": workspace_id, "now": now}
    conn.execute(_ADD_PLANS, parameters)
    query = text("SELECT hash, id FROM campaign_plans WHERE workspace_id = :workspace_id AND hash = ANY(:hashes)")
    found = conn.execute(query, {"workspace_id": workspace_id, "hashes": list(plans)})
    return {row.hash: PlanId(row.id) for row in found}


_ADD_PLANS = text("""
    INSERT INTO campaign_plans (id, workspace_id, hash, version, plan, source, created_at)
    SELECT id, :workspace_id, hash, version, plan, source, CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, hash text, version text, plan jsonb, source text)
    ON CONFLICT (workspace_id, hash) DO NOTHING
""")


def add_campaigns(conn: Connection, workspace_id: WorkspaceId, rows: Sequence[Values], now: datetime) -> None:
    """Add campaigns by their columns."""
    conn.execute(_ADD_CAMPAIGNS, {"rows": _json(rows), "workspace_id": workspace_id, "now": now})


_ADD_CAMPAIGNS = text("""
    INSERT INTO campaigns (id, workspace_id, name, kind, type, status, status_reason, sender_id, template_id,
                           workflow_id, plan_id, brief, rules, daily_cap, created_at, started_at, paused_at,
                           finished_at, updated_at)
    SELECT id, :workspace_id, name, kind, type, status, status_reason, sender_id, template_id, workflow_id, plan_id,
           brief, rules, daily_cap, created_at, started_at, paused_at, finished_at, CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id uuid, name text, kind text, type text, status text, status_reason text, sender_id uuid,
             template_id uuid, workflow_id uuid, plan_id uuid, brief jsonb, rules jsonb, daily_cap int,
             created_at timestamptz, started_at timestamptz, paused_at timestamptz, finished_at timestamptz)
""")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a campaign stands here, locked until the transaction ends."""

    id: CampaignId
    status: CampaignStatus
    sender_id: SenderId | None


def lock_campaigns(conn: Connection, ids: Iterable[CampaignId]) -> dict[CampaignId, Standing]:
    """The campaigns, held so that none ends or starts before what is enrolled is there to be seen."""
    query = text("SELECT id, status, sender_id FROM campaigns WHERE id = ANY(:ids) ORDER BY id FOR NO KEY UPDATE")
    rows = conn.execute(query, {"ids": sorted(set(ids))})
    return {row.id: Standing(row.id, CampaignStatus(row.status), row.sender_id) for row in rows}


# --- enrolments --------------------------------------------------------------------------------------------------


def enrolled(conn: Connection, ids: Iterable[CampaignId]) -> dict[tuple[CampaignId, ContactId], EnrolmentId]:
    """Who is in these campaigns."""
    query = text("SELECT id, campaign_id, contact_id FROM contact_campaigns WHERE campaign_id = ANY(:ids)")
    rows = conn.execute(query, {"ids": sorted(set(ids))})
    return {(row.campaign_id, row.contact_id): EnrolmentId(row.id) for row in rows}


def add_enrolments(conn: Connection, workspace_id: WorkspaceId, rows: Sequence[Values], now: datetime) -> None:
    """Add draft enrolments (``id, campaign_id, contact_id, plan_id``) whose plans people have written."""
    conn.execute(_ADD_ENROLMENTS, {"rows": _json(rows), "workspace_id": workspace_id, "now": now})


_ADD_ENROLMENTS = text(f"""
    INSERT INTO contact_campaigns (id, workspace_id, campaign_id, contact_id, plan_id, status, approval, created_at)
    SELECT id, :workspace_id, campaign_id, contact_id, plan_id, '{EnrolmentStatus.DRAFT}', '{Approval.NOT_NEEDED}',
           CAST(:now AS timestamptz)
    FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r(id uuid, campaign_id uuid, contact_id uuid, plan_id uuid)
    ORDER BY id
""")


def add_messages(
    conn: Connection, workspace_id: WorkspaceId, messages: Sequence[Values], events: Sequence[Values], now: datetime
) -> None:
    """Add mails that another system has sent, or has not, and what it was told of them. Two statements.

    They belong to no sender here: what became of them says nothing of how ours are received.
    """
    parameters = {"workspace_id": workspace_id, "now": now, "provider": PROVIDER}
    conn.execute(_ADD_MESSAGES, parameters | {"rows": _json(messages)})
    conn.execute(_ADD_EVENTS, parameters | {"rows": _json(events)})


_ADD_MESSAGES = text(f"""
    INSERT INTO outbound_messages (id, workspace_id, enrolment_id, campaign_id, contact_id, node, visit, channel,
                                   status, due_at, queued_at, sent_at, claimed_at, finished_at, to_address, provider,
                                   provider_message_id, reason)
    SELECT r.id, :workspace_id, e.id, e.campaign_id, e.contact_id, r.node, r.visit, '{Channel.EMAIL}', r.status,
           r.due_at, r.due_at, r.sent_at, r.sent_at, coalesce(r.sent_at, CAST(:now AS timestamptz)),
           coalesce(k.email, ''), :provider, r.provider_message_id, r.reason
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(id uuid, enrolment_id uuid, node text, visit int, status text, due_at timestamptz, sent_at timestamptz,
             provider_message_id text, reason text)
    JOIN contact_campaigns e ON e.id = r.enrolment_id
    JOIN contacts k ON k.id = e.contact_id
""")

_ADD_EVENTS = text("""
    INSERT INTO message_events (workspace_id, message_id, provider, provider_event_id, kind, grade, grade_reasons, hard,
                                occurred_at, received_at, verdict)
    SELECT :workspace_id, message_id, :provider, CAST(message_id AS text) || ':' || kind, kind, grade,
           jsonb_build_array('imported: not graded'), hard, occurred_at, CAST(:now AS timestamptz), verdict
    FROM jsonb_to_recordset(CAST(:rows AS jsonb))
        AS r(message_id uuid, kind text, grade text, hard boolean, occurred_at timestamptz, verdict text)
    ORDER BY occurred_at
""")
