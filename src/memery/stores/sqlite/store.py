"""The SQLite store: facts, embeddings and remembered queries in one file of committed batches."""

from __future__ import annotations

import contextlib
import logging
import os
import posixpath
import sqlite3
import sys
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.errors import RETRIED_REASONS, ArchiveError, ArchiveLocked
from memery.filters import Filter
from memery.stores.interface import Addition, Found, SkipAddition, Space, Stamp
from memery.stores.sqlite.conditions import condition
from memery.stores.sqlite.database import Database
from memery.stores.sqlite.listings import Listings
from memery.stores.sqlite.search import Indexes, count_images, digest_scores, exact_copies
from memery.stores.sqlite.spaces import Spaces
from memery.stores.sqlite.text import Texts, forget_name, forget_unused, write_name
from memery.types import ImageFile, Skip, image_id

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

logger = logging.getLogger(__name__)

REMEMBERED_QUERIES = 2000
"""Query embeddings kept per space."""

_STRANGE_TYPES = """
    SELECT 1 FROM files WHERE typeof(path) != 'blob' OR instr(path, x'00') > 0
        OR typeof(size) != 'integer' OR typeof(mtime_ns) != 'integer'
        OR typeof(named_at) NOT IN ('text', 'null')
    UNION ALL SELECT 1 FROM contents WHERE typeof(digest) != 'blob' OR length(digest) != 32
        OR typeof(width) != 'integer' OR typeof(height) != 'integer' OR typeof(format) != 'text'
        OR typeof(taken_at) NOT IN ('text', 'null') OR typeof(hashes) NOT IN ('blob', 'null')
        OR typeof(colour) NOT IN ('integer', 'null') OR typeof(date_source) NOT IN ('text', 'null')
        OR typeof(damage) NOT IN ('text', 'null')
    UNION ALL SELECT 1 FROM queries WHERE typeof(vector) != 'blob' OR typeof(text) != 'text'
    LIMIT 1
"""
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


