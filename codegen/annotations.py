"""Schemas as Python's types: what is answered is exact, what is taken is lenient."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

from codegen.document import Described, Schema, reference

_ANSWERED: Final = {"uuid": "UUID", "date-time": "dt.datetime", "date": "dt.date", "time": "dt.time"}
_TAKEN: Final = {"uuid": "Id", "date-time": "Instant", "date": "Day", "time": "TimeOfDay"}
_SCALARS: Final = {"integer": "int", "number": "float", "boolean": "bool", "null": "None"}


@dataclass(frozen=True)
class Notation:
    """How types are written in one module. ``taken``: of what is sent.

    ``home`` is put before the names of classes, ``words`` before those of closed sets.
    """

    described: Described
    taken: bool
    home: str = ""
    words: str = ""

    def of(self, schema: Schema) -> str:
        """The type of a schema's values."""
        if "$ref" in schema:
            return self.named(reference(schema))
        for several in ("anyOf", "oneOf", "allOf"):
            if several in schema:
                return _union([self.of(each) for each in schema[several]])
        if "const" in schema or "enum" in schema:
            return literal(schema)
        kind = schema.get("type")
        if isinstance(kind, list):
            return " | ".join(self.of({**schema, "type": each}) for each in cast("list[str]", kind))
        if kind == "string":
            return self._text(schema.get("format", ""))
        if kind == "array":
            return self._array(schema)
        if kind == "object":
            return self._mapping(schema)
        return _SCALARS.get(str(kind), "object" if self.taken else "JsonValue")

    def named(self, name: str) -> str:
        """The type of a schema with a name."""
        schema = self.described.schemas[name]
        if paged := re.fullmatch(r"Page_(\w+)_", name):
            return f"Page[{self.named(paged[1])}]"
        if "enum" in schema:
            return f"{self.words}{class_name(name)}"
        if "properties" in schema:
            return f"{self.home}{class_name(name)}"
        return self.of(schema)

    def _text(self, form: str) -> str:
        if not self.taken:
            return _ANSWERED.get(form, "str")
        return f"{self.words}{_TAKEN[form]}" if form in _TAKEN else "str"

    def _array(self, schema: Schema) -> str:
        if fixed := schema.get("prefixItems"):
            return f"tuple[{', '.join(self.of(each) for each in fixed)}]"
        item = self.of(schema.get("items", {}))
        return f"Sequence[{item}]" if self.taken else f"tuple[{item}, ...]"

    def _mapping(self, schema: Schema) -> str:
        values: object = schema.get("additionalProperties")
        kept: Schema = cast("Schema", values) if isinstance(values, Mapping) else {}
        names: Schema = schema.get("propertyNames", {"type": "string"})
        key = self.of(names)
        return f"{'Mapping' if self.taken else 'dict'}[{key}, {self.of(kept)}]"


def _union(types: list[str]) -> str:
    """Any of them; where any text is, no literal needs to be named."""
    return " | ".join(each for each in dict.fromkeys(types) if "str" not in types or not each.startswith("Literal['"))


def class_name(name: str) -> str:
    """A schema's name as that of a class. Names that several modules have are told apart by the module."""
    *modules, last = name.split("__")
    if modules and modules[-1] in {"model", "models"}:
        modules.pop()
    prefix = modules[-1].title().replace("_", "") if modules else ""
    return prefix + re.sub(r"\W+|_(?=[A-Z]|$)", "", last)


def literal(schema: Schema) -> str:
    """The type that has these values only."""
    values: list[Any] = [schema["const"]] if "const" in schema else schema["enum"]
    return f"Literal[{', '.join(repr(value) for value in values)}]"
