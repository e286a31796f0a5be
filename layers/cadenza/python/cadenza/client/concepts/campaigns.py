# Made by `make client` from the API's document: change the routes and models there.

"""Operations on campaigns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow


class Campaigns:
    """Operations on campaigns."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def add(self, *, idempotency_key: str | None = None, **body: Unpack[bodies.NewCampaign]) -> answers.CampaignDetail:
        """Create a campaign as a draft."""
        return self._api.ask(
            answers.CampaignDetail,
            "POST",
            "/v1/campaigns",
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )

    def approve_enrolments(self, campaign_id: kinds.Id, **body: Unpack[bodies.WantedApprovals]) -> answers.DraftAnswers:
        """Let drafts of a campaign go: those that are named, or all; each is answered for."""
        return self._api.ask(answers.DraftAnswers, "POST", "/v1/campaigns/{}/approve", campaign_id, body=body)

    def cancel(self, campaign_id: kinds.Id, **body: Unpack[bodies.Reason]) -> answers.CampaignDetail:
        """End a campaign and all its open enrolments, for good."""
        return self._api.ask(answers.CampaignDetail, "POST", "/v1/campaigns/{}/cancel", campaign_id, body=body)

    def enrol_contacts(
        self, campaign_id: kinds.Id, **body: Unpack[bodies.WantedEnrolments]
    ) -> answers.EnrolmentAnswers:
        """Put contacts into a campaign by hand, with a plan of one's own or one on order; each is answered for."""
        return self._api.ask(answers.EnrolmentAnswers, "POST", "/v1/campaigns/{}/enrolments", campaign_id, body=body)

    def get(self, campaign_id: kinds.Id) -> answers.CampaignDetail:
        """Show a campaign and how many of its leads, enrolments, messages and jobs stand where."""
        return self._api.ask(answers.CampaignDetail, "GET", "/v1/campaigns/{}", campaign_id)

    def list(
        self, *, status: kinds.CampaignStatus | None = None, limit: int | None = None, cursor: kinds.Id | None = None
    ) -> Page[answers.Campaign]:
        """List the campaigns.

        Args:
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.Campaign], "GET", "/v1/campaigns", query={"status": status, "limit": limit, "cursor": cursor}
        )

    def list_all(self, *, status: kinds.CampaignStatus | None = None) -> Iterator[answers.Campaign]:
        """Go through all pages of `list`."""
        return follow(lambda cursor: self.list(status=status, limit=200, cursor=cursor))

    def migrate(self, campaign_id: kinds.Id, **body: Unpack[bodies.ConfirmedMigration]) -> answers.Migration:
        """Do exactly what a preview showed, by its token; 409 if something that matters has changed since."""
        return self._api.ask(answers.Migration, "POST", "/v1/campaigns/{}/migrate", campaign_id, body=body)

    def pause(self, campaign_id: kinds.Id, **body: Unpack[bodies.Reason]) -> answers.CampaignDetail:
        """Pause a running campaign: once this is answered, no more of its messages begin to be sent."""
        return self._api.ask(answers.CampaignDetail, "POST", "/v1/campaigns/{}/pause", campaign_id, body=body)

    def preview_migration(
        self, campaign_id: kinds.Id, **body: Unpack[bodies.WantedMigration]
    ) -> answers.MigrationPreview:
        """Show who would move to another plan and where to, what is cancelled and scheduled, and who cannot move."""
        return self._api.ask(
            answers.MigrationPreview, "POST", "/v1/campaigns/{}/migrate/preview", campaign_id, body=body
        )

    def preview_resume(self, campaign_id: kinds.Id) -> answers.ResumePreview:
        """Show what resuming a paused campaign now would do, by policy: what goes out, what moves, what is dropped."""
        return self._api.ask(answers.ResumePreview, "GET", "/v1/campaigns/{}/resume/preview", campaign_id)

    def resume(self, campaign_id: kinds.Id, **body: Unpack[bodies.Resumption]) -> answers.CampaignDetail:
        """Resume a paused campaign: by default every timer and every send moves by the pause."""
        return self._api.ask(answers.CampaignDetail, "POST", "/v1/campaigns/{}/resume", campaign_id, body=body)

    def start(self, campaign_id: kinds.Id) -> answers.CampaignDetail:
        """Start a draft; if it cannot start, everything that is missing is named at once."""
        return self._api.ask(answers.CampaignDetail, "POST", "/v1/campaigns/{}/start", campaign_id)
