"""Typed ids. Public ids are UUIDv7 (RFC 9562): unique without coordination, ordered by creation time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NewType
from uuid import UUID

import uuid_utils.compat

WorkspaceId = NewType("WorkspaceId", UUID)
BatchId = NewType("BatchId", UUID)
LeadId = NewType("LeadId", UUID)
ContactId = NewType("ContactId", UUID)
CampaignId = NewType("CampaignId", UUID)
TemplateId = NewType("TemplateId", UUID)
WorkflowId = NewType("WorkflowId", UUID)
PlanId = NewType("PlanId", UUID)
EnrolmentId = NewType("EnrolmentId", UUID)
MessageId = NewType("MessageId", UUID)
JobId = NewType("JobId", UUID)
SenderId = NewType("SenderId", UUID)
ActionId = NewType("ActionId", int)
EventId = NewType("EventId", int)

SYSTEM_WORKSPACE = WorkspaceId(UUID(int=0))
"""The installation's own workspace: it holds jobs that belong to no tenant. The first migration creates it."""


def new_id() -> UUID:
    """A fresh UUIDv7."""
    return uuid_utils.compat.uuid7()


def made_at(public_id: UUID) -> datetime:
    """When an id was made: a UUIDv7 starts with its milliseconds since 1970 (RFC 9562, section 5.7)."""
    return datetime.fromtimestamp((public_id.int >> 80) / 1000, UTC)
