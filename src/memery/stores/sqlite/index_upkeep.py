"""The search index of a space: when it is to be written again, how, and whether it is right."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

from memery.stores.sqlite import index
from memery.stores.sqlite.indexes import BEFORE_ALL, Generation
from memery.stores.sqlite.vectors import blocks
from memery.text.plurals import counted

_LAG_ROWS, _LAG_SHARE = 1024, 50
"""The index is rewritten when more than this many rows, and than 1/50 of its own, are amiss."""
_NORM_TOLERANCE = 2e-3
"""How far from 1 the length of a float16 unit vector may lie."""


def lags(db: sqlite3.Connection, space: int, generation: Generation) -> bool:
    """Whether so much has changed since the index was written that it should be again."""
    amiss, rows = rows_amiss(db, space, generation), generation.rows
    return bool(amiss if not rows else amiss > max(_LAG_ROWS, rows // _LAG_SHARE))


def rows_amiss(db: sqlite3.Connection, space: int, generation: Generation) -> int:
    """How many embeddings the index lacks, and how many it has that are gone."""
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
        folder: where indexes lie.
        prefix: what the names of the space's generations begin with.
    """
    rows = db.execute("SELECT count(*) FROM embeddings WHERE space = ?", (space,)).fetchone()[0]
    content = ((ids, block.tobytes()) for ids, block in blocks(db, space, BEFORE_ALL, dim))
    present = index.generations(index.folders(folder), prefix)
    number = int(present[0].name.removeprefix(prefix)) + 1 if present else 1
    generation = index.write(folder, f"{prefix}{number}", dim, rows, content)
    index.drop_others(folder, generation, prefix)


def verify_vectors(
    db: sqlite3.Connection, space: int, dim: int, generation: Generation
) -> Iterator[str]:
    """What is wrong with the embeddings of a space; an index that does not match is dropped."""
    import numpy as np

    for ids, block in blocks(db, space, BEFORE_ALL, dim):
        lengths = np.linalg.norm(block.astype(np.float32), axis=1)
        wrong = int(np.count_nonzero(~(np.abs(lengths - 1) <= _NORM_TOLERANCE)))
        if wrong:
            yield f"{counted(wrong, 'embedding')} not of length 1"
        if generation.index is not None and not generation.index.holds(ids, block):
            generation.drop("it does not match the store")
