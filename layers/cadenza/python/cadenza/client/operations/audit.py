# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza audit`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="list",
        method="GET",
        path="/v1/audit",
        summary="List who did what.",
        options=(
            Option(
                ("act",),
                "query",
                choices=(
                    "campaign_started",
                    "campaign_paused",
                    "campaign_resumed",
                    "campaign_cancelled",
                    "campaign_changed",
                    "campaign_scheduled",
                    "campaign_unscheduled",
                    "campaign_not_started",
                    "campaign_closed",
                    "campaign_cloned",
                    "template_created",
                    "template_changed",
                    "template_deleted",
                    "workflow_created",
                    "workflow_changed",
                    "workflow_deleted",
                    "leads_assigned",
                    "automation_switched",
                    "automation_run",
                    "jobs_retried",
                    "dead_letters_redriven",
                    "dead_letters_purged",
                    "api_key_created",
                    "api_key_revoked",
                ),
                help="only what has this act",
            ),
            Option(("key_id",), "query", form="uuid", help="the API key that did it"),
            Option(("subject_id",), "query", form="uuid", help="what it was done to"),
            Option(("since",), "query", form="date-time", help="done at this instant or later"),
            Option(("until",), "query", form="date-time", help="done before this instant"),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
)
