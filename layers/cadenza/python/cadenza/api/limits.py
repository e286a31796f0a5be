"""How much a key may ask for, and how it is told (draft-ietf-httpapi-ratelimit-headers).

A bucket of ``burst`` requests is filled up again by ``rate_per_s``. The database keeps the instant at which it is full,
and decides in the statement that looks the key up (`authenticate()`).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from math import ceil, floor

from cadenza.core.errors import TooManyRequests

POLICY = "key"
"""Whose quota it is."""


@dataclass(frozen=True, slots=True)
class Limit:
    """What a key may take: ``burst`` requests at once, ``rate_per_s`` in the long run."""

    rate_per_s: float
    burst: int


@dataclass(frozen=True, slots=True)
class Standing:
    """How a key stands after a request that came ``at``: whether it was admitted, and when its bucket is full again."""

    limit: Limit
    at: datetime
    full_at: datetime
    admitted: bool

    @property
    def remaining(self) -> int:
        """How many more requests would be admitted at once."""
        # Instants have microseconds, so that a whole request may look like a little less.
        free = self.limit.burst - self._filled_in_s * self.limit.rate_per_s
        return max(0, floor(free + 0.001))

    @property
    def wait_s(self) -> int:
        """In how many whole seconds the next request is admitted; at least one, for whoever was refused."""
        return max(1, ceil(self._filled_in_s - (self.limit.burst - 1) / self.limit.rate_per_s))

    @property
    def _filled_in_s(self) -> float:
        return max(0.0, (self.full_at - self.at).total_seconds())

    def headers(self) -> dict[str, str]:
        """What each answer says of it: the quota, its window, what is left, and in how many seconds there is more."""
        window_s = ceil(self.limit.burst / self.limit.rate_per_s)
        more_in_s = ceil(self._filled_in_s) if self.admitted else self.wait_s
        return {
            "ratelimit-policy": f'"{POLICY}";q={self.limit.burst};w={window_s}',
            "ratelimit": f'"{POLICY}";r={self.remaining if self.admitted else 0};t={more_in_s}',
        }

    def admit(self) -> None:
        """Let the request through.

        Raises:
            TooManyRequests: The bucket was empty.
        """
        if not self.admitted:
            most = f"{self.limit.burst} at once and {self.limit.rate_per_s:g} a second"
            raise TooManyRequests(f"this key may ask {most}: come back later", self.wait_s)
