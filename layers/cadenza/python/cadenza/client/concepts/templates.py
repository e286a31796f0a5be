# Made by `make client` from the API's document: change the routes and models there.

"""Operations on templates."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow


class Templates:
    """Operations on templates."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[bodies.NewTemplate]) -> answers.StoredTemplate:
        """Add a template. Errors refuse it; what else is to be said about it stands in the answer."""
        return self._api.ask(
            answers.StoredTemplate,
            "POST",
            "/v1/templates",
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )

    def change(
        self, template_id: kinds.Id, *, if_match: str, **body: Unpack[bodies.TemplateChange]
    ) -> answers.StoredTemplate:
        """Change what is given of a template. Campaigns that have begun go on sending what they had.

        Args:
            if_match: The `etag` of what was read: 412 if it has changed since.
            template_id: Id of the template.
        """
        return self._api.ask(
            answers.StoredTemplate, "PATCH", "/v1/templates/{}", template_id, headers={"if-match": if_match}, body=body
        )

    def delete(self, template_id: kinds.Id) -> None:
        """Remove a template; 409 names the workflows, and the campaigns that have not ended, that need it.

        Args:
            template_id: Id of the template.
        """
        return self._api.ask(type(None), "DELETE", "/v1/templates/{}", template_id)

    def get(self, template_id: kinds.Id) -> answers.Template:
        """Show a template; its `etag` is what a change of it must name.

        Args:
            template_id: Id of the template.
        """
        return self._api.ask(answers.Template, "GET", "/v1/templates/{}", template_id)

    def list(self, *, limit: int | None = None, cursor: kinds.Id | None = None) -> Page[answers.Template]:
        """List the templates.

        Args:
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(Page[answers.Template], "GET", "/v1/templates", query={"limit": limit, "cursor": cursor})

    def list_all(self) -> Iterator[answers.Template]:
        """Go through all pages of `list`."""
        return follow(lambda cursor: self.list(limit=200, cursor=cursor))
