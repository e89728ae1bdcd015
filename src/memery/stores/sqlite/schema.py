"""The tables of `store.sqlite3`, how they came about, and how a connection is opened safely."""

from __future__ import annotations

import contextlib
import os
import posixpath
import re
import shutil
import sqlite3
import uuid
from collections.abc import Iterator
from pathlib import Path

from memery.archive import APPLICATION_ID, unwritable
from memery.errors import ArchiveDamaged, ArchiveError, ArchiveFull
from memery.types import image_id
from memery.words.names import all_name_words, file_key, folder_key, name_words

BUSY_SECONDS = 10.0
_DAMAGE = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)
_UNWRITABLE = (
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_PERM,
    sqlite3.SQLITE_READONLY,
)
_LEAST_BYTES = 1 << 16
"""On the disk: SQLite needs half of that to open a database with a write-ahead log."""
_UNCLEAR = (
    sqlite3.SQLITE_OK,
    sqlite3.SQLITE_ERROR,
    sqlite3.SQLITE_CONSTRAINT,
    sqlite3.SQLITE_MISMATCH,
    sqlite3.SQLITE_MISUSE,
    sqlite3.SQLITE_RANGE,
    sqlite3.SQLITE_TOOBIG,
)
"""Results that damage may have caused, or memery itself."""
_IN_MEMORY = ":memory:"

_TOKENIZER = "tokenize='unicode61 remove_diacritics 2'"
_TEXT_WORDS = f"CREATE VIRTUAL TABLE text_words USING fts5(raw, split, {_TOKENIZER})"
_FILE_WORDS = f"CREATE VIRTUAL TABLE file_words USING fts5(name, whole, notes, {_TOKENIZER})"

MIGRATIONS = (
    """
    CREATE TABLE settings (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE spaces (
        id INTEGER PRIMARY KEY,
        model_id TEXT NOT NULL,
        fingerprint TEXT NOT NULL,
        dim INTEGER NOT NULL,
        UNIQUE (model_id, fingerprint)
    );
    CREATE TABLE contents (
        id INTEGER PRIMARY KEY,
        digest BLOB NOT NULL UNIQUE,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL,
        format TEXT NOT NULL,
        taken_at TEXT
    );
    CREATE TABLE files (
        id INTEGER PRIMARY KEY,
        path BLOB NOT NULL UNIQUE,
        size INTEGER NOT NULL,
        mtime_ns INTEGER NOT NULL,
        content INTEGER REFERENCES contents (id),
        skip_reason TEXT,
        skip_detail TEXT,
        circumstances TEXT
    );
    CREATE INDEX files_by_content ON files (content, path);
    CREATE TABLE embeddings (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        space INTEGER NOT NULL REFERENCES spaces (id),
        content INTEGER NOT NULL REFERENCES contents (id),
        vector BLOB NOT NULL,
        UNIQUE (space, content)
    );
    CREATE TABLE queries (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        space INTEGER NOT NULL REFERENCES spaces (id),
        text TEXT NOT NULL,
        vector BLOB NOT NULL,
        UNIQUE (space, text)
    );
    """,
    f"""
    ALTER TABLE contents ADD COLUMN notes TEXT;
    ALTER TABLE contents ADD COLUMN hashes BLOB;
    ALTER TABLE contents ADD COLUMN colour INTEGER;
    ALTER TABLE files ADD COLUMN handle BLOB;
    CREATE INDEX files_by_handle ON files (handle);
    CREATE TABLE texts (
        content INTEGER PRIMARY KEY REFERENCES contents (id),
        reader TEXT NOT NULL,
        lines TEXT NOT NULL
    );
    {_TEXT_WORDS};
    {_FILE_WORDS};
    """,
    """
    ALTER TABLE contents ADD COLUMN date_source TEXT;
    ALTER TABLE files ADD COLUMN named_at TEXT;
    ALTER TABLE contents ADD COLUMN damage TEXT;
    CREATE TABLE outdated (
        space INTEGER NOT NULL,
        content INTEGER NOT NULL,
        PRIMARY KEY (space, content)
    ) WITHOUT ROWID;
    INSERT INTO outdated SELECT space, content FROM embeddings;
    DELETE FROM text_words WHERE rowid IN
        (SELECT id FROM contents WHERE max(width, height) >= 3 * min(width, height));
    DELETE FROM texts WHERE content IN
        (SELECT id FROM contents WHERE max(width, height) >= 3 * min(width, height));
    CREATE TABLE names (
        key BLOB NOT NULL,
        path BLOB NOT NULL,
        PRIMARY KEY (key, path)
    ) WITHOUT ROWID;
    """,
)
"""Each brings `user_version` one further. Never edited once released: a change is a new entry."""

_SHADOWS = ("data", "idx", "content", "docsize", "config")
"""What FTS5 makes beside a table of its own (SQLite, fts5.html, "Internal Details")."""
_TABLES = frozenset(
    [
        *("settings", "spaces", "contents", "files", "embeddings", "queries", "sqlite_sequence"),
        "outdated",
        *("texts", "text_words", "file_words", "names"),
        *(f"{name}_{part}" for name in ("text_words", "file_words") for part in _SHADOWS),
    ]
)


