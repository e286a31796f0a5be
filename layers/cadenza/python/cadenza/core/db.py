"""Postgres: one small pool a process, transactions that know whose rows they may see, driver errors translated once.

The outer function owns the transaction (`Database.worker`, `Database.workspace`); everything below it takes a
connection. Row-level security does the separation: the API connects as ``cadenza_api`` and sees the workspace set for
the transaction; the workers connect as ``cadenza_worker`` and see all.
"""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from copy import copy
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

from msgspec import json
from pg8000.converters import array_out  # pyright: ignore[reportUnknownVariableType] - pg8000 is untyped
from sqlalchemy import Connection, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import DBAPIError

from cadenza.core import aws
from cadenza.core.errors import ConfigurationError, Retryable

if TYPE_CHECKING:
    from cadenza.core.ids import WorkspaceId
    from cadenza.core.settings import DatabaseSettings

DRIVER = "postgresql+pg8000"

RETRYABLE_STATES = frozenset({"40001", "40P01", "55P03", "57P01", "57P02", "57P03", "57P05", "53300", "53400"})
"""SQLSTATEs that another try may cure: serialisation, deadlock, lock time-out, restart, idle session, load."""
CONNECTION_CLASS = "08"
HOPELESS_CLASSES = frozenset({"28", "3D"})
"""Classes of SQLSTATEs of a connection that no patience will bring: wrong credentials, no such database."""

OUTAGE_RETRY_S = 600.0
"""When to come back after patience has run out: three receives, patience included, span some 20 minutes of outage."""

CONNECT_PATIENCE_S = 25.0
"""How long to keep asking for a connection: a paused Aurora cluster takes about 15 s to resume."""


def sqlstate(error: DBAPIError) -> str:
    """The five-character SQLSTATE, or "" when the server never answered."""
    return _diagnostic(error.orig, "C")


def constraint(error: DBAPIError) -> str:
    """The name of the violated constraint, or ""."""
    return _diagnostic(error.orig, "n")


def _diagnostic(error: BaseException | None, field: str) -> str:
    fields: object = error.args[0] if error is not None and error.args else None
    return str(cast("dict[str, object]", fields).get(field, "")) if isinstance(fields, dict) else ""


def _hang_up(error: BaseException) -> None:
    """Close the socket of a connection that did not come about: pg8000 leaves it open, in the frames of the error."""
    trace = error.__traceback__
    while trace is not None:
        found = trace.tb_frame.f_locals
        for opened in (found.get("sock"), getattr(found.get("self"), "_usock", None)):
            if isinstance(opened, socket.socket) and opened.fileno() >= 0:
                os.close(opened.detach())  # not close(), which would wait for the stream that is made of it
        trace = trace.tb_next


def _is_passing(error: DBAPIError) -> bool:
    state = sqlstate(error)
    return error.connection_invalidated or state in RETRYABLE_STATES or state.startswith(CONNECTION_CLASS)


class Database:
    """A pool of connections that all run as one Postgres role."""

    def __init__(
        self,
        url: URL | str,
        *,
        role: str = "",
        password: Callable[[], str] | None = None,
        connect_args: dict[str, object] | None = None,
        patience_s: float = CONNECT_PATIENCE_S,
    ) -> None:
        """``password`` is asked for each new connection (IAM tokens expire); ``role`` is set once a connection."""
        self.url = make_url(url)
        self.engine = create_engine(
            self.url, connect_args=connect_args or {}, pool_size=1, max_overflow=8, pool_pre_ping=True
        )
        self._beginning: Callable[[Connection], None] | None = None
        self._ending: Callable[[Connection], None] | None = None
        _remember_statements(self.engine.dialect.dbapi)
        event.listen(self.engine, "do_connect", self._connector(password, patience_s))
        event.listen(self.engine, "connect", _prepare)
        if role:
            event.listen(self.engine, "connect", _as_role(role))

    @staticmethod
    def _connector(password: Callable[[], str] | None, patience_s: float) -> Callable[..., object]:
        def connect(dialect: Any, _record: object, args: list[Any], parameters: dict[str, Any]) -> object:  # noqa: ANN401 - SQLAlchemy's event hands over driver objects
            deadline = time.monotonic() + patience_s
            pause_s = 0.1
            while True:
                if password is not None:
                    parameters["password"] = password()
                try:
                    return dialect.connect(*args, **parameters)
                except (dialect.loaded_dbapi.Error, OSError) as error:
                    _hang_up(error)
                    if (state := _diagnostic(error, "C"))[:2] in HOPELESS_CLASSES:
                        raise
                    if time.monotonic() + pause_s > deadline:
                        raise Retryable(f"database: no connection {state}".strip(), OUTAGE_RETRY_S) from error
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, 2.0)

        return connect

    @contextmanager
    def worker(self) -> Generator[Connection]:
        """A transaction over all workspaces (needs the worker role). Commits at the end, rolls back on any error.

        Raises:
            Retryable: The database is away, restarting, or chose this transaction to break a deadlock.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            if _is_passing(error):
                raise Retryable(f"database: {sqlstate(error) or 'no answer'}") from error
            raise

    @contextmanager
    def workspace(self, workspace: WorkspaceId) -> Generator[Connection]:
        """A transaction that sees ``workspace`` only. Otherwise as `worker`."""
        with self.worker() as connection:
            connection.execute(
                text("SELECT set_config('cadenza.workspace_id', :workspace, true)"), {"workspace": str(workspace)}
            )
            if self._beginning is not None:
                self._beginning(connection)
            yield connection
            if self._ending is not None:
                self._ending(connection)

    def beginning_with(self, beginning: Callable[[Connection], None]) -> Database:
        """The same database; its `workspace` transactions call ``beginning`` before anything else."""
        same = copy(self)
        same._beginning = beginning  # noqa: SLF001 - one of ours
        return same

    def ending_with(self, ending: Callable[[Connection], None]) -> Database:
        """The same database; its `workspace` transactions call ``ending`` before they commit."""
        same = copy(self)
        same._ending = ending  # noqa: SLF001 - one of ours
        return same

    def close(self) -> None:
        """Close every pooled connection."""
        self.engine.dispose()


_TIMESTAMPTZ, _UUID = 1184, 2950
"""Postgres' type ids (pg_type.oid) of what most of our columns are."""

