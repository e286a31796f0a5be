# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza approval`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="get",
        method="GET",
        path="/v1/approvals/{}",
        summary="Show a draft with its plan, its mails as they would leave, what is to be said of them, and who decided what.",
        ids=("enrolment_id",),
    ),
    Operation(
        verb="list",
        method="GET",
        path="/v1/approvals",
        summary="List what waits for approval; what has waited longest comes first.",
        options=(
            Option(("campaign_id",), "query", form="uuid", help="only what belongs to this campaign"),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
)
