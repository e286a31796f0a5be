"""What a call of the API may end in. All are `CadenzaError`; what the API has refused carries its problem document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, cast

from cadenza.core.errors import CadenzaError, FieldProblem


@dataclass(frozen=True)
class Problem:
    """A problem document (RFC 9457). ``errors`` point into the body (RFC 6901), or name a parameter (``/name``)."""

    type: str
    title: str
    status: int
    detail: str = ""
    errors: tuple[FieldProblem, ...] = ()

    @classmethod
    def read(cls, status: int, source: object) -> Problem:
        """The problem that an answer's JSON tells of; of anything else (a gateway's own words) its status is left."""
        told = _mapping(source)
        listed = told.get("errors")
        errors = [_mapping(each) for each in cast("list[object]", listed)] if isinstance(listed, list) else []
        return cls(
            str(told.get("type", "about:blank")),
            str(told.get("title", "")) or _phrase(status),
            status,
            str(told.get("detail", "")),
            tuple(FieldProblem(str(error.get("pointer", "")), str(error.get("detail", ""))) for error in errors),
        )


def _mapping(source: object) -> Mapping[str, object]:
    return cast("Mapping[str, object]", source) if isinstance(source, Mapping) else {}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"status {status}"


class Unreachable(CadenzaError):  # noqa: N818 - reads as what happened, as its neighbours in core.errors
    """The API was not reached, or its answer was not. What was asked for may have been done."""


class UnexpectedAnswer(CadenzaError):  # noqa: N818
    """The answer is not what this version of the client knows: client and API are of different versions."""


class ApiError(CadenzaError):
    """The API has refused. ``retry_after_s``: how many seconds it wants us to wait, if it said so."""

    def __init__(self, problem: Problem, retry_after_s: float | None = None) -> None:
        super().__init__(f"{problem.status} {problem.title}" + (f": {problem.detail}" if problem.detail else ""))
        self.problem = problem
        self.status = problem.status
        self.errors = problem.errors
        self.retry_after_s = retry_after_s


class BadRequest(ApiError):  # noqa: N818
    """400: malformed; ``errors`` names each field."""


class Unauthorised(ApiError):  # noqa: N818
    """401: no API key, or one that is unknown or revoked."""


class Forbidden(ApiError):  # noqa: N818
    """403: the key's role is too low."""


class NotFound(ApiError):  # noqa: N818
    """404: no such thing in this workspace."""


class Conflict(ApiError):  # noqa: N818
    """409: the state of things does not allow it; ``errors`` names all that is missing."""


class Overtaken(ApiError):  # noqa: N818
    """412 or 428: it has changed since it was read, or ``if_match`` is missing."""


class RateLimited(ApiError):  # noqa: N818
    """429: too many requests, and still too many after some patience."""


class Unavailable(ApiError):  # noqa: N818
    """5xx: the API is away or broken, and still so after some patience."""


_KINDS: Final[Mapping[int, type[ApiError]]] = {
    HTTPStatus.BAD_REQUEST: BadRequest,
    HTTPStatus.UNAUTHORIZED: Unauthorised,
    HTTPStatus.FORBIDDEN: Forbidden,
    HTTPStatus.NOT_FOUND: NotFound,
    HTTPStatus.CONFLICT: Conflict,
    HTTPStatus.PRECONDITION_FAILED: Overtaken,
    HTTPStatus.PRECONDITION_REQUIRED: Overtaken,
    HTTPStatus.TOO_MANY_REQUESTS: RateLimited,
}


def refusal(problem: Problem, retry_after_s: float | None = None) -> ApiError:
    """The error of a problem's status."""
    other = Unavailable if problem.status >= HTTPStatus.INTERNAL_SERVER_ERROR else ApiError
    return _KINDS.get(problem.status, other)(problem, retry_after_s)
