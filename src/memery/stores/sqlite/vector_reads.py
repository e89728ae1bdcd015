"""The reads of the SQLite store that concern embeddings."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import TYPE_CHECKING

from memery.stores.records import Contents, Nearest, Space, VectorSearch
from memery.stores.sqlite.images import marks, parts
from memery.stores.sqlite.index_upkeep import rows_amiss
from memery.stores.sqlite.indexes import BEFORE_ALL, Generation
from memery.stores.sqlite.reads import Reads
from memery.stores.sqlite.search import Search
from memery.stores.sqlite.spaces import generation_prefix
from memery.stores.sqlite.vectors import matrix, scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLE = 4096
"""Embeddings that stand for the whole archive: their mean and deviation are known to 1 or 2 %."""
_EXPONENT = 0x7C00
"""The bits of a float16's exponent: all of them are set in what is not finite."""
_CONTENTS = """
    SELECT CAST(digest AS BLOB), vector, CASE WHEN typeof(hashes) = 'blob' THEN hashes ELSE x'' END
    FROM contents CROSS JOIN embeddings ON content = contents.id AND space = ?
    WHERE digest IN ({})
"""


class VectorReads(Reads):
    """Reads `embeddings`, and the search index derived from it."""

    def search(self, space: Space, request: VectorSearch) -> Nearest:
        """Find the images nearest to a vector."""
        with self._reading(space) as (db, number):
            generation = self._generation(db, space)
            return Search(db, number, request, generation).run()

    def score_sample(self, space: Space, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """Cosines of a unit vector with embeddings that represent the space."""
        import numpy as np

        with self._reading(space) as (db, number):
            generation = self._generation(db, space)
            sql = "SELECT count(*) FROM (SELECT 1 FROM embeddings WHERE space = ? LIMIT ?)"
            few = db.execute(sql, (number, _SAMPLE + 1)).fetchone()[0] <= _SAMPLE
            if generation.index is None or (few and rows_amiss(db, number, generation)):
                # The index holds embeddings that are gone, or not all: among few that would count.
                scores = scan(db, number, vector, BEFORE_ALL)[1]
            else:
                newer = scan(db, number, vector, generation.last_id)[1]
                scores = np.concatenate([generation.index.sample(_SAMPLE) @ vector, newer])
        return scores[np.isfinite(scores)]

    def contents(self, space: Space, digests: Collection[str]) -> Contents:
        """The contents among these that have an embedding in the space."""
        keys = sorted({bytes.fromhex(digest) for digest in digests})
        rows = []
        with self._reading(space) as (db, number):
            for part in parts(keys):
                sql = _CONTENTS.format(marks(part))
                rows += sorted(db.execute(sql, (number, *part)))
            embeddings = matrix(db, [vector for _, vector, _ in rows], space.dim)
        # All bits of the exponent: `isfinite` takes ten times as long for half precision.
        if ((embeddings.view("<u2") & _EXPONENT) == _EXPONENT).any():
            raise self._db.damaged("an embedding is not finite")
        return Contents([row[0].hex() for row in rows], embeddings, [row[2] for row in rows])

    def _generation(self, db: sqlite3.Connection, space: Space) -> Generation:
        return self._indexes.open(generation_prefix(db, space), space.dim)
