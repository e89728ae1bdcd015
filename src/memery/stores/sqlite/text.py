"""Words in the SQLite store: text found in pictures, names of files, notes; searched by FTS5."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any

from memery.filters import Filter
from memery.stores.interface import Groups, Match, Space, Text
from memery.stores.sqlite import schema
from memery.stores.sqlite.conditions import condition, folder_bounds, matching, naming
from memery.stores.sqlite.database import Database
from memery.stores.sqlite.images import FACTS, image_of
from memery.stores.sqlite.spaces import Spaces
from memery.types import FileEntry, ImageFile, Line
from memery.words.names import all_name_words, file_key, is_called, name_keys, name_words
from memery.words.splitting import split_text
from memery.words.tokens import joined, spaced, tokens

_VARIABLES = 500
"""Values bound in one statement; SQLite's oldest limit is 999."""
_NO_LIMIT = -1

_UNREAD = """
    SELECT path, size, mtime_ns, CAST(digest AS BLOB)
    FROM files JOIN contents ON contents.id = content
    WHERE (? OR NOT EXISTS (SELECT 1 FROM texts WHERE texts.content = contents.id)) AND {}
    GROUP BY contents.id ORDER BY mtime_ns DESC, path
"""
_FOUND = f"""
    SELECT contents.id, {FACTS} FROM {{table}}
    JOIN files ON {{link}} JOIN contents ON contents.id = files.content
    WHERE {{table}} MATCH ? AND {{where}}
        AND EXISTS (SELECT 1 FROM embeddings WHERE space = ? AND content = contents.id)
    ORDER BY {{table}}.rank, path LIMIT ?
"""
_CALLED = f"""
    SELECT {FACTS} FROM files JOIN contents ON contents.id = files.content
    WHERE {{}} AND EXISTS (SELECT 1 FROM embeddings WHERE space = ? AND content = contents.id)
    ORDER BY path LIMIT ?
"""

_UNSEARCHED = """
    SELECT content FROM texts WHERE lines != '[]' EXCEPT SELECT rowid FROM text_words
    UNION ALL SELECT id FROM files WHERE content IS NOT NULL EXCEPT SELECT rowid FROM file_words
    LIMIT 1
"""


