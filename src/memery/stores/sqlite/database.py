"""The database of an archive: connections, transactions, settings and the writer lock."""

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
from memery.stores.sqlite.transactions import atomic, commit_or_roll_back, end_read, try_begin

logger = logging.getLogger(__name__)

READERS = 8
"""Concurrent read connections; further readers wait."""
_DIGITS = 18
"""Maximum number of digits of the version."""
_LOG_BYTES = 16 << 20
"""The write-ahead log is truncated after a commit if it is longer than this."""
_ATTEMPTS = 5
"""Attempts to begin a snapshot while the archive is being replaced."""
_FORK_SECONDS = 5.0
"""How long a fork waits for reads and writes of other threads."""
_Identity = tuple[int, int]
"""Device and inode number of a file."""


class Database(ForkAware):
    """One write connection and several read connections, so that threads do not block each other.

    Nothing is created on disk before the first write; until then an empty in-memory database is
    used. If another process deletes or replaces the archive, the next transaction uses the new
    state. Before this process forks, running transactions end and connections are closed; parent
    and child open their own at their next transaction.

    Args:
        archive: the archive of the database.

    Raises:
        ArchiveError: the database cannot be opened, is damaged, or belongs to another folder.
    """

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._make_locks()
        self._idle: list[connections.Connection] = []
        self._best_effort: tuple[sqlite3.Connection, _Identity | None] | None = None
        self._thread = threading.local()
        self._closed, self._is_writing = True, False
        self._fork_locks: contextlib.ExitStack | None = None
        self._is_closed_for_fork = self._is_forked_in_use = False
        self.watch_forks()
        with self._mutex:  # makes a fork wait: SQLite holds internal locks while it opens a file
            self._connection = self._connect(on_disk=archive.exists(), create=False)
            try:
                self._check_root()
            except BaseException:
                self._connection.close()
                raise
            self._closed = False

    def _make_locks(self) -> None:
        self._mutex = threading.RLock()
        self._reader_slots = threading.Semaphore(READERS)
        self._best_effort_mutex = threading.Lock()

    def before_fork(self) -> None:
        """Close the connections: SQLite connections must not be used across a fork."""
        self._fork_locks = self._hold_all(time.monotonic() + _FORK_SECONDS)
        if self._fork_locks is None or self._closed or self._is_closed_for_fork:
            return
        if not self._connection.in_transaction:
            self._close_connections()
            self._is_closed_for_fork = True

    def after_fork(self, *, in_child: bool) -> None:
        """Release the locks; a child must not use connections that stayed open in the parent."""
        if not in_child:
            if self._fork_locks is not None:
                self._fork_locks.close()
            return
        self._make_locks()
        self._is_writing = False
        if not (self._is_closed_for_fork or self._closed):
            self._is_forked_in_use = True
            self._thread = threading.local()
            for connection in (self._connection, *self._idle, *(self._best_effort or ())[:1]):
                abandon(connection)

    def _hold_all(self, until: float) -> contextlib.ExitStack | None:
        """Acquire every lock, once no thread reads or writes; None if that takes too long."""
        locks: tuple[Any, ...] = (
            *[self._reader_slots] * READERS,
            self._best_effort_mutex,
            self._mutex,
        )
        with contextlib.ExitStack() as held:
            for lock in locks:
                if not lock.acquire(timeout=max(0.0, until - time.monotonic())):
                    return None
                held.callback(lock.release)
            return held.pop_all()

    def _reopen_after_fork(self) -> None:
        """Reopen the connection after a fork."""
        with self._mutex:
            if not self._is_closed_for_fork:
                return
            before = self._file
            self._connection = self._connect(on_disk=self._archive.exists(), create=False)
            self._is_closed_for_fork = False
            if self._file != before:
                if self._is_writing:
                    raise self._deleted_error()
                self._check_root()

    def _connect(self, *, on_disk: bool, create: bool) -> connections.Connection:
        """Open the file, or an empty database in memory."""
        # Taken before opening, so that a concurrent deletion or replacement is noticed.
        file = _identity(self._archive.store) if on_disk else None
        on_disk = create or file is not None
        connection = connections.connect(self._archive.store if on_disk else None, create=create)
        self._in_memory = not on_disk
        self._file = _identity(self._archive.store) if create else file
        self._opened_stamps = self._stamps() if connection.is_read_only else []
        return connection

    def _reconnect(self, *, on_disk: bool, create: bool = False) -> None:
        """Replace all connections by one to the current file.

        Closing the old connection does not touch the log of a new file: SQLite first checks whether
        its own file has moved (`SQLITE_FCNTL_HAS_MOVED`).
        """
        before, idle = self._connection, self._idle
        self._connection, self._idle = self._connect(on_disk=on_disk, create=create), []
        before.close()
        while idle:
            idle.pop().close()
        self._check_root()

    def _reopen_if_replaced(self) -> None:
        """Reopen the database if another process has deleted or replaced the archive.

        A read-only database is also reopened if it, or its log, has changed. After a fork every
        database is reopened.
        """
        if self._is_forked_in_use:
            raise ArchiveError(
                f"The archive {self._archive.folder} was in use when this process was forked."
                " Open it in each process, after the fork."
            )
        if self._is_closed_for_fork and not self._closed:
            self._reopen_after_fork()
        if self._is_current():
            return
        with self._mutex:
            if self._is_current():
                return
            if self._connection.in_transaction:  # of this thread: it must end first
                return
            if self._is_writing:
                raise self._deleted_error()
            self._reconnect(on_disk=self._archive.exists())

    def _is_current(self) -> bool:
        if self._closed:
            return True
        if self._connection.is_read_only and self._stamps() != self._opened_stamps:
            return False
        return _identity(self._archive.store) == self._file

    def _stamps(self) -> list[tuple[int, int]]:
        """Return size and modification time of the database and its log."""
        stamps = []
        for end in ("", "-wal"):
            with contextlib.suppress(OSError):
                facts = self._archive.store.with_name(f"{self._archive.store.name}{end}").stat()
                stamps.append((facts.st_size, facts.st_mtime_ns))
        return stamps

    def _deleted_error(self) -> ArchiveError:
        return ArchiveError(
            f"The archive {self._archive.folder} was deleted while it was being written."
            " Run the command again."
        )

    def _check_root(self) -> None:
        with self._mutex, map_sqlite_errors(self._archive.store):
            # Not by `setting`: in a snapshot it would read the previous file.
            sql = "SELECT value FROM settings WHERE name = 'root'"
            row = self._connection.execute(sql).fetchone()
        if row is not None and row[0] != os.fsencode(self._archive.root).hex():
            raise ArchiveError(
                f"The archive {self._archive.folder} belongs to another folder than"
                f" {self._archive.root}. Choose another folder with --archive."
            )

    @contextlib.contextmanager
    def writing(self) -> Iterator[None]:
        """Hold the writer lock, creating the archive if necessary."""
        with self._archive.lock():
            self._reopen_if_replaced()
            if self._in_memory:
                self._reconnect(on_disk=True, create=True)
                for file in self._archive.seed_files():
                    logger.warning(
                        "%s was made by memery 0.1 and is ignored. You can delete it.", file
                    )
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
        """Run a transaction on the write connection."""
        self._reopen_if_replaced()
        with (
            self._mutex,
            map_sqlite_errors(self._archive.store),
            atomic(self._connection, begin),
        ):
            yield self._connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Read in the transaction of the thread's snapshot, or in a new one."""
        with self.snapshot(), map_sqlite_errors(self._archive.store):
            yield self._thread.connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Run all reads of this thread in one transaction.

        If the archive is deleted meanwhile, its file stays readable until the end.
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
        """Begin a read transaction on the current file; it ends with the stack."""
        for attempt in range(1, _ATTEMPTS + 1):
            before = _identity(self._archive.store)
            with contextlib.ExitStack() as attempted:
                try:
                    self._reopen_if_replaced()
                    with map_sqlite_errors(self._archive.store):
                        connection = self._reader(attempted)
                        connection.execute("BEGIN DEFERRED")
                        attempted.callback(end_read, connection)
                        # The state is fixed by the first read, not by BEGIN.
                        connection.execute("SELECT 1 FROM settings").fetchone()
                except ArchiveError:  # expected while the archive's files are being deleted
                    now = _identity(self._archive.store)
                    if attempt == _ATTEMPTS or (now is not None and now == before):
                        raise
                    continue
                if attempt == _ATTEMPTS or _identity(self._archive.store) == self._file:
                    stack.push(attempted.pop_all())
                    return connection
        raise AssertionError("the last attempt returns or raises")

    def _reader(self, stack: contextlib.ExitStack) -> connections.Connection:
        """Take a connection that no other thread uses until the stack ends."""
        if self._closed:
            return self._connection  # its use raises the right error
        if self._in_memory:
            return stack.enter_context(contextlib.closing(connections.connect(None)))
        stack.enter_context(self._reader_slots)
        idle = self._idle
        connection = self._take_idle(idle)
        stack.callback(self._give_back, connection, idle)
        return connection

    def _take_idle(self, idle: list[connections.Connection]) -> connections.Connection:
        with contextlib.suppress(IndexError):
            return idle.pop()  # atomic: no other thread gets the same one
        return connections.connect(self._archive.store)

    def _give_back(
        self, connection: connections.Connection, idle: list[connections.Connection]
    ) -> None:
        with self._mutex:
            if self._closed or idle is not self._idle:  # the file was replaced
                connection.close()
            else:
                idle.append(connection)

    @contextlib.contextmanager
    def write_transaction(self) -> Iterator[sqlite3.Connection]:
        """Run a transaction that increments the store's version."""
        with self.transaction("BEGIN IMMEDIATE") as db:
            yield db
            db.execute(
                "UPDATE settings SET value = CAST(value AS INTEGER) + 1 WHERE name = 'version'"
            )
        self._truncate_log()

    def _truncate_log(self) -> None:
        """Truncate a long write-ahead log.

        SQLite truncates it only without readers, but a server always has some. This waits some
        milliseconds for the current readers; new readers do not need the log.
        """
        with self._mutex, contextlib.suppress(OSError, sqlite3.Error):
            log = self._archive.store.with_name(f"{self._archive.store.name}-wal")
            if not self._connection.in_transaction and log.stat().st_size > _LOG_BYTES:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    @contextlib.contextmanager
    def best_effort_write(self) -> Iterator[sqlite3.Connection | None]:
        """Run a transaction for data that may be lost, without waiting for locks or the disk.

        Yields None if another thread or process is writing.
        """
        if not self._best_effort_mutex.acquire(blocking=False):
            yield None
            return
        try:
            with map_sqlite_errors(self._archive.store), self._best_effort_transaction() as db:
                yield db
        finally:
            self._best_effort_mutex.release()

    @contextlib.contextmanager
    def _best_effort_transaction(self) -> Iterator[sqlite3.Connection | None]:
        self._reopen_if_replaced()
        if self._in_memory or self._closed:
            with self.transaction("BEGIN IMMEDIATE") as db:
                yield db
            return
        notes = self._best_effort_connection()
        if not try_begin(notes):
            yield None
            return
        with commit_or_roll_back(notes):
            yield notes

    def _best_effort_connection(self) -> sqlite3.Connection:
        if self._best_effort is not None:
            notes, file = self._best_effort
            if file == self._file:
                return notes
            self._best_effort = None
            notes.close()
        notes = connections.connect(self._archive.store)
        notes.execute("PRAGMA busy_timeout = 0")
        notes.execute("PRAGMA synchronous = NORMAL")
        self._best_effort = notes, self._file
        return notes

    def shrink(self) -> None:
        """Return unused space to the file system, if there is room to do it."""
        with self._mutex, contextlib.suppress(sqlite3.Error):
            self._connection.execute("VACUUM")

    def version(self) -> int:
        """Read the version, which grows with every commit by any process."""
        version = self.setting("version") or ""
        if not version.isdecimal() or len(version) > _DIGITS:
            raise self.damaged("it has no valid version")
        return int(version)

    def setting(self, name: str) -> str | None:
        """Read a setting, or None."""
        with self.reading() as db:
            row = db.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def remember(self, name: str, value: str) -> None:
        """Store a setting."""
        with self.write_transaction() as db:
            db.execute("INSERT OR REPLACE INTO settings VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close all connections."""
        with self._mutex:
            self._closed = True
            if not self._is_forked_in_use:  # otherwise they belong to the parent
                self._close_connections()

    def _close_connections(self) -> None:
        self._connection.close()
        if self._best_effort is not None:
            self._best_effort[0].close()
            self._best_effort = None
        while self._idle:
            self._idle.pop().close()

    def damaged(self, what: str) -> ArchiveDamaged:
        """Return the error for data that memery does not write."""
        return ArchiveDamaged(damage_message(self._archive.store, what))


def _identity(file: Path) -> _Identity | None:
    try:
        facts = file.lstat()
    except OSError:
        return None
    return facts.st_dev, facts.st_ino
