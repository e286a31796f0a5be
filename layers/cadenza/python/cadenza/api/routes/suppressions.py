"""Who may never be written to: by hand, by list, and back."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query

from cadenza.api import people_models, people_queries
from cadenza.api.models import Page
from cadenza.api.people_queries import SuppressionFilter
from cadenza.api.reading import Slice
from cadenza.api.routes.paging import DEFAULT_LIMIT, Cursor, Limit
from cadenza.api.routing import At, Operations, Sheet
from cadenza.api.sheets import ExportFormat
from cadenza.contacts.addresses import guess, normal
from cadenza.contacts.importing import ListFormat
from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.states import Role, SuppressionChannel

routes = Operations("suppressions")

MEDIA = {"text/csv": ListFormat.CSV, "application/x-ndjson": ListFormat.JSON_LINES}
EXPORT_LIMIT = 10_000
"""Some 2 MB: a function's answer may have 6."""
COLUMNS = ("channel", "address", "reason", "note", "source", "created_at")


@routes.operation("GET", "/v1/suppressions", role=Role.VIEWER)
def list_suppressions(
    desk: At,
    channel: Annotated[SuppressionChannel | None, Query()] = None,
    reason: Annotated[str | None, Query()] = None,
    address: Annotated[str | None, Query(description="an address, number or domain; erased ones are found too")] = None,
    limit: Limit = DEFAULT_LIMIT,
    cursor: Cursor = None,
) -> Page[people_models.Suppression]:
    """List who may never be written to."""
    which = SuppressionFilter(channel, reason, None if address is None else _normal(channel, address))
    with desk.transaction() as conn:
        return people_queries.suppressions(conn, Slice(limit, cursor), which, desk.workspace_id)


def _normal(channel: SuppressionChannel | None, address: str) -> str:
    if address.startswith("sha256:"):
        return address
    try:
        return normal(channel or guess(address), address)
    except ValueError as error:
        raise InvalidInput("no address can look like this", (FieldProblem("/address", str(error)),)) from error


@routes.operation("POST", "/v1/suppressions", role=Role.OPERATOR, answers=HTTPStatus.CREATED)
def add_suppression(
    desk: At, suppression: Annotated[people_models.NewSuppression, Body()]
) -> people_models.Suppression:
    """Never write to this address again, and end what is under way. Asking twice gives the same suppression."""
    suppression_id = desk.suppressions.suppress(suppression.wanted())
    with desk.transaction() as conn:
        return people_queries.suppression(conn, suppression_id)


@routes.operation("POST", "/v1/suppressions/import", role=Role.OPERATOR, media=tuple(MEDIA), creates=True)
def import_suppressions(desk: At, sheet: Sheet) -> people_models.ImportReport:
    """Take in a list (CSV, or a JSON object a line): good rows are taken, and every row is answered for."""
    written = MEDIA.get(sheet.media_type, ListFormat.CSV)
    return people_models.ImportReport.of(desk.suppressions.take_list(sheet.text, written))


@routes.operation(
    "GET", "/v1/suppressions/export", role=Role.VIEWER, headers=("Link",), answered_as=("application/json", "text/csv")
)
def export_suppressions(
    desk: At,
    format: Annotated[ExportFormat, Query()] = ExportFormat.JSON,  # noqa: A002 - the parameter's name in the API
    limit: Annotated[int, Query(ge=1, le=EXPORT_LIMIT, description="how many at most")] = EXPORT_LIMIT,
    cursor: Cursor = None,
) -> Response[Page[people_models.Suppression] | str]:
    """Hand out all suppressions, newest first; the next part's address is in the header `link` (RFC 8288)."""
    with desk.transaction() as conn:
        page = people_queries.suppressions(conn, Slice(limit, cursor), SuppressionFilter(), desk.workspace_id)
    more = f"/v1/suppressions/export?format={format}&limit={limit}&cursor={page.next_cursor}"
    headers: dict[str, str | list[str]] = {"link": f'<{more}>; rel="next"'} if page.next_cursor else {}
    if format is ExportFormat.JSON:
        return Response(HTTPStatus.OK, "application/json", page.model_dump_json(), headers)
    return Response(HTTPStatus.OK, "text/csv; charset=utf-8", _sheet(page.items), headers)


def _sheet(items: Sequence[people_models.Suppression]) -> str:
    """RFC 4180, with a header; what `import_suppressions` takes."""
    sheet = io.StringIO(newline="")
    writer = csv.writer(sheet)
    writer.writerow(COLUMNS)
    for item in items:
        fields = item.model_dump(mode="json")
        writer.writerow([fields[name] for name in COLUMNS])
    return sheet.getvalue()


@routes.operation(
    "DELETE",
    "/v1/suppressions/<suppression_id>",
    role=Role.ADMIN,
    answers=HTTPStatus.NO_CONTENT,
    problems=(HTTPStatus.CONFLICT,),
)
def remove_suppression(
    desk: At,
    suppression_id: Annotated[UUID, Path()],
    reason: Annotated[str, Query(max_length=500, description="why; it is kept")] = "",
    force: Annotated[bool, Query(description="the person has said no, and has now asked for it")] = False,
) -> Response[str]:
    """Take a suppression back; who did, and why, is kept in the consent log."""
    desk.suppressions.lift(suppression_id, reason.strip(), force=force)
    desk.automation.look_around(desk.correlation_id)
    return Response(HTTPStatus.NO_CONTENT, body="")


@routes.operation("GET", "/v1/consent/log", role=Role.VIEWER)
def list_consent_log(
    desk: At, limit: Limit = DEFAULT_LIMIT, cursor: Cursor = None
) -> Page[people_models.ConsentRecord]:
    """List which suppressions were taken back and who was erased, by whom and why."""
    with desk.transaction() as conn:
        return people_queries.consent_log(conn, Slice(limit, cursor))
