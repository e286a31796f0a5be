# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza import`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="legacy",
        method="POST",
        path="/v1/imports/legacy",
        summary="Take in another system's export: campaigns, leads, templates, workflows and mails, each in a list.",
        options=(
            Option(("apply",), "query", kind="flag", help="take it in; else only say what would become of it"),
            Option(("sender",), "query", help="the address of the sender of campaigns that name none of yours"),
        ),
        has_body=True,
    ),
)
