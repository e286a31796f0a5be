# Made by `make client` from the API's document: change the routes and models there.

"""Operations on automation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow


class Automation:
    """Operations on automation."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def get_health(self) -> answers.InstallationHealth:
        """Show how the installation is, why, and what to do; 503 with the same body if work does not get done."""
        return self._api.ask(answers.InstallationHealth, "GET", "/v1/automation/health")

    def get_settings(self) -> answers.AutomationSettings:
        """Show what holds for all campaigns."""
        return self._api.ask(answers.AutomationSettings, "GET", "/v1/automation/settings")

    def list_jobs(
        self,
        *,
        status: kinds.JobStatus | None = None,
        lead_id: kinds.Id | None = None,
        contact_id: kinds.Id | None = None,
        campaign_id: kinds.Id | None = None,
        reason: str | None = None,
        since: kinds.Instant | None = None,
        until: kinds.Instant | None = None,
        limit: int | None = None,
        cursor: kinds.Id | None = None,
    ) -> Page[answers.AutomaticJob]:
        """List the plans that fully automated campaigns have ordered, and what they wait for.

        Args:
            status: Only what has this status.
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
            Page[answers.AutomaticJob],
            "GET",
            "/v1/automation/jobs",
            query={
                "status": status,
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

    def list_jobs_all(
        self,
        *,
        status: kinds.JobStatus | None = None,
        lead_id: kinds.Id | None = None,
        contact_id: kinds.Id | None = None,
        campaign_id: kinds.Id | None = None,
        reason: str | None = None,
        since: kinds.Instant | None = None,
        until: kinds.Instant | None = None,
    ) -> Iterator[answers.AutomaticJob]:
        """Go through all pages of `list_jobs`."""
        return follow(
            lambda cursor: self.list_jobs(
                status=status,
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

    def put_settings(
        self, *, if_match: str | None = None, **body: Unpack[bodies.AutomationSettings]
    ) -> answers.AutomationSettings:
        """Replace what holds for all campaigns; what is left out takes its default.

        Args:
            if_match: The `etag` of what was read: 412 if it has changed since.
        """
        return self._api.ask(
            answers.AutomationSettings, "PUT", "/v1/automation/settings", headers={"if-match": if_match}, body=body
        )

    def run(self, *, idempotency_key: str | None = None, **body: Unpack[bodies.WantedRun]) -> answers.Ran:
        """Take a batch of people who are in no campaign yet, within hours and caps; say who was taken and who was
        not.
        """
        return self._api.ask(
            answers.Ran,
            "POST",
            "/v1/automation/run",
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )

    def toggle(self, **body: Unpack[bodies.WantedSwitch]) -> answers.Switched:
        """Switch automation on or off: off, nobody is taken and nothing is planned by itself; what was begun goes
        on.
        """
        return self._api.ask(answers.Switched, "POST", "/v1/automation/toggle", body=body)
