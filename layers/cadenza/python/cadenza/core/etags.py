"""Edits name the version that was read: a tag is made of what can be edited, so that nothing else makes it stale."""

from __future__ import annotations

import hashlib
from collections.abc import Set as AbstractSet

from pydantic import BaseModel

from cadenza.core.errors import Overtaken


def tag_of(editable: BaseModel) -> str:
    """The tag of this version: the SHA-256 of its JSON."""
    return hashlib.sha256(editable.model_dump_json().encode()).hexdigest()


def expect(seen: AbstractSet[str] | None, tag: str, what: str) -> None:
    """See to it that ``tag`` is among the versions that may be replaced.

    ``seen`` None: the caller has not said which; empty: any.

    Raises:
        Overtaken: It is not, or the caller has not said.
    """
    if seen is None:
        raise Overtaken(f"say If-Match: the ETag of the {what} that you have read", missing=True)
    if seen and tag not in seen:
        raise Overtaken(f"the {what} has changed since it was read: read it again")
