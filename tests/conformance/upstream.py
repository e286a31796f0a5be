"""The API behind the local gateway: real HTTP in, the function's own handler, real HTTP out."""

from __future__ import annotations

import threading
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote

from functions.api.handler import handler
from local.gateway import Gateway
from tests.handlers.api_client import RECORDED
from tests.handlers.conftest import LambdaContext

_ONE = threading.Lock()
"""A function answers one request at a time."""


@contextmanager
def served() -> Iterator[str]:
    """Serve the handler; the gateway's URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Function)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        with Gateway(upstream=f"http://127.0.0.1:{server.server_address[1]}") as gateway:
            yield gateway.url
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Function(BaseHTTPRequestHandler):
    """Makes of a request the event that API Gateway's HTTP API (payload 2.0) would."""

    protocol_version = "HTTP/1.1"

    def _invoke(self) -> None:
        self.close_connection = True
        with _ONE:
            answer = handler(self._event(), LambdaContext())  # type: ignore[arg-type]
        body = (answer.get("body") or "").encode()
        self.send_response_only(answer["statusCode"])
        for name, value in answer["headers"].items():
            self.send_header(name, str(value))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Every method is an event."""
        if name.startswith("do_"):
            return self._invoke
        raise AttributeError(name)

    def _event(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        asked: dict[str, list[str]] = {}
        for name, value in parse_qsl(query, keep_blank_values=True):
            asked.setdefault(name, []).append(value)
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        path = unquote(path)
        return RECORDED | {
            "rawPath": path,
            "rawQueryString": query,
            "queryStringParameters": {name: ",".join(values) for name, values in asked.items()},
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "requestContext": RECORDED["requestContext"]
            | {"http": RECORDED["requestContext"]["http"] | {"method": self.command, "path": path}},
            "body": b64encode(body).decode(),
            "isBase64Encoded": True,
        }

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""
