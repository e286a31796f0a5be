"""JSON from outside, as far as it can be kept: what Postgres cannot store as jsonb is refused here."""

from __future__ import annotations

import re
from base64 import b64decode
from typing import Final, TypeVar, cast

from pydantic import BaseModel, JsonValue, ValidationError
from pydantic_core import from_json

from cadenza.core.errors import FieldProblem, InvalidInput
from cadenza.core.problems import field_problems

M = TypeVar("M", bound=BaseModel)

_ESCAPED_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


def json_value(raw: bytes, expected: str) -> JsonValue:
    """Any JSON. ``expected`` says in the error what it should have been.

    Raises:
        InvalidInput: Not JSON, or it holds NaN or U+0000: either would fail a whole batch in the database later.
    """
    try:
        value = from_json(raw, allow_inf_nan=False)
    except ValueError as error:
        raise InvalidInput("the body is not JSON", (FieldProblem("", str(error)),)) from None
    if _ESCAPED_NUL.search(raw):
        raise InvalidInput(expected, (FieldProblem("", "must not contain U+0000"),))
    return cast("JsonValue", value)


def json_object(raw: bytes, expected: str) -> dict[str, JsonValue]:
    """A JSON object.

    Raises:
        InvalidInput: As `json_value`, or it is another kind of JSON.
    """
    value = json_value(raw, expected)
    if not isinstance(value, dict):
        raise InvalidInput(expected, (FieldProblem("", "must be an object"),))
    return value


def read(model: type[M], payload: object, expected: str) -> M:
    """``payload`` as a ``model``.

    Raises:
        InvalidInput: It is not of that shape; the problems point at the fields.
    """
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        raise InvalidInput(expected, field_problems(error)) from None


def decoded(text: str, pointer: str, expected: str) -> bytes:
    """What ``text`` holds in base64, in one line or many.

    Raises:
        InvalidInput: It is not base64.
    """
    try:
        return b64decode("".join(text.split()), validate=True)
    except ValueError:
        raise InvalidInput(expected, (FieldProblem(pointer, "must be a whole mail (RFC 5322) in base64"),)) from None
