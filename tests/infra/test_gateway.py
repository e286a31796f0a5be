"""The local front door: what passes it must arrive as it was sent, or signatures break on one machine only."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from local.gateway import Gateway


class Upstream(HTTPServer):
    """Keeps what it was asked, and answers with a redirect."""

    seen: list[tuple[str, str, dict[str, str], bytes]]

    @property
    def url(self) -> str:
        """Base, with a path as the emulator's has."""
        return f"http://127.0.0.1:{self.server_address[1]}/stage"


class _Keep(BaseHTTPRequestHandler):
    server: Upstream

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.seen.append((self.command, self.path, dict(self.headers.items()), body))
        self.send_response_only(302)
        self.send_header("Location", "https://elsewhere.example/")
        self.send_header("Set-Cookie", "a=1")
        self.send_header("Set-Cookie", "b=2")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"\xff\x00")

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream(("127.0.0.1", 0), _Keep)
    server.seen = []
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def ask(
    gateway: Gateway, path: str, body: bytes = b"", headers: dict[str, str] | None = None, method: str = "POST"
) -> tuple[HTTPResponse, bytes]:
    connection = HTTPConnection("127.0.0.1", gateway.server_address[1], timeout=5)
    try:
        connection.request(method, path, body, headers or {})
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


def test_passes_on_exactly_what_came(upstream: Upstream) -> None:
    """A provider signs the raw body and path: one changed byte is a refused webhook."""
    with Gateway(upstream=upstream.url) as gateway:
        response, body = ask(gateway, "/webhooks/a%2Fb?x=1&x=2&y=%26", b'{"a":  1}\xff', {"X-Signature": "s"})
    ((method, path, headers, sent),) = upstream.seen
    assert (method, path, sent) == ("POST", "/stage/webhooks/a%2Fb?x=1&x=2&y=%26", b'{"a":  1}\xff')
    assert headers["X-Signature"] == "s"
    assert (response.status, body) == (302, b"\xff\x00")
    assert response.headers["location"] == "https://elsewhere.example/"
    assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]


def test_says_that_it_is_early_or_that_nobody_is_there() -> None:
    """A client could not tell a system that starts, or is gone, from an answer of ours."""
    with Gateway() as gateway:
        assert ask(gateway, "/v1/leads")[0].status == 503
        with HTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
            port = closed.server_address[1]
        gateway.upstream = f"http://127.0.0.1:{port}"
        assert ask(gateway, "/v1/leads")[0].status == 502


PAGE = "https://console.example"
PREFLIGHT = {"Origin": PAGE, "Access-Control-Request-Method": "PATCH", "Access-Control-Request-Headers": "if-match"}


def test_a_page_of_an_allowed_origin_may_call_and_read_the_headers(upstream: Upstream) -> None:
    """If it failed, a console on another origin would work on AWS only, or see no ETag, or no reason for an error."""
    with Gateway(upstream=upstream.url, cors_origins=[PAGE]) as gateway:
        preflight, _ = ask(gateway, "/v1/leads", headers=PREFLIGHT, method="OPTIONS")
        answer, _ = ask(gateway, "/v1/leads", headers={"Origin": PAGE})
        gateway.upstream = ""
        failure, _ = ask(gateway, "/v1/leads", headers={"Origin": PAGE})
    assert preflight.status == 204
    assert "if-match" in preflight.headers["access-control-allow-headers"].split(",")
    assert "PATCH" in preflight.headers["access-control-allow-methods"]
    for response in (preflight, answer, failure):
        assert response.headers["access-control-allow-origin"] == PAGE
        assert response.headers["vary"] == "Origin"
        assert {"etag", "link", "ratelimit", "retry-after"} <= set(
            response.headers["access-control-expose-headers"].split(",")
        )
    assert len(upstream.seen) == 1, "a preflight is nothing for the function"


def test_a_page_of_another_origin_is_let_in_by_nobody(upstream: Upstream) -> None:
    """If it failed, any page that an operator visits could call the API from their browser."""
    with Gateway(upstream=upstream.url, cors_origins=[PAGE]) as gateway:
        elsewhere, _ = ask(gateway, "/v1/leads", headers={"Origin": "https://evil.example"})
    with Gateway(upstream=upstream.url) as gateway:
        unset, _ = ask(gateway, "/v1/leads", headers={"Origin": PAGE})
    assert "access-control-allow-origin" not in elsewhere.headers
    assert "access-control-allow-origin" not in unset.headers
