"""Workspaces, their keys and their settings."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    Index,
    Integer,
    Numeric,
    SmallInteger,
    Table,
    Text,
    Time,
    Uuid,
    text,
)
from sqlalchemy import ForeignKey as References
from sqlalchemy.dialects.postgresql import ARRAY

from cadenza.core.states import ApprovalMode, Role, UnknownPolicy
from cadenza.core.tables.base import METADATA, document, instant, one_of, public_id, state, words, workspace_id

workspaces = Table("workspaces", METADATA, public_id(), words("name"), instant("created_at"))

api_keys = Table(
    "api_keys",
    METADATA,
    public_id(),
    workspace_id(),
    words("name"),
    Column("key_hash", Text, nullable=False, unique=True, comment="SHA-256, hex; the key itself is shown once"),
    state("role"),
    instant("created_at"),
    instant("revoked_at", nullable=True),
    Column(
        "prefix",
        Text,
        nullable=False,
        server_default=text("''"),
        comment="how the key begins, for people to tell keys apart",
    ),
    Column("rate_per_s", Double, comment="requests a second in the long run; null: the installation's"),
    Column("burst", Integer, comment="requests at once; null: the installation's"),
    Column("last_used_on", Date, comment="the UTC day; written once a day"),
    one_of("role", Role),
)
Index("ix_api_keys_workspace_id_id", api_keys.c.workspace_id, api_keys.c.id)

key_buckets = Table(
    "key_buckets",
    METADATA,
    Column("key_id", Uuid, References("api_keys.id"), primary_key=True),
    instant("full_at"),
    prefixes=["UNLOGGED"],
    comment="when each API key will have its whole burst again",
)

automation_settings = Table(
    "automation_settings",
    METADATA,
    Column("workspace_id", Uuid, References("workspaces.id"), primary_key=True),
    Column("enabled", Boolean, nullable=False, server_default=text("true")),
    Column("working_hours_start", Time),
    Column("working_hours_end", Time),
    Column("working_days", ARRAY(SmallInteger), nullable=False, server_default=text("'{1,2,3,4,5,6,7}'::smallint[]")),
    words("holidays_country"),
    Column("extra_holidays", ARRAY(Date), nullable=False, server_default=text("'{}'::date[]")),
    Column("daily_cap", Integer, comment="messages a day over the workspace; null: no cap"),
    Column("stagger_s", Integer, nullable=False, server_default=text("5"), comment="between two plans of one lead"),
    Column("approval_mode", Text, nullable=False, server_default=text(f"'{ApprovalMode.AUTOMATIC.value}'")),
    Column("approval_first_n", Integer, nullable=False, server_default=text("0")),
    Column("stop_company_on_reply", Boolean, nullable=False, server_default=text("false")),
    Column(
        "soft_bounce_limit",
        Integer,
        server_default=text("3"),
        comment="the soft bounce of an address that acts as a hard one; null: none does",
    ),
    Column(
        "soft_bounce_days",
        Integer,
        nullable=False,
        server_default=text("30"),
        comment="soft bounces count together within this many days",
    ),
    Column(
        "absence_days",
        Integer,
        nullable=False,
        server_default=text("7"),
        comment="how long an absence without a date holds a person",
    ),
    Column(
        "scan_window_s",
        Integer,
        nullable=False,
        server_default=text("60"),
        comment="opens and clicks this soon after delivery are taken for a scanner's; 0: none are",
    ),
    Column("unknown_bound_s", Integer, nullable=False, server_default=text("86400")),
    Column("unknown_policy", Text, nullable=False, server_default=text(f"'{UnknownPolicy.FAIL.value}'")),
    Column("offline_fallback", Boolean, nullable=False, server_default=text("true")),
    Column("ai_daily_budget_usd_micros", BigInteger, comment="null: no limit"),
    Column("retry_when_budget_renews", Boolean, nullable=False, server_default=text("false")),
    instant("updated_at"),
    Column(
        "contact_gap_s",
        Integer,
        nullable=False,
        server_default=text("86400"),
        comment="between messages of two campaigns to one person",
    ),
    Column("frequency_cap", Integer, comment="messages to one person in frequency_days; null: no cap"),
    Column("frequency_days", Integer, nullable=False, server_default=text("7")),
    Column("domain_gap_s", Integer, nullable=False, server_default=text("0"), comment="between mails to one domain"),
    Column("max_bounce_percent", Numeric(5, 2), server_default=text("4"), comment="null: bounces pause nothing"),
    Column(
        "max_complaint_percent", Numeric(5, 2), server_default=text("0.08"), comment="null: complaints pause nothing"
    ),
    Column("reputation_days", Integer, nullable=False, server_default=text("7")),
    Column("reputation_min_sent", Integer, nullable=False, server_default=text("100")),
    document("country_policy"),
    Column("ai_concurrency", Integer, nullable=False, server_default=text("5"), comment="AI calls at once"),
    Column("lead_stagger_s", Integer, nullable=False, server_default=text("1"), comment="between crawls of new leads"),
    one_of("approval_mode", ApprovalMode),
    one_of("unknown_policy", UnknownPolicy),
)
