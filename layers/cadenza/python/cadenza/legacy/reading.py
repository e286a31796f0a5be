"""An export as rows: JSON (an object of lists, a list, or an object a line), or sheets, one a kind. Pure.

Names of fields are brought into one form, so that ``firstName``, ``first_name`` and ``First Name`` are the same. What
cannot be read is a row with a problem; only a whole that is no export at all is refused as such.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, cast

from cadenza.contacts import sheets
from cadenza.contacts.sheets import BOM
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.legacy.model import Kind

MAX_ROWS: Final = 100_000
"""What one transaction takes in minutes, and a terminal's memory holds."""

KINDS: Final[Mapping[Kind, str]] = {
    Kind.TEMPLATE: "templates template emailtemplates emailtemplate",
    Kind.WORKFLOW: "workflows workflow sequences sequence",
    Kind.LEAD: "leads lead contacts contact prospects prospect people companies",
    Kind.CAMPAIGN: "campaigns campaign",
    Kind.ENROLMENT: "enrolments enrolment enrollments enrollment contactcampaigns campaignleads campaigncontacts",
    Kind.MAIL: "mails mail scheduledmails scheduledmail scheduledemails scheduledemail scheduledmessages emails"
    " emailqueue emailjobs sentemails scheduled",
}
"""What old systems called their collections, in the form of `squashed`."""

_KIND_OF: Final = {name: kind for kind, names in KINDS.items() for name in names.split()}
_KIND_FIELDS: Final = ("kind", "collection", "model", "entity")
_WRAPPERS: Final = frozenset({"data", "export", "backup", "result"})


@dataclass(frozen=True, slots=True)
class Raw:
    """One row as it was written. ``place`` tells people where; ``problem`` says why it cannot be read."""

    kind: Kind | None
    place: str
    fields: Mapping[str, object] = field(default_factory=dict[str, object])
    problem: str = ""


def squashed(name: str) -> str:
    """A field's name in the one form in which names are compared."""
    return re.sub(r"[^a-z0-9]+", "", name.lower())


def read_files(files: Mapping[str, bytes]) -> list[Raw]:
    """Every row of an export's files, by their names.

    Raises:
        InvalidInput: It is no export: nothing in it can be read, there are no rows, or too many.
    """
    return _limited(row for name, content in sorted(files.items()) for row in _read_file(name, content))


def read_document(source: object) -> list[Raw]:
    """Every row of a decoded JSON export. Raises as `read_files`."""
    return _limited(_document(source, ""))


def _limited(rows: Iterable[Raw]) -> list[Raw]:
    found: list[Raw] = []
    for row in rows:
        found.append(row)
        if len(found) > MAX_ROWS:
            raise _no_export(f"more than {MAX_ROWS:,} rows: export it in parts, templates and workflows with each")
    if not found:
        raise _no_export("it has no rows")
    return found


def _no_export(detail: str) -> InvalidInput:
    return InvalidInput("this is no export that can be read", (FieldProblem("", detail),))


def _read_file(name: str, content: bytes) -> Iterator[Raw]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise _no_export(f"{name} is not text in UTF-8: save it as UTF-8") from None
    where = f"{name} "
    if name.lower().endswith(".csv"):
        yield from _sheet(text, where)
    elif name.lower().endswith((".jsonl", ".ndjson")):
        yield from _lines(text, where)
    else:
        yield from _json(text, where)


# --- JSON --------------------------------------------------------------------------------------------------------


def _json(text: str, where: str) -> Iterator[Raw]:
    try:
        source: object = json.loads(text)
    except (ValueError, RecursionError) as error:
        if _begins_lines(text):
            yield from _lines(text, where)
            return
        if not text.lstrip(BOM).lstrip().startswith(("{", "[")):
            yield from _sheet(text, where)
            return
        detail = f"line {error.lineno}: {error.msg}" if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise _no_export(f"{where}is not JSON: {detail}") from None
    yield from _document(source, where)


def _begins_lines(text: str) -> bool:
    """Whether the first line is a JSON object by itself."""
    lines = text.strip().split("\n")
    try:
        return len(lines) > 1 and isinstance(json.loads(lines[0]), dict)
    except (ValueError, RecursionError):
        return False


def _lines(text: str, where: str) -> Iterator[Raw]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            source: object = json.loads(line)
        except (ValueError, RecursionError):
            yield Raw(None, f"{where}line {number}", problem="is not JSON")
            continue
        yield _row(None, source, f"{where}line {number}")


def _document(source: object, where: str, *, unwrap: bool = True) -> Iterator[Raw]:
    match source:
        case list():
            for index, found in enumerate(cast("list[object]", source)):
                yield _row(None, found, f"{where}[{index}]")
        case dict():
            collections = cast("dict[str, object]", source)
            if unwrap and len(collections) == 1 and squashed(next(iter(collections))) in _WRAPPERS:
                yield from _document(next(iter(collections.values())), where, unwrap=False)
                return
            if not any(squashed(name) in _KIND_OF for name in collections) and _guess(_named(collections)):
                yield _row(None, collections, f"{where}the object")
                return
            for name, rows in collections.items():
                yield from _collection(name, rows, where)
        case _:
            raise _no_export("it must be a JSON object of lists (campaigns, leads, templates, …), or a list of objects")


