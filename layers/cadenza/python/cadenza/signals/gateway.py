"""HTTP as API Gateway's HTTP API hands it to a function and takes it back (payload format 2.0)."""

from __future__ import annotations

import json
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType
from typing import NotRequired, Self, TypedDict

from cadenza.core.problems import Problem


class _Http(TypedDict):
    method: str
    sourceIp: NotRequired[str]


class _RequestContext(TypedDict):
    http: _Http
    requestId: str
    timeEpoch: int


class HttpEvent(TypedDict):
    """The parts of the event that we read."""

    rawPath: str
    headers: dict[str, str]
    requestContext: _RequestContext
    isBase64Encoded: bool
    body: NotRequired[str]


class HttpReply(TypedDict):
    """What the function returns."""

    statusCode: int
    headers: dict[str, str]
    body: str
    isBase64Encoded: bool


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTP request. Header names are lower case; ``body`` is as it came over the wire, which is what is signed."""

    id: str
    method: str
    path: str
    received_at: datetime
    headers: Mapping[str, str]
    body: bytes = b""
    ip: str = ""

    @classmethod
    def from_event(cls, event: HttpEvent) -> Self:
        """Read an event. ``received_at`` is the gateway's own time of the request, so no clock is read."""
        context = event["requestContext"]
        body = event.get("body", "")
        return cls(
            id=context["requestId"],
            method=context["http"]["method"],
            path=event["rawPath"],
            received_at=datetime.fromtimestamp(context["timeEpoch"] / 1000, UTC),
            headers={name.lower(): value for name, value in event["headers"].items()},
            body=b64decode(body) if event["isBase64Encoded"] else body.encode(),
            ip=context["http"].get("sourceIp", ""),
        )


@dataclass(frozen=True, slots=True)
class Response:
    """One HTTP response; a ``bytes`` body travels base64-encoded."""

    status: int
    body: str | bytes = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def from_problem(cls, problem: Problem) -> Self:
        """The response that tells a problem."""
        return cls(problem.status, json.dumps(problem.body), problem.headers)

    def to_reply(self) -> HttpReply:
        """As the gateway wants it."""
        return {
            "statusCode": int(self.status),
            "headers": dict(self.headers),
            "body": b64encode(self.body).decode() if isinstance(self.body, bytes) else self.body,
            "isBase64Encoded": isinstance(self.body, bytes),
        }
