"""Everything that is held about one person, as one document (GDPR Art. 15 and 20)."""

from __future__ import annotations

from typing import Final

from pydantic import BaseModel, ConfigDict, JsonValue
from sqlalchemy import Connection, text

from cadenza.contacts.permission import forbids
from cadenza.core.ids import ContactId

Rows = tuple[dict[str, JsonValue], ...]


class PersonalData(BaseModel):
    """A person's rows, each table in order of time. ``plans`` are those written for them, with their copy."""

    model_config = ConfigDict(frozen=True)

    contact: dict[str, JsonValue]
    holds: Rows
    suppressions: Rows
    enrolments: Rows
    approvals: Rows
    transitions: Rows
    actions: Rows
    messages: Rows
    events: Rows
    plans: Rows
    jobs: Rows
    ai_usage: Rows
    log: Rows


_OWN: Final = "SELECT id FROM contact_campaigns WHERE contact_id = :id"
_MAILS: Final = "SELECT id FROM outbound_messages WHERE contact_id = :id"
_EMAIL: Final = forbids(workspace="k.workspace_id", channel="'email'", address="btrim(coalesce(k.email, ''))")
_PHONE: Final = forbids(workspace="k.workspace_id", channel="'sms'", address="btrim(coalesce(k.phone, ''))")

_TABLES: Final = {
    "holds": "SELECT * FROM holds WHERE contact_id = :id ORDER BY id",
    "suppressions": f"""
        SELECT x.* FROM suppressions x JOIN contacts k ON k.id = :id WHERE ({_EMAIL}) OR ({_PHONE}) ORDER BY x.id
    """,
    "enrolments": "SELECT * FROM contact_campaigns WHERE contact_id = :id ORDER BY id",
    "approvals": f"SELECT * FROM approval_log WHERE enrolment_id IN ({_OWN}) ORDER BY id",
    "transitions": f"SELECT * FROM campaign_transitions WHERE enrolment_id IN ({_OWN}) ORDER BY enrolment_id, seq",
    "actions": f"SELECT * FROM finished_actions WHERE enrolment_id IN ({_OWN}) ORDER BY action_id",
    "messages": "SELECT * FROM outbound_messages WHERE contact_id = :id ORDER BY id",
    "events": f"SELECT * FROM message_events WHERE message_id IN ({_MAILS}) ORDER BY id",
    "plans": f"""
        SELECT * FROM campaign_plans
        WHERE id IN (SELECT plan_id FROM contact_campaigns WHERE contact_id = :id
                     UNION SELECT CAST(result ->> 'plan_id' AS uuid) FROM jobs
                     WHERE contact_id = :id AND result ? 'plan_id'
                     UNION SELECT plan_id FROM approval_log WHERE enrolment_id IN ({_OWN}))
        ORDER BY id
    """,
    "jobs": "SELECT * FROM jobs WHERE contact_id = :id ORDER BY id",
    "ai_usage": "SELECT * FROM ai_usage WHERE contact_id = :id ORDER BY id",
    "log": """
        SELECT g.* FROM consent_log g JOIN contacts k ON k.id = :id AND k.workspace_id = g.workspace_id
        WHERE g.contact_id = k.id OR g.address IN (lower(k.email), k.phone) ORDER BY g.id
    """,
}

_QUERY: Final = text(
    "SELECT jsonb_build_object('contact', (SELECT to_jsonb(k) FROM contacts k WHERE k.id = :id)"
    + "".join(
        f", '{name}', (SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM ({query}) t)"
        for name, query in _TABLES.items()
    )
    + ")"
)


def personal_data(conn: Connection, contact_id: ContactId) -> PersonalData | None:
    """Everything that is held about the person; None if there is no such contact. One statement."""
    found: dict[str, JsonValue] = conn.execute(_QUERY, {"id": contact_id}).scalar_one()
    return PersonalData.model_validate(found) if found["contact"] is not None else None
