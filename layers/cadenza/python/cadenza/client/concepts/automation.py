# Made by `make client` from the API's document: change the routes and models there.

"""Operations on automation."""

from __future__ import annotations

from typing import Unpack

from cadenza.client import answers, bodies
from cadenza.client.api import Api


class Automation:
    """Operations on automation."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get_settings(self) -> answers.AutomationSettings:
        """Show what holds for all campaigns."""
        return self._api.ask(answers.AutomationSettings, "GET", "/v1/automation/settings")

    def put_settings(self, **body: Unpack[bodies.AutomationSettings]) -> answers.AutomationSettings:
        """Replace what holds for all campaigns; what is left out takes its default."""
        return self._api.ask(answers.AutomationSettings, "PUT", "/v1/automation/settings", body=body)
