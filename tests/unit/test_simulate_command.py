"""``cadenza simulate``: what it prints, what it refuses, and what it never loads."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cadenza.cli import OK, UNUSABLE, main
from cadenza.planning.compiler import compile_plan
from cadenza.simulate import dot
from tests.unit.playing import on, send, stop

PLANS = Path(__file__).parent / "plans"
OUTREACH = str(PLANS / "outreach-1.0.json")
START = ["--start", "2026-01-05T09:00:00Z"]

Printed = pytest.CaptureFixture[str]


def written(folder: Path, value: object, name: str = "file.json") -> str:
    """A file of this JSON, or of this text."""
    path = folder / name
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return str(path)


def plan_json(*nodes: dict[str, object], **fields: object) -> dict[str, object]:
    """A plan's JSON."""
    return {"version": "1.1", "timezone": "UTC", "startNodeId": nodes[0]["id"], "nodes": list(nodes), **fields}


def simulated(capsys: Printed, *arguments: str) -> Any:
    """The JSON that the command prints."""
    assert main(["simulate", *arguments, "--json"]) == OK
    printed = capsys.readouterr()
    assert printed.err == ""
    return json.loads(printed.out)


def refused(capsys: Printed, *arguments: str) -> list[str]:
    """The lines on standard error, once it is seen to be refused without a traceback."""
    assert main(["simulate", *arguments]) == UNUSABLE
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "Traceback" not in printed.err
    return printed.err.splitlines()


def test_the_timeline_of_a_plan_of_the_original_system(tmp_path: Path, capsys: Printed) -> None:
    """What a program reads would have another shape than is promised."""
    tape = written(tmp_path, [{"after": "PT26H", "on": "opened"}])
    printed = simulated(capsys, OUTREACH, *START, "--events", tape)
    assert list(printed) == ["timeline", "findings", "outcome"]
    assert all(list(entry) == ["at", "node", "kind", "detail"] for entry in printed["timeline"])
    assert [(entry["at"], entry["node"]) for entry in printed["timeline"] if entry["kind"] == "sent"] == [
        ("2026-01-05T12:30:00Z", "email_intro"),
        ("2026-01-08T14:30:00Z", "email_bump"),
    ]
    assert {entry["kind"] for entry in printed["timeline"]} == {
        "entered",
        "scheduled",
        "sent",
        "signal",
        "transition",
        "timeout",
        "stopped",
    }
    assert [finding["code"] for finding in printed["findings"]] == ["no_reply_route"]
    assert printed["outcome"] == "completed"


