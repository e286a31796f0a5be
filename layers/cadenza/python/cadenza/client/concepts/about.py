# Made by `make client` from the API's document: change the routes and models there.

"""What the API says of itself."""

from __future__ import annotations

from cadenza.client import answers
from cadenza.client.api import Api


class About:
    """What the API says of itself."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get_docs(self) -> str:
        """Show this API to people: a page (HTML) of all that the document says."""
        return self._api.ask(str, "GET", "/v1/docs")

    def get_document(self) -> dict[str, object]:
        """Describe this API (OpenAPI 3.1)."""
        return self._api.ask(dict[str, object], "GET", "/v1/openapi.json")

    def get_health(self) -> answers.Health:
        """Say whether the API can work."""
        return self._api.ask(answers.Health, "GET", "/healthz")

    def get_me(self) -> answers.Me:
        """Show who is asking: the workspace, and the key with its role."""
        return self._api.ask(answers.Me, "GET", "/v1/me")
