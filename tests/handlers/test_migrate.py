"""The owner's function: an empty database becomes a whole one, and a tenant gets its key."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import count

import boto3
import pytest
from pydantic import ValidationError
from sqlalchemy import create_engine, inspect
from sqlalchemy.engine import URL

from cadenza.campaigns.installation import owner
from cadenza.core.db import Database
from cadenza.core.errors import ConfigurationError
from cadenza.core.ids import SYSTEM_WORKSPACE
from cadenza.core.settings import MigrateSettings
from cadenza.core.tables import METADATA
from functions.migrate.handler import handler
from local.postgres import EmbeddedPostgres
from tests.handlers.api_client import Client, environment
from tests.handlers.conftest import LambdaContext, Queues

_numbers = count(1)


@pytest.fixture
def empty(postgres: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch) -> Iterator[URL]:
    """A database with nothing in it, and the function's environment."""
    name = f"empty_{next(_numbers)}"
    url = postgres.create(name)
    monkeypatch.setenv("DATABASE_URL", url.render_as_string(hide_password=False))
    yield url
    postgres.drop(name)


@pytest.mark.parametrize("event", [{}, None])
def test_an_empty_database_is_migrated_and_again_changes_nothing(empty: URL, event: dict[str, object] | None):
    """Broken, no installation could be made or upgraded; a deployment's trigger invokes it with nothing."""
    first = handler(event, LambdaContext())  # type: ignore[arg-type]
    assert first == handler(event, LambdaContext()) == {"revision": first["revision"]}  # type: ignore[arg-type]
    engine = create_engine(empty)
    assert set(METADATA.tables) <= set(inspect(engine).get_table_names())
    engine.dispose()


def test_a_workspace_is_made_and_its_key_opens_it(
    queues: Queues,  # noqa: ARG001 - the environment
    database_url: URL,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    """Broken, nobody could begin; and a key in a log would open the door to whoever reads it."""
    with environment(database_url, monkeypatch):
        made = handler({"create_workspace": {"name": "Tidewater (fictional)"}}, LambdaContext())  # type: ignore[arg-type]
        client = Client(made["workspace_id"], made["api_key"])  # type: ignore[arg-type]
        assert client.get("/v1/automation/settings")["stagger_s"] == 5
        assert client.call("DELETE", f"/v1/suppressions/{made['workspace_id']}").status == 404, "an admin's key"
    written = "".join(str(vars(record)) for record in caplog.records)
    assert made["workspace_id"] in written
    assert made["api_key"] not in written


def test_the_installation_gets_a_key_of_its_own(
    queues: Queues,  # noqa: ARG001 - the environment
    database_url: URL,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
):
    """Broken, nobody could see or redrive messages that no workspace's key may see."""
    with environment(database_url, monkeypatch):
        made = handler({"create_key": {"name": "monitor", "role": "viewer"}}, LambdaContext())  # type: ignore[arg-type]
        client = Client(made["workspace_id"], made["api_key"])  # type: ignore[arg-type]
        assert client.workspace_id == str(SYSTEM_WORKSPACE)
        assert client.get("/v1/automation/health")["verdict"] == "ok"
        assert client.call("GET", "/v1/audit").status == 403, "a viewer's key"
    assert made["api_key"] not in "".join(str(vars(record)) for record in caplog.records)


@pytest.mark.parametrize("wanted", [{}, {"name": " "}, {"name": "x", "role": "viewer"}])
def test_a_malformed_workspace_is_refused(database_url: URL, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, str]):
    """Broken, a typing error would make a workspace without a name."""
    monkeypatch.setenv("DATABASE_URL", database_url.render_as_string(hide_password=False))
    with pytest.raises(ValidationError):
        handler({"create_workspace": wanted}, LambdaContext())  # type: ignore[arg-type]


# --- the owner's credentials -------------------------------------------------------------------------------------


def test_in_aws_the_owner_is_in_the_secret_that_rds_made(queues: Queues):  # noqa: ARG001 - the environment
    """Broken, the first deployment would stop at its migration."""
    secret = {"username": "cadenza_owner", "password": "p@ss/word", "host": "db.example", "port": 5433, "dbname": "x"}
    with owner(settings_with(json.dumps(secret))) as database:
        url = database.url
    assert (url.username, url.password, url.host, url.port, url.database) == (*secret.values(),)


@pytest.mark.parametrize("secret", ["hush", "[]", '{"username": "cadenza_owner", "password": 5}'])
def test_a_malformed_secret_is_not_quoted(queues: Queues, secret: str):  # noqa: ARG001 - the environment
    """Broken, the master password could stand in a log."""
    with pytest.raises(ConfigurationError) as refused, owner(settings_with(secret)):
        pass
    assert secret not in str(refused.value)
    assert refused.value.__cause__ is None


def test_without_an_address_the_owner_says_what_is_missing():
    """Broken, a misconfigured function would fail with a riddle."""
    with pytest.raises(ConfigurationError, match="DATABASE_SECRET_ARN"), owner(MigrateSettings()):
        pass


def settings_with(secret: str) -> MigrateSettings:
    """Settings whose secret is this."""
    arn = boto3.client("secretsmanager").create_secret(Name="owner", SecretString=secret)["ARN"]
    return MigrateSettings(database_secret_arn=arn)


def test_the_database_is_closed_after_use(database_url: URL):
    """Broken, the function's idle connection would keep the cluster from pausing."""
    settings = MigrateSettings(database_url=database_url.render_as_string(hide_password=False))
    with owner(settings) as database:
        assert isinstance(database, Database)
        with database.worker():
            pass
    assert database.engine.pool.checkedin() == 0  # type: ignore[attr-defined]
