# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza plan`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="check",
        method="POST",
        path="/v1/plans/check",
        summary="Say what is wrong with a plan, and how to mend it.",
        options=(
            Option(
                ("plan",), "body", kind="json", required=True, help="a plan: see docs/plans.md and GET /v1/plans/schema"
            ),
        ),
        has_body=True,
    ),
    Operation(verb="get", method="GET", path="/v1/plans/{}", summary="Show a plan.", ids=("plan_id",)),
    Operation(
        verb="get-schema",
        method="GET",
        path="/v1/plans/schema",
        summary="Describe a plan's JSON (JSON Schema 2020-12).",
    ),
    Operation(
        verb="preview",
        method="POST",
        path="/v1/plans/preview",
        summary="Show a node's mail exactly as it would leave, with links that do nothing, or what keeps it from leaving.",
        options=(
            Option(
                ("plan",), "body", kind="json", required=True, help="a plan: see docs/plans.md and GET /v1/plans/schema"
            ),
            Option(("node",), "body", required=True),
            Option(("recipient",), "body", kind="json"),
            Option(("recipient", "email"), "body"),
            Option(("recipient", "name"), "body"),
            Option(("recipient", "first_name"), "body"),
            Option(("recipient", "last_name"), "body"),
            Option(("recipient", "title"), "body"),
            Option(("recipient", "company"), "body"),
            Option(("recipient", "domain"), "body"),
            Option(("sender",), "body", kind="json"),
            Option(("sender", "name"), "body"),
            Option(("sender", "email"), "body"),
            Option(("sender", "company"), "body"),
            Option(("sender", "postal_address"), "body"),
            Option(("sender", "reply_to"), "body"),
        ),
        has_body=True,
    ),
    Operation(
        verb="simulate",
        method="POST",
        path="/v1/plans/simulate",
        summary="Show what a plan will do, when and why, to a contact who does what ``events`` says. Nothing is sent.",
        options=(
            Option(
                ("plan",), "body", kind="json", required=True, help="a plan: see docs/plans.md and GET /v1/plans/schema"
            ),
            Option(("start",), "body", nullable=True, form="date-time"),
            Option(("zone",), "body"),
            Option(("holidays_country",), "body"),
            Option(("events",), "body", kind="json"),
        ),
        has_body=True,
    ),
)
