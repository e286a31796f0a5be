# Made by `make client` from the API's document: change the routes and models there.

"""The groups of the command: the concept of each, and what can be done in it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

GROUPS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "about": ("about", ("get-docs", "get-document", "get-health", "get-me")),
        "ai": ("ai", ("get-usage",)),
        "api-key": ("api_keys", ("add", "list", "revoke")),
        "approval": ("approvals", ("get", "list")),
        "audit": ("audit", ("list",)),
        "automation": ("automation", ("get-health", "get-settings", "list-jobs", "put-settings", "run", "toggle")),
        "campaign": (
            "campaigns",
            (
                "add",
                "approve-enrolments",
                "assign-leads",
                "cancel",
                "change",
                "clone",
                "complete",
                "enrol-contacts",
                "get",
                "get-schedule",
                "list",
                "list-leads",
                "migrate",
                "pause",
                "preview-migration",
                "preview-resume",
                "resume",
                "schedule",
                "start",
                "unschedule",
            ),
        ),
        "consent": ("consent", ("list-log",)),
        "contact": (
            "contacts",
            ("add", "change", "end-hold", "erase", "export", "get", "get-hold", "list", "put-hold"),
        ),
        "dlq": ("dlqs", ("list", "list-messages", "purge", "redrive")),
        "enrolment": (
            "enrolments",
            ("approve", "explain", "get", "get-plan", "get-timeline", "list", "preview", "put-plan", "reject"),
        ),
        "import": ("imports", ("legacy",)),
        "job": ("jobs", ("get", "list", "retry", "retry-jobs")),
        "lead-batch": ("lead_batches", ("add", "get", "import-leads", "list")),
        "lead": ("leads", ("add", "get", "list")),
        "plan": ("plans", ("check", "get", "get-schema", "preview", "simulate")),
        "report": ("reports", ("get-funnel", "get-time-to-reply")),
        "retry": ("retries", ("get-statistics", "list")),
        "sender": ("senders", ("add", "change", "get", "list", "pause", "put-smtp", "resume")),
        "suppression": ("suppressions", ("add", "export", "import", "list", "remove")),
        "template": ("templates", ("add", "change", "delete", "get", "list")),
        "workflow": ("workflows", ("add", "delete", "get", "list", "put")),
    }
)
