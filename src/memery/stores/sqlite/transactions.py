"""How a transaction on a connection begins and ends."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator


@contextlib.contextmanager
def atomic(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Begin a transaction by a statement, and end it as in `ended`."""
    connection.execute(begin)
    with ended(connection):
        yield


@contextlib.contextmanager
def ended(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what has begun, or take it back."""
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some failures have rolled back already
            connection.execute("ROLLBACK")
        raise


def end_reading(connection: sqlite3.Connection) -> None:
    """End a transaction that has only read."""
    try:
        if connection.in_transaction:
            connection.execute("COMMIT")
    except sqlite3.Error:  # it reads FTS5's tables once more, which may be damaged
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def try_begin(connection: sqlite3.Connection) -> bool:
    """Whether a transaction that writes could begin at once."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True
