"""What the API takes and answers about leads of campaigns, and about automatic work."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import Field, StrictBool, StringConstraints, computed_field, model_validator

from cadenza.api.models import Answer, Job, Taken
from cadenza.campaigns.assignment import MAX_LEADS, Assigned, LeadFilter
from cadenza.campaigns.automation import LOOKED_AT, Passed, WantedBatch
from cadenza.core.ids import CampaignId, ContactId, LeadId
from cadenza.core.states import JobStatus, LeadStatus

# --- leads of a campaign -----------------------------------------------------------------------------------------


class WantedLeads(Taken):
    """Which leads the campaign is to have: those that are named (1,000), or the oldest 1,000 that ``filter`` finds."""

    lead_ids: Annotated[tuple[LeadId, ...], Field(max_length=MAX_LEADS)] = ()
    filter: LeadFilter | None = None

    @model_validator(mode="after")
    def _not_both(self) -> Self:
        if self.lead_ids and self.filter is not None:
            raise ValueError("either name lead_ids, or give a filter")
        return self


class LeadAnswer(Answer):
    """What became of a lead, and in words why. ``plans`` were ordered for people of it just now."""

    lead_id: UUID
    domain: str
    outcome: Assigned
    detail: str
    plans: int


class LeadAnswers(Answer):
    """What became of each lead. ``more``: the filter finds others besides; ask again."""

    items: tuple[LeadAnswer, ...]
    more: bool


class CampaignLead(Answer):
    """A lead that a campaign was given, or of which it has taken somebody by itself (``given_at`` null).

    Of its people, ``on_order`` have a plan on order, ``enrolled`` are or were in the campaign, ``open`` of these are
    under way, ``waiting`` are to have their turn; ``next_at`` is when the next of these has it, if that is known.
    """

    id: UUID
    domain: str
    company_name: str
    status: LeadStatus
    failure_reason: str
    given_at: datetime | None
    on_order: int
    enrolled: int
    open: int
    waiting: int
    next_at: datetime | None


# --- automation --------------------------------------------------------------------------------------------------


class WantedSwitch(Taken):
    """On or off, and why."""

    enabled: StrictBool
    reason: Annotated[str, StringConstraints(strip_whitespace=True, max_length=500)] = ""


class Switched(Answer):
    """How the switch stands, and which campaigns it is for; ``held`` of their plans wait for it."""

    enabled: bool
    campaigns: tuple[UUID, ...]
    held: int


class WantedRun(Taken):
    """A batch: of one campaign or of all that take people; at most ``limit`` people, from ``cursor`` on.

    ``dry_run`` shows what would be done.
    """

    campaign_id: CampaignId | None = None
    limit: int = Field(default=100, ge=1, le=LOOKED_AT)
    cursor: ContactId | None = None
    dry_run: StrictBool = False

    @property
    def batch(self) -> WantedBatch:
        """The same, for the service."""
        return WantedBatch(self.campaign_id, self.limit, self.cursor, self.dry_run)


class QueuedContact(Answer):
    """Whom a campaign takes. ``begins_at`` is when planning may begin; null: their turn is to come (or a dry run)."""

    contact_id: UUID
    lead_id: UUID | None
    campaign_id: UUID
    begins_at: datetime | None


class SkippedContact(Answer):
    """Who was not taken, and why. ``opens_at`` is when time alone would change that."""

    contact_id: UUID
    lead_id: UUID | None
    reason: Passed
    detail: str
    opens_at: datetime | None


class Ran(Answer):
    """What a batch came to. With ``next_cursor`` there are more people to look at, from there."""

    queued: tuple[QueuedContact, ...]
    skipped: tuple[SkippedContact, ...]
    next_cursor: UUID | None
    dry_run: bool


class AutomaticJob(Job):
    """A plan that a fully automated campaign has ordered. ``waits_for`` says what it waits for; "": it does not."""

    @computed_field
    @property
    def waits_for(self) -> str:
        """Its turn, what went wrong, or the switch."""
        if self.status is not JobStatus.QUEUED:
            return ""
        if self.next_attempt_at is None:
            return self.reason or "a free worker"
        return f"{self.reason or 'its turn'}, until {self.next_attempt_at.isoformat()}"
