"""What a job is about, what taking one comes to, and how one ends. Pure types."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cadenza.core.errors import CadenzaError
from cadenza.core.ids import CampaignId, ContactId, LeadId, WorkspaceId
from cadenza.core.states import JobKind, JobStatus

MAX_ATTEMPTS = 3
LEASE = timedelta(minutes=10)
"""How long an ACTIVE job is believed to be in somebody's hands: longer than any function may run, shorter than the
queues' visibility timeouts, so that a message whose worker died finds its job free when it comes back."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a job is about. (``kind``, ``key``) makes two requests the same work."""

    kind: JobKind
    key: str
    workspace_id: WorkspaceId
    lead_id: LeadId | None = None
    contact_id: ContactId | None = None
    campaign_id: CampaignId | None = None


def crawl(workspace_id: WorkspaceId, lead_id: LeadId) -> Work:
    """The crawl of a lead."""
    return Work(JobKind.CRAWL, str(lead_id), workspace_id, lead_id=lead_id)


def analysis(workspace_id: WorkspaceId, lead_id: LeadId) -> Work:
    """The analysis of a lead."""
    return Work(JobKind.ANALYSIS, str(lead_id), workspace_id, lead_id=lead_id)


def planning(
    workspace_id: WorkspaceId, campaign_id: CampaignId, contact_id: ContactId, lead_id: LeadId | None = None
) -> Work:
    """The plan of one contact in one campaign, whoever asks for it and however often."""
    return Work(JobKind.PLANNING, f"{campaign_id}:{contact_id}", workspace_id, lead_id, contact_id, campaign_id)


def no_contacts(workspace_id: WorkspaceId, campaign_id: CampaignId, lead_id: LeadId) -> Work:
    """The plans that a campaign does not get from a lead without contacts."""
    return Work(JobKind.PLANNING, f"{campaign_id}:lead:{lead_id}", workspace_id, lead_id, None, campaign_id)


@dataclass(frozen=True, slots=True)
class Begun:
    """The job is ours now: ``attempts_made`` failed attempts lie before this one, ``run`` shows whether it still is."""

    work: Work
    attempts_made: int
    run: int

    @property
    def is_last(self) -> bool:
        """Whether no attempt would follow a failure of this one."""
        return self.attempts_made + 1 >= MAX_ATTEMPTS


class Busy:
    """Somebody else is at it."""


@dataclass(frozen=True, slots=True)
class Early:
    """It waits, until then."""

    due_at: datetime


class Over:
    """It has ended, or was never queued: nothing to do."""


class Settled(CadenzaError):  # noqa: N818 - reads as what happened
    """The ledger says how the job ended, or that it is somebody else's now: its message is done."""


class Skip(CadenzaError):  # noqa: N818
    """Raised inside an `attempt`: there is a reason not to do the work, and the job ends as SKIPPED with this text."""


class Exhausted(CadenzaError):  # noqa: N818
    """Whoever tried before died at it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a job ends, why, and what came of it."""

    status: JobStatus
    reason: str = ""
    result: dict[str, object] = field(default_factory=dict[str, object])
