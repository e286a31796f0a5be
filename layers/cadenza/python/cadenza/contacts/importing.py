"""Lists of suppressions as other systems export them, read line by line: CSV, or a JSON object a line.

Nothing is lost: a line that cannot be taken is told with its number and its fault, and the others are taken.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, cast

from cadenza.contacts import sheets
from cadenza.contacts.addresses import guess, normal
from cadenza.contacts.sheets import BOM, is_storable
from cadenza.contacts.suppressions import Suppressed
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.states import SuppressionChannel

MAX_ROWS: Final = 50_000
"""What one request takes in well under the 29 seconds that it has, and reports within Lambda's 6 MB."""
MAX_TEXT: Final = 500
DEFAULT_REASON: Final = "imported"

_COLUMNS: Final[Mapping[str, SuppressionChannel | None]] = {
    "address": None,
    "email": SuppressionChannel.EMAIL,
    "e-mail": SuppressionChannel.EMAIL,
    "phone": SuppressionChannel.PHONE,
    "domain": SuppressionChannel.DOMAIN,
}
"""Where a file may have its addresses, and what they are then."""


class ListFormat(StrEnum):
    """How a list is written."""

    CSV = "csv"
    JSON_LINES = "jsonl"


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a list, which begins on line ``number`` of the file. ``problem`` says why it cannot be taken."""

    number: int
    row: Suppressed | None
    problem: str = ""


def read(text: str, written: ListFormat) -> list[Line]:
    """Every row of a list, good or bad, in order. Empty lines are none.

    Raises:
        InvalidInput: It is no list at all, an empty one, or too long.
    """
    lines = _read_csv(text) if written is ListFormat.CSV else _read_json(text.removeprefix(BOM))
    found: list[Line] = []
    for line in lines:
        found.append(line)
        if len(found) > MAX_ROWS:
            raise _not_a_list(f"more than {MAX_ROWS} rows: send it in parts")
    if not found:
        raise _not_a_list("it has no rows")
    return found


def _not_a_list(detail: str) -> InvalidInput:
    return InvalidInput("this is no list of suppressions", (FieldProblem("", detail),))


# --- CSV ---------------------------------------------------------------------------------------------------------


def _read_csv(text: str) -> Iterator[Line]:
    """The first row names the columns; one column needs no names."""
    names: list[str] | None = None
    for row in sheets.rows(text):
        if row.problem:
            yield Line(row.number, None, f"not CSV: {row.problem}")
            continue
        if names is None:
            names = _names(row.cells)
            if names is not None:
                continue
            names = ["address"]
        yield _line(row.number, dict(zip(names, row.cells, strict=False)))


def _names(cells: list[str]) -> list[str] | None:
    """The columns' names; None if the first row is data already, which only a list of bare addresses may begin with."""
    names = [cell.strip().lower() for cell in cells]
    if not _COLUMNS.keys().isdisjoint(names):
        return names
    if len(names) == 1 and any(mark in names[0] for mark in "@.+"):
        return None
    known = ", ".join(_COLUMNS)
    raise _not_a_list(f"the first row must name the columns, one of them {known}; others may be channel, reason, note")


# --- JSON lines --------------------------------------------------------------------------------------------------


def _read_json(text: str) -> Iterator[Line]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found: object = json.loads(line)
        except (ValueError, RecursionError):
            yield Line(number, None, "not JSON")
            continue
        if not isinstance(found, dict):
            yield Line(number, None, "not a JSON object")
            continue
        fields = cast("dict[str, object]", found)
        wrong = next((name for name, value in fields.items() if not isinstance(value, str | None)), None)
        if wrong is not None:
            yield Line(number, None, f"{wrong} is not a text")
        else:
            yield _line(number, {name.strip().lower(): str(value or "") for name, value in fields.items()})


# --- a row -------------------------------------------------------------------------------------------------------


def _line(number: int, fields: Mapping[str, str]) -> Line:
    try:
        return Line(number, _suppressed(fields))
    except ValueError as error:
        return Line(number, None, str(error))


def _suppressed(fields: Mapping[str, str]) -> Suppressed:
    given = [(name, fields[name].strip()) for name in _COLUMNS if fields.get(name, "").strip()]
    if len(given) != 1:
        raise ValueError("no address" if not given else "more than one address: give each a row of its own")
    name, address = given[0]
    if not is_storable("".join(fields.values())):
        raise ValueError("contains a NUL character or half of a surrogate pair")
    channel = _COLUMNS[name] or _channel(fields.get("channel", "")) or guess(address)
    reason, note = (fields.get(name, "").strip() for name in ("reason", "note"))
    if max(len(reason), len(note)) > MAX_TEXT:
        raise ValueError(f"reason and note are at most {MAX_TEXT} characters long")
    return Suppressed(channel, normal(channel, address), reason or DEFAULT_REASON, note)


def _channel(name: str) -> SuppressionChannel | None:
    wanted = name.strip().lower()
    if not wanted:
        return None
    if wanted not in set(SuppressionChannel):
        raise ValueError(f"channel must be one of {', '.join(SuppressionChannel)}")
    return SuppressionChannel(wanted)
