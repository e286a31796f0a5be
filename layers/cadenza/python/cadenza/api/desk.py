"""What one request works with: the process's connections, and who is asking."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from sqlalchemy import Connection

from cadenza.api.limits import Limit
from cadenza.campaigns.approval import Approvals
from cadenza.campaigns.assignment import LeadAssignment
from cadenza.campaigns.automation import Automation
from cadenza.campaigns.by_hand import ByHand
from cadenza.campaigns.consent import Suppressions
from cadenza.campaigns.content import Contents
from cadenza.campaigns.editing import CampaignEdits
from cadenza.campaigns.erasure import Erasure
from cadenza.campaigns.keys import ApiKeys
from cadenza.campaigns.senders import Senders
from cadenza.campaigns.service import Campaigns
from cadenza.contacts.service import People
from cadenza.core import jobs
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Retryable
from cadenza.core.ids import CampaignId, JobId, WorkspaceId
from cadenza.core.log import get_logger
from cadenza.core.messages import PlanWanted
from cadenza.core.queues import Queue, hint
from cadenza.delivery.providers.passwords import Passwords
from cadenza.engine.apply import FollowUp
from cadenza.engine.completion import complete_campaigns
from cadenza.engine.dispatch import Dispatcher
from cadenza.leads.batches import LeadBatches
from cadenza.leads.intake import LeadIntake
from cadenza.leads.service import hint_of
from cadenza.legacy.service import LegacyImport
from cadenza.operations.dead_letters import DeadLetters
from cadenza.operations.health import Installation
from cadenza.operations.retries import Retries

MAX_LEGACY_ROWS: Final = 10_000
"""What one request takes in well under the 29 seconds that it has, and reports within Lambda's 6 MB."""


class PatientDispatcher(Dispatcher):
    """Hands follow-ups on, and leaves to the safety sweep what a service does not take.

    The change is committed: an error would make the caller repeat what has been done.
    """

    def dispatch(self, follow_up: FollowUp, now: datetime, correlation_id: str = "") -> None:
        """As `Dispatcher.dispatch`, without its error."""
        with _patience():
            super().dispatch(follow_up, now, correlation_id)

    def follow(self, campaigns: Iterable[CampaignId], correlation_id: str = "") -> None:
        """As `Dispatcher.follow`, without its error."""
        with _patience():
            super().follow(campaigns, correlation_id)

    def start_at(self, campaigns: Iterable[tuple[CampaignId, datetime]], now: datetime) -> None:
        """As `Dispatcher.start_at`, without its error."""
        with _patience():
            super().start_at(campaigns, now)

    def wake(self, now: datetime) -> None:
        """As `Dispatcher.wake`, without its error."""
        with _patience():
            super().wake(now)


@contextmanager
def _patience() -> Generator[None]:
    try:
        yield
    except Retryable as error:
        get_logger().error("hints.left_to_sweep", reason=error.detail)


