"""Fixtures of the tests on Postgres."""

from __future__ import annotations

from tests.store.sending import world as world  # noqa: PLC0414 - a fixture, for every module of this folder
