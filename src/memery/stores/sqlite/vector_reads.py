"""Reads of embeddings and vector search."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection
from typing import TYPE_CHECKING

from memery.stores.records import Contents, Nearest, Space, VectorSearch
from memery.stores.sqlite.generations import BEFORE_ALL, Generation
from memery.stores.sqlite.images import chunked, placeholders
from memery.stores.sqlite.index_maintenance import count_stale_rows
from memery.stores.sqlite.reads import Reads
from memery.stores.sqlite.search import Search
from memery.stores.sqlite.spaces import generation_prefix
from memery.stores.sqlite.vectors import matrix, scan

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_SAMPLE = 4096
"""Sample size that gives mean and deviation of the archive's scores to within 1 or 2 %."""
_EXPONENT = 0x7C00
"""The exponent bits of a float16, all of which are set in infinity and NaN."""
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
        """Compute the cosines of a unit vector with a sample of the space."""
        import numpy as np

        with self._reading(space) as (db, number):
            generation = self._generation(db, space)
            sql = "SELECT count(*) FROM (SELECT 1 FROM embeddings WHERE space = ? LIMIT ?)"
            few = db.execute(sql, (number, _SAMPLE + 1)).fetchone()[0] <= _SAMPLE
            if generation.index is None or (few and count_stale_rows(db, number, generation)):
                # In a small sample, deleted or missing embeddings of the index would matter.
                scores = scan(db, number, vector, BEFORE_ALL)[1]
            else:
                newer = scan(db, number, vector, generation.last_id)[1]
                scores = np.concatenate([generation.index.sample(_SAMPLE) @ vector, newer])
        return scores[np.isfinite(scores)]

    def contents(self, space: Space, digests: Collection[str]) -> Contents:
        """Read those of the given contents that have an embedding in the space."""
        keys = sorted({bytes.fromhex(digest) for digest in digests})
        rows = []
        with self._reading(space) as (db, number):
            for chunk in chunked(keys):
                sql = _CONTENTS.format(placeholders(chunk))
                rows += sorted(db.execute(sql, (number, *chunk)))
            embeddings = matrix(db, [vector for _, vector, _ in rows], space.dim)
        # Tests the exponent bits: `isfinite` takes ten times as long for half precision.
        if ((embeddings.view("<u2") & _EXPONENT) == _EXPONENT).any():
            raise self._db.damaged("an embedding is not finite")
        return Contents([row[0].hex() for row in rows], embeddings, [row[2] for row in rows])

    def _generation(self, db: sqlite3.Connection, space: Space) -> Generation:
        return self._indexes.open(generation_prefix(db, space), space.dim)
