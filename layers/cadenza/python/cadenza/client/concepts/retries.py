# Made by `make client` from the API's document: change the routes and models there.

"""Operations on retries."""

from __future__ import annotations

from collections.abc import Iterator

from cadenza.client import answers, kinds
from cadenza.client.api import Api, Page, follow


class Retries:
    """Operations on retries."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get_statistics(self, *, since: kinds.Instant | None = None) -> answers.RetryStatistics:
        """Show by kind and reason what has failed, and what asking again came to.

        Args:
            since: 30 days ago if not given.
        """
        return self._api.ask(answers.RetryStatistics, "GET", "/v1/retries/statistics", query={"since": since})

    def list(
        self,
        *,
        kind: kinds.FailedKind | None = None,
        campaign_id: kinds.Id | None = None,
        reason: str | None = None,
        eligible: bool | None = None,
        limit: int | None = None,
        cursor: kinds.Id | None = None,
    ) -> Page[answers.Failed]:
        """List what failed, and whether, when and how it is tried again.

        Args:
            kind: Only what has this kind.
            campaign_id: Only what belongs to this campaign.
            reason: Words of the reason.
            eligible: Whether it can be asked for again.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.Failed],
            "GET",
            "/v1/retries",
            query={
                "kind": kind,
                "campaign_id": campaign_id,
                "reason": reason,
                "eligible": eligible,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_all(
        self,
        *,
        kind: kinds.FailedKind | None = None,
        campaign_id: kinds.Id | None = None,
        reason: str | None = None,
        eligible: bool | None = None,
    ) -> Iterator[answers.Failed]:
        """Go through all pages of `list`."""
        return follow(
            lambda cursor: self.list(
                kind=kind, campaign_id=campaign_id, reason=reason, eligible=eligible, limit=200, cursor=cursor
            )
        )
