"""Who is asking, and who may: API keys as the API shows them."""

from __future__ import annotations

from datetime import date, datetime
from uuid import UUID

from cadenza.api.models import Answer
from cadenza.core.states import Role


class ApiKey(Answer):
    """An API key without itself; ``prefix`` is how it begins ("" of older ones).

    ``rate_per_s`` and ``burst`` are its own limits, null: the installation's. ``last_used_on`` is a UTC day.
    """

    id: UUID
    name: str
    prefix: str
    role: Role
    rate_per_s: float | None
    burst: int | None
    created_at: datetime
    last_used_on: date | None
    revoked_at: datetime | None


class ShownApiKey(ApiKey):
    """A new API key. ``key`` is shown here and never again."""

    key: str


class WorkspaceName(Answer):
    """The workspace that a key opens."""

    id: UUID
    name: str


class Me(Answer):
    """Who is asking: their workspace and their key, with its role."""

    workspace: WorkspaceName
    api_key: ApiKey
