# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza automation`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="get-settings", method="GET", path="/v1/automation/settings", summary="Show what holds for all campaigns."
    ),
    Operation(
        verb="put-settings",
        method="PUT",
        path="/v1/automation/settings",
        summary="Replace what holds for all campaigns; what is left out takes its default.",
        options=(
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
        ),
        has_body=True,
    ),
)
