# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza api-key`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="add",
        method="POST",
        path="/v1/api-keys",
        summary="Make an API key. It is shown in this answer only: asked again under its Idempotency-Key, nobody can repeat it.",
        options=(
            Option(("name",), "body", required=True),
            Option(("role",), "body", choices=("viewer", "operator", "admin"), required=True),
            Option(("rate_per_s",), "body", kind="number", nullable=True),
            Option(("burst",), "body", kind="integer", nullable=True),
        ),
        has_body=True,
        creates=True,
    ),
    Operation(
        verb="list",
        method="GET",
        path="/v1/api-keys",
        summary="List the workspace's API keys, those that were revoked too. No key is shown again.",
        options=(
            Option(("revoked",), "query", kind="flag", help="whether they open nothing any more"),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
    Operation(
        verb="revoke",
        method="DELETE",
        path="/v1/api-keys/{}",
        summary="Revoke an API key: once this is answered, it opens nothing. 409 if it is the last admin's; again is harmless.",
        ids=("key_id",),
        dangerous=True,
    ),
)
