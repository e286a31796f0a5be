# Made by `make client` from the API's document: change the routes and models there.

"""Operations on lead batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow
from cadenza.client.transport import Text


class LeadBatches:
    """Operations on lead batches."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(
        self, *, idempotency_key: str | None = None, **body: Unpack[bodies.NewLeadBatch]
    ) -> answers.LeadBatchReport:
        """Take in a list of company sites and their people: good rows are taken, and every row is answered for."""
        return self._api.ask(
            answers.LeadBatchReport,
            "POST",
            "/v1/lead-batches",
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )

    def get(
        self,
        batch_id: kinds.Id,
        *,
        outcome: kinds.RowOutcome | None = None,
        contact: kinds.RowOutcome | None = None,
        after: int | None = None,
        limit: int | None = None,
    ) -> answers.LeadBatchReport:
        """Show what became of a list: its rows in order, and how far the leads are that it has brought.

        Args:
            outcome: Of the row.
            contact: Of the row's contact.
            after: `next_after` of the part before.
            limit: How many at most.
            batch_id: Id of the batch.
        """
        return self._api.ask(
            answers.LeadBatchReport,
            "GET",
            "/v1/lead-batches/{}",
            batch_id,
            query={"outcome": outcome, "contact": contact, "after": after, "limit": limit},
        )

    def import_leads(
        self,
        content: str | bytes,
        *,
        campaign_id: kinds.Id | None = None,
        source: str | None = None,
        media_type: Literal["text/csv"] = "text/csv",
        idempotency_key: str | None = None,
    ) -> answers.LeadBatchReport:
        """Take in a sheet (CSV) of company sites and their people, as `add_lead_batch` does.

        Args:
            campaign_id: Only what belongs to this campaign.
            source: Where the list comes from, for people to read.
        """
        return self._api.ask(
            answers.LeadBatchReport,
            "POST",
            "/v1/lead-batches/import",
            query={"campaign_id": campaign_id, "source": source},
            headers={"idempotency-key": idempotency_key},
            body=Text(content, media_type),
            creates=True,
        )

    def list(self, *, limit: int | None = None, cursor: kinds.Id | None = None) -> Page[answers.LeadBatch]:
        """List the lists that were taken in.

        Args:
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.LeadBatch], "GET", "/v1/lead-batches", query={"limit": limit, "cursor": cursor}
        )

    def list_all(self) -> Iterator[answers.LeadBatch]:
        """Go through all pages of `list`."""
        return follow(lambda cursor: self.list(limit=200, cursor=cursor))
