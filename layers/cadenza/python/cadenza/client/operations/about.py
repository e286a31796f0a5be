# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza about`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation

OPERATIONS: Final = (
    Operation(
        verb="get-docs",
        method="GET",
        path="/v1/docs",
        summary="Show this API to people: a page (HTML) of all that the document says.",
    ),
    Operation(verb="get-document", method="GET", path="/v1/openapi.json", summary="Describe this API (OpenAPI 3.1)."),
    Operation(verb="get-health", method="GET", path="/healthz", summary="Say whether the API can work."),
    Operation(
        verb="get-me",
        method="GET",
        path="/v1/me",
        summary="Show who is asking: the workspace, and the key with its role.",
    ),
)
