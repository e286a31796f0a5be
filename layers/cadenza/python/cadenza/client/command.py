"""The command's groups: one a concept of the API, one verb an operation."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, cast

from cadenza.client.operation import Operation, Option
from cadenza.client.operations import GROUPS
from cadenza.core.errors import InvalidInput

if TYPE_CHECKING:
    from cadenza.client.run import Wanted

    Groups = argparse._SubParsersAction[argparse.ArgumentParser]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage] - argparse names its type so

_MEDIA: Final = {".csv": "text/csv", ".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson"}
_VERBS_SHOWN: Final = 6
_EPILOG: Final = (
    "Values may be @FILE (or - for standard input) where JSON is wanted; null takes a value away. "
    "Status: 0 done, 1 refused, 2 unusable input, 3 not reached. docs/client.md"
)


def add_groups(commands: Groups, wanted: str) -> None:
    """Add every group; only the ``wanted`` one with its verbs, so that nobody waits for the others."""
    for name, (concept, verbs) in GROUPS.items():
        shown = ", ".join(verbs[:_VERBS_SHOWN]) + (", …" if len(verbs) > _VERBS_SHOWN else "")
        group = commands.add_parser(name, help=f"API: {shown}", description=f"Operations: {', '.join(verbs)}.")
        if name == wanted:
            actions = group.add_subparsers(dest="verb", required=True, metavar="VERB")
            found = operations(concept)
            for operation in found:
                _add(actions, operation, found)


def operations(concept: str) -> tuple[Operation, ...]:
    """The operations of a concept."""
    return import_module(f"cadenza.client.operations.{concept}").OPERATIONS


def _add(actions: Groups, operation: Operation, siblings: Sequence[Operation]) -> None:
    # What an operation takes has precedence over what all of them take.
    parser = actions.add_parser(
        operation.verb,
        help=operation.summary.rstrip("."),
        description=operation.summary,
        epilog=_EPILOG,
        conflict_handler="resolve",
    )
    parser.set_defaults(run=partial(_run, operation))
    reading = next((each for each in siblings if (each.method, each.path) == ("GET", operation.path)), None)
    _add_common(parser, operation, reading)
    for number, each in enumerate(operation.ids):
        parser.add_argument(f"id {number}", metavar=each.upper())
    if operation.media:
        parser.add_argument("file", metavar="FILE", help=f"{' or '.join(operation.media)}; - for standard input")
        parser.add_argument("--media-type", choices=operation.media, help="default: by the file's name")
    for number, option in enumerate(operation.options):
        _add_option(parser, f"option {number}", option)


def _add_common(parser: argparse.ArgumentParser, operation: Operation, reading: Operation | None) -> None:
    parser.add_argument("--api", metavar="URL", help="where the API is; default: CADENZA_URL")
    parser.add_argument("--key-file", metavar="FILE", help="a file with the API key; default: CADENZA_API_KEY")
    parser.add_argument("--json", action="store_true", help="print the API's JSON")
    if operation.takes("cursor", "query"):
        parser.add_argument("--all", action="store_true", help="all pages (with --json: an item a line)")
    if operation.has_body:
        parser.add_argument("--data", type=_json, metavar="JSON", help="the whole body; options change it")
    if operation.has_body and operation.method == "PUT" and reading is not None:
        parser.add_argument(
            "--keep", action="store_true", help="begin with what is there now, and change what is given"
        )
    if operation.creates:
        parser.add_argument("--idempotency-key", metavar="KEY", help="repeat a request safely; default: a new one")
    if operation.dangerous:
        parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.set_defaults(reading=reading)


def _add_option(parser: argparse.ArgumentParser, dest: str, option: Option) -> None:
    told = [*([option.help] if option.help else []), *(["required"] if option.required else [])]
    told += ["may be repeated"] if option.many else []
    help_text = "; ".join(told).replace("%", "%%") or None
    if option.kind == "flag":
        action = argparse.BooleanOptionalAction
        parser.add_argument(option.flag, dest=dest, action=action, default=argparse.SUPPRESS, help=help_text)
        return
    choices = (*option.choices, *([None] if option.nullable else [])) if option.choices else None
    shown = "{" + ",".join((*option.choices, *(["null"] if option.nullable else []))) + "}"
    parser.add_argument(
        option.flag,
        dest=dest,
        action="append" if option.many else "store",
        default=argparse.SUPPRESS,
        type=_converter(option),
        choices=choices,
        metavar=shown if option.choices else _form(option),
        help=help_text,
    )


def _form(option: Option) -> str:
    return {"integer": "N", "number": "X", "json": "JSON", "secret": "@FILE"}.get(option.kind) or (
        option.form or "text"
    ).upper()


def _converter(option: Option) -> Callable[[str], object]:
    def convert(text: str) -> object:
        if option.nullable and text == "null":
            return None
        try:
            match option.kind:
                case "integer":
                    return int(text)
                case "number":
                    return float(text)
                case "json":
                    return _json(text)
                case "secret":
                    return _secret(text)
                case _:
                    return text
        except ValueError as error:
            raise argparse.ArgumentTypeError(f"{text!r} is no number") from error

    return convert


def _json(text: str) -> object:
    """A value in JSON: as it is, in a file (``@FILE``) or on standard input (``-``)."""
    where = text.removeprefix("@")
    try:
        source = text if where == text and text != "-" else _content(where)
        return cast("object", json.loads(source))
    except (ValueError, RecursionError) as error:
        raise argparse.ArgumentTypeError(f"{text} is not JSON: {error}") from error
    except OSError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _secret(text: str) -> str:
    """What every process of the machine may read has no place among arguments."""
    if text != "-" and not text.startswith("@"):
        raise argparse.ArgumentTypeError("say where it is: @FILE, or - for standard input")
    try:
        return _content(text.removeprefix("@")).decode().rstrip("\r\n")
    except OSError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _content(file: str) -> bytes:
    return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()


def _run(operation: Operation, options: argparse.Namespace) -> int:
    from cadenza.client.run import run  # noqa: PLC0415 - brings the HTTP client, for which no help has to wait

    return run(_wanted(operation, options), _url(options), _key(options))


def _wanted(operation: Operation, options: argparse.Namespace) -> Wanted:
    from cadenza.client.run import Wanted  # noqa: PLC0415
    from cadenza.client.transport import Text  # noqa: PLC0415

    given = vars(options)
    values = {
        option: given[f"option {number}"]
        for number, option in enumerate(operation.options)
        if f"option {number}" in given
    }
    data = given.get("data")
    if data is not None and not isinstance(data, dict):
        raise InvalidInput("--data is to be a JSON object")
    text = None
    if operation.media:
        media_type = options.media_type or _MEDIA.get(Path(options.file).suffix.lower(), operation.media[0])
        text = Text(_content(options.file), media_type)
    return Wanted(
        operation,
        tuple(given[f"id {number}"] for number in range(len(operation.ids))),
        {option: _none(value) for option, value in values.items()},
        cast("Mapping[str, object]", data or {}),
        text,
        reading=options.reading,
        idempotency_key=given.get("idempotency_key"),
        keep=bool(given.get("keep")),
        all_pages=given.get("all") is True,
        as_json=bool(given.get("json")),
        confirmed=bool(given.get("yes")) or not operation.dangerous,
    )


def _none(value: object) -> object:
    return None if value == [None] else value


def _url(options: argparse.Namespace) -> str:
    if url := options.api or os.environ.get("CADENZA_URL", ""):
        return url
    raise InvalidInput("say where the API is: --api URL, or CADENZA_URL")


def _key(options: argparse.Namespace) -> str:
    if options.key_file:
        return Path(options.key_file).read_text("ascii", "replace").strip()
    return os.environ.get("CADENZA_API_KEY", "")
