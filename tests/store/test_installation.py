"""Workspaces and keys."""

from __future__ import annotations

import re
from datetime import datetime

import pytest
from sqlalchemy import select, update
from sqlalchemy.engine import URL

from cadenza.api.auth import authenticate
from cadenza.api.limits import Limit
from cadenza.campaigns.installation import create_workspace
from cadenza.campaigns.keys import NewApiKey, key_hash, make_key
from cadenza.core.db import Database
from cadenza.core.errors import Forbidden, Unauthorised
from cadenza.core.states import Role
from cadenza.core.tables import api_keys, automation_settings

LIMIT = Limit(rate_per_s=10, burst=10)


@pytest.fixture
def as_api(database_url: URL):
    """The fresh database, as the API sees it."""
    database = Database(database_url, role="cadenza_api", patience_s=1)
    yield database
    database.close()


def test_a_workspace_begins_with_settings_and_an_admins_key(database: Database, as_api: Database, now: datetime):
    """Broken, a new tenant could do nothing, or its engine would find no settings."""
    with database.worker() as conn:
        made = create_workspace(conn, "Tidewater (fictional)", now)
        assert conn.execute(
            select(automation_settings.c.enabled).where(automation_settings.c.workspace_id == made.workspace_id)
        ).scalar_one()
    caller = authenticate(as_api, f"Bearer {made.api_key}", LIMIT, now)
    assert (caller.workspace_id, caller.role) == (made.workspace_id, Role.ADMIN)
    assert made.api_key not in repr(made)


def test_keys_are_random_and_stored_as_hashes(database: Database, now: datetime):
    """Broken, a key could be guessed, or read by whoever reads the table."""
    with database.worker() as conn:
        made = create_workspace(conn, "Tidewater (fictional)", now)
        other = make_key(conn, made.workspace_id, NewApiKey(name="reports", role=Role.VIEWER), now).key
        stored = set(conn.execute(select(api_keys.c.key_hash)).scalars())
    assert made.api_key != other
    assert all(re.fullmatch(r"cad_[A-Za-z0-9_-]{43}", key) for key in (made.api_key, other))
    assert stored == {key_hash(made.api_key), key_hash(other)}


def test_a_revoked_key_opens_nothing(database: Database, as_api: Database, now: datetime):
    """Broken, somebody who has left could go on."""
    with database.worker() as conn:
        key = create_workspace(conn, "Tidewater (fictional)", now).api_key
        conn.execute(update(api_keys).values(revoked_at=now))
    with pytest.raises(Unauthorised):
        authenticate(as_api, f"Bearer {key}", LIMIT, now)


def test_the_api_cannot_look_keys_up_by_anything_but_their_hash(database: Database, as_api: Database, now: datetime):
    """Broken, a hole in the API would show every tenant's keys."""
    with database.worker() as conn:
        create_workspace(conn, "Tidewater (fictional)", now)
    with as_api.worker() as conn:
        assert conn.execute(select(api_keys)).all() == []


@pytest.mark.parametrize(("role", "may"), [(Role.VIEWER, 1), (Role.OPERATOR, 2), (Role.ADMIN, 3)])
def test_each_role_may_what_those_before_it_may(
    database: Database, as_api: Database, now: datetime, role: Role, may: int
):
    """Broken, an admin could not look, or a viewer could act."""
    with database.worker() as conn:
        made = create_workspace(conn, "Tidewater (fictional)", now)
        key = make_key(conn, made.workspace_id, NewApiKey(name=role, role=role), now).key
    caller = authenticate(as_api, f"bearer {key}", LIMIT, now)
    for allowed in list(Role)[:may]:
        caller.require(allowed)
    for refused in list(Role)[may:]:
        with pytest.raises(Forbidden):
            caller.require(refused)