def test_people_read_local_and_utc_times_and_reasons(capsys: Printed) -> None:
    """An author would have to reckon with zones, and guess at reasons."""
    assert main(["simulate", OUTREACH, *START]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert "Local times are America/New_York." in lines
    assert any("Mon 2026-01-05 07:30 EST (2026-01-05T12:30:00Z)  email_intro  sent" in line for line in lines)
    assert any(
        line.endswith("because: quiet hours 21:00–07:30 → Mon 2026-01-05 07:30 America/New_York") for line in lines
    )
    assert lines[-1] == "Outcome: completed"


def test_the_same_input_prints_the_same_bytes(tmp_path: Path, capsys: Printed) -> None:
    """Two runs could not be compared."""
    tape = written(tmp_path, [{"after": "PT26H", "on": "opened"}])
    for more in (["--events", tape], ["--events", tape, "--json"], ["--all"], ["--all", "--json"], ["--all", "--dot"]):
        arguments = ["simulate", OUTREACH, *START, *more]
        assert main(arguments) == main(arguments) == OK
        printed = capsys.readouterr().out
        assert printed[: len(printed) // 2] == printed[len(printed) // 2 :]


def test_the_plan_comes_from_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: Printed) -> None:
    """A plan could not be piped in."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(Path(OUTREACH).read_bytes())))
    assert simulated(capsys, "-", *START)["outcome"] == "completed"


def test_without_a_start_it_is_now(capsys: Printed) -> None:
    """Everybody would have to say when."""
    before = simulated(capsys, OUTREACH)["timeline"][0]["at"]
    assert before.endswith("Z")
    assert len(before) == len("2026-01-05T09:00:00Z")


def test_the_recipients_zone_and_holidays_count(tmp_path: Path, capsys: Printed) -> None:
    """A mail would be shown at the plan's hours, or on a holiday."""
    plan = written(tmp_path, plan_json(send("a"), quietHours={"start": "20:00", "end": "08:00"}))
    new_year = ["--start", "2025-12-31T23:30:00Z", "--zone", "Europe/Lisbon", "--holidays", "pt"]
    [sent] = [entry for entry in simulated(capsys, plan, *new_year)["timeline"] if entry["kind"] == "sent"]
    assert sent["at"] == "2026-01-02T08:00:00Z"


# --- every branch ------------------------------------------------------------------------------------------------


def test_every_branch_as_text(capsys: Printed) -> None:
    """An author would not see when the second mail may go out."""
    assert main(["simulate", OUTREACH, *START, "--all"]) == OK
    printed = capsys.readouterr().out
    assert "├─ no_open after PT72H · Thu 2026-01-08 07:30 EST" in printed
    assert (
        "email_bump: Wed 2026-01-07 07:30 EST (2026-01-07T12:30:00Z) to Sat 2026-01-10 07:30 EST (2026-01-10T12:30:00Z)"
    ) in printed


def test_every_branch_as_json(capsys: Printed) -> None:
    """A program could not draw the tree itself."""
    printed = simulated(capsys, OUTREACH, *START, "--all")
    assert list(printed) == ["tree", "sends", "complete", "findings"]
    assert [branch["on"] for branch in printed["tree"]["branches"]] == ["opened", "no_open", "bounced"]
    assert printed["tree"]["sent"]["earliest"] == "2026-01-05T12:30:00Z"
    assert printed["sends"][1] == {
        "node": "email_bump",
        "earliest": "2026-01-07T12:30:00Z",
        "latest": "2026-01-10T12:30:00Z",
    }
    assert printed["complete"] is True


def test_what_is_shown_once_is_not_shown_again(tmp_path: Path, capsys: Printed) -> None:
    """A tree of ten steps would have millions of lines."""
    nodes = [
        send(f"n{step}", on("opened", f"n{step + 1}"), on("clicked", f"n{step + 1}"), on("no_open", f"n{step + 1}"))
        for step in range(10)
    ]
    plan = written(tmp_path, plan_json(*nodes, stop("n10")))
    assert main(["simulate", plan, *START, "--all"]) == OK
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) < 100
    assert sum("(see above)" in line for line in lines) == 18


def test_the_plan_and_its_branches_are_drawn(capsys: Printed) -> None:
    """Graphviz would refuse the text."""
    assert main(["simulate", OUTREACH, "--dot"]) == OK
    drawn = capsys.readouterr()
    assert '"email_intro" -> "wait_click" [label="opened within PT72H"];' in drawn.out
    assert "no_reply_route" in drawn.err
    assert main(["simulate", OUTREACH, *START, "--all", "--dot"]) == OK
    drawn = capsys.readouterr()
    assert 'label="email_bump\\nsent Wed 2026-01-07 07:30 to Sat 2026-01-10 07:30 America/New_York"' in drawn.out
    assert (drawn.out[:14], drawn.out[-3:]) == ("digraph plan {", "\n}\n")


def test_no_name_breaks_the_drawing() -> None:
    """A node with a quote in its name would end the string, and what follows would be read as Graphviz text."""
    name = 'a"];\n\\x'
    plan = compile_plan(plan_json(send(name, on("opened", "stop")))).plan
    assert plan is not None
    assert dot.of_plan(plan)[2] == '  "a\\"];\\n\\\\x" [shape=box];'


# --- what is refused ---------------------------------------------------------------------------------------------


def test_errors_in_the_plan_are_printed_as_findings(tmp_path: Path, capsys: Printed) -> None:
    """An author would learn that it is wrong, but not where."""
    plan = written(tmp_path, plan_json(send("a", on("opened", "nowhere", within="1 day"))))
    lines = refused(capsys, plan, "--json")
    assert [line.split(":")[0] for line in lines if line.startswith("error")] == [
        "error /nodes/0/transitions/0/to unknown_target",
        "error /nodes/0/transitions/0/within bad_duration",
    ]