class SQLiteStore:
    """The default store. Nothing is created on disk before the first write."""

    def __init__(self, archive: Archive) -> None:
        self._db = Database(archive)
        self._spaces = Spaces(self._db)
        self._texts = Texts(self._db, self._spaces)
        self._listings = Listings(self._db, self._spaces)
        self._indexes = Indexes(archive.index)
        self.writing = self._db.writing
        self.version = self._db.version
        self.setting = self._db.setting
        self.remember = self._db.remember
        self.spaces = self._spaces.all
        self.current_space = self._spaces.current
        self.switch_space = self._spaces.switch
        self.image = self._listings.image
        self.browse = self._listings.browse
        self.likenesses = self._listings.likenesses
        self.facets = self._listings.facets
        self.damaged = self._listings.damaged
        self.count_dates = self._listings.count_dates
        self.unread = self._texts.unread
        self.find_called = self._texts.find_called
        self.commit_texts = self._texts.commit
        self.text = self._texts.text
        self.count_texts = self._texts.count
        self.readers = self._texts.readers
        self.find_text = self._texts.find
        self.find_names = self._texts.find_names
        self.vocabulary = self._texts.vocabulary

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Read from one transaction, with an index that is no newer."""
        with self._indexes.pinned(), self._db.snapshot():
            yield

    def drop_space(self, space: Space) -> None:
        """Forget a space that does not answer searches, with its index."""
        with self._db.changing() as db:
            number = self._spaces.number(db, space)
            prefix = self._spaces.generation_prefix(db, space)
            for table in ("embeddings", "queries", "outdated"):
                db.execute(f"DELETE FROM {table} WHERE space = ?", (number,))
            db.execute("DELETE FROM spaces WHERE id = ?", (number,))
            unknown = "content NOT IN (SELECT content FROM embeddings)"
            db.execute(f"DELETE FROM files WHERE content IS NOT NULL AND {unknown}")
            forget_unused(db)
            db.execute("DELETE FROM contents WHERE id NOT IN (SELECT content FROM embeddings)")
        self._indexes.forget(prefix)
        self._db.shrink()

    def settled(self, space: Space, scope: Filter, circumstances: str) -> dict[str, Stamp | None]:
        """Every path known, with the stamp under which its file need not be read again."""
        where = condition(Filter(scope.under))
        reasons = sorted(RETRIED_REASONS)
        with self._db.reading() as db:
            number = self._spaces.number(db, space)
            rows = db.execute(
                "SELECT path, size, mtime_ns, CASE WHEN skip_reason IS NULL"
                " THEN EXISTS (SELECT 1 FROM embeddings JOIN contents ON contents.id = content"
                " WHERE space = ? AND content = files.content AND hashes IS NOT NULL"
                " AND (date_source IS NOT NULL OR taken_at IS NOT NULL))"
                " AND NOT EXISTS (SELECT 1 FROM outdated WHERE space = ? AND content ="
                " files.content)"
                " ELSE circumstances = ?"
                f" AND skip_reason NOT IN ({','.join('?' * len(reasons))}) END"
                f" FROM files WHERE {where.sql}",
                (number, number, circumstances, *reasons, *where.values),
            )
            return {
                _name(path): (size, mtime_ns) if settled else None
                for path, size, mtime_ns, settled in rows
            }

    def known_digests(self, space: Space) -> set[str]:
        """Digests that need not be encoded, those of vanished files included."""
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT CAST(digest AS BLOB) FROM contents JOIN embeddings ON content = contents.id"
                " WHERE space = ? AND hashes IS NOT NULL",
                (self._spaces.number(db, space),),
            )
            return {digest.hex() for (digest,) in rows}

    def outdated(self, space: Space) -> set[str]:
        """Digests whose embedding is from pixels that an earlier memery decoded."""
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT CAST(digest AS BLOB) FROM contents JOIN outdated ON content = contents.id"
                " WHERE space = ?",
                (self._spaces.number(db, space),),
            )
            return {digest.hex() for (digest,) in rows}

    def undated(self) -> set[str]:
        """Digests whose metadata was last looked at by a memery that knew fewer kinds of dates."""
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT CAST(digest AS BLOB) FROM contents"
                " WHERE date_source IS NULL AND taken_at IS NULL"
            )
            return {digest.hex() for (digest,) in rows}

    def commit(
        self, space: Space, additions: Sequence[Addition], skips: Sequence[SkipAddition]
    ) -> None:
        """Store a batch in one transaction."""
        with self._db.changing() as db:
            number = self._spaces.ensure(db, space)
            for addition in additions:
                _add(db, number, addition)
            db.executemany(
                _UPSERT_FILE,
                [
                    (os.fsencode(entry.path), entry.size, entry.mtime_ns, None, None,
                     skip.skip.reason, _utf8(skip.skip.detail), skip.circumstances, None)
                    for skip in skips
                    for entry in (skip.entry,)
                ],
            )  # fmt: skip

    def remove(self, paths: Collection[str]) -> list[str]:
        """Forget files; returns the digest of each that had a content."""
        digests: list[str] = []
        with self._db.changing() as db:
            for path in map(os.fsencode, paths):
                row = db.execute(
                    "SELECT CAST(digest AS BLOB) FROM files JOIN contents ON contents.id = content"
                    " WHERE path = ?",
                    (path,),
                ).fetchone()
                digests.extend(digest.hex() for digest in row or ())
                forget_name(db, path)
                db.execute("DELETE FROM files WHERE path = ?", (path,))
        return digests

    def prune(self) -> None:
        """Drop the embeddings of files that are gone."""
        unused = "content NOT IN (SELECT content FROM files WHERE content IS NOT NULL)"
        with self._db.changing() as db:
            db.execute(f"DELETE FROM embeddings WHERE {unused}")
            forget_unused(db)
            db.execute("DELETE FROM contents WHERE id NOT IN (SELECT content FROM embeddings)")

    def count(self, space: Space, scope: Filter) -> int:
        """Images that a search in the space can find."""
        with self._db.reading() as db:
            return count_images(db, self._spaces.number(db, space), scope)

    def skips(self, scope: Filter) -> Sequence[Skip]:
        """Files that were left out, ordered by path."""
        where = condition(Filter(scope.under))
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT path, CAST(skip_reason AS TEXT), CAST(skip_detail AS TEXT) FROM files"
                f" WHERE skip_reason IS NOT NULL AND {where.sql} ORDER BY path",
                where.values,
            ).fetchall()
        return [Skip(os.fsdecode(path), reason, detail or "") for path, reason, detail in rows]

    def search(
        self,
        space: Space,
        vector: NDArray[np.float32],
        limit: int,
        scope: Filter,
        *,
        fold: bool = False,
    ) -> Found:
        """The images nearest to a unit vector."""
        with self.snapshot(), self._db.reading() as db:
            searcher = self._indexes.open(self._spaces.generation_prefix(db, space), space.dim)
            number = self._spaces.number(db, space)
            return searcher.search(db, number, vector, limit, scope, fold=fold)

    def count_above(
        self,
        space: Space,
        vector: NDArray[np.float32],
        least: float,
        scope: Filter,
        *,
        fold: bool = False,
    ) -> int:
        """Images that pass a filter and whose cosine with a unit vector is least or more."""
        with self.snapshot(), self._db.reading() as db:
            searcher = self._indexes.open(self._spaces.generation_prefix(db, space), space.dim)
            number = self._spaces.number(db, space)
            return searcher.count_above(db, number, vector, least, scope, fold=fold)

    def copies(self, images: Sequence[ImageFile], scope: Filter) -> Sequence[Sequence[str]]:
        """The paths of the other exact copies of each image that pass a filter, in order."""
        with self._db.reading() as db:
            return exact_copies(db, images, scope)

    def content_key(self, image: ImageFile) -> str:
        """The digest: here copies are what has the same bytes."""
        return image.digest

    def background(self, space: Space, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosines of a unit vector with embeddings that stand for the whole space."""
        with self.snapshot(), self._db.reading() as db:
            searcher = self._indexes.open(self._spaces.generation_prefix(db, space), space.dim)
            return searcher.background(db, self._spaces.number(db, space), vector)

    def scores(
        self, space: Space, vector: NDArray[np.float32], digests: Collection[str]
    ) -> dict[str, float]:
        """The cosine of a unit vector with each content that has an embedding."""
        with self._db.reading() as db:
            return digest_scores(db, self._spaces.number(db, space), vector, digests)

    def embedding(self, space: Space, digest: str) -> NDArray[np.float32] | None:
        """The embedding of a content, or None."""
        return self._vector(
            space,
            "SELECT vector FROM embeddings JOIN contents ON contents.id = content"
            " WHERE space = ? AND digest = ?",
            bytes.fromhex(digest),
            "<f2",
        )

    def query_embedding(self, space: Space, text: str) -> NDArray[np.float32] | None:
        """The remembered embedding of a text, or None."""
        import numpy as np

        sql = "SELECT vector FROM queries WHERE space = ? AND text = ?"
        vector = self._vector(space, sql, text, "<f4")
        # What is no unit vector was not written here: it is encoded again, and replaced.
        sound = vector is not None and np.isclose(np.linalg.norm(vector), 1, atol=1e-3)
        return vector if sound else None

    def _vector(
        self, space: Space, sql: str, key: bytes | str, dtype: str
    ) -> NDArray[np.float32] | None:
        import numpy as np

        with self._db.reading() as db:
            row = db.execute(sql, (self._spaces.number(db, space), key)).fetchone()
        if row is None:
            return None
        if not isinstance(row[0], bytes) or len(row[0]) != space.dim * np.dtype(dtype).itemsize:
            raise self._db.damaged("an embedding has the wrong size")
        return np.frombuffer(row[0], dtype=dtype).astype(np.float32)

    def remember_query(self, space: Space, text: str, embedding: NDArray[np.float32]) -> None:
        """Remember the embedding of a text; the oldest are forgotten beyond a bound."""
        with self._db.noting() as db:
            number = self._spaces.number(db, space) if db is not None else 0
            if db is None or not number:
                return
            db.execute(
                "INSERT OR REPLACE INTO queries (space, text, vector) VALUES (?, ?, ?)",
                (number, text, embedding.astype("<f4").tobytes()),
            )
            db.execute(
                "DELETE FROM queries WHERE space = ? AND id <="
                " (SELECT id FROM queries WHERE space = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
                (number, number, REMEMBERED_QUERIES),
            )

    def refresh(self, space: Space) -> None:
        """Write a new generation of the search index if the present one lags far behind.

        Where that cannot be done now, searches read the rest from the store: slower, as right.
        """
        with self.snapshot(), self._db.reading() as db:
            searcher = self._indexes.open(self._spaces.generation_prefix(db, space), space.dim)
            lags = searcher.lags(db, self._spaces.number(db, space))
        if not lags:
            return
        try:
            with self._db.writing(), self._db.reading() as db:
                prefix = self._spaces.generation_prefix(db, space)
                searcher.write(db, self._spaces.number(db, space), space.dim, prefix)
        except ArchiveLocked:
            logger.debug("The index is left to the process that is writing.")
        except ArchiveError as error:
            logger.warning("The search index could not be written. %s", error)

    def verify(self, space: Space) -> Sequence[str]:
        """What is wrong with the store."""
        with self.snapshot(), self._db.reading() as db:
            faults = [
                str(row[0]) for row in db.execute("PRAGMA integrity_check(10)") if row[0] != "ok"
            ]
            if db.execute("PRAGMA foreign_key_check").fetchone():
                faults.append("a row refers to one that does not exist")
            if db.execute(_STRANGE_TYPES).fetchone():
                faults.append("a value has the wrong type")
            faults += self._texts.verify(db)
            searcher = self._indexes.open(self._spaces.generation_prefix(db, space), space.dim)
            faults += searcher.verify(db, self._spaces.number(db, space), space.dim)
        return faults

    def close(self) -> None:
        """Let go of files and memory."""
        self._indexes.close()
        self._db.close()


