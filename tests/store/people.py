"""A person with a whole history in a campaign, for tests of what may be done with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, insert, select, update

from cadenza.core import tables
from cadenza.core.ids import ContactId, EnrolmentId, LeadId, MessageId, PlanId, new_id
from cadenza.core.states import ActionKind, ActionStatus, EnrolmentStatus, JobKind, JobStatus, MessageStatus
from tests.store.builders import NOW, PLAN, Scene, add_enrolment, add_lead, add_plan

EMAIL, PHONE, NAME = "Hedy.Lamarr@kessel.example", "+4940123456", "Hedy Lamarr"
TRACES = ("hedy.lamarr", "hedy lamarr", "lamarr, hedy", "+4940123456", "40 123456")
"""What must not be left anywhere, in lower case."""

WRITTEN_FOR_HER: Mapping[str, Any] = {
    **PLAN,
    "nodes": [
        {
            **PLAN["nodes"][0],
            "subject": "Hedy Lamarr, an idea",
            "body": "Dear Hedy Lamarr, we saw your frequency hopping",
        },
        *PLAN["nodes"][1:],
    ],
}


def add_lead_of_hers(conn: Connection, scene: Scene) -> LeadId:
    """A site that names her, crawled and analysed."""
    lead_id = add_lead(conn, scene.workspace_id, domain="kessel.example")
    page = {
        "url": "https://kessel.example/team",
        "markdown": "# Team\nHedy Lamarr, CTO\nhedy.lamarr [at] kessel.example\nTel. +49 (40) 123456\nAda Byron, CEO",
        "structured": {"mail_links": [{"address": "hedy.lamarr@kessel.example", "label": "Lamarr, Hedy"}]},
    }
    row = {"workspace_id": scene.workspace_id, "lead_id": lead_id, "url": page["url"], "page": page, "fetched_at": NOW}
    conn.execute(insert(tables.lead_pages), row)
    claim = {"topic": "signal", "text": "hires", "page_url": page["url"], "quote": "Ask Hedy Lamarr for an interview"}
    conn.execute(
        insert(tables.lead_analyses),
        {
            "id": new_id(),
            "workspace_id": scene.workspace_id,
            "lead_id": lead_id,
            "input_hash": "0",
            "report": {"domain": "kessel.example", "claims": [claim]},
            "cost_usd_micros": 0,
            "created_at": NOW,
        },
    )
    return lead_id


def add_hedy(conn: Connection, scene: Scene, **given: Any) -> tuple[ContactId, EnrolmentId]:
    """Hedy: one mail sent and bounced softly, the next one queued, a timer running, notes all over the place."""
    lead_id = add_lead_of_hers(conn, scene)
    contact_id = ContactId(new_id())
    person = {
        "id": contact_id,
        "workspace_id": scene.workspace_id,
        "lead_id": lead_id,
        "email": EMAIL,
        "phone": PHONE,
        "name": NAME,
        "first_name": "Hedy",
        "last_name": "Lamarr",
        "title": "CTO",
        "source": {"page_url": "https://kessel.example/team", "quote": "Hedy Lamarr, CTO"},
        "created_at": NOW,
    }
    conn.execute(insert(tables.contacts), person | given)
    plan_id = add_plan(conn, scene.workspace_id, WRITTEN_FOR_HER)
    enrolment_id = add_enrolment(
        conn, scene.workspace_id, scene.campaign_id, contact_id, plan_id, current_node="again", visit=2, seq=2
    )
    for seq, (before, after) in enumerate((("", "intro"), ("intro", "again")), start=1):
        conn.execute(
            insert(tables.campaign_transitions),
            {
                **_whose(scene, enrolment_id),
                "seq": seq,
                "from_node": before,
                "from_visit": seq - 1,
                "to_node": after,
                "to_visit": seq,
                "to_status": EnrolmentStatus.ACTIVE,
                "at": NOW,
            },
        )
    sent = add_mail(conn, scene, contact_id, enrolment_id, "intro", 1, MessageStatus.SENT)
    queued = add_mail(conn, scene, contact_id, enrolment_id, "again", 2, MessageStatus.QUEUED)
    enrolments = tables.contact_campaigns
    conn.execute(update(enrolments).where(enrolments.c.id == enrolment_id).values(last_message_id=queued))
    conn.execute(
        insert(tables.message_events),
        {
            "workspace_id": scene.workspace_id,
            "message_id": sent,
            "provider": "ses",
            "provider_event_id": str(new_id()),
            "kind": "bounced",
            "grade": "human",
            "hard": False,
            "occurred_at": NOW,
            "received_at": NOW,
            "payload": {"mail": {"destination": [EMAIL]}, "diagnostic": f"mailbox of {NAME} is full"},
        },
    )
    conn.execute(
        insert(tables.scheduled_actions),
        {
            **_whose(scene, enrolment_id),
            "node": "again",
            "visit": 2,
            "kind": ActionKind.TIMEOUT,
            "event": "no_reply",
            "due_at": NOW,
            "status": ActionStatus.PENDING,
            "created_at": NOW,
        },
    )
    add_notes(conn, scene, contact_id, lead_id, enrolment_id, plan_id)
    return contact_id, enrolment_id


def _whose(scene: Scene, enrolment_id: EnrolmentId) -> dict[str, Any]:
    return {"workspace_id": scene.workspace_id, "enrolment_id": enrolment_id, "campaign_id": scene.campaign_id}


def add_mail(
    conn: Connection,
    scene: Scene,
    contact_id: ContactId,
    enrolment_id: EnrolmentId,
    node: str,
    visit: int,
    status: MessageStatus,
    **given: Any,
) -> MessageId:
    """A mail to her."""
    message_id = MessageId(new_id())
    out = status is not MessageStatus.QUEUED
    row = {
        "id": message_id,
        **_whose(scene, enrolment_id),
        "contact_id": contact_id,
        "sender_id": scene.sender_id,
        "node": node,
        "visit": visit,
        "channel": "email",
        "status": status,
        "due_at": NOW,
        "queued_at": NOW,
        "sent_at": NOW if out else None,
        "to_address": EMAIL if out else "",
        "subject": f"{NAME}, an idea" if out else "",
        "reason": f"452 <{EMAIL}> over quota" if out else "",
    }
    conn.execute(insert(tables.outbound_messages), row | given)
    return message_id


def add_notes(
    conn: Connection,
    scene: Scene,
    contact_id: ContactId,
    lead_id: LeadId,
    enrolment_id: EnrolmentId,
    plan_id: PlanId,
) -> None:
    """Jobs, a hold, a suppression of her number, and a colleague whose card names her."""
    conn.execute(
        insert(tables.jobs),
        {
            "id": new_id(),
            "workspace_id": scene.workspace_id,
            "kind": JobKind.PLANNING,
            "business_key": f"{scene.campaign_id}:{contact_id}",
            "lead_id": lead_id,
            "contact_id": contact_id,
            "campaign_id": scene.campaign_id,
            "status": JobStatus.COMPLETED,
            "reason": f"a first try named {NAME}",
            "result": {"enrolment_id": str(enrolment_id), "plan_id": str(plan_id), "said": f"for {EMAIL}"},
            "queued_at": NOW,
        },
    )
    own = {"workspace_id": scene.workspace_id, "created_at": NOW}
    hold = {"contact_id": contact_id, "until": NOW, "reason": f"{NAME} is on leave"}
    conn.execute(insert(tables.holds), {"id": new_id(), **own, **hold})
    suppression = {"channel": "phone", "address": PHONE, "reason": f"{NAME} asked", "note": EMAIL}
    conn.execute(
        insert(tables.suppressions),
        {"id": new_id(), "workspace_id": scene.workspace_id, "created_at": NOW, **suppression},
    )
    colleague = {"email": "ada.byron@kessel.example", "name": "Ada Byron", "source": {"quote": f"{NAME} and Ada Byron"}}
    conn.execute(insert(tables.contacts), {"id": new_id(), "lead_id": lead_id, **own, **colleague})


def everything(conn: Connection) -> dict[str, list[str]]:
    """Every row of every table as text, in lower case, by table."""
    return {
        name: [str(dict(row)).lower() for row in conn.execute(select(table)).mappings()]
        for name, table in tables.METADATA.tables.items()
        if name != "erasure_salt"
    }
