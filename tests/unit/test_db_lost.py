"""A database that hangs up is passing trouble, in whatever way and at whatever moment it does so."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest
from sqlalchemy import text

from cadenza.core.db import DRIVER, Database
from cadenza.core.errors import Retryable
from local.postgres import EmbeddedPostgres

AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: closing resets the connection instead of ending it (RFC 9293, section 3.5.2)."""


@contextmanager
def resetting_server(answers: int) -> Iterator[int]:
    """A server that takes as many messages, then resets the connection; yields its port. It refuses TLS."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return  # the test is over
                with connection:
                    for _ in range(answers):
                        connection.recv(1024)
                        connection.sendall(b"N")
                    connection.recv(1024)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)

        thread = Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.mark.parametrize("answers", [0, 1], ids=["at the first word", "during the greeting"])
def test_a_reset_while_connecting_is_tried_again_later(answers: int):
    """Broken, a restarting database would count as a poisonous message, and after three receives mail would be lost."""
    with resetting_server(answers) as port:
        database = Database(f"{DRIVER}://cadenza@127.0.0.1:{port}/cadenza", patience_s=0.05)
        with pytest.raises(Retryable, match="database"), database.worker():
            pass
        database.close()


def test_a_connection_that_was_reset_while_it_idled_is_replaced(postgres: EmbeddedPostgres):
    """Broken, the first work after a failover would fail, although a new connection would do."""
    database = Database(postgres.url("postgres"))
    with database.worker() as conn:
        conn.execute(text("SELECT 1"))
        driver = conn.connection.driver_connection
    assert driver is not None
    driver._sock._read = reset  # what the kernel answers on a connection whose other end is gone
    with database.worker() as conn:
        assert conn.execute(text("SELECT 2")).scalar_one() == 2
    database.close()


def test_a_connection_that_is_reset_within_a_transaction_is_passing_trouble(postgres: EmbeddedPostgres):
    """Broken, work that a failover interrupts would count as poison instead of coming back."""
    database = Database(postgres.url("postgres"))
    with pytest.raises(Retryable, match="database"):
        _work_that_is_cut_off(database)
    database.close()


def _work_that_is_cut_off(database: Database) -> None:
    with database.worker() as conn:
        driver = conn.connection.driver_connection
        assert driver is not None
        driver._sock._read = reset
        conn.execute(text("SELECT 1"))


def reset(_: int) -> bytes:
    raise ConnectionResetError
