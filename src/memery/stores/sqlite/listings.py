"""Images of the SQLite store without a query: by id, page by page, and counted by kind."""

from __future__ import annotations

import os
import posixpath
import re
from collections import defaultdict
from collections.abc import Hashable, Iterable

from memery.filters import Filter
from memery.likeness import LIKENESS_BYTES
from memery.stores.interface import Facets, Likenesses, Listing, Space
from memery.stores.sqlite.conditions import Condition, condition
from memery.stores.sqlite.database import Database
from memery.stores.sqlite.images import DATE_SOURCE, FACTS, image_of
from memery.stores.sqlite.spaces import Spaces
from memery.types import ImageFile

_ID = re.compile("[0-9a-f]{32}")
_SEARCHABLE = """
    FROM files JOIN contents ON contents.id = files.content
    WHERE EXISTS (SELECT 1 FROM embeddings WHERE space = ? AND content = contents.id) AND {}
"""
_LIKENESSES = """
    SELECT CAST(digest AS BLOB), hashes, vector
    FROM contents JOIN embeddings ON embeddings.content = contents.id
    WHERE space = ? AND typeof(hashes) = 'blob' AND length(hashes) = ?
        AND EXISTS (SELECT 1 FROM files WHERE content = contents.id AND {})
    ORDER BY digest
"""
_FLOAT16 = 2
"""Bytes per number."""
_DATE = (
    "coalesce(taken_at, named_at,"
    " strftime('%Y-%m-%dT%H:%M:%f', mtime_ns / 1e9, 'unixepoch', 'localtime'))"
)
_ORDERS = {"date": f"{_DATE} DESC, path", "name": "path"}


class Listings:
    """Reads `files` and `contents`.

    Args:
        database: of the archive.
        spaces: its spaces: what has no embedding in one is not listed with it.
    """

    def __init__(self, database: Database, spaces: Spaces) -> None:
        self._db = database
        self._spaces = spaces

    def image(self, space: Space, id_: str) -> ImageFile | None:
        """The image of the space that has an id, or None."""
        if not _ID.fullmatch(id_):
            return None
        sql = f"SELECT {FACTS} {_SEARCHABLE.format('handle = ?')}"
        with self._db.reading() as db:
            values = (self._spaces.number(db, space), bytes.fromhex(id_))
            images = [image_of(db, row) for row in db.execute(sql, values)]
        # An archive may come from a stranger: an id that is not the image's own is none.
        return next((image for image in images if image.id == id_), None)

    def browse(
        self,
        space: Space,
        scope: Filter,
        order: str,
        limit: int,
        offset: int,
        *,
        fold: bool = False,
    ) -> Listing:
        """Images that pass a filter, in an order that needs no query."""
        where = condition(scope)
        listed = _folded(where) if fold else where
        searchable = _SEARCHABLE.format(where.sql)
        counted = "DISTINCT contents.id" if fold else "*"
        with self._db.reading() as db:
            number = self._spaces.number(db, space)
            values = (number, *where.values)
            total = db.execute(f"SELECT count({counted}) {searchable}", values).fetchone()[0]
            rows = db.execute(
                f"SELECT {FACTS} {_SEARCHABLE.format(listed.sql)}"
                f" ORDER BY {_ORDERS[order]} LIMIT ? OFFSET ?",
                (number, *listed.values, limit, offset),
            )
            return Listing([image_of(db, row) for row in rows], total)

    def likenesses(self, space: Space, scope: Filter) -> Likenesses:
        """What copies of the images that pass a filter are found by, each content once."""
        import numpy as np

        where = condition(scope)
        with self._db.reading() as db:
            rows = db.execute(
                _LIKENESSES.format(where.sql),
                (self._spaces.number(db, space), LIKENESS_BYTES, *where.values),
            ).fetchall()
        digests = [digest.hex() for digest, _, _ in rows]
        vectors = b"".join(vector for _, _, vector in rows)
        if len(vectors) != len(rows) * space.dim * _FLOAT16:
            raise self._db.damaged("an embedding has the wrong size")
        embeddings = np.frombuffer(vectors, dtype="<f2").reshape(len(rows), space.dim)
        return Likenesses(digests, [hashes for _, hashes, _ in rows], embeddings)

    def damaged(self, space: Space, scope: Filter) -> list[ImageFile]:
        """Images of whose files a part was decoded, ordered by path."""
        where = condition(scope)
        searchable = _SEARCHABLE.format(f"damage != '' AND {where.sql}")
        with self._db.reading() as db:
            values = (self._spaces.number(db, space), *where.values)
            rows = db.execute(f"SELECT {FACTS} {searchable} ORDER BY path", values)
            return [image_of(db, row) for row in rows]

    def count_dates(self, space: Space, scope: Filter) -> dict[str, int]:
        """Images by the source of their date."""
        from memery.dates import SOURCES

        where = condition(scope)
        sql = f"SELECT {DATE_SOURCE}, count(*) {_SEARCHABLE.format(where.sql)} GROUP BY 1"
        with self._db.reading() as db:
            values = (self._spaces.number(db, space), *where.values)
            counts = dict(db.execute(sql, values).fetchall())
        return {source: counts[source] for source in SOURCES if source in counts}

    def facets(self, space: Space, scope: Filter, *, fold: bool = False) -> Facets:
        """What the images that pass a filter can be narrowed by."""
        where = condition(scope)
        listed = _folded(where) if fold else where
        searchable = _SEARCHABLE.format(where.sql)
        with self._db.reading() as db:
            number = self._spaces.number(db, space)
            rows = db.execute(
                f"SELECT path, {'contents.id' if fold else 'files.id'} {searchable}",
                (number, *where.values),
            ).fetchall()
            months = db.execute(
                f"SELECT substr({_DATE}, 1, 7), count(*) {_SEARCHABLE.format(listed.sql)}"
                " GROUP BY 1 ORDER BY 1 DESC",
                (number, *listed.values),
            ).fetchall()
        paths = [(os.fsdecode(path), id_) for path, id_ in rows]
        return Facets(count_folders(paths), dict(months), count_types(paths))


def _folded(where: Condition) -> Condition:
    """The same condition for one file of each content: the first by path of those that pass."""
    # The inner `files` hides the outer one: there the condition is about the copies.
    first = f"SELECT min(path) FROM files WHERE content = contents.id AND {where.sql}"
    sql = f"({where.sql}) AND path = ({first})"
    return Condition(sql, (*where.values, *where.values), paths_only=False)


def count_folders(images: Iterable[tuple[str, Hashable]]) -> dict[str, int]:
    """How many images lie in each folder or below, by path; "" is the root.

    Args:
        images: their paths, each with what it shares with those that count as the same image.
    """
    below: dict[str, set[Hashable]] = defaultdict(set)
    for path, key in images:
        below[posixpath.dirname(path)].add(key)
    for folder in sorted(below, reverse=True):
        above = folder
        while above:
            above = posixpath.dirname(above)
            below[above] |= below[folder]
    return {folder: len(keys) for folder, keys in sorted(below.items())}


def count_types(images: Iterable[tuple[str, Hashable]]) -> dict[str, int]:
    """How many images have each extension, most first; images as in `count_folders`."""
    types: dict[str, set[Hashable]] = defaultdict(set)
    for path, key in images:
        types[posixpath.splitext(path)[1].removeprefix(".").lower()].add(key)
    counts = ((name, len(keys)) for name, keys in types.items())
    return dict(sorted(counts, key=lambda pair: (-pair[1], pair[0])))