_VIRTUAL = re.compile(r"\bVIRTUAL\b", re.IGNORECASE)


class Connection(sqlite3.Connection):
    """A connection to the database of an archive.

    Attributes:
        is_read_only: nothing can be written, and what others write meanwhile may not be seen.
    """

    is_read_only = False


def connect(file: Path | None, *, create: bool = False) -> Connection:
    """Open the database, making or migrating its tables; without a file, an empty one in memory.

    Where it cannot be written, not even SQLite's files beside it, it is opened to be read.

    Args:
        file: where it lies, absolute.
        create: make the file if there is none. Who only reads must not: it may have been deleted
            a moment ago.

    Raises:
        ArchiveError: it cannot be opened, is damaged, or was made by a newer memery.
    """
    place = file or Path(_IN_MEMORY)
    with translated(place):
        if file is None:
            return _open(_IN_MEMORY, place)
        try:
            return _open(f"{file.as_uri()}?mode={'rwc' if create else 'rw'}", place)
        except sqlite3.OperationalError as error:
            if create or error.sqlite_errorcode & 0xFF not in _UNWRITABLE:
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
    """How to open a database that cannot be written.

    SQLite writes even to read, unless it is told that nobody writes: so it is where there is no
    write-ahead log (https://www.sqlite.org/wal.html, "Read-Only Databases").
    """
    log = file.with_name(f"{file.name}-wal")
    return "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"


def _prepare(connection: Connection, file: Path) -> None:
    # A database is not trusted: its schema may run no functions, and nothing of ours is optional.
    connection.execute("PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA cell_size_check = ON")
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if version > len(MIGRATIONS):
        raise ArchiveError(
            f"The archive {file} was made by a newer memery (format {version}; this one knows up"
            f" to {len(MIGRATIONS)}). Update memery, or name another place with --archive."
        )
    if version and application != APPLICATION_ID:
        raise ArchiveDamaged(damage(file, "it is another program's database"))
    if connection.is_read_only:
        if version < len(MIGRATIONS):
            raise ArchiveError(
                f"The archive {file} was made by an older memery, and cannot be written to bring it"
                " up to date: make it writable, or name another place with --archive."
            )
        _refuse_strange(connection, file)
        return
    if connection.execute("PRAGMA journal_mode = WAL").fetchone()[0] not in ("wal", "memory"):
        raise ArchiveError(f"SQLite cannot keep a write-ahead log beside {file}.")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    _refuse_strange(connection, file)  # before anything is written: a trigger would run
    if version < len(MIGRATIONS):
        _migrate(connection)
        _refuse_strange(connection, file)


def _refuse_strange(connection: sqlite3.Connection, file: Path) -> None:
    """Refuse triggers, views and tables that memery does not make."""
    unknown = [
        name
        for kind, name, sql in connection.execute("SELECT type, name, sql FROM sqlite_schema")
        if kind not in ("table", "index")
        or (kind == "table" and name not in _TABLES)
        or (_VIRTUAL.search(sql or "") and sql not in (_TEXT_WORDS, _FILE_WORDS))
    ]
    if unknown:
        raise ArchiveDamaged(damage(file, f"it holds {unknown[0]!r}, which memery never makes"))


