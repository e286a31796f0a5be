"""Answers for a terminal: tables, and lists of names and values."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, cast

_INSTANT: Final = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?(Z|[+-]\d\d:\d\d)")
_SPEAKING: Final = ("email", "name", "domain", "address", "id")
"""Of something within a row, the first of these stands for it."""
_NARROWEST: Final = 12
"""Columns: a last column with less room is left out."""
_GAP: Final = 2
_CONTROLS: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}
"""Text comes from web sites and mails: nothing in it may steer the terminal."""
_JSON_CONTROLS: Final = {code: f"\\u{code:04x}" for code in range(127, 160)}

Row = Mapping[str, object]


def as_json(value: object, *, indent: int | None = 2) -> str:
    """JSON that a terminal can show."""
    return json.dumps(value, indent=indent, ensure_ascii=False).translate(_JSON_CONTROLS)


def table(rows: Sequence[Row], width: int | None) -> list[str]:
    """One line a row, under a line of names. Columns that are empty in all rows are left out.

    ``width`` in columns: what does not fit is left out, from the right; None: everything fits.
    """
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if _speaks(rows, name)]
    columns = [[name, *(cell(row.get(name)) for row in rows)] for name in names]
    kept: list[list[str]] = []
    used = 0
    for column in columns:
        wanted = max(map(len, column))
        room = wanted if width is None else width - used
        if kept and room < min(wanted, _NARROWEST):
            break
        kept.append([_cut(each, room).ljust(min(wanted, room)) for each in column])
        used += min(wanted, room) + _GAP
    return [(" " * _GAP).join(cells).rstrip() for cells in zip(*kept, strict=True)]


def details(value: object, indent: int = 0) -> Iterator[str]:
    """Names and values, a line each; what is nested is indented."""
    margin = " " * indent
    match value:
        case Mapping():
            for name, each in cast("Row", value).items():
                if _is_nested(each):
                    yield f"{margin}{_safe(name)}:"
                    yield from details(each, indent + 2)
                else:
                    yield f"{margin}{_safe(name)}: {_text(each)}".rstrip()
        case list():
            for each in cast("list[object]", value):
                first, *rest = [*details(each, indent + 2)] or [""]
                yield f"{margin}- {first.strip()}"
                yield from rest
        case _:
            yield f"{margin}{_text(value)}"


def cell(value: object) -> str:
    """A value in one line."""
    match value:
        case Mapping():
            known = cast("Row", value)
            speaking = next((name for name in _SPEAKING if known.get(name)), None)
            if speaking is not None:
                return _text(known[speaking])
            return ", ".join(f"{name} {cell(each)}" for name, each in known.items())
        case list():
            return ", ".join(cell(each) for each in cast("list[object]", value))
        case _:
            return _text(value)


def _is_nested(value: object) -> bool:
    return value not in ({}, []) and isinstance(value, Mapping | list)


def _speaks(rows: Sequence[Row], name: str) -> bool:
    return any(row.get(name) not in (None, "", [], {}) for row in rows)


def _text(value: object) -> str:
    match value:
        case None | [] | {}:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return _safe(_INSTANT.sub(r"\1 \2\3", value) if _INSTANT.fullmatch(value) else value)
        case _:
            return str(value)


def _safe(text: str) -> str:
    return text.replace("\n", " ").translate(_CONTROLS)


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else f"{text[: room - 1]}…"
