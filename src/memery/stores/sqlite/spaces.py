"""The embedding spaces of an archive: the rows of `spaces`, validated."""

from __future__ import annotations

import sqlite3

from memery.stores.records import Space, SpaceInfo
from memery.stores.sqlite.errors import damaged

_DIM_MAX = 1 << 14


def all_spaces(db: sqlite3.Connection) -> tuple[SpaceInfo, ...]:
    """Read all spaces, oldest first.

    Raises:
        ArchiveDamaged: a dimension is not valid.
    """
    rows = db.execute(
        "SELECT model_id, fingerprint, dim,"
        " (SELECT count(*) FROM embeddings WHERE space = spaces.id),"
        " CAST(id AS TEXT) IS (SELECT value FROM settings WHERE name = 'space')"
        " FROM spaces ORDER BY id"
    ).fetchall()
    return tuple(
        SpaceInfo(_space(db, *row), embeddings, bool(is_active))
        for *row, embeddings, is_active in rows
    )


def _space(db: sqlite3.Connection, model_id: object, fingerprint: object, dim: object) -> Space:
    if not isinstance(dim, int) or not 0 < dim <= _DIM_MAX:
        raise damaged(db, f"it names a dimension of {dim!r}")
    return Space(str(model_id), str(fingerprint), dim)


def ensure_space(db: sqlite3.Connection, space: Space) -> int:
    """Return the space's row id, creating it if necessary; activate the first space."""
    db.execute(
        "INSERT OR IGNORE INTO spaces (model_id, fingerprint, dim) VALUES (?, ?, ?)",
        (space.model_id, space.fingerprint, space.dim),
    )
    number = space_number(db, space)
    db.execute("INSERT OR IGNORE INTO settings VALUES ('space', ?)", (str(number),))
    return number


def space_number(db: sqlite3.Connection, space: Space) -> int:
    """Return the space's row id, or 0 if it has none.

    Raises:
        ArchiveDamaged: the archive stores another dimension for it.
    """
    row = db.execute(
        "SELECT id, dim FROM spaces WHERE model_id = ? AND fingerprint = ?",
        (space.model_id, space.fingerprint),
    ).fetchone()
    if row is not None and row[1] != space.dim:
        raise damaged(db, f"it names a dimension of {row[1]!r} for {space.model_id}")
    return 0 if row is None else int(row[0])


def generation_prefix(db: sqlite3.Connection, space: Space) -> str:
    """Return the prefix of the folder names of the space's search index.

    Raises:
        ArchiveDamaged: the archive's uuid is missing or not alphanumeric.
    """
    uuid = db.execute("SELECT value FROM settings WHERE name = 'uuid'").fetchone()
    name = str(uuid[0]) if uuid else ""
    if not name.isalnum():
        raise damaged(db, "it has no valid uuid")
    return f"{name}-{space_number(db, space)}-"
