"""Text search in the SQLite store with FTS5: recognised text, file names and metadata."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Collection, Sequence

from memery.query.filters import Filter
from memery.query.text_search.names import matches_name, name_keys
from memery.stores.records import Groups, Match, RecognizedText, Space, TextSearch
from memery.stores.sqlite.filter_sql import condition, folder_bounds, fts_name_query, fts_query
from memery.stores.sqlite.images import IMAGE_COLUMNS, chunked, image_from_row, placeholders
from memery.stores.sqlite.reads import Reads
from memery.stores.sqlite.text_index import parse_lines
from memery.types import ImageFile

_NO_LIMIT = -1

_FOUND = f"""
    SELECT contents.id, {IMAGE_COLUMNS} FROM {{table}}
    JOIN files ON {{link}} JOIN contents ON contents.id = files.content
    WHERE {{table}} MATCH ? AND {{where}}
        AND EXISTS (SELECT 1 FROM embeddings WHERE space = ? AND content = contents.id)
    ORDER BY {{table}}.rank, path LIMIT ?
"""
_IMAGES_AT = f"""
    SELECT {IMAGE_COLUMNS} FROM files JOIN contents ON contents.id = files.content
    WHERE {{}} AND EXISTS (SELECT 1 FROM embeddings WHERE space = ? AND content = contents.id)
    ORDER BY path
"""


class TextReads(Reads):
    """Reads `texts`, `names` and the FTS5 tables over them."""

    def text(self, digest: str) -> RecognizedText | None:
        """Read the text recognised in a content; None if OCR has not run on it."""
        with self._db.reading() as db:
            row = db.execute(
                "SELECT CAST(reader AS TEXT), lines FROM texts"
                " JOIN contents ON contents.id = content WHERE digest = ?",
                (bytes.fromhex(digest),),
            ).fetchone()
        if row is None:
            return None
        try:
            return RecognizedText(digest, row[0], parse_lines(row[1]))
        except (ValueError, TypeError):
            raise self._db.damaged("the text of an image has the wrong form") from None

    def search_text(self, space: Space, request: TextSearch) -> Sequence[Match]:
        """Find images whose text contains any of the terms, best first."""
        terms, optional = request.terms, request.optional_terms
        match = fts_query(terms)
        if optional:
            match = f"({match}) AND ({fts_query([*terms, *optional])})"
        with self._reading(space) as (db, number):
            found = _found(db, number, "text_words", match, request.filter, request.limit)
            matched = [_contents_matching(db, group) for group in terms]
            more = [_contents_matching(db, group) for group in optional]
        return [
            Match(
                image,
                sum(content in holders for holders in matched),
                sum(content in holders for holders in more) / max(len(more), 1),
            )
            for content, image in found
        ]

    def search_names(self, space: Space, terms: Groups, filter: Filter) -> Sequence[ImageFile]:
        """Find images whose name and metadata together contain all of the terms, best first."""
        with self._reading(space) as (db, number):
            found = _found(db, number, "file_words", fts_name_query(terms), filter)
        return [image for _, image in found]

    def search_paths(self, space: Space, name: str, filter: Filter) -> Sequence[ImageFile]:
        """Find images by file name, then by folder name."""
        keys = name_keys(name)
        sql = f"SELECT path FROM names WHERE key IN ({','.join('?' * len(keys))}) ORDER BY path"
        found: dict[str, ImageFile] = {}
        where = condition(filter)
        with self._reading(space) as (db, number):
            rows = [os.fsdecode(row[0]) for row in db.execute(sql, keys)]
            folders = [path[:-1] for path in rows if path.endswith("/")]
            files = [path for path in rows if not path.endswith("/") and matches_name(path, name)]
            places = [
                *(("path = ?", (os.fsencode(path),)) for path in files),
                *(
                    ("path >= ? AND path < ?", folder_bounds(path))
                    for path in folders
                    if matches_name(path, name, folder=True)
                ),
            ]
            for place, values in places:
                sql = _IMAGES_AT.format(f"{place} AND {where.sql}")
                for facts in db.execute(sql, (*values, *where.values, number)):
                    image = image_from_row(db, facts)
                    found.setdefault(image.path, image)
        return list(found.values())

    def vocabulary(self, tokens: Collection[str]) -> set[str]:
        """Select the tokens that occur in the text of any image."""
        wanted = sorted(tokens)
        found: set[str] = set()
        with self._db.reading() as db:
            db.execute(
                "CREATE VIRTUAL TABLE IF NOT EXISTS temp.vocabulary"
                " USING fts5vocab(main, text_words, row)"
            )
            for chunk in chunked(wanted):
                sql = f"SELECT term FROM temp.vocabulary WHERE term IN ({placeholders(chunk)})"
                found.update(term for (term,) in db.execute(sql, chunk))
        return found


def _found(
    db: sqlite3.Connection,
    space: int,
    table: str,
    match: str,
    filter: Filter,
    limit: int | None = None,
) -> list[tuple[int, ImageFile]]:
    """Find the images that match an FTS5 expression, best first, with their contents' row ids."""
    where = condition(filter)
    row = "files.content" if table == "text_words" else "files.id"
    sql = _FOUND.format(table=table, link=f"{row} = {table}.rowid", where=where.sql)
    values = (match, *where.values, space, _NO_LIMIT if limit is None else limit)
    return [(content, image_from_row(db, facts)) for content, *facts in db.execute(sql, values)]


def _contents_matching(db: sqlite3.Connection, group: Sequence[tuple[str, ...]]) -> set[int]:
    """Find the contents whose text contains a phrase of the group."""
    sql = "SELECT rowid FROM text_words WHERE text_words MATCH ?"
    return {row[0] for row in db.execute(sql, (fts_query([group]),))}
