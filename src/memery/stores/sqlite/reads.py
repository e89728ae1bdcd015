"""Base class of the reads of the SQLite store."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator

from memery.stores.records import Space
from memery.stores.sqlite.database import Database
from memery.stores.sqlite.generations import SearchIndexes
from memery.stores.sqlite.spaces import space_number


class Reads:
    """Reads in the transaction of the thread's snapshot.

    Args:
        database: the archive's database.
        indexes: the archive's search indexes.
    """

    def __init__(self, database: Database, indexes: SearchIndexes) -> None:
        self._db = database
        self._indexes = indexes
        self._numbers: dict[Space, int] = {}

    @contextlib.contextmanager
    def _reading(self, space: Space) -> Iterator[tuple[sqlite3.Connection, int]]:
        """Yield the connection and the row id of a space."""
        with self._db.reading() as db:
            if space not in self._numbers:
                self._numbers[space] = space_number(db, space)
            yield db, self._numbers[space]
