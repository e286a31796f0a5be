"""What operators look at: jobs, signs of life, breakers, the price of AI."""

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
    Uuid,
    text,
)

from cadenza.core.states import JobKind, JobStatus
from cadenza.core.tables.base import METADATA, document, instant, one_of, public_id, state, words, workspace_id

jobs = Table(
    "jobs",
    METADATA,
    public_id(),
    workspace_id(),
    state("kind"),
    Column("business_key", Text, nullable=False, comment="what makes two requests the same work"),
    Column("lead_id", Uuid, comment="no foreign key: a job may be about a lead that never existed"),
    Column("contact_id", Uuid),
    Column("campaign_id", Uuid),
    state(),
    Column("attempts_made", Integer, nullable=False, server_default=text("0"), comment="failed attempts so far"),
    words("reason"),
    document("result"),
    instant("queued_at"),
    instant("started_at", nullable=True),
    instant("finished_at", nullable=True),
    instant("next_attempt_at", nullable=True),
    UniqueConstraint("kind", "business_key"),
    one_of("kind", JobKind),
    one_of("status", JobStatus),
)
Index("ix_jobs_workspace_id_queued_at", jobs.c.workspace_id, jobs.c.queued_at)
Index("ix_jobs_campaign_id", jobs.c.campaign_id, jobs.c.status)
Index("ix_jobs_lead_id", jobs.c.lead_id)

heartbeats = Table(
    "heartbeats",
    METADATA,
    Column("worker", Text, primary_key=True, comment="a function's name"),
    instant("at"),
    document("detail"),
    comment="of the installation, not of a workspace",
)

circuit_breakers = Table(
    "circuit_breakers",
    METADATA,
    Column("workspace_id", Uuid, nullable=False),
    Column("provider", Text, nullable=False),
    Column("failures", Integer, nullable=False, server_default=text("0")),
    instant("open_until", nullable=True),
    words("reason"),
    instant("updated_at"),
    PrimaryKeyConstraint("workspace_id", "provider"),
)

ai_usage = Table(
    "ai_usage",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    workspace_id(),
    Column("lead_id", Uuid),
    Column("contact_id", Uuid),
    words("purpose"),
    words("model"),
    words("prompt_version"),
    Column("input_tokens", Integer, nullable=False),
    Column("output_tokens", Integer, nullable=False),
    Column("cost_usd_micros", BigInteger, nullable=False),
    instant("at"),
)
Index("ix_ai_usage_workspace_id_at", ai_usage.c.workspace_id, ai_usage.c.at)

idempotency_keys = Table(
    "idempotency_keys",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    workspace_id(),
    Column("key", Text, nullable=False, comment="the header Idempotency-Key"),
    Column("request_hash", Text, nullable=False, comment="SHA-256 of what was asked for"),
    Column("attempt_id", Uuid, nullable=False, comment="the one attempt that may carry it out"),
    instant("claimed_at"),
    instant("carried_out_at", nullable=True),
    Column("status", Integer, comment="of the answer; null: there is none yet"),
    words("media_type"),
    words("answer"),
    UniqueConstraint("workspace_id", "key"),
    comment="requests that must not be carried out twice, and what they were answered",
)
Index("ix_idempotency_keys_claimed_at", idempotency_keys.c.claimed_at)
