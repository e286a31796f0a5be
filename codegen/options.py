"""The command's operations: for each, its place in the API and an option for each thing that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, cast

from codegen.classes import HEADER
from codegen.document import Described, Operation, Parameter, Schema, reference, singular

_KINDS: Final = {"string": "text", "integer": "integer", "number": "number", "boolean": "flag"}
_DEPTH: Final = 2
"""Fields of an object in the body have options of their own (``--brief.offering``); what is deeper comes as JSON."""


def group_name(concept: str) -> str:
    """What a concept is called in the command."""
    return singular(concept).replace("_", "-")


def groups(described: Described) -> str:
    """The module that names the groups."""
    lines = [
        HEADER,
        '"""The groups of the command: the concept of each, and what can be done in it."""',
        "from __future__ import annotations\n",
        "from collections.abc import Mapping",
        "from types import MappingProxyType",
        "from typing import Final\n",
        "GROUPS: Final[Mapping[str, tuple[str, tuple[str, ...]]]] = MappingProxyType({",
    ]
    for name, operations in described.concepts().items():
        verbs = tuple(each.verb.replace("_", "-") for each in operations)
        lines.append(f"    {group_name(name)!r}: ({name!r}, {verbs!r}),")
    return "\n".join([*lines, "})"])


def operations(described: Described, name: str, found: list[Operation]) -> str:
    """The module of one concept's operations."""
    lines = [
        HEADER,
        f'"""The operations of `cadenza {group_name(name)}`."""',
        "from __future__ import annotations\n",
        "from typing import Final\n",
        "from cadenza.client.operation import Operation, Option\n",
        "OPERATIONS: Final = (",
    ]
    lines.extend(f"    {_operation(described, each)}," for each in found)
    return "\n".join([*lines, ")"])


def _operation(described: Described, operation: Operation) -> str:
    options = [
        _option(described, (each.name,), each.schema, each.place, each.description, required=_is_wanted(each))
        for each in (*operation.of("query"), *operation.of("header"))
    ]
    if operation.body is not None:
        options += _fields(described, (), operation.body)
    shown = {
        "verb": operation.verb.replace("_", "-"),
        "method": operation.method,
        "path": operation.template,
        "summary": operation.summary,
        "ids": tuple(each.name for each in operation.of("path")),
        "media": operation.media,
    }
    written = [f"{name}={value!r}" for name, value in shown.items() if value]
    if options:
        written.append(f"options=({', '.join(options)},)")
    flags = {"has_body": operation.body is not None, "creates": operation.creates, "dangerous": operation.dangerous}
    written += [f"{name}=True" for name, value in flags.items() if value]
    return f"Operation({', '.join(written)})"


def _is_wanted(parameter: Parameter) -> bool:
    """Whether one has to give it: a version is often read by the command itself (`cadenza.client.run`)."""
    return parameter.required and parameter.place == "query"


def _fields(described: Described, above: tuple[str, ...], schema: Schema) -> Iterator[str]:
    """The options for the fields of an object, and for those of objects in it."""
    whole = described.resolve(schema)
    required = set(whole.get("required", ()))
    for name, value in cast("dict[str, Schema]", whole.get("properties", {})).items():
        if value.get("readOnly"):
            continue
        is_required = name in required and not above
        help_text = value.get("description", "")
        yield _option(described, (*above, name), value, "body", help_text, required=is_required)
        inner = _simple(described, value)[0]
        if "properties" in inner and len(above) + 1 < _DEPTH:
            yield from _fields(described, (*above, name), inner)


def _option(
    described: Described, keys: tuple[str, ...], schema: Schema, place: str, help_text: str, *, required: bool
) -> str:
    inner, nullable = _simple(described, schema)
    many = inner.get("type") == "array"
    if many:
        inner = _simple(described, inner.get("items", {}))[0]
    choices = tuple(cast("list[Any]", inner.get("enum", [inner["const"]] if "const" in inner else [])))
    if not all(isinstance(each, str) for each in choices):
        choices = ()
    kind = "secret" if inner.get("format") == "password" else _KINDS.get(str(inner.get("type")), "json")
    if kind == "json" and place == "body":
        many = False
    hint = inner.get("format", "") if inner.get("format") in {"date-time", "date", "time", "uuid"} else ""
    written = [repr(keys), repr(place)]
    shown: dict[str, object] = {
        "kind": "" if kind == "text" else kind,
        "choices": choices,
        "many": many,
        "nullable": nullable and place == "body",
        "required": required,
        "form": hint,
        "help": help_text.partition("\n")[0],
    }
    written += [f"{name}={value!r}" for name, value in shown.items() if value]
    return f"Option({', '.join(written)})"


def _simple(described: Described, schema: Schema) -> tuple[Schema, bool]:
    """What a schema comes down to, and whether it may be null: one alternative, or none if there are several."""
    nullable = False
    while True:
        if "$ref" in schema:
            name = reference(schema)
            schema = described.schemas[name]
        elif several := next((schema[each] for each in ("anyOf", "oneOf", "allOf") if each in schema), None):
            real = [each for each in several if each.get("type") != "null"]
            nullable = nullable or len(real) < len(several)
            if len(real) != 1:
                texts = all(each.get("type", "string") == "string" and "$ref" not in each for each in real)
                return {"type": "string"} if texts else {}, nullable
            schema = real[0]
        else:
            return schema, nullable
