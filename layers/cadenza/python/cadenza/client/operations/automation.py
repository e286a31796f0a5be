# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza automation`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="get-health",
        method="GET",
        path="/v1/automation/health",
        summary="Show how the installation is, why, and what to do; 503 with the same body if work does not get done.",
    ),
    Operation(
        verb="get-settings", method="GET", path="/v1/automation/settings", summary="Show what holds for all campaigns."
    ),
    Operation(
        verb="list-jobs",
        method="GET",
        path="/v1/automation/jobs",
        summary="List the plans that fully automated campaigns have ordered, and what they wait for.",
        options=(
            Option(
                ("status",),
                "query",
                choices=("QUEUED", "ACTIVE", "COMPLETED", "FAILED", "SKIPPED"),
                help="only what has this status",
            ),
            Option(("lead_id",), "query", form="uuid", help="only what belongs to this lead"),
            Option(("contact_id",), "query", form="uuid", help="only what belongs to this contact"),
            Option(("campaign_id",), "query", form="uuid", help="only what belongs to this campaign"),
            Option(("reason",), "query", help="words of the reason"),
            Option(("since",), "query", form="date-time", help="asked for at this instant or later"),
            Option(("until",), "query", form="date-time", help="asked for before this instant"),
            Option(("limit",), "query", kind="integer", help="how many at most"),
            Option(("cursor",), "query", form="uuid", help="`next_cursor` of the page before"),
        ),
    ),
    Operation(
        verb="put-settings",
        method="PUT",
        path="/v1/automation/settings",
        summary="Replace what holds for all campaigns; what is left out takes its default.",
        options=(
            Option(("if-match",), "header", help="the `etag` of what was read: 412 if it has changed since"),
            Option(("working_hours_start",), "body", nullable=True, form="time"),
            Option(("working_hours_end",), "body", nullable=True, form="time"),
            Option(("working_days",), "body", kind="integer", many=True),
            Option(("holidays_country",), "body"),
            Option(("extra_holidays",), "body", many=True, form="date"),
            Option(("daily_cap",), "body", kind="integer", nullable=True),
            Option(("stagger_s",), "body", kind="integer"),
            Option(("lead_stagger_s",), "body", kind="integer"),
            Option(("ai_concurrency",), "body", kind="integer"),
            Option(("ai_daily_budget_usd_micros",), "body", kind="integer", nullable=True),
            Option(("unknown_bound_s",), "body", kind="integer"),
            Option(("unknown_policy",), "body", choices=("fail", "assume_sent", "resend")),
            Option(("offline_fallback",), "body", kind="flag"),
            Option(("retry_when_budget_renews",), "body", kind="flag"),
            Option(("stop_company_on_reply",), "body", kind="flag"),
            Option(("soft_bounce_limit",), "body", kind="integer", nullable=True),
            Option(("soft_bounce_days",), "body", kind="integer"),
            Option(("absence_days",), "body", kind="integer"),
            Option(("scan_window_s",), "body", kind="integer"),
            Option(("contact_gap_s",), "body", kind="integer"),
            Option(("frequency_cap",), "body", kind="integer", nullable=True),
            Option(("frequency_days",), "body", kind="integer"),
            Option(("domain_gap_s",), "body", kind="integer"),
            Option(("max_bounce_percent",), "body", kind="number", nullable=True),
            Option(("max_complaint_percent",), "body", kind="number", nullable=True),
            Option(("reputation_days",), "body", kind="integer"),
            Option(("reputation_min_sent",), "body", kind="integer"),
            Option(("country_policy",), "body", kind="json"),
            Option(("country_policy", "countries"), "body", kind="json"),
            Option(
                ("country_policy", "otherwise"), "body", choices=("allowed", "needs_basis", "needs_opt_in", "refused")
            ),
            Option(("approval_mode",), "body", choices=("automatic", "review_each", "review_first")),
            Option(("approval_first_n",), "body", kind="integer"),
            Option(("enabled",), "body", kind="flag", nullable=True),
        ),
        has_body=True,
    ),
    Operation(
        verb="run",
        method="POST",
        path="/v1/automation/run",
        summary="Take a batch of people who are in no campaign yet, within hours and caps; say who was taken and who was not.",
        options=(
            Option(("campaign_id",), "body", nullable=True, form="uuid"),
            Option(("limit",), "body", kind="integer"),
            Option(("cursor",), "body", nullable=True, form="uuid"),
            Option(("dry_run",), "body", kind="flag"),
        ),
        has_body=True,
        creates=True,
    ),
    Operation(
        verb="toggle",
        method="POST",
        path="/v1/automation/toggle",
        summary="Switch automation on or off: off, nobody is taken and nothing is planned by itself; what was begun goes on.",
        options=(
            Option(("enabled",), "body", kind="flag", required=True),
            Option(("reason",), "body"),
        ),
        has_body=True,
    ),
)
