"""Everything that campaign-execution and engagement-events ask for, a batch at a time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from cadenza.core.ids import CampaignId
from cadenza.core.messages import (
    ActionsDue,
    CampaignMoved,
    ExecutionMessage,
    MailReceived,
    SignalReported,
    StartDue,
    Sweep,
    Wake,
)
from cadenza.delivery.inbound import Inbound
from cadenza.delivery.outcomes import SignalIntake
from cadenza.delivery.upkeep import Upkeep
from cadenza.engine.service import Engine


class Starts(Protocol):
    """Campaigns that start by themselves."""

    def wake(self, bucket: datetime) -> None:
        """Hand on those that start in the bucket."""
        ...

    def start(self, campaign_id: CampaignId) -> None:
        """Start this one, if its instant has come."""
        ...

    def sweep(self) -> None:
        """Hand on what was lost."""
        ...


@dataclass(frozen=True, slots=True)
class Execution:
    """Time and signals drive enrolments on; the outbox is kept in order on the same occasions."""

    engine: Engine
    signals: SignalIntake
    inbound: Inbound
    upkeep: Upkeep
    starts: Starts

    def handle(self, messages: Sequence[ExecutionMessage]) -> None:
        """Act on a batch, set-based. Safe to repeat.

        Raises:
            Retryable: The database or a queue was away.
        """
        # Signals first: what a person did counts before the silence that a timeout of the same batch would see.
        reported = [message for message in messages if isinstance(message, SignalReported)]
        mails = [message for message in messages if isinstance(message, MailReceived)]
        if mails:
            reported += self.inbound.signals(mails)
        if reported:
            self.signals.take(reported)
        due = [message for message in messages if isinstance(message, ActionsDue)]
        if due:
            ids = sorted({action_id for message in due for action_id in message.action_ids})
            self.engine.run_due(ids, due[0].correlation_id)
        for bucket in sorted({message.bucket for message in messages if isinstance(message, Wake)}):
            self.engine.wake(bucket)
            self.upkeep.wake(bucket)
            self.starts.wake(bucket)
        for campaign_id in sorted({message.campaign_id for message in messages if isinstance(message, StartDue)}):
            self.starts.start(campaign_id)
        for campaign_id in sorted({message.campaign_id for message in messages if isinstance(message, CampaignMoved)}):
            self.engine.follow(campaign_id)
        if any(isinstance(message, Sweep) for message in messages):
            self.engine.sweep()
            self.upkeep.sweep()
            self.starts.sweep()
