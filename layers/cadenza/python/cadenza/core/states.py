"""Every state a row can be in, and the one table of allowed moves for each.

A move is a guarded UPDATE: ``WHERE id = … AND status IN (those that may go there)``; `sources` gives that list.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

S = TypeVar("S", bound=StrEnum)


def sources(moves: Mapping[S, frozenset[S]], target: S) -> tuple[S, ...]:
    """The states from which ``target`` may be entered, in the order of the enum."""
    return tuple(state for state, targets in moves.items() if target in targets)


class LeadStatus(StrEnum):
    """A company site, from import to report."""

    NEW = "new"
    CRAWLING = "crawling"
    CRAWLED = "crawled"
    ANALYZING = "analyzing"
    ANALYZED = "analyzed"
    FAILED = "failed"


LEAD_MOVES: Mapping[LeadStatus, frozenset[LeadStatus]] = {
    LeadStatus.NEW: frozenset({LeadStatus.CRAWLING, LeadStatus.FAILED}),
    LeadStatus.CRAWLING: frozenset({LeadStatus.CRAWLED, LeadStatus.FAILED}),
    LeadStatus.CRAWLED: frozenset({LeadStatus.ANALYZING, LeadStatus.FAILED}),
    LeadStatus.ANALYZING: frozenset({LeadStatus.ANALYZED, LeadStatus.FAILED}),
    # A finished lead may be looked at again: the whole way, or its stored pages only.
    LeadStatus.ANALYZED: frozenset({LeadStatus.CRAWLING, LeadStatus.ANALYZING}),
    LeadStatus.FAILED: frozenset({LeadStatus.CRAWLING, LeadStatus.ANALYZING}),
}


class CampaignKind(StrEnum):
    """Where a campaign's content comes from."""

    TEMPLATE = "template"
    WORKFLOW = "workflow"
    AI = "ai"


class CampaignType(StrEnum):
    """What a campaign is for, and where its contacts come from."""

    LEAD_GENERATION = "lead_generation"
    """Strangers, found on the sites that it is given."""
    OUTREACH = "outreach"
    """People whom an operator puts in."""
    FULLY_AUTOMATED = "fully_automated"
    """It takes new contacts of the workspace by itself, for as long as its intake is open."""


class CompanyOrder(StrEnum):
    """How a campaign takes the people of one company."""

    TOGETHER = "together"
    ONE_AFTER_ANOTHER = "one_after_another"
    """Who decides first; the next one when that has led to nothing."""


class TurnStatus(StrEnum):
    """Where somebody stands among the people of a company that are taken one after another."""

    WAITING = "waiting"
    BEGUN = "begun"
    """A plan was ordered for them."""
    ENDED = "ended"
    """Their enrolment is over, or they were not enrolled."""
    DROPPED = "dropped"
    """Somebody at the company has replied before their turn came."""


TURN_MOVES: Mapping[TurnStatus, frozenset[TurnStatus]] = {
    TurnStatus.WAITING: frozenset({TurnStatus.BEGUN, TurnStatus.DROPPED}),
    TurnStatus.BEGUN: frozenset({TurnStatus.ENDED}),
    TurnStatus.ENDED: frozenset(),
    TurnStatus.DROPPED: frozenset(),
}

TURN_OPEN: tuple[TurnStatus, ...] = tuple(status for status, targets in TURN_MOVES.items() if targets)
"""A campaign is not complete while somebody's turn is in one of these."""


