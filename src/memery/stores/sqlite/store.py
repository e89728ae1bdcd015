"""The SQLite store: facts, embeddings and query embeddings in one database file."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.errors import ArchiveError, ArchiveLocked
from memery.stores.records import Space
from memery.stores.sqlite.browse import ImageReads
from memery.stores.sqlite.database import Database
from memery.stores.sqlite.generations import SearchIndexes
from memery.stores.sqlite.index_maintenance import is_stale, verify_vectors, write_index
from memery.stores.sqlite.indexing_reads import IndexingReads
from memery.stores.sqlite.spaces import generation_prefix, space_number
from memery.stores.sqlite.text_search import TextReads
from memery.stores.sqlite.vector_reads import VectorReads

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from memery.stores.sqlite.writer import SQLiteWriter

logger = logging.getLogger(__name__)

REMEMBERED_QUERIES = 2000
"""Query embeddings kept per space."""

_WRONG_TYPES = """
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


class SQLiteSnapshot(ImageReads, VectorReads, TextReads, IndexingReads):
    """All reads, in one transaction of one thread."""


class SQLiteStore:
    """The default store. Nothing is created on disk before the first write."""

    def __init__(self, archive: Archive) -> None:
        self._db = Database(archive)
        self._indexes = SearchIndexes(archive.index)

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[SQLiteSnapshot]:
        """Read in one transaction, with indexes that are not newer than it."""
        with self._indexes.pinned(), self._db.snapshot():
            yield SQLiteSnapshot(self._db, self._indexes)

    @contextlib.contextmanager
    def writing(self) -> Iterator[SQLiteWriter]:
        """Write as the only writer, creating the archive if necessary."""
        from memery.stores.sqlite.writer import SQLiteWriter

        with self._db.writing():
            yield SQLiteWriter(self._db, self._indexes)

    def query_embedding(self, space: Space, text: str) -> NDArray[np.float32] | None:
        """Read the stored embedding of a query's text: float32 of shape (dim,), or None."""
        import numpy as np

        sql = "SELECT vector FROM queries WHERE space = ? AND text = ?"
        with self._db.reading() as db:
            row = db.execute(sql, (space_number(db, space), text)).fetchone()
        if row is None:
            return None
        if not isinstance(row[0], bytes) or len(row[0]) != space.dim * np.dtype("<f4").itemsize:
            raise self._db.damaged("an embedding has the wrong size")
        vector = np.frombuffer(row[0], dtype="<f4").astype(np.float32)
        # memery stores unit vectors only: encode the text again and replace any other vector.
        return vector if np.isclose(np.linalg.norm(vector), 1, atol=1e-3) else None

    def remember_query(self, space: Space, text: str, embedding: NDArray[np.float32]) -> None:
        """Store the embedding of a query's text; delete the oldest beyond a limit."""
        with self._db.best_effort_write() as db:
            number = space_number(db, space) if db is not None else 0
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
        """Write a new generation of the search index if the current one is stale.

        If that is not possible now, searches read newer embeddings from the store: slower, but with
        the same results.
        """
        with self._indexes.pinned(), self._db.reading() as db:
            generation = self._indexes.open(generation_prefix(db, space), space.dim)
            if not is_stale(db, space_number(db, space), generation):
                return
        try:
            with self._db.writing(), self._db.reading() as db:
                prefix, number = generation_prefix(db, space), space_number(db, space)
                write_index(db, number, space.dim, self._indexes.folder, prefix)
        except ArchiveLocked:
            logger.debug("The index is left to the process that is writing.")
        except ArchiveError as error:
            logger.warning("The search index could not be written. %s", error)

    def verify(self, space: Space) -> Sequence[str]:
        """Check the store and return one sentence for each fault found."""
        from memery.stores.sqlite.text_index import verify_text_index

        with self._indexes.pinned(), self._db.reading() as db:
            faults = [
                str(row[0]) for row in db.execute("PRAGMA integrity_check(10)") if row[0] != "ok"
            ]
            if db.execute("PRAGMA foreign_key_check").fetchone():
                faults.append("a row refers to a row that does not exist")
            if db.execute(_WRONG_TYPES).fetchone():
                faults.append("a value has the wrong type")
            faults += verify_text_index(db)
            generation = self._indexes.open(generation_prefix(db, space), space.dim)
            faults += verify_vectors(db, space_number(db, space), space.dim, generation)
        return faults

    def close(self) -> None:
        """Release files and memory."""
        self._indexes.close()
        self._db.close()
