"""Maintenance of the FTS5 tables over recognised text, names and metadata."""

from __future__ import annotations

import json
import os
import sqlite3
from typing import Any

from memery.query.text_search.names import all_name_words, file_key, name_words
from memery.query.text_search.splitting import split_text
from memery.query.text_search.tokens import split_cjk, strip_apostrophes, tokens
from memery.stores.records import RecognizedText
from memery.stores.sqlite import schema
from memery.stores.sqlite.filter_sql import folder_bounds
from memery.types import Line

_NOT_INDEXED = """
    SELECT content FROM texts WHERE lines != '[]' EXCEPT SELECT rowid FROM text_words
    UNION ALL SELECT id FROM files WHERE content IS NOT NULL EXCEPT SELECT rowid FROM file_words
    LIMIT 1
"""


def write_text(db: sqlite3.Connection, text: RecognizedText) -> None:
    """Store and index the text recognised in an image; ignore unknown contents."""
    row = db.execute("SELECT id FROM contents WHERE digest = ?", (bytes.fromhex(text.digest),))
    for (content,) in row.fetchall():
        lines: list[Any] = [[line.text, line.confidence, *line.box] for line in text.lines]
        db.execute(
            "INSERT OR REPLACE INTO texts (content, reader, lines) VALUES (?, ?, ?)",
            (content, text.engine, json.dumps(lines)),
        )
        db.execute("DELETE FROM text_words WHERE rowid = ?", (content,))
        if text.lines:
            raw = "\n".join(line.text for line in text.lines)
            db.execute(
                "INSERT INTO text_words (rowid, raw, split) VALUES (?, ?, ?)",
                (content, " ".join(tokens(raw)), split_text(raw)),
            )


def write_name(db: sqlite3.Connection, file: int, path: str, notes: str | None) -> None:
    """Index the name of a file, the words in the name, and its metadata."""
    schema.add_name_keys(db, os.fsencode(path))
    db.execute(
        "INSERT OR REPLACE INTO file_words (rowid, name, whole, notes) VALUES (?, ?, ?, ?)",
        (
            file,
            " ".join(name_words(path)),
            " ".join(all_name_words(path)),
            " ".join(tokens(split_cjk(strip_apostrophes(notes or "")))),
        ),
    )


def remove_name(db: sqlite3.Connection, path: bytes) -> None:
    """Remove a file's name from the index."""
    db.execute(
        "DELETE FROM names WHERE key = ? AND path = ?",
        (file_key(os.fsdecode(path)), path),
    )
    file = "(SELECT id FROM files WHERE path = ?)"
    db.execute(f"DELETE FROM file_words WHERE rowid = {file}", (path,))


def remove_unused(db: sqlite3.Connection) -> None:
    """Delete the entries of deleted files and contents, and the names of empty folders."""
    folders = "SELECT key, path FROM names WHERE CAST(substr(path, -1) AS TEXT) = '/'"
    for key, path in db.execute(folders).fetchall():
        bounds = folder_bounds(os.fsdecode(path[:-1]))
        if not db.execute("SELECT 1 FROM files WHERE path >= ? AND path < ?", bounds).fetchone():
            db.execute("DELETE FROM names WHERE key = ? AND path = ?", (key, path))
    db.execute("DELETE FROM file_words WHERE rowid NOT IN (SELECT id FROM files)")
    unknown = "NOT IN (SELECT content FROM embeddings)"
    db.execute(f"DELETE FROM text_words WHERE rowid {unknown}")
    db.execute(f"DELETE FROM texts WHERE content {unknown}")


def parse_lines(lines: str) -> tuple[Line, ...]:
    """Parse the lines of a stored text.

    Raises:
        ValueError, TypeError: they were not stored by `write_text`.
    """
    return tuple(_line(*values) for values in json.loads(lines))


def _line(text: object, confidence: object, *box: object) -> Line:
    numbers = (confidence, *box)
    if not isinstance(text, str) or not all(isinstance(n, (int, float)) for n in numbers):
        raise TypeError
    sure, left, top, right, bottom = (float(n) for n in numbers if isinstance(n, (int, float)))
    return Line(text, sure, (left, top, right, bottom))


def verify_text_index(db: sqlite3.Connection) -> list[str]:
    """Check texts and text search; return one sentence for each fault found."""
    faults = [fault for table in ("text_words", "file_words") for fault in _check(db, table)]
    if not faults and db.execute(_NOT_INDEXED).fetchone():
        faults.append("text search does not cover all recognised text and names")
    rows = db.execute("SELECT typeof(reader), typeof(lines), lines FROM texts")
    if not all(types == ["text", "text"] and _is_sound(lines) for *types, lines in rows):
        faults.append("the text of an image has the wrong form")
    return faults


def _check(db: sqlite3.Connection, table: str) -> list[str]:
    """Run FTS5's integrity check, which needs write access."""
    try:
        db.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_READONLY,
        ):
            raise
        return [f"text search is damaged ({table}: {error})"]
    return []


def _is_sound(lines: str) -> bool:
    try:
        parse_lines(lines)
    except (ValueError, TypeError):
        return False
    return True
