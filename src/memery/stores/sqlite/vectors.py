"""Stored embeddings: reading in blocks and exact scoring."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from memery.stores.derived import cosines
from memery.stores.sqlite import faiss_index
from memery.stores.sqlite.errors import damaged
from memery.stores.sqlite.images import chunked, placeholders

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_BLOCK = 256
"""Embeddings read at a time: as fast as 4,096, and takes 1 MB of memory instead of 16."""


def blocks(
    db: sqlite3.Connection, space: int, after: int, dim: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
    """Read embeddings with ids above a number, ascending: ids (n,) and vectors (n, dim)."""
    import numpy as np

    cursor = db.execute(
        # The plus keeps SQLite from using the index on space instead of the row ids.
        "SELECT id, vector FROM embeddings WHERE id > ? AND +space = ? ORDER BY id",
        (after, space),
    )
    while rows := cursor.fetchmany(_BLOCK):
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        yield ids, matrix(db, [row[1] for row in rows], dim)


def matrix(db: sqlite3.Connection, vectors: list[Any], dim: int) -> NDArray[np.float16]:
    """Convert stored vectors to an array of shape (n, dim).

    Raises:
        ArchiveDamaged: one has the wrong type or size.
    """
    import numpy as np

    if any(not isinstance(v, bytes) or len(v) != dim * faiss_index.FLOAT16 for v in vectors):
        raise damaged(db, "an embedding has the wrong size")
    return np.frombuffer(b"".join(vectors), dtype="<f2").reshape(-1, dim)


def scan(
    db: sqlite3.Connection, space: int, vector: NDArray[np.float32], after: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Score the stored embeddings with ids above a number: ids (n,) and scores (n,)."""
    import numpy as np

    ids, scores = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
    for block_ids, block in blocks(db, space, after, len(vector)):
        ids.append(block_ids)
        scores.append(block.astype(np.float32) @ vector)
    return np.concatenate(ids), np.concatenate(scores)


def exact_scores(
    db: sqlite3.Connection, space: int, vector: NDArray[np.float32], ids: list[int]
) -> dict[int, float]:
    """Compute the cosines of stored embeddings; equal vectors get equal scores.

    Raises:
        ArchiveDamaged: an embedding is not finite.
    """
    import numpy as np

    exact: dict[int, float] = {}
    for chunk in chunked(ids):
        rows = db.execute(
            f"SELECT id, vector FROM embeddings WHERE +space = ? AND id IN ({placeholders(chunk)})",
            (space, *chunk),
        ).fetchall()
        if rows:
            scores = cosines(matrix(db, [row[1] for row in rows], len(vector)), vector)
            if not np.isfinite(scores).all():
                raise damaged(db, "an embedding is not finite")
            exact.update(zip((row[0] for row in rows), scores.tolist(), strict=True))
    return exact
