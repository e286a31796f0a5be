"""Bodies as somebody might send them, by operation: shown in the API's document, and sent by its tests."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

_ID: Final = "01980f5e-7c00-7000-8000-000000000001"

_PLAN: Final[Mapping[str, Any]] = {
    "version": "1.1",
    "timezone": "Europe/Berlin",
    "startNodeId": "intro",
    "nodes": [
        {
            "id": "intro",
            "action": "send",
            "subject": "An idea for {{company}}",
            "body": "Hi {{firstName}},\n\nyou deliver every morning. May I show you how others plan their routes?",
            "transitions": [{"on": "replied", "to": "end"}, {"on": "no_reply", "to": "end", "after": "P3D"}],
        },
        {"id": "end", "action": "stop"},
    ],
}

EXAMPLES: Final[Mapping[str, Mapping[str, Any]]] = {
    "add_lead": {"url": "https://harbour-kitchens.example"},
    "add_lead_batch": {
        "rows": [{"url": "harbour-kitchens.example", "email": "zoe@harbour-kitchens.example", "first_name": "Zoe"}],
        "source": "fair in Hamburg",
    },
    "add_contact": {
        "email": "iris@harbour-kitchens.example",
        "name": "Iris Harbour",
        "title": "Owner",
        "time_zone": "Europe/Berlin",
        "country": "DE",
        "consent": {"basis": "opt_in", "source": "form on our site", "at": "2026-01-13T10:00:00Z"},
    },
    "change_contact": {"title": "Head of Sales", "phone": "+4940123456"},
    "put_hold": {"until": "2036-01-13T10:00:00Z", "reason": "asked us to write after the season"},
    "add_sender": {
        "name": "Nora Quay",
        "email": "nora@tidewater.example",
        "company": "Tidewater",
        "postal_address": "Quay 7, 20457 Hamburg",
        "daily_cap": 200,
    },
    "change_sender": {"daily_cap": 100, "reply_to": "office@tidewater.example"},
    "put_sender_smtp": {
        "host": "smtp.tidewater.example",
        "port": 587,
        "security": "starttls",
        "username": "nora",
        "password": "a secret",
    },
    "add_campaign": {
        "name": "Spring",
        "brief": {"offering": "We plan delivery routes for small fleets."},
        "daily_cap": 50,
        "approval_mode": "review_first",
        "approval_first_n": 3,
    },
    "change_campaign": {"name": "Spring, second wave", "daily_cap": 80},
    "schedule_campaign": {"starts_at": "2036-01-14T08:00:00Z"},
    "clone_campaign": {"name": "Autumn", "contacts": "same"},
    "pause_campaign": {"reason": "a wrong price in the first mail"},
    "resume_campaign": {"policy": "shift"},
    "cancel_campaign": {"reason": "the offer has ended"},
    "pause_sender": {"reason": "moves to another mailbox"},
    "add_template": {
        "name": "First mail",
        "subject": "An idea for {{ company }}",
        "text_body": "Hi {{ first_name }},\n\nyou deliver every morning. May I show you how others plan their routes?",
    },
    "change_template": {"subject": "Fewer detours for {{ company }}"},
    "put_workflow": {"name": "Two mails", "steps": [{"template_id": _ID}, {"template_id": _ID, "delay": "P3D"}]},
    "assign_leads": {"filter": {"source": "fair in Hamburg", "unassigned": True}},
    "enrol_contacts": {"contact_ids": [_ID]},
    "approve_enrolments": {"all": True},
    "approve_enrolment": {"plan_hash": "5b2d6f0c9e1a47833c64b90d2f7ae815c0d943e6fb17a28e5d60c4f9b3718a2e"},
    "reject_enrolment": {"reason": "too pushy"},
    "put_enrolment_plan": {"plan": _PLAN},
    "check_plan": {"plan": _PLAN},
    "preview_plan": {"plan": _PLAN, "node": "intro"},
    "simulate_plan": {"plan": _PLAN, "start": "2026-01-13T10:00:00Z"},
    "preview_migration": {"plan": _PLAN},
    "migrate": {"plan": _PLAN, "token": "what the preview was answered with"},
    "add_suppression": {"channel": "email", "address": "zoe@harbour-kitchens.example", "note": "called us"},
    "import_legacy": {
        "templates": [{"_id": "t1", "name": "First", "subject": "For {{company}}", "body": "Hi {{firstName}}"}],
        "leads": [{"_id": "l1", "email": "zoe@harbour-kitchens.example", "firstName": "Zoe"}],
    },
    "toggle_automation": {"enabled": True, "reason": "the season begins"},
    "retry_jobs": {"status": "FAILED", "reason": "timeout", "limit": 100},
    "redrive_dlq": {"message_ids": [_ID]},
    "purge_dlq": {"message_ids": [_ID], "confirm": "message-send"},
    "put_settings": {
        "working_hours_start": "08:00",
        "working_hours_end": "18:00",
        "working_days": [1, 2, 3, 4, 5],
        "holidays_country": "DE",
        "daily_cap": 500,
    },
    "add_api_key": {"name": "reports", "role": "viewer", "rate_per_s": 2, "burst": 20},
}

SHEETS: Final[Mapping[str, Mapping[str, str]]] = {
    "import_leads": {
        "text/csv": "website,email,first_name\nharbour-kitchens.example,zoe@harbour-kitchens.example,Zoe\n",
    },
    "import_suppressions": {
        "text/csv": "email,reason\nzoe@harbour-kitchens.example,unsubscribed\n",
        "application/x-ndjson": '{"email": "zoe@harbour-kitchens.example", "reason": "unsubscribed"}\n',
    },
}
