"""Maintenance of a space's search index: when to rewrite it, writing and verification."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from memery.stores.sqlite import faiss_index
from memery.stores.sqlite.generations import BEFORE_ALL, Generation
from memery.stores.sqlite.vectors import blocks
from memery.text.plurals import counted

_STALE_ROWS, _STALE_SHARE = 1024, 50
"""The index is rewritten if more rows are out of date than this and than 1/50 of its rows."""
_NORM_TOLERANCE = 2e-3
"""Allowed deviation of a float16 unit vector's length from 1."""


def is_stale(db: sqlite3.Connection, space: int, generation: Generation) -> bool:
    """Whether the index is so far out of date that it should be rewritten."""
    stale, rows = count_stale_rows(db, space, generation), generation.rows
    return bool(stale if not rows else stale > max(_STALE_ROWS, rows // _STALE_SHARE))


def count_stale_rows(db: sqlite3.Connection, space: int, generation: Generation) -> int:
    """Count the embeddings that the index lacks and those that were deleted since."""
    total, newer = db.execute(
        "SELECT count(*), count(*) FILTER (WHERE id > ?) FROM embeddings WHERE space = ?",
        (generation.last_id, space),
    ).fetchone()
    return int(newer + abs(generation.rows - (total - newer)))


def write_index(db: sqlite3.Connection, space: int, dim: int, folder: Path, prefix: str) -> None:
    """Write the next generation of a space's index.

    Args:
        db: the connection.
        space: the space's row id.
        dim: numbers per embedding.
        folder: the archive's index folder.
        prefix: prefix of the names of the space's generations.
    """
    rows = db.execute("SELECT count(*) FROM embeddings WHERE space = ?", (space,)).fetchone()[0]
    content = ((ids, block.tobytes()) for ids, block in blocks(db, space, BEFORE_ALL, dim))
    present = faiss_index.generations(faiss_index.list_folders(folder), prefix)
    number = int(present[0].name.removeprefix(prefix)) + 1 if present else 1
    generation = faiss_index.write(folder, f"{prefix}{number}", dim, rows, content)
    faiss_index.delete_other_generations(folder, generation, prefix)


def verify_vectors(
    db: sqlite3.Connection, space: int, dim: int, generation: Generation
) -> Iterator[str]:
    """Yield a sentence for each fault in a space's embeddings; delete an index that differs."""
    import numpy as np

    for ids, block in blocks(db, space, BEFORE_ALL, dim):
        lengths = np.linalg.norm(block.astype(np.float32), axis=1)
        wrong = int(np.count_nonzero(~(np.abs(lengths - 1) <= _NORM_TOLERANCE)))
        if wrong:
            yield f"{counted(wrong, 'embedding')} not of length 1"
        if generation.index is not None and not generation.index.contains(ids, block):
            generation.drop("it does not match the store")
