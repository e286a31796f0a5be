"""What crosses the queues: one frozen model a message, ids and a version, never rows.

Only `SignalReported`, `MailReceived` and `CrawlReported` carry content, because they bring in something that exists
nowhere else yet.
A message is a hint: losing, repeating or reordering it may delay work but never changes an outcome.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum
from typing import Annotated, Final, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, JsonValue, TypeAdapter

from cadenza.core.ids import BatchId, CampaignId, ContactId, LeadId, MessageId, WorkspaceId


class Message(BaseModel):
    """Base of every queue message. ``correlation_id`` follows the work from webhook to send."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: Literal[1] = 1
    correlation_id: str = ""


# --- lead-analysis -----------------------------------------------------------------------------------------------


class CrawlWanted(Message):
    """A lead is to be crawled."""

    type: Literal["crawl.wanted"] = "crawl.wanted"
    workspace_id: WorkspaceId
    lead_id: LeadId


class CrawlStatus(StrEnum):
    """How a crawl ended."""

    COMPLETED = "completed"
    FAILED = "failed"


class CrawlReported(Message):
    """A crawl provider says that a crawl ended. The pages are fetched from the provider by ``crawl_id``."""

    type: Literal["crawl.reported"] = "crawl.reported"
    workspace_id: WorkspaceId
    lead_id: LeadId
    crawl_id: str
    delivery_id: str
    status: CrawlStatus
    error: str = ""


class CrawlPageSeen(Message):
    """A crawl provider says that it has read a page: a sign of life. The page itself is fetched at the crawl's end."""

    type: Literal["crawl.page_seen"] = "crawl.page_seen"
    workspace_id: WorkspaceId
    lead_id: LeadId
    crawl_id: str
    delivery_id: str


class CrawlCheck(Message):
    """A crawl was begun at a provider: ask how it is, unless it has been reported. ``checks`` were made before."""

    type: Literal["crawl.check"] = "crawl.check"
    workspace_id: WorkspaceId
    lead_id: LeadId
    crawl_id: str
    checks: int = 0


class AnalysisWanted(Message):
    """A lead's pages are stored; the site is to be analysed."""

    type: Literal["analysis.wanted"] = "analysis.wanted"
    workspace_id: WorkspaceId
    lead_id: LeadId


class BatchTaken(Message):
    """An import of leads is in the database; its next crawls and plans are to be handed out."""

    type: Literal["batch.taken"] = "batch.taken"
    workspace_id: WorkspaceId
    batch_id: BatchId


class Sweep(Message):
    """The safety sweep: re-drive what was begun but not finished, and what has no wake."""

    type: Literal["sweep"] = "sweep"


LeadMessage = Annotated[
    CrawlWanted | CrawlReported | CrawlPageSeen | CrawlCheck | AnalysisWanted | BatchTaken | Sweep,
    Field(discriminator="type"),
]


# --- campaign-creation -------------------------------------------------------------------------------------------


class PlanWanted(Message):
    """A contact is to get a plan and an enrolment in a campaign."""

    type: Literal["plan.wanted"] = "plan.wanted"
    workspace_id: WorkspaceId
    campaign_id: CampaignId
    contact_id: ContactId


class IntakeWanted(Message):
    """There may be people whom the workspace's fully automated campaigns are to take.

    ``lead_id``: among those of this lead; ``after``: among those after this contact.
    """

    type: Literal["intake.wanted"] = "intake.wanted"
    workspace_id: WorkspaceId
    lead_id: LeadId | None = None
    after: ContactId | None = None


PlanMessage = Annotated[PlanWanted | IntakeWanted, Field(discriminator="type")]


# --- engagement-events -------------------------------------------------------------------------------------------


class SignalKind(StrEnum):
    """What can happen to a message, as reported from outside. Synthetic events are never reported."""

    SENT = "sent"
    DELIVERED = "delivered"
    OPENED = "opened"
    CLICKED = "clicked"
    REPLIED = "replied"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    UNSUBSCRIBED = "unsubscribed"
    FAILED = "failed"


