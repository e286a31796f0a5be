"""What the API's document says beyond what the framework can know: who may, which headers, sheets, examples."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

from aws_lambda_powertools.event_handler.content_types import APPLICATION_JSON

from cadenza.api.examples import EXAMPLES, SHEETS
from cadenza.api.idempotency import PARAMETER
from cadenza.api.routing import ABOUT, ANSWERED_AS, CREATES, MEDIA, ROLE, SHOWN_ONCE
from cadenza.core.problems import CONTENT_TYPE

DESCRIPTION: Final = """\
AI-written outreach campaigns.

- **Errors** are problem documents (RFC 9457); `errors` names each field that is wrong by a JSON pointer.
- **Lists** page by cursor: `limit`, and `cursor`, which is the `next_cursor` of the page before.
- **Asking again**: what creates takes an `Idempotency-Key`.
- **Editing**: `If-Match` with the `etag` that was read refuses to overwrite what somebody else has changed (412).
- **Limits**: `ratelimit` says how much the key may still ask for; 429 comes with `retry-after`.

Instants are RFC 3339, ids UUIDv7. `x-required-role` says which role an operation needs.
"""

_NEVER_ANSWERED: Final = ("HTTPValidationError", "ValidationError", "ResponseValidationError")
"""Schemas of the framework's own errors."""

IF_MATCH: Final = "if-match"
IF_NONE_MATCH: Final = "if-none-match"

HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "ETag": {
        "description": "The version of what is answered: for `If-Match` and `If-None-Match`.",
        "schema": {"type": "string", "pattern": '^"[!#-~]*"$'},
    },
    "Link": {
        "description": 'The next part, as `<address>; rel="next"` (RFC 8288); without it this was the last.',
        "schema": {"type": "string"},
    },
    "Retry-After": {
        "description": "In how many seconds to come back.",
        "schema": {"type": "integer", "minimum": 1},
    },
    "RateLimit": {
        "description": 'What the key may still ask for: `"key";r=…;t=…`, `r` requests now, more in `t` seconds.',
        "schema": {"type": "string", "pattern": '^"key";r=[0-9]+;t=[0-9]+$'},
    },
    "RateLimit-Policy": {
        "description": 'What the key may ask for: `"key";q=…;w=…`, `q` requests at once, all anew in `w` seconds.',
        "schema": {"type": "string", "pattern": '^"key";q=[0-9]+;w=[0-9]+$'},
    },
    "Idempotent-Replayed": {
        "description": "`true`: this is the answer that was given before; nothing was done now.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "WWW-Authenticate": {"description": "What to send: a bearer key.", "schema": {"type": "string"}},
}
"""How each header of an answer is described."""
_ALWAYS: Final = frozenset({"ETag", "RateLimit", "RateLimit-Policy", "WWW-Authenticate"})
"""Those that an answer has which may have them; the others depend."""

_METHODS: Final = ("get", "put", "post", "patch", "delete")


def describe(schema: dict[str, Any]) -> None:
    """Complete the framework's document in place."""
    schema["info"]["description"] = DESCRIPTION
    schema["servers"] = [{"url": "/", "description": "where this document was read"}]
    tags: dict[str, str] = {}
    for name in _NEVER_ANSWERED:
        schema["components"]["schemas"].pop(name, None)
    for path, methods in schema["paths"].items():
        editable = any(_parameter(found, IF_MATCH) for found in methods.values())
        for method, found in _operations(methods):
            tags.setdefault(found["tags"][0], found.pop(ABOUT))
            _say_who_may(found)
            _describe_parameters(path, found)
            _describe_body(found)
            if kept := _parameter(found, IF_NONE_MATCH) is not None:
                found["responses"]["304"] = {"description": "What you have still holds."}
            _describe_types(found)
            _describe_headers(found, versioned=kept or (editable and method != "delete"))
    schema["tags"] = [{"name": name, "description": about} for name, about in tags.items()]


