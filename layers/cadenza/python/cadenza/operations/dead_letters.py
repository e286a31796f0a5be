"""Dead-letter queues: looked into, redriven, purged. Each deed is in the audit log before the first message is moved.

SQS has no way to look without taking: messages are received, kept from others for `HOLD_S` at most, and put back when
they have been looked at. Who looks at the same moment sees fewer; a consumer there is none. SQS asks a part of its
servers at a time, so that a look may miss some.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

from pydantic import JsonValue

from cadenza.core import audit, aws
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Retryable
from cadenza.core.ids import SYSTEM_WORKSPACE, WorkspaceId
from cadenza.core.log import get_logger
from cadenza.core.queues import BATCH_ENTRIES, QueueName, in_batches
from cadenza.core.states import AuditAct, JobKind
from cadenza.operations.health import Pair, figures
from cadenza.operations.letters import Decoded, Letter, decode, errors, own
from cadenza.operations.model import Figures

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import MessageTypeDef

AT_ONCE: Final = 500
"""Messages taken in hand by one request at most."""
HOLD_S: Final = 30
"""How long they are kept from others if nobody puts them back: longer than the API's function may run."""
_EMPTY_AT_LAST: Final = 3
"""Receives in a row that bring nothing, after which a queue counts as empty: each asks a part of SQS's servers only."""


@dataclass(frozen=True, slots=True)
class Look:
    """The letters of the caller's that were seen, the oldest first. ``complete``: there are no more than these."""

    letters: tuple[Decoded, ...]
    errors: Mapping[tuple[JobKind, str], str]
    complete: bool


@dataclass(frozen=True, slots=True)
class Deed:
    """What became of letters. ``not_found``: named, but not seen, or not the caller's. ``undone``: SQS refused them."""

    queue: QueueName
    message_ids: tuple[str, ...]
    not_found: tuple[str, ...]
    undone: tuple[str, ...]
    complete: bool


