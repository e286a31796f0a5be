# Made by `make client` from the API's document: change the routes and models there.

"""Operations on api keys."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow


class ApiKeys:
    """Operations on api keys."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[bodies.NewApiKey]) -> answers.ShownApiKey:
        """Make an API key. It is shown in this answer only: asked again under its Idempotency-Key, nobody can repeat
        it.
        """
        return self._api.ask(
            answers.ShownApiKey,
            "POST",
            "/v1/api-keys",
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )

    def list(
        self, *, revoked: bool | None = None, limit: int | None = None, cursor: kinds.Id | None = None
    ) -> Page[answers.ApiKey]:
        """List the workspace's API keys, those that were revoked too. No key is shown again.

        Args:
            revoked: Whether they open nothing any more.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.ApiKey], "GET", "/v1/api-keys", query={"revoked": revoked, "limit": limit, "cursor": cursor}
        )

    def list_all(self, *, revoked: bool | None = None) -> Iterator[answers.ApiKey]:
        """Go through all pages of `list`."""
        return follow(lambda cursor: self.list(revoked=revoked, limit=200, cursor=cursor))

    def revoke(self, key_id: kinds.Id) -> None:
        """Revoke an API key: once this is answered, it opens nothing. 409 if it is the last admin's; again is
        harmless.

        Args:
            key_id: Id of the key.
        """
        return self._api.ask(type(None), "DELETE", "/v1/api-keys/{}", key_id)
