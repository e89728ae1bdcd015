"""What words are found by: the search tables over texts, names and notes, kept up to date."""

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

_UNSEARCHED = """
    SELECT content FROM texts WHERE lines != '[]' EXCEPT SELECT rowid FROM text_words
    UNION ALL SELECT id FROM files WHERE content IS NOT NULL EXCEPT SELECT rowid FROM file_words
    LIMIT 1
"""


def write_text(db: sqlite3.Connection, text: RecognizedText) -> None:
    """Store what was recognised in an image, and let it be found; ignore unknown contents."""
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
    """Let a file be found by its name, the words in it, and its notes."""
    schema.keep_name(db, os.fsencode(path))
    db.execute(
        "INSERT OR REPLACE INTO file_words (rowid, name, whole, notes) VALUES (?, ?, ?, ?)",
        (
            file,
            " ".join(name_words(path)),
            " ".join(all_name_words(path)),
            " ".join(tokens(split_cjk(strip_apostrophes(notes or "")))),
        ),
    )


def forget_name(db: sqlite3.Connection, path: bytes) -> None:
    """A file is gone: its name is not to be found any more."""
    db.execute(
        "DELETE FROM names WHERE key = ? AND path = ?",
        (file_key(os.fsdecode(path)), path),
    )
    file = "(SELECT id FROM files WHERE path = ?)"
    db.execute(f"DELETE FROM file_words WHERE rowid = {file}", (path,))


def forget_unused(db: sqlite3.Connection) -> None:
    """Drop the words of files and contents that are gone, and the names of empty folders."""
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
    """The lines of a text as they are stored.

    Raises:
        ValueError: they are not what `write_text` stores.
        TypeError: likewise.
    """
    return tuple(_line(*values) for values in json.loads(lines))


def _line(text: object, confidence: object, *box: object) -> Line:
    numbers = (confidence, *box)
    if not isinstance(text, str) or not all(isinstance(n, (int, float)) for n in numbers):
        raise TypeError
    sure, left, top, right, bottom = (float(n) for n in numbers if isinstance(n, (int, float)))
    return Line(text, sure, (left, top, right, bottom))


def verify_words(db: sqlite3.Connection) -> list[str]:
    """What is wrong with the texts and the search over them, one sentence each."""
    faults = [fault for table in ("text_words", "file_words") for fault in _check(db, table)]
    if not faults and db.execute(_UNSEARCHED).fetchone():
        faults.append("the search over the text in pictures misses some of it")
    rows = db.execute("SELECT typeof(reader), typeof(lines), lines FROM texts")
    if not all(types == ["text", "text"] and _is_sound(lines) for *types, lines in rows):
        faults.append("the text of a picture has the wrong form")
    return faults


def _check(db: sqlite3.Connection, table: str) -> list[str]:
    """FTS5's own comparison of an index with what is indexed; it needs the right to write."""
    try:
        db.execute(f"INSERT INTO {table} ({table}) VALUES ('integrity-check')")
    except sqlite3.DatabaseError as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (
            sqlite3.SQLITE_BUSY,
            sqlite3.SQLITE_READONLY,
        ):
            raise
        return [f"the search over words is broken ({table}: {error})"]
    return []


def _is_sound(lines: str) -> bool:
    try:
        parse_lines(lines)
    except (ValueError, TypeError):
        return False
    return True