class DeadLetters:
    """The dead-letter queues, as far as they concern a workspace; the installation's own sees all of them."""

    def __init__(
        self,
        database: Database,
        queues: Mapping[QueueName, Pair],
        workspace_id: WorkspaceId,
        key_id: UUID,
        clock: Clock,
    ) -> None:
        """``key_id`` is in whose name it is done."""
        self._database = database
        self._queues = queues
        self._workspace_id = workspace_id
        self._key_id = key_id
        self._clock = clock

    def depths(self) -> dict[QueueName, Figures]:
        """How many messages are in each, of the whole installation.

        Raises:
            Retryable: SQS does not answer.
        """
        with ThreadPoolExecutor(aws.HASTY_CALLS) as threads:
            found = figures(self._queues, threads)
        if not all(found.values()):
            raise Retryable("SQS does not answer")
        return {name: seen for name, seen in found.items() if seen is not None}

    def look(self, queue: QueueName, limit: int) -> Look:
        """The first ``limit`` letters of the caller's in a DLQ; they stay in it.

        Raises:
            Retryable: SQS does not answer.
        """
        with self._taken(queue) as taken:
            pass
        mine = self._own(queue, taken.letters)
        shown = mine[:limit]
        with self._database.workspace(self._workspace_id) as conn:
            why = errors(conn, shown)
        return Look(tuple(shown), why, taken.complete and len(mine) == len(shown))

    def redrive(self, queue: QueueName, wanted: Sequence[str] | None) -> Deed:
        """Put letters back on the queue that they come from, with all their receives and tries before them again.

        None: all of the caller's. Each is sent, then deleted: a crash in between repeats it, which is harmless.

        Raises:
            Retryable: SQS does not answer; nothing was done.
        """
        return self._do(queue, wanted, AuditAct.DEAD_LETTERS_REDRIVEN, self._send_back)

    def purge(self, queue: QueueName, wanted: Sequence[str] | None) -> Deed:
        """Delete letters for good. None: all of the caller's.

        Raises:
            Retryable: SQS does not answer; nothing was done.
        """
        return self._do(queue, wanted, AuditAct.DEAD_LETTERS_PURGED, self._delete)

    def _do(
        self,
        queue: QueueName,
        wanted: Sequence[str] | None,
        act: AuditAct,
        do: Callable[[Pair, Sequence[Letter]], list[str]],
    ) -> Deed:
        with self._taken(queue) as taken:
            mine = [one.letter for one in self._own(queue, taken.letters)]
            chosen = mine if wanted is None else [letter for letter in mine if letter.id in set(wanted)]
            ids = [letter.id for letter in chosen]
            if not chosen:
                done: list[str] = []
            else:
                self._record(act, {"queue": queue, "count": len(ids), "message_ids": [*ids]})
                done = do(self._queues[queue], chosen)
                taken.forget(done)
        undone = [id_ for id_ in ids if id_ not in set(done)]
        if undone:
            self._record(act, {"queue": queue, "undone": [*undone]})
        missing = () if wanted is None else tuple(id_ for id_ in dict.fromkeys(wanted) if id_ not in set(ids))
        return Deed(queue, tuple(done), missing, tuple(undone), taken.complete)

    def _record(self, act: AuditAct, detail: Mapping[str, JsonValue]) -> None:
        with self._database.workspace(self._workspace_id) as conn:
            audit.record(conn, self._workspace_id, act, self._clock(), key_id=self._key_id, detail=detail)

    def _own(self, queue: QueueName, letters: Sequence[Letter]) -> list[Decoded]:
        found = sorted((decode(queue, letter) for letter in letters), key=lambda one: one.letter.sent_at)
        if self._workspace_id == SYSTEM_WORKSPACE:
            return found
        with self._database.workspace(self._workspace_id) as conn:
            return own(conn, self._workspace_id, found)

    # --- SQS -----------------------------------------------------------------------------------------------------

    @contextmanager
    def _taken(self, queue: QueueName) -> Generator[_Taken]:
        """What a DLQ holds, in hand for the length of the block; what is left then goes back."""
        url, client = self._queues[queue].dead_letters_url, aws.hasty_sqs()
        taken = _Taken({})
        try:
            with _trouble():
                taken.complete = _receive(client, url, taken.by_id)
            yield taken
        finally:
            # What cannot be put back comes back by itself.
            with suppress(Retryable), _trouble():
                for batch in _tens(list(taken.by_id.values())):
                    client.change_message_visibility_batch(
                        QueueUrl=url,
                        Entries=[
                            {"Id": str(index), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
                            for index, letter in enumerate(batch)
                        ],
                    )

    def _send_back(self, pair: Pair, letters: Sequence[Letter]) -> list[str]:
        """Send, then delete; the ids of what was sent."""
        client = aws.hasty_sqs()
        sent: list[Letter] = []
        with suppress(Retryable), _trouble():
            # Without its attributes: the count of its tries begins anew.
            entries = [
                {"Id": str(index), "MessageBody": letter.body, "DelaySeconds": 0}
                for index, letter in enumerate(letters)
            ]
            for batch in in_batches(entries):  # pyright: ignore[reportArgumentType] - a literal is no typed dict
                answer = client.send_message_batch(QueueUrl=pair.queue_url, Entries=batch)
                sent += [letters[int(one["Id"])] for one in answer.get("Successful", [])]
        self._delete(pair, sent)
        return [letter.id for letter in sent]

    def _delete(self, pair: Pair, letters: Sequence[Letter]) -> list[str]:
        """Delete from the DLQ; the ids of what is gone."""
        client = aws.hasty_sqs()
        gone: list[str] = []
        with suppress(Retryable), _trouble():
            for batch in _tens(letters):
                answer = client.delete_message_batch(
                    QueueUrl=pair.dead_letters_url,
                    Entries=[{"Id": str(i), "ReceiptHandle": letter.receipt} for i, letter in enumerate(batch)],
                )
                gone += [batch[int(one["Id"])].id for one in answer.get("Successful", [])]
        return gone


@dataclass(slots=True)
class _Taken:
    by_id: dict[str, Letter]
    complete: bool = False

    @property
    def letters(self) -> list[Letter]:
        return list(self.by_id.values())

    def forget(self, ids: Sequence[str]) -> None:
        """These are in hand no more."""
        for id_ in ids:
            del self.by_id[id_]


def _receive(client: SQSClient, url: str, by_id: dict[str, Letter]) -> bool:
    """Take what there is, `AT_ONCE` at most; whether that is all."""
    empty = 0
    while empty < _EMPTY_AT_LAST:
        if len(by_id) >= AT_ONCE:
            return False
        answer = client.receive_message(
            QueueUrl=url,
            MaxNumberOfMessages=min(BATCH_ENTRIES, AT_ONCE - len(by_id)),
            VisibilityTimeout=HOLD_S,
            MessageSystemAttributeNames=[
                "SentTimestamp",
                "ApproximateFirstReceiveTimestamp",
                "ApproximateReceiveCount",
            ],
        )
        found = [_letter(message) for message in answer.get("Messages", [])]
        empty = 0 if found else empty + 1
        by_id.update({letter.id: letter for letter in found})
    return True


def _letter(message: MessageTypeDef) -> Letter:
    attributes = {str(name): value for name, value in message.get("Attributes", {}).items()}
    return Letter(
        id=message.get("MessageId", ""),
        body=message.get("Body", ""),
        sent_at=_instant(attributes["SentTimestamp"]),
        first_received_at=_instant(attributes["ApproximateFirstReceiveTimestamp"]),
        receives=int(attributes["ApproximateReceiveCount"]),
        receipt=message.get("ReceiptHandle", ""),
    )


def _instant(milliseconds: str) -> datetime:
    return datetime.fromtimestamp(int(milliseconds) / 1000, UTC)


def _tens(letters: Sequence[Letter]) -> Iterator[Sequence[Letter]]:
    for start in range(0, len(letters), BATCH_ENTRIES):
        yield letters[start : start + BATCH_ENTRIES]


@contextmanager
def _trouble() -> Generator[None]:
    """Turn SQS's errors into ours."""
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415 - comes with the client

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        get_logger().exception("dead_letters.sqs")
        raise Retryable(f"SQS did not answer: {type(error).__name__}") from error
