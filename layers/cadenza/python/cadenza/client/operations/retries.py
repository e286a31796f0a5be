# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza retry`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="get-statistics",
        method="GET",
        path="/v1/retries/statistics",
        summary="Show by kind and reason what has failed, and what asking again came to.",
        options=(Option(("since",), "query", form="date-time", help="30 days ago if not given"),),
    ),
    Operation(
        verb="list",
        method="GET",
        path="/v1/retries",
        summary="List what failed, and whether, when and how it is tried again.",
        options=(
            Option(
                ("kind",), "query", choices=("crawl", "analysis", "planning", "message"), help="only what has this kind"
            ),
            Option(("campaign_id",), "query", form="uuid", help="only what belongs to this campaign"),
            Option(("reason",), "query", help="words of the reason"),
            Option(("eligible",), "query", kind="flag", help="whether it can be asked for again"),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
)