_NAMES = sys.getfilesystemencoding()


def _name(path: bytes | str) -> str:
    """A path as text. One stored as text is a stranger's: its file is read again."""
    return path if isinstance(path, str) else path.decode(_NAMES, "surrogateescape")


def _utf8(text: str) -> str:
    """A text from a file or a decoder as SQLite can store it: lone surrogates become `?`."""
    return text.encode("utf-8", "replace").decode()


def _add(db: sqlite3.Connection, space: int, addition: Addition) -> None:
    from memery.dates import date_in_name

    digest = bytes.fromhex(addition.digest)
    new = addition.content
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
    elif addition.taken is not None:
        db.execute(
            "UPDATE contents SET taken_at = ?, date_source = ? WHERE digest = ?",
            (addition.taken.at, addition.taken.source, digest),
        )
    content, notes = db.execute(
        "SELECT id, notes FROM contents WHERE digest = ?", (digest,)
    ).fetchone()
    entry = addition.entry
    path = os.fsencode(entry.path)
    handle = bytes.fromhex(image_id(path, digest))
    db.execute(
        _UPSERT_FILE,
        (path, entry.size, entry.mtime_ns, content, handle, None, None, None,
         date_in_name(posixpath.basename(entry.path))),
    )  # fmt: skip
    file = db.execute("SELECT id FROM files WHERE path = ?", (path,)).fetchone()[0]
    write_name(db, file, entry.path, notes)
    if new is not None:
        db.execute(
            "INSERT OR REPLACE INTO embeddings (space, content, vector) VALUES (?, ?, ?)",
            (space, content, new.embedding.astype("<f2").tobytes()),
        )
    # Without a content, it was found that the embedding would be no other.
    db.execute("DELETE FROM outdated WHERE space = ? AND content = ?", (space, content))
