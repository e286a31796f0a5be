"""After the commit: hints to the queues, wakes for what is due later. All of it may be lost or repeated harmlessly."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import TypeVar

from cadenza.core.ids import CampaignId
from cadenza.core.messages import ActionsDue, CampaignMoved, SendWanted, StartDue, Wake
from cadenza.core.queues import Outgoing, Queue, delay_until
from cadenza.engine.apply import SOON, FollowUp
from cadenza.engine.wakes import Wakes, bucket_of

T = TypeVar("T")

ACTIONS_A_MESSAGE = 50
MESSAGES_A_MESSAGE = 10


class Dispatcher:
    """Hands follow-ups on."""

    def __init__(self, execution: Queue, wakes: Wakes, send: Queue | None = None) -> None:
        """``send`` may be absent in functions whose work never queues a message."""
        self._execution = execution
        self._wakes = wakes
        self._send = send

    def dispatch(self, follow_up: FollowUp, now: datetime, correlation_id: str = "") -> None:
        """Send what is due soon, with its exact delay; make sure that the rest will be woken.

        Raises:
            Retryable: A service did not take everything; the safety sweep makes up for it.
        """
        by_delay: defaultdict[int, list[int]] = defaultdict(list)
        later: set[datetime] = set()
        for action in follow_up.actions:
            if action.due_at <= now + SOON:
                by_delay[delay_until(action.due_at, now)].append(action.id)
            else:
                later.add(action.due_at)
        self.ensure_wakes(later)
        self._execution.send(
            Outgoing(ActionsDue(action_ids=ids, correlation_id=correlation_id), delay_s)
            for delay_s, all_ids in sorted(by_delay.items())
            for ids in _chunks(sorted(all_ids), ACTIONS_A_MESSAGE)
        )
        if follow_up.messages and self._send is not None:
            self._send.send(
                SendWanted(message_ids=ids, correlation_id=correlation_id)
                for ids in _chunks(follow_up.messages, MESSAGES_A_MESSAGE)
            )

    def follow(self, campaigns: Iterable[CampaignId], correlation_id: str = "") -> None:
        """Have these campaigns' enrolments follow them, and what they have under way woken when it is due.

        Raises:
            Retryable: The queue did not take everything; the safety sweep makes up for it.
        """
        self._execution.send(CampaignMoved(campaign_id=one, correlation_id=correlation_id) for one in campaigns)

    def start_at(self, campaigns: Iterable[tuple[CampaignId, datetime]], now: datetime) -> None:
        """Have these campaigns started at their instants: by a message with its exact delay, or a wake before that.

        Raises:
            Retryable: A service did not take everything; the safety sweep makes up for it.
        """
        wanted = list(campaigns)
        self.ensure_wakes(at for _, at in wanted if at > now + SOON)
        self._execution.send(
            Outgoing(StartDue(campaign_id=one), delay_until(at, now)) for one, at in wanted if at <= now + SOON
        )

    def ensure_wakes(self, instants: Iterable[datetime]) -> None:
        """See to it that something due at these instants, each further off than `SOON`, will be woken."""
        self._wakes.ensure(bucket_of(instant) for instant in instants)

    def wake(self, now: datetime) -> None:
        """Have handed on what is due in the bucket that has begun, as its own wake did.

        Raises:
            Retryable: The queue did not take it; the safety sweep makes up for it.
        """
        self._execution.send([Wake(bucket=bucket_of(now))])

    def renew(self, instants: Iterable[datetime], now: datetime) -> None:
        """Create the wakes of these instants' buckets anew, if they are gone; a bucket that has begun needs none."""
        self._wakes.renew(bucket for bucket in map(bucket_of, instants) if bucket > now)


def _chunks(items: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    for start in range(0, len(items), size):
        yield tuple(items[start : start + size])
