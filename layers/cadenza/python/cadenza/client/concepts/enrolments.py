# Made by `make client` from the API's document: change the routes and models there.

"""Operations on enrolments."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

from cadenza.client import answers, bodies, kinds
from cadenza.client.api import Api, Page, follow


class Enrolments:
    """Operations on enrolments."""

    def __init__(self, api: Api) -> None:
        self._api = api

    def approve(self, enrolment_id: kinds.Id, **body: Unpack[bodies.WantedApproval]) -> answers.EnrolmentDetail:
        """Let a draft go; 409 if its plan is not any more the one that is named.

        Args:
            enrolment_id: Id of the enrolment.
        """
        return self._api.ask(answers.EnrolmentDetail, "POST", "/v1/enrolments/{}/approve", enrolment_id, body=body)

    def explain(self, enrolment_id: kinds.Id) -> answers.Explanation:
        """Say why nothing is sent now, what would clear it, and when the next message will go.

        Args:
            enrolment_id: Id of the enrolment.
        """
        return self._api.ask(answers.Explanation, "GET", "/v1/enrolments/{}/explain", enrolment_id)

    def get(self, enrolment_id: kinds.Id) -> answers.EnrolmentDetail:
        """Show an enrolment with its messages.

        Args:
            enrolment_id: Id of the enrolment.
        """
        return self._api.ask(answers.EnrolmentDetail, "GET", "/v1/enrolments/{}", enrolment_id)

    def get_plan(self, enrolment_id: kinds.Id) -> answers.Plan:
        """Show the plan that an enrolment has; its `etag` is what a change of it must name.

        Args:
            enrolment_id: Id of the enrolment.
        """
        return self._api.ask(answers.Plan, "GET", "/v1/enrolments/{}/plan", enrolment_id)

    def get_timeline(self, enrolment_id: kinds.Id) -> answers.Timeline:
        """Tell what happened to an enrolment, why, and what lies ahead.

        Args:
            enrolment_id: Id of the enrolment.
        """
        return self._api.ask(answers.Timeline, "GET", "/v1/enrolments/{}/timeline", enrolment_id)

    def list(
        self,
        *,
        campaign_id: kinds.Id | None = None,
        contact_id: kinds.Id | None = None,
        status: kinds.EnrolmentStatus | None = None,
        limit: int | None = None,
        cursor: kinds.Id | None = None,
    ) -> Page[answers.Enrolment]:
        """List who is in which campaign.

        Args:
            campaign_id: Only what belongs to this campaign.
            contact_id: Only what belongs to this contact.
            status: Only what has this status.
            limit: How many at most.
            cursor: `next_cursor` of the page before.
        """
        return self._api.ask(
            Page[answers.Enrolment],
            "GET",
            "/v1/enrolments",
            query={
                "campaign_id": campaign_id,
                "contact_id": contact_id,
                "status": status,
                "limit": limit,
                "cursor": cursor,
            },
        )

    def list_all(
        self,
        *,
        campaign_id: kinds.Id | None = None,
        contact_id: kinds.Id | None = None,
        status: kinds.EnrolmentStatus | None = None,
    ) -> Iterator[answers.Enrolment]:
        """Go through all pages of `list`."""
        return follow(
            lambda cursor: self.list(
                campaign_id=campaign_id, contact_id=contact_id, status=status, limit=200, cursor=cursor
            )
        )

    def preview(self, enrolment_id: kinds.Id, *, node: str | None = None) -> answers.Preview:
        """Show the mail that a send node (if not said, the current one) would send to this contact. Nothing is sent.

        Args:
            node: Only what has this node.
            enrolment_id: Id of the enrolment.
        """
        return self._api.ask(answers.Preview, "GET", "/v1/enrolments/{}/preview", enrolment_id, query={"node": node})

    def put_plan(
        self, enrolment_id: kinds.Id, *, if_match: str, **body: Unpack[bodies.PlanOfDraft]
    ) -> answers.EditedPlan:
        """Replace a draft's plan. Errors refuse it; what else is to be said about it stands in the answer.

        Args:
            if_match: The `etag` of what was read: 412 if it has changed since.
            enrolment_id: Id of the enrolment.
        """
        return self._api.ask(
            answers.EditedPlan, "PUT", "/v1/enrolments/{}/plan", enrolment_id, headers={"if-match": if_match}, body=body
        )

    def reject(self, enrolment_id: kinds.Id, **body: Unpack[bodies.ReasonInput]) -> answers.EnrolmentDetail:
        """End a draft for a reason, which is kept; nothing of it is sent.

        Args:
            enrolment_id: Id of the enrolment.
        """
        return self._api.ask(answers.EnrolmentDetail, "POST", "/v1/enrolments/{}/reject", enrolment_id, body=body)
