# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza enrolment`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="approve",
        method="POST",
        path="/v1/enrolments/{}/approve",
        summary="Let a draft go; 409 if its plan is not any more the one that is named.",
        ids=("enrolment_id",),
        options=(Option(("plan_hash",), "body"),),
        has_body=True,
    ),
    Operation(
        verb="explain",
        method="GET",
        path="/v1/enrolments/{}/explain",
        summary="Say why nothing is sent now, what would clear it, and when the next message will go.",
        ids=("enrolment_id",),
    ),
    Operation(
        verb="get",
        method="GET",
        path="/v1/enrolments/{}",
        summary="Show an enrolment with its messages.",
        ids=("enrolment_id",),
    ),
    Operation(
        verb="get-plan",
        method="GET",
        path="/v1/enrolments/{}/plan",
        summary="Show the plan that an enrolment has; its `etag` is what a change of it must name.",
        ids=("enrolment_id",),
    ),
    Operation(
        verb="get-timeline",
        method="GET",
        path="/v1/enrolments/{}/timeline",
        summary="Tell what happened to an enrolment, why, and what lies ahead.",
        ids=("enrolment_id",),
    ),
    Operation(
        verb="list",
        method="GET",
        path="/v1/enrolments",
        summary="List who is in which campaign.",
        options=(
            Option(("campaign_id",), "query", form="uuid", help="only what belongs to this campaign"),
            Option(("contact_id",), "query", form="uuid", help="only what belongs to this contact"),
            Option(
                ("status",),
                "query",
                choices=("draft", "active", "completed", "stopped", "failed"),
                help="only what has this status",
            ),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
    Operation(
        verb="preview",
        method="GET",
        path="/v1/enrolments/{}/preview",
        summary="Show the mail that a send node (if not said, the current one) would send to this contact. Nothing is sent.",
        ids=("enrolment_id",),
        options=(Option(("node",), "query", help="only what has this node"),),
    ),
    Operation(
        verb="put-plan",
        method="PUT",
        path="/v1/enrolments/{}/plan",
        summary="Replace a draft's plan. Errors refuse it; what else is to be said about it stands in the answer.",
        ids=("enrolment_id",),
        options=(
            Option(("if-match",), "header", help="the `etag` of what was read: 412 if it has changed since"),
            Option(("plan",), "body", kind="json", help="a plan: see docs/plans.md and GET /v1/plans/schema"),
        ),
        has_body=True,
    ),
    Operation(
        verb="reject",
        method="POST",
        path="/v1/enrolments/{}/reject",
        summary="End a draft for a reason, which is kept; nothing of it is sent.",
        ids=("enrolment_id",),
        options=(Option(("reason",), "body"),),
        has_body=True,
    ),
)