class CampaignStatus(StrEnum):
    """The umbrella over many enrolments."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    CANCELLED = "cancelled"
    FAILED = "failed"


CAMPAIGN_MOVES: Mapping[CampaignStatus, frozenset[CampaignStatus]] = {
    CampaignStatus.DRAFT: frozenset({CampaignStatus.SCHEDULED, CampaignStatus.RUNNING, CampaignStatus.CANCELLED}),
    CampaignStatus.SCHEDULED: frozenset({CampaignStatus.DRAFT, CampaignStatus.RUNNING, CampaignStatus.CANCELLED}),
    CampaignStatus.RUNNING: frozenset(
        {CampaignStatus.PAUSED, CampaignStatus.COMPLETED, CampaignStatus.CANCELLED, CampaignStatus.FAILED}
    ),
    CampaignStatus.PAUSED: frozenset({CampaignStatus.RUNNING, CampaignStatus.CANCELLED}),
    CampaignStatus.COMPLETED: frozenset(),
    CampaignStatus.CANCELLED: frozenset(),
    CampaignStatus.FAILED: frozenset(),
}


CAMPAIGN_UNBEGUN: tuple[CampaignStatus, ...] = (CampaignStatus.DRAFT, CampaignStatus.SCHEDULED)
"""From these a start leads on. From `CampaignStatus.PAUSED` only a resume does: it says what becomes of the pause."""

CAMPAIGN_ENDED: tuple[CampaignStatus, ...] = tuple(status for status, targets in CAMPAIGN_MOVES.items() if not targets)
"""From these there is no way on."""


class EnrolmentStatus(StrEnum):
    """Where one contact stands in one campaign."""

    DRAFT = "draft"
    ACTIVE = "active"
    COMPLETED = "completed"
    STOPPED = "stopped"
    FAILED = "failed"


ENROLMENT_MOVES: Mapping[EnrolmentStatus, frozenset[EnrolmentStatus]] = {
    EnrolmentStatus.DRAFT: frozenset({EnrolmentStatus.ACTIVE, EnrolmentStatus.STOPPED}),
    EnrolmentStatus.ACTIVE: frozenset({EnrolmentStatus.COMPLETED, EnrolmentStatus.STOPPED, EnrolmentStatus.FAILED}),
    EnrolmentStatus.COMPLETED: frozenset(),
    EnrolmentStatus.STOPPED: frozenset(),
    EnrolmentStatus.FAILED: frozenset(),
}


class ApprovalMode(StrEnum):
    """Whether people look at plans before anything is sent."""

    AUTOMATIC = "automatic"
    REVIEW_EACH = "review_each"
    REVIEW_FIRST = "review_first"
    """Nothing goes before so many of a campaign's plans have been approved; from then on all of them do."""


class Approval(StrEnum):
    """Whether a person has said yes to an enrolment's plan. Unless they have, or need not, it stays a draft."""

    NOT_NEEDED = "not_needed"
    """Nobody need be asked: by the mode, because enough others were approved, or because a person wrote the plan."""
    WANTED = "wanted"
    APPROVED = "approved"
    REJECTED = "rejected"


APPROVAL_MOVES: Mapping[Approval, frozenset[Approval]] = {
    Approval.NOT_NEEDED: frozenset({Approval.REJECTED}),
    Approval.WANTED: frozenset({Approval.APPROVED, Approval.REJECTED, Approval.NOT_NEEDED}),
    # Whoever changes an approved draft asks for approval anew: what was approved is gone.
    Approval.APPROVED: frozenset({Approval.WANTED, Approval.REJECTED}),
    Approval.REJECTED: frozenset(),
}

APPROVAL_GIVEN: tuple[Approval, ...] = (Approval.NOT_NEEDED, Approval.APPROVED)
"""In these an enrolment may begin."""


class ApprovalAct(StrEnum):
    """What the approval log records."""

    EDITED = "edited"
    APPROVED = "approved"
    REJECTED = "rejected"
    RELEASED = "released"
    """It need not be approved any more: enough others were."""


class ActionKind(StrEnum):
    """What a scheduled action does when it is due."""

    SEND = "send"
    TIMEOUT = "timeout"


class ActionStatus(StrEnum):
    """A live action waits, or has been handed to the queue."""

    PENDING = "pending"
    ENQUEUED = "enqueued"


class ActionOutcome(StrEnum):
    """How an action ended."""

    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"


class MessageStatus(StrEnum):
    """An outbox row, from queued to what the provider last said of it."""

    QUEUED = "queued"
    SENDING = "sending"
    UNKNOWN = "unknown"
    SENT = "sent"
    FAILED = "failed"
    SKIPPED = "skipped"
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    COMPLAINED = "complained"


