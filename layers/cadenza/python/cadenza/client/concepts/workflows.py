# Made by `make client` from the API's document: change the routes and models there.

"""Operations on workflows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow


class Workflows:
    """Operations on workflows."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[bodies.NewWorkflow]) -> answers.StoredWorkflow:
        """Add a workflow. Errors refuse it; what else is to be said about it stands in the answer."""
        return self._api.ask(
            answers.StoredWorkflow,
            "POST",
            "/v1/workflows",
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )

    def delete(self, workflow_id: kinds.Id) -> None:
        """Remove a workflow, not its templates; 409 names the campaigns that have not ended and need it.

        Args:
            workflow_id: Id of the workflow.
        """
        return self._api.ask(type(None), "DELETE", "/v1/workflows/{}", workflow_id)

    def get(self, workflow_id: kinds.Id) -> answers.Workflow:
        """Show a workflow; its `etag` is what replaces it must name.

        Args:
            workflow_id: Id of the workflow.
        """
        return self._api.ask(answers.Workflow, "GET", "/v1/workflows/{}", workflow_id)

    def list(self, *, limit: int | None = None, cursor: kinds.Id | None = None) -> Page[answers.Workflow]:
        """List the workflows.

        Args:
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(Page[answers.Workflow], "GET", "/v1/workflows", query={"limit": limit, "cursor": cursor})

    def list_all(self) -> Iterator[answers.Workflow]:
        """Go through all pages of `list`."""
        return follow(lambda cursor: self.list(limit=200, cursor=cursor))

    def put(
        self, workflow_id: kinds.Id, *, if_match: str, **body: Unpack[bodies.NewWorkflow]
    ) -> answers.StoredWorkflow:
        """Replace all of a workflow. Campaigns that have begun go on sending what they had.

        Args:
            if_match: The `etag` of what was read: 412 if it has changed since.
            workflow_id: Id of the workflow.
        """
        return self._api.ask(
            answers.StoredWorkflow, "PUT", "/v1/workflows/{}", workflow_id, headers={"if-match": if_match}, body=body
        )
