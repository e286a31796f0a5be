"""What the public function must never load: it takes events in while Postgres sleeps, and it starts fast."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
HANDLER = ROOT / "functions" / "webhook" / "handler.py"
FORBIDDEN = ("sqlalchemy", "pg8000", "alembic", "openai", "jinja2", "bs4", "lxml", "httpx2")


def cadenza_imports(source: str) -> set[str]:
    """The modules of the domain layer that a handler imports, as written."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found |= {name.name for name in names}
            case ast.ImportFrom(module=str(module), names=names):
                found |= {module, *(f"{module}.{name.name}" for name in names)}
            case _:
                pass
    return {name for name in found if name.split(".")[0] == "cadenza"}


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    """Who imports whom, imports inside functions too."""
    return grimp.build_graph("cadenza", include_external_packages=True, cache_dir=None)


@pytest.mark.parametrize("forbidden", FORBIDDEN)
def test_no_way_leads_from_the_webhook_to_what_it_must_not_load(graph: grimp.ImportGraph, forbidden: str):
    """Broken, events would be lost while the database is down; the failure names the chain of imports that did it."""
    starts = sorted(cadenza_imports(HANDLER.read_text()) & graph.modules)
    assert starts
    # What nothing in the whole layer imports is not in the graph, and not in the way either.
    ends = {forbidden} & graph.modules
    chains = [chain for start in starts for end in ends if (chain := graph.find_shortest_chain(start, end))]
    assert not chains, " and ".join(" → ".join(chain) for chain in chains)


def test_the_graph_sees_what_it_is_asked_about(graph: grimp.ImportGraph):
    """Broken, the test above would pass whatever is imported."""
    assert graph.find_shortest_chain("cadenza.core.db", "sqlalchemy") == ("cadenza.core.db", "sqlalchemy")


@pytest.mark.parametrize(
    ("function", "forbidden"),
    [("webhook", (*FORBIDDEN, "cryptography")), ("api", ("openai", "jinja2", "nh3", "bs4", "alembic", "smtplib"))],
)
def test_a_cold_start_loads_none_of_it(function: str, forbidden: tuple[str, ...]):
    """Broken, everybody who clicks a link, or asks the API, would wait for libraries that the answer does not need."""
    program = f"import sys; import functions.{function}.handler; print(*sorted({set(forbidden)!r} & set(sys.modules)))"
    path = f"{ROOT}:{ROOT / 'layers' / 'cadenza' / 'python'}"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, env={"PYTHONPATH": path}, cwd=ROOT
    )
    assert (ran.returncode, ran.stdout.split(), ran.stderr) == (0, [], "")
