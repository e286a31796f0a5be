# Made by `make client` from the API's document: change the routes and models there.

"""The groups of the command: the concept of each, and what can be done in it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

GROUPS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = MappingProxyType(
    {
        "about": ("about", ("get-document", "get-health")),
        "ai": ("ai", ("get-usage",)),
        "approval": ("approvals", ("get", "list")),
        "automation": ("automation", ("get-settings", "put-settings")),
        "campaign": (
            "campaigns",
            (
                "add",
                "approve-enrolments",
                "cancel",
                "enrol-contacts",
                "get",
                "list",
                "migrate",
                "pause",
                "preview-migration",
                "preview-resume",
                "resume",
                "start",
            ),
        ),
        "consent": ("consent", ("list-log",)),
        "contact": (
            "contacts",
            ("add", "change", "end-hold", "erase", "export", "get", "get-hold", "list", "put-hold"),
        ),
        "enrolment": (
            "enrolments",
            ("approve", "explain", "get", "get-plan", "get-timeline", "list", "preview", "put-plan", "reject"),
        ),
        "job": ("jobs", ("get", "list", "retry")),
        "lead-batch": ("lead_batches", ("add", "get", "import-leads", "list")),
        "lead": ("leads", ("add", "get", "list")),
        "plan": ("plans", ("check", "get", "get-schema", "preview", "simulate")),
        "sender": ("senders", ("add", "change", "get", "list", "pause", "put-smtp", "resume")),
        "suppression": ("suppressions", ("add", "export", "import", "list", "remove")),
    }
)