@dataclass(frozen=True, slots=True)
class Office:
    """What the process has: made once, shared by all requests. The database is that of the role ``cadenza_api``."""

    database: Database
    dispatcher: PatientDispatcher
    lead_queue: Queue
    creation_queue: Queue
    clock: Clock
    passwords: Passwords
    public_url: str
    installation: Installation
    limit: Limit
    """What each API key may ask for."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One request's place in the office: everything done here is done in the caller's workspace."""

    office: Office
    workspace_id: WorkspaceId
    correlation_id: str
    key_id: UUID
    """The API key in whose name it is done."""

    @contextmanager
    def transaction(self) -> Generator[Connection]:
        """A transaction that sees the caller's workspace only."""
        with self.office.database.workspace(self.workspace_id) as conn:
            yield conn

    def now(self) -> datetime:
        """The current instant."""
        return self.office.clock()

    @property
    def campaigns(self) -> Campaigns:
        """The workspace's campaigns."""
        office = self.office
        return Campaigns(
            office.database, office.dispatcher, self.workspace_id, self.key_id, office.clock, office.public_url
        )

    @property
    def senders(self) -> Senders:
        """The workspace's senders."""
        office = self.office
        return Senders(office.database, office.dispatcher, self.workspace_id, office.clock, office.passwords)

    @property
    def people(self) -> People:
        """The workspace's contacts."""
        return People(self.office.database, self.workspace_id, self.office.clock)

    @property
    def suppressions(self) -> Suppressions:
        """The workspace's suppressions."""
        office = self.office
        return Suppressions(office.database, office.dispatcher, self.workspace_id, self.key_id, office.clock)

    def legacy(self, sender: str) -> LegacyImport:
        """Takes exports of other systems into the workspace; ``sender`` is whose campaigns name nobody here."""
        office = self.office
        return LegacyImport(
            office.database,
            office.dispatcher,
            self.workspace_id,
            self.key_id,
            office.clock,
            sender.strip(),
            MAX_LEGACY_ROWS,
        )

    @property
    def approvals(self) -> Approvals:
        """The workspace's drafts."""
        office = self.office
        return Approvals(office.database, office.dispatcher, self.workspace_id, self.key_id, office.clock)

    @property
    def by_hand(self) -> ByHand:
        """Who puts contacts into the workspace's campaigns by hand."""
        office = self.office
        queue, dispatcher = office.creation_queue, office.dispatcher
        return ByHand(office.database, dispatcher, queue, self.workspace_id, self.key_id, office.clock)

    @property
    def contents(self) -> Contents:
        """The workspace's templates and workflows."""
        return Contents(self.office.database, self.workspace_id, self.key_id, self.office.clock)

    @property
    def edits(self) -> CampaignEdits:
        """Who changes and clones the workspace's campaigns."""
        office = self.office
        return CampaignEdits(office.database, self.workspace_id, self.key_id, office.clock, self.by_hand)

    @property
    def assignment(self) -> LeadAssignment:
        """Who gives leads to the workspace's campaigns."""
        office = self.office
        queues = office.lead_queue, office.creation_queue
        return LeadAssignment(office.database, *queues, self.workspace_id, self.key_id, office.clock)

    @property
    def automation(self) -> Automation:
        """The workspace's automatic work."""
        office = self.office
        return Automation(office.database, office.creation_queue, self.workspace_id, self.key_id, office.clock)

    @property
    def keys(self) -> ApiKeys:
        """The workspace's API keys."""
        return ApiKeys(self.office.database, self.workspace_id, self.key_id, self.office.clock)

    @property
    def erasure(self) -> Erasure:
        """Who erases people of the workspace."""
        office = self.office
        return Erasure(office.database, office.dispatcher, self.workspace_id, self.key_id, office.clock)

    @property
    def intake(self) -> LeadIntake:
        """The workspace's way in for leads."""
        office = self.office
        return LeadIntake(
            office.database, self.workspace_id, office.lead_queue, office.creation_queue, self._settled, office.clock
        )

    @property
    def batches(self) -> LeadBatches:
        """The workspace's way in for lists of leads."""
        office = self.office
        return LeadBatches(office.database, self.workspace_id, office.lead_queue, self._settled, office.clock)

    @property
    def dead_letters(self) -> DeadLetters:
        """The dead-letter queues, as far as they concern the workspace."""
        office = self.office
        queues = office.installation.queues
        return DeadLetters(office.database, queues, self.workspace_id, self.key_id, office.clock)

    @property
    def retries(self) -> Retries:
        """The workspace's jobs that ended badly."""
        office = self.office
        queues = office.lead_queue, office.creation_queue
        return Retries(office.database, *queues, self.workspace_id, self.key_id, office.clock)

    def retry_job(self, job_id: JobId) -> None:
        """Ask again for a job that has failed or was skipped. A hint that SQS does not take is left to the sweep.

        Raises:
            NotFound: No such job.
            Conflict: It has not ended so.
        """
        with self.transaction() as conn:
            wanted = hint_of(jobs.retry(conn, job_id, self.now()), self.correlation_id)
        queue = self.office.creation_queue if isinstance(wanted, PlanWanted) else self.office.lead_queue
        hint(queue, [] if wanted is None else [wanted])

    def _settled(self, campaigns: Sequence[CampaignId]) -> None:
        with self.transaction() as conn:
            complete_campaigns(conn, campaigns, self.now())
