"""Sending, once: claim in one transaction, hand over outside any, record in another.

If the process dies between the two, the claimed messages stay ``sending`` until their lease ends, become unknown, and
are settled by their provider's events or, past the bound, by their workspace's policy. Unless that policy is to send
again, nothing on this way does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Retryable
from cadenza.core.ids import EnrolmentId, MessageId, SenderId, new_id
from cadenza.core.log import get_logger
from cadenza.delivery import outbox, senders
from cadenza.delivery.compose import compose
from cadenza.delivery.gate import Claims, claim
from cadenza.delivery.hints import Hints
from cadenza.delivery.metering import Meter
from cadenza.delivery.model import (
    LEASE,
    Ambiguous,
    Attempt,
    Claimed,
    Judged,
    MessageTrouble,
    Provider,
    Rejected,
    Result,
    SenderRefused,
    SenderTrouble,
)
from cadenza.delivery.spread import put_off
from cadenza.engine.apply import FollowUp, apply, apply_locked
from cadenza.engine.model import NotSent, SendOutcome, Stimulus
from cadenza.engine.service import Engine
from cadenza.signals.links import Links

RECORD_TRIES = 3
"""The mails are out when they are recorded: what a passing failure loses here, only provider events bring back."""

HANDOVER = timedelta(minutes=2)
"""What one message may take at most, with what is recorded of it: no later than this before the end one begins."""


@dataclass(slots=True)
class _Attempted:
    """What handing over a batch came to. ``released`` was certainly not taken, for these reasons.

    ``trouble`` is what was met, by what it reaches: a message, a sender, or all of a provider. Of the ``refused``
    senders nothing is taken until a person acts.
    """

    results: list[Result] = field(default_factory=list[Result])
    released: dict[MessageId, str] = field(default_factory=dict[MessageId, str])
    trouble: dict[MessageId | SenderId | str, Retryable] = field(
        default_factory=dict[MessageId | SenderId | str, Retryable]
    )
    refused: dict[SenderId, str] = field(default_factory=dict[SenderId, str])

    def met(self, message: Claimed) -> Retryable | None:
        """The trouble that the message would meet too."""
        return self.trouble.get(message.sender.id) or self.trouble.get(message.sender.provider)

    def meet(self, message: Claimed, trouble: Retryable) -> None:
        """Release the message, because of this."""
        said = trouble.said if isinstance(trouble, MessageTrouble) else trouble.detail
        if isinstance(trouble, SenderRefused):
            self.refused[message.sender.id] = said
        match trouble:
            case SenderTrouble():
                reach = message.sender.id
            case MessageTrouble():
                reach = message.stay.message_id
            case _:
                reach = message.sender.provider
        self.trouble[reach] = trouble
        self.released[message.stay.message_id] = said


class Delivery:
    """Sends outbox messages."""

    def __init__(
        self,
        *,
        database: Database,
        engine: Engine,
        hints: Hints,
        providers: Mapping[str, Provider],
        links: Links,
        clock: Clock,
        processes: int = 1,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """``providers`` by the name that sender identities know them under.

        ``processes`` may be sending at once, and share the pace of a provider among them.
        """
        self._database = database
        self._engine = engine
        self._hints = hints
        self._providers = providers
        self._links = links
        self._clock = clock
        self._meter = Meter(database, providers, clock, processes, sleep)

    def send(self, message_ids: Sequence[MessageId], correlation_id: str = "", until: datetime | None = None) -> None:
        """Send those of the messages that may go now. Safe to repeat, in any order, by anybody, at any time.

        No message is begun later than `HANDOVER` before ``until``, when the process ends: one that is cut off is lost.

        Raises:
            Retryable: A provider could not take some for now (they are queued again), time was up, or the database or
                a queue was away. What was sent stays sent and recorded; bring all back.
        """
        self._meter.read()
        now = self._clock()
        if self._is_late(until):
            raise _out_of_time()
        attempt = Attempt(id=new_id(), at=now, lease_until=now + LEASE)
        with self._database.worker() as conn:
            claims = claim(conn, sorted(set(message_ids)), attempt, self._meter.slices())
            skipped = [_not_sent(judged, now) for judged in claims.skipped]
            follow_up = apply_locked(conn, claims.enrolments, skipped, now) if skipped else FollowUp()
            reminders = put_off(conn, claims, now)
        _log(claims)
        try:
            attempted = self._hand_over(claims.claimed, until)
        finally:
            for name in self._providers.keys() & {message.sender.provider for message in claims.claimed}:
                self._providers[name].close()
        follow_up += self._record(attempt, attempted)
        self._engine.finish(follow_up, correlation_id)
        self._hints.remind(reminders, self._clock(), correlation_id)
        for trouble in attempted.trouble.values():
            if not isinstance(trouble, SenderRefused):  # those messages wait for their sender, which is paused now
                raise trouble

    # --- handing over --------------------------------------------------------------------------------------------

    def _is_late(self, until: datetime | None) -> bool:
        return until is not None and self._clock() > until - HANDOVER

    def _hand_over(self, claimed: Sequence[Claimed], until: datetime | None) -> _Attempted:
        attempted = _Attempted()
        for message in claimed:
            message_id = message.stay.message_id
            met = _out_of_time() if self._is_late(until) else attempted.met(message)
            if met is not None:
                attempted.meet(message, met)
                continue
            try:
                result = self._attempt(message)
            except Retryable as trouble:
                attempted.meet(message, trouble)
                get_logger().warning("message.not_taken", message_id=str(message_id), detail=trouble.detail)
            else:
                attempted.results.append(result)
                get_logger().info(
                    "message.attempted", message_id=str(message_id), outcome=type(result.outcome).__name__.lower()
                )
        return attempted

    def _attempt(self, message: Claimed) -> Result:
        """One message, from its content to the provider's answer.

        Raises:
            Retryable: It was certainly not taken.
        """
        provider = self._providers.get(message.sender.provider)
        composed = compose(message, self._links, self._providers, self._clock())
        if isinstance(composed, Rejected):
            return Result(message, composed, self._clock())
        mail = composed.mail
        if provider is None:
            refusal = Rejected(f"no provider {message.sender.provider!r} is set up")
            return Result(message, refusal, self._clock(), mail.subject)
        self._meter.keep_pace(message.sender.provider)
        try:
            outcome = provider.send(mail)
        except Retryable:
            raise
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it may have gone wrong after the mail went out
            get_logger().exception("message.ambiguous", message_id=str(mail.message_id))
            outcome = Ambiguous(f"{message.sender.provider}: {type(error).__name__}")
        return Result(message, outcome, self._clock(), mail.subject)

    # --- recording -----------------------------------------------------------------------------------------------

    def _record(self, attempt: Attempt, attempted: _Attempted) -> FollowUp:
        if not attempted.results and not attempted.released:
            return FollowUp()
        for _ in range(RECORD_TRIES - 1):
            try:
                return self._record_once(attempt, attempted)
            except Retryable as trouble:
                get_logger().warning("outbox.record_repeated", detail=trouble.detail)
        return self._record_once(attempt, attempted)

    def _record_once(self, attempt: Attempt, attempted: _Attempted) -> FollowUp:
        now = self._clock()
        with self._database.worker() as conn:
            recorded = outbox.record(conn, attempt, attempted.results)
            released = outbox.release(conn, attempt, attempted.released)
            follow_up = apply(conn, recorded.stimuli, now)
            outbox.give_back(conn, attempt, [*recorded.refused, *released])
            senders.pause(conn, attempted.refused, now)
        return follow_up


def _out_of_time() -> Retryable:
    return Retryable("the function's time is up", retry_after_s=0)


def _not_sent(judged: Judged, now: datetime) -> tuple[EnrolmentId, Stimulus]:
    stay = judged.stay
    return stay.enrolment_id, NotSent(stay.node, stay.visit, now, SendOutcome.SKIPPED, judged.verdict)


def _log(claims: Claims) -> None:
    for judged in (*claims.skipped, *claims.waiting, *claims.put_off):
        get_logger().info("message.not_claimed", message_id=str(judged.stay.message_id), verdict=judged.verdict)
