# Made by `make client` from the API's document: change the routes and models there.

"""Operations on audit."""

from __future__ import annotations

from collections.abc import Iterator

from cadenza.client import answers, kinds
from cadenza.client.api import Api, Page, follow


class Audit:
    """Operations on audit."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(
        self,
        *,
        act: kinds.AuditAct | None = None,
        key_id: kinds.Id | None = None,
        subject_id: kinds.Id | None = None,
        since: kinds.Instant | None = None,
        until: kinds.Instant | None = None,
        limit: int | None = None,
        cursor: kinds.Id | None = None,
    ) -> Page[answers.AuditRecord]:
        """List who did what.

        Args:
            act: Only what has this act.
            key_id: The API key that did it.
            subject_id: What it was done to.
            since: Done at this instant or later.
            until: Done before this instant.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.AuditRecord],
            "GET",
            "/v1/audit",
            query={
                "act": act,
                "key_id": key_id,
                "subject_id": subject_id,
                "since": since,
                "until": until,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_all(
        self,
        *,
        act: kinds.AuditAct | None = None,
        key_id: kinds.Id | None = None,
        subject_id: kinds.Id | None = None,
        since: kinds.Instant | None = None,
        until: kinds.Instant | None = None,
    ) -> Iterator[answers.AuditRecord]:
        """Go through all pages of `list`."""
        return follow(
            lambda cursor: self.list(
                act=act, key_id=key_id, subject_id=subject_id, since=since, until=until, limit=200, cursor=cursor
            )
        )