def test_warnings_and_notes_do_not_stop_it(tmp_path: Path, capsys: Printed) -> None:
    """Plans that run could not be simulated."""
    plan = written(tmp_path, plan_json(send("a", on("opened", "stop")), stop("unreachable")))
    assert main(["simulate", plan, *START]) == OK
    assert "warning /nodes/1 unreachable_node" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--start", "yesterday"], "cadenza: --start: 'yesterday' is no instant with an offset"),
        (["--start", "2026-01-05T09:00:00"], "cadenza: --start:"),
        (["--start", ""], "cadenza: --start:"),
        (["--start", "9999-12-31T23:00:00Z"], "cadenza: --start:"),
        (["--zone", "Mars/Olympus"], "/zone: 'Mars/Olympus' is no time zone"),
        (["--holidays", "Atlantis"], "/holidays_country:"),
        (["--events", "absent.json"], "cadenza: [Errno 2]"),
        (["--events", "tape.json", "--all"], "cadenza: --events is one way"),
        (["--json", "--dot"], "cadenza: --json and --dot"),
    ],
)
def test_unusable_arguments_get_one_clear_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Printed, arguments: list[str], line: str
) -> None:
    """A typing error would end in a traceback, or simulate something else."""
    monkeypatch.chdir(tmp_path)
    assert refused(capsys, OUTREACH, *arguments)[0].startswith(line)


@pytest.mark.parametrize("text", ["{", "", "[" * 100_000, "[" * 200 + "]" * 200, '{"x": "\\ud800"}'])
def test_what_is_no_json_gets_one_clear_line(tmp_path: Path, capsys: Printed, text: str) -> None:
    """A broken file would end in a traceback."""
    path = written(tmp_path, text)
    [line] = refused(capsys, path)
    assert "is not JSON" in line
    [line] = refused(capsys, OUTREACH, "--events", path)
    assert "is not JSON" in line


def test_a_terminal_without_dashes_and_arrows_is_no_reason_to_fail() -> None:
    """The command would end in a traceback where the terminal is not UTF-8."""
    program = "import sys; from cadenza.cli import main; sys.exit(main(sys.argv[1:]))"
    environment = {"PYTHONIOENCODING": "ascii"}
    for more in ([], ["--json"]):
        command = [sys.executable, "-c", program, "simulate", OUTREACH, *START, *more]
        ran = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
        assert (ran.returncode, ran.stderr) == (OK, "")
    [why] = [entry["detail"]["why"] for entry in json.loads(ran.stdout)["timeline"] if entry["kind"] == "scheduled"][:1]
    assert why == ["quiet hours 21:00–07:30 → Mon 2026-01-05 07:30 America/New_York"]


def test_what_is_no_utf8_gets_one_clear_line(tmp_path: Path, capsys: Printed) -> None:
    """A file of another program would end in a traceback."""
    path = tmp_path / "plan.json"
    path.write_bytes(b'{"x": "\xff"}')
    assert "is not JSON" in refused(capsys, str(path))[0]


def test_a_mistake_in_the_tape_names_file_entry_and_field(tmp_path: Path, capsys: Printed) -> None:
    """An author of a long tape would have to search."""
    tape = written(tmp_path, [{"after": "PT1H", "on": "opened"}, {"after": "soon", "on": "opened"}], "tape.json")
    first, last = refused(capsys, OUTREACH, *START, "--events", tape)
    assert first.startswith(f"{tape}#/1/after: 'soon' is no ISO 8601 duration")
    assert last == "cadenza: this is not a tape"


# --- what it loads -----------------------------------------------------------------------------------------------

FORBIDDEN = {"sqlalchemy", "boto3", "botocore", "pg8000", "holidays", "openai", "jinja2", "aws_lambda_powertools"}


@pytest.mark.parametrize("more", [[], ["--json"], ["--all"], ["--all", "--dot"], ["--dot"]])
def test_it_loads_no_database_and_no_cloud(more: list[str]) -> None:
    """A check that takes 0.3 seconds would take 1.5."""
    program = (
        "import sys; from cadenza.cli import main; status = main(sys.argv[1:]);"
        f"print(status, *sorted({FORBIDDEN!r} & set(sys.modules)), file=sys.stderr)"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, "simulate", OUTREACH, *more], capture_output=True, text=True, check=False
    )
    assert ran.stderr.splitlines()[-1] == "0"


def test_whoever_has_read_enough_may_go() -> None:
    """``cadenza … | head`` would end in a complaint about a pipe."""
    read, write = os.pipe()
    os.close(read)
    program = "import sys; from cadenza.cli import main; sys.exit(main(sys.argv[1:]))"
    ran = subprocess.run(
        [sys.executable, "-c", program, "simulate", OUTREACH, "--all", "--json"],
        stdout=write,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, b"")
