"""Reads of images without a query: listing, look-up and counts."""

from __future__ import annotations

import os
import posixpath
import re
import sqlite3
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence

from memery.query.filters import Filter
from memery.stores.records import Browse, Facet, Listing, Space
from memery.stores.sqlite.filter_sql import Condition, condition
from memery.stores.sqlite.images import (
    DATE_SOURCE,
    IMAGE_COLUMNS,
    chunked,
    image_from_row,
    placeholders,
)
from memery.stores.sqlite.reads import Reads
from memery.types import ImageFile

_ID = re.compile("[0-9a-f]{32}")
_SEARCHABLE = """
    FROM files JOIN contents ON contents.id = files.content
    WHERE EXISTS (SELECT 1 FROM embeddings WHERE space = ? AND content = contents.id) AND {}
"""
_DATE = (
    "coalesce(taken_at, named_at,"
    " strftime('%Y-%m-%dT%H:%M:%f', mtime_ns / 1e9, 'unixepoch', 'localtime'))"
)
_ORDERS = {"date": f"{_DATE} DESC, path", "name": "path"}
_GROUPS = {
    "month": f"substr({_DATE}, 1, 7)",
    "date_source": DATE_SOURCE,
    "ocr_engine": "(SELECT CAST(reader AS TEXT) FROM texts WHERE texts.content = contents.id)",
}
_NO_LIMIT = -1
FILTERED_EMBEDDINGS = """
    SELECT {} FROM files {}
    CROSS JOIN embeddings ON embeddings.content = files.content AND space = ? WHERE {}
"""
"""CROSS keeps SQLite from starting with all embeddings if a folder contains few of them."""
JOIN_CONTENTS = "CROSS JOIN contents ON contents.id = files.content"


class ImageReads(Reads):
    """Reads `files` and `contents`."""

    def browse(self, space: Space, request: Browse) -> Listing:
        """List images of a space."""
        where = condition(request.filter)
        listed = _one_file_per_content(where) if request.fold else where
        limit = _NO_LIMIT if request.limit is None else request.limit
        with self._reading(space) as (db, number):
            total = count_images(db, number, request.filter, fold=request.fold)
            if limit == 0:
                return Listing((), total)
            rows = db.execute(
                f"SELECT {IMAGE_COLUMNS} {_SEARCHABLE.format(listed.sql)}"
                f" ORDER BY {_ORDERS[request.order]} LIMIT ? OFFSET ?",
                (number, *listed.values, limit, request.offset),
            )
            return Listing([image_from_row(db, row) for row in rows], total)

    def lookup(
        self, space: Space, filter: Filter, *, ids: Sequence[str] = (), digests: Sequence[str] = ()
    ) -> Sequence[ImageFile]:
        """Find images of a space by id or content among those that pass a filter, by path."""
        handles = [bytes.fromhex(id_) for id_ in ids if _ID.fullmatch(id_)]
        keys = [bytes.fromhex(digest) for digest in digests]
        with self._reading(space) as (db, number):
            found = list(_images_with(db, number, filter, "handle", handles))
            # Archives are untrusted: ignore a stored id that does not match the image.
            found = [image for image in found if image.id in ids]
            found += [i for i in _images_with(db, number, filter, "digest", keys) if i not in found]
        return sorted(found, key=lambda image: os.fsencode(image.path))

    def count_by(
        self, space: Space, filter: Filter, by: Facet, *, fold: bool = False
    ) -> dict[str, int]:
        """Count the images of a space that pass a filter."""
        where = condition(filter)
        with self._reading(space) as (db, number):
            if by in ("folder", "type"):
                key = "contents.id" if fold else "files.id"
                sql = f"SELECT path, {key} {_SEARCHABLE.format(where.sql)}"
                rows = db.execute(sql, (number, *where.values))
                paths = [(os.fsdecode(path), id_) for path, id_ in rows]
                return count_folders(paths) if by == "folder" else count_types(paths)
            listed = _one_file_per_content(where) if fold else where
            rows = db.execute(
                f"SELECT {_GROUPS[by]}, count(*) {_SEARCHABLE.format(listed.sql)}"
                " GROUP BY 1 ORDER BY 1 DESC",
                (number, *listed.values),
            )
            return {name: count for name, count in rows if name is not None}


def _images_with(
    db: sqlite3.Connection, space: int, filter: Filter, column: str, keys: list[bytes]
) -> Iterator[ImageFile]:
    where = condition(filter)
    for chunk in chunked(keys):
        wanted = f"{where.sql} AND {column} IN ({placeholders(chunk)})"
        sql = f"SELECT {IMAGE_COLUMNS} {_SEARCHABLE.format(wanted)}"
        for row in db.execute(sql, (space, *where.values, *chunk)):
            yield image_from_row(db, row)


def count_images(db: sqlite3.Connection, space: int, filter: Filter, *, fold: bool = False) -> int:
    """Count the images of a space that pass a filter; fold counts exact copies as one."""
    counted = "count(DISTINCT files.content)" if fold else "count(*)"
    spaces = db.execute("SELECT count(*) FROM spaces").fetchone()[0]
    if spaces == 1 and space and filter == Filter():
        # With a single space every content has an embedding in it: no join needed.
        row = db.execute(f"SELECT {counted} FROM files WHERE content IS NOT NULL").fetchone()
        return int(row[0])
    where = condition(filter)
    sql = FILTERED_EMBEDDINGS.format(counted, "" if where.paths_only else JOIN_CONTENTS, where.sql)
    return int(db.execute(sql, (space, *where.values)).fetchone()[0])


def _one_file_per_content(where: Condition) -> Condition:
    """Restrict a condition to one file of each content: the first by path that passes."""
    # The inner `files` shadows the outer one, so the inner condition applies to the copies.
    first = f"SELECT min(path) FROM files WHERE content = contents.id AND {where.sql}"
    sql = f"({where.sql}) AND path = ({first})"
    return Condition(sql, (*where.values, *where.values), paths_only=False)


def count_folders(images: Iterable[tuple[str, Hashable]]) -> dict[str, int]:
    """Count the images in each folder and below it, by path; "" is the root.

    Args:
        images: pairs of path and key; images with equal keys count as one.
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
    """Count the images with each extension, most first; images as in `count_folders`."""
    types: dict[str, set[Hashable]] = defaultdict(set)
    for path, key in images:
        types[posixpath.splitext(path)[1].removeprefix(".").lower()].add(key)
    counts = ((name, len(keys)) for name, keys in types.items())
    return dict(sorted(counts, key=lambda pair: (-pair[1], pair[0])))
