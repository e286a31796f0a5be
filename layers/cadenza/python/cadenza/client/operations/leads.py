# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza lead`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="add",
        method="POST",
        path="/v1/leads",
        summary="Take in a company site: it is crawled and analysed, and its people go into the campaign.",
        options=(
            Option(("url",), "body", required=True),
            Option(("campaign_id",), "body", nullable=True, form="uuid"),
        ),
        has_body=True,
        creates=True,
    ),
    Operation(
        verb="get",
        method="GET",
        path="/v1/leads/{}",
        summary="Show a site with its report, its people and its jobs.",
        ids=("lead_id",),
    ),
    Operation(
        verb="list",
        method="GET",
        path="/v1/leads",
        summary="List the sites.",
        options=(
            Option(
                ("status",),
                "query",
                choices=("new", "crawling", "crawled", "analyzing", "analyzed", "failed"),
                help="only what has this status",
            ),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
)
