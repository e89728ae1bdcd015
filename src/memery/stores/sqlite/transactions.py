"""Begin and end of transactions on a connection."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator


@contextlib.contextmanager
def atomic(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    """Begin a transaction with a statement, then commit it or roll it back."""
    connection.execute(begin)
    with commit_or_roll_back(connection):
        yield


@contextlib.contextmanager
def commit_or_roll_back(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit the current transaction, or roll it back after an exception."""
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some failures have rolled back already
            connection.execute("ROLLBACK")
        raise


def end_read(connection: sqlite3.Connection) -> None:
    """End a transaction that only read."""
    try:
        if connection.in_transaction:
            connection.execute("COMMIT")
    except sqlite3.Error:  # COMMIT reads FTS5's tables, which may be damaged
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def try_begin(connection: sqlite3.Connection) -> bool:
    """Begin a write transaction; return False if another writer holds the lock."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True
