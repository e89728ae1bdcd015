"""Translation of SQLite's errors into `ArchiveError`s that say what to do."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from memery.errors import ArchiveDamaged, ArchiveError, ArchiveFull, unwritable
from memery.stores.sqlite.schema import IN_MEMORY, columns, expected_columns

BUSY_SECONDS = 10.0
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
UNWRITABLE = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
_LEAST_BYTES = 1 << 16
"""Free disk space; SQLite needs half of it to open a database with a write-ahead log."""
_AMBIGUOUS = (
    sqlite3.SQLITE_OK,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
)
"""Result codes caused either by damage or by a bug in memery."""


def damage_message(file: Path, what: str) -> str:
    """Return the message about a damaged archive."""
    return (
        f"The archive {file} is damaged: {what}."
        " Your images are untouched. Delete the archive with memery purge, then build it again."
    )


def damaged(db: sqlite3.Connection, what: str) -> ArchiveDamaged:
    """Return the error for data that memery does not write."""
    file = Path(db.execute("PRAGMA database_list").fetchone()[2])
    return ArchiveDamaged(damage_message(file, what))


@contextlib.contextmanager
def map_sqlite_errors(file: Path) -> Iterator[None]:
    """Translate SQLite's errors into memery's."""
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        raise _archive_error(file, error) from error
    except OSError as error:
        raise unwritable(file.parent, error) from error


def _archive_error(file: Path, error: Exception) -> ArchiveError:
    """Translate an error of SQLite, or of Python's conversion of its values."""
    # Errors raised by Python have no SQLite result code.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code in UNWRITABLE and _is_full(file.parent)):
        return ArchiveFull(
            f"The disk is full: the archive {file} cannot grow. Committed data is kept. Free some"
            " space, or choose another folder with --archive, then run the command again."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ArchiveError(f"The archive {file} was busy for {BUSY_SECONDS:.0f} s. Try again.")
    if isinstance(error, sqlite3.ProgrammingError) and "closed database" in str(error):
        return ArchiveError(f"The archive {file} is closed: open it again.")
    if code in _DAMAGE or (code in _AMBIGUOUS and _is_damaged(file)):
        return ArchiveDamaged(damage_message(file, str(error)))
    if code in _AMBIGUOUS:
        return ArchiveError(
            f"The archive {file} could not be used: {error}. It is not damaged; this is a bug in"
            " memery. Please report it."
        )
    return ArchiveError(
        f"The archive {file} cannot be read or written: {error}."
        " Fix its permissions, or choose another folder with --archive."
    )


def not_writable(file: Path) -> ArchiveError:
    """Return the error for writing to a read-only archive."""
    error = sqlite3.OperationalError("it is read-only")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY
    return _archive_error(file, error)


def _is_full(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free < _LEAST_BYTES
    return False


def _is_damaged(file: Path) -> bool:
    """Whether SQLite finds damage, a table or column is missing, or a text is not UTF-8."""
    if file == Path(IN_MEMORY):
        return False
    try:
        address = f"{file.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, timeout=BUSY_SECONDS, uri=True)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            expected = expected_columns(version)
            return (
                db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",)
                or not expected.keys() <= columns(db).keys()
                or not all(
                    _is_utf8(db, *column) for column, kind in expected.items() if kind == "TEXT"
                )
            )
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
        return code in (*_DAMAGE, sqlite3.SQLITE_ERROR)


def _is_utf8(db: sqlite3.Connection, table: str, column: str) -> bool:
    try:
        for (text,) in db.execute(f"SELECT CAST({column} AS BLOB) FROM {table}"):
            bytes(text or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
