"""Campaigns, their content, their immutable plans, and who is enrolled."""

from __future__ import annotations

from sqlalchemy import (
    CHAR,
    Column,
    ForeignKey,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)

from cadenza.core.states import CampaignKind, CampaignStatus, EnrolmentStatus
from cadenza.core.tables.base import (
    METADATA,
    document,
    instant,
    literals,
    one_of,
    public_id,
    reference,
    state,
    words,
    workspace_id,
)

templates = Table(
    "templates",
    METADATA,
    public_id(),
    workspace_id(),
    words("name"),
    words("subject"),
    words("text_body"),
    words("html_body"),
    instant("created_at"),
    instant("updated_at"),
)

workflows = Table("workflows", METADATA, public_id(), workspace_id(), words("name"), instant("created_at"))

workflow_steps = Table(
    "workflow_steps",
    METADATA,
    public_id(),
    workspace_id(),
    reference("workflow_id", "workflows.id", cascade=True),
    Column("position", Integer, nullable=False),
    reference("template_id", "templates.id"),
    Column("delay", Text, nullable=False, comment="ISO 8601 duration after the step before"),
    UniqueConstraint("workflow_id", "position"),
)

campaigns = Table(
    "campaigns",
    METADATA,
    public_id(),
    workspace_id(),
    words("name"),
    state("kind"),
    words("type"),
    state(),
    reference("sender_id", "sender_identities.id", nullable=True),
    reference("template_id", "templates.id", nullable=True),
    reference("workflow_id", "workflows.id", nullable=True),
    document("brief"),
    document("rules"),
    Column("daily_cap", Integer, comment="messages a day; null: no cap"),
    instant("starts_at", nullable=True),
    instant("started_at", nullable=True),
    instant("paused_at", nullable=True),
    instant("resumed_at", nullable=True),
    instant("finished_at", nullable=True),
    words("status_reason"),
    instant("created_at"),
    instant("updated_at"),
    instant("skip_due_before", nullable=True),
    one_of("kind", CampaignKind),
    one_of("status", CampaignStatus),
)
Index("ix_campaigns_workspace_id", campaigns.c.workspace_id)

campaign_leads = Table(
    "campaign_leads",
    METADATA,
    Column("campaign_id", Uuid, ForeignKey("campaigns.id"), nullable=False),
    Column("lead_id", Uuid, ForeignKey("leads.id"), nullable=False),
    workspace_id(),
    instant("created_at"),
    PrimaryKeyConstraint("campaign_id", "lead_id"),
    comment="which sites a campaign takes its contacts from",
)
Index("ix_campaign_leads_lead_id", campaign_leads.c.lead_id)

campaign_plans = Table(
    "campaign_plans",
    METADATA,
    public_id(),
    workspace_id(),
    Column("hash", CHAR(64), nullable=False, comment="SHA-256 of the canonical JSON"),
    Column("version", Text, nullable=False),
    document("plan"),
    words("source"),
    instant("created_at"),
    UniqueConstraint("workspace_id", "hash"),
)

contact_campaigns = Table(
    "contact_campaigns",
    METADATA,
    public_id(),
    workspace_id(),
    reference("campaign_id", "campaigns.id"),
    reference("contact_id", "contacts.id"),
    reference("plan_id", "campaign_plans.id"),
    state(),
    words("current_node"),
    Column("visit", Integer, nullable=False, server_default=text("0"), comment="nodes entered so far"),
    instant("entered_at", nullable=True),
    instant("anchor_at", nullable=True),
    Column("seq", Integer, nullable=False, server_default=text("0"), comment="audit rows written so far"),
    Column("last_message_id", Uuid, comment="the outbox row that a wait node listens to"),
    words("reason"),
    instant("created_at"),
    instant("finished_at", nullable=True),
    UniqueConstraint("campaign_id", "contact_id"),
    one_of("status", EnrolmentStatus),
    postgresql_with={"fillfactor": 80},
    comment="enrolments; moves stay HOT because nothing that a move changes is indexed",
)
Index("ix_contact_campaigns_contact_id", contact_campaigns.c.contact_id)
Index(
    "ix_contact_campaigns_open",
    contact_campaigns.c.campaign_id,
    postgresql_where=text(f"status IN ({literals(EnrolmentStatus.DRAFT, EnrolmentStatus.ACTIVE)})"),
)
Index(
    "ix_contact_campaigns_draft",
    contact_campaigns.c.campaign_id,
    postgresql_where=text(f"status = {literals(EnrolmentStatus.DRAFT)}"),
)
