"""What the engine will do, what it has done, and why."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Identity, Index, Integer, Table, Text, UniqueConstraint, Uuid, text
from sqlalchemy import ForeignKey as References

from cadenza.core.states import ActionKind, ActionOutcome, ActionStatus
from cadenza.core.tables.base import METADATA, document, instant, literals, one_of, reference, state, words

DROPPED_SEND = f"""
    kind = {literals(ActionKind.SEND)} AND outcome = {literals(ActionOutcome.CANCELLED)}
    AND reason IN ('skipped', 'no_window')
"""
"""Of `finished_actions`: sends that ended without a message, made stale by a pause or without a window that opens."""

# The hot tables reference the enrolment only: its own foreign keys vouch for workspace and campaign.

scheduled_actions = Table(
    "scheduled_actions",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("workspace_id", Uuid, nullable=False),
    reference("enrolment_id", "contact_campaigns.id"),
    Column("campaign_id", Uuid, nullable=False),
    Column("node", Text, nullable=False),
    Column("visit", Integer, nullable=False),
    state("kind"),
    words("event"),
    instant("due_at"),
    instant("closes_at", nullable=True),
    document("why", "[]"),
    state(),
    instant("enqueued_at", nullable=True),
    instant("created_at"),
    UniqueConstraint("enrolment_id", "node", "visit", "kind", "event"),
    one_of("kind", ActionKind),
    one_of("status", ActionStatus),
    comment="live work only",
)
Index(
    "ix_scheduled_actions_pending",
    scheduled_actions.c.due_at,
    postgresql_where=text(f"status = {literals(ActionStatus.PENDING)}"),
)
Index(
    "ix_scheduled_actions_enqueued",
    scheduled_actions.c.enqueued_at,
    postgresql_where=text(f"status = {literals(ActionStatus.ENQUEUED)}"),
)
Index("ix_scheduled_actions_campaign_id", scheduled_actions.c.campaign_id, scheduled_actions.c.due_at)

finished_actions = Table(
    "finished_actions",
    METADATA,
    Column("action_id", BigInteger, primary_key=True, autoincrement=False),
    Column("workspace_id", Uuid, nullable=False),
    Column("enrolment_id", Uuid, nullable=False),
    Column("campaign_id", Uuid, nullable=False),
    Column("node", Text, nullable=False),
    Column("visit", Integer, nullable=False),
    state("kind"),
    words("event"),
    instant("due_at"),
    document("why", "[]"),
    instant("created_at"),
    state("outcome"),
    words("reason"),
    instant("finished_at"),
    one_of("outcome", ActionOutcome),
    comment="append-only: where a live action goes when it ends",
)
Index("ix_finished_actions_enrolment_id", finished_actions.c.enrolment_id)
Index(
    "ix_finished_actions_dropped",
    finished_actions.c.workspace_id,
    finished_actions.c.campaign_id,
    finished_actions.c.finished_at,
    postgresql_where=text(DROPPED_SEND),
)

campaign_transitions = Table(
    "campaign_transitions",
    METADATA,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("workspace_id", Uuid, nullable=False),
    reference("enrolment_id", "contact_campaigns.id"),
    Column("campaign_id", Uuid, nullable=False),
    Column("seq", Integer, nullable=False),
    words("from_node"),
    Column("from_visit", Integer, nullable=False),
    words("to_node"),
    Column("to_visit", Integer, nullable=False),
    state("to_status"),
    words("cause"),
    words("rule"),
    Column("event_id", BigInteger, References("message_events.id")),
    instant("at"),
    UniqueConstraint("enrolment_id", "seq"),
    comment="append-only audit: replays to the enrolment's current node",
)
