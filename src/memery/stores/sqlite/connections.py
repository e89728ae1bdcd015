"""Safe opening of connections to the database of an archive."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from memery.archive import APPLICATION_ID
from memery.errors import ArchiveDamaged, ArchiveError
from memery.stores.sqlite.errors import (
    BUSY_SECONDS,
    UNWRITABLE,
    damage_message,
    map_sqlite_errors,
    not_writable,
)
from memery.stores.sqlite.schema import (
    FILE_WORDS,
    IN_MEMORY,
    MIGRATIONS,
    TABLES,
    TEXT_WORDS,
    migrate,
)

_VIRTUAL = re.compile(r"\bVIRTUAL\b", re.IGNORECASE)


class Connection(sqlite3.Connection):
    """A connection to the database of an archive.

    Attributes:
        is_read_only: nothing can be written, and later commits of others may not be visible.
    """

    is_read_only = False


def connect(file: Path | None, *, create: bool = False) -> Connection:
    """Open the database, creating or migrating its tables.

    It is opened read-only if the file, or SQLite's files next to it, cannot be written.

    Args:
        file: absolute path; None opens an empty database in memory.
        create: create the file if it is missing. Readers must not: another process may just have
            deleted it.

    Raises:
        ArchiveError: the database cannot be opened, is damaged, or was made by a newer memery.
    """
    place = file or Path(IN_MEMORY)
    with map_sqlite_errors(place):
        if file is None:
            return _open(IN_MEMORY, place)
        try:
            return _open(f"{file.as_uri()}?mode={'rwc' if create else 'rw'}", place)
        except sqlite3.OperationalError as error:
            if create or error.sqlite_errorcode & 0xFF not in UNWRITABLE:
                raise
        return _open(f"{file.as_uri()}?{_reading_mode(file)}", place, is_read_only=True)


def _open(address: str, file: Path, *, is_read_only: bool = False) -> Connection:
    connection = sqlite3.connect(
        address,
        timeout=BUSY_SECONDS,
        isolation_level=None,
        check_same_thread=False,
        factory=Connection,
        uri=True,
    )
    try:
        connection.is_read_only = is_read_only
        _prepare(connection, file)
    except BaseException:
        connection.close()
        raise
    return connection


def _reading_mode(file: Path) -> str:
    """Choose the URI parameters for opening a database that cannot be written.

    SQLite writes files even for reading, unless `immutable` says that no process writes. This
    holds without a write-ahead log (https://www.sqlite.org/wal.html, "Read-Only Databases").
    """
    log = file.with_name(f"{file.name}-wal")
    return "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"


def _prepare(connection: Connection, file: Path) -> None:
    # The database is untrusted: its schema must not run functions.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if version > len(MIGRATIONS):
        raise ArchiveError(
            f"The archive {file} was made by a newer memery (format {version}; this version"
            f" supports up to {len(MIGRATIONS)}). Update memery, or choose another folder with"
            " --archive."
        )
    if version and application != APPLICATION_ID:
        raise ArchiveDamaged(damage_message(file, "it is another program's database"))
    if connection.is_read_only:
        if not version:  # its tables could not be created, or are about to be
            raise not_writable(file)
        if version < len(MIGRATIONS):
            raise ArchiveError(
                f"The archive {file} was made by an older memery and must be migrated, but is not"
                " writable. Make it writable, or choose another folder with --archive."
            )
        _reject_unknown_schema(connection, file)
        return
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] not in ("wal", "memory"):
        raise ArchiveError(f"SQLite cannot keep a write-ahead log next to {file}.")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    _reject_unknown_schema(connection, file)  # before the first write, which would run triggers
    if version < len(MIGRATIONS):
        migrate(connection)
        _reject_unknown_schema(connection, file)


def _reject_unknown_schema(connection: sqlite3.Connection, file: Path) -> None:
    """Reject triggers, views and tables that memery does not create."""
    unknown = [
        name
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema")
        if kind not in ("table", "index")
        or (kind == "table" and name not in TABLES)
        or (_VIRTUAL.search(sql or "") and sql not in (TEXT_WORDS, FILE_WORDS))
    ]
    if unknown:
        raise ArchiveDamaged(
            damage_message(file, f"it contains {unknown[0]!r}, which memery never creates")
        )