class Grade(StrEnum):
    """Who is behind a signal. Only `HUMAN` opens and clicks move a plan."""

    HUMAN = "human"
    LIKELY_MACHINE = "likely_machine"
    MACHINE = "machine"


class SignalReported(Message):
    """One provider event about one of our messages, verified and parsed, with its raw payload.

    ``provider_event_id`` is unique within ``provider`` and is what deduplicates. ``hard`` is set for bounces only:
    True for a permanent one, False for a transient one. ``away_until`` is the day of return that an out-of-office
    answer states.
    """

    type: Literal["signal.reported"] = "signal.reported"
    provider: str
    provider_event_id: str
    message_id: MessageId
    kind: SignalKind
    occurred_at: AwareDatetime
    grade: Grade = Grade.HUMAN
    grade_reasons: tuple[str, ...] = ()
    hard: bool | None = None
    away_until: date | None = None
    payload: dict[str, JsonValue] = Field(default_factory=dict)


OUT_OF_OFFICE: Final = "out_of_office"
"""The grade reason of an automatic reply of somebody who is away, with or without a date of return."""


class MailNature(StrEnum):
    """What a mail to one of our senders is. Mail that is none of these is not passed on."""

    REPLY = "reply"
    OUT_OF_OFFICE = "out_of_office"
    AUTO_REPLY = "auto_reply"
    BOUNCE = "bounce"
    OPT_OUT = "opt_out"


class MailReceived(Message):
    """A mail to one of our senders, verified, parsed and classified; which message it is about is not known yet.

    ``mail_id`` is a hash of its Message-ID and is what deduplicates. ``about`` is our message if the mail names it
    outright; ``references`` are the Message-IDs that it mentions, without brackets, the nearest first. ``sender`` and
    ``recipients`` are lower-case addresses; ``authentic`` is False if its sender is known to be forged. ``hard`` is set
    for bounces only.
    """

    type: Literal["mail.received"] = "mail.received"
    mail_id: str
    nature: MailNature
    occurred_at: AwareDatetime
    about: MessageId | None = None
    references: tuple[str, ...] = ()
    sender: str = ""
    recipients: tuple[str, ...] = ()
    authentic: bool = True
    reasons: tuple[str, ...] = ()
    hard: bool | None = None
    away_until: date | None = None
    payload: dict[str, JsonValue] = Field(default_factory=dict)


# --- campaign-execution ------------------------------------------------------------------------------------------


class ActionsDue(Message):
    """Scheduled actions that are due, or will be when this message is seen. Bigint ids of ``scheduled_actions``."""

    type: Literal["actions.due"] = "actions.due"
    action_ids: tuple[int, ...]


class Wake(Message):
    """A wake bucket has begun: claim what is due in it. ``bucket`` is the bucket's first instant."""

    type: Literal["wake"] = "wake"
    bucket: AwareDatetime


class CampaignMoved(Message):
    """A campaign has started, goes on or has ended: its enrolments are to follow, a part at a time."""

    type: Literal["campaign.moved"] = "campaign.moved"
    campaign_id: CampaignId


class StartDue(Message):
    """A scheduled campaign is to start, when its instant has come."""

    type: Literal["campaign.start_due"] = "campaign.start_due"
    campaign_id: CampaignId


ExecutionMessage = Annotated[
    ActionsDue | Wake | Sweep | SignalReported | MailReceived | CampaignMoved | StartDue, Field(discriminator="type")
]
"""What the execute function consumes, from both of its queues."""


# --- message-send ------------------------------------------------------------------------------------------------


class SendWanted(Message):
    """Outbox rows that wait to be claimed."""

    type: Literal["send.wanted"] = "send.wanted"
    message_ids: tuple[MessageId, ...]


LEAD_MESSAGES: TypeAdapter[LeadMessage] = TypeAdapter(LeadMessage)
PLAN_MESSAGES: TypeAdapter[PlanMessage] = TypeAdapter(PlanMessage)
EXECUTION_MESSAGES: TypeAdapter[ExecutionMessage] = TypeAdapter(ExecutionMessage)
SEND_MESSAGES: TypeAdapter[SendWanted] = TypeAdapter(SendWanted)
