"""What the routes of approval and of enrolling by hand take and answer."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, JsonValue, StrictBool, StringConstraints, model_validator

from cadenza.api.models import Answer, Enrolled, Plan, Taken
from cadenza.api.plan_models import PlanJson
from cadenza.api.preview_models import Preview, PreviewFinding
from cadenza.campaigns.approval import BATCH, Decided
from cadenza.campaigns.by_hand import Placed
from cadenza.core.ids import ContactId, EnrolmentId
from cadenza.core.states import Approval, ApprovalAct, CampaignStatus, EnrolmentStatus

# --- what waits --------------------------------------------------------------------------------------------------


class CampaignOfDraft(Answer):
    """The campaign that a draft is in."""

    id: UUID
    name: str
    status: CampaignStatus


class LeadOfDraft(Answer):
    """The site that a draft's contact was found on."""

    id: UUID
    domain: str
    company_name: str


class Draft(Answer):
    """An enrolment that waits for approval. ``subject`` is its first node's, before it is filled in.

    ``plan_hash`` is what an approval may name, so that it is for what was seen.
    """

    id: UUID
    campaign: CampaignOfDraft
    contact: Enrolled
    lead: LeadOfDraft | None
    approval: Approval
    status: EnrolmentStatus
    reason: str
    plan_id: UUID
    plan_hash: str
    source: str
    subject: str
    created_at: datetime


class Decision(Answer):
    """Who changed, approved or rejected a draft. ``key_id`` null: it follows from others' approval."""

    at: datetime
    act: ApprovalAct
    key_id: UUID | None
    plan_id: UUID
    reason: str


class DraftDetail(Draft):
    """A draft with its plan, what is to be said about it, its mails as they would leave, and what was done to it."""

    plan: dict[str, JsonValue]
    findings: tuple[PreviewFinding, ...]
    mails: tuple[Preview, ...]
    decisions: tuple[Decision, ...]


# --- decisions ---------------------------------------------------------------------------------------------------


class PlanOfDraft(Taken):
    """Another plan for a draft, all of it."""

    plan: PlanJson = Field(default_factory=dict[str, JsonValue])


class EditedPlan(Plan):
    """The plan that a draft has now, and what is to be said about it. Nothing of it keeps the plan from being sent."""

    findings: tuple[PreviewFinding, ...]


class WantedApproval(Taken):
    """An approval: of the plan that was seen (``plan_hash``), or, with "", of whatever plan the draft has."""

    plan_hash: Annotated[str, StringConstraints(pattern="^([0-9a-f]{64})?$")] = ""


class WantedApprovals(Taken):
    """Which drafts of a campaign are to go: those that are named, or all that wait (1,000 at a time)."""

    enrolment_ids: Annotated[tuple[EnrolmentId, ...], Field(max_length=BATCH)] = ()
    all: StrictBool = False

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.enrolment_ids and self.all:
            raise ValueError("either name enrolment_ids, or say all")
        return self


class DraftAnswer(Answer):
    """What became of one draft, and in words why."""

    enrolment_id: UUID
    outcome: Decided
    detail: str


class DraftAnswers(Answer):
    """What became of each. ``released`` more need not be approved any more; ``waiting`` still wait."""

    items: tuple[DraftAnswer, ...]
    released: int
    waiting: int


# --- by hand -----------------------------------------------------------------------------------------------------

MAX_CONTACTS = 1000


class WantedEnrolments(Taken):
    """Who is to be in the campaign: ``contact_id`` or ``contact_ids``. Without a ``plan`` one is made for each."""

    contact_id: ContactId | None = None
    contact_ids: Annotated[tuple[ContactId, ...], Field(max_length=MAX_CONTACTS)] = ()
    plan: PlanJson | None = None

    @property
    def contacts(self) -> tuple[ContactId, ...]:
        """All of them."""
        return self.contact_ids if self.contact_id is None else (self.contact_id, *self.contact_ids)


class EnrolmentAnswer(Answer):
    """What became of one contact, and in words why. ``enrolment_id`` is there if they are enrolled now."""

    contact_id: UUID
    outcome: Placed
    detail: str
    enrolment_id: UUID | None


class EnrolmentAnswers(Answer):
    """What became of each contact."""

    items: tuple[EnrolmentAnswer, ...]
