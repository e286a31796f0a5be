# Made by `make client` from the API's document: change the routes and models there.

"""What the API says of itself."""

from __future__ import annotations

from cadenza.client import answers
from cadenza.client.api import Api


class About:
    """What the API says of itself."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get_document(self) -> dict[str, object]:
        """Describe this API (OpenAPI 3.1)."""
        return self._api.ask(dict[str, object], "GET", "/v1/openapi.json")

    def get_health(self) -> answers.Health:
        """Say whether the API can work."""
        return self._api.ask(answers.Health, "GET", "/healthz")
