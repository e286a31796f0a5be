"""Rows for tests: each function inserts one row with sensible defaults, and takes whatever the test cares about.

Everything here is fictional; addresses are on ``.example`` domains.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, insert, update

from cadenza.core import tables
from cadenza.core.ids import (
    CampaignId,
    ContactId,
    EnrolmentId,
    LeadId,
    MessageId,
    PlanId,
    SenderId,
    WorkspaceId,
    new_id,
)
from cadenza.core.states import CampaignKind, CampaignStatus, Channel, EnrolmentStatus, LeadStatus, MessageStatus
from cadenza.planning.model import content_hash, parse_plan

NOW = datetime(2026, 1, 13, 10, 0, tzinfo=UTC)
"""The instant of the ``now`` fixture."""

PLAN: Mapping[str, Any] = {
    "version": "1.0",
    "timezone": "Europe/Berlin",
    "startNodeId": "intro",
    "nodes": [
        {
            "id": "intro",
            "action": "send",
            "subject": "An idea for {{company}}",
            "body": "Hi {name},\n\nplease have a look: https://demo.example/tour?a=1&b=2.\n\nBest,\n{{ sender_name }}",
            "transitions": [{"on": "no_open", "to": "again", "after": "P3D"}, {"on": "opened", "to": "end"}],
        },
        {
            "id": "again",
            "action": "send",
            "subject": "Re: An idea for {{company}}",
            "body": "Hi {{firstName}}, did you see my mail?",
            "transitions": [{"on": "no_reply", "to": "end", "after": "P3D"}],
        },
        {"id": "end", "action": "stop"},
    ],
}
"""Two mails, the second only if the first is not opened."""


def _add(conn: Connection, table: str, given: Mapping[str, Any], **defaults: Any) -> UUID:
    row = {"id": new_id()} | defaults | dict(given)
    conn.execute(insert(tables.METADATA.tables[table]), row)
    return row["id"]


def add_workspace(conn: Connection, settings: Mapping[str, Any] | None = None, **given: Any) -> WorkspaceId:
    """A workspace with its settings."""
    workspace_id = WorkspaceId(_add(conn, "workspaces", given, name="Nordlicht (fictional)", created_at=NOW))
    conn.execute(
        insert(tables.automation_settings), {"workspace_id": workspace_id, "updated_at": NOW, **(settings or {})}
    )
    return workspace_id


def add_sender(conn: Connection, workspace_id: WorkspaceId, **given: Any) -> SenderId:
    """An identity that sends by SES."""
    return SenderId(
        _add(
            conn,
            "sender_identities",
            given,
            workspace_id=workspace_id,
            name="Ada Sender",
            email=f"ada-{new_id().hex[-8:]}@nordlicht.example",
            company="Nordlicht GmbH",
            postal_address="Musterweg 1\n20095 Hamburg",
            provider="ses",
            created_at=NOW,
        )
    )


def add_campaign(conn: Connection, workspace_id: WorkspaceId, sender_id: SenderId | None, **given: Any) -> CampaignId:
    """A running AI campaign."""
    return CampaignId(
        _add(
            conn,
            "campaigns",
            given,
            workspace_id=workspace_id,
            sender_id=sender_id,
            name="Spring",
            kind=CampaignKind.AI,
            status=CampaignStatus.RUNNING,
            brief={"offering": "a faster warehouse"},
            created_at=NOW,
            updated_at=NOW,
        )
    )


def add_lead(conn: Connection, workspace_id: WorkspaceId, **given: Any) -> LeadId:
    """An analysed company site."""
    domain = f"{new_id().hex[-10:]}.example"
    return LeadId(
        _add(
            conn,
            "leads",
            {"domain": domain, "url": f"https://{given.get('domain', domain)}/"} | given,
            workspace_id=workspace_id,
            company_name="Acme Logistics",
            status=LeadStatus.ANALYZED,
            created_at=NOW,
            updated_at=NOW,
        )
    )


def add_contact(conn: Connection, workspace_id: WorkspaceId, lead_id: LeadId | None = None, **given: Any) -> ContactId:
    """A person with an address of their own."""
    return ContactId(
        _add(
            conn,
            "contacts",
            given,
            workspace_id=workspace_id,
            lead_id=lead_id,
            email=f"grace-{new_id().hex[-8:]}@acme.example",
            name="Grace Hopper",
            first_name="Grace",
            last_name="Hopper",
            title="Head of Logistics",
            created_at=NOW,
        )
    )


def add_plan(conn: Connection, workspace_id: WorkspaceId, source: Mapping[str, Any] = PLAN, **given: Any) -> PlanId:
    """A plan by its JSON."""
    parsed = parse_plan(source)
    return PlanId(
        _add(
            conn,
            "campaign_plans",
            given,
            workspace_id=workspace_id,
            hash=content_hash(parsed),
            version=parsed.version,
            plan=parsed.to_json(),
            created_at=NOW,
        )
    )


def add_enrolment(
    conn: Connection,
    workspace_id: WorkspaceId,
    campaign_id: CampaignId,
    contact_id: ContactId,
    plan_id: PlanId,
    **given: Any,
) -> EnrolmentId:
    """An active enrolment in the plan's first node."""
    return EnrolmentId(
        _add(
            conn,
            "contact_campaigns",
            given,
            workspace_id=workspace_id,
            campaign_id=campaign_id,
            contact_id=contact_id,
            plan_id=plan_id,
            status=EnrolmentStatus.ACTIVE,
            current_node="intro",
            visit=1,
            entered_at=NOW,
            created_at=NOW,
        )
    )


