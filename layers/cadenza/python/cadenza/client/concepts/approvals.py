# Made by `make client` from the API's document: change the routes and models there.

"""Operations on approvals."""

from __future__ import annotations

from collections.abc import Iterator

from cadenza.client import answers, kinds
from cadenza.client.api import Api, Page, follow


class Approvals:
    """Operations on approvals."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, enrolment_id: kinds.Id) -> answers.DraftDetail:
        """Show a draft with its plan, its mails as they would leave, what is to be said of them, and who decided
        what.

        Args:
            enrolment_id: Id of the enrolment.
        """
        return self._api.ask(answers.DraftDetail, "GET", "/v1/approvals/{}", enrolment_id)

    def list(
        self, *, campaign_id: kinds.Id | None = None, limit: int | None = None, cursor: kinds.Id | None = None
    ) -> Page[answers.Draft]:
        """List what waits for approval; what has waited longest comes first.

        Args:
            campaign_id: Only what belongs to this campaign.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.Draft],
            "GET",
            "/v1/approvals",
            query={"campaign_id": campaign_id, "limit": limit, "cursor": cursor},
        )

    def list_all(self, *, campaign_id: kinds.Id | None = None) -> Iterator[answers.Draft]:
        """Go through all pages of `list`."""
        return follow(lambda cursor: self.list(campaign_id=campaign_id, limit=200, cursor=cursor))
