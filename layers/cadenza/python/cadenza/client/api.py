"""Where the generated methods meet the transport: what they bring, and how an answer becomes a typed value."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any, Generic, Protocol, TypeVar, cast

from pydantic import BaseModel, ConfigDict, PrivateAttr, TypeAdapter, ValidationError

from cadenza.client.errors import UnexpectedAnswer
from cadenza.client.transport import Call, Text, Transport, path

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Answer(BaseModel):
    """An answer. Fields that this version does not know are left out."""

    # Built at the first use: a program uses a few of them.
    model_config = ConfigDict(frozen=True, defer_build=True, protected_namespaces=())
    _etag: str | None = PrivateAttr(default=None)

    @property
    def etag(self) -> str | None:
        """The version that was read, for ``if_match``, where the API names one."""
        return self._etag

    def read_at(self, etag: str | None) -> None:
        """Note the version that was read."""
        self._etag = etag


class Page(Answer, Generic[T]):
    """Some of a list, newest first. ``next_cursor`` is None on the last page."""

    items: tuple[T, ...]
    next_cursor: str | None


class PageLike(Protocol[T_co]):
    """A page, whatever else it says."""

    @property
    def items(self) -> tuple[T_co, ...]:
        """What is on it."""
        ...


class Api:
    """What the methods of every concept call."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def ask(
        self,
        answer: type[T],
        method: str,
        template: str,
        *ids: object,
        query: Mapping[str, object] | None = None,
        body: Mapping[str, Any] | Text | None = None,
        headers: Mapping[str, str | None] | None = None,
        creates: bool = False,
    ) -> T:
        """Ask the API, and read the answer as an ``answer``.

        Raises:
            ApiError: The API has refused.
            Unreachable: It was not reached.
            UnexpectedAnswer: The answer is no ``answer``.
        """
        call = Call(method, path(template, *ids), query or {}, headers or {}, body, creates)
        reply = self._transport.send(call)
        try:
            read = _reader(answer).validate_python(reply.content)
        except ValidationError as error:
            raise UnexpectedAnswer(f"{method} {call.path}: {error}") from error
        versioned: object = read
        if isinstance(versioned, Answer):
            versioned.read_at(reply.headers.get("etag"))
        return read


@cache
def _reader(answer: Any) -> TypeAdapter[Any]:  # noqa: ANN401 - a cache forgets what types belong together
    return TypeAdapter(answer)


def follow(page_at: Callable[[Any], PageLike[T]], cursor: str = "next_cursor") -> Iterator[T]:
    """Everything of a list, page by page: ``page_at`` is asked for the first with None."""
    at: object = None
    while True:
        page = page_at(at)
        yield from page.items
        at = cast("object", getattr(page, cursor))
        if at is None:
            return
