# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza job`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(verb="get", method="GET", path="/v1/jobs/{}", summary="Show one piece of work.", ids=("job_id",)),
    Operation(
        verb="list",
        method="GET",
        path="/v1/jobs",
        summary="List the work that was asked for, and what became of it.",
        options=(
            Option(
                ("status",),
                "query",
                choices=("QUEUED", "ACTIVE", "COMPLETED", "FAILED", "SKIPPED"),
                help="only what has this status",
            ),
            Option(("kind",), "query", choices=("crawl", "analysis", "planning"), help="only what has this kind"),
            Option(("lead_id",), "query", form="uuid", help="only what belongs to this lead"),
            Option(("contact_id",), "query", form="uuid", help="only what belongs to this contact"),
            Option(("campaign_id",), "query", form="uuid", help="only what belongs to this campaign"),
            Option(("reason",), "query", help="words of the reason"),
            Option(("since",), "query", form="date-time", help="asked for at this instant or later"),
            Option(("until",), "query", form="date-time", help="asked for before this instant"),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
    Operation(
        verb="retry",
        method="POST",
        path="/v1/jobs/{}/retry",
        summary="Ask again for work that has failed or was skipped; all its attempts are before it again.",
        ids=("job_id",),
        creates=True,
    ),
    Operation(
        verb="retry-jobs",
        method="POST",
        path="/v1/jobs/retry",
        summary="Ask again for all work that has failed or was skipped for a reason; it begins one by one.",
        options=(
            Option(("status",), "body", choices=("FAILED", "SKIPPED"), required=True),
            Option(("reason",), "body", nullable=True),
            Option(("kind",), "body", choices=("crawl", "analysis", "planning"), nullable=True),
            Option(("campaign_id",), "body", nullable=True, form="uuid"),
            Option(("limit",), "body", kind="integer"),
        ),
        has_body=True,
        creates=True,
    ),
)
