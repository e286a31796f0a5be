"""API Gateway in this process: HTTP requests become events of its payload format 2.0, and replies become responses."""

from __future__ import annotations

import itertools
from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from queue import Queue
from typing import Any, Final
from urllib.parse import parse_qsl

import httpx2
from werkzeug.wrappers import Request, Response

from cadenza.core.clock import utc_now
from cadenza.leads.guard import Resolver
from local.world.firecrawl import FirecrawlService
from local.world.server import LoopbackServer
from tests.flow.cloud import invoke

PUBLIC_PATHS: Final = ("/webhooks/", "/t/", "/u/")
"""What infra/api.py routes to the webhook function; everything else goes to the API."""
PATIENCE_S: Final = 30.0
"""Real seconds that something on loopback may take before the test is broken."""

Event = dict[str, Any]
_numbers = itertools.count(1)


def answer(event: Event) -> Event:
    """Route an event as the deployed HTTP API does."""
    return invoke("webhook" if event["rawPath"].startswith(PUBLIC_PATHS) else "api", event)


def http_event(method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Event:
    """A request at this (virtual) instant. Bodies travel base64-encoded: then a signature over any bytes holds."""
    now = utc_now()
    event: Event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {name.lower(): value for name, value in headers.items()},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "flow",
            "domainName": "127.0.0.1",
            "domainPrefix": "127",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.17",
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": f"request-{next(_numbers)}",
            "routeKey": "$default",
            "stage": "$default",
            "time": now.strftime("%d/%b/%Y:%H:%M:%S +0000"),
            "timeEpoch": int(now.timestamp() * 1000),
        },
        "isBase64Encoded": bool(body),
    }
    if query:
        event["queryStringParameters"] = dict(parse_qsl(query, keep_blank_values=True))
    if body:
        event["body"] = b64encode(body).decode()
    return event


def _body(reply: Event) -> bytes:
    body: str = reply.get("body") or ""
    return b64decode(body) if reply.get("isBase64Encoded") else body.encode()


def _headers(reply: Event) -> list[tuple[str, str]]:
    many: dict[str, list[str]] = reply.get("multiValueHeaders") or {}
    single: dict[str, str] = reply.get("headers") or {}
    return [*single.items(), *((name, value) for name, values in many.items() for value in values)]


class InProcess(httpx2.BaseTransport):
    """Lets any HTTP client of this process call the functions, without a socket."""

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """One request."""
        url, headers = request.url, {name.lower(): value for name, value in request.headers.items()}
        reply = answer(http_event(request.method, url.path, url.query.decode(), headers, request.read()))
        return httpx2.Response(reply["statusCode"], headers=_headers(reply), content=_body(reply))


class Front(LoopbackServer):
    """The public URL, for callers that need a socket: a crawl service's webhook.

    Its requests wait until the test's own thread answers them (`serve_until`), so that functions never run beside one
    another and every run is the same.
    """

    def __init__(self) -> None:
        self._calls: Queue[tuple[Event, Future[Event]] | None] = Queue()
        super().__init__(Request.application(self._wait_for_answer))

    def serve_until(self, over: Callable[[], bool]) -> None:
        """Answer requests until ``over``; it is asked after each request and each `nudge`."""
        while not over():
            call = self._calls.get(timeout=PATIENCE_S)
            if call is not None:
                event, reply = call
                reply.set_result(answer(event))

    def nudge(self) -> None:
        """Make `serve_until` ask again."""
        self._calls.put(None)

    def _wait_for_answer(self, request: Request) -> Response:
        query = request.query_string.decode()
        event = http_event(request.method, request.path, query, dict(request.headers.items()), request.get_data())
        reply: Future[Event] = Future()
        self._calls.put((event, reply))
        answered = reply.result(timeout=PATIENCE_S)
        return Response(_body(answered), status=answered["statusCode"], headers=_headers(answered))


class Crawls(FirecrawlService):
    """The crawl service, of which one can wait until its crawls have ended and been reported."""

    def __init__(self, resolver: Resolver, front: Front, *, api_key: str, webhook_secret: str) -> None:
        super().__init__(resolver, api_key=api_key, webhook_secret=webhook_secret, retry_delays_s=())
        self._front = front
        self._ended = 0

    def finish(self) -> None:
        """Let all crawls under way end, answering their webhook calls meanwhile."""
        self._front.serve_until(lambda: self._ended == len(self._jobs))

    def _run(self, job: Any) -> None:
        try:
            super()._run(job)
        finally:
            self._ended += 1
            self._front.nudge()
