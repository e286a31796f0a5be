# Made by `make client` from the API's document: change the routes and models there.

"""Operations on consent."""

from __future__ import annotations

from collections.abc import Iterator

from cadenza.client import answers, kinds
from cadenza.client.api import Api, Page, follow


class Consent:
    """Operations on consent."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list_log(self, *, limit: int | None = None, cursor: kinds.Id | None = None) -> Page[answers.ConsentRecord]:
        """List which suppressions were taken back and who was erased, by whom and why.

        Args:
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.ConsentRecord], "GET", "/v1/consent/log", query={"limit": limit, "cursor": cursor}
        )

    def list_log_all(self) -> Iterator[answers.ConsentRecord]:
        """Go through all pages of `list_log`."""
        return follow(lambda cursor: self.list_log(limit=200, cursor=cursor))
