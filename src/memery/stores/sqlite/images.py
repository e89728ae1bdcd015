"""Conversion of rows to images, with checks of their values."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Sequence
from types import NoneType
from typing import Any, TypeVar

from memery.stores.sqlite.errors import damaged
from memery.types import ImageFile

_VARIABLES = 500
"""Values bound in one statement; old versions of SQLite allow 999."""
Value = TypeVar("Value")

TAKEN = "coalesce(taken_at, named_at)"
"""When an image was taken: the date in its metadata, else the one in its name."""
DATE_SOURCE = (
    "CASE WHEN taken_at IS NOT NULL THEN coalesce(nullif(date_source, ''), 'exif')"
    " WHEN named_at IS NOT NULL THEN 'name' ELSE 'file' END"
)
"""One of `memery.imaging.dates.SOURCES`. Old archives do not store it; their dates are EXIF's."""
IMAGE_COLUMNS = (
    f"path, size, mtime_ns, CAST(digest AS BLOB), width, height, format, {TAKEN}, colour,"
    f" {DATE_SOURCE}, coalesce(damage, '')"
)
"""The columns of `files` and `contents` that `image_from_row` takes."""
_ROW_TYPES = {
    (bytes, int, int, bytes, int, int, str, taken_at, colour, str, str)
    for taken_at in (str, NoneType)
    for colour in (int, NoneType)
}
"""The types of their values: the date and the colour may be missing."""


def image_from_row(db: sqlite3.Connection, facts: Sequence[Any]) -> ImageFile:
    """Convert a row of `IMAGE_COLUMNS`.

    Raises:
        ArchiveDamaged: it has values that memery does not write.
    """
    if tuple(map(type, facts)) not in _ROW_TYPES:
        raise damaged(db, "a fact has the wrong type")
    path, size, mtime_ns, digest, *others = facts
    return ImageFile(_checked_path(db, path), size, mtime_ns, digest.hex(), *others)


def _checked_path(db: sqlite3.Connection, path: bytes) -> str:
    """Decode a path and check that it is below the root, since archives are untrusted."""
    if path.startswith(b"/") or (b".." in path and b".." in path.split(b"/")) or b"\0" in path:
        raise damaged(db, "it names a file outside the folder")
    return os.fsdecode(path)


def chunked(values: Sequence[Value]) -> Iterable[Sequence[Value]]:
    """Split values into chunks that one statement can bind."""
    return (values[start : start + _VARIABLES] for start in range(0, len(values), _VARIABLES))


def placeholders(values: Sequence[object]) -> str:
    """Return a comma-separated question mark for each of the values."""
    return ",".join("?" * len(values))