def _collection(name: str, rows: object, where: str) -> Iterator[Raw]:
    kind = _KIND_OF.get(squashed(name))
    place = f"{where}{name[:100]}"
    if kind is None:
        if isinstance(rows, list | dict) and rows:
            known = ", ".join(f"{one}s" for one in Kind)
            yield Raw(None, place, problem=f"is none of {known}: rename it, if it is one of them")
        return
    if isinstance(rows, dict):  # by id, as some databases export
        by_id = cast("dict[str, object]", rows)
        for old_id, found in by_id.items():
            row = _row(kind, found, f"{place}[{old_id[:100]!r}]")
            yield row if row.problem or row.fields.get("id") else replace(row, fields={**row.fields, "id": old_id})
    elif isinstance(rows, list):
        for index, found in enumerate(cast("list[object]", rows)):
            yield _row(kind, found, f"{place}[{index}]")
    else:
        yield Raw(kind, place, problem="is not a list")


def _row(kind: Kind | None, found: object, place: str) -> Raw:
    if not isinstance(found, dict):
        return Raw(kind, place, problem="is not a JSON object")
    fields = _named(cast("dict[str, object]", found))
    if kind is None:
        kind = _said(fields) or _guess(fields)
    if kind is None:
        return Raw(None, place, problem='nothing tells what it is: give it a field "kind", such as "campaign"')
    return Raw(kind, place, fields)


def _named(found: Mapping[str, object]) -> dict[str, object]:
    """The fields by their squashed names; of two with one name the first that says something."""
    fields: dict[str, object] = {}
    for name, value in found.items():
        key = squashed(name)
        if fields.get(key) in (None, ""):
            fields[key] = value
    return fields


def _said(fields: Mapping[str, object]) -> Kind | None:
    for name in _KIND_FIELDS:
        said = fields.get(name)
        if isinstance(said, str) and (kind := _KIND_OF.get(squashed(said))):
            return kind
    return None


def _guess(fields: Mapping[str, object]) -> Kind | None:
    """What a row is by the fields that it has."""

    def has(*names: str) -> bool:
        return any(name in fields for name in names)

    if has("steps"):
        return Kind.WORKFLOW
    if has("campaignid", "campaign") and has("scheduledat", "sendat", "sentat", "scheduledfor"):
        return Kind.MAIL
    if has("campaignid") and has("leadid", "contactid"):
        return Kind.ENROLMENT
    if has("workflow", "workflowid", "workflowname") and has("order", "steporder", "position"):
        return Kind.WORKFLOW
    if has("subject") and has("body", "html", "text", "content", "htmlbody", "textbody"):
        return Kind.TEMPLATE
    if has("templateid", "workflowid", "schedule", "metrics", "schedulestartdate", "leads"):
        return Kind.CAMPAIGN
    if has("email", "emailaddress", "website", "url", "domain"):
        return Kind.LEAD
    return None


# --- sheets ------------------------------------------------------------------------------------------------------


def _sheet(text: str, where: str) -> Iterator[Raw]:
    """A sheet of one kind, told by its columns. A column ``schedule.timezone`` is a field of a field."""
    rows = sheets.rows(text)
    first = next(rows, None)
    if first is None:
        return
    header = [cell.strip() for cell in first.cells]
    kind = None if first.problem else _guess(dict.fromkeys(squashed(name) for name in header))
    if kind is None:
        names = "the first row must name the columns, so that they tell what the rows are"
        raise _no_export(f"{where}is no sheet of campaigns, leads, templates, workflows or mails: {names}")
    found = (_cells(kind, header, row, where) for row in rows)
    yield from _workflows(found) if kind is Kind.WORKFLOW and "steps" not in map(squashed, header) else found


def _cells(kind: Kind, header: Sequence[str], row: sheets.SheetRow, where: str) -> Raw:
    place = f"{where}line {row.number}"
    if row.problem:
        return Raw(kind, place, problem=f"not CSV: {row.problem}")
    if any(cell.strip() for cell in row.cells[len(header) :]):
        problem = "has more cells than the first row has names: put quotes around a cell with a separator in it"
        return Raw(kind, place, problem=problem)
    found: dict[str, object] = {}
    for name, cell in zip(header, row.cells, strict=False):
        outer, dot, inner = name.partition(".")
        if not name or not cell.strip():
            continue
        if dot:
            within = found.setdefault(outer, {})
            if isinstance(within, dict):
                within[inner] = _cell(cell)
        else:
            found[name] = _cell(cell)
    return Raw(kind, place, _named(found))


def _cell(cell: str) -> object:
    """A cell's text, or the JSON that a program has put there."""
    if cell.strip().startswith(("[", "{")) and not cell.strip().startswith(("{{", "[[")):
        try:
            return cast("object", json.loads(cell))
        except (ValueError, RecursionError):
            return cell
    return cell


def _workflows(rows: Iterable[Raw]) -> Iterator[Raw]:
    """One row a workflow out of one row a step."""
    grouped: dict[str, tuple[Raw, list[object]]] = {}
    for row in rows:
        fields = row.fields
        owner = fields.get("workflowid") or fields.get("workflow") or fields.get("workflowname") or fields.get("name")
        if row.problem or not isinstance(owner, str):
            yield replace(row, problem=row.problem or "names no workflow: give workflowId")
            continue
        name = fields.get("workflowname") or fields.get("name") or owner
        whole = replace(row, fields={"id": owner, "name": name, "active": fields.get("active")})
        grouped.setdefault(owner, (whole, []))[1].append(dict(fields))
    for whole, steps in grouped.values():
        yield replace(whole, fields={**whole.fields, "steps": steps})
