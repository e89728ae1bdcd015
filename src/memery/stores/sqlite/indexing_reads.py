"""Reads of the SQLite store for indexing."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

from memery.errors import RETRIED_REASONS
from memery.query.filters import Filter
from memery.stores.records import Space, Stamp, StoredDigests, StoreState
from memery.stores.sqlite.filter_sql import condition
from memery.stores.sqlite.reads import Reads
from memery.stores.sqlite.spaces import all_spaces
from memery.types import FileEntry, Skip

_KNOWN = """
    SELECT CAST(digest AS BLOB) FROM contents JOIN embeddings ON content = contents.id
    WHERE space = ? AND hashes IS NOT NULL
"""
_OUTDATED = """
    SELECT CAST(digest AS BLOB) FROM contents JOIN outdated ON content = contents.id
    WHERE space = ?
"""
_UNDATED = """
    SELECT CAST(digest AS BLOB) FROM contents WHERE date_source IS NULL AND taken_at IS NULL
"""
_PENDING = """
    SELECT path, size, mtime_ns, CAST(digest AS BLOB)
    FROM files JOIN contents ON contents.id = content
    WHERE (? OR NOT EXISTS (SELECT 1 FROM texts WHERE texts.content = contents.id)) AND {}
    GROUP BY contents.id ORDER BY mtime_ns DESC, path
"""
_NAMES = sys.getfilesystemencoding()


class IndexingReads(Reads):
    """Reads `files` and `contents`, and the archive's settings."""

    def state(self) -> StoreState:
        """Read version, spaces and settings."""
        with self._db.reading() as db:
            settings = {
                str(name): str(value) for name, value in db.execute("SELECT * FROM settings")
            }
            return StoreState(self._db.version(), all_spaces(db), settings)

    def scan_state(
        self, space: Space, filter: Filter, decoder_fingerprint: str
    ) -> dict[str, Stamp | None]:
        """Map each stored path to the stamp of its file, if up to date."""
        where = condition(Filter(filter.under))
        reasons = sorted(RETRIED_REASONS)
        with self._reading(space) as (db, number):
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
                (number, number, decoder_fingerprint, *reasons, *where.values),
            )
            return {
                _name(path): (size, mtime_ns) if is_current else None
                for path, size, mtime_ns, is_current in rows
            }

    def digests(self, space: Space) -> StoredDigests:
        """Classify the stored contents by what the next build has to do with them."""
        with self._reading(space) as (db, number):
            known, outdated, undated = (
                {digest.hex() for (digest,) in db.execute(sql, values)}
                for sql, values in ((_KNOWN, (number,)), (_OUTDATED, (number,)), (_UNDATED, ()))
            )
            return StoredDigests(known, outdated, undated)

    def skips(self, filter: Filter) -> Sequence[Skip]:
        """List skipped files, by path."""
        where = condition(Filter(filter.under))
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT path, CAST(skip_reason AS TEXT), CAST(skip_detail AS TEXT) FROM files"
                f" WHERE skip_reason IS NOT NULL AND {where.sql} ORDER BY path",
                where.values,
            ).fetchall()
        return [Skip(os.fsdecode(path), reason, detail or "") for path, reason, detail in rows]

    def pending_ocr(
        self, filter: Filter, *, everything: bool = False
    ) -> Sequence[tuple[FileEntry, str]]:
        """List one file of each content without recognised text, newest first, with the digest."""
        where = condition(filter)
        with self._db.reading() as db:
            rows = db.execute(_PENDING.format(where.sql), (everything, *where.values)).fetchall()
        return [
            (FileEntry(os.fsdecode(path), size, mtime_ns), digest.hex())
            for path, size, mtime_ns, digest in rows
        ]


def _name(path: bytes | str) -> str:
    """Decode a path. memery stores bytes; a file whose path is stored as text is read again."""
    return path if isinstance(path, str) else path.decode(_NAMES, "surrogateescape")
