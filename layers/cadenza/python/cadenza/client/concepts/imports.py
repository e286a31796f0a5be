# Made by `make client` from the API's document: change the routes and models there.

"""Operations on imports."""

from __future__ import annotations

from collections.abc import Mapping

from cadenza.client import answers
from cadenza.client.api import Api


class Imports:
    """Operations on imports."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def legacy(
        self, body: Mapping[str, object], *, apply: bool | None = None, sender: str | None = None
    ) -> answers.Report:
        """Take in another system's export: campaigns, leads, templates, workflows and mails, each in a list.

        Args:
            apply: Take it in; else only say what would become of it.
            sender: The address of the sender of campaigns that name none of yours.
        """
        return self._api.ask(
            answers.Report, "POST", "/v1/imports/legacy", query={"apply": apply, "sender": sender}, body=body
        )