def _operations(methods: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((method, methods[method]) for method in _METHODS if method in methods)


def _say_who_may(operation: dict[str, Any]) -> None:
    said = [operation.get("description") or operation["summary"]]
    said.append(f"Needs a key with the role {role}." if (role := operation.get(ROLE)) else "Needs no key.")
    if operation.get(SHOWN_ONCE):
        said.append("Under an `Idempotency-Key` it is carried out once, but its answer is not kept.")
    operation["description"] = "\n\n".join(said)


# --- what goes in ------------------------------------------------------------------------------------------------


def _describe_parameters(path: str, operation: dict[str, Any]) -> None:
    parameters: list[dict[str, Any]] = operation.setdefault("parameters", [])
    if operation.get(CREATES):
        parameters.append(dict(PARAMETER))
    for parameter in parameters:
        if parameter["name"] == IF_MATCH and str(int(HTTPStatus.PRECONDITION_REQUIRED)) in operation["responses"]:
            parameter["required"] = True  # its absence is 428, and so no fault of the route's own parameters
        schema = parameter["schema"] = _without_null(parameter["schema"])
        if not parameter.get("description"):
            parameter["description"] = _about(parameter, schema)
        schema.pop("description", None)
    parameters.sort(key=lambda parameter: (parameter["in"] != "path", path.find(f"{{{parameter['name']}}}")))


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """No parameter can be null: it is there or not."""
    if "anyOf" not in schema:
        return schema
    kinds = [kind for kind in schema["anyOf"] if kind != {"type": "null"}]
    others = {name: value for name, value in schema.items() if name not in {"anyOf", "default"} or value is False}
    return {**others, **kinds[0]} if len(kinds) == 1 else {**others, "anyOf": kinds}


def _about(parameter: dict[str, Any], schema: dict[str, Any]) -> str:
    name = str(parameter["name"])
    what = name.removesuffix("_id").replace("_", " ")
    if parameter["in"] == "path":
        return f"id of the {what}"
    if schema.get("format") == "uuid":
        return f"only what belongs to this {what}"
    return f"only what has this {what}"


def _describe_body(operation: dict[str, Any]) -> None:
    if media := operation.get(MEDIA):
        examples = SHEETS.get(operation["operationId"], {})
        content: dict[str, Any] = {name: {"schema": {"type": "string"}} for name in media}
        for name in examples.keys() & content.keys():
            content[name]["example"] = examples[name]
        operation["requestBody"] = {"required": True, "description": "The list, in UTF-8.", "content": content}
    elif example := EXAMPLES.get(operation["operationId"]):
        operation["requestBody"]["content"]["application/json"]["example"] = json.loads(json.dumps(example))


def _parameter(operation: dict[str, Any], name: str) -> dict[str, Any] | None:
    return next((one for one in operation.get("parameters", ()) if one["name"].lower() == name), None)


# --- what comes out ----------------------------------------------------------------------------------------------


def _describe_types(operation: dict[str, Any]) -> None:
    """What is answered as text is said to be text; the framework takes all for JSON."""
    types = operation.pop(ANSWERED_AS, ())
    for answer in operation["responses"].values():
        content = answer.get("content", {})
        if types and APPLICATION_JSON in content:
            said = content.pop(APPLICATION_JSON)["schema"]
            objects = [kind for kind in said.get("anyOf", [said]) if kind.get("type") != "string"]
            json_schema = objects[0] if objects else {"type": "object"}
            for name in types:
                content[name] = {"schema": json_schema if name.endswith("json") else {"type": "string"}}


def _describe_headers(operation: dict[str, Any], *, versioned: bool) -> None:
    for status, answer in operation["responses"].items():
        names = set(answer.get("headers", ()))
        succeeds = int(status) < HTTPStatus.BAD_REQUEST
        if ROLE in operation and int(status) != HTTPStatus.UNAUTHORIZED:
            names |= {"RateLimit", "RateLimit-Policy"}
        if succeeds and versioned:
            names.add("ETag")
        if operation.get(CREATES) and succeeds and not operation.get(SHOWN_ONCE):
            names.add("Idempotent-Replayed")
        names |= _OF_STATUS.get(int(status), frozenset())
        if operation.get(CREATES) and int(status) == HTTPStatus.CONFLICT:
            names.add("Retry-After")
        # A path that no id fits is not there before anybody asks who wants it; without the database nobody can ask.
        unasked = int(status) in {HTTPStatus.NOT_FOUND, HTTPStatus.SERVICE_UNAVAILABLE}
        certain = frozenset[str]() if unasked else _ALWAYS
        always = certain | (frozenset({"Retry-After"}) if int(status) != HTTPStatus.CONFLICT else frozenset[str]())
        answer["headers"] = {name: {**HEADERS[name], "required": name in always} for name in sorted(names)}
        if answer.get("content") == {}:
            del answer["content"]
        if not succeeds and CONTENT_TYPE in answer.get("content", {}):
            answer["content"][CONTENT_TYPE].setdefault("example", _problem(int(status)))


_OF_STATUS: Final[Mapping[int, frozenset[str]]] = {
    HTTPStatus.UNAUTHORIZED: frozenset({"WWW-Authenticate"}),
    HTTPStatus.TOO_MANY_REQUESTS: frozenset({"Retry-After"}),
    HTTPStatus.SERVICE_UNAVAILABLE: frozenset({"Retry-After"}),
}


def _problem(status: int) -> dict[str, object]:
    return {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status}
