"""How a request meets its route: who may, what it brings, what it is answered, and where errors become problems."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Annotated, Any, TypeVar, cast
from uuid import UUID

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Depends, Request, Response
from aws_lambda_powertools.event_handler.api_gateway import Route, Router
from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import (
    OpenAPIRequestValidationMiddleware,
    OpenAPIResponseValidationMiddleware,
)
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestValidationError, ResponseValidationError
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent
from pydantic import JsonValue
from sqlalchemy.exc import DBAPIError

from cadenza.api import idempotency, models
from cadenza.api.auth import authenticate
from cadenza.api.desk import Desk, Office
from cadenza.api.limits import Standing
from cadenza.core.db import sqlstate
from cadenza.core.errors import CadenzaError, FieldProblem, InvalidInput, Retryable
from cadenza.core.log import get_logger
from cadenza.core.problems import CONTENT_TYPE, Problem, problem, problem_for
from cadenza.core.states import Role
from cadenza.planning.model import json_pointer

# The resolver types neither its context nor the responses inside its middlewares.
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

F = TypeVar("F", bound=Callable[..., object])
E = TypeVar("E", bound=Exception)

ROLE = "x-required-role"
"""Where the API's document says which role an operation needs; operations without it are open to everybody."""
MEDIA = "x-media-types"
"""Where the API's document says which bodies an operation takes that are no JSON object."""
CREATES = "x-creates"
"""Where the API's document says which operations take an Idempotency-Key."""
SHOWN_ONCE = "x-shown-once"
"""Where the API's document says whose answer is not kept for who asks again under an Idempotency-Key."""
ANSWERED_AS = "x-answered-as"
"""Where an operation says, on the way to the document, of which types its answers are."""
ABOUT = "x-about"
"""Where an operation says what its tag is about, on the way to the document: the first line of its module."""
SECURITY_SCHEME = "api_key"

WITH_BODY = frozenset({"PATCH", "POST", "PUT"})

MAX_BODY_BYTES = 5_000_000
"""A function is handed 6 MiB at most, with the body as a JSON text. Longer ones still are refused by the gateway."""

DATA_EXCEPTION_CLASS = "22"
"""SQLSTATEs of values that no column takes: a NUL character, a number out of range."""

_SAYS: Mapping[HTTPStatus, str] = {
    HTTPStatus.BAD_REQUEST: "The request is malformed; `errors` names each field.",
    HTTPStatus.UNAUTHORIZED: "No API key, or one that is unknown or revoked.",
    HTTPStatus.FORBIDDEN: "The key's role is too low.",
    HTTPStatus.NOT_FOUND: "No such thing in this workspace.",
    HTTPStatus.CONFLICT: "The state of things does not allow this; `errors` names all that is missing. With "
    "`Retry-After`: a request with this Idempotency-Key is under way.",
    HTTPStatus.PRECONDITION_FAILED: "It has changed since you read it: read it again.",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "The body is longer than 5 MB: send it in parts.",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "The body is not of a type that this takes.",
    HTTPStatus.UNPROCESSABLE_ENTITY: "The Idempotency-Key is that of another request.",
    HTTPStatus.PRECONDITION_REQUIRED: "Say in `If-Match` which version you have read.",
    HTTPStatus.TOO_MANY_REQUESTS: "The key asks more often than it may: try again after `Retry-After` seconds.",
    HTTPStatus.SERVICE_UNAVAILABLE: "The database is away or waking up: try again after `Retry-After` seconds.",
}


DatabaseAway = Callable[[], Response[str]]
"""What a route answers while the database is away, and nobody can be told from a stranger."""


