"""The outbox, what providers reported, who sends and how much."""

from __future__ import annotations

from sqlalchemy import (
    TIMESTAMP,
    BigInteger,
    Boolean,
    Column,
    Date,
    Identity,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)

from cadenza.core.states import MESSAGE_NOT_SENT, Channel, MessageStatus
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

sender_identities = Table(
    "sender_identities",
    METADATA,
    public_id(),
    workspace_id(),
    words("name"),
    Column("email", Text, nullable=False),
    words("reply_to"),
    words("company"),
    words("postal_address"),
    Column("provider", Text, nullable=False, server_default=text("'ses'")),
    document("provider_settings"),
    Column("daily_cap", Integer, comment="messages a day; null: no cap"),
    document("warm_up"),
    instant("paused_at", nullable=True),
    words("paused_reason"),
    instant("resumed_at", nullable=True),
    instant("created_at"),
    UniqueConstraint("workspace_id", "email"),
)
Index("ix_sender_identities_email", func.lower(sender_identities.c.email))
Index(
    "ix_sender_identities_reply_to",
    func.lower(sender_identities.c.reply_to),
    postgresql_where=text("reply_to <> ''"),
)

outbound_messages = Table(
    "outbound_messages",
    METADATA,
    public_id(),
    Column("workspace_id", Uuid, nullable=False),
    reference("enrolment_id", "contact_campaigns.id"),
    Column("campaign_id", Uuid, nullable=False),
    Column("contact_id", Uuid, nullable=False),
    reference("sender_id", "sender_identities.id", nullable=True),
    Column("node", Text, nullable=False),
    Column("visit", Integer, nullable=False),
    state("channel"),
    state(),
    instant("due_at"),
    instant("closes_at", nullable=True),
    instant("queued_at"),
    instant("enqueued_at", nullable=True),
    Column("attempt_id", Uuid, comment="the one provider call that may be under way"),
    Column("resends", Integer, nullable=False, server_default=text("0"), comment="by the policy for unknown ends"),
    instant("lease_until", nullable=True),
    instant("sent_at", nullable=True),
    instant("finished_at", nullable=True),
    words("to_address"),
    words("subject"),
    words("provider"),
    Column("provider_message_id", Text),
    words("reason"),
    Column("claimed_at", TIMESTAMP(timezone=True), comment="since when its provider has it, or may have it"),
    Column(
        "recipient_domain",
        Text,
        nullable=False,
        server_default=text("''"),
        comment="of a claimed mail; empty for a number and at a mailbox provider",
    ),
    Column("booked_on", Date, comment="UTC day in whose caps it has a place: today's were used up"),
    UniqueConstraint("enrolment_id", "node", "visit"),
    one_of("channel", Channel),
    one_of("status", MessageStatus),
    comment="the outbox: a row is handed to a provider at most once",
)
Index(
    "ix_outbound_messages_queued",
    outbound_messages.c.due_at,
    postgresql_where=text(f"status = {literals(MessageStatus.QUEUED)}"),
)
Index(
    "ix_outbound_messages_sending",
    outbound_messages.c.lease_until,
    postgresql_where=text(f"status IN ({literals(MessageStatus.SENDING, MessageStatus.UNKNOWN)})"),
)
Index(
    "ix_outbound_messages_not_sent",
    outbound_messages.c.workspace_id,
    outbound_messages.c.id,
    postgresql_where=text(f"status IN ({literals(*MESSAGE_NOT_SENT)})"),
)
Index("ix_outbound_messages_campaign_id", outbound_messages.c.campaign_id, outbound_messages.c.status)
Index("ix_outbound_messages_contact_id", outbound_messages.c.contact_id)
Index(
    "ix_outbound_messages_counted",
    outbound_messages.c.workspace_id,
    func.coalesce(outbound_messages.c.sent_at, outbound_messages.c.queued_at),
)
Index(
    "ix_outbound_messages_recipient_domain",
    outbound_messages.c.workspace_id,
    outbound_messages.c.recipient_domain,
    outbound_messages.c.claimed_at,
    postgresql_where=text("recipient_domain <> ''"),
)
Index(
    "ix_outbound_messages_booked",
    outbound_messages.c.sender_id,
    outbound_messages.c.booked_on,
    postgresql_where=text(f"status = {literals(MessageStatus.QUEUED)} AND booked_on IS NOT NULL"),
)
Index(
    "ix_outbound_messages_provider_message_id",
    outbound_messages.c.provider_message_id,
    postgresql_where=text("provider_message_id IS NOT NULL"),
)

message_events = Table(
    "message_events",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("workspace_id", Uuid, nullable=False),
    reference("message_id", "outbound_messages.id"),
    Column("provider", Text, nullable=False),
    Column("provider_event_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("grade", Text, nullable=False),
    document("grade_reasons", "[]"),
    Column("hard", Boolean, comment="bounces: permanent or transient"),
    instant("occurred_at"),
    instant("received_at"),
    words("verdict"),
    document("payload"),
    UniqueConstraint("provider", "provider_event_id"),
)
Index("ix_message_events_message_id", message_events.c.message_id, message_events.c.occurred_at)
Index(
    "ix_message_events_replied",
    message_events.c.workspace_id,
    message_events.c.message_id,
    postgresql_where=text("kind = 'replied' AND grade = 'human'"),
)

send_quota = Table(
    "send_quota",
    METADATA,
    Column("scope", Text, nullable=False, comment="workspace, campaign or sender"),
    Column("scope_id", Uuid, nullable=False),
    Column("day", Date, nullable=False, comment="UTC day"),
    workspace_id(),
    Column("used", Integer, nullable=False),
    Column(
        "forgiven",
        Integer,
        nullable=False,
        server_default=text("0"),
        comment="of used: what no longer counts for the reputation, since a person resumed the scope",
    ),
    PrimaryKeyConstraint("scope", "scope_id", "day"),
)

provider_quotas = Table(
    "provider_quotas",
    METADATA,
    Column("provider", Text, primary_key=True),
    Column("a_day", BigInteger, comment="messages in any 24 hours; null: no limit"),
    Column("claimed", BigInteger, nullable=False, server_default=text("0"), comment="messages claimed for it, ever"),
    Column("allowed", BigInteger, comment="up to where claimed may go until the next reading"),
    instant("read_at"),
    comment="of the installation: what a provider's account allows over all workspaces",
)
