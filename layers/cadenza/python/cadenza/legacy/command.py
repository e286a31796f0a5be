"""``cadenza import-legacy``: files in, a report for a terminal out."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from uuid import UUID

from sqlalchemy import text

from cadenza.core.clock import utc_now
from cadenza.core.db import Database
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.ids import SYSTEM_WORKSPACE, WorkspaceId
from cadenza.legacy.model import Outcome, Report
from cadenza.legacy.reading import Raw, read_files
from cadenza.legacy.service import LegacyImport

MAX_BYTES: Final = 200_000_000
"""Of all files together: several times as much is needed to read them."""
SUFFIXES: Final = (".json", ".jsonl", ".ndjson", ".csv")


def read(path: str, given: bytes = b"") -> list[Raw]:
    """Every row of the export at ``path``, or of ``given``, where that is "-".

    Raises:
        InvalidInput: It is no export that can be read.
        OSError: There is no such file.
    """
    if path == "-":
        return read_files({"-": given})
    found = Path(path)
    if found.is_dir():
        files = {one.name: one for one in sorted(found.iterdir()) if one.suffix.lower() in SUFFIXES}
        _check_size(sum(one.stat().st_size for one in files.values()))
        return read_files({name: one.read_bytes() for name, one in files.items()})
    _check_size(found.stat().st_size)
    content = found.read_bytes()
    return read_files(_unzipped(content) if content.startswith(b"PK\3\4") else {found.name: content})


def _unzipped(content: bytes) -> dict[str, bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [one for one in archive.infolist() if one.filename.lower().endswith(SUFFIXES)]
            _check_size(sum(one.file_size for one in members))
            # Read up to the stated size, which the reader holds them to: a small file cannot become a huge one.
            return {one.filename: archive.read(one) for one in members if not one.filename.startswith("__MACOSX")}
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise InvalidInput(f"the ZIP cannot be read: {error}") from error


def _check_size(size: int) -> None:
    if size > MAX_BYTES:
        raise InvalidInput(f"the export has {size:,} bytes, and {MAX_BYTES:,} at most are taken: export it in parts")


def take(database: Database, workspace: str, rows: Sequence[Raw], sender: str, *, apply: bool) -> Report:
    """Import the rows into the workspace of this name or id ("": the only one).

    Raises:
        InvalidInput: There is no such workspace, or no such sender.
    """
    return LegacyImport(database, None, _workspace(database, workspace), None, utc_now, sender).take(rows, apply=apply)


def _workspace(database: Database, wanted: str) -> WorkspaceId:
    query = text("SELECT id, name FROM workspaces WHERE id <> :system ORDER BY name")
    with database.worker() as conn:
        known: dict[UUID, str] = {row.id: row.name for row in conn.execute(query, {"system": SYSTEM_WORKSPACE})}
    found = [one for one, name in known.items() if wanted in ("", str(one), name)]
    if len(found) == 1:
        return WorkspaceId(found[0])
    names = ", ".join(f"{name} ({one})" for one, name in known.items()) or "none"
    detail = "say which workspace it is for" if not wanted else "no workspace, or more than one, has this name or id"
    raise InvalidInput(detail, (FieldProblem("/workspace", f"there are: {names}"),))


def lines(report: Report) -> Iterator[str]:
    """The report as people read it: what was changed or could not be taken, then the sums."""
    for row in report.rows:
        said = [*(f"{problem.field}: {problem.detail}".removeprefix(": ") for problem in row.problems), *row.notes]
        if row.outcome not in (Outcome.CREATED, Outcome.KNOWN):
            name = f"{row.kind} {row.old_id}".strip() if row.kind else "row"
            yield f"{row.outcome} {row.place} ({name}): {'; '.join(said)}".removesuffix(": ")
    yield ""
    yield from (f"{count:7,} {name.replace('.', ' ')}" for name, count in report.counts.items())
    yield "" if report.applied else "\nThis was a dry run: nothing was written. Take it in with --apply."
