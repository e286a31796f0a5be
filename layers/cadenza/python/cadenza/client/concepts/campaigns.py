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
        """Let drafts of a campaign go: those that are named, or all; each is answered for.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.DraftAnswers, "POST", "/v1/campaigns/{}/approve", campaign_id, body=body)

    def assign_leads(
        self, campaign_id: kinds.Id, *, idempotency_key: str | None = None, **body: Unpack[bodies.WantedLeads]
    ) -> answers.LeadAnswers:
        """Give leads to a campaign: their people join it once they are known; every lead is answered for.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(
            answers.LeadAnswers,
            "POST",
            "/v1/campaigns/{}/leads",
            campaign_id,
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )

    def cancel(self, campaign_id: kinds.Id, **body: Unpack[bodies.ReasonInput]) -> answers.CampaignDetail:
        """End a campaign and all its open enrolments, for good.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.CampaignDetail, "POST", "/v1/campaigns/{}/cancel", campaign_id, body=body)

    def change(
        self, campaign_id: kinds.Id, *, if_match: str, **body: Unpack[bodies.CampaignChange]
    ) -> answers.CampaignDetail:
        """Change what is given of a draft; of a campaign that is no draft, `name` and `daily_cap` only.

        Args:
            if_match: The `etag` of what was read: 412 if it has changed since.
            campaign_id: Id of the campaign.
        """
        return self._api.ask(
            answers.CampaignDetail, "PATCH", "/v1/campaigns/{}", campaign_id, headers={"if-match": if_match}, body=body
        )

    def clone(
        self, campaign_id: kinds.Id, *, idempotency_key: str | None = None, **body: Unpack[bodies.WantedClone]
    ) -> answers.CampaignDetail:
        """Make a new draft with the same content, sender, rules and settings, and the same people if that is wanted.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(
            answers.CampaignDetail,
            "POST",
            "/v1/campaigns/{}/clone",
            campaign_id,
            headers={"idempotency-key": idempotency_key},
            body=body,
            creates=True,
        )

    def complete(self, campaign_id: kinds.Id) -> answers.CampaignDetail:
        """Close a campaign's intake: it takes nobody in any more, and completes once what it has is final.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.CampaignDetail, "POST", "/v1/campaigns/{}/complete", campaign_id)

    def enrol_contacts(
        self, campaign_id: kinds.Id, **body: Unpack[bodies.WantedEnrolments]
    ) -> answers.EnrolmentAnswers:
        """Put contacts into a campaign by hand, with a plan of one's own or one on order; each is answered for.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.EnrolmentAnswers, "POST", "/v1/campaigns/{}/enrolments", campaign_id, body=body)

    def get(self, campaign_id: kinds.Id) -> answers.CampaignDetail:
        """Show a campaign and how many of its rows are in which state; its `etag` is what a change of it must name.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.CampaignDetail, "GET", "/v1/campaigns/{}", campaign_id)

    def get_schedule(
        self,
        campaign_id: kinds.Id,
        *,
        enrolment_id: kinds.Id | None = None,
        contact_id: kinds.Id | None = None,
        step: int | None = None,
        state: kinds.SendState | None = None,
        since: kinds.Instant | None = None,
        until: kinds.Instant | None = None,
        limit: int | None = None,
        cursor: kinds.Id | None = None,
    ) -> answers.CampaignSchedule:
        """Show every message that a campaign has sent or will send if nobody reacts, and when; a page is of
        enrolments.

        Args:
            enrolment_id: Only what belongs to this enrolment.
            contact_id: Only what belongs to this contact.
            step: The how-manieth message of its enrolment.
            state: Only what has this state.
            since: Sent or planned at this instant or later.
            until: Sent or planned before this instant.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
            campaign_id: Id of the campaign.
        """
        return self._api.ask(
            answers.CampaignSchedule,
            "GET",
            "/v1/campaigns/{}/schedule",
            campaign_id,
            query={
                "enrolment_id": enrolment_id,
                "contact_id": contact_id,
                "step": step,
                "state": state,
                "since": since,
                "until": until,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list(
        self, *, status: kinds.CampaignStatus | None = None, limit: int | None = None, cursor: kinds.Id | None = None
    ) -> Page[answers.Campaign]:
        """List the campaigns.

        Args:
            status: Only what has this status.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.Campaign], "GET", "/v1/campaigns", query={"status": status, "limit": limit, "cursor": cursor}
        )

    def list_all(self, *, status: kinds.CampaignStatus | None = None) -> Iterator[answers.Campaign]:
        """Go through all pages of `list`."""
        return follow(lambda cursor: self.list(status=status, limit=200, cursor=cursor))

    def list_leads(
        self, campaign_id: kinds.Id, *, limit: int | None = None, cursor: kinds.Id | None = None
    ) -> Page[answers.CampaignLead]:
        """List the leads of a campaign, and how far it is with their people.

        Args:
            limit: How many at most.
            cursor: `next_cursor` of the page before.
            campaign_id: Id of the campaign.
        """
        return self._api.ask(
            Page[answers.CampaignLead],
            "GET",
            "/v1/campaigns/{}/leads",
            campaign_id,
            query={"limit": limit, "cursor": cursor},
        )

    def list_leads_all(self, campaign_id: kinds.Id) -> Iterator[answers.CampaignLead]:
        """Go through all pages of `list_leads`."""
        return follow(lambda cursor: self.list_leads(campaign_id, limit=200, cursor=cursor))

    def migrate(self, campaign_id: kinds.Id, **body: Unpack[bodies.ConfirmedMigration]) -> answers.Migration:
        """Do exactly what a preview showed, by its token; 409 if something that matters has changed since.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.Migration, "POST", "/v1/campaigns/{}/migrate", campaign_id, body=body)

    def pause(self, campaign_id: kinds.Id, **body: Unpack[bodies.ReasonInput]) -> answers.CampaignDetail:
        """Pause a running campaign: once this is answered, no more of its messages begin to be sent.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.CampaignDetail, "POST", "/v1/campaigns/{}/pause", campaign_id, body=body)

    def preview_migration(
        self, campaign_id: kinds.Id, **body: Unpack[bodies.WantedMigration]
    ) -> answers.MigrationPreview:
        """Show who would move to another plan and where to, what is cancelled and scheduled, and who cannot move.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(
            answers.MigrationPreview, "POST", "/v1/campaigns/{}/migrate/preview", campaign_id, body=body
        )

    def preview_resume(self, campaign_id: kinds.Id) -> answers.ResumePreview:
        """Show what resuming a paused campaign now would do, by policy: what goes out, what moves, what is dropped.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.ResumePreview, "GET", "/v1/campaigns/{}/resume/preview", campaign_id)

    def resume(self, campaign_id: kinds.Id, **body: Unpack[bodies.Resumption]) -> answers.CampaignDetail:
        """Resume a paused campaign: by default every timer and every send moves by the pause.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.CampaignDetail, "POST", "/v1/campaigns/{}/resume", campaign_id, body=body)

    def schedule(self, campaign_id: kinds.Id, **body: Unpack[bodies.WantedStart]) -> answers.CampaignDetail:
        """Let a draft start by itself at an instant; what a start would lack is named at once.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.CampaignDetail, "POST", "/v1/campaigns/{}/schedule", campaign_id, body=body)

    def start(self, campaign_id: kinds.Id) -> answers.CampaignDetail:
        """Start a draft; if it cannot start, everything that is missing is named at once.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.CampaignDetail, "POST", "/v1/campaigns/{}/start", campaign_id)

    def unschedule(self, campaign_id: kinds.Id) -> answers.CampaignDetail:
        """Make a scheduled campaign a draft again.

        Args:
            campaign_id: Id of the campaign.
        """
        return self._api.ask(answers.CampaignDetail, "DELETE", "/v1/campaigns/{}/schedule", campaign_id)
