"""The client's methods: a class a concept, a method an operation, and an iterator for each list."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Iterator
from typing import Final

from codegen.annotations import Notation
from codegen.classes import HEADER, WIDTH, docstring
from codegen.document import Described, Operation, Parameter, reference

_PAGING: Final = frozenset({"limit", "cursor"})
_BODY: Final = "body"


def concept_class(concept: str) -> str:
    """The name of a concept's class."""
    return concept.title().replace("_", "")


def concept(described: Described, name: str, operations: list[Operation]) -> str:
    """The module of one concept."""
    lines = [
        HEADER,
        f'"""{_spoken(name)}."""',
        "from __future__ import annotations\n",
        "from collections.abc import Iterator, Mapping, Sequence",
        "from typing import Literal, Unpack, cast\n",
        "from cadenza.client import answers, bodies, kinds",
        "from cadenza.client.api import Api, Page, follow",
        "from cadenza.client.transport import Text\n",
        f"class {concept_class(name)}:",
        f'    """{_spoken(name)}."""\n',
        "    def __init__(self, api: Api) -> None:",
        "        self._api = api\n",
    ]
    for operation in operations:
        lines += [*_method(described, operation), ""]
        if _is_list(operation):
            lines += [*_iterator(described, operation), ""]
    return "\n".join(lines)


def concepts(described: Described) -> str:
    """The module that holds all concepts together."""
    names = list(described.concepts())
    lines = [
        HEADER,
        '"""All concepts of the API."""',
        "from __future__ import annotations\n",
        "from cadenza.client.api import Api",
        *(f"from cadenza.client.concepts.{name} import {concept_class(name)}" for name in names),
        "\n",
        "class Concepts:",
        '    """The API, by concept."""\n',
        "    def __init__(self, api: Api) -> None:",
        *(f"        self.{name} = {concept_class(name)}(api)" for name in names),
    ]
    return "\n".join(lines)


def _spoken(name: str) -> str:
    return f"Operations on {name.replace('_', ' ')}" if name != "about" else "What the API says of itself"


def _method(described: Described, operation: Operation) -> Iterator[str]:
    takes = Notation(described, taken=True, home="bodies.", words="kinds.")
    answer = (
        Notation(described, taken=False, home="answers.", words="kinds.").of(operation.answer)
        if operation.answer
        else "None"
    )
    answer = answer.replace("JsonValue", "object")  # what is a document of its own
    keywords = [_keyword(takes, each) for each in (*operation.of("query"), *operation.of("header"))]
    arguments = ["self", *(f"{each.python}: {takes.of(each.schema)}" for each in operation.of("path"))]
    if operation.media:
        arguments.append("content: str | bytes")
        keywords.append(f"media_type: {_media(operation)} = {json.dumps(operation.media[0])}")
    if operation.creates:
        keywords.append("idempotency_key: str | None = None")
    unpacked = _unpacked(described, operation)
    if operation.body is not None and not unpacked:
        arguments.append(f"{_BODY}: {takes.of(operation.body)}")
    if keywords:
        arguments += ["*", *keywords]
    if unpacked:
        arguments.append(f"**{_BODY}: Unpack[{takes.of(operation.body or {})}]")
    yield f"    def {_name(operation)}({', '.join(arguments)}) -> {answer}:"
    yield from docstring(operation.summary, 8, _told(operation))
    yield f"        return {_call(operation, answer)}"


def _call(operation: Operation, answer: str) -> str:
    given = [_asked_for(answer)]
    given += [json.dumps(operation.method), json.dumps(operation.template)]
    given += [each.python for each in operation.of("path")]
    if query := operation.of("query"):
        given.append(f"query={_dictionary(query)}")
    headers = [f"{json.dumps(each.name.lower())}: {each.python}" for each in operation.of("header")]
    if operation.creates:
        headers.append('"idempotency-key": idempotency_key')
    if headers:
        given.append(f"headers={{{', '.join(headers)}}}")
    if operation.media:
        given.append("body=Text(content, media_type)")
    elif operation.body is not None:
        given.append(f"body={_BODY}")
    if operation.creates:
        given.append("creates=True")
    return f"self._api.ask({', '.join(given)})"


def _asked_for(answer: str) -> str:
    if answer == "None":
        return "type(None)"
    return f'cast("type[{answer}]", {answer})' if " | " in answer else answer


def _iterator(described: Described, operation: Operation) -> Iterator[str]:
    takes = Notation(described, taken=True, home="bodies.", words="kinds.")
    name = reference(operation.answer or {})
    item = Notation(described, taken=False, home="answers.", words="kinds.").named(name[len("Page_") : -1])
    filters = [each for each in operation.of("query") if each.name not in _PAGING]
    ids = operation.of("path")
    arguments = ["self", *(f"{each.python}: {takes.of(each.schema)}" for each in ids)]
    if filters:
        arguments += ["*", *(_keyword(takes, each) for each in filters)]
    most = next((each.schema.get("maximum") for each in operation.of("query") if each.name == "limit"), None)
    passed = [each.python for each in ids] + [f"{each.python}={each.python}" for each in filters]
    passed += [f"limit={int(most)}"] if most else []
    yield f"    def {_name(operation)}_all({', '.join(arguments)}) -> Iterator[{item}]:"
    yield from docstring(f"Go through all pages of `{_name(operation)}`.", 8)
    yield f"        return follow(lambda cursor: self.{_name(operation)}({', '.join([*passed, 'cursor=cursor'])}))"


def _is_list(operation: Operation) -> bool:
    is_page = bool(operation.answer and "$ref" in operation.answer and reference(operation.answer).startswith("Page_"))
    return is_page and any(each.name == "cursor" for each in operation.of("query"))


def _unpacked(described: Described, operation: Operation) -> bool:
    """Whether the fields of the body are keywords of the method: unless one of them has the name of a parameter."""
    if operation.body is None or "$ref" not in operation.body:
        return False
    schema = described.resolve(operation.body)
    taken = {each.python for each in operation.parameters} | {"self", "idempotency_key"}
    return "properties" in schema and not taken & set(schema["properties"])


def _keyword(takes: Notation, parameter: Parameter) -> str:
    annotation = takes.of(parameter.schema)
    if parameter.required:
        return f"{parameter.python}: {annotation}"
    optional = annotation if re.search(r"\bNone$", annotation) else f"{annotation} | None"
    return f"{parameter.python}: {optional} = None"


def _told(operation: Operation) -> tuple[str, ...]:
    """The lines that explain what a method takes."""
    lines: list[str] = []
    described = [each for each in operation.parameters if each.description]
    for each in described:
        text = f"{each.python}: {each.description[0].upper()}{each.description[1:]}"
        text += "" if text.endswith(".") else "."
        lines += textwrap.wrap(text, WIDTH - 8, initial_indent=" " * 4, subsequent_indent=" " * 8)
    return ("Args:", *lines) if lines else ()


def _dictionary(parameters: list[Parameter]) -> str:
    return f"{{{', '.join(f'{json.dumps(each.name)}: {each.python}' for each in parameters)}}}"


def _media(operation: Operation) -> str:
    return f"Literal[{', '.join(json.dumps(each) for each in operation.media)}]"


def _name(operation: Operation) -> str:
    return f"{operation.verb}_" if operation.verb in {"import", "del", "return", "pass", "raise"} else operation.verb
