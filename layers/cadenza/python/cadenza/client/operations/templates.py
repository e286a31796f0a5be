# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza template`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="add",
        method="POST",
        path="/v1/templates",
        summary="Add a template. Errors refuse it; what else is to be said about it stands in the answer.",
        options=(
            Option(("name",), "body", required=True),
            Option(("subject",), "body", required=True),
            Option(("text_body",), "body", required=True),
            Option(("html_body",), "body"),
        ),
        has_body=True,
        creates=True,
    ),
    Operation(
        verb="change",
        method="PATCH",
        path="/v1/templates/{}",
        summary="Change what is given of a template. Campaigns that have begun go on sending what they had.",
        ids=("template_id",),
        options=(
            Option(("if-match",), "header", help="the `etag` of what was read: 412 if it has changed since"),
            Option(("name",), "body", nullable=True),
            Option(("subject",), "body", nullable=True),
            Option(("text_body",), "body", nullable=True),
            Option(("html_body",), "body", nullable=True),
        ),
        has_body=True,
    ),
    Operation(
        verb="delete",
        method="DELETE",
        path="/v1/templates/{}",
        summary="Remove a template; 409 names the workflows, and the campaigns that have not ended, that need it.",
        ids=("template_id",),
        dangerous=True,
    ),
    Operation(
        verb="get",
        method="GET",
        path="/v1/templates/{}",
        summary="Show a template; its `etag` is what a change of it must name.",
        ids=("template_id",),
    ),
    Operation(
        verb="list",
        method="GET",
        path="/v1/templates",
        summary="List the templates.",
        options=(
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
)
