"""The API's document, read: each operation with its concept, its name there, and what it takes and answers."""

from __future__ import annotations

import json
import keyword
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, cast

from cadenza.api.app import build, document
from cadenza.api.desk import Office
from cadenza.api.routing import CREATES, MEDIA

Schema = Mapping[str, Any]

JSON: Final = "application/json"
_OWN_WAYS: Final = frozenset({"authorization", "idempotency-key", "if-none-match"})
"""Headers that the transport sees to, or that are for caches."""
_OF_ITSELF: Final = frozenset({"docs", "me", "openapi.json"})
"""What the API says of itself and of the caller, all of it in one place."""
_DANGEROUS: Final = frozenset({"cancel", "discard", "erase", "purge", "remove", "revoke"})


@dataclass(frozen=True)
class Parameter:
    """One of the path, the query or the headers. ``python`` is its name in code."""

    name: str
    place: str
    schema: Schema
    required: bool
    description: str

    @property
    def python(self) -> str:
        """Its name in code."""
        return identifier(self.name)


@dataclass(frozen=True)
class Operation:
    """One operation. ``concept`` and ``verb`` name it: ``client.<concept>.<verb>``, ``cadenza <concept> <verb>``.

    ``body``: the schema of its JSON body. ``media``: the types of a body that is no JSON object. ``answer``: the schema
    of its answer of success, None if that is empty.
    """

    id: str
    concept: str
    verb: str
    method: str
    path: str
    summary: str
    parameters: tuple[Parameter, ...]
    body: Schema | None
    media: tuple[str, ...]
    creates: bool
    answer: Schema | None

    def of(self, place: str) -> list[Parameter]:
        """Its parameters of ``path``, ``query`` or ``header``."""
        return [each for each in self.parameters if each.place == place]

    @property
    def template(self) -> str:
        """Its path with ``{}`` where the ids go."""
        return re.sub(r"\{\w+\}", "{}", self.path)

    @property
    def dangerous(self) -> bool:
        """Whether people are asked before it is done."""
        return self.method == "DELETE" or self.verb.partition("_")[0] in _DANGEROUS


@dataclass(frozen=True)
class Described:
    """All operations, by concept and verb, and the schemas that they name."""

    operations: tuple[Operation, ...]
    schemas: Mapping[str, Schema]

    def resolve(self, schema: Schema) -> Schema:
        """The schema itself, if this is a reference."""
        return self.schemas[reference(schema)] if "$ref" in schema else schema

    def concepts(self) -> dict[str, list[Operation]]:
        """The operations of each concept."""
        found: dict[str, list[Operation]] = {}
        for operation in self.operations:
            found.setdefault(operation.concept, []).append(operation)
        return found

    def named_by(self, schema: Schema) -> Iterator[str]:
        """The names of all schemas that this one is made of."""
        seen: set[str] = set()
        waiting: list[object] = [schema]
        while waiting:
            found = waiting.pop()
            if isinstance(found, list):
                waiting.extend(cast("list[object]", found))
            elif isinstance(found, Mapping):
                inner = cast("Schema", found)
                waiting.extend(inner.values())
                name = reference(inner) if isinstance(inner.get("$ref"), str) else ""
                if name and name not in seen:
                    seen.add(name)
                    waiting.append(self.schemas[name])
                    yield name


def described() -> Described:
    """The API as it describes itself."""
    return read(json.loads(document(build(cast("Office", None)))))


def read(source: Mapping[str, Any]) -> Described:
    """The document's operations."""
    found = [
        _operation(path, method, each) for path, methods in source["paths"].items() for method, each in methods.items()
    ]
    named = sorted(_told_apart(found), key=lambda each: (each.concept, each.verb))
    return Described(tuple(named), source["components"]["schemas"])


def reference(schema: Schema) -> str:
    """The name that a ``$ref`` leads to."""
    return str(schema["$ref"]).rpartition("/")[2]


def identifier(name: str) -> str:
    """A name as Python takes it."""
    plain = re.sub(r"\W", "_", name).lower()
    return f"{plain}_" if keyword.iskeyword(plain) else plain


def singular(concept: str) -> str:
    """One of them: ``lead_batches`` → ``lead_batch``."""
    for ending, one in (("ies", "y"), ("ches", "ch"), ("sses", "ss"), ("ss", "ss"), ("us", "us"), ("s", "")):
        if concept.endswith(ending):
            return concept.removesuffix(ending) + one
    return concept


def _operation(path: str, method: str, source: Mapping[str, Any]) -> Operation:
    content = cast("Mapping[str, Any]", source.get("requestBody", {}).get("content", {}))
    media = tuple(source.get(MEDIA, ())) or tuple(each for each in content if each != JSON)
    parameters = (
        Parameter(
            each["name"], each["in"], each["schema"], bool(each.get("required", False)), each.get("description", "")
        )
        for each in source.get("parameters", ())
    )
    kept = tuple(each for each in parameters if each.name.lower() not in _OWN_WAYS)
    concept = _concept(path)
    return Operation(
        id=source["operationId"],
        concept=concept,
        verb=_verb(source["operationId"], concept),
        method=method.upper(),
        path=path,
        summary=source["summary"],
        parameters=tuple(sorted(kept, key=lambda each: path.find(f"{{{each.name}}}"))),
        body=None if media or JSON not in content else content[JSON]["schema"],
        media=media,
        creates=bool(source.get(CREATES, False)),
        answer=_answer(source["responses"]),
    )


def _answer(responses: Mapping[str, Any]) -> Schema | None:
    success = min(status for status in responses if status.startswith("2"))
    content = cast("Mapping[str, Any]", responses[success].get("content", {}))
    schemas = [each.get("schema", {}) for each in content.values()]
    if JSON in content and content[JSON].get("schema", {}).get("type") == "string":
        return {"type": "object"}  # a route that makes its answer itself answers a JSON document
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas} if schemas else None


def _concept(path: str) -> str:
    """What an operation is about: the first part of its path."""
    parts = path.strip("/").split("/")
    if parts[0] != "v1" or parts[1] in _OF_ITSELF:
        return "about"
    return identifier(parts[1])


def _verb(operation_id: str, concept: str) -> str:
    """An operation's name among those of its concept: its id without the concept's own."""
    for noun in (concept, singular(concept)):
        rest = re.sub(rf"(?:^|_){noun}(?=_|$)", "", operation_id, count=1).strip("_")
        if rest and rest != operation_id:
            return rest
    return operation_id


def _told_apart(found: list[Operation]) -> Iterator[Operation]:
    """Where two would have one name, those about one thing keep it, and the others their whole id."""
    names = Counter((each.concept, each.verb) for each in found)
    about_one = Counter((each.concept, each.verb) for each in found if each.of("path"))
    for each in found:
        name = (each.concept, each.verb)
        keeps = names[name] == 1 or (about_one[name] == 1 and each.of("path"))
        yield each if keeps else replace(each, verb=each.id)
