# Made by `make client` from the API's document: change the routes and models there.

"""Operations on jobs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow


class Jobs:
    """Operations on jobs."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get(self, job_id: kinds.Id) -> answers.Job:
        """Show one piece of work.

        Args:
            job_id: Id of the job.
        """
        return self._api.ask(answers.Job, "GET", "/v1/jobs/{}", job_id)

    def list(
        self,
        *,
        status: kinds.JobStatus | None = None,
        kind: kinds.JobKind | None = None,
        lead_id: kinds.Id | None = None,
        contact_id: kinds.Id | None = None,
        campaign_id: kinds.Id | None = None,
        reason: str | None = None,
        since: kinds.Instant | None = None,
        until: kinds.Instant | None = None,
        limit: int | None = None,
        cursor: kinds.Id | None = None,
    ) -> Page[answers.Job]:
        """List the work that was asked for, and what became of it.

        Args:
            status: Only what has this status.
            kind: Only what has this kind.
            lead_id: Only what belongs to this lead.
            contact_id: Only what belongs to this contact.
            campaign_id: Only what belongs to this campaign.
            reason: Words of the reason.
            since: Asked for at this instant or later.
            until: Asked for before this instant.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.Job],
            "GET",
            "/v1/jobs",
            query={
                "status": status,
                "kind": kind,
                "lead_id": lead_id,
                "contact_id": contact_id,
                "campaign_id": campaign_id,
                "reason": reason,
                "since": since,
                "until": until,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_all(
        self,
        *,
        status: kinds.JobStatus | None = None,
        kind: kinds.JobKind | None = None,
        lead_id: kinds.Id | None = None,
        contact_id: kinds.Id | None = None,
        campaign_id: kinds.Id | None = None,
        reason: str | None = None,
        since: kinds.Instant | None = None,
        until: kinds.Instant | None = None,
    ) -> Iterator[answers.Job]:
        """Go through all pages of `list`."""
        return follow(
            lambda cursor: self.list(
                status=status,
                kind=kind,
                lead_id=lead_id,
                contact_id=contact_id,
                campaign_id=campaign_id,
                reason=reason,
                since=since,
                until=until,
                limit=200,
                cursor=cursor,
            )
        )

    def retry(self, job_id: kinds.Id, *, idempotency_key: str | None = None) -> answers.Job:
        """Ask again for work that has failed or was skipped; all its attempts are before it again.

        Args:
            job_id: Id of the job.
        """
        return self._api.ask(
            answers.Job, "POST", "/v1/jobs/{}/retry", job_id, headers={"idempotency-key": idempotency_key}, creates=True
        )

    def retry_jobs(self, *, idempotency_key: str | None = None, **body: Unpack[bodies.RetryWanted]) -> answers.Retried:
        """Ask again for all work that has failed or was skipped for a reason; it begins one by one."""
        return self._api.ask(
            answers.Retried,
            "POST",
            "/v1/jobs/retry",
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )
