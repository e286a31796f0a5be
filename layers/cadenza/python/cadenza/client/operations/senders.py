# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza sender`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="add",
        method="POST",
        path="/v1/senders",
        summary="Add a sender identity.",
        options=(
            Option(("name",), "body", required=True),
            Option(("email",), "body", required=True),
            Option(("company",), "body", required=True),
            Option(("postal_address",), "body", required=True),
            Option(("reply_to",), "body"),
            Option(("daily_cap",), "body", kind="integer", nullable=True),
            Option(("warm_up",), "body", kind="json", nullable=True),
            Option(("warm_up", "starts_on"), "body", form="date"),
            Option(("warm_up", "first_day"), "body", kind="integer"),
            Option(("warm_up", "factor"), "body", kind="number"),
            Option(("warm_up", "step"), "body", kind="integer"),
            Option(("warm_up", "ceiling"), "body", kind="integer"),
            Option(("smtp",), "body", kind="json", nullable=True),
            Option(("smtp", "host"), "body"),
            Option(("smtp", "port"), "body", kind="integer"),
            Option(("smtp", "security"), "body", choices=("starttls", "tls", "none")),
            Option(("smtp", "username"), "body"),
            Option(("smtp", "password"), "body", kind="secret"),
            Option(("ses",), "body", kind="json", nullable=True),
            Option(("ses", "tenant"), "body"),
        ),
        has_body=True,
        creates=True,
    ),
    Operation(
        verb="change",
        method="PATCH",
        path="/v1/senders/{}",
        summary="Change what is given; null takes a cap or a warm-up away.",
        ids=("sender_id",),
        options=(
            Option(("if-match",), "header", help="the `etag` of what was read: 412 if it has changed since"),
            Option(("name",), "body"),
            Option(("company",), "body"),
            Option(("postal_address",), "body"),
            Option(("reply_to",), "body"),
            Option(("daily_cap",), "body", kind="integer", nullable=True),
            Option(("warm_up",), "body", kind="json", nullable=True),
            Option(("warm_up", "starts_on"), "body", form="date"),
            Option(("warm_up", "first_day"), "body", kind="integer"),
            Option(("warm_up", "factor"), "body", kind="number"),
            Option(("warm_up", "step"), "body", kind="integer"),
            Option(("warm_up", "ceiling"), "body", kind="integer"),
        ),
        has_body=True,
    ),
    Operation(verb="get", method="GET", path="/v1/senders/{}", summary="Show a sender.", ids=("sender_id",)),
    Operation(
        verb="list",
        method="GET",
        path="/v1/senders",
        summary="List the sender identities.",
        options=(
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
    Operation(
        verb="pause",
        method="POST",
        path="/v1/senders/{}/pause",
        summary="Pause a sender in every campaign: once this is answered, no more of its messages begin to be sent.",
        ids=("sender_id",),
        options=(Option(("reason",), "body"),),
        has_body=True,
    ),
    Operation(
        verb="put-smtp",
        method="PUT",
        path="/v1/senders/{}/smtp",
        summary="Let the sender's mail leave by this mailbox; also how a password is replaced. A paused sender stays paused.",
        ids=("sender_id",),
        options=(
            Option(("if-match",), "header", help="the `etag` of what was read: 412 if it has changed since"),
            Option(("host",), "body", required=True),
            Option(("port",), "body", kind="integer"),
            Option(("security",), "body", choices=("starttls", "tls", "none")),
            Option(("username",), "body"),
            Option(("password",), "body", kind="secret"),
        ),
        has_body=True,
    ),
    Operation(
        verb="resume",
        method="POST",
        path="/v1/senders/{}/resume",
        summary="Let a paused sender send again; its reputation counts from now on.",
        ids=("sender_id",),
    ),
)
