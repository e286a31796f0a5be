"""One deployed system for a module of tests: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.system import LocalSystem


@pytest.fixture(scope="module")
def system() -> Iterator[LocalSystem]:
    """The real stack on the local AWS, which refuses whatever the functions' roles do not grant."""
    with LocalSystem(enforce_iam=True) as running:
        yield running
