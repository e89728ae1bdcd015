"""The tables of `store.sqlite3` and the migrations between their versions."""

from __future__ import annotations

import contextlib
import os
import posixpath
import sqlite3
import uuid

from memery.archive import APPLICATION_ID
from memery.query.text_search.names import all_name_words, file_key, folder_key, name_words
from memery.types import image_id

IN_MEMORY = ":memory:"

_TOKENIZER = "tokenize='unicode61 remove_diacritics 2'"
TEXT_WORDS = f"CREATE VIRTUAL TABLE text_words USING fts5(raw, split, {_TOKENIZER})"
FILE_WORDS = f"CREATE VIRTUAL TABLE file_words USING fts5(name, whole, notes, {_TOKENIZER})"

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
    {TEXT_WORDS};
    {FILE_WORDS};
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
"""Each increments `user_version`. Never edit a released one: add a new entry instead."""

_SHADOWS = ("data", "idx", "content", "docsize", "config")
"""Suffixes of FTS5's shadow tables (https://www.sqlite.org/fts5.html)."""
TABLES = frozenset(
    [
        *("settings", "spaces", "contents", "files", "embeddings", "queries", "sqlite_sequence"),
        "outdated",
        *("texts", "text_words", "file_words", "names"),
        *(f"{name}_{part}" for name in ("text_words", "file_words") for part in _SHADOWS),
    ]
)


def migrate(connection: sqlite3.Connection, target: int = len(MIGRATIONS)) -> None:
    """Migrate the tables to a version, in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Read under the lock: another process may have migrated meanwhile.
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        for number in range(version, target):
            for statement in MIGRATIONS[number].split(";"):
                connection.execute(statement)
            if number in _BACKFILLS:
                _BACKFILLS[number](connection)
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


def _backfill_names(connection: sqlite3.Connection) -> None:
    """Add ids and searchable names to the files of an older archive."""
    # memery stores blobs; files with values of another type are read again.
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


def _backfill_dates(connection: sqlite3.Connection) -> None:
    """Add the dates in file names to the files of an older archive."""
    from memery.imaging.dates import date_in_name

    sql = "SELECT id, path FROM files WHERE content IS NOT NULL AND typeof(path) = 'blob'"
    for id_, path in connection.execute(sql).fetchall():
        named_at = date_in_name(posixpath.basename(os.fsdecode(path)))
        if named_at is not None:
            connection.execute("UPDATE files SET named_at = ? WHERE id = ?", (named_at, id_))


def _backfill_dates_and_names(connection: sqlite3.Connection) -> None:
    _backfill_dates(connection)
    sql = "SELECT id, path FROM files WHERE content IS NOT NULL AND typeof(path) = 'blob'"
    for id_, path in connection.execute(sql).fetchall():
        add_name_keys(connection, path)
        whole = " ".join(all_name_words(os.fsdecode(path)))  # now includes the extension
        connection.execute("UPDATE file_words SET whole = ? WHERE rowid = ?", (whole, id_))


def add_name_keys(connection: sqlite3.Connection, path: bytes) -> None:
    """Make a file findable by its name and by those of its parent folders."""
    name = os.fsdecode(path)
    rows = [(file_key(name), path)]
    while name := posixpath.dirname(name):
        rows.append((folder_key(name), os.fsencode(f"{name}/")))
    sql = "INSERT OR IGNORE INTO names (key, path) VALUES (?, ?)"
    connection.executemany(sql, rows)


_BACKFILLS = {1: _backfill_names, 2: _backfill_dates_and_names}
"""Functions that fill the new columns and tables of a migration."""


def expected_columns(version: int) -> dict[tuple[str, str], str]:
    """Return the declared type of each column of a version, by table and name."""
    with contextlib.closing(sqlite3.connect(IN_MEMORY, isolation_level=None)) as fresh:
        migrate(fresh, target=min(version, len(MIGRATIONS)))
        return columns(fresh)


def columns(db: sqlite3.Connection) -> dict[tuple[str, str], str]:
    """Read the declared type of each column, by table and name."""
    return {
        (table, column): kind
        for table in sorted(TABLES)
        for _, column, kind, *_ in db.execute(f"PRAGMA table_info({table})")
    }
