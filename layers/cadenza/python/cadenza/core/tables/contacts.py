"""People: who they are, and when they may not be written to."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from cadenza.core.states import AddressCheck, ConsentAct, ConsentBasis, SuppressionChannel
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
    Column("consent_basis", Text, nullable=False, server_default=text(f"'{ConsentBasis.NONE.value}'")),
    words("consent_source"),
    instant("consent_at", nullable=True),
    Column("address_check", Text, nullable=False, server_default=text(f"'{AddressCheck.UNCHECKED.value}'")),
    instant("address_checked_at", nullable=True),
    one_of("consent_basis", ConsentBasis),
    one_of("address_check", AddressCheck),
)
Index("uq_contacts_workspace_id_email", contacts.c.workspace_id, func.lower(contacts.c.email), unique=True)
Index("ix_contacts_lead_id", contacts.c.lead_id)
Index("ix_contacts_workspace_id_id", contacts.c.workspace_id, contacts.c.id)
Index(
    "ix_contacts_workspace_id_phone",
    contacts.c.workspace_id,
    contacts.c.phone,
    postgresql_where=text("phone IS NOT NULL"),
)

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
    words("note"),
    Column("created_by", Uuid, comment="the API key that added it; null: a signal, or an erasure"),
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

consent_log = Table(
    "consent_log",
    METADATA,
    public_id(),
    workspace_id(),
    state("act"),
    Column("contact_id", Uuid, comment="whose data was erased; null for a suppression"),
    words("channel"),
    words("address"),
    document("was"),
    words("reason"),
    Column("key_id", Uuid, comment="the API key that did it"),
    instant("at"),
    one_of("act", ConsentAct),
    comment="suppressions taken back and people erased: who, when, why",
)
Index("ix_consent_log_workspace_id_address", consent_log.c.workspace_id, consent_log.c.address)

erasure_salt = Table(
    "erasure_salt",
    METADATA,
    Column("one", Boolean, primary_key=True, server_default=text("true")),
    Column("salt", LargeBinary, nullable=False),
    CheckConstraint("one", name="one"),
    comment="one row: what makes fingerprint() hard to guess; no role but the owner may read it",
)
