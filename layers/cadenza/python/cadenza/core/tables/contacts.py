"""People: who they are, and when they may not be written to."""

from __future__ import annotations

from sqlalchemy import Column, Index, Integer, Table, Text, UniqueConstraint, func, text

from cadenza.core.states import SuppressionChannel
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

contacts = Table(
    "contacts",
    METADATA,
    public_id(),
    workspace_id(),
    reference("lead_id", "leads.id", nullable=True),
    Column("email", Text, comment="as found; null once erased or when only a phone is known"),
    Column("phone", Text, comment="E.164"),
    words("name"),
    words("first_name"),
    words("last_name"),
    words("title"),
    Column("role_rank", Integer, nullable=False, server_default=text("100"), comment="1 decides; generic ones last"),
    Column("kind", Text, nullable=False, server_default=text("'person'")),
    words("time_zone"),
    words("country"),
    words("language"),
    document("source"),
    instant("created_at"),
    instant("erased_at", nullable=True),
)
Index("uq_contacts_workspace_id_email", contacts.c.workspace_id, func.lower(contacts.c.email), unique=True)
Index("ix_contacts_lead_id", contacts.c.lead_id)

suppressions = Table(
    "suppressions",
    METADATA,
    public_id(),
    workspace_id(),
    state("channel"),
    Column("address", Text, nullable=False, comment="lower-case address, E.164 number or domain"),
    words("reason"),
    words("source"),
    instant("created_at"),
    UniqueConstraint("workspace_id", "channel", "address"),
    one_of("channel", SuppressionChannel),
)

holds = Table(
    "holds",
    METADATA,
    public_id(),
    workspace_id(),
    reference("contact_id", "contacts.id"),
    instant("until"),
    words("reason"),
    instant("created_at"),
    UniqueConstraint("contact_id"),
)
