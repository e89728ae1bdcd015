"""Rows to images, believed only as far as they make sense."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

from memery.stores.sqlite.errors import damaged
from memery.types import ImageFile

_VARIABLES = 500
"""Values bound in one statement; SQLite's oldest limit is 999."""
Value = TypeVar("Value")

TAKEN = "coalesce(taken_at, named_at)"
"""When an image was taken: what its metadata says, else what its name says."""
DATE_SOURCE = (
    "CASE WHEN taken_at IS NOT NULL THEN coalesce(nullif(date_source, ''), 'exif')"
    " WHEN named_at IS NOT NULL THEN 'name' ELSE 'file' END"
)
"""One of `memery.imaging.dates.SOURCES`. Archives from before it was stored knew EXIF only."""
FACTS = (
    f"path, size, mtime_ns, CAST(digest AS BLOB), width, height, format, {TAKEN}, colour,"
    f" {DATE_SOURCE}, coalesce(damage, '')"
)
"""The columns of `files` and `contents` that `image_of` takes."""


def image_of(db: sqlite3.Connection, facts: Sequence[Any]) -> ImageFile:
    """One row of `FACTS`.

    Raises:
        ArchiveDamaged: memery does not write such values.
    """
    path, size, mtime_ns, digest, width, height, format_, taken_at, colour, source, damage = facts
    numbers = {type(size), type(mtime_ns), type(width), type(height), type(colour or 0)}
    texts = {type(format_), type(taken_at or ""), type(source), type(damage)}
    if numbers != {int} or texts != {str}:
        raise damaged(db, "a fact has the wrong type")
    return ImageFile(_inside(db, path), size, mtime_ns, digest.hex(), *facts[4:])


def _inside(db: sqlite3.Connection, path: bytes) -> str:
    """A path as text, if it stays below the root: an archive may come from a stranger."""
    if path.startswith(b"/") or (b".." in path and b".." in path.split(b"/")) or b"\0" in path:
        raise damaged(db, "it names a file outside the folder")
    return os.fsdecode(path)


def parts(values: Sequence[Value]) -> Iterable[Sequence[Value]]:
    """Values in pieces that one statement can bind."""
    return (values[start : start + _VARIABLES] for start in range(0, len(values), _VARIABLES))


def marks(values: Sequence[object]) -> str:
    """A question mark for each of the values."""
    return ",".join("?" * len(values))
