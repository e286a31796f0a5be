# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza suppression`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="add",
        method="POST",
        path="/v1/suppressions",
        summary="Never write to this address again, and end what is under way. Asking twice gives the same suppression.",
        options=(
            Option(("channel",), "body", choices=("email", "phone", "domain"), required=True),
            Option(("address",), "body", required=True),
            Option(("reason",), "body"),
            Option(("note",), "body"),
        ),
        has_body=True,
        creates=True,
    ),
    Operation(
        verb="export",
        method="GET",
        path="/v1/suppressions/export",
        summary="Hand out all suppressions, newest first; the next part's address is in the header `link` (RFC 8288).",
        options=(
            Option(("format",), "query", choices=("json", "csv"), help="only what has this format"),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
    Operation(
        verb="import",
        method="POST",
        path="/v1/suppressions/import",
        summary="Take in a list (CSV, or a JSON object a line): good rows are taken, and every row is answered for.",
        media=("text/csv", "application/x-ndjson"),
        creates=True,
    ),
    Operation(
        verb="list",
        method="GET",
        path="/v1/suppressions",
        summary="List who may never be written to.",
        options=(
            Option(("channel",), "query", choices=("email", "phone", "domain"), help="only what has this channel"),
            Option(("reason",), "query", help="only what has this reason"),
            Option(("address",), "query", help="an address, number or domain; erased ones are found too"),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
    Operation(
        verb="remove",
        method="DELETE",
        path="/v1/suppressions/{}",
        summary="Take a suppression back; who did, and why, is kept in the consent log.",
        ids=("suppression_id",),
        options=(
            Option(("reason",), "query", help="why; it is kept"),
            Option(("force",), "query", kind="flag", help="the person has said no, and has now asked for it"),
        ),
        dangerous=True,
    ),
)
