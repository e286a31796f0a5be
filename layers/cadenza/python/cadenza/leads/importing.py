"""Lists of leads, row by row: sheets as people keep them, or JSON objects. A row may bring one of the site's people.

Nothing is lost: what cannot be taken is told with its line, its field and the reason, and the rest is taken. What is
told quotes no value, so that a report never has to be searched for a person who asks to be forgotten.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pydantic import JsonValue, ValidationError

from cadenza.contacts import sheets
from cadenza.contacts.people import NewContact
from cadenza.contacts.sheets import is_storable
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.problems import field_problems
from cadenza.leads.domains import normalise
from cadenza.leads.people import split_name

MAX_ROWS: Final = 10_000
MAX_URL: Final = 2000
MAX_NAME: Final = 50

COLUMNS: Final[Mapping[str, str]] = {
    "url": "website web_site site domain homepage web www webseite company_url company_website company_domain",
    "email": "e_mail mail email_address e_mail_address contact_email work_email",
    "phone": "telephone tel telefon phone_number mobile",
    "name": "full_name contact contact_name",
    "first_name": "firstname given_name vorname",
    "last_name": "lastname surname family_name nachname",
    "title": "job_title jobtitle position role",
    "time_zone": "timezone tz",
    "country": "country_code",
    "language": "lang",
    "consent_basis": "consent legal_basis",
    "consent_source": "",
    "consent_at": "consent_date",
}
"""The fields of a row, each with the other names that a sheet's column may have."""

_FIELD_OF: Final = {name: field for field, others in COLUMNS.items() for name in (field, *others.split())}
_NAMING: Final = ("email", "phone", "name", "first_name", "last_name")
"""A row with one of these brings somebody; a country or a language alone is said of the company."""
_CONSENT: Final = "consent_"


@dataclass(frozen=True, slots=True)
class RowProblem:
    """What is wrong with a field of a row ("": the row), and what would make it right."""

    field: str
    detail: str


