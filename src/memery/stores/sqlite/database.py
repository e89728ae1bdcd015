"""The database of an archive: its connection, its transactions, its settings, its one writer."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Iterator

from memery.archive import Archive
from memery.errors import ArchiveDamaged
from memery.stores.sqlite import schema

logger = logging.getLogger(__name__)

READERS = 8
"""Connections that read at a time; further readers wait for one."""
_DIGITS = 18
"""Of the version, at most."""


class Database:
    """One connection writes, a few read beside it, so that threads do not wait for one another.

    Nothing is created on disk before the first write; until then an empty one in memory serves.

    Args:
        archive: whose database to open.

    Raises:
        ArchiveError: it cannot be opened, is damaged, or belongs to another folder.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._mutex = threading.RLock()
        self._places = threading.Semaphore(READERS)
        self._idle: list[sqlite3.Connection] = []
        self._notes: sqlite3.Connection | None = None
        self._note_mutex = threading.Lock()
        self._closed = False
        self._in_memory = not archive.exists()
        self._connection = schema.connect(None if self._in_memory else archive.store)
        try:
            self._check_root()
        except BaseException:
            self._connection.close()
            raise

    def _open_file(self) -> None:
        """Go on with the file, now that there is one or is to be one."""
        connection = schema.connect(self._archive.store)
        self._connection.close()
        self._connection = connection
        self._in_memory = False
        self._check_root()

    def _check_root(self) -> None:
        root = self.setting("root")
        if root not in (None, os.fsencode(self._archive.root).hex()):
            raise ArchiveDamaged(
                f"The archive {self._archive.folder} belongs to another folder than"
                f" {self._archive.root}. Name another place with --archive."
            )

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer, creating the archive if need be."""
        with self._archive.lock():
            if self._in_memory:
                self._open_file()
                for file in self._archive.seed_files():
                    logger.warning("%s was made by memery 0.1 and is ignored: it can go.", file)
                if self._archive.folder.parent != self._archive.root:
                    self.remember("root", os.fsencode(self._archive.root).hex())
            yield

    @contextlib.contextmanager
    def transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        """All of what happens inside, or nothing."""
        with (
            self._mutex,
            schema.translated(self._archive.store),
            _transaction(self._connection, begin),
        ):
            yield self._connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One snapshot: what others commit meanwhile is not seen."""
        if self._in_memory or self._closed:
            with self._mutex:
                if self._in_memory and self._archive.exists():  # another process has made it
                    self._open_file()
                if self._in_memory or self._closed:
                    with self.transaction("BEGIN DEFERRED") as db:
                        yield db
                    return
        with self._places, schema.translated(self._archive.store):
            connection = self._take()
            try:
                with _transaction(connection, "BEGIN DEFERRED"):
                    yield connection
            finally:
                self._give_back(connection)

    def _take(self) -> sqlite3.Connection:
        with contextlib.suppress(IndexError):
            return self._idle.pop()  # one step: no other thread gets the same
        return schema.connect(self._archive.store)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._mutex:
            if self._closed:
                connection.close()
            else:
                self._idle.append(connection)

    @contextlib.contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that makes the store's version grow."""
        with self.transaction("BEGIN IMMEDIATE") as db:
            yield db
            db.execute(
                "UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE name = 'version'"
            )

    @contextlib.contextmanager
    def noting(self) -> Iterator[sqlite3.Connection | None]:
        """A transaction for what may be lost: nobody is waited for, and no disk.

        None where somebody writes just now.
        """
        if not self._note_mutex.acquire(blocking=False):
            yield None
            return
        try:
            with schema.translated(self._archive.store), self._noted() as db:
                yield db
        finally:
            self._note_mutex.release()

    @contextlib.contextmanager
    def _noted(self) -> Iterator[sqlite3.Connection | None]:
        if self._in_memory or self._closed:
            with self.transaction("BEGIN IMMEDIATE") as db:
                yield db
            return
        if self._notes is None:
            self._notes = schema.connect(self._archive.store)
            self._notes.execute("PRAGMA busy_timeout = 0")
            self._notes.execute("PRAGMA synchronous = NORMAL")
        if not _begun(self._notes):
            yield None
            return
        with _ended(self._notes):
            yield self._notes

    def shrink(self) -> None:
        """Give the space of what was deleted back to the disk, if there is room to do it."""
        with self._mutex, contextlib.suppress(sqlite3.Error):
            self._connection.execute("VACUUM")

    def version(self) -> int:
        """A number that grows with every commit, by any process."""
        version = self.setting("version") or ""
        if not version.isdecimal() or len(version) > _DIGITS:
            raise self.damaged("it has no valid version")
        return int(version)

    def setting(self, name: str) -> str | None:
        """A choice that the archive remembers, or None."""
        with self.reading() as db:
            row = db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        """Remember a choice."""
        with self.changing() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Let go of the file."""
        with self._mutex:
            self._closed = True
            self._connection.close()
            if self._notes is not None:
                self._notes.close()
            while self._idle:
                self._idle.pop().close()

    def damaged(self, what: str) -> ArchiveDamaged:
        """The error for content that memery does not write."""
        return ArchiveDamaged(schema.damage(self._archive.store, what))


@contextlib.contextmanager
def _transaction(connection: sqlite3.Connection, begin: str) -> Iterator[None]:
    connection.execute(begin)
    with _ended(connection):
        yield


@contextlib.contextmanager
def _ended(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what has begun, or take it back."""
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # some failures have rolled back already
            connection.execute("ROLLBACK")
        raise


def _begun(connection: sqlite3.Connection) -> bool:
    """Whether a transaction that writes could begin at once."""
    try:
        connection.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return False
        raise
    return True
