"""A tiny reverse proxy on loopback: ``http://127.0.0.1:PORT/v1/…`` instead of the emulator's execute-api path.

It passes method, path, query, headers and body on as they came (a signature over them must still hold), and follows no
redirect. It can start before its upstream is known: the stack needs its URL, and it needs the stack's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from infra.cors import ALLOWED_HEADERS, EXPOSED_HEADERS, MAX_AGE_S

HOST = "127.0.0.1"
TIMEOUT_S = 60.0

_HOP_BY_HOP = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""RFC 9110, section 7.6.1; and Host and Content-Length, which are set anew."""


class Gateway(ThreadingHTTPServer):
    """Serves in threads for the length of a ``with`` block. ``port`` 0 takes a free one."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, *, port: int = 0, upstream: str = "", cors_origins: Collection[str] = ()) -> None:
        super().__init__((HOST, port), _Handler)
        self.cors_origins = cors_origins
        """Whose pages may call, as API Gateway would let them; none: nobody hears of CORS."""
        self.upstream = upstream
        """Base URL without a trailing slash; while it is empty, every request is answered 503."""
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="gateway", daemon=True)

    @property
    def url(self) -> str:
        """Base of the public URLs, without a trailing slash."""
        return f"http://{HOST}:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Handler(BaseHTTPRequestHandler):
    """One connection: one request, passed on."""

    server: Gateway  # pyright: ignore[reportIncompatibleVariableOverride] - the only server that makes these
    protocol_version = "HTTP/1.1"
    timeout = TIMEOUT_S

    def _pass_on(self) -> None:
        # A kept connection would hold a thread, and keep the gateway from closing cleanly.
        self.close_connection = True
        if self.command == "OPTIONS" and self._cors():  # a preflight: API Gateway answers it itself
            self._reply(204, [], b"")
            return
        if not self.server.upstream:
            self._reply(503, [("Retry-After", "1")], b"")
            return
        if "transfer-encoding" in self.headers:
            self._reply(411, [], b"")
            return
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        upstream = urlsplit(self.server.upstream)
        connection = HTTPConnection(str(upstream.hostname), upstream.port, timeout=TIMEOUT_S)
        try:
            connection.putrequest(self.command, f"{upstream.path}{self.path}", skip_accept_encoding=True)
            for name, value in self._end_to_end(self.headers.items()):
                connection.putheader(name, value)
            if "content-length" in self.headers:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            response = connection.getresponse()
            self._reply(response.status, self._end_to_end(response.getheaders()), response.read())
        except (OSError, HTTPException) as error:
            self.log_error("upstream: %r", error)
            self._reply(502, [], b"")
        finally:
            connection.close()

    def __getattr__(self, name: str) -> Callable[[], None]:
        """Whatever the method is, it is for the upstream to know."""
        if name.startswith("do_"):
            return self._pass_on
        raise AttributeError(name)

    @staticmethod
    def _end_to_end(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]

    def _cors(self) -> list[tuple[str, str]]:
        """The headers of CORS, for an origin that may call; on a preflight those that answer it."""
        origin = self.headers.get("origin", "")
        if not {origin, "*"} & set(self.server.cors_origins):
            return []
        told = [("Access-Control-Allow-Origin", origin), ("Vary", "Origin")]
        if self.command == "OPTIONS":
            told += [
                ("Access-Control-Allow-Methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS"),
                ("Access-Control-Allow-Headers", ",".join(ALLOWED_HEADERS)),
                ("Access-Control-Max-Age", str(MAX_AGE_S)),
            ]
        return [*told, ("Access-Control-Expose-Headers", ",".join(EXPOSED_HEADERS))]

    def _reply(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in [*headers, *self._cors()]:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        with suppress(ConnectionError):  # a caller that had no patience has gone
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing: the terminal belongs to the program."""
