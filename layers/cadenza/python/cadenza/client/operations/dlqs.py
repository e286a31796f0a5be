# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza dlq`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="list",
        method="GET",
        path="/v1/dlqs",
        summary="Show how many messages are in each dead-letter queue of the installation.",
    ),
    Operation(
        verb="list-messages",
        method="GET",
        path="/v1/dlqs/{}/messages",
        summary="List the workspace's messages in a dead-letter queue, read; they stay in it.",
        ids=("queue",),
        options=(Option(("limit",), "query", kind="integer", help="how many at most"),),
    ),
    Operation(
        verb="purge",
        method="POST",
        path="/v1/dlqs/{}/purge",
        summary="Delete the workspace's messages from a dead-letter queue for good, 500 at most at once.",
        ids=("queue",),
        options=(
            Option(("message_ids",), "body", many=True, nullable=True),
            Option(("all",), "body", kind="flag"),
            Option(("confirm",), "body", required=True),
        ),
        has_body=True,
        dangerous=True,
    ),
    Operation(
        verb="redrive",
        method="POST",
        path="/v1/dlqs/{}/redrive",
        summary="Put the workspace's messages back on the queue that they come from, 500 at most at once.",
        ids=("queue",),
        options=(
            Option(("message_ids",), "body", many=True, nullable=True),
            Option(("all",), "body", kind="flag"),
        ),
        has_body=True,
    ),
)
