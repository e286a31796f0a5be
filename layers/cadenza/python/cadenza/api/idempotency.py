"""The header Idempotency-Key (draft-ietf-httpapi-idempotency-key-header-07): what creates is carried out once a key.

An answer of success is kept and given again, with the header ``idempotent-replayed``. An error is not kept: nothing
has happened, so the request may be mended or repeated under its key. What happens if the process dies in between is
told in `cadenza.core.idempotency`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final, assert_never

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.utilities.data_classes.common import BaseProxyEvent

from cadenza.api.desk import Desk
from cadenza.core import idempotency
from cadenza.core.errors import FieldProblem, InvalidInput, Retryable
from cadenza.core.idempotency import Answered, AnswerLost, Claimed, Differs, Request, UnderWay
from cadenza.core.log import get_logger
from cadenza.core.problems import Problem, problem

HEADER: Final = "idempotency-key"
REPLAYED: Final = "idempotent-replayed"
_POINTER: Final = "/idempotency-key"

_STRING: Final = re.compile(r'"((?:[ !#-\[\]-~]|\\["\\])*)"')
"""A string of a structured field (RFC 9651, section 3.3.3), which is what the draft asks for."""
_BARE: Final = re.compile(r"[A-Za-z0-9_.~:/+=@-]+")
"""What clients send who never heard of those."""
_MAX_LENGTH: Final = 255

PARAMETER: Final[Mapping[str, object]] = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A key of the caller's own choice, such as a UUID. For 24 hours the same request under the same key "
    "is carried out once, and answered with the first answer and the header `idempotent-replayed: true`.",
    "schema": {
        "type": "string",
        "minLength": 1,
        "maxLength": _MAX_LENGTH,
        "pattern": rf"^(\"([ !#-\[\]-~]|\\[\"\\])+\"|{_BARE.pattern})$",
    },
}
"""How the API's document describes it."""


def read_key(header: str) -> str:
    """The key in the header.

    Raises:
        InvalidInput: It is none.
    """
    text = header.strip()
    if found := _STRING.fullmatch(text):
        key = re.sub(r'\\(["\\])', r"\1", found[1])
    else:
        key = text if _BARE.fullmatch(text) else ""
    if not 0 < len(key) <= _MAX_LENGTH:
        detail = f'send 1 to {_MAX_LENGTH} characters, such as a UUID; in quotes ("…") if they are not all plain'
        raise InvalidInput("the Idempotency-Key is malformed", (FieldProblem(_POINTER, detail),))
    return key


def request_hash(event: BaseProxyEvent) -> str:
    """What tells one request from another: method, path, query, kind of body, body."""
    query = json.dumps(sorted((event.query_string_parameters or {}).items()))
    parts = (event.http_method, event.path, query, event.headers.get("content-type", ""), event.decoded_body or "")
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8) + data)
    return digest.hexdigest()


def once(
    desk: Desk,
    event: BaseProxyEvent,
    header: str,
    carry_out: Callable[[Desk], Response[Any]],
    *,
    keeps: bool = True,
) -> Response[Any]:
    """Carry a request out at the desk that ``carry_out`` is given, or answer as it has been answered.

    Without ``keeps`` the answer is not kept, because it holds a secret: whoever repeats the request hears that it has
    been carried out.

    Raises:
        InvalidInput: The key is malformed.
    """
    request = Request(desk.workspace_id, read_key(header), request_hash(event))
    with desk.transaction() as conn:
        verdict = idempotency.claim(conn, request, desk.now())
    match verdict:
        case Claimed():
            return _carried_out(desk, verdict, carry_out, keeps=keeps)
        case Answered():
            headers: dict[str, str | list[str]] = {REPLAYED: "true"}
            return Response(verdict.status, verdict.media_type, verdict.answer, headers)
        case UnderWay():
            detail = "a request with this Idempotency-Key is under way"
            wait = {"retry-after": str(verdict.retry_after_s)}
            return _refused(problem(HTTPStatus.CONFLICT, detail, headers=wait))
        case AnswerLost():
            at = verdict.carried_out_at.isoformat(timespec="seconds")
            detail = (
                f"this was carried out at {at}, but its answer was lost; it is not done again: look for what it made"
            )
            return _refused(problem(HTTPStatus.CONFLICT, detail))
        case Differs():
            detail = "this Idempotency-Key is that of another request: choose a new one"
            return _refused(problem(HTTPStatus.UNPROCESSABLE_ENTITY, detail, errors=(FieldProblem(_POINTER, "taken"),)))
        case _:
            assert_never(verdict)


def _carried_out(
    desk: Desk, claimed: Claimed, carry_out: Callable[[Desk], Response[Any]], *, keeps: bool
) -> Response[Any]:
    database = desk.office.database
    fenced = database.ending_with(lambda conn: idempotency.carry_out(conn, claimed, desk.now()))
    succeeded = False
    try:
        response = carry_out(replace(desk, office=replace(desk.office, database=fenced)))
        succeeded = response.status_code < HTTPStatus.BAD_REQUEST
    finally:
        if not succeeded:
            # Should the database be away, the lease will end the claim.
            with suppress(Retryable), desk.transaction() as conn:
                idempotency.give_back(conn, claimed)
    if succeeded and keeps:
        _keep(desk, claimed, response)
    return response


def _keep(desk: Desk, claimed: Claimed, response: Response[Any]) -> None:
    if not isinstance(response.body, str):
        # Letters as they are, so that whoever is erased can be found in what is kept.
        response.body = json.dumps(response.body, ensure_ascii=False, separators=(",", ":"))
    answer = Answered(response.status_code, str(response.content_type or ""), response.body)
    try:
        with desk.transaction() as conn:
            idempotency.keep(conn, claimed, answer)
    except Retryable as error:  # the caller has the answer; whoever repeats the request will hear that it was lost
        get_logger().error("idempotency.answer_not_kept", reason=error.detail)


def _refused(found: Problem) -> Response[Any]:
    return Response(found.status, body=json.dumps(found.body), headers=dict(found.headers))