class Texts:
    """Searches texts and names.

    Args:
        database: of the archive.
        spaces: its spaces: what has no embedding in one is not found with it.
    """

    def __init__(self, database: Database, spaces: Spaces) -> None:
        self._db = database
        self._spaces = spaces

    def unread(self, scope: Filter, *, everything: bool = False) -> Sequence[tuple[FileEntry, str]]:
        """A file of every content whose text was not read yet, newest first, with the digest."""
        where = condition(scope)
        with self._db.reading() as db:
            rows = db.execute(_UNREAD.format(where.sql), (everything, *where.values)).fetchall()
        return [
            (FileEntry(os.fsdecode(path), size, mtime_ns), digest.hex())
            for path, size, mtime_ns, digest in rows
        ]

    def commit(self, texts: Sequence[Text]) -> None:
        """Store what was read in pictures, in one transaction."""
        with self._db.changing() as db:
            for text in texts:
                _write(db, text)

    def text(self, digest: str) -> Text | None:
        """What was read in a picture, or None."""
        with self._db.reading() as db:
            row = db.execute(
                "SELECT CAST(reader AS TEXT), lines FROM texts"
                " JOIN contents ON contents.id = content WHERE digest = ?",
                (bytes.fromhex(digest),),
            ).fetchone()
        if row is None:
            return None
        try:
            return Text(digest, row[0], tuple(_line(*values) for values in json.loads(row[1])))
        except (ValueError, TypeError):
            raise self._db.damaged("the text of a picture has the wrong form") from None

    def count(self, scope: Filter) -> tuple[int, int]:
        """Images whose text was read, and how many of them hold any."""
        where = condition(scope)
        with self._db.reading() as db:
            row = db.execute(
                "SELECT count(*), count(*) FILTER (WHERE lines != '[]') FROM files"
                " JOIN contents ON contents.id = files.content"
                " JOIN texts ON texts.content = contents.id"
                f" WHERE {where.sql}",
                where.values,
            ).fetchone()
        return int(row[0]), int(row[1])

    def verify(self, db: sqlite3.Connection) -> list[str]:
        """What is wrong with the texts and the search over them, one sentence each."""
        faults = [fault for table in ("text_words", "file_words") for fault in _check(db, table)]
        if not faults and db.execute(_UNSEARCHED).fetchone():
            faults.append("the search over the text in pictures misses some of it")
        rows = db.execute("SELECT typeof(reader), typeof(lines), lines FROM texts")
        if not all(types == ["text", "text"] and _is_sound(lines) for *types, lines in rows):
            faults.append("the text of a picture has the wrong form")
        return faults

    def readers(self) -> Sequence[tuple[str, int]]:
        """What read the text that is stored, each with the number of contents, most first."""
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT CAST(reader AS TEXT), count(*) FROM texts GROUP BY 1 ORDER BY 2 DESC, 1"
            )
            return [(reader, count) for reader, count in rows]

    def find(
        self, space: Space, words: Groups, scope: Filter, limit: int | None, besides: Groups = ()
    ) -> Sequence[Match]:
        """Images whose text holds any of the words, best first."""
        match = matching(words)
        if besides:
            match = f"({match}) AND ({matching([*words, *besides])})"
        with self._db.reading() as db:
            found = self._found(db, space, "text_words", match, scope, limit)
            held = [_holders(db, group) for group in words]
            more = [_holders(db, group) for group in besides]
        return [
            Match(
                image,
                sum(content in holders for holders in held),
                sum(content in holders for holders in more) / max(len(more), 1),
            )
            for content, image in found
        ]

    def find_names(
        self, space: Space, words: Groups, scope: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose name and notes together hold all of the words, best first."""
        with self._db.reading() as db:
            found = self._found(db, space, "file_words", naming(words), scope, limit)
        return [image for _, image in found]

    def find_called(
        self, space: Space, name: str, scope: Filter, limit: int | None
    ) -> Sequence[ImageFile]:
        """Images whose file has this name, then those in folders of this name."""
        keys = name_keys(name)
        sql = f"SELECT path FROM names WHERE key IN ({','.join('?' * len(keys))}) ORDER BY path"
        found: dict[str, ImageFile] = {}
        with self._db.reading() as db:
            number, where = self._spaces.number(db, space), condition(scope)
            rows = [os.fsdecode(row[0]) for row in db.execute(sql, keys)]
            folders = [path[:-1] for path in rows if path.endswith("/")]
            files = [path for path in rows if not path.endswith("/") and is_called(path, name)]
            places = [
                *(("path = ?", (os.fsencode(path),)) for path in files),
                *(
                    ("path >= ? AND path < ?", folder_bounds(path))
                    for path in folders
                    if is_called(path, name, folder=True)
                ),
            ]
            for place, values in places:
                left = _NO_LIMIT if limit is None else limit - len(found)
                if left == 0:
                    break
                sql = _CALLED.format(f"{place} AND {where.sql}")
                for facts in db.execute(sql, (*values, *where.values, number, left)):
                    image = image_of(db, facts)
                    found.setdefault(image.path, image)
        return list(found.values())

    def _found(
        self,
        db: sqlite3.Connection,
        space: Space,
        table: str,
        match: str,
        scope: Filter,
        limit: int | None,
    ) -> list[tuple[int, ImageFile]]:
        where = condition(scope)
        row = "files.content" if table == "text_words" else "files.id"
        sql = _FOUND.format(table=table, link=f"{row} = {table}.rowid", where=where.sql)
        number = self._spaces.number(db, space)
        values = (match, *where.values, number, _NO_LIMIT if limit is None else limit)
        return [(content, image_of(db, facts)) for content, *facts in db.execute(sql, values)]

    def vocabulary(self, words: Collection[str]) -> set[str]:
        """Which of these tokens stand in the text of any picture."""
        wanted = sorted(words)
        found: set[str] = set()
        with self._db.reading() as db:
            db.execute(
                "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary"
                " USING fts5vocab(main, text_words, row)"
            )
            for start in range(0, len(wanted), _VARIABLES):
                part = wanted[start : start + _VARIABLES]
                marks = ",".join("?" * len(part))
                sql = f"SELECT term FROM temp.vocabulary WHERE term IN ({marks})"
                found.update(term for (term,) in db.execute(sql, part))
        return found


def _holders(db: sqlite3.Connection, group: Sequence[tuple[str, ...]]) -> set[int]:
    """The contents whose text holds a group of phrases."""
    sql = "SELECT rowid FROM text_words WHERE text_words MATCH ?"
    return {row[0] for row in db.execute(sql, (matching([group]),))}


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
        return all(_line(*values) for values in json.loads(lines))
    except (ValueError, TypeError):
        return False


def _line(text: object, confidence: object, *box: object) -> Line:
    numbers = (confidence, *box)
    if not isinstance(text, str) or not all(isinstance(n, (int, float)) for n in numbers):
        raise TypeError
    sure, left, top, right, bottom = (float(n) for n in numbers if isinstance(n, (int, float)))
    return Line(text, sure, (left, top, right, bottom))


def _write(db: sqlite3.Connection, text: Text) -> None:
    row = db.execute("SELECT id FROM contents WHERE digest = ?", (bytes.fromhex(text.digest),))
    for (content,) in row.fetchall():
        lines: list[Any] = [[line.text, line.confidence, *line.box] for line in text.lines]
        db.execute(
            "INSERT OR REPLACE INTO texts (content, reader, lines) VALUES (?, ?, ?)",
            (content, text.reader, json.dumps(lines)),
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
            " ".join(tokens(spaced(joined(notes or "")))),
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
