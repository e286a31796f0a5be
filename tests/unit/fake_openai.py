"""A loopback server that speaks as much of the OpenAI API as Cadenza uses: responses and chat completions.

It is a real HTTP server, so the tests exercise the real client: its parsing, its errors, its time-outs. What the model
"says" is a script: a callable that gets the request's JSON and returns a `Reply`.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What the endpoint answers. ``text`` is the model's; any ``status`` but 200 is an error.

    ``code`` and ``param`` are an error's. ``usage`` None counts nothing; ``body`` is sent as it is instead.
    """

    text: str = ""
    status: int = 200
    code: str | None = None
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    refusal: str = ""
    incomplete: str = ""
    usage: tuple[int, int] | None = (1_000, 200)
    body: str = ""
    delay_s: float = 0.0


def says(value: object) -> Reply:
    """A model that answers with ``value`` as JSON."""
    return Reply(json.dumps(value))


@dataclass
class FakeOpenAi:
    """The running server. ``requests`` are the (path, body) pairs it got, in order."""

    url: str
    requests: list[tuple[str, Json]]

    @property
    def paths(self) -> list[str]:
        """The paths asked for, in order."""
        return [path for path, _ in self.requests]


@contextmanager
def fake_openai(script: Callable[[Json], Reply], *, responses: bool = True) -> Iterator[FakeOpenAi]:
    """Serve ``script`` on an ephemeral loopback port. Without ``responses`` it knows chat completions only."""
    seen: list[tuple[str, Json]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            seen.append((self.path, body))
            if self.path == "/v1/responses" and not responses:
                self._answer(Reply(status=404), {"error": {"message": "no such route", "code": None}})
                return
            reply = script(body)
            time.sleep(reply.delay_s)
            shape = _response if self.path == "/v1/responses" else _completion
            error = {"error": {"message": "as scripted", "type": "error", "code": reply.code, "param": reply.param}}
            self._answer(reply, shape(reply, body["model"]) if reply.status == 200 else error)

        def _answer(self, reply: Reply, body: Json) -> None:
            raw = (reply.body or json.dumps(body)).encode()
            self.send_response(reply.status)
            for name, value in {**reply.headers, "content-type": "application/json"}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False  # server_close waits for them: no thread outlives its test
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield FakeOpenAi(f"http://127.0.0.1:{server.server_address[1]}/v1", seen)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _response(reply: Reply, model: str) -> Json:
    part: Json = {"type": "output_text", "text": reply.text, "annotations": []}
    if reply.refusal:
        part = {"type": "refusal", "refusal": reply.refusal}
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": model,
        "status": "incomplete" if reply.incomplete else "completed",
        "incomplete_details": {"reason": reply.incomplete} if reply.incomplete else None,
        "output": [{"id": "msg_1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}],
        "parallel_tool_calls": False,
        "tool_choice": "auto",
        "tools": [],
        "usage": reply.usage
        and {
            "input_tokens": reply.usage[0],
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens": reply.usage[1],
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": sum(reply.usage),
        },
    }


def _completion(reply: Reply, model: str) -> Json:
    message = {"role": "assistant", "content": None if reply.refusal else reply.text, "refusal": reply.refusal or None}
    return {
        "id": "chatcmpl_1",
        "object": "chat.completion",
        "created": 1,
        "model": model,
        "choices": [{"index": 0, "message": message, "finish_reason": "length" if reply.incomplete else "stop"}],
        "usage": reply.usage
        and {
            "prompt_tokens": reply.usage[0],
            "completion_tokens": reply.usage[1],
            "total_tokens": sum(reply.usage),
        },
    }
