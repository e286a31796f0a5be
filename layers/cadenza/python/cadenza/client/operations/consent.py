# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza consent`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="list-log",
        method="GET",
        path="/v1/consent/log",
        summary="List which suppressions were taken back and who was erased, by whom and why.",
        options=(
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
)
