"""What schemathesis has to be told: how a sheet is written, and that null is no id."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import schemathesis


@schemathesis.serializer("application/x-ndjson")
def as_text(ctx: Any, value: Any) -> bytes:  # noqa: ARG001 - the hook's signature
    """A list of suppressions is text already."""
    return value if isinstance(value, bytes) else str(value).encode()


@schemathesis.hook
def before_call(ctx: Any, case: Any, kwargs: Any) -> None:  # noqa: ARG001 - the hook's signature
    """A link out of a list may hand on the null of an item as a path's id, as the text None: an id of nobody it is."""
    for name, value in (case.path_parameters or {}).items():
        if value is None:
            case.path_parameters[name] = str(uuid4())
