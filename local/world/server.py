"""A WSGI app on a loopback port, in threads of this process, quiet, and gone when its block ends."""

from __future__ import annotations

import threading
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self

from werkzeug.serving import WSGIRequestHandler, make_server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

LOOPBACK: Final = "127.0.0.1"


class _Quiet(WSGIRequestHandler):
    def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002 - werkzeug's signature
        pass


class LoopbackServer:
    """A WSGI app's server, and the base of the local world's: a context manager with ``port`` and ``url``.

    It listens from construction on, so that its URL is known before anything is served, and serves ``app`` inside the
    ``with`` block. ``port`` 0 takes a free one.
    """

    def __init__(self, app: WSGIApplication, port: int = 0) -> None:
        self._server = make_server(LOOPBACK, port, app, threaded=True, request_handler=_Quiet)
        self._thread = threading.Thread(
            target=self._server.serve_forever,
            kwargs={"poll_interval": 0.05},  # seconds: how long the end of the block may take
            name=type(self).__name__,
            daemon=True,
        )

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.server_port

    @property
    def url(self) -> str:
        """The base URL, without a trailing slash."""
        return f"http://{LOOPBACK}:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and free the port. Called by the end of the ``with`` block; harmless when repeated."""
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()
