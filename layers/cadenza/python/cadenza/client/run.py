"""Carrying out one operation for the command, and telling what came of it."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TextIO, cast

from cadenza.client import shown
from cadenza.client.errors import ApiError, BadRequest, RateLimited, Unavailable, UnexpectedAnswer, Unreachable
from cadenza.client.operation import Operation, Option
from cadenza.client.transport import Call, HttpTransport, Patience, Reply, Text, Transport, path

DONE, REFUSED, UNUSABLE, NOT_REACHED = 0, 1, 2, 3
_MOST: Final = 200
"""Items a page, where all pages are wanted."""

_PATIENCE: Final = Patience(tries=4)

Row = Mapping[str, object]


@dataclass(frozen=True)
class Wanted:
    """An operation with what was given for it.

    ``reading`` reads what the operation replaces or changes. ``keep``: what is there now is sent along, changed.
    """

    operation: Operation
    ids: tuple[str, ...]
    values: Mapping[Option, object]
    data: Mapping[str, object]
    text: Text | None
    reading: Operation | None = None
    idempotency_key: str | None = None
    keep: bool = False
    all_pages: bool = False
    as_json: bool = False
    confirmed: bool = True


def run(wanted: Wanted, url: str, api_key: str) -> int:
    """Do it, print the answer or what is wrong, and return the command's status."""
    if not wanted.confirmed and sys.stdin.isatty() and not _asked(wanted):
        _say("cadenza: nothing was done")
        return REFUSED
    transport = HttpTransport(url, api_key, patience=_PATIENCE)
    try:
        _do(wanted, transport)
    except ApiError as error:
        for problem in error.errors:
            _say(f"{_named(wanted.operation, problem.pointer)}: {problem.detail}")
        _say(f"cadenza: {error.problem.detail or error.problem.title} ({error.status})")
        if isinstance(error, Unavailable | RateLimited):
            return NOT_REACHED
        return UNUSABLE if isinstance(error, BadRequest) else REFUSED
    except (Unreachable, UnexpectedAnswer) as error:
        _say(f"cadenza: {error}")
        return NOT_REACHED
    finally:
        transport.close()
    return DONE


def _do(wanted: Wanted, transport: Transport) -> None:
    call = _call(wanted, transport)
    if wanted.all_pages:
        _print_all(call, transport, as_json=wanted.as_json)
        return
    reply = transport.send(call)
    content = reply.content
    if wanted.as_json and not isinstance(content, str) and content is not None:
        print(shown.as_json(content))
    else:
        _print(reply)


def _call(wanted: Wanted, transport: Transport) -> Call:
    operation = wanted.operation
    where = path(operation.path, *wanted.ids)
    query = {option.keys[0]: value for option, value in wanted.values.items() if option.place == "query"}
    headers = {
        option.keys[0].lower(): str(value) for option, value in wanted.values.items() if option.place == "header"
    }
    body = dict(wanted.data)
    unversioned = operation.method == "PATCH" and _takes_etag(operation) and "if-match" not in headers
    if wanted.reading is not None and (wanted.keep or unversioned):
        now = transport.send(Call("GET", where, {}, {}))
        if _takes_etag(operation) and "etag" in now.headers:
            headers.setdefault("if-match", now.headers["etag"])
        if wanted.keep:
            body = _changeable(operation, now.content) | body
    for option, value in sorted(wanted.values.items(), key=lambda each: len(each[0].keys)):
        if option.place == "body":
            _put(body, option.keys, value)
    if wanted.idempotency_key is not None:
        headers["idempotency-key"] = wanted.idempotency_key
    sent = wanted.text or (body if operation.has_body else None)
    return Call(operation.method, where, query, headers, sent, operation.creates)


def _takes_etag(operation: Operation) -> bool:
    return any(option.place == "header" and option.keys[0].lower() == "if-match" for option in operation.options)


def _changeable(operation: Operation, now: object) -> dict[str, object]:
    """Of what is there, that which the operation takes."""
    taken = {option.keys[0] for option in operation.options if option.place == "body"}
    return {name: value for name, value in _named_values(now).items() if name in taken}


def _named_values(content: object) -> Row:
    return cast("Row", content) if isinstance(content, Mapping) else {}


def _put(body: dict[str, object], keys: tuple[str, ...], value: object) -> None:
    *above, last = keys
    at = body
    for key in above:
        inner = at.get(key)
        at[key] = dict(cast("Row", inner)) if isinstance(inner, Mapping) else {}
        at = cast("dict[str, object]", at[key])
    at[last] = value


# --- what is printed ---------------------------------------------------------------------------------------------


def _print_all(call: Call, transport: Transport, *, as_json: bool) -> None:
    """All pages, each as soon as it is there."""
    query: dict[str, object] = {"limit": _MOST, **call.query}
    while True:
        reply = transport.send(Call(call.method, call.path, query, call.headers))
        page = reply.content
        if not isinstance(page, Mapping):
            _print(reply)
            return
        items = cast("list[Row]", cast("Row", page).get("items", []))
        _lines([shown.as_json(item, indent=None) for item in items] if as_json else shown.table(items, _width()))
        cursor = cast("Row", page).get("next_cursor")
        if cursor is None:
            return
        query = {**query, "cursor": cursor}


def _print(reply: Reply) -> None:
    content = reply.content
    if content is None:
        _say("done" if reply.status == HTTPStatus.NO_CONTENT else HTTPStatus(reply.status).phrase)
        return
    if isinstance(content, str):
        print(content, end="" if content.endswith("\n") else "\n")
        if found := re.search(r"[?&]cursor=([\w-]+)", reply.headers.get("link", "")):
            _say(f"there is more: --cursor {found[1]}")
        return
    known = _named_values(content)
    items = known.get("items")
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in cast("list[object]", items)):
        etag = [f"etag: {reply.headers['etag']}"] if "etag" in reply.headers else []
        _lines([*etag, *shown.details(content)])
        return
    around = {name: value for name, value in known.items() if name not in {"items", "next_cursor"}}
    _lines([*shown.details(around), *([""] if around else []), *shown.table(cast("list[Row]", items), _width())])
    if cursor := known.get("next_cursor"):
        _say(f"there is more: --cursor {cursor}, or --all")
    elif not items:
        _say("nothing")


def _width() -> int | None:
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def _lines(lines: list[str], file: TextIO | None = None) -> None:
    for line in lines:
        print(line, file=file)


def _named(operation: Operation, pointer: str) -> str:
    """The option that a problem is about, else its pointer."""
    keys = tuple(pointer.strip("/").split("/"))
    found = next((option for option in operation.options if option.keys == keys), None)
    return found.flag if found else pointer or "/"


def _asked(wanted: Wanted) -> bool:
    print(f"{wanted.operation.summary}\n{' '.join(wanted.ids)} — really? [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _say(line: str) -> None:
    print(shown.cell(line), file=sys.stderr)