MESSAGE_MOVES: Mapping[MessageStatus, frozenset[MessageStatus]] = {
    # From queued to sent or failed only what was handed over before: an event tells how that ended.
    MessageStatus.QUEUED: frozenset(
        {MessageStatus.SENDING, MessageStatus.SKIPPED, MessageStatus.SENT, MessageStatus.FAILED}
    ),
    MessageStatus.SENDING: frozenset(
        {MessageStatus.SENT, MessageStatus.FAILED, MessageStatus.UNKNOWN, MessageStatus.QUEUED}
    ),
    MessageStatus.UNKNOWN: frozenset({MessageStatus.SENT, MessageStatus.FAILED, MessageStatus.QUEUED}),
    MessageStatus.SENT: frozenset({MessageStatus.DELIVERED, MessageStatus.BOUNCED, MessageStatus.COMPLAINED}),
    MessageStatus.DELIVERED: frozenset({MessageStatus.BOUNCED, MessageStatus.COMPLAINED}),
    MessageStatus.BOUNCED: frozenset({MessageStatus.COMPLAINED}),
    MessageStatus.COMPLAINED: frozenset(),
    MessageStatus.FAILED: frozenset(),
    MessageStatus.SKIPPED: frozenset(),
}

MESSAGE_OPEN: tuple[MessageStatus, ...] = (MessageStatus.QUEUED, MessageStatus.SENDING, MessageStatus.UNKNOWN)
"""Not final: a campaign cannot complete while one of its messages is in one of these."""


MESSAGE_NOT_SENT: tuple[MessageStatus, ...] = (MessageStatus.FAILED, MessageStatus.SKIPPED)
"""Ended, and never sent, or counted as not sent."""


class ResumePolicy(StrEnum):
    """What becomes of what a pause held back."""

    SHIFT = "shift"
    """The pause counts as no time at all: every timer and every send moves by it."""
    KEEP = "keep"
    """All stays where it was. What came due meanwhile is made up for, one after the other."""
    SKIP_STALE = "skip_stale"
    """As `KEEP`, but sends that came due meanwhile are dropped: they count as skipped."""


class UnknownPolicy(StrEnum):
    """What becomes of a message of which nobody has heard whether it was sent, once its workspace's bound is past."""

    FAIL = "fail"
    """It is never sent again, and counts as not sent."""
    ASSUME_SENT = "assume_sent"
    """It is never sent again, and counts as sent when it was claimed: the enrolment goes on."""
    RESEND = "resend"
    """It is sent again, once: the person may get it twice."""


class JobKind(StrEnum):
    """What the job ledger records."""

    CRAWL = "crawl"
    ANALYSIS = "analysis"
    PLANNING = "planning"


class JobStatus(StrEnum):
    """One piece of work that people ask about."""

    QUEUED = "QUEUED"
    ACTIVE = "ACTIVE"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"


JOB_MOVES: Mapping[JobStatus, frozenset[JobStatus]] = {
    # From queued to completed only what a person, or a provider, has done meanwhile.
    JobStatus.QUEUED: frozenset({JobStatus.ACTIVE, JobStatus.COMPLETED, JobStatus.SKIPPED, JobStatus.FAILED}),
    JobStatus.ACTIVE: frozenset(
        {JobStatus.ACTIVE, JobStatus.QUEUED, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.SKIPPED}
    ),
    JobStatus.COMPLETED: frozenset(),
    JobStatus.FAILED: frozenset({JobStatus.QUEUED}),
    JobStatus.SKIPPED: frozenset({JobStatus.QUEUED}),
}

JOB_ENDED_BADLY: tuple[JobStatus, ...] = (JobStatus.FAILED, JobStatus.SKIPPED)
"""Ended without success: it can be asked for again."""


class AiOutcome(StrEnum):
    """What a call of a model came to."""

    ANSWERED = "answered"
    UNUSABLE = "unusable"
    """It was paid for, but refused, cut off, or not what was asked for."""
    UNKNOWN = "unknown"
    """Nobody heard how it ended: it counts with the most that it can have cost."""


