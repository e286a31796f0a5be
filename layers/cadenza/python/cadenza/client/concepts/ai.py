# Made by `make client` from the API's document: change the routes and models there.

"""Operations on ai."""

from __future__ import annotations

from cadenza.client import answers, kinds
from cadenza.client.api import Api


class Ai:
    """Operations on ai."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get_usage(self, *, since: kinds.Day | None = None, until: kinds.Day | None = None) -> answers.Usage:
        """Show what AI took by day, purpose, model and outcome, what is left of today's budget, and providers that
        fail.

        Args:
            since: First UTC day; a week ago if not given.
            until: Last UTC day; today if not given.
        """
        return self._api.ask(answers.Usage, "GET", "/v1/ai/usage", query={"since": since, "until": until})