@dataclass(frozen=True, slots=True)
class Site:
    """What a row names: the domain that identifies the lead, and where a crawl begins."""

    domain: str
    url: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row, which begins on ``line`` (of JSON: the number of the object, from 1).

    Without a ``site`` it is refused. ``problems`` beside a site are those of the contact, which is then left out.
    """

    line: int
    site: Site | None = None
    contact: NewContact | None = None
    problems: tuple[RowProblem, ...] = ()


@dataclass(frozen=True, slots=True)
class LeadList:
    """A whole list. ``ignored`` columns are none of ours: shown, so that a typing error in a name is seen."""

    rows: tuple[Row, ...]
    ignored: tuple[str, ...] = ()


def read_objects(objects: Sequence[Mapping[str, JsonValue]]) -> LeadList:
    """A list of JSON objects. Fields that are none of `COLUMNS` refuse their row: they are typing errors.

    Raises:
        InvalidInput: It is empty, or too long.
    """
    return LeadList(_limited(_object(line, found) for line, found in enumerate(objects, start=1)))


def read_sheet(text: str) -> LeadList:
    """A sheet whose first row names the columns, in any order; a sheet of one column of sites needs no names.

    Raises:
        InvalidInput: It is no such sheet, an empty one, or too long.
    """
    found = sheets.rows(text)
    first = next(found, None)
    if first is None:
        raise _not_a_list("it has no rows")
    if first.problem:
        raise _not_a_list(f"the first row cannot be read: {first.problem}")
    if _is_a_site(first.cells):
        columns = Columns((_FIELD_OF["url"],), ())
        return LeadList(_limited(_cells(row, columns) for row in (first, *found)))
    columns = _columns(first.cells)
    return LeadList(_limited(_cells(row, columns) for row in found), columns.ignored)


def _limited(rows: Iterable[Row]) -> tuple[Row, ...]:
    found: list[Row] = []
    for row in rows:
        found.append(row)
        if len(found) > MAX_ROWS:
            raise _not_a_list(f"more than {MAX_ROWS:,} rows: send it in parts")
    if not found:
        raise _not_a_list("it has no rows")
    return tuple(found)


def _not_a_list(detail: str) -> InvalidInput:
    return InvalidInput("this is no list of leads", (FieldProblem("", detail),))


# --- sheets ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Columns:
    """Which field each column of a sheet is ("": none of ours)."""

    fields: tuple[str, ...]
    ignored: tuple[str, ...]


def _columns(header: Sequence[str]) -> Columns:
    fields = tuple(_FIELD_OF.get(re.sub(r"[^a-z0-9]+", "_", name.strip().lower()).strip("_"), "") for name in header)
    for field in COLUMNS:
        same = [name.strip() for name, of in zip(header, fields, strict=True) if of == field]
        if len(same) > 1:
            raise _not_a_list(f"the columns {' and '.join(map(repr, same))} are both read as {field}: leave one")
    if "url" not in fields:
        names = "the first row must name the columns, one of them url (or website, domain)"
        raise _not_a_list(f"{names}; known are {', '.join(COLUMNS)}")
    named = zip(header, fields, strict=True)
    return Columns(fields, tuple(name.strip() for name, of in named if not of and name.strip()))


def _is_a_site(cells: Sequence[str]) -> bool:
    """Whether the first row is data already, which only a list of bare sites may begin with."""
    if len(cells) != 1 or "." not in cells[0]:
        return False
    return not isinstance(_site(cells[0]), RowProblem)


def _cells(row: sheets.SheetRow, columns: Columns) -> Row:
    if row.problem:
        return Row(row.number, problems=(RowProblem("", f"not CSV: {row.problem}"),))
    if any(cell.strip() for cell in row.cells[len(columns.fields) :]):
        detail = "has more cells than the first row has names: put quotes around a cell with a separator in it"
        return Row(row.number, problems=(RowProblem("", detail),))
    named = zip(columns.fields, row.cells, strict=False)
    return _row(row.number, {field: cell.strip() for field, cell in named if field and cell.strip()})


# --- objects -----------------------------------------------------------------------------------------------------


def _object(line: int, found: Mapping[str, JsonValue]) -> Row:
    problems = tuple(_misfits(found))
    if problems:
        return Row(line, problems=problems)
    given = {name: value.strip() for name, value in found.items() if isinstance(value, str)}
    return _row(line, {name: value for name, value in given.items() if value})


def _misfits(found: Mapping[str, JsonValue]) -> Iterator[RowProblem]:
    for name, value in found.items():
        if name not in COLUMNS:
            # What is no name of a field at all may be anything, an address too, and is not repeated.
            told = name if name.isidentifier() and len(name) <= MAX_NAME else ""
            yield RowProblem(told, f"is no field; known are {', '.join(COLUMNS)}")
        elif not isinstance(value, str | None):
            yield RowProblem(name, "must be a text")


# --- a row -------------------------------------------------------------------------------------------------------


def _row(line: int, fields: Mapping[str, str]) -> Row:
    unfit = [name for name, value in fields.items() if not is_storable(value)]
    if unfit:
        detail = "contains a NUL character or half of a surrogate pair"
        return Row(line, problems=tuple(RowProblem(name, detail) for name in unfit))
    site = _site(fields.get("url", ""))
    if isinstance(site, RowProblem):
        return Row(line, problems=(site,))
    if not any(name in fields for name in _NAMING):
        return Row(line, site)
    try:
        return Row(line, site, NewContact.model_validate(_person(fields)))
    except ValidationError as error:
        return Row(line, site, problems=tuple(_told(error)))


def _site(url: str) -> Site | RowProblem:
    if not url:
        return RowProblem("url", "is missing: name the company's site")
    if len(url) > MAX_URL:
        return RowProblem("url", f"is longer than {MAX_URL:,} characters")
    try:
        return Site(*normalise(url))
    except InvalidInput as error:
        return RowProblem("url", error.problems[0].detail)


def _person(fields: Mapping[str, str]) -> dict[str, object]:
    """As `NewContact` takes it, in the forms that it asks for."""
    given: dict[str, str] = {name: value for name, value in fields.items() if name != "url"}
    if "email" in given:
        given["email"] = re.sub(r"^mailto:", "", given["email"], flags=re.IGNORECASE)
    if "country" in given:
        given["country"] = given["country"].upper()
    if "language" in given:
        given["language"] = re.split(r"[-_]", given["language"].lower())[0]
    parts = [given[name] for name in ("first_name", "last_name") if name in given]
    if "name" not in given and parts:
        given["name"] = " ".join(parts)
    elif "name" in given and not parts:
        given["first_name"], given["last_name"] = split_name(given["name"])
    consent = {name.removeprefix(_CONSENT): value for name, value in given.items() if name.startswith(_CONSENT)}
    if "basis" in consent:
        consent["basis"] = re.sub(r"[\s-]+", "_", consent["basis"].lower())
    if re.fullmatch(r"\d{4}-\d\d-\d\d", consent.get("at", "")):
        consent["at"] += "T00:00:00Z"
    person: dict[str, object] = {name: value for name, value in given.items() if not name.startswith(_CONSENT)}
    return person | ({"consent": consent} if consent else {})


def _told(error: ValidationError) -> Iterator[RowProblem]:
    for problem in field_problems(error):
        field = {"": "email", "/consent": "consent_basis"}.get(problem.pointer, problem.pointer[1:].replace("/", "_"))
        yield RowProblem(field, problem.detail.removeprefix("Value error, "))
