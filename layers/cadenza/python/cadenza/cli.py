"""The ``cadenza`` command. Each subcommand imports only what it needs, so that a plan is checked in no time."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from cadenza.core.errors import CadenzaError, InvalidInput

OK, BROKEN, UNUSABLE = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one subcommand and return its exit status: 0 fine, 1 something is broken, 2 unusable input."""
    options = _parser().parse_args(arguments)
    try:
        match options.command:
            case "check":
                return _check(options.plan, as_json=options.json)
            case "migrate":
                return _migrate(options.database_url)
            case "invariants":
                return _invariants(options.database_url)
            case _:
                raise AssertionError(options.command)
    except InvalidInput as error:
        for problem in error.problems or ():
            print(f"{problem.pointer or '/'}: {problem.detail}", file=sys.stderr)
        print(f"cadenza: {error.detail}", file=sys.stderr)
        return UNUSABLE
    except (CadenzaError, OSError) as error:
        print(f"cadenza: {error}", file=sys.stderr)
        return UNUSABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="cadenza", description="Outreach campaigns as exact state machines.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    check = commands.add_parser("check", help="compile a campaign plan and print what is wrong with it")
    check.add_argument("plan", metavar="PLAN.json", help='the plan; "-" reads standard input')
    check.add_argument("--json", action="store_true", help="print the findings as JSON")

    for name, help_text in (
        ("migrate", "bring a database's schema to the newest version"),
        ("invariants", "ask a database whether the invariants hold"),
    ):
        command = commands.add_parser(name, help=help_text)
        command.add_argument(
            "--database-url",
            default=os.environ.get("DATABASE_URL", ""),
            help="postgresql+pg8000://…; default: DATABASE_URL",
        )
    return parser


def _check(path: str, *, as_json: bool) -> int:
    from cadenza.planning.compiler import compile_plan  # noqa: PLC0415

    try:
        source: object = json.loads(sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(f"{path} is not JSON: {error}") from error
    checked = compile_plan(source)
    if as_json:
        print(json.dumps([finding.to_json() for finding in checked.findings], indent=2, ensure_ascii=False))
    else:
        for finding in checked.findings:
            where = finding.pointer or "/"
            print(f"{finding.severity} {where} {finding.code}: {finding.message} {finding.fix}".rstrip())
    return OK if checked.plan is not None else UNUSABLE


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


def _database(url: str):  # noqa: ANN202 - its type would import SQLAlchemy for every subcommand
    from cadenza.core.db import Database  # noqa: PLC0415

    if not url:
        raise InvalidInput("give --database-url or set DATABASE_URL")
    return Database(url)
