# Made by `make client` from the API's document: change the routes and models there.

"""Operations on dlqs."""

from __future__ import annotations

from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api


class Dlqs:
    """Operations on dlqs."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def list(self) -> answers.DeadLetterQueues:
        """Show how many messages are in each dead-letter queue of the installation."""
        return self._api.ask(answers.DeadLetterQueues, "GET", "/v1/dlqs")

    def list_messages(self, queue: kinds.QueueName, *, limit: int | None = None) -> answers.DeadLetters:
        """List the workspace's messages in a dead-letter queue, read; they stay in it.

        Args:
            limit: How many at most.
            queue: The queue that the messages come from.
        """
        return self._api.ask(answers.DeadLetters, "GET", "/v1/dlqs/{}/messages", queue, query={"limit": limit})

    def purge(self, queue: kinds.QueueName, **body: Unpack[bodies.PurgeWanted]) -> answers.LettersMoved:
        """Delete the workspace's messages from a dead-letter queue for good, 500 at most at once.

        Args:
            queue: The queue that the messages come from.
        """
        return self._api.ask(answers.LettersMoved, "POST", "/v1/dlqs/{}/purge", queue, body=body)

    def redrive(self, queue: kinds.QueueName, **body: Unpack[bodies.WhichLetters]) -> answers.LettersMoved:
        """Put the workspace's messages back on the queue that they come from, 500 at most at once.

        Args:
            queue: The queue that the messages come from.
        """
        return self._api.ask(answers.LettersMoved, "POST", "/v1/dlqs/{}/redrive", queue, body=body)
