"""Changes to the SQLite store, one transaction each."""

from __future__ import annotations

import os
import posixpath
import sqlite3
from collections.abc import Collection, Sequence

from memery.stores.records import IndexRecord, RecognizedText, SkipRecord, Space
from memery.stores.sqlite.database import Database
from memery.stores.sqlite.generations import SearchIndexes
from memery.stores.sqlite.spaces import ensure_space, generation_prefix, space_number
from memery.stores.sqlite.text_index import remove_name, remove_unused, write_name, write_text
from memery.types import image_id

_UPSERT_FILE = """
    INSERT INTO files
        (path, size, mtime_ns, content, handle, skip_reason, skip_detail, circumstances,
        named_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (path) DO UPDATE SET size = excluded.size, mtime_ns = excluded.mtime_ns,
        content = excluded.content, handle = excluded.handle, skip_reason = excluded.skip_reason,
        skip_detail = excluded.skip_detail, circumstances = excluded.circumstances,
        named_at = excluded.named_at
"""


class SQLiteWriter:
    """Writes to an archive whose lock is held.

    Args:
        database: the archive's database.
        indexes: the archive's search indexes.
    """

    def __init__(self, database: Database, indexes: SearchIndexes) -> None:
        self._db = database
        self._indexes = indexes

    def commit(
        self, space: Space, records: Sequence[IndexRecord], skips: Sequence[SkipRecord]
    ) -> None:
        """Store a batch in one transaction."""
        with self._db.write_transaction() as db:
            number = ensure_space(db, space)
            for record in records:
                _write_record(db, number, record)
            db.executemany(
                _UPSERT_FILE,
                [
                    (os.fsencode(entry.path), entry.size, entry.mtime_ns, None, None,
                     skip.skip.reason, _utf8(skip.skip.detail), skip.decoder_fingerprint, None)
                    for skip in skips
                    for entry in (skip.entry,)
                ],
            )  # fmt: skip

    def remove(self, paths: Collection[str]) -> list[str]:
        """Remove files and return the digests of their contents."""
        digests: list[str] = []
        with self._db.write_transaction() as db:
            for path in map(os.fsencode, paths):
                row = db.execute(
                    "SELECT CAST(digest AS BLOB) FROM files JOIN contents ON contents.id = content"
                    " WHERE path = ?",
                    (path,),
                ).fetchone()
                digests.extend(digest.hex() for digest in row or ())
                remove_name(db, path)
                db.execute("DELETE FROM files WHERE path = ?", (path,))
        return digests

    def prune(self) -> None:
        """Delete the contents that no file has."""
        unused = "content NOT IN (SELECT content FROM files WHERE content IS NOT NULL)"
        with self._db.write_transaction() as db:
            db.execute(f"DELETE FROM embeddings WHERE {unused}")
            remove_unused(db)
            db.execute("DELETE FROM contents WHERE id NOT IN (SELECT content FROM embeddings)")

    def commit_texts(self, texts: Sequence[RecognizedText]) -> None:
        """Store recognised texts, replacing earlier ones; ignore unknown contents."""
        with self._db.write_transaction() as db:
            for text in texts:
                write_text(db, text)

    def activate(self, space: Space) -> None:
        """Make a space, which may be new, the one that searches use."""
        with self._db.write_transaction() as db:
            number = ensure_space(db, space)
            db.execute("INSERT OR REPLACE INTO settings VALUES ('space', ?)", (str(number),))

    def drop_space(self, space: Space) -> None:
        """Delete an inactive space with its embeddings, queries and index."""
        with self._db.write_transaction() as db:
            number = space_number(db, space)
            prefix = generation_prefix(db, space)
            for table in ("embeddings", "queries", "outdated"):
                db.execute(f"DELETE FROM {table} WHERE space = ?", (number,))
            db.execute("DELETE FROM spaces WHERE id = ?", (number,))
            unknown = "content NOT IN (SELECT content FROM embeddings)"
            db.execute(f"DELETE FROM files WHERE content IS NOT NULL AND {unknown}")
            remove_unused(db)
            db.execute("DELETE FROM contents WHERE id NOT IN (SELECT content FROM embeddings)")
        self._indexes.forget(prefix)
        self._db.shrink()

    def remember(self, name: str, value: str) -> None:
        """Store a setting."""
        self._db.remember(name, value)


def _utf8(text: str) -> str:
    """Replace lone surrogates, which SQLite cannot store, by `?`."""
    return text.encode("utf-8", "replace").decode()


def _write_record(db: sqlite3.Connection, space: int, record: IndexRecord) -> None:
    from memery.imaging.dates import date_in_name

    content, notes = _write_content(db, record)
    entry = record.entry
    path = os.fsencode(entry.path)
    handle = bytes.fromhex(image_id(path, bytes.fromhex(record.digest)))
    db.execute(
        _UPSERT_FILE,
        (path, entry.size, entry.mtime_ns, content, handle, None, None, None,
         date_in_name(posixpath.basename(entry.path))),
    )  # fmt: skip
    file = db.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()[0]
    write_name(db, file, entry.path, notes)
    if record.content is not None:
        db.execute(
            "INSERT OR REPLACE INTO embeddings (space, content, vector) VALUES (?, ?, ?)",
            (space, content, record.content.embedding.astype("<f2").tobytes()),
        )
    # A record without a content confirms that the embedding is still right.
    db.execute("DELETE FROM outdated WHERE space = ? AND content = ?", (space, content))


def _write_content(db: sqlite3.Connection, record: IndexRecord) -> tuple[int, str | None]:
    """Store an image's content; return its row id and its metadata text."""
    digest = bytes.fromhex(record.digest)
    new = record.content
    if new is not None:
        db.execute(
            "INSERT INTO contents"
            " (digest, width, height, format, taken_at, notes, hashes, colour, date_source,"
            " damage) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (digest) DO UPDATE"
            " SET notes = excluded.notes, hashes = excluded.hashes, colour = excluded.colour,"
            " taken_at = excluded.taken_at, date_source = excluded.date_source,"
            " damage = excluded.damage",
            (digest, new.width, new.height, new.format, new.taken_at, _utf8(new.notes), new.hashes,
             new.colour, new.date_source, _utf8(new.damage)),
        )  # fmt: skip
    elif record.taken is not None:
        db.execute(
            "UPDATE contents SET taken_at = ?, date_source = ? WHERE digest = ?",
            (record.taken.at, record.taken.source, digest),
        )
    content, notes = db.execute(
        "SELECT id, notes FROM contents WHERE digest = ?", (digest,)
    ).fetchone()
    return content, notes
