"""The database of an archive: its connection, its transactions, its settings, its one writer."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memery.archive import Archive
from memery.errors import ArchiveDamaged, ArchiveError
from memery.process.forks import ForkAware, abandon
from memery.stores.sqlite import connections
from memery.stores.sqlite.errors import damage_message, map_sqlite_errors, not_writable
from memery.stores.sqlite.transactions import atomic, end_reading, ended, try_begin

logger = logging.getLogger(__name__)

READERS = 8
"""Connections that read at a time; further readers wait for one."""
_DIGITS = 18
"""Of the version, at most."""
_LOG_BYTES = 16 << 20
"""Of the write-ahead log, about: it is begun anew after a commit that finds it longer."""
_ATTEMPTS = 5
"""To begin a snapshot while the archive is being put in another's place."""
_FORK_SECONDS = 5.0
"""How long a fork waits for what other threads read or write."""
_Identity = tuple[int, int]
"""Of a file: its device and its number there."""


class Database(ForkAware):
    """One connection writes, a few read beside it, so that threads do not wait for one another.

    Nothing is created on disk before the first write; until then an empty one in memory serves.
    Should another process delete the archive, or put another in its place, the next transaction
    goes on with what lies there then. When this process forks, connections are closed before, once
    what is under way has ended; parent and child open their own at their next transaction.

    Args:
        archive: whose database to open.

    Raises:
        ArchiveError: it cannot be opened, is damaged, or belongs to another folder.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._make_locks()
        self._idle: list[connections.Connection] = []
        self._notes: tuple[sqlite3.Connection, _Identity | None] | None = None
        self._thread = threading.local()
        self._closed, self._is_writing = True, False
        self._held: contextlib.ExitStack | None = None
        self._is_parted = self._is_forked_amid = False
        self.watch_forks()
        with self._mutex:  # a fork waits: it must not cut SQLite short either, which has locks, too
            self._connection = self._connect(on_disk=archive.exists(), create=False)
            try:
                self._check_root()
            except BaseException:
                self._connection.close()
                raise
            self._closed = False

    def _make_locks(self) -> None:
        self._mutex = threading.RLock()
        self._places = threading.Semaphore(READERS)
        self._note_mutex = threading.Lock()

    def before_fork(self) -> None:
        """Close the connections: SQLite takes a child's for the parent's, and forgets its locks."""
        self._held = self._hold_all(time.monotonic() + _FORK_SECONDS)
        if self._held is None or self._closed or self._is_parted:
            return
        if not self._connection.in_transaction:
            self._close_connections()
            self._is_parted = True

    def after_fork(self, *, in_child: bool) -> None:
        """Let threads go on; a child without connections of its own may not use the parent's."""
        if not in_child:
            if self._held is not None:
                self._held.close()
            return
        self._make_locks()
        self._is_writing = False
        if not (self._is_parted or self._closed):
            self._is_forked_amid = True
            self._thread = threading.local()
            for connection in (self._connection, *self._idle, *(self._notes or ())[:1]):
                abandon(connection)

    def _hold_all(self, until: float) -> contextlib.ExitStack | None:
        """Every lock, when nothing is read or written any more; None where that takes too long."""
        locks: tuple[Any, ...] = (*[self._places] * READERS, self._note_mutex, self._mutex)
        with contextlib.ExitStack() as held:
            for lock in locks:
                if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
                    return None
                held.callback(lock.release)
            return held.pop_all()

    def _rejoin(self) -> None:
        """Open the connection again after a fork."""
        with self._mutex:
            if not self._is_parted:
                return
            before = self._file
            self._connection = self._connect(on_disk=self._archive.exists(), create=False)
            self._is_parted = False
            if self._file != before:
                if self._is_writing:
                    raise self._deleted()
                self._check_root()

    def _connect(self, *, on_disk: bool, create: bool) -> connections.Connection:
        """Open the file, or an empty database in memory."""
        # Looked at before: what is deleted or replaced while it is opened is then noticed.
        file = _identity(self._archive.store) if on_disk else None
        on_disk = create or file is not None
        connection = connections.connect(self._archive.store if on_disk else None, create=create)
        self._in_memory = not on_disk
        self._file = _identity(self._archive.store) if create else file
        self._seen = self._stamps() if connection.is_read_only else []
        return connection

    def _reconnect(self, *, on_disk: bool, create: bool = False) -> None:
        """Go on with what lies there now.

        Closing the old connection does not touch the log of a new file: SQLite looks first whether
        its own has moved (`SQLITE_FCNTL_HAS_MOVED`).
        """
        before, idle = self._connection, self._idle
        self._connection, self._idle = self._connect(on_disk=on_disk, create=create), []
        before.close()
        while idle:
            idle.pop().close()
        self._check_root()

    def _reopen_if_replaced(self) -> None:
        """Notice that another process has deleted the archive or put another in its place.

        One that could only be read is opened again when it, or its log, has changed; and after this
        process has forked.
        """
        if self._is_forked_amid:
            raise ArchiveError(
                f"The archive {self._archive.folder} was being read or written when this process"
                " was forked: open it in each process, after the fork."
            )
        if self._is_parted and not self._closed:
            self._rejoin()
        if self._is_current():
            return
        with self._mutex:
            if self._is_current():
                return
            if self._connection.in_transaction:  # this thread's own: it ends first
                return
            if self._is_writing:
                raise self._deleted()
            self._reconnect(on_disk=self._archive.exists())

    def _is_current(self) -> bool:
        if self._closed:
            return True
        if self._connection.is_read_only and self._stamps() != self._seen:
            return False
        return _identity(self._archive.store) == self._file

    def _stamps(self) -> list[tuple[int, int]]:
        """Size and time of the database and its log."""
        stamps = []
        for end in ("", "-wal"):
            with contextlib.suppress(OSError):
                facts = self._archive.store.with_name(f"{self._archive.store.name}{end}").stat()
                stamps.append((facts.st_size, facts.st_mtime_ns))
        return stamps

    def _deleted(self) -> ArchiveError:
        return ArchiveError(
            f"The archive {self._archive.folder} was deleted while it was being written:"
            " run the command again."
        )

    def _check_root(self) -> None:
        with self._mutex, map_sqlite_errors(self._archive.store):
            # Not by `setting`: in a snapshot it would answer for the file from before.
            sql = "SELECT value FROM settings WHERE name = 'root'"
            row = self._connection.execute(sql).fetchone()
        if row is not None and row[0] != os.fsencode(self._archive.root).hex():
            raise ArchiveError(
                f"The archive {self._archive.folder} belongs to another folder than"
                f" {self._archive.root}. Name another place with --archive."
            )

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Be the one writer, creating the archive if need be."""
        with self._archive.lock():
            self._reopen_if_replaced()
            if self._in_memory:
                self._reconnect(on_disk=True, create=True)
                for file in self._archive.seed_files():
                    logger.warning("%s was made by memery 0.1 and is ignored: it can go.", file)
                if self._archive.folder.parent != self._archive.root:
                    self.remember("root", os.fsencode(self._archive.root).hex())
            if self._connection.is_read_only:
                self._reconnect(on_disk=True)
            if self._connection.is_read_only:
                raise not_writable(self._archive.store)
            self._is_writing = True
            try:
                yield
            finally:
                self._is_writing = False

    @contextlib.contextmanager
    def transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        """All of what happens inside, or nothing."""
        self._reopen_if_replaced()
        with (
            self._mutex,
            map_sqlite_errors(self._archive.store),
            atomic(self._connection, begin),
        ):
            yield self._connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """One transaction, that of the thread's snapshot if it has one."""
        with self.snapshot(), map_sqlite_errors(self._archive.store):
            yield self._thread.connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Let all that this thread reads inside be of one transaction.

        Should the archive be deleted meanwhile, its file stays readable until the end.
        """
        if getattr(self._thread, "connection", None) is not None:
            yield
            return
        with contextlib.ExitStack() as stack:
            self._thread.connection = self._begin_snapshot(stack)
            try:
                yield
            finally:
                self._thread.connection = None

    def _begin_snapshot(self, stack: contextlib.ExitStack) -> sqlite3.Connection:
        """Begin a transaction that ends with the stack, on what lies there now."""
        for attempt in range(1, _ATTEMPTS + 1):
            before = _identity(self._archive.store)
            with contextlib.ExitStack() as attempted:
                try:
                    self._reopen_if_replaced()
                    with map_sqlite_errors(self._archive.store):
                        connection = self._reader(attempted)
                        connection.execute("BEGIN DEFERRED")
                        attempted.callback(end_reading, connection)
                        # The transaction begins with what it reads first.
                        connection.execute("SELECT 1 FROM settings").fetchone()
                except ArchiveError:  # its files go one after the other
                    now = _identity(self._archive.store)
                    if attempt == _ATTEMPTS or (now is not None and now == before):
                        raise
                    continue
                if attempt == _ATTEMPTS or _identity(self._archive.store) == self._file:
                    stack.push(attempted.pop_all())
                    return connection
        raise AssertionError("the last attempt returns or raises")

    def _reader(self, stack: contextlib.ExitStack) -> connections.Connection:
        """A connection that no other thread uses until the stack ends."""
        if self._closed:
            return self._connection  # it says so
        if self._in_memory:
            return stack.enter_context(contextlib.closing(connections.connect(None)))
        stack.enter_context(self._places)
        idle = self._idle
        connection = self._take(idle)
        stack.callback(self._give_back, connection, idle)
        return connection

    def _take(self, idle: list[connections.Connection]) -> connections.Connection:
        with contextlib.suppress(IndexError):
            return idle.pop()  # one step: no other thread gets the same
        return connections.connect(self._archive.store)

    def _give_back(
        self, connection: connections.Connection, idle: list[connections.Connection]
    ) -> None:
        with self._mutex:
            if self._closed or idle is not self._idle:  # of a file that has gone
                connection.close()
            else:
                idle.append(connection)

    @contextlib.contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that makes the store's version grow."""
        with self.transaction("BEGIN IMMEDIATE") as db:
            yield db
            db.execute(
                "UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE name = 'version'"
            )
        self._shorten_log()

    def _shorten_log(self) -> None:
        """Begin the write-ahead log anew where it has grown long.

        SQLite does it when nobody reads, and on a server somebody always does: this waits for those
        who read now, some milliseconds; who comes meanwhile reads past the log.
        """
        with self._mutex, contextlib.suppress(OSError, sqlite3.Error):
            log = self._archive.store.with_name(f"{self._archive.store.name}-wal")
            if not self._connection.in_transaction and log.stat().st_size > _LOG_BYTES:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextlib.contextmanager
    def best_effort_write(self) -> Iterator[sqlite3.Connection | None]:
        """A transaction for what may be lost: nobody is waited for, and no disk.

        None where somebody writes just now.
        """
        if not self._note_mutex.acquire(blocking=False):
            yield None
            return
        try:
            with map_sqlite_errors(self._archive.store), self._noted() as db:
                yield db
        finally:
            self._note_mutex.release()

    @contextlib.contextmanager
    def _noted(self) -> Iterator[sqlite3.Connection | None]:
        self._reopen_if_replaced()
        if self._in_memory or self._closed:
            with self.transaction("BEGIN IMMEDIATE") as db:
                yield db
            return
        notes = self._open_notes()
        if not try_begin(notes):
            yield None
            return
        with ended(notes):
            yield notes

    def _open_notes(self) -> sqlite3.Connection:
        if self._notes is not None:
            notes, file = self._notes
            if file == self._file:
                return notes
            self._notes = None
            notes.close()
        notes = connections.connect(self._archive.store)
        notes.execute("PRAGMA busy_timeout = 0")
        notes.execute("PRAGMA synchronous = NORMAL")
        self._notes = notes, self._file
        return notes

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
            if not self._is_forked_amid:  # then they are the parent's
                self._close_connections()

    def _close_connections(self) -> None:
        self._connection.close()
        if self._notes is not None:
            self._notes[0].close()
            self._notes = None
        while self._idle:
            self._idle.pop().close()

    def damaged(self, what: str) -> ArchiveDamaged:
        """The error for content that memery does not write."""
        return ArchiveDamaged(damage_message(self._archive.store, what))


def _identity(file: Path) -> _Identity | None:
    try:
        facts = file.lstat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
