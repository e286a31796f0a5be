# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza contact`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="add",
        method="POST",
        path="/v1/contacts",
        summary="Add a person by hand.",
        options=(
            Option(("email",), "body", nullable=True),
            Option(("phone",), "body", nullable=True),
            Option(("name",), "body"),
            Option(("first_name",), "body"),
            Option(("last_name",), "body"),
            Option(("title",), "body"),
            Option(("time_zone",), "body"),
            Option(("country",), "body"),
            Option(("language",), "body"),
            Option(("lead_id",), "body", nullable=True, form="uuid"),
            Option(("consent",), "body", kind="json"),
            Option(("consent", "basis"), "body", choices=("none", "legitimate_interest", "opt_in")),
            Option(("consent", "source"), "body"),
            Option(("consent", "at"), "body", nullable=True, form="date-time"),
        ),
        has_body=True,
        creates=True,
    ),
    Operation(
        verb="change",
        method="PATCH",
        path="/v1/contacts/{}",
        summary="Change what is named of a person; what is not named stays.",
        ids=("contact_id",),
        options=(
            Option(("if-match",), "header", help="the `etag` of what was read: 412 if it has changed since"),
            Option(("email",), "body", nullable=True),
            Option(("phone",), "body", nullable=True),
            Option(("name",), "body"),
            Option(("first_name",), "body"),
            Option(("last_name",), "body"),
            Option(("title",), "body"),
            Option(("time_zone",), "body"),
            Option(("country",), "body"),
            Option(("language",), "body"),
            Option(("lead_id",), "body", nullable=True, form="uuid"),
            Option(("consent",), "body", kind="json"),
            Option(("consent", "basis"), "body", choices=("none", "legitimate_interest", "opt_in")),
            Option(("consent", "source"), "body"),
            Option(("consent", "at"), "body", nullable=True, form="date-time"),
        ),
        has_body=True,
    ),
    Operation(
        verb="end-hold",
        method="DELETE",
        path="/v1/contacts/{}/hold",
        summary="End a person's hold; what it has put off keeps its new time.",
        ids=("contact_id",),
        options=(Option(("if-match",), "header", help="the `etag` of what was read: 412 if it has changed since"),),
        dangerous=True,
    ),
    Operation(
        verb="erase",
        method="DELETE",
        path="/v1/contacts/{}",
        summary="Erase a person (GDPR Art. 17): their data is gone for good, and their address stays unreachable.",
        ids=("contact_id",),
        options=(Option(("reason",), "query", help="why; it is kept, so name nobody in it"),),
        dangerous=True,
    ),
    Operation(
        verb="export",
        method="GET",
        path="/v1/contacts/{}/export",
        summary="Hand out everything that is held about a person (GDPR Art. 15 and 20).",
        ids=("contact_id",),
    ),
    Operation(
        verb="get",
        method="GET",
        path="/v1/contacts/{}",
        summary="Show a person, and whether they may be written to.",
        ids=("contact_id",),
    ),
    Operation(
        verb="get-hold",
        method="GET",
        path="/v1/contacts/{}/hold",
        summary="Show until when nothing goes to a person.",
        ids=("contact_id",),
    ),
    Operation(
        verb="list",
        method="GET",
        path="/v1/contacts",
        summary="List people and shared mailboxes.",
        options=(
            Option(("lead_id",), "query", form="uuid", help="only what belongs to this lead"),
            Option(("email",), "query", help="in any case"),
            Option(("suppressed",), "query", kind="flag", help="only what has this suppressed"),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
    Operation(
        verb="put-hold",
        method="PUT",
        path="/v1/contacts/{}/hold",
        summary="Leave a person alone until then, in all campaigns; it replaces the hold that there is.",
        ids=("contact_id",),
        options=(
            Option(("if-match",), "header", help="the `etag` of what was read: 412 if it has changed since"),
            Option(("until",), "body", nullable=True, form="date-time"),
            Option(("reason",), "body"),
        ),
        has_body=True,
    ),
)
