"""One deployed system for all tests that need it: it takes seconds to start."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from local.system import LocalSystem


@pytest.fixture(scope="session")
def system() -> Iterator[LocalSystem]:
    """The real stack on the local AWS, which refuses whatever the functions' roles do not grant."""
    with LocalSystem(enforce_iam=True) as running:
        yield running
