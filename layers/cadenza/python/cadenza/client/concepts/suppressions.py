# Made by `make client` from the API's document: change the routes and models there.

"""Operations on suppressions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Unpack, cast

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow
from cadenza.client.transport import Text


class Suppressions:
    """Operations on suppressions."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[bodies.NewSuppression]) -> answers.Suppression:
        """Never write to this address again, and end what is under way. Asking twice gives the same suppression."""
        return self._api.ask(
            answers.Suppression,
            "POST",
            "/v1/suppressions",
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )

    def export(
        self, *, format: kinds.ExportFormat | None = None, limit: int | None = None, cursor: kinds.Id | None = None
    ) -> Page[answers.Suppression] | str:
        """Hand out all suppressions, newest first; the next part's address is in the header `link` (RFC 8288).

        Args:
            format: Only what has this format.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            cast("type[Page[answers.Suppression] | str]", Page[answers.Suppression] | str),
            "GET",
            "/v1/suppressions/export",
            query={"format": format, "limit": limit, "cursor": cursor},
        )

    def import_(
        self,
        content: str | bytes,
        *,
        media_type: Literal["text/csv", "application/x-ndjson"] = "text/csv",
        idempotency_key: str | None = None,
    ) -> answers.ImportReport:
        """Take in a list (CSV, or a JSON object a line): good rows are taken, and every row is answered for."""
        return self._api.ask(
            answers.ImportReport,
            "POST",
            "/v1/suppressions/import",
            headers={"idempotency-key": idempotency_key},
            body=Text(content, media_type),
            creates=True,
        )

    def list(
        self,
        *,
        channel: kinds.SuppressionChannel | None = None,
        reason: str | None = None,
        address: str | None = None,
        limit: int | None = None,
        cursor: kinds.Id | None = None,
    ) -> Page[answers.Suppression]:
        """List who may never be written to.

        Args:
            channel: Only what has this channel.
            reason: Only what has this reason.
            address: An address, number or domain; erased ones are found too.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.Suppression],
            "GET",
            "/v1/suppressions",
            query={"channel": channel, "reason": reason, "address": address, "limit": limit, "cursor": cursor},
        )

    def list_all(
        self, *, channel: kinds.SuppressionChannel | None = None, reason: str | None = None, address: str | None = None
    ) -> Iterator[answers.Suppression]:
        """Go through all pages of `list`."""
        return follow(
            lambda cursor: self.list(channel=channel, reason=reason, address=address, limit=200, cursor=cursor)
        )

    def remove(self, suppression_id: kinds.Id, *, reason: str | None = None, force: bool | None = None) -> None:
        """Take a suppression back; who did, and why, is kept in the consent log.

        Args:
            reason: Why; it is kept.
            force: The person has said no, and has now asked for it.
            suppression_id: Id of the suppression.
        """
        return self._api.ask(
            type(None), "DELETE", "/v1/suppressions/{}", suppression_id, query={"reason": reason, "force": force}
        )
