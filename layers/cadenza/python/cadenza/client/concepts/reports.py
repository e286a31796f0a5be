# Made by `make client` from the API's document: change the routes and models there.

"""Operations on reports."""

from __future__ import annotations

from typing import cast

from cadenza.client import answers, kinds
from cadenza.client.api import Api


class Reports:
    """Operations on reports."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get_funnel(
        self,
        *,
        by: kinds.By | None = None,
        campaign_id: kinds.Id | None = None,
        since: kinds.Day | None = None,
        until: kinds.Day | None = None,
        zone: str | None = None,
        format: kinds.ExportFormat | None = None,
    ) -> answers.FunnelReport | str:
        """Report what came of messages: sent, delivered, opened, clicked, answered, bounced, in total and line by
        line.

        Args:
            by: What its lines are.
            campaign_id: Of this campaign only; all if not given.
            since: First day in `zone`; from the beginning if not given.
            until: Last day in `zone`; up to now if not given.
            zone: Whose days: an IANA time zone.
            format: Csv has the items only.
        """
        return self._api.ask(
            cast("type[answers.FunnelReport | str]", answers.FunnelReport | str),
            "GET",
            "/v1/reports/funnel",
            query={
                "by": by,
                "campaign_id": campaign_id,
                "since": since,
                "until": until,
                "zone": zone,
                "format": format,
            },
        )

    def get_time_to_reply(
        self,
        *,
        campaign_id: kinds.Id | None = None,
        since: kinds.Day | None = None,
        until: kinds.Day | None = None,
        zone: str | None = None,
        format: kinds.ExportFormat | None = None,
    ) -> answers.ReplyTimeReport | str:
        """Report how long people take to answer: median, 90th percentile and a histogram.

        Args:
            campaign_id: Of this campaign only; all if not given.
            since: First day in `zone`; from the beginning if not given.
            until: Last day in `zone`; up to now if not given.
            zone: Whose days: an IANA time zone.
            format: Csv has the items only.
        """
        return self._api.ask(
            cast("type[answers.ReplyTimeReport | str]", answers.ReplyTimeReport | str),
            "GET",
            "/v1/reports/time-to-reply",
            query={"campaign_id": campaign_id, "since": since, "until": until, "zone": zone, "format": format},
        )