@dataclass(frozen=True)
class Scene:
    """One running campaign with what it needs. `add_message` adds people, each with a queued message."""

    workspace_id: WorkspaceId
    sender_id: SenderId
    campaign_id: CampaignId
    plan_id: PlanId

    def add_message(
        self,
        conn: Connection,
        *,
        contact: Mapping[str, Any] | None = None,
        contact_id: ContactId | None = None,
        enrolment: Mapping[str, Any] | None = None,
        **given: Any,
    ) -> MessageId:
        """A person (or ``contact_id``), enrolled in the plan's first node, whose message waits to be sent."""
        if contact_id is None:
            lead_id = add_lead(conn, self.workspace_id)
            contact_id = add_contact(conn, self.workspace_id, lead_id, **(contact or {}))
        enrolment_id = add_enrolment(
            conn, self.workspace_id, self.campaign_id, contact_id, self.plan_id, **(enrolment or {})
        )
        message_id = MessageId(
            _add(
                conn,
                "outbound_messages",
                given,
                workspace_id=self.workspace_id,
                enrolment_id=enrolment_id,
                campaign_id=self.campaign_id,
                contact_id=contact_id,
                sender_id=self.sender_id,
                node="intro",
                visit=1,
                channel=Channel.EMAIL,
                status=MessageStatus.QUEUED,
                due_at=NOW,
                queued_at=NOW,
                enqueued_at=NOW,
            )
        )
        enrolments = tables.contact_campaigns
        conn.execute(update(enrolments).where(enrolments.c.id == enrolment_id).values(last_message_id=message_id))
        return message_id


def add_scene(
    conn: Connection,
    *,
    settings: Mapping[str, Any] | None = None,
    sender: Mapping[str, Any] | None = None,
    campaign: Mapping[str, Any] | None = None,
    plan: Mapping[str, Any] = PLAN,
) -> Scene:
    """A workspace with a sender and a running campaign with a plan."""
    workspace_id = add_workspace(conn, settings)
    sender_id = add_sender(conn, workspace_id, **(sender or {}))
    campaign_id = add_campaign(conn, workspace_id, sender_id, **(campaign or {}))
    return Scene(workspace_id, sender_id, campaign_id, add_plan(conn, workspace_id, plan))
