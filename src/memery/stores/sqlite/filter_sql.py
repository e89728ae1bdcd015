"""Translation of a Filter into SQL over `files` joined with `contents`."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from memery.query.filters import Filter
from memery.query.text_search.tokens import split_cjk, strip_apostrophes, tokens
from memery.stores.records import Groups
from memery.stores.sqlite.images import TAKEN

_SECOND_NS = 1_000_000_000
_YEARS = range(1677, 2263)
"""Years that 64 bits of nanoseconds cover, the first and the last one in part."""
_PAST_EVERY_PATH = b"\xff" * 256  # no file system has names that long
_ORIENTATION = {
    "landscape": "width > height",
    "portrait": "width < height",
    "square": "width = height",
}
_PATHS = "path >= ? AND path < ?"


@dataclass(frozen=True, slots=True)
class Condition:
    """The expression of a WHERE clause.

    Attributes:
        sql: an expression.
        values: for its question marks, in order.
        paths_only: it refers only to paths, so that `contents` need not be joined.
    """

    sql: str
    values: tuple[Any, ...]
    paths_only: bool


def condition(filter: Filter) -> Condition:
    """Translate a filter."""
    if filter.is_folder:
        return Condition(_PATHS, folder_bounds(filter.under), paths_only=True)
    parts: list[tuple[str, tuple[Any, ...]]] = [
        # No bounds without a folder: SQLite would scan the files by path, four times slower.
        *([(_PATHS, folder_bounds(filter.under))] if filter.under else []),
        *((f"NOT ({_PATHS})", folder_bounds(folder)) for folder in filter.not_under),
        *_dates(filter),
        ("width >= ? AND height >= ? AND width <= ? AND height <= ?", filter.sides),
    ]
    parts += [_extensions("", filter.ext)] if filter.ext else []
    parts += [_extensions("NOT", filter.not_ext)] if filter.not_ext else []
    parts += [(_ORIENTATION[filter.orientation], ())] if filter.orientation else []
    parts += [(f"NOT {_ORIENTATION[filter.not_orientation]}", ())] if filter.not_orientation else []
    parts += [("NOT digest = ?", (bytes.fromhex(filter.not_digest),))] if filter.not_digest else []
    if filter.has_text is not None:
        parts.append(
            (
                "(SELECT lines != '[]' FROM texts WHERE texts.content = contents.id) = ?",
                (filter.has_text,),
            )
        )
    parts += [_quoted(phrase) for phrase in filter.quoted]
    values = tuple(value for _, some in parts for value in some)
    return Condition(" AND ".join(f"({sql})" for sql, _ in parts), values, paths_only=False)


def fts_name_query(words: Groups) -> str:
    """Build an FTS5 expression over names and metadata that requires all of the groups.

    Next to words, numbers also match the counters that cameras put into names.
    """
    numbers = [group for group in words if all(phrase[0].isdecimal() for phrase in group)]
    others = [group for group in words if group not in numbers]
    parts = [f"{{name notes}} : ({fts_query([group])})" for group in others or numbers]
    parts += [f"{{whole notes}} : ({fts_query([group])})" for group in numbers if others]
    return " AND ".join(f"({part})" for part in parts)


def fts_query(words: Groups, operator: str = "OR") -> str:
    """Build an FTS5 expression in which a group matches if any of its phrases does.

    Phrases are quoted, so that user input is never FTS5 syntax.
    """
    groups = (
        " OR ".join('"' + " ".join(phrase).replace('"', "") + '"' for phrase in group)
        for group in words
    )
    return f" {operator} ".join(f"({group})" for group in groups)


def folder_bounds(folder: str) -> tuple[bytes, bytes]:
    """Return the bounds of a folder's paths, as bytes: inclusive start, exclusive end."""
    prefix = os.fsencode(f"{folder}/") if folder else b""
    return prefix, (prefix[:-1] + b"0" if prefix else _PAST_EVERY_PATH)


def _dates(filter: Filter) -> list[tuple[str, tuple[Any, ...]]]:
    parts = []
    for moment, than in ((filter.earliest, ">="), (filter.latest, "<=")):
        if moment is not None:
            values = (moment.isoformat(), _nanoseconds(moment))
            sql = f"CASE WHEN {TAKEN} IS NULL THEN mtime_ns {than} ?2 ELSE {TAKEN} {than} ?1 END"
            parts.append((sql.replace("?2", "?").replace("?1", "?"), values[::-1]))
    return parts


def _nanoseconds(moment: datetime) -> float:
    """Convert to nanoseconds since the epoch; infinite if out of the range that is stored.

    Clamping would compare equal with files whose times were clamped when they were stored.
    """
    if moment.year in _YEARS:
        count = int(moment.timestamp() * _SECOND_NS)
        if abs(count) < 1 << 63:
            return count
    return math.inf if moment.year > _YEARS[0] else -math.inf


def _extensions(negation: str, extensions: Sequence[str]) -> tuple[str, tuple[Any, ...]]:
    endings = [f".{extension}" for extension in extensions]
    one = "lower(CAST(substr(path, ?) AS TEXT)) = ?"
    values = tuple(value for end in endings for value in (-len(os.fsencode(end)), end))
    return f"{negation} ({' OR '.join([one] * len(endings))})", values


def _quoted(phrase: str) -> tuple[str, tuple[Any, ...]]:
    """Match a phrase in an image's text, name or metadata; a phrase without words never matches."""
    cuts = dict.fromkeys(
        tuple(tokens(split_cjk(cut))) for cut in (phrase, strip_apostrophes(phrase))
    )
    match = fts_query([list(cuts)])
    return (
        "contents.id IN (SELECT rowid FROM text_words WHERE text_words MATCH ?)"
        " OR files.id IN (SELECT rowid FROM file_words WHERE file_words MATCH ?)",
        (match, f"{{whole notes}} : ({match})"),
    )
