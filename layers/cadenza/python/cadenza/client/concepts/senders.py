# Made by `make client` from the API's document: change the routes and models there.

"""Operations on senders."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow


class Senders:
    """Operations on senders."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[bodies.NewSender]) -> answers.Sender:
        """Add a sender identity."""
        return self._api.ask(
            answers.Sender, "POST", "/v1/senders", headers={"idempotency-key": idempotency_key}, body=body, creates=True
        )

    def change(
        self, sender_id: kinds.Id, *, if_match: str | None = None, **body: Unpack[bodies.SenderChange]
    ) -> answers.Sender:
        """Change what is given; null takes a cap or a warm-up away.

        Args:
            if_match: The `etag` of what was read: 412 if it has changed since.
            sender_id: Id of the sender.
        """
        return self._api.ask(
            answers.Sender, "PATCH", "/v1/senders/{}", sender_id, headers={"if-match": if_match}, body=body
        )

    def get(self, sender_id: kinds.Id) -> answers.Sender:
        """Show a sender.

        Args:
            sender_id: Id of the sender.
        """
        return self._api.ask(answers.Sender, "GET", "/v1/senders/{}", sender_id)

    def list(self, *, limit: int | None = None, cursor: kinds.Id | None = None) -> Page[answers.Sender]:
        """List the sender identities.

        Args:
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(Page[answers.Sender], "GET", "/v1/senders", query={"limit": limit, "cursor": cursor})

    def list_all(self) -> Iterator[answers.Sender]:
        """Go through all pages of `list`."""
        return follow(lambda cursor: self.list(limit=200, cursor=cursor))

    def pause(self, sender_id: kinds.Id, **body: Unpack[bodies.ReasonInput]) -> answers.Sender:
        """Pause a sender in every campaign: once this is answered, no more of its messages begin to be sent.

        Args:
            sender_id: Id of the sender.
        """
        return self._api.ask(answers.Sender, "POST", "/v1/senders/{}/pause", sender_id, body=body)

    def put_smtp(
        self, sender_id: kinds.Id, *, if_match: str | None = None, **body: Unpack[bodies.NewSmtp]
    ) -> answers.Sender:
        """Let the sender's mail leave by this mailbox; also how a password is replaced. A paused sender stays
        paused.

        Args:
            if_match: The `etag` of what was read: 412 if it has changed since.
            sender_id: Id of the sender.
        """
        return self._api.ask(
            answers.Sender, "PUT", "/v1/senders/{}/smtp", sender_id, headers={"if-match": if_match}, body=body
        )

    def resume(self, sender_id: kinds.Id) -> answers.Sender:
        """Let a paused sender send again; its reputation counts from now on.

        Args:
            sender_id: Id of the sender.
        """
        return self._api.ask(answers.Sender, "POST", "/v1/senders/{}/resume", sender_id)