class Operations(Router):
    """The routes of one concept. Each names the role that it needs."""

    def __init__(self, tag: str) -> None:
        super().__init__()
        self._tag = tag
        self.paths: list[tuple[str, str]] = []
        self.hasty: dict[str, DatabaseAway] = {}

    def operation(
        self,
        method: str,
        path: str,
        *,
        role: Role | None,
        answers: HTTPStatus = HTTPStatus.OK,
        problems: tuple[HTTPStatus, ...] = (),
        media: tuple[str, ...] = (),
        creates: bool = False,
        also: Mapping[HTTPStatus, type[models.Answer]] | None = None,
        database_away: DatabaseAway | None = None,
        shown_once: bool = False,
        headers: tuple[str, ...] = (),
        answered_as: tuple[str, ...] = (),
    ) -> Callable[[F], F]:
        """Register a route. Its summary is its docstring's first line; ``role`` None opens it to everybody.

        ``problems`` are its own; those that any route with its traits can answer are added. ``media`` are the types of
        a body that is no JSON object: the route reads it as a `Sheet`. A route that ``creates``, as each does that
        answers 201 or 202, is carried out once an Idempotency-Key; what it answers is kept for that, unless it is
        ``shown_once``. ``headers`` are those of its answers that its traits do not tell, ``answered_as`` their media
        types, if they are not JSON alone. ``also`` are answers of other statuses that are no problems. A route with
        ``database_away`` must answer within seconds: its caller is looked up without patience, and if the database does
        not answer, this does, to whomever has asked.
        """
        creates = creates or answers in (HTTPStatus.CREATED, HTTPStatus.ACCEPTED)

        def register(function: F) -> F:
            self.paths.append((method, path))
            about = (sys.modules[function.__module__].__doc__ or "").partition("\n")[0]
            summary, _, more = inspect.cleandoc(function.__doc__ or "").partition("\n")
            own = (*problems, HTTPStatus.CONFLICT, HTTPStatus.UNPROCESSABLE_ENTITY) if creates else problems
            responses = _responses(method, path, role, answers, own)
            for status, answer in (also or {}).items():
                content: dict[str, Any] = {CONTENT_TYPE: {"model": models.Problem}, APPLICATION_JSON: {"model": answer}}
                responses[int(status)] = {"description": _SAYS[status], "content": content}
            if database_away is not None:
                self.hasty[function.__name__] = database_away
            responses[int(answers)]["headers"] = {name: {} for name in headers}
            route = self.route(
                path,
                method,
                summary=summary,
                description=more.strip(),
                responses=responses,
                status_code=answers,
                tags=[self._tag],
                operation_id=function.__name__,
                security=[{SECURITY_SCHEME: []}] if role else None,
                openapi_extensions={ABOUT: about}
                | ({ROLE: role.value} if role else {})
                | ({MEDIA: list(media)} if media else {})
                | ({CREATES: True} if creates else {})
                | ({ANSWERED_AS: list(answered_as)} if answered_as else {})
                | ({SHOWN_ONCE: True} if shown_once else {}),
            )
            return route(function)

        return register


def _responses(
    method: str, path: str, role: Role | None, answers: HTTPStatus, problems: tuple[HTTPStatus, ...]
) -> dict[int, OpenAPIResponse]:
    found = set(problems)
    if role is not None:
        found |= {HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED}
        found |= {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE}
        if role is not Role.VIEWER:
            found.add(HTTPStatus.FORBIDDEN)
    if "<" in path:
        found.add(HTTPStatus.NOT_FOUND)
    if method in WITH_BODY:
        found |= {HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.REQUEST_ENTITY_TOO_LARGE}
    content: dict[str, Any] = {CONTENT_TYPE: {"model": models.Problem}}
    success: OpenAPIResponse = {"description": answers.phrase}
    if answers is HTTPStatus.NO_CONTENT:
        success["content"] = {}
    responses: dict[int, OpenAPIResponse] = {int(answers): success}
    for status in sorted(found):
        responses[int(status)] = {"description": _SAYS[status], "content": content}
    return responses


def _desk(request: Request) -> Desk:
    return cast("Desk", request.context["desk"])


At = Annotated[Desk, Depends(_desk)]
"""The parameter of a route that works in the caller's workspace."""


@dataclass(frozen=True, slots=True)
class SheetBody:
    """A body that is no JSON object, as text."""

    media_type: str
    text: str


def _sheet_of(request: Request) -> SheetBody:
    return cast("SheetBody", request.context["sheet"])


Sheet = Annotated[SheetBody, Depends(_sheet_of)]
"""The parameter of a route whose body is of one of its own ``media``."""