class BatchStatus(StrEnum):
    """An import of leads: its crawls and plans are still being handed out, or all of them have been."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"


BATCH_MOVES: Mapping[BatchStatus, frozenset[BatchStatus]] = {
    BatchStatus.RUNNING: frozenset({BatchStatus.COMPLETED, BatchStatus.FAILED}),
    BatchStatus.COMPLETED: frozenset(),
    BatchStatus.FAILED: frozenset(),
}


class Channel(StrEnum):
    """How a message reaches a person."""

    EMAIL = "email"
    SMS = "sms"
    CALL = "call"


class SuppressionChannel(StrEnum):
    """What a suppression names."""

    EMAIL = "email"
    PHONE = "phone"
    DOMAIN = "domain"


class AddressCheck(StrEnum):
    """What is known of whether an address takes mail, beyond its syntax."""

    UNCHECKED = "unchecked"
    OK = "ok"
    """Its domain names mail servers, or has an address to deliver to (RFC 5321 §5.1)."""
    UNKNOWN = "unknown"
    """DNS did not say: nobody is refused for that."""
    NO_DOMAIN = "no_domain"
    NO_MX = "no_mx"
    """Its domain says that it takes no mail (RFC 7505), or has nowhere to deliver to."""
    DISPOSABLE = "disposable"
    """Its domain gives out addresses to throw away."""


UNDELIVERABLE: frozenset[AddressCheck] = frozenset(
    {AddressCheck.NO_DOMAIN, AddressCheck.NO_MX, AddressCheck.DISPOSABLE}
)
"""Who has such an address is not written to."""


class ConsentBasis(StrEnum):
    """On what ground a person is written to (GDPR Art. 6(1)): none recorded, (f), or (a)."""

    NONE = "none"
    LEGITIMATE_INTEREST = "legitimate_interest"
    OPT_IN = "opt_in"


class ContactPolicy(StrEnum):
    """What a workspace asks for before people of a country are written to."""

    ALLOWED = "allowed"
    NEEDS_BASIS = "needs_basis"
    """Any recorded basis will do."""
    NEEDS_OPT_IN = "needs_opt_in"
    REFUSED = "refused"


class ConsentAct(StrEnum):
    """What the consent log records: decisions that leave no other row behind."""

    LIFTED = "lifted"
    """A suppression was taken back."""
    ERASED = "erased"
    """A person's data was erased."""


class AuditAct(StrEnum):
    """What the audit log records: what an operator did that leaves no other trace of who did it."""

    CAMPAIGN_STARTED = "campaign_started"
    CAMPAIGN_PAUSED = "campaign_paused"
    CAMPAIGN_RESUMED = "campaign_resumed"
    CAMPAIGN_CANCELLED = "campaign_cancelled"
    CAMPAIGN_CHANGED = "campaign_changed"
    CAMPAIGN_SCHEDULED = "campaign_scheduled"
    CAMPAIGN_UNSCHEDULED = "campaign_unscheduled"
    CAMPAIGN_NOT_STARTED = "campaign_not_started"
    """Its hour had come, and something was missing."""
    CAMPAIGN_CLOSED = "campaign_closed"
    """It takes nobody in any more, and completes when all that it has is final."""
    CAMPAIGN_CLONED = "campaign_cloned"
    TEMPLATE_CREATED = "template_created"
    TEMPLATE_CHANGED = "template_changed"
    TEMPLATE_DELETED = "template_deleted"
    WORKFLOW_CREATED = "workflow_created"
    WORKFLOW_CHANGED = "workflow_changed"
    WORKFLOW_DELETED = "workflow_deleted"
    LEADS_ASSIGNED = "leads_assigned"
    AUTOMATION_SWITCHED = "automation_switched"
    AUTOMATION_RUN = "automation_run"
    JOBS_RETRIED = "jobs_retried"
    DEAD_LETTERS_REDRIVEN = "dead_letters_redriven"
    DEAD_LETTERS_PURGED = "dead_letters_purged"
    API_KEY_CREATED = "api_key_created"
    API_KEY_REVOKED = "api_key_revoked"


class Role(StrEnum):
    """What an API key may do; each includes the ones before it."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ADMIN = "admin"
