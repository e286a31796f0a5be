"""Campaigns, their content, their immutable plans, and who is enrolled."""

from __future__ import annotations

from sqlalchemy import (
    CHAR,
    TIMESTAMP,
    CheckConstraint,
    Column,
    Computed,
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

from cadenza.core.states import (
    TURN_OPEN,
    Approval,
    ApprovalAct,
    ApprovalMode,
    CampaignKind,
    CampaignStatus,
    CampaignType,
    CompanyOrder,
    EnrolmentStatus,
    TurnStatus,
)
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
Index("ix_templates_workspace_id", templates.c.workspace_id)

workflows = Table(
    "workflows", METADATA, public_id(), workspace_id(), words("name"), instant("created_at"), instant("updated_at")
)
Index("ix_workflows_workspace_id", workflows.c.workspace_id)

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
Index("ix_workflow_steps_template_id", workflow_steps.c.template_id)

campaigns = Table(
    "campaigns",
    METADATA,
    public_id(),
    workspace_id(),
    words("name"),
    state("kind"),
    Column("type", Text, nullable=False, server_default=text(f"'{CampaignType.OUTREACH.value}'")),
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
    Column("approval_mode", Text, comment="null: the workspace's; of the two the stricter holds"),
    Column("approval_first_n", Integer, nullable=False, server_default=text("0")),
    instant("skip_due_before", nullable=True),
    Column(
        "plan_id",
        Uuid,
        ForeignKey("campaign_plans.id"),
        comment="what its template or workflow compiles to; fixed by the start; null: none yet",
    ),
    Column("intake_closed_at", TIMESTAMP(timezone=True), comment="since then it takes nobody in; null: it does"),
    document("intake", comment="whom a fully automated campaign takes by itself"),
    Column("company_order", Text, nullable=False, server_default=text(f"'{CompanyOrder.TOGETHER.value}'")),
    Column(
        "company_gap",
        Text,
        nullable=False,
        server_default=text("'P3D'"),
        comment="ISO 8601; between two people of one company",
    ),
    one_of("company_order", CompanyOrder),
    one_of("kind", CampaignKind),
    one_of("type", CampaignType),
    one_of("status", CampaignStatus),
    one_of("approval_mode", ApprovalMode),
)
Index("ix_campaigns_workspace_id", campaigns.c.workspace_id)
for _name in ("template_id", "workflow_id", "plan_id"):
    Index(f"ix_campaigns_{_name}", campaigns.c[_name], postgresql_where=text(f"{_name} IS NOT NULL"))
Index(
    "ix_campaigns_starts_at",
    campaigns.c.starts_at,
    postgresql_where=text(f"status = {literals(CampaignStatus.SCHEDULED)}"),
)

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

campaign_turns = Table(
    "campaign_turns",
    METADATA,
    Column("campaign_id", Uuid, ForeignKey("campaigns.id"), nullable=False),
    Column("contact_id", Uuid, ForeignKey("contacts.id"), nullable=False),
    workspace_id(),
    reference("lead_id", "leads.id"),
    state(),
    words("reason"),
    Column("due_at", TIMESTAMP(timezone=True), comment="when they are next; null: somebody is before them"),
    instant("created_at"),
    instant("ended_at", nullable=True),
    PrimaryKeyConstraint("campaign_id", "contact_id"),
    one_of("status", TurnStatus),
    comment="whose turn it is, where a campaign takes the people of a company one after another",
)
_OPEN_TURN = f"status IN ({literals(*TURN_OPEN)})"
Index(
    "uq_campaign_turns_next",
    campaign_turns.c.campaign_id,
    campaign_turns.c.lead_id,
    unique=True,
    postgresql_where=text(f"due_at IS NOT NULL AND {_OPEN_TURN}"),
)
Index(
    "ix_campaign_turns_open",
    campaign_turns.c.campaign_id,
    campaign_turns.c.lead_id,
    postgresql_where=text(_OPEN_TURN),
)
Index(
    "ix_campaign_turns_due_at",
    campaign_turns.c.due_at,
    postgresql_where=text(f"status = {literals(TurnStatus.WAITING)}"),
)
Index("ix_campaign_turns_lead_id", campaign_turns.c.lead_id)

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
    Column("shape", Text, Computed("plan_shape(plan)", persisted=True)),
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
    Column("approval", Text, nullable=False, server_default=text(f"'{Approval.NOT_NEEDED.value}'")),
    UniqueConstraint("campaign_id", "contact_id"),
    one_of("status", EnrolmentStatus),
    one_of("approval", Approval),
    CheckConstraint(
        f"approval NOT IN ({literals(Approval.WANTED, Approval.REJECTED)})"
        f" OR status IN ({literals(EnrolmentStatus.DRAFT, EnrolmentStatus.STOPPED)})",
        name="asked_first",
    ),
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
Index(
    "ix_contact_campaigns_wanted",
    contact_campaigns.c.workspace_id,
    contact_campaigns.c.id,
    postgresql_where=text(f"approval = {literals(Approval.WANTED)} AND status = {literals(EnrolmentStatus.DRAFT)}"),
)
Index(
    "ix_contact_campaigns_approved",
    contact_campaigns.c.campaign_id,
    postgresql_where=text(f"approval = {literals(Approval.APPROVED)}"),
)

approval_log = Table(
    "approval_log",
    METADATA,
    public_id(),
    workspace_id(),
    reference("enrolment_id", "contact_campaigns.id"),
    state("act"),
    Column("plan_id", Uuid, nullable=False, comment="no foreign key: an erasure takes plans away"),
    Column("key_id", Uuid, comment="the API key that did it; null: nobody, it follows from others' approval"),
    words("reason"),
    instant("at"),
    one_of("act", ApprovalAct),
    comment="append-only: who changed, approved and rejected drafts",
)
Index("ix_approval_log_enrolment_id", approval_log.c.enrolment_id)
