"""Where errors meet HTTP: problem details (RFC 9457) for everything that `CadenzaError` tells apart."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from cadenza.core.errors import (
    Conflict,
    FieldProblem,
    Forbidden,
    InvalidInput,
    NotFound,
    Overtaken,
    Retryable,
    TooManyRequests,
    Unauthorised,
)

if TYPE_CHECKING:
    from pydantic import ValidationError

CONTENT_TYPE = "application/problem+json"
DEFAULT_RETRY_AFTER_S = 5


class Problem(NamedTuple):
    """An HTTP answer: its status, its body (to be sent as JSON) and its headers, the content type among them."""

    status: int
    body: dict[str, object]
    headers: dict[str, str]


def problem(
    status: int, detail: str = "", *, errors: Iterable[FieldProblem] = (), headers: Mapping[str, str] | None = None
) -> Problem:
    """A problem of the type ``about:blank``: its title is the status's own phrase (RFC 9457 §4.2.1)."""
    body: dict[str, object] = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
    if detail:
        body["detail"] = detail
    if fields := [{"pointer": field.pointer, "detail": field.detail} for field in errors]:
        body["errors"] = fields
    return Problem(status, body, {"content-type": CONTENT_TYPE, "cache-control": "no-store", **(headers or {})})


def problem_for(error: Exception, *, challenge: str = "Bearer") -> Problem:
    """What the caller is told about ``error``; of an error that is ours, nothing but its status.

    ``challenge`` is the scheme that a 401 asks for (RFC 9110 §11.6.1 wants one named).
    """
    match error:
        case InvalidInput():
            return problem(HTTPStatus.BAD_REQUEST, error.detail, errors=error.problems)
        case Unauthorised():
            return problem(HTTPStatus.UNAUTHORIZED, str(error), headers={"www-authenticate": challenge})
        case Forbidden() | NotFound():
            status = HTTPStatus.FORBIDDEN if isinstance(error, Forbidden) else HTTPStatus.NOT_FOUND
            return problem(status, str(error))
        case Conflict():
            return problem(HTTPStatus.CONFLICT, error.detail, errors=error.problems)
        case Overtaken():
            # RFC 9110 §15.5.13, RFC 6585 §3
            status = HTTPStatus.PRECONDITION_REQUIRED if error.missing else HTTPStatus.PRECONDITION_FAILED
            return problem(status, error.detail, errors=[FieldProblem("/If-Match", error.detail)])
        case TooManyRequests():
            return _later(HTTPStatus.TOO_MANY_REQUESTS, error.retry_after_s, error.detail)  # RFC 6585 §4
        case Retryable():
            return _later(HTTPStatus.SERVICE_UNAVAILABLE, error.retry_after_s)
        case _:
            return problem(HTTPStatus.INTERNAL_SERVER_ERROR)


def _later(status: HTTPStatus, wait_s: float | None, detail: str = "") -> Problem:
    seconds = DEFAULT_RETRY_AFTER_S if wait_s is None else max(1, ceil(wait_s))
    return problem(status, detail, headers={"retry-after": str(seconds)})


def field_problems(error: ValidationError) -> tuple[FieldProblem, ...]:
    """Each field that Pydantic refused, as a JSON pointer and a reason. The refused values are not quoted."""
    return tuple(
        FieldProblem("".join(f"/{_escaped(part)}" for part in found["loc"]), found["msg"])
        for found in error.errors(include_url=False, include_context=False, include_input=False)
    )


def _escaped(part: str | int) -> str:
    return str(part).replace("~", "~0").replace("/", "~1")  # RFC 6901 §3
