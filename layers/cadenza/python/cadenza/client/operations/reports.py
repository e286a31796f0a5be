# Made by `make client` from the API's document: change the routes and models there.

"""The operations of `cadenza report`."""

from __future__ import annotations

from typing import Final

from cadenza.client.operation import Operation, Option

OPERATIONS: Final = (
    Operation(
        verb="get-funnel",
        method="GET",
        path="/v1/reports/funnel",
        summary="Report what came of messages: sent, delivered, opened, clicked, answered, bounced, in total and line by line.",
        options=(
            Option(
                ("by",), "query", choices=("campaign", "sender", "step", "version", "day"), help="what its lines are"
            ),
            Option(("campaign_id",), "query", form="uuid", help="of this campaign only; all if not given"),
            Option(("since",), "query", form="date", help="first day in `zone`; from the beginning if not given"),
            Option(("until",), "query", form="date", help="last day in `zone`; up to now if not given"),
            Option(("zone",), "query", help="whose days: an IANA time zone"),
            Option(("format",), "query", choices=("json", "csv"), help="csv has the items only"),
        ),
    ),
    Operation(
        verb="get-time-to-reply",
        method="GET",
        path="/v1/reports/time-to-reply",
        summary="Report how long people take to answer: median, 90th percentile and a histogram.",
        options=(
            Option(("campaign_id",), "query", form="uuid", help="of this campaign only; all if not given"),
            Option(("since",), "query", form="date", help="first day in `zone`; from the beginning if not given"),
            Option(("until",), "query", form="date", help="last day in `zone`; up to now if not given"),
            Option(("zone",), "query", help="whose days: an IANA time zone"),
            Option(("format",), "query", choices=("json", "csv"), help="csv has the items only"),
        ),
    ),
)
