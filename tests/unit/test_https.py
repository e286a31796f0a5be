"""The one request that the webhook function makes by itself: bounded, and never led elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from werkzeug.wrappers import Request, Response

from cadenza.core.errors import Retryable, Unauthorised
from cadenza.signals import https
from local.world.server import LoopbackServer


class Server(LoopbackServer):
    """Answers by the path, and keeps the paths."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        super().__init__(Request.application(self._answer))

    def _answer(self, request: Request) -> Response:
        self.asked.append(request.full_path)
        match request.path:
            case "/moved":
                return Response(status=302, headers={"Location": "/certificate"})
            case "/large":
                return Response(b"x" * (https.MAX_BYTES + 1))
            case "/trouble":
                return Response(status=503)
            case "/gone":
                return Response(status=404)
            case _:
                return Response(b"certificate")


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def test_it_gets_what_is_there(server: Server):
    """Broken, no certificate would ever be seen, and no subscription confirmed."""
    assert https.get(f"{server.url}/certificate?a=1&b=2") == b"certificate"
    assert server.asked == ["/certificate?a=1&b=2"]


@pytest.mark.parametrize("path", ["/moved", "/large", "/gone"])
def test_it_takes_nothing_else(server: Server, path: str):
    """Broken, a redirect would lead the function to any address, and a large answer would fill its memory."""
    with pytest.raises(Unauthorised):
        https.get(f"{server.url}{path}")
    assert len(server.asked) == 1


def test_trouble_may_pass(server: Server):
    """Broken, an event would be refused for good for the trouble of a second."""
    with pytest.raises(Retryable):
        https.get(f"{server.url}/trouble")
    server.close()
    with pytest.raises(Retryable):
        https.get(f"{server.url}/certificate")
