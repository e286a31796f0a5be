"""A value for every schema of the API's document, and the command's arguments that say the same."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from codegen.document import Described, Operation, Schema

TEXTS: Final = {
    "uuid": "0197a0de-0000-7000-8000-000000000007",
    "date-time": "2026-06-01T09:30:00Z",
    "date": "2026-06-01",
    "time": "09:30:00",
}
SCALARS: Final = {"integer": 3, "number": 1.5, "boolean": True, "null": None}


def sample(described: Described, schema: Schema, *, taken: bool = False) -> Any:
    """A value that the schema describes, with all of its fields; ``taken``: as it is sent."""
    plain, _ = _plain(described, schema)
    if "enum" in plain or "const" in plain:
        return plain["const"] if "const" in plain else plain["enum"][0]
    match plain.get("type"):
        case "string":
            return TEXTS.get(plain.get("format", ""), "some words")
        case "array":
            return [sample(described, plain["items"], taken=taken)]
        case "object" if "properties" in plain:
            fields = plain["properties"].items()
            return {
                name: sample(described, value, taken=taken)
                for name, value in fields
                if not (taken and value.get("readOnly"))
            }
        case "object":
            key = sample(described, plain.get("propertyNames", {"type": "string"}), taken=taken)
            values = plain.get("additionalProperties")
            return {key: sample(described, values if isinstance(values, Mapping) else {}, taken=taken)}
        case kind:
            return SCALARS.get(str(kind), "anything")


def arguments(
    described: Described, operation: Operation, body: Mapping[str, Any], query: Mapping[str, Any], secret: Path
) -> list[str]:
    """How the command is told all of this; ``secret`` is a file with what is no argument."""
    told = [*_options(query, "")]
    if operation.body is not None and not is_whole(described, operation):
        fields = described.resolve(operation.body)["properties"]
        for name, value in body.items():
            inner = _plain(described, fields[name])[0]
            told += _options(value, f"{name}.") if "properties" in inner else _options({name: value}, "")
    return [re.sub(r"^(--.*password)=.*", rf"\1=@{secret}", each) for each in told]


def is_whole(described: Described, operation: Operation) -> bool:
    """Whether its body is a document without fields of its own, and is given as a whole."""
    return operation.body is not None and "properties" not in described.resolve(operation.body)


def _options(values: Mapping[str, Any], prefix: str) -> Iterator[str]:
    for name, value in values.items():
        flag = f"--{prefix}{name}".replace("_", "-")
        for each in value if isinstance(value, list) and not isinstance(value[0], dict | list) else [value]:
            match each:
                case True:
                    yield flag
                case str():
                    yield f"{flag}={each if each != 'anything' else json.dumps(each)}"
                case _:
                    yield f"{flag}={json.dumps(each)}"


def _plain(described: Described, schema: Schema) -> tuple[Schema, bool]:
    """What a schema comes down to; of several alternatives the first that is not null."""
    nullable = False
    while True:
        if "$ref" in schema:
            schema = described.resolve(schema)
        elif several := next((schema[each] for each in ("anyOf", "oneOf", "allOf") if each in schema), None):
            real = [each for each in several if each.get("type") != "null"]
            nullable = nullable or len(real) < len(several)
            schema = real[0]
        else:
            return schema, nullable
