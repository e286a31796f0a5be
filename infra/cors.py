"""What a browser on another origin may send to the API, and read of its answers. The local gateway goes by it too."""

from __future__ import annotations

from typing import Final

ALLOWED_HEADERS: Final = ("authorization", "content-type", "idempotency-key", "if-match", "if-none-match")
EXPOSED_HEADERS: Final = (
    "allow",
    "etag",
    "idempotent-replayed",
    "link",
    "ratelimit",
    "ratelimit-policy",
    "retry-after",
    "www-authenticate",
)
MAX_AGE_S: Final = 3600
"""How long a browser need not ask again."""
