"""Company sites: imports, crawled pages, analyses."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from cadenza.core.states import BatchStatus, LeadStatus
from cadenza.core.tables.base import (
    METADATA,
    document,
    instant,
    one_of,
    public_id,
    reference,
    state,
    words,
    workspace_id,
)

lead_batches = Table(
    "lead_batches",
    METADATA,
    public_id(),
    workspace_id(),
    words("source"),
    state(),
    Column("total_rows", Integer, nullable=False),
    document("report"),
    instant("created_at"),
    reference("campaign_id", "campaigns.id", nullable=True),
    document("counts"),
    instant("handed_out_at", nullable=True),
    one_of("status", BatchStatus),
)
Index(
    "ix_lead_batches_running",
    lead_batches.c.created_at,
    postgresql_where=text(f"status = '{BatchStatus.RUNNING.value}'"),
)

leads = Table(
    "leads",
    METADATA,
    public_id(),
    workspace_id(),
    reference("batch_id", "lead_batches.id", nullable=True),
    Column("domain", Text, nullable=False, comment="normalised: lower case, IDNA, no www"),
    Column("url", Text, nullable=False),
    words("company_name"),
    state(),
    Column("crawl_id", Text, comment="the provider's id of the crawl under way or last finished"),
    instant("crawl_started_at", nullable=True),
    words("failure_reason"),
    instant("created_at"),
    instant("updated_at"),
    UniqueConstraint("workspace_id", "domain"),
    one_of("status", LeadStatus),
)
Index("ix_leads_batch_id", leads.c.batch_id)

crawl_deliveries = Table(
    "crawl_deliveries",
    METADATA,
    workspace_id(),
    reference("lead_id", "leads.id", cascade=True),
    Column(
        "delivery_id", Text, nullable=False, comment="the provider's id of its webhook call; a repetition has the same"
    ),
    Column("crawl_id", Text, nullable=False),
    Column("event", Text, nullable=False),
    instant("at"),
    PrimaryKeyConstraint("lead_id", "delivery_id"),
    comment="what a crawl provider has reported, and has had its effect",
)

lead_pages = Table(
    "lead_pages",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    workspace_id(),
    reference("lead_id", "leads.id", cascade=True),
    Column("url", Text, nullable=False),
    document("page"),
    instant("fetched_at"),
    UniqueConstraint("lead_id", "url"),
)

lead_analyses = Table(
    "lead_analyses",
    METADATA,
    public_id(),
    workspace_id(),
    reference("lead_id", "leads.id", cascade=True),
    Column("input_hash", Text, nullable=False, comment="SHA-256 of the pages and of what analyses them"),
    document("report"),
    document("stats"),
    words("model"),
    words("prompt_version"),
    Column("cost_usd_micros", BigInteger, nullable=False),
    instant("created_at"),
    UniqueConstraint("lead_id", "input_hash"),
)
