"""Sheets as Excel and other programs write them, row by row: CSV (RFC 4180) with commas, semicolons or tabs."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

BOM: Final = "\ufeff"

_SEPARATOR_LINE: Final = re.compile(r"\s*sep=(.)\s*", re.IGNORECASE)
"""Excel's own first line, by which it remembers what stands between cells."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row that is not empty; it begins on line ``number``. ``problem`` says why its cells cannot be told apart."""

    number: int
    cells: list[str]
    problem: str = ""


def rows(text: str) -> Iterator[SheetRow]:
    """Every row, good or bad. What stands between the cells is what the first line has most of."""
    lines = io.StringIO(text.removeprefix(BOM), newline="").readlines()
    start = next((index for index, line in enumerate(lines) if line.strip()), 0)
    first = lines[start] if lines else ""
    if stated := _SEPARATOR_LINE.fullmatch(first):
        delimiter = stated[1]
        start += 1
    else:
        delimiter = max(",;\t", key=first.count)
    for row in _rows(lines, start, delimiter):
        if row.problem or any(cell.strip() for cell in row.cells):
            yield row


def _rows(lines: Sequence[str], start: int, delimiter: str) -> Iterator[SheetRow]:
    """After a faulty row, such as one with an open quote, the next line begins a row again: a mistake costs one row."""
    while start < len(lines):
        reader = csv.reader(lines[start:], delimiter=delimiter, skipinitialspace=True, strict=True)
        begun = start
        try:
            for cells in reader:
                yield SheetRow(begun + 1, cells)
                begun = start + reader.line_num
        except csv.Error as error:
            yield SheetRow(begun + 1, [], str(error))
            start = begun + 1
        else:
            return


def is_storable(text: str) -> bool:
    """Whether Postgres takes it as text: without NUL characters and halves of surrogate pairs."""
    try:
        return b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False