_known_uuid = lru_cache(maxsize=10_000)(UUID)
"""The same few workspaces, campaigns and plans stand in row after row."""


def _remember_statements(pg8000: Any) -> None:  # noqa: ANN401 - pg8000 is untyped
    """Have each statement's placeholders numbered once. pg8000 reads it character by character, whenever it runs.

    That is 3 ms for the claim, and our statements are always the same few.
    """
    convert: Callable[[str, str, Any], tuple[str, Any]] = pg8000.dbapi.convert_paramstyle

    @lru_cache(maxsize=500)
    def numbered(statement: str) -> str:
        return convert("format", statement, ())[0]

    def remembered(style: str, statement: str, parameters: Any) -> tuple[str, Any]:  # noqa: ANN401 - as above
        return (numbered(statement), parameters) if style == "format" else convert(style, statement, parameters)

    if pg8000.legacy.convert_paramstyle is convert:
        pg8000.legacy.convert_paramstyle = remembered


class _Stream:
    """The stream of a connection as pg8000 expects it: it takes an end for a lost connection, but no reset."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - pg8000 is untyped
        self.write: Callable[[bytes], int] = stream.write
        self.flush: Callable[[], None] = stream.flush
        self._read: Callable[[int], bytes] = stream.read

    def read(self, size: int) -> bytes:
        """The next ``size`` bytes, or fewer at the end."""
        try:
            return self._read(size)
        except OSError:
            return b""


def _instant(value: str) -> datetime:
    return datetime.fromisoformat(value).astimezone(UTC)


def _array(values: list[object]) -> str:
    """An array as Postgres reads it. Ids, of which a batch sends thousands, by C code; pg8000 takes 3 µs each."""
    if set(map(type, values)) == {UUID}:
        return f"{{{json.encode(values).decode()[1:-1]}}}"
    return cast("str", array_out(values))


def _prepare(driver_connection: Any, _record: object) -> None:  # noqa: ANN401 - pg8000 is untyped
    """What pg8000 leaves to be done on a new connection."""
    raw: socket.socket = driver_connection._usock  # noqa: SLF001 - there is no public way to the socket
    if raw.family != socket.AF_UNIX:
        # It never sets TCP_NODELAY; without it Nagle and delayed ACK cost some 40 ms a transaction.
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    driver_connection._sock = _Stream(driver_connection._sock)  # noqa: SLF001 - as above
    # Its own readers take 25 µs an instant (strptime) and 3 µs a UUID: most of what a batch of rows costs in Python.
    driver_connection.register_in_adapter(_TIMESTAMPTZ, _instant)
    driver_connection.register_in_adapter(_UUID, _known_uuid)
    driver_connection.register_out_adapter(list, _array)


def _as_role(role: str) -> Callable[[Any, object], None]:
    def set_role(driver_connection: Any, _record: object) -> None:  # noqa: ANN401 - pg8000 is untyped
        cursor = driver_connection.cursor()
        cursor.execute(f'SET ROLE "{role}"')
        driver_connection.commit()
        cursor.close()

    return set_role


def _iam_password(settings: DatabaseSettings) -> Callable[[], str]:
    def token() -> str:
        return aws.rds().generate_db_auth_token(
            DBHostname=settings.database_host, Port=settings.database_port, DBUsername=settings.database_user
        )

    return token


def connect(
    settings: DatabaseSettings, *, patience_s: float = CONNECT_PATIENCE_S, timeout_s: float | None = None
) -> Database:
    """The database that the settings name. Nothing is connected before the first transaction; make one a process.

    ``timeout_s`` bounds each wait for the server, also for a statement's answer; None: as long as it takes.

    Raises:
        ConfigurationError: Neither DATABASE_URL nor DATABASE_HOST and DATABASE_USER are set.
    """
    waits: dict[str, object] = {} if timeout_s is None else {"timeout": timeout_s}
    if settings.database_url:
        return Database(settings.database_url, role=settings.database_role, connect_args=waits, patience_s=patience_s)
    if not (settings.database_host and settings.database_user):
        raise ConfigurationError("set DATABASE_URL, or DATABASE_HOST and DATABASE_USER")
    url = URL.create(
        DRIVER,
        username=settings.database_user,
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database_name,
    )
    context = ssl.create_default_context(cafile=settings.database_ca_file or None)
    return Database(
        url, password=_iam_password(settings), connect_args={"ssl_context": context, **waits}, patience_s=patience_s
    )
