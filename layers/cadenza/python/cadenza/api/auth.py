"""Who is asking, and what they may do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from cadenza.api.limits import Limit, Standing
from cadenza.campaigns.keys import key_hash
from cadenza.core.db import Database
from cadenza.core.errors import Forbidden, Unauthorised
from cadenza.core.ids import WorkspaceId
from cadenza.core.states import Role

RANK = {role: rank for rank, role in enumerate(Role)}
"""Each role may do what those before it may."""

SCHEME = "Bearer"


@dataclass(frozen=True, slots=True)
class Caller:
    """The bearer of a key. ``key_id`` may be logged; the key never is."""

    key_id: str
    workspace_id: WorkspaceId
    role: Role
    standing: Standing
    """What is left of what the key may ask for; it has not been asked yet whether this request is admitted."""

    def require(self, role: Role) -> None:
        """See to it that the caller may do what ``role`` may.

        Raises:
            Forbidden: The key's role is too low.
        """
        if RANK[self.role] < RANK[role]:
            raise Forbidden(f"this needs a key with the role {role}; yours has the role {self.role}")


def authenticate(database: Database, authorization: str, limit: Limit, now: datetime) -> Caller:
    """The bearer of the key in an ``Authorization`` header (RFC 6750, section 2.1), who takes one request of ``limit``.

    Raises:
        Unauthorised: There is no key, or it is unknown or revoked: which of these is not said.
    """
    scheme, _, key = authorization.strip().partition(" ")
    if scheme.lower() != SCHEME.lower() or not key.strip():
        raise Unauthorised("send an API key: Authorization: Bearer <key>")
    with database.worker() as conn:  # no workspace is set yet: the function sees keys, this role sees no row
        found = conn.execute(
            _AUTHENTICATE,
            {"hash": key_hash(key.strip()), "now": now, "rate": limit.rate_per_s, "burst": limit.burst},
        ).first()
    if found is None:
        raise Unauthorised("the API key is unknown or revoked")
    standing = Standing(Limit(found.rate_per_s, found.burst), now, found.full_at, found.admitted)
    return Caller(str(found.key_id), found.workspace, Role(found.role), standing)


_AUTHENTICATE = text("""
    SELECT * FROM authenticate(:hash, CAST(:now AS timestamptz), CAST(:rate AS float8), CAST(:burst AS integer))
""")
