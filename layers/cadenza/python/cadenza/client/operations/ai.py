# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza ai`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="get-usage",
        method="GET",
        path="/v1/ai/usage",
        summary="Show what AI took by day, purpose, model and outcome, what is left of today's budget, and providers that fail.",
        options=(
            Option(("since",), "query", form="date", help="first UTC day; a week ago if not given"),
            Option(("until",), "query", form="date", help="last UTC day; today if not given"),
        ),
    ),
)
