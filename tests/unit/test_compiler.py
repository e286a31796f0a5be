"""The compiler: what the original system would run still runs, and every kind of fault has its finding."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest

from cadenza.core.errors import InvalidInput
from cadenza.planning.compiled import END
from cadenza.planning.compiler import compile_plan, compiled
from cadenza.planning.durations import Duration
from cadenza.planning.findings import Finding, FindingCode, Severity
from cadenza.planning.graph import Bounds, bounds
from cadenza.planning.model import content_hash, parse_plan
from tests.unit.playing import on, send, stop, wait

PLANS = Path(__file__).parent / "plans"
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


def plan(*nodes: dict[str, object], version: str = "1.1", **fields: object) -> dict[str, object]:
    """Plan JSON that starts with its first node."""
    return {"version": version, "timezone": "UTC", "startNodeId": nodes[0]["id"], "nodes": list(nodes), **fields}


def found(source: object, code: FindingCode, **options: frozenset[str]) -> list[tuple[Severity, str]]:
    """Severity and pointer of every finding of ``code``."""
    findings = compile_plan(source, **options).findings
    return [(finding.severity, finding.pointer) for finding in findings if finding.code is code]


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda path: path.stem)
def test_sample_plans_compile_without_a_warning(path: Path) -> None:
    """A plan of the original system, or of the documentation, would be refused or cried at."""
    source = json.loads(path.read_text())
    result = compile_plan(source, variables=frozenset({"first_name"}))
    assert {finding.severity for finding in result.findings} <= {NOTE}
    assert result.plan is not None
    assert result.plan.hash == content_hash(parse_plan(source))
    assert compiled(source) == result.plan


def test_a_1_0_plan_keeps_its_meaning() -> None:
    """A running campaign would change its course when it moves to this engine."""
    result = compiled(json.loads((PLANS / "bare-1.0.json").read_text()))
    hello = result.nodes["hello"]
    assert [way.to for way in hello.transitions] == [END, "again", END, END, END]
    assert [way.rule for way in hello.transitions] == [
        "transitions/0: clicked",
        "transitions/1: no_open after PT72H (the plan's default)",
        "transitions/2: blocked",
        "transitions/3: spamreport",
        "transitions/4: unsubscribed",
    ]


OK = send("a")
CASES: list[tuple[FindingCode, object, list[tuple[Severity, str]]]] = [
    (FindingCode.MALFORMED, "no plan", [(ERROR, "")]),
    (FindingCode.MALFORMED, plan({"id": "a", "action": "jump"}), [(ERROR, "/nodes/0/action")]),
    (FindingCode.MALFORMED, plan({**OK, "schedule": "soon"}), [(ERROR, "/nodes/0/schedule")]),
    (FindingCode.UNKNOWN_FIELD, plan(OK, delay="P1D"), [(ERROR, "/delay")]),
    (
        FindingCode.UNKNOWN_FIELD,
        plan(send("a", {**on("opened", "stop"), "if": "x"})),
        [(ERROR, "/nodes/0/transitions/0/if")],
    ),
    (FindingCode.UNKNOWN_FIELD, plan({**OK, "note": "mine"}, version="1.0"), []),
    (
        FindingCode.NEWER_FEATURE,
        plan(send("a", on("replied", "stop")), version="1.0"),
        [(NOTE, "/nodes/0/transitions/0/on")],
    ),
    (FindingCode.BAD_ZONE, plan(OK) | {"timezone": "Mars/Olympus"}, [(ERROR, "/timezone")]),
    (FindingCode.BAD_DURATION, plan(send("a", schedule={"delay": "1 day"})), [(ERROR, "/nodes/0/schedule/delay")]),
    (
        FindingCode.BAD_DURATION,
        plan(send("a", on("opened", "stop", within="P1.5D"))),
        [(ERROR, "/nodes/0/transitions/0/within")],
    ),
    (
        FindingCode.BAD_DURATION,
        plan(
            send("a", on("no_open", "stop"), on("no_click", "stop", after="P1D")),
            defaults={"timers": {"no_open_after": "-P1D"}},
        ),
        [(ERROR, "/defaults/timers/no_open_after")],
    ),
    (FindingCode.BAD_INSTANT, plan(send("a", schedule={"at": "2026-01-01T09:00"})), [(ERROR, "/nodes/0/schedule/at")]),
    (FindingCode.BAD_INSTANT, plan(send("a", schedule={"at": "2026-01-01T09:00+02:00"})), []),
    (FindingCode.DUPLICATE_NODE, plan(OK, OK), [(ERROR, "/nodes/1/id")]),
    (FindingCode.MISSING_START, plan(OK) | {"startNodeId": "z"}, [(ERROR, "/startNodeId")]),
    (FindingCode.UNKNOWN_TARGET, plan(send("a", on("opened", "z"))), [(ERROR, "/nodes/0/transitions/0/to")]),
    (FindingCode.UNKNOWN_TARGET, plan(send("a", on("opened", "stop"))), []),
    (FindingCode.UNREACHABLE_NODE, plan(OK, send("b")), [(ERROR, "/nodes/1")]),
    (FindingCode.UNREACHABLE_NODE, plan(OK, send("b"), version="1.0"), [(WARNING, "/nodes/1")]),
    (FindingCode.UNREACHABLE_NODE, plan(OK, stop()), [(WARNING, "/nodes/1")]),
    (FindingCode.MISSING_STOP, plan(OK), [(NOTE, "/nodes")]),
    (FindingCode.MISSING_STOP, plan(send("a", on("opened", "end")), stop()), []),
    (
        FindingCode.MISSING_STOP,
        plan(send("a", on("opened", "b"), on("clicked", "stop")), wait("b", on("no_click", "b", after="P1D"))),
        [(WARNING, "/nodes/1")],
    ),
    (
        FindingCode.UNBOUNDED_LOOP,
        plan(send("a", on("opened", "b")), wait("b", on("clicked", "c")), wait("c", on("opened", "b"))),
        [(ERROR, "/nodes/1")],
    ),
    (FindingCode.UNBOUNDED_LOOP, plan(wait("b", on("no_click", "b", after="PT0S"))), [(ERROR, "/nodes/0")]),
    (FindingCode.UNBOUNDED_LOOP, plan(wait("b", on("no_click", "b", after="P1D"))), [(WARNING, "/nodes/0")]),
    (FindingCode.UNBOUNDED_LOOP, plan(send("a", on("no_open", "a"), on("opened", "stop"))), [(WARNING, "/nodes/0")]),
    (
        FindingCode.TIMEOUT_NEVER_FIRES,
        plan(send("a", on("no_open", "stop", after="P3D"), on("no_open", "stop", after="P5D"))),
        [(WARNING, "/nodes/0/transitions/1")],
    ),
    (
        # Who does not click by day 2 is gone; who clicks has opened.
        FindingCode.TIMEOUT_NEVER_FIRES,
        plan(send("a", on("no_open", "stop", after="P3D"), on("no_click", "stop", after="P2D"))),
        [(WARNING, "/nodes/0/transitions/0")],
    ),
    (
        FindingCode.TIMEOUT_NEVER_FIRES,
        plan(send("a", on("no_open", "stop", after="P2D"), on("no_click", "stop", after="P3D"))),
        [],
    ),
    (FindingCode.EVENT_NEVER_MATCHES, plan(wait("w", on("opened", "stop"))), [(WARNING, "/nodes/0/transitions/0")]),
    (
        FindingCode.EVENT_NEVER_MATCHES,
        plan(send("a", on("clicked", "stop"), channel="sms")),
        [(WARNING, "/nodes/0/transitions/0")],
    ),
    (
        FindingCode.EVENT_NEVER_MATCHES,
        plan(send("a", on("opened", "stop", within="P2D"), on("opened", "stop", within="P1D"))),
        [(WARNING, "/nodes/0/transitions/1")],
    ),
    (
        FindingCode.EVENT_NEVER_MATCHES,
        plan(send("a", on("opened", "stop", within="P1D"), on("opened", "stop", within="P2D"))),
        [],
    ),
    (
        FindingCode.EVENT_TIMEOUT_RACE,
        plan(send("a", on("opened", "stop", within="P5D"), on("no_open", "stop", after="P3D"))),
        [(WARNING, "/nodes/0/transitions/0")],
    ),
    (
        FindingCode.EVENT_TIMEOUT_GAP,
        plan(send("a", on("opened", "stop", within="P1D"), on("no_open", "stop", after="P3D"))),
        [(WARNING, "/nodes/0/transitions/0")],
    ),
    (
        FindingCode.EVENT_TIMEOUT_GAP,
        plan(send("a", on("opened", "stop", within="P3D"), on("no_open", "stop", after="PT72H"))),
        [],
    ),
    (FindingCode.NO_REPLY_ROUTE, plan(OK), [(NOTE, "/nodes")]),
    (FindingCode.NO_REPLY_ROUTE, plan(send("a", on("replied", "stop"))), []),
    (FindingCode.MISSING_CONTENT, plan({"id": "a", "action": "send", "body": "b"}), [(ERROR, "/nodes/0")]),
    (
        FindingCode.MISSING_CONTENT,
        plan({"id": "a", "action": "send", "subject": "s", "body": " "}),
        [(ERROR, "/nodes/0")],
    ),
    (FindingCode.MISSING_CONTENT, plan({"id": "a", "action": "send", "channel": "sms", "body": "b"}), []),
    (FindingCode.LONG_CONTENT, plan(send("a", channel="sms", body="x" * 1601)), [(WARNING, "/nodes/0/body")]),
    (FindingCode.LONG_CONTENT, plan(send("a", subject="x" * 256)), [(WARNING, "/nodes/0/subject")]),
    (FindingCode.IGNORED_FIELD, plan(OK, {**stop(), "body": "b"}), [(NOTE, "/nodes/1/body")]),
    (
        FindingCode.IGNORED_FIELD,
        plan(send("a", on("no_open", "stop", within="P1D"))),
        [(WARNING, "/nodes/0/transitions/0/within")],
    ),
    (
        FindingCode.NO_WINDOW,
        plan(send("a", channel="sms"), quietHours={"start": "07:00", "end": "22:00"}),
        [(ERROR, "/quietHours")],
    ),
    (FindingCode.NO_WINDOW, plan(send("a", channel="sms"), quietHours={"start": "22:00", "end": "07:00"}), []),
    (FindingCode.TOO_LONG, plan(send("a", schedule={"delay": "P13M"})), [(WARNING, "/nodes")]),
    (
        FindingCode.TOO_MANY_SENDS,
        plan(*(send(f"n{step}", on("no_open", f"n{step + 1}")) for step in range(12)), send("n12")),
        [(WARNING, "/nodes")],
    ),
]


@pytest.mark.parametrize(("code", "source", "expected"), CASES, ids=[f"{case[0]}-{n}" for n, case in enumerate(CASES)])
def test_each_fault_has_its_finding(code: FindingCode, source: object, expected: list[tuple[Severity, str]]) -> None:
    """An author, or the AI that repairs its plan, would not learn what is wrong, or where."""
    assert found(source, code) == expected
    result = compile_plan(source)
    assert (result.plan is None) == bool(result.errors)


def test_every_kind_of_finding_is_tested() -> None:
    """A check could stop working, and nobody would see."""
    assert {case[0] for case in CASES} | {FindingCode.UNKNOWN_VARIABLE} == set(FindingCode)


@pytest.mark.parametrize(
    ("body", "unknown"),
    [
        ("Hello {{ first_name }}", 0),
        ("{{first_name|default('there')}} of {{ company.name }}", 0),
        ("Hello {{ frist_name }}", 1),
        ("{{ company }} {{}} {{ 7 }}", 3),
        ("{ first_name } and {% raw %}", 0),
    ],
)
def test_template_variables_are_checked_against_the_known_ones(body: str, unknown: int) -> None:
    """A contact would be greeted as {{ frist_name }}."""
    known = frozenset({"first_name", "company.name"})
    source = plan(send("a", body=body))
    assert len(found(source, FindingCode.UNKNOWN_VARIABLE, variables=known)) == unknown
    assert found(source, FindingCode.UNKNOWN_VARIABLE) == []
    old = found({**source, "version": "1.0"}, FindingCode.UNKNOWN_VARIABLE, variables=known)
    assert old == [(WARNING, "/nodes/0/body")] * unknown


def test_unreachable_nodes_are_left_out_of_what_runs() -> None:
    """The engine would carry nodes along that nothing can lead to."""
    result = compile_plan(
        plan(send("a", on("opened", "b")), wait("b", on("clicked", "stop")), send("z"), version="1.0")
    )
    assert result.plan is not None
    assert set(result.plan.nodes) == {"a", "b"}


def test_a_stored_plan_with_errors_says_what_is_wrong() -> None:
    """A plan that no longer compiles would fail somewhere in the engine instead of where it is loaded."""
    with pytest.raises(InvalidInput) as caught:
        compiled(plan(send("a", on("opened", "z"))))
    assert [problem.pointer for problem in caught.value.problems] == ["/nodes/0/transitions/0/to"]


def test_findings_are_printable() -> None:
    """The API and the simulator could not show them."""
    finding = compile_plan(plan(OK)).findings[0]
    assert isinstance(finding, Finding)
    assert json.loads(json.dumps(finding.to_json()))["code"] == "missing_stop"


@pytest.mark.parametrize(
    ("nodes", "unreachable"),
    [
        # Past a suppression nothing is sent: the bounce ends the enrolment.
        ([send("a", on("complained", "b")), send("b")], ["/nodes/1"]),
        ([send("a", on("complained", "b")), send("b", channel="sms")], []),
        # Nothing has been sent that could be opened.
        ([wait("a", on("opened", "b"), on("no_reply", "stop")), send("b")], ["/nodes/1"]),
        # Who came by opening has opened.
        ([send("a", on("opened", "w")), wait("w", on("no_open", "b", after="P1D")), send("b")], ["/nodes/2"]),
        ([send("a", on("opened", "w")), wait("w", on("no_click", "b", after="P1D")), send("b")], []),
        # The other timeout is always there first; with a way to stop it, it is not.
        (
            [send("a", on("no_reply", "stop", after="P1D"), on("delivered", "b", after="P2D")), send("b")],
            ["/nodes/1"],
        ),
        ([send("a", on("no_open", "stop", after="P1D"), on("delivered", "b", after="P2D")), send("b")], []),
        # What fails is blocked too, and that way comes first.
        ([send("a", on("blocked", "stop"), on("failed", "b")), send("b")], ["/nodes/1"]),
    ],
)
def test_a_send_that_only_seems_reachable_is_refused(nodes: list[dict[str, object]], unreachable: list[str]) -> None:
    """An author would write a message that nobody can ever get, and wonder why."""
    assert found(plan(*nodes), FindingCode.UNREACHABLE_NODE) == [(ERROR, pointer) for pointer in unreachable]
    old = plan(*nodes, version="1.0")
    assert found(old, FindingCode.UNREACHABLE_NODE) == [(WARNING, pointer) for pointer in unreachable]
    assert compiled(plan(*nodes)).nodes.keys() >= {"a", "b"}, "a stored plan is not searched again"


def test_silence_within_a_time_is_silence_after_it() -> None:
    """A plan that says no_open within a day would wait for the default three."""
    [timer] = compiled(plan(send("a", on("no_open", "stop", within="P1D")))).nodes["a"].timers
    assert (timer.within, timer.after) == (None, Duration(days=1))


@pytest.mark.parametrize(
    ("nodes", "visits", "sends", "days"),
    [
        ([send("a", schedule={"delay": "P2D"})], 1, 1, 2),
        ([send("a", on("opened", "b", within="P3D"), on("no_open", "b", after="P3D")), send("b")], 2, 2, 3),
        # An open takes its way out or lets the timer fire: nobody stays longer than the timer.
        ([send("a", on("opened", "b"), on("no_open", "b", after="P1D")), send("b")], 2, 2, 1),
        # Here an open stops the timer and leads nowhere: a delivery is waited for until the horizon.
        ([send("a", on("delivered", "b"), on("no_open", "b", after="P1D")), send("b")], 2, 2, 30),
        ([send("a", on("delivered", "stop", after="P9D"))], 1, 1, 39),
        ([send("a", on("opened", "w")), wait("w", on("no_click", "stop", after="P5D"))], 2, 1, 35),
        ([send("a", on("no_open", "a", after="P1D"))], 100, 100, 100),
        ([wait("w", on("no_open", "w", after="P1D"))], 100, 0, 100),
    ],
)
def test_a_plan_has_its_bounds(nodes: list[dict[str, object]], visits: int, sends: int, days: int) -> None:
    """Its author would be told less, or far more, than can happen to one contact."""
    assert bounds(compiled(plan(*nodes)).nodes) == Bounds(visits, sends, timedelta(days=days))
