"""Whatever the compiler is given it answers, and what it lets pass can do all that it says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cadenza.planning.compiler import compile_plan
from cadenza.planning.findings import FindingCode, Severity
from cadenza.planning.model import NodeAction
from tests.unit.properties import Source, sources
from tests.unit.reaching import reachable_nodes


@given(source=sources())
def test_every_send_of_a_plan_that_compiles_can_be_reached(source: Source) -> None:
    """An author would write, and pay for, a message that no event and no silence can ever lead to."""
    plan = compile_plan(source).plan
    if plan is None:
        return
    sends = {node.id for node in plan.nodes.values() if node.action is NodeAction.SEND}
    missing = sends - reachable_nodes(plan)
    assert not missing


@given(source=sources())
def test_a_send_that_is_refused_as_unreachable_is_so(source: Source) -> None:
    """A plan would be refused for a message that can well be reached."""
    result = compile_plan(source)
    if {finding.code for finding in result.errors} != {FindingCode.UNREACHABLE_NODE}:
        return
    lenient = compile_plan({**source, "version": "1.0"}).plan
    assert lenient is not None
    nodes = source["nodes"]
    assert isinstance(nodes, list)
    refused = {nodes[int(finding.pointer.removeprefix("/nodes/"))]["id"] for finding in result.errors}
    assert refused.isdisjoint(reachable_nodes(lenient))


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.text(max_size=5)
        | st.sampled_from(["P1D", "a", "send", "opened"]),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(
                    ["version", "timezone", "startNodeId", "nodes", "id", "action", "transitions", "on", "to"]
                ),
                inner,
                max_size=5,
            )
        ),
        max_leaves=12,
    )
)
def test_no_json_makes_the_compiler_raise(source: object) -> None:
    """An upload of anything at all would be answered with an internal error."""
    result = compile_plan(source)
    assert (result.plan is None) == any(finding.severity is Severity.ERROR for finding in result.findings)