def _migrate(connection: sqlite3.Connection, target: int = len(MIGRATIONS)) -> None:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read again under the lock: another process may have migrated meanwhile.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for number in range(version, target):
            for statement in MIGRATIONS[number].split(";"):
                connection.execute(statement)
            if number in _FILLED:
                _FILLED[number](connection)
            if number == 0:
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.executemany(
                    "INSERT INTO settings VALUES (?, ?)",
                    [("uuid", uuid.uuid4().hex), ("version", "0")],
                )
            connection.execute(f"PRAGMA user_version = {number + 1}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # an interruption may come just after the commit
            connection.execute("ROLLBACK")
        raise


def _name_files(connection: sqlite3.Connection) -> None:
    """Let the files of an archive from before be found by their names and ids."""
    # Of another type they are a stranger's: such files are read again.
    rows = connection.execute(
        "SELECT files.id, path, digest FROM files JOIN contents ON contents.id = content"
        " WHERE typeof(path) = 'blob' AND typeof(digest) = 'blob'"
    ).fetchall()
    for id_, path, digest in rows:
        handle = bytes.fromhex(image_id(path, digest))
        connection.execute("UPDATE files SET handle = ? WHERE id = ?", (handle, id_))
    blobs = "SELECT id, path FROM files WHERE typeof(path) = 'blob'"
    for id_, path in connection.execute(blobs).fetchall():
        name = os.fsdecode(path)
        connection.execute(
            "INSERT INTO file_words (rowid, name, whole) VALUES (?, ?, ?)",
            (id_, " ".join(name_words(name)), " ".join(all_name_words(name))),
        )


def _date_files(connection: sqlite3.Connection) -> None:
    """Give the files of an archive from before the dates in their names."""
    from memery.dates import date_in_name

    sql = "SELECT id, path FROM files WHERE content IS NOT NULL AND typeof(path) = 'blob'"
    for id_, path in connection.execute(sql).fetchall():
        named_at = date_in_name(posixpath.basename(os.fsdecode(path)))
        if named_at is not None:
            connection.execute("UPDATE files SET named_at = ? WHERE id = ?", (named_at, id_))


def _date_and_call_files(connection: sqlite3.Connection) -> None:
    _date_files(connection)
    sql = "SELECT id, path FROM files WHERE content IS NOT NULL AND typeof(path) = 'blob'"
    for id_, path in connection.execute(sql).fetchall():
        keep_name(connection, path)
        whole = " ".join(all_name_words(os.fsdecode(path)))  # it had no extension before
        connection.execute("UPDATE file_words SET whole = ? WHERE rowid = ?", (whole, id_))


def keep_name(connection: sqlite3.Connection, path: bytes) -> None:
    """Let a file and the folders above it be found by their names."""
    name = os.fsdecode(path)
    rows = [(file_key(name), path)]
    while name := posixpath.dirname(name):
        rows.append((folder_key(name), os.fsencode(f"{name}/")))
    sql = "INSERT OR IGNORE INTO names (key, path) VALUES (?, ?)"
    connection.executemany(sql, rows)


_FILLED = {1: _name_files, 2: _date_and_call_files}
"""What fills the new columns of a migration."""


def damage(file: Path, what: str) -> str:
    """The message about a damaged archive."""
    return (
        f"The archive {file} is damaged: {what}."
        " Your images are untouched. Delete the archive with memery purge, then build it again."
    )


@contextlib.contextmanager
def translated(file: Path) -> Iterator[None]:
    """Turn SQLite's errors into memery's."""
    try:
        yield
    except (sqlite3.Error, OverflowError, UnicodeError) as error:
        raise _archive_error(file, error) from error
    except OSError as error:
        raise unwritable(file.parent, error) from error


def _archive_error(file: Path, error: Exception) -> ArchiveError:
    """What an error of SQLite, or of Python on the way to or from it, means to the user."""
    # What Python refuses has no code of SQLite's.
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    if code == sqlite3.SQLITE_FULL or (code in _UNWRITABLE and _is_full(file.parent)):
        return ArchiveFull(
            f"The disk is full: the archive {file} cannot grow. What was committed is kept;"
            " make room, or name another place with --archive, then run the command again."
        )
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return ArchiveError(f"The archive {file} stayed busy for {BUSY_SECONDS:.0f} s: try again.")
    if isinstance(error, sqlite3.ProgrammingError) and "closed database" in str(error):
        return ArchiveError(f"The archive {file} is closed: open it again.")
    if code in _DAMAGE or (code in _UNCLEAR and _is_damaged(file)):
        return ArchiveDamaged(damage(file, str(error)))
    if code in _UNCLEAR:
        return ArchiveError(
            f"The archive {file} could not be used: {error}. It is not damaged: this is a fault of"
            " memery. Please report it."
        )
    return ArchiveError(
        f"The archive {file} cannot be read or written: {error}."
        " Mend its permissions, or name another place with --archive."
    )


def not_writable(file: Path) -> ArchiveError:
    """The error for a connection that is only read."""
    error = sqlite3.OperationalError("it is read-only")
    error.sqlite_errorcode = sqlite3.SQLITE_READONLY
    return _archive_error(file, error)


def _is_full(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return shutil.disk_usage(folder).free < _LEAST_BYTES
    return False


def _is_damaged(file: Path) -> bool:
    """Whether SQLite finds damage, tables or columns are missing, or a text is not UTF-8."""
    if file == Path(_IN_MEMORY):
        return False
    try:
        address = f"{file.as_uri()}?mode=ro"
        with contextlib.closing(sqlite3.connect(address, timeout=BUSY_SECONDS, uri=True)) as db:
            version = db.execute("PRAGMA user_version").fetchone()[0]
            expected = _expected_columns(version)
            return (
                db.execute("PRAGMA quick_check(1)").fetchone() != ("ok",)
                or not expected.keys() <= _columns(db).keys()
                or not all(
                    _is_utf8(db, *column) for column, kind in expected.items() if kind == "TEXT"
                )
            )
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
        return code in (*_DAMAGE, sqlite3.SQLITE_ERROR)


def _expected_columns(version: int) -> dict[tuple[str, str], str]:
    with contextlib.closing(sqlite3.connect(_IN_MEMORY, isolation_level=None)) as fresh:
        _migrate(fresh, target=min(version, len(MIGRATIONS)))
        return _columns(fresh)


def _columns(db: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """The declared type of every column, by table and name."""
    return {
        (table, column): kind
        for table in sorted(_TABLES)
        for _, column, kind, *_ in db.execute(f"PRAGMA table_info({table})")
    }


def _is_utf8(db: sqlite3.Connection, table: str, column: str) -> bool:
    try:
        for (text,) in db.execute(f"SELECT CAST({column} AS BLOB) FROM {table}"):
            bytes(text or b"").decode()
    except UnicodeDecodeError:
        return False
    return True
