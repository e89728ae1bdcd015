"""The embedding spaces of an archive: which there are, and which one answers searches."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from memery.stores.interface import Space
from memery.stores.sqlite.database import Database

_DIM_MAX = 1 << 14


class Spaces:
    """The rows of `spaces`, believed only as far as they make sense.

    Args:
        database: of the archive.
    """

    def __init__(self, database: Database) -> None:
        self._db = database

    def all(self) -> Sequence[tuple[Space, int]]:
        """Every space with its number of embeddings, oldest first."""
        with self._db.reading() as db:
            rows = db.execute(
                "SELECT model_id, fingerprint, dim,"
                " (SELECT count(*) FROM embeddings WHERE space = spaces.id) FROM spaces ORDER BY id"
            ).fetchall()
        return [(self._space(*row[:3]), row[3]) for row in rows]

    def _space(self, model_id: object, fingerprint: object, dim: object) -> Space:
        if not isinstance(dim, int) or not 0 < dim <= _DIM_MAX:
            raise self._db.damaged(f"it names a dimension of {dim!r}")
        return Space(str(model_id), str(fingerprint), dim)

    def current(self) -> Space | None:
        """The space that answers searches."""
        current = self._db.setting("space")
        if current is None:
            return None
        with self._db.reading() as db:
            row = db.execute(
                "SELECT model_id, fingerprint, dim FROM spaces WHERE id = ?", (current,)
            ).fetchone()
        return None if row is None else self._space(*row)

    def switch(self, space: Space) -> None:
        """Let another space answer searches."""
        with self._db.changing() as db:
            number = self.ensure(db, space)
            db.execute("INSERT OR REPLACE INTO settings VALUES ('space', ?)", (str(number),))

    def ensure(self, db: sqlite3.Connection, space: Space) -> int:
        """The space's row id, made if need be; the first space answers searches."""
        db.execute(
            "INSERT OR IGNORE INTO spaces (model_id, fingerprint, dim) VALUES (?, ?, ?)",
            (space.model_id, space.fingerprint, space.dim),
        )
        number = self.number(db, space)
        db.execute("INSERT OR IGNORE INTO settings VALUES ('space', ?)", (str(number),))
        return number

    def number(self, db: sqlite3.Connection, space: Space) -> int:
        """The space's row id, or 0, which no row has."""
        row = db.execute(
            "SELECT id, dim FROM spaces WHERE model_id = ? AND fingerprint = ?",
            (space.model_id, space.fingerprint),
        ).fetchone()
        if row is not None and row[1] != space.dim:
            raise self._db.damaged(f"it names a dimension of {row[1]!r} for {space.model_id}")
        return 0 if row is None else int(row[0])

    def generation_prefix(self, db: sqlite3.Connection, space: Space) -> str:
        """What the folders of the space's search index begin with."""
        uuid = db.execute("SELECT value FROM settings WHERE name = 'uuid'").fetchone()
        name = str(uuid[0]) if uuid else ""
        if not name.isalnum():
            raise self._db.damaged("it has no valid uuid")
        return f"{name}-{self.number(db, space)}-"
