# Made by `make client` from the API's document: change the routes and models there.

"""Operations on leads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow


class Leads:
    """Operations on leads."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[bodies.NewLead]) -> answers.Lead:
        """Take in a company site: it is crawled and analysed, and its people go into the campaign."""
        return self._api.ask(
            answers.Lead, "POST", "/v1/leads", headers={"idempotency-key": idempotency_key}, body=body, creates=True
        )

    def get(self, lead_id: kinds.Id) -> answers.LeadDetail:
        """Show a site with its report, its people and its jobs.

        Args:
            lead_id: Id of the lead.
        """
        return self._api.ask(answers.LeadDetail, "GET", "/v1/leads/{}", lead_id)

    def list(
        self, *, status: kinds.LeadStatus | None = None, limit: int | None = None, cursor: kinds.Id | None = None
    ) -> Page[answers.Lead]:
        """List the sites.

        Args:
            status: Only what has this status.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.Lead], "GET", "/v1/leads", query={"status": status, "limit": limit, "cursor": cursor}
        )

    def list_all(self, *, status: kinds.LeadStatus | None = None) -> Iterator[answers.Lead]:
        """Go through all pages of `list`."""
        return follow(lambda cursor: self.list(status=status, limit=200, cursor=cursor))
