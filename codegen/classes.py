"""The modules of types: what is answered (models), what is taken (typed dicts), and closed sets of words."""

from __future__ import annotations

import json
import keyword
import re
import textwrap
from collections.abc import Iterator
from typing import Final

from pydantic import BaseModel

from codegen.annotations import Notation, class_name, literal
from codegen.document import Described, Schema

WIDTH: Final = 120
HEADER: Final = "# Made by `make client` from the API's document: change the routes and models there.\n"
_IMPORTS: Final = "from __future__ import annotations\n"


def kinds(described: Described) -> str:
    """The module of the closed sets."""
    lines = [
        HEADER,
        '"""Words and values that the API takes and answers."""',
        _IMPORTS,
        "from datetime import date, datetime, time",
        "from typing import Literal",
        "from uuid import UUID\n",
        "Id = UUID | str",
        "Instant = datetime | str",
        '"""Aware, or in RFC 3339."""',
        "Day = date | str",
        "TimeOfDay = time | str",
        "",
    ]
    for name, schema in sorted(described.schemas.items(), key=lambda each: class_name(each[0])):
        if "enum" in schema:
            lines.append(f"{class_name(name)} = {literal(schema)}")
            lines.extend(docstring(schema.get("description", ""), 0))
    return "\n".join(lines)


def answers(described: Described) -> str:
    """The module of what is answered."""
    names = {name for each in described.operations if each.answer for name in described.named_by(each.answer)}
    notation = Notation(described, taken=False)
    lines = [
        HEADER,
        '"""What the API answers."""',
        _IMPORTS,
        "import datetime as dt",
        "from typing import Literal",
        "from uuid import UUID\n",
        "from pydantic import Field, JsonValue\n",
        "from cadenza.client.api import Answer, Page",
        *_words(described),
    ]
    for name in _classes(described, names):
        schema = described.schemas[name]
        lines += [f"class {class_name(name)}(Answer):", *docstring(schema.get("description", "") or _title(name), 4)]
        required = set(schema.get("required", ()))
        for field, value in schema["properties"].items():
            lines.append(f"    {_answered(notation, field, value, is_required=field in required)}")
            lines.extend(docstring(value.get("description", ""), 4))
        lines.append("")
    return "\n".join(lines)


def bodies(described: Described) -> str:
    """The module of what is taken. Fields that may be left out are not required; null is a value of its own."""
    names = {name for each in described.operations if each.body for name in described.named_by(each.body)}
    notation = Notation(described, taken=True)
    lines = [
        HEADER,
        '"""What the API takes: the keywords of the client\'s methods, and what is nested in them."""',
        _IMPORTS,
        "from collections.abc import Mapping, Sequence",
        "from typing import Literal, Required, TypedDict\n",
        *_words(described, "Day", "Id", "Instant", "TimeOfDay"),
    ]
    for name in _classes(described, names):
        schema = described.schemas[name]
        fields = {field: value for field, value in schema["properties"].items() if not value.get("readOnly")}
        required = set(schema.get("required", ()))
        types = {
            field: f"Required[{notation.of(value)}]" if field in required else notation.of(value)
            for field, value in fields.items()
        }
        if any(keyword.iskeyword(field) or not field.isidentifier() for field in fields):
            told = ", ".join(f"{json.dumps(field)}: {json.dumps(type_)}" for field, type_ in types.items())
            lines.append(f'{class_name(name)} = TypedDict("{class_name(name)}", {{{told}}}, total=False)')
            continue
        lines += [
            f"class {class_name(name)}(TypedDict, total=False):",
            *docstring(schema.get("description", "") or _title(name), 4),
        ]
        for field, value in fields.items():
            lines.append(f"    {field}: {types[field]}")
            lines.extend(docstring(value.get("description", ""), 4))
        lines.append("")
    return "\n".join(lines)


def docstring(text: str, indent: int, more: tuple[str, ...] = ()) -> Iterator[str]:
    """The lines of a docstring, in bounds. ``more`` are lines that follow a blank one, as they are."""
    if not text.strip():
        return
    margin = " " * indent
    text = text.strip().replace("\\", "\\\\").replace('"""', "'''")
    text = text[0].upper() + text[1:] + ("" if text[-1] in ".!?:`" else ".")
    summary, _, rest = text.partition("\n")
    lines = [*textwrap.wrap(summary, WIDTH - indent - 6)]
    for paragraph in re.split(r"\n\s*\n", rest.strip()) if rest.strip() else ():
        lines += ["", *textwrap.wrap(" ".join(paragraph.split()), WIDTH - indent)]
    if more:
        lines += ["", *more]
    yield f'{margin}"""{lines[0]}' + ('"""' if len(lines) == 1 else "")
    for line in lines[1:]:
        yield f"{margin}{line}" if line else ""
    if len(lines) > 1:
        yield f'{margin}"""'


def _words(described: Described, *more: str) -> Iterator[str]:
    """The import of the closed sets, name by name: a field may well be called ``kinds``."""
    names = [*more, *(class_name(name) for name, schema in described.schemas.items() if "enum" in schema)]
    if names:
        yield f"from cadenza.client.kinds import {', '.join(sorted(names))}\n"


def _classes(described: Described, names: set[str]) -> list[str]:
    """Those that are classes of their own, by name."""
    own = (name for name in names if "properties" in described.schemas[name] and not name.startswith("Page_"))
    return sorted(own, key=class_name)


def _answered(notation: Notation, field: str, schema: Schema, *, is_required: bool) -> str:
    annotation = notation.of(schema)
    default = ""
    match schema.get("default") if not is_required and "default" in schema else ...:
        case str() | int() | float() | None as value:
            default = repr(value)
        case []:
            default = "()"
        case _:
            if not is_required and "default" not in schema:
                annotation = annotation if annotation.endswith("None") else f"{annotation} | None"
                default = "None"
    if hasattr(BaseModel, field) or keyword.iskeyword(field) or not field.isidentifier() or field == "etag":
        alias = f"alias={json.dumps(field)}"
        name = re.sub(r"\W", "_", field).strip("_")
        return f"{name}_: {annotation} = Field({f'default={default}, ' if default else ''}{alias})"
    return f"{field}: {annotation}" + (f" = {default}" if default else "")


def _title(name: str) -> str:
    return " ".join(re.findall(r"[A-Z][a-z0-9]*", class_name(name))).capitalize()
