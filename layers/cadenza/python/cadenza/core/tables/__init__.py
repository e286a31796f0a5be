"""The schema, in SQLAlchemy Core: one module a concept, partial indexes beside the tables they serve.

Importing this package defines every table on `METADATA`. What it cannot say (row-level security, roles, the
authentication function) stands in ``migrations/versions`` and is checked by tests against the catalogue.
"""

from cadenza.core.tables.base import METADATA
from cadenza.core.tables.campaigns import (
    approval_log,
    campaign_leads,
    campaign_plans,
    campaign_turns,
    campaigns,
    contact_campaigns,
    templates,
    workflow_steps,
    workflows,
)
from cadenza.core.tables.contacts import consent_log, contacts, erasure_salt, holds, suppressions
from cadenza.core.tables.delivery import (
    message_events,
    outbound_messages,
    provider_quotas,
    send_quota,
    sender_identities,
)
from cadenza.core.tables.execution import campaign_transitions, finished_actions, scheduled_actions
from cadenza.core.tables.leads import crawl_deliveries, lead_analyses, lead_batches, lead_pages, leads
from cadenza.core.tables.operations import (
    ai_calls,
    ai_usage,
    audit_log,
    circuit_breakers,
    heartbeats,
    idempotency_keys,
    job_retries,
    jobs,
    legacy_ids,
)
from cadenza.core.tables.tenancy import api_keys, automation_settings, key_buckets, workspaces

__all__ = [
    "METADATA",
    "ai_calls",
    "ai_usage",
    "api_keys",
    "approval_log",
    "audit_log",
    "automation_settings",
    "campaign_leads",
    "campaign_plans",
    "campaign_transitions",
    "campaign_turns",
    "campaigns",
    "circuit_breakers",
    "consent_log",
    "contact_campaigns",
    "contacts",
    "crawl_deliveries",
    "erasure_salt",
    "finished_actions",
    "heartbeats",
    "holds",
    "idempotency_keys",
    "job_retries",
    "jobs",
    "key_buckets",
    "lead_analyses",
    "lead_batches",
    "lead_pages",
    "leads",
    "legacy_ids",
    "message_events",
    "outbound_messages",
    "provider_quotas",
    "scheduled_actions",
    "send_quota",
    "sender_identities",
    "suppressions",
    "templates",
    "workflow_steps",
    "workflows",
    "workspaces",
]
