"""API keys: 32 random bytes, shown once, stored as their hash; made and revoked by a workspace's admins."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Annotated, Final
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, StringConstraints
from sqlalchemy import Connection, insert, text

from cadenza.core import audit
from cadenza.core.clock import Clock
from cadenza.core.db import Database
from cadenza.core.errors import Conflict, NotFound
from cadenza.core.ids import WorkspaceId, new_id
from cadenza.core.states import AuditAct, Role
from cadenza.core.tables import api_keys

KEY_PREFIX: Final = "cad_"
"""Makes a key that leaked into a log or a repository easy to find."""
_KEY_BYTES: Final = 32
_SHOWN: Final = len(KEY_PREFIX) + 6
"""How much of a key is kept for people to tell it by: 36 of its 256 bits."""


class NewApiKey(BaseModel):
    """A key to make. ``rate_per_s`` and ``burst`` bound it below what the installation allows every key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
    role: Role
    rate_per_s: float | None = Field(default=None, ge=0.01, le=10_000)
    burst: int | None = Field(default=None, ge=1, le=100_000)


@dataclass(frozen=True, slots=True)
class MadeKey:
    """A key that was made. It is shown once: only its hash is stored."""

    id: UUID
    key: str = field(repr=False)


def key_hash(key: str) -> str:
    """SHA-256 of a key, in hex: how it is stored and looked up. 256 random bits need no salt and no slow hash."""
    return sha256(key.encode()).hexdigest()


def make_key(conn: Connection, workspace_id: WorkspaceId, new: NewApiKey, now: datetime) -> MadeKey:
    """Add an API key; it cannot be read again."""
    made = MadeKey(new_id(), KEY_PREFIX + secrets.token_urlsafe(_KEY_BYTES))
    row = {"id": made.id, "workspace_id": workspace_id, "key_hash": key_hash(made.key), "prefix": made.key[:_SHOWN]}
    conn.execute(insert(api_keys), row | new.model_dump() | {"created_at": now})
    return made


@dataclass(frozen=True, slots=True)
class ApiKeys:
    """The keys of one workspace, for its admins. ``key_id`` is the key in whose name it is done."""

    database: Database
    workspace_id: WorkspaceId
    key_id: UUID
    clock: Clock

    def create(self, new: NewApiKey) -> MadeKey:
        """Make a key."""
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            made = make_key(conn, self.workspace_id, new, now)
            self._record(conn, AuditAct.API_KEY_CREATED, made.id, new.role, now)
        return made

    def revoke(self, key_id: UUID) -> None:
        """Let a key open nothing any more, from the commit on. Asking twice is harmless.

        Raises:
            NotFound: No such key.
            Conflict: It is the last admin's key: nobody could make another.
        """
        now = self.clock()
        with self.database.workspace(self.workspace_id) as conn:
            found = {row.id: row for row in conn.execute(_LOCK, {"id": key_id})}
            if key_id not in found:
                raise NotFound("API key", key_id)
            if found[key_id].revoked_at is not None:
                return
            if not any(row.role == Role.ADMIN for row in found.values() if row.id != key_id):
                raise Conflict("this is the last admin's key: make another one first, or nobody could")
            conn.execute(_REVOKE, {"id": key_id, "now": now})
            self._record(conn, AuditAct.API_KEY_REVOKED, key_id, Role(found[key_id].role), now)

    def _record(self, conn: Connection, act: AuditAct, subject_id: UUID, role: Role, now: datetime) -> None:
        detail = {"role": role.value}
        audit.record(conn, self.workspace_id, act, now, key_id=self.key_id, subject_id=subject_id, detail=detail)


# The key and all admins' keys that open something, in one order: of two that revoke one another the second waits.
_LOCK = text(f"""
    SELECT id, role, revoked_at FROM api_keys WHERE id = :id OR (role = '{Role.ADMIN}' AND revoked_at IS NULL)
    ORDER BY id FOR NO KEY UPDATE
""")
_REVOKE = text("UPDATE api_keys SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL")
