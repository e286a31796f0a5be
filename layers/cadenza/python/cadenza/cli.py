"""The ``cadenza`` command. Each subcommand imports only what it needs, so that a plan is checked in no time."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path
from typing import TYPE_CHECKING, TextIO, TypeVar, cast

from cadenza.core.errors import CadenzaError, FieldProblem, InvalidInput

if TYPE_CHECKING:
    from pydantic import BaseModel

    from cadenza.engine.model import SendingRules
    from cadenza.planning.compiled import CompiledPlan
    from cadenza.planning.findings import Finding
    from cadenza.simulate.tape import Event

M = TypeVar("M", bound="BaseModel")

OK, BROKEN, UNUSABLE = 0, 1, 2

_SAMPLE_URL = "https://links.your-domain.example"
"""Where the links of a previewed mail lead, on a machine that is no installation."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status: 0 fine, 1 something is broken, 2 unusable input.

    Operations of the API: 0 done, 1 refused, 2 unusable input, 3 not reached.
    """
    arguments = sys.argv[1:] if arguments is None else arguments
    options = _parser(arguments[0] if arguments else "").parse_args(arguments)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that knows no dashes and arrows still gets the rest
            stream.reconfigure(errors="backslashreplace")
    gc.disable()  # A seventh of the time: what a command imports is no garbage, and it is over before there is much.
    try:
        own = _COMMANDS.get(options.command)
        status = own(options) if own else options.run(options)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads (`| head`) has seen enough; what is left goes nowhere, also at the exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return OK
    except InvalidInput as error:
        for problem in error.problems or ():
            print(f"{problem.pointer or '/'}: {problem.detail}", file=sys.stderr)
        print(f"cadenza: {error.detail}", file=sys.stderr)
        return UNUSABLE
    except (CadenzaError, OSError) as error:
        print(f"cadenza: {error}", file=sys.stderr)
        return UNUSABLE
    else:
        return status
    finally:
        gc.enable()


def _parser(wanted: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cadenza", description="Outreach campaigns as exact state machines.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="compile a campaign plan and print what is wrong with it")
    check.add_argument("plan", metavar="PLAN.json", help='the plan; "-" reads standard input')
    check.add_argument("--json", action="store_true", help="print the findings as JSON")

    simulate = commands.add_parser("simulate", help="show what a campaign plan will do, when and why")
    simulate.add_argument("plan", metavar="PLAN.json", help='the plan; "-" reads standard input')
    simulate.add_argument("--start", metavar="INSTANT", help="when the contact is enrolled (RFC 3339); default: now")
    simulate.add_argument("--events", metavar="TAPE.json", help='what the contact does (docs/plans.md); "-": as above')
    simulate.add_argument("--zone", default="", help="the recipient's time zone; default: the plan's")
    simulate.add_argument("--holidays", default="", metavar="COUNTRY", help="keep the public holidays of (such as PT)")
    simulate.add_argument("--all", action="store_true", help="explore every branch")
    simulate.add_argument("--json", action="store_true", help="print JSON")
    simulate.add_argument("--dot", action="store_true", help="draw the plan (with --all: every branch) for Graphviz")

    preview = commands.add_parser("preview", help="show a mail of a plan as it would leave")
    preview.add_argument("plan", metavar="PLAN.json", help='the plan; "-" reads standard input')
    preview.add_argument("--node", required=True, metavar="ID", help="the send node whose mail is wanted")
    for option, what in (
        ("name", "the recipient's name"),
        ("email", "the recipient's address"),
        ("title", "the recipient's job title"),
        ("company", "the recipient's company"),
        ("domain", "the recipient's domain"),
    ):
        flag = "--to" if option == "name" else f"--{option}"
        preview.add_argument(flag, dest=option, metavar=option.upper(), help=f"{what}; default: made up")
    preview.add_argument("--sender", metavar="SENDER.json", help="who writes: the JSON that POST /v1/senders takes")
    shape = preview.add_mutually_exclusive_group()
    for option, what in (("eml", "the whole mail, as bytes"), ("html", "its HTML part"), ("text", "its text part")):
        shape.add_argument(f"--{option}", dest="shape", action="store_const", const=option, help=f"print {what}")

    legacy = commands.add_parser("import-legacy", help="take in another system's export (docs/operations.md)")
    legacy.add_argument("export", metavar="FILE", help='JSON, JSON lines, CSV, a folder or ZIP of them; "-": JSON')
    legacy.add_argument("--workspace", default="", metavar="NAME", help="its name or id; default: the only one")
    legacy.add_argument("--sender", default="", metavar="ADDRESS", help="who sends campaigns that name nobody here")
    what = legacy.add_mutually_exclusive_group()
    what.add_argument("--dry-run", action="store_true", help="only say what would become of it (this is the default)")
    what.add_argument("--apply", action="store_true", help="take it in")
    legacy.add_argument("--json", action="store_true", help="print the report as JSON")
    _add_database_url(legacy)

    for name, help_text in (
        ("migrate", "bring a database's schema to the newest version"),
        ("invariants", "ask a database whether the invariants hold"),
    ):
        command = commands.add_parser(name, help=help_text)
        _add_database_url(command)
    if wanted not in _COMMANDS:  # then it is an operation of the API, or help
        from cadenza.client.command import add_groups  # noqa: PLC0415

        add_groups(commands, wanted)
    return parser


def _add_database_url(command: argparse.ArgumentParser) -> None:
    default = os.environ.get("DATABASE_URL", "")
    command.add_argument("--database-url", default=default, help="postgresql+pg8000://…; default: DATABASE_URL")


def _check(path: str, *, as_json: bool) -> int:
    from cadenza.planning.compiler import compile_plan  # noqa: PLC0415

    checked = compile_plan(_read_json(path))
    if as_json:
        print(_json([finding.to_json() for finding in checked.findings]))
    else:
        _print(_lines(checked.findings))
    return OK if checked.plan is not None else UNUSABLE


def _simulate(options: argparse.Namespace) -> int:
    from cadenza.core.clock import utc_now  # noqa: PLC0415
    from cadenza.planning.compiler import compile_plan  # noqa: PLC0415
    from cadenza.simulate.model import recipient_rules  # noqa: PLC0415

    _refuse_together(options)
    checked = compile_plan(_read_json(options.plan))
    if checked.plan is None:
        _print(_lines(checked.findings), sys.stderr)
        return UNUSABLE
    start = utc_now().replace(microsecond=0) if options.start is None else _instant(options.start)
    rules = recipient_rules(options.zone, options.holidays.upper())
    if options.all:
        lines = _explored(options, checked.plan, checked.findings, rules, start)
    elif options.dot:
        from cadenza.simulate import dot  # noqa: PLC0415

        lines = dot.of_plan(checked.plan)
    else:
        lines = _played(options, checked.plan, checked.findings, rules, start)
    if not options.json:
        _print(_lines(checked.findings), sys.stderr if options.dot else None)
    _print(lines)
    return OK


def _preview(options: argparse.Namespace) -> int:
    from cadenza.campaigns import preview  # noqa: PLC0415
    from cadenza.campaigns.model import SampleRecipient, SampleSender  # noqa: PLC0415
    from cadenza.core.clock import utc_now  # noqa: PLC0415

    given = {name: getattr(options, name) for name in SampleRecipient.model_fields if getattr(options, name, None)}
    to = _validated(SampleRecipient, given)
    by = _validated(SampleSender, _sample_sender(options.sender) if options.sender else {})
    now = utc_now().replace(microsecond=0)
    shown = preview.preview_plan(_read_json(options.plan), options.node, to, by, _SAMPLE_URL, now)
    _print(_lines(shown.findings), sys.stderr)
    if shown.composed is None:
        return UNUSABLE
    rendered = shown.composed.rendered
    match options.shape:
        case "eml":
            sys.stdout.flush()
            sys.stdout.buffer.write(shown.composed.mail.raw)
        case "html":
            print(rendered.html, end="")
        case "text":
            print(rendered.text, end="")
        case _:
            _print((*(f"{name}: {value}" for name, value in shown.headers), "", rendered.text.rstrip()))
    return OK


def _sample_sender(path: str) -> dict[str, object]:
    from cadenza.campaigns.model import SampleSender  # noqa: PLC0415

    source = _read_json(path)
    if not isinstance(source, dict):
        raise InvalidInput(f"{path} is not a JSON object")
    known = cast("dict[str, object]", source)
    return {name: value for name, value in known.items() if name in SampleSender.model_fields}


def _validated(model: type[M], given: Mapping[str, object]) -> M:
    from pydantic import ValidationError  # noqa: PLC0415

    from cadenza.core.problems import field_problems  # noqa: PLC0415

    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise InvalidInput("no mail can be made of this", field_problems(error)) from error


def _played(
    options: argparse.Namespace, plan: CompiledPlan, findings: Iterable[Finding], rules: SendingRules, start: datetime
) -> list[str]:
    from cadenza.engine.schedule import sending_zone  # noqa: PLC0415
    from cadenza.simulate import text  # noqa: PLC0415
    from cadenza.simulate.run import simulate  # noqa: PLC0415

    tape = _tape(options.events, plan, start) if options.events else ()
    simulation = simulate(plan, tape, rules, start)
    return (
        [_json(simulation.to_json(findings))]
        if options.json
        else text.of_simulation(simulation, sending_zone(plan, rules))
    )


def _explored(
    options: argparse.Namespace, plan: CompiledPlan, findings: Iterable[Finding], rules: SendingRules, start: datetime
) -> list[str]:
    from cadenza.engine.schedule import sending_zone  # noqa: PLC0415
    from cadenza.simulate import dot, text  # noqa: PLC0415
    from cadenza.simulate.explore import explore  # noqa: PLC0415

    exploration = explore(plan, rules, start)
    if options.json:
        return [_json(exploration.to_json(findings))]
    zone = sending_zone(plan, rules)
    return dot.of_exploration(exploration, plan, zone) if options.dot else text.of_exploration(exploration, zone)


def _refuse_together(options: argparse.Namespace) -> None:
    if options.json and options.dot:
        raise InvalidInput("--json and --dot are two ways of printing: choose one")
    if options.events and (options.all or options.dot):
        raise InvalidInput("--events is one way through the plan, --all and --dot show all of them: choose one")
    if options.events == "-" == options.plan:
        raise InvalidInput("standard input is either the plan or the tape")


def _instant(text: str) -> datetime:
    from cadenza.simulate.model import instant_of_text  # noqa: PLC0415

    try:
        return instant_of_text(text)
    except ValueError as error:
        raise InvalidInput(f"--start: {error}") from error


def _tape(path: str, plan: CompiledPlan, start: datetime) -> tuple[Event, ...]:
    from cadenza.simulate.tape import read_tape  # noqa: PLC0415

    source = _read_json(path)
    try:
        return read_tape(source, plan, start)
    except InvalidInput as error:
        problems = (FieldProblem(f"{path}#{problem.pointer}", problem.detail) for problem in error.problems)
        raise InvalidInput(error.detail, tuple(problems)) from error


def _read_json(path: str) -> object:
    from cadenza.simulate.reading import check_json  # noqa: PLC0415

    try:
        source: object = json.loads(sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes())
        check_json(source)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(f"{path} is not JSON: {error}") from error
    return source


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _lines(findings: Iterable[Finding]) -> list[str]:
    return [
        f"{found.severity} {found.pointer or '/'} {found.code}: {found.message}. {found.fix}".rstrip()
        for found in findings
    ]


def _print(lines: Iterable[str], file: TextIO | None = None) -> None:
    for line in lines:
        print(line, file=file)


def _migrate(database_url: str) -> int:
    from cadenza.core.migrations import upgrade  # noqa: PLC0415

    database = _database(database_url)
    with database.worker() as connection:
        upgrade(connection)
    database.close()
    return OK


def _invariants(database_url: str) -> int:
    from cadenza.campaigns import invariants  # noqa: PLC0415
    from cadenza.core.clock import utc_now  # noqa: PLC0415

    database = _database(database_url)
    with database.worker() as connection:
        findings = invariants.check(connection, utc_now())
    database.close()
    for finding in findings:
        print(f"{finding.name}: {finding.violations} of {finding.checked} break it — {finding.statement}")
    return BROKEN if any(finding.violations for finding in findings) else OK


def _import_legacy(options: argparse.Namespace) -> int:
    from cadenza.legacy import command  # noqa: PLC0415

    rows = command.read(options.export, sys.stdin.buffer.read() if options.export == "-" else b"")
    database = _database(options.database_url)
    try:
        report = command.take(database, options.workspace, rows, options.sender, apply=options.apply)
    finally:
        database.close()
    _print([report.model_dump_json(indent=2)] if options.json else command.lines(report))
    return BROKEN if report.refused else OK


def _database(url: str):  # noqa: ANN202 - its type would import SQLAlchemy for every subcommand
    from cadenza.core.db import Database  # noqa: PLC0415

    if not url:
        raise InvalidInput("give --database-url or set DATABASE_URL")
    return Database(url)


_COMMANDS: Mapping[str, Callable[[argparse.Namespace], int]] = {
    "check": lambda options: _check(options.plan, as_json=options.json),
    "simulate": _simulate,
    "preview": _preview,
    "migrate": lambda options: _migrate(options.database_url),
    "invariants": lambda options: _invariants(options.database_url),
    "import-legacy": _import_legacy,
}