def application(office: Office, *concepts: Operations) -> APIGatewayHttpResolver:
    """The API over these routes."""
    app = APIGatewayHttpResolver()
    for concept in concepts:
        app.include_router(concept)
    # Not `enable_validation`: it would read the body before it asks who sent it, and documents answers never given.
    right_answers = OpenAPIResponseValidationMiddleware(has_response_validation_error=True)
    hasty = {name: answer for concept in concepts for name, answer in concept.hasty.items()}
    app.use(
        [
            _admission(office, _Paths(concepts), hasty),
            _in_bounds,
            _json_only,
            _once,
            OpenAPIRequestValidationMiddleware(),
            right_answers,
        ]
    )
    app.exception_handler(CadenzaError)(_telling(app, _refused))
    app.exception_handler(RequestValidationError)(_telling(app, _malformed))
    app.exception_handler(ResponseValidationError)(_wrong_answer)
    app.exception_handler(DBAPIError)(_telling(app, _database_refused))
    return app


# --- on the way in -----------------------------------------------------------------------------------------------


def _admission(
    office: Office, paths: _Paths, hasty: Mapping[str, DatabaseAway]
) -> Callable[[APIGatewayHttpResolver, NextMiddleware], Response[Any]]:
    def admit(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
        """Let in who may do this, and give them a desk."""
        route = cast("Route", app.context["_route"])
        if not paths.are_of(route, app.current_event):  # the rest of the request does not matter
            return paths.unknown(app.current_event)
        traits = route.openapi_extensions or {}
        role = Role(traits[ROLE]) if ROLE in traits else None
        if role is not None:
            authorization = app.current_event.headers.get("authorization", "")
            database_away = hasty.get(route.operation_id or "")
            database = office.database if database_away is None else office.installation.database
            try:
                caller = authenticate(database, authorization, office.limit, office.clock())
            except (Retryable, DBAPIError, OSError):
                if database_away is None:
                    raise
                get_logger().exception("request.database_away")
                return database_away()
            app.append_context(standing=caller.standing)
            caller.standing.admit()
            caller.require(role)
            get_logger().append_keys(workspace_id=str(caller.workspace_id), key_id=caller.key_id)
            correlation_id = app.current_event.request_context.request_id
            app.append_context(desk=Desk(office, caller.workspace_id, correlation_id, UUID(caller.key_id)))
        return _told(app, cast("Response[Any]", next_middleware(app)))

    return admit


def _in_bounds(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Refuse what is too long before anybody reads it."""
    event = app.current_event
    # Base64 makes four characters of three bytes.
    size = len(event.body or "") * 3 // 4 if event.is_base64_encoded else len((event.body or "").encode())
    if size > MAX_BODY_BYTES:
        detail = f"the body has {size:,} bytes, and {MAX_BODY_BYTES:,} at most are taken: send it in parts"
        return _response(problem(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, detail))
    return next_middleware(app)


def _json_only(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """See to it that a body is one JSON object, unless its route takes others: the validation would take forms."""
    event = app.current_event
    accepted = (cast("Route", app.context["_route"]).openapi_extensions or {}).get(MEDIA)
    if accepted is not None:
        if (sheet := _sheet(event)).media_type not in accepted:
            detail = f"send {' or '.join(accepted)}, not {sheet.media_type}"
            return _response(problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail))
        app.append_context(sheet=sheet)
    elif event.http_method in WITH_BODY and event.body:
        media_type = _media_type(event)
        if media_type != "application/json":
            detail = f"send application/json, not {media_type}"
            return _response(problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, detail))
        try:
            body = cast("JsonValue", json.loads(event.decoded_body or ""))
        except (ValueError, RecursionError) as error:
            detail = str(error) if isinstance(error, json.JSONDecodeError) else "not JSON in UTF-8"
            raise InvalidInput("the body is not JSON", (FieldProblem("", detail),)) from error
        if not isinstance(body, dict):
            raise InvalidInput("the body is not a JSON object", (FieldProblem("", "send a JSON object"),))
    return next_middleware(app)


def _once(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    """Carry out once what creates, if the caller has given it a key."""
    traits = cast("Route", app.context["_route"]).openapi_extensions or {}
    header = app.current_event.headers.get(idempotency.HEADER)
    if not traits.get(CREATES) or header is None:
        return next_middleware(app)

    def carry_out(desk: Desk) -> Response[Any]:
        app.append_context(desk=desk)
        return next_middleware(app)

    keeps = not traits.get(SHOWN_ONCE)
    return idempotency.once(cast("Desk", app.context["desk"]), app.current_event, header, carry_out, keeps=keeps)


def _media_type(event: BaseProxyEvent) -> str:
    return event.headers.get("content-type", "application/json").partition(";")[0].strip().lower()


def _sheet(event: BaseProxyEvent) -> SheetBody:
    try:
        return SheetBody(_media_type(event), event.decoded_body or "")
    except UnicodeDecodeError as error:
        raise InvalidInput("the body is not text in UTF-8", (FieldProblem("", "save it as UTF-8"),)) from error


# --- on the way out ----------------------------------------------------------------------------------------------


def _told(app: APIGatewayHttpResolver, response: Response[Any]) -> Response[Any]:
    """Say with the answer how much its key may still ask for."""
    standing = cast("Standing | None", app.context.get("standing"))
    if standing is not None:
        response.headers.update(standing.headers())
    return response


def _telling(app: APIGatewayHttpResolver, answer: Callable[[E], Response[Any]]) -> Callable[[E], Response[Any]]:
    def tell(error: E) -> Response[Any]:
        return _told(app, answer(error))

    return tell


def _response(found: Problem) -> Response[Any]:
    return Response(found.status, body=json.dumps(found.body), headers=dict(found.headers))


def _refused(error: CadenzaError) -> Response[Any]:
    found = problem_for(error)
    # The kind of error only: its words may quote an address.
    log = get_logger().error if found.status >= HTTPStatus.INTERNAL_SERVER_ERROR else get_logger().warning
    log("request.refused", status=found.status, error=type(error).__name__)
    return _response(found)


def _malformed(error: RequestValidationError) -> Response[Any]:
    found = cast("list[dict[str, Any]]", error.errors())
    problems = tuple(FieldProblem(json_pointer(*fault["loc"][1:]), fault["msg"]) for fault in found)
    return _refused(InvalidInput("the request is malformed", problems))


def _wrong_answer(error: ResponseValidationError) -> Response[Any]:
    """An answer that is not what the document promises is our bug: the platform shall count it."""
    raise TypeError(f"a route's answer does not fit its model: {[fault['loc'] for fault in error.errors()]}")


def _database_refused(error: DBAPIError) -> Response[Any]:
    if not sqlstate(error).startswith(DATA_EXCEPTION_CLASS):
        raise error
    return _refused(InvalidInput("a value is out of range, or contains a NUL character"))


class _Paths:
    """Which methods a path has. A path that is written out is that one, and none whose id it might be."""

    def __init__(self, concepts: tuple[Operations, ...]) -> None:
        self._literal: dict[str, set[str]] = {}
        self._patterns: list[tuple[str, re.Pattern[str]]] = []
        for method, path in (one for concept in concepts for one in concept.paths):
            if "<" in path:
                self._patterns.append((method, re.compile(re.sub(r"<\w+>", "[^/]+", re.escape(path)))))
            else:
                self._literal.setdefault(path, set()).add(method)

    def methods(self, path: str) -> set[str]:
        """Those that it knows; none: there is no such path."""
        return self._literal.get(path) or {method for method, pattern in self._patterns if pattern.fullmatch(path)}

    def are_of(self, route: Route, event: BaseProxyEvent) -> bool:
        """Whether the route that was found is the request's."""
        is_ours = ABOUT in (route.openapi_extensions or {})
        return is_ours and event.http_method in self.methods(event.path)

    def unknown(self, event: BaseProxyEvent) -> Response[Any]:
        """Tell a wrong method from a wrong path, such as one with an id that can be none."""
        allowed = self.methods(event.path)
        if not allowed or event.http_method in allowed:
            return _response(problem(HTTPStatus.NOT_FOUND, "no such path"))
        return _response(problem(HTTPStatus.METHOD_NOT_ALLOWED, headers={"allow": ", ".join(sorted(allowed))}))
