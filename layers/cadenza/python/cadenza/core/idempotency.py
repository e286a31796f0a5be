"""Requests that must not be carried out twice: who carries one out, that it has been, and what it was answered.

A key passes through three commits. The *claim* is the first: from then on nobody else begins. The second is that of
the request's own effect: `carry_out` runs in that very transaction, so that the effect and the fact that it happened
commit together, or neither does; an attempt that has lost its claim meanwhile cannot commit. The third keeps the
answer, which is not known before.

A process that dies leaves, by where it died:

- before the effect: the claim, which another attempt takes over after `LEASE`. Nothing has happened yet.
- after the effect, before the answer is kept: a key that was carried out and has no answer. It is never carried out
  again, and the caller is told so (`AnswerLost`) instead of what was made. Keeping the answer in the effect's own
  transaction would close this gap, but services own their transactions, and what they make is read after the commit.

Effects outside of Postgres (a password in the Parameter Store, hints on queues) are not part of this: they are written
before the row that names them, or are safe to repeat.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from math import ceil
from uuid import UUID

from sqlalchemy import Connection, text

from cadenza.core.errors import Conflict
from cadenza.core.ids import WorkspaceId, new_id

KEPT = timedelta(hours=24)
"""How long a key is known; after that it is as new."""
LEASE = timedelta(seconds=60)
"""How long an attempt is believed to live: longer than the API's function may run."""
COME_BACK_S = 3
"""Nearly all requests have ended by then."""
FORGOTTEN_AT_ONCE = 5_000


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for, by whom, under which key. ``hash`` tells one request from another.

    It is stored salted (`fingerprint()`): a request may hold a password, which nobody shall be able to guess from it.
    """

    workspace_id: WorkspaceId
    key: str
    hash: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """It is ours to carry out."""

    request: Request
    attempt_id: UUID


@dataclass(frozen=True, slots=True)
class Answered:
    """It has been carried out, and this was the answer."""

    status: int
    media_type: str
    answer: str


@dataclass(frozen=True, slots=True)
class UnderWay:
    """Somebody is at it, or died a moment ago: ask again after ``retry_after_s``."""

    retry_after_s: int


@dataclass(frozen=True, slots=True)
class AnswerLost:
    """It has been carried out, by somebody who died before the answer was kept."""

    carried_out_at: datetime


@dataclass(frozen=True, slots=True)
class Differs:
    """The key is that of another request."""


Verdict = Claimed | Answered | UnderWay | AnswerLost | Differs


def claim(conn: Connection, request: Request, now: datetime) -> Verdict:
    """Take a request to carry it out, or find out what has become of it."""
    attempt_id = new_id()
    parameters = {
        "workspace_id": request.workspace_id,
        "key": request.key,
        "hash": request.hash,
        "attempt_id": attempt_id,
        "now": now,
        "forgotten": now - KEPT,
        "dead": now - LEASE,
    }
    if conn.execute(_CLAIM, parameters).rowcount:
        return Claimed(request, attempt_id)
    row = conn.execute(_FIND, parameters).first()
    if row is None:  # given back at this moment
        return UnderWay(1)
    if not row.same:
        return Differs()
    if row.status is not None:
        return Answered(row.status, row.media_type, row.answer)
    if row.carried_out_at is not None and row.claimed_at < now - LEASE:
        return AnswerLost(row.carried_out_at)
    left_s = ceil((row.claimed_at + LEASE - now).total_seconds())
    return UnderWay(max(1, min(COME_BACK_S, left_s)))


_ONE = "workspace_id = :workspace_id AND key = :key"
_HASH = "fingerprint(CAST(:workspace_id AS uuid), 'request', :hash)"

# Zero rows: the key is known, and neither forgotten nor left by a dead attempt at the same request.
_CLAIM = text(f"""
    INSERT INTO idempotency_keys AS k (workspace_id, key, request_hash, attempt_id, claimed_at)
    VALUES (:workspace_id, :key, {_HASH}, :attempt_id, :now)
    ON CONFLICT (workspace_id, key) DO UPDATE
    SET request_hash = excluded.request_hash, attempt_id = excluded.attempt_id, claimed_at = excluded.claimed_at,
        carried_out_at = NULL, status = NULL, media_type = '', answer = ''
    WHERE k.claimed_at < :forgotten
       OR (k.request_hash = excluded.request_hash AND k.claimed_at < :dead AND k.status IS NULL
           AND k.carried_out_at IS NULL)
""")
_FIND = text(f"SELECT *, request_hash = {_HASH} AS same FROM idempotency_keys WHERE {_ONE}")


def carry_out(conn: Connection, claimed: Claimed, now: datetime) -> None:
    """Note, as the last thing in a transaction of the request, that it has an effect. One that has none is let be.

    Raises:
        Conflict: The claim was lost: another attempt carries the request out, and this one must not commit.
    """
    # What only reads has no transaction id.
    if not conn.execute(text("SELECT pg_current_xact_id_if_assigned() IS NOT NULL")).scalar():
        return
    noted = conn.execute(_CARRIED_OUT, _of(claimed) | {"now": now})
    if not noted.rowcount:
        raise Conflict("another request with this Idempotency-Key has taken over")


_CARRIED_OUT = text(f"""
    UPDATE idempotency_keys SET carried_out_at = coalesce(carried_out_at, CAST(:now AS timestamptz))
    WHERE {_ONE} AND attempt_id = :attempt_id
""")


def keep(conn: Connection, claimed: Claimed, answer: Answered) -> None:
    """Keep the answer. Zero rows: the claim was lost, and nothing was done under it."""
    parameters = {"status": answer.status, "media_type": answer.media_type, "answer": answer.answer}
    conn.execute(_KEEP, _of(claimed) | parameters)


_KEEP = text(f"""
    UPDATE idempotency_keys SET status = :status, media_type = :media_type, answer = :answer
    WHERE {_ONE} AND attempt_id = :attempt_id
""")


def give_back(conn: Connection, claimed: Claimed) -> None:
    """Let the key go, because the request has failed. Zero rows: it had its effect first, so the key stays."""
    query = f"DELETE FROM idempotency_keys WHERE {_ONE} AND attempt_id = :attempt_id AND carried_out_at IS NULL"
    conn.execute(text(query), _of(claimed))


def forget(conn: Connection, now: datetime) -> int:
    """Remove keys that have been known for long enough, `FORGOTTEN_AT_ONCE` at most; how many."""
    return conn.execute(_FORGET, {"forgotten": now - KEPT, "limit": FORGOTTEN_AT_ONCE}).rowcount


_FORGET = text("""
    DELETE FROM idempotency_keys WHERE id IN (
        SELECT id FROM idempotency_keys WHERE claimed_at < :forgotten ORDER BY claimed_at LIMIT :limit
        FOR UPDATE SKIP LOCKED)
""")


def _of(claimed: Claimed) -> dict[str, object]:
    request = claimed.request
    return {"workspace_id": request.workspace_id, "key": request.key, "attempt_id": claimed.attempt_id}
