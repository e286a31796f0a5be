# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza workflow`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="add",
        method="POST",
        path="/v1/workflows",
        summary="Add a workflow. Errors refuse it; what else is to be said about it stands in the answer.",
        options=(
            Option(("name",), "body", required=True),
            Option(("steps",), "body", kind="json", required=True),
        ),
        has_body=True,
        creates=True,
    ),
    Operation(
        verb="delete",
        method="DELETE",
        path="/v1/workflows/{}",
        summary="Remove a workflow, not its templates; 409 names the campaigns that have not ended and need it.",
        ids=("workflow_id",),
        dangerous=True,
    ),
    Operation(
        verb="get",
        method="GET",
        path="/v1/workflows/{}",
        summary="Show a workflow; its `etag` is what replaces it must name.",
        ids=("workflow_id",),
    ),
    Operation(
        verb="list",
        method="GET",
        path="/v1/workflows",
        summary="List the workflows.",
        options=(
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
    Operation(
        verb="put",
        method="PUT",
        path="/v1/workflows/{}",
        summary="Replace all of a workflow. Campaigns that have begun go on sending what they had.",
        ids=("workflow_id",),
        options=(
            Option(("if-match",), "header", help="the `etag` of what was read: 412 if it has changed since"),
            Option(("name",), "body", required=True),
            Option(("steps",), "body", kind="json", required=True),
        ),
        has_body=True,
    ),
)
