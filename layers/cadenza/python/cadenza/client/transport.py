"""One request to the API and its answer: the key, patience, and errors that say what is wrong."""

from __future__ import annotations

import json
import random
import ssl
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from datetime import time as time_of_day
from functools import cached_property
from http import HTTPStatus
from typing import Final, Protocol, cast
from urllib.parse import quote
from uuid import UUID, uuid4

import httpx2

from cadenza.client.errors import ApiError, Problem, UnexpectedAnswer, Unreachable, refusal

DEFAULT_TIMEOUT_S: Final = 35.0
"""A little longer than the gateway waits for the function (30 s)."""
_REPEATABLE: Final = frozenset({"GET", "PUT", "DELETE"})
"""Methods that may be carried out twice (RFC 9110, section 9.2.2)."""
_REFUSED_BEFOREHAND: Final = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
_GATEWAY: Final = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.GATEWAY_TIMEOUT})
"""Of these nobody knows whether the request was carried out."""


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try: ``tries`` in all, ``first_s`` × 2ⁿ seconds apart with full jitter, ``longest_s`` at most.

    A ``Retry-After`` is kept to; one of more than ``longest_s`` ends the tries.
    """

    tries: int = 5
    first_s: float = 0.5
    longest_s: float = 30.0

    def pause_s(self, tried: int, wanted_s: float | None) -> float | None:
        """How long to wait after ``tried`` tries; None: no longer."""
        if tried >= self.tries or (wanted_s is not None and wanted_s > self.longest_s):
            return None
        jitter_s = random.uniform(0, min(self.longest_s, self.first_s * 2 ** (tried - 1)))  # noqa: S311 - no secret
        return jitter_s if wanted_s is None else wanted_s + min(jitter_s, 1.0)


@dataclass(frozen=True, slots=True)
class Text:
    """A body that is no JSON object, and its type (such as ``text/csv``)."""

    content: str | bytes
    media_type: str


@dataclass(frozen=True, slots=True)
class Call:
    """One request. ``creates``: it takes an Idempotency-Key, which is made if ``headers`` has none."""

    method: str
    path: str
    query: Mapping[str, object]
    headers: Mapping[str, str | None]
    body: Mapping[str, object] | Text | None = None
    creates: bool = False

    @property
    def repeatable(self) -> bool:
        """Whether it does no harm to ask again without knowing what became of it.

        What has a condition is not: carried out, it would be answered as if somebody else had been faster.
        """
        return self.creates or (self.method in _REPEATABLE and self.headers.get("if-match") is None)


class Reply:
    """An answer of success."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = response.headers
        self.text = response.text

    @cached_property
    def content(self) -> object:
        """What it says: JSON as Python's values, any other text as it is, None if there is nothing."""
        if not self.text:
            return None
        if "json" not in self.headers.get("content-type", "").partition(";")[0]:
            return self.text
        try:
            return cast("object", json.loads(self.text))
        except ValueError as error:
            raise UnexpectedAnswer(f"an answer that says it is JSON is not: {error}") from error


class Transport(Protocol):
    """Whoever carries a call to the API."""

    def send(self, call: Call) -> Reply:
        """The answer.

        Raises:
            ApiError: The API has refused.
            Unreachable: It was not reached.
        """
        ...


class HttpTransport:
    """The API at a URL, with an API key."""

    def __init__(
        self,
        url: str,
        api_key: str,
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        patience: Patience | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        # What is on this machine is asked in the clear, and need not wait for the certificates to be read (30 ms).
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) if url.startswith("http://") else True
        self._http = httpx2.Client(base_url=url.rstrip("/"), headers=headers, timeout=timeout_s, verify=verify)
        self._patience = patience or Patience()
        self._sleep = sleep

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, call: Call) -> Reply:
        """The answer; what may be asked again is, for as long as patience lasts.

        Raises:
            ApiError: The API has refused.
            Unreachable: It was not reached, or its answer was not.
        """
        request = self._request(call)
        tried = 0
        while True:
            tried += 1
            try:
                response = self._http.send(request)
            except httpx2.TransportError as error:
                failure: ApiError | Unreachable = Unreachable(f"cannot reach {request.url}: {error or type(error)}")
                again = call.repeatable or isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
            else:
                if response.is_success:
                    return Reply(response)
                failure = _refusal(response)
                again = _worth_another(call, failure)
            wanted_s = failure.retry_after_s if isinstance(failure, ApiError) else None
            pause_s = self._patience.pause_s(tried, wanted_s) if again else None
            if pause_s is None:
                raise failure
            self._sleep(pause_s)

    def _request(self, call: Call) -> httpx2.Request:
        headers = {name: value for name, value in call.headers.items() if value is not None}
        if call.creates:
            headers.setdefault("idempotency-key", f'"{uuid4()}"')
        content: str | bytes | None = None
        if isinstance(call.body, Text):
            headers["content-type"] = call.body.media_type
            content = call.body.content
        elif call.body is not None:
            headers["content-type"] = "application/json"
            content = json.dumps(call.body, default=_plain)
        query = {name: _query_value(value) for name, value in call.query.items() if value is not None}
        try:
            return self._http.build_request(call.method, call.path, params=query, headers=headers, content=content)
        except httpx2.InvalidURL as error:
            raise Unreachable(f"no such URL: {error}") from error


def path(template: str, *ids: object) -> str:
    """A path with its ids (``{}``) filled in, escaped."""
    return template.format(*(quote(_plain(each), safe="") for each in ids))


def _refusal(response: httpx2.Response) -> ApiError:
    try:
        told: object = json.loads(response.text)
    except ValueError:
        told = None
    after = response.headers.get("retry-after", "")
    return refusal(Problem.read(response.status_code, told), float(after) if after.isdecimal() else None)


def _worth_another(call: Call, refused: ApiError) -> bool:
    if refused.status in _REFUSED_BEFOREHAND:
        return True
    if refused.status == HTTPStatus.CONFLICT:  # with Retry-After: a request with this Idempotency-Key is under way
        return call.creates and refused.retry_after_s is not None
    return refused.status in _GATEWAY and call.repeatable


def _query_value(value: object) -> str | list[str]:
    return [_plain(each) for each in cast("list[object]", value)] if isinstance(value, list | tuple) else _plain(value)


def _plain(value: object) -> str:
    """Ids, instants and days as the API writes them."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return str(value)
        case UUID() | int() | float():
            return str(value)
        case datetime() | date() | time_of_day():
            return value.isoformat()
        case _:
            raise TypeError(f"{type(value).__name__} is nothing that JSON knows")
