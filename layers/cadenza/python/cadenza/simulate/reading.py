"""What decoded JSON can hold and a plan must not, because it could be neither stored nor printed."""

from __future__ import annotations

import json
from typing import Final, cast

MAX_DEPTH: Final = 50
"""How deep JSON may be nested. A plan needs six levels."""


def check_json(source: object) -> None:
    """See to it that decoded JSON can be written again.

    Raises:
        ValueError: It is nested too deeply, or holds half a surrogate pair, which can be escaped but is no text.
    """
    level = [source]
    for _ in range(MAX_DEPTH):
        level = [item for value in level for item in _items(value)]
    if level:
        raise ValueError(f"it is nested more than {MAX_DEPTH} levels deep")
    try:
        json.dumps(source, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("it holds half a surrogate pair, which is no text") from error


def _items(value: object) -> list[object]:
    if isinstance(value, dict):
        return list(cast("dict[str, object]", value).values())
    return cast("list[object]", value) if isinstance(value, list) else []
