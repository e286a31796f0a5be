"""What operators look at: jobs, signs of life, breakers, the price of AI."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
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
from sqlalchemy.dialects.postgresql import JSONB

from cadenza.core.states import JOB_ENDED_BADLY, AiOutcome, AuditAct, JobKind, JobStatus
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
    Column("attempts_made", Integer, nullable=False, server_default=text("0"), comment="failed ones before this run"),
    words("reason"),
    document("result"),
    instant("queued_at"),
    instant("started_at", nullable=True),
    instant("finished_at", nullable=True),
    instant("next_attempt_at", nullable=True),
    Column(
        "runs",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="how often it was begun: whoever began it last may end it",
    ),
    UniqueConstraint("kind", "business_key"),
    one_of("kind", JobKind),
    one_of("status", JobStatus),
)
Index("ix_jobs_workspace_id_queued_at", jobs.c.workspace_id, jobs.c.queued_at)
Index("ix_jobs_campaign_id", jobs.c.campaign_id, jobs.c.status)
Index("ix_jobs_lead_id", jobs.c.lead_id)
Index("ix_jobs_contact_id", jobs.c.contact_id, postgresql_where=text("contact_id IS NOT NULL"))
Index(
    "ix_jobs_queued",
    jobs.c.workspace_id,
    jobs.c.kind,
    jobs.c.next_attempt_at,
    postgresql_where=text(f"status = {literals(JobStatus.QUEUED)}"),
)
Index(
    "ix_jobs_ended_badly",
    jobs.c.workspace_id,
    jobs.c.id,
    postgresql_where=text(f"status IN ({literals(*JOB_ENDED_BADLY)})"),
)
Index("ix_jobs_active", jobs.c.started_at, postgresql_where=text(f"status = {literals(JobStatus.ACTIVE)}"))

job_retries = Table(
    "job_retries",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    workspace_id(),
    reference("job_id", "jobs.id", cascade=True),
    state("kind"),
    state(),
    words("reason"),
    instant("at"),
    one_of("kind", JobKind),
    one_of("status", JobStatus),
    comment="jobs that were asked for again after they had ended badly, and how they had ended",
)
Index("ix_job_retries_workspace_id_at", job_retries.c.workspace_id, job_retries.c.at)
Index("ix_job_retries_job_id", job_retries.c.job_id, job_retries.c.id)

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
    Column("provider", Text, primary_key=True),
    Column("failures", Integer, nullable=False, server_default=text("0"), comment="in a row"),
    instant("open_until", nullable=True),
    words("reason"),
    instant("updated_at"),
    comment="of the installation, not of a workspace: all share the provider; open_until null: closed",
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
    Column("outcome", Text, nullable=False, server_default=text(f"'{AiOutcome.ANSWERED.value}'")),
    Column("took_ms", Integer, comment="null: nobody knows"),
    Column("priced", Boolean, nullable=False, server_default=text("true"), comment="false: the price is not known"),
    one_of("outcome", AiOutcome),
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

ai_calls = Table(
    "ai_calls",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    workspace_id(),
    state("job_kind"),
    Column("job_key", Text, nullable=False),
    Column("request_hash", Text, nullable=False, comment="SHA-256 of all that is asked"),
    Column("lead_id", Uuid),
    Column("contact_id", Uuid),
    words("provider"),
    words("model"),
    words("prompt_version"),
    Column("reserved_usd_micros", BigInteger, nullable=False, comment="the most that it can cost"),
    instant("begun_at"),
    instant("expires_at"),
    Column("answer", JSONB, comment="kept until its job ends, so that it is paid for once; null: under way"),
    UniqueConstraint("job_kind", "job_key", "request_hash"),
    comment="calls of a model under way, and answers whose job has not ended",
)
Index("ix_ai_calls_under_way", ai_calls.c.workspace_id, ai_calls.c.expires_at, postgresql_where=text("answer IS NULL"))

audit_log = Table(
    "audit_log",
    METADATA,
    public_id(),
    workspace_id(),
    state("act"),
    Column("key_id", Uuid, comment="the API key that did it; null: nobody, the system did"),
    Column("subject_id", Uuid, comment="what it was done to, if that is one thing"),
    document("detail"),
    instant("at"),
    one_of("act", AuditAct),
    comment="append-only: what operators did, by which key",
)
Index("ix_audit_log_workspace_id_id", audit_log.c.workspace_id, audit_log.c.id)
Index("ix_audit_log_subject_id", audit_log.c.subject_id)

legacy_ids = Table(
    "legacy_ids",
    METADATA,
    workspace_id(),
    Column("kind", Text, nullable=False),
    Column("old_id", Text, nullable=False, comment="there; a digest of what names it, where it had none"),
    Column("new_id", Uuid, nullable=False),
    document("detail"),
    Column("key_id", Uuid, comment="the API key that brought it; null: the command"),
    instant("at"),
    PrimaryKeyConstraint("workspace_id", "kind", "old_id"),
    comment="what imports from other systems have brought, so that none brings it twice",
)
Index("ix_legacy_ids_new_id", legacy_ids.c.new_id)
