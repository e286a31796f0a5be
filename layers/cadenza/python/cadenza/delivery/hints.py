"""Hints that queued messages are due: soon ones go to message-send with their delay, later ones get a wake."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from cadenza.core.ids import MessageId
from cadenza.core.messages import SendWanted
from cadenza.core.queues import Outgoing, Queue, delay_until
from cadenza.delivery.model import DueMessage
from cadenza.engine.apply import SOON
from cadenza.engine.dispatch import MESSAGES_A_MESSAGE, Dispatcher


class Hints:
    """Sends the hints. Call it after the commit; losing or repeating what it does only delays."""

    def __init__(self, send: Queue, dispatcher: Dispatcher) -> None:
        """``send`` is message-send."""
        self._send = send
        self._dispatcher = dispatcher

    def remind(self, messages: Sequence[DueMessage], now: datetime, correlation_id: str = "") -> None:
        """See to it that the messages come back when they are due.

        Raises:
            Retryable: A service did not take everything; the sweep makes up for it.
        """
        by_delay: defaultdict[int, list[MessageId]] = defaultdict(list)
        for message in messages:
            if message.due_at <= now + SOON:
                by_delay[delay_until(message.due_at, now)].append(message.id)
        self._dispatcher.ensure_wakes(message.due_at for message in messages if message.due_at > now + SOON)
        self._send.send(
            Outgoing(
                SendWanted(message_ids=tuple(ids[start : start + MESSAGES_A_MESSAGE]), correlation_id=correlation_id),
                delay_s,
            )
            for delay_s, ids in sorted(by_delay.items())
            for start in range(0, len(ids), MESSAGES_A_MESSAGE)
        )

    def renew(self, instants: Sequence[datetime], now: datetime) -> None:
        """See to it that the buckets of these instants have their wakes."""
        self._dispatcher.renew(instants, now)
