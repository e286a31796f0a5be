"""Fixtures: the API's surroundings are those of the handler tests."""

from __future__ import annotations

from tests.handlers.conftest import queues

__all__ = ["queues"]
