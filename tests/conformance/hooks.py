"""What schemathesis has to be told: how a sheet is written."""

from __future__ import annotations

from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def as_text(ctx: Any, value: Any) -> bytes:  # noqa: ARG001 - the hook's signature
    """A list of suppressions is text already."""
    return value if isinstance(value, bytes) else str(value).encode()
