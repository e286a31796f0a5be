"""Fixtures of the flow tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy.engine import URL

from local.world.sites import SITES
from tests.flow.world import World, world


@pytest.fixture
def sites_folder() -> Path:
    """The company sites that there are; a module may put others in their place."""
    return SITES


@pytest.fixture
def flow(database_url: URL, monkeypatch: pytest.MonkeyPatch, sites_folder: Path) -> Iterator[World]:
    """The whole system in this process, on a virtual clock."""
    with world(database_url, monkeypatch, sites_folder) as running:
        yield running
