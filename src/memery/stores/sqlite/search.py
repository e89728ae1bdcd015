"""Search in the SQLite store: candidates from the index and from what is newer, scored exactly."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from memery.errors import ArchiveDamaged
from memery.filters import Filter
from memery.forks import ForkAware
from memery.plurals import counted
from memery.stores.interface import Found
from memery.stores.sqlite import index, schema
from memery.stores.sqlite.conditions import Condition, condition
from memery.stores.sqlite.images import FACTS, database_file, image_of
from memery.types import ImageFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Value = TypeVar("Value", int, bytes)

logger = logging.getLogger(__name__)

_BEFORE = -(1 << 63)
"""Less than every id."""
_BLOCK = 256
"""Embeddings read at a time: as fast as with 4,096, and a search holds 1 MB for them, not 16."""
_VARIABLES = 500
"""Values bound in one statement; SQLite's oldest limit is 999."""
_MARGIN = 64
"""Candidates beyond those asked for: vanished files and equal scores take some."""
_ROUNDING = 1e-5
"""How far float32 sums in another order may lie apart, for unit vectors."""
_DAMAGE = 1e-2
"""An index whose score is this far from the store's does not belong to it."""
_ABOVE, _ABOVE_GROWS = 1024, 8
"""How many of the best are looked at for those above a score; faiss's range search is slower."""
_LAG_ROWS, _LAG_SHARE = 1024, 50
"""The index is rewritten when more than this many rows, and than 1/50 of its own, are amiss."""
_NORM_TOLERANCE = 2e-3
"""How far from 1 the length of a float16 unit vector may lie."""

_SAMPLE = 4096
"""Embeddings that stand for the whole archive: their mean and deviation are known to 1 or 2 %."""

_IMAGES_FROM = """
    FROM embeddings JOIN files USING (content) JOIN contents ON contents.id = embeddings.content
    WHERE {} AND embeddings.id IN ({})
"""
_IMAGES = f"SELECT embeddings.id, {FACTS} {_IMAGES_FROM}"
_PASSING = """
    SELECT {} FROM files {}
    CROSS JOIN embeddings ON embeddings.content = files.content AND space = ? WHERE {}
"""
"""CROSS keeps SQLite from beginning with all embeddings where a folder holds few of them."""
_FACTS_TOO = "CROSS JOIN contents ON contents.id = files.content"


class Indexes(ForkAware):
    """Keeps the search index open from one search to the next, for any number of threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._mutex = threading.Lock()
        self._thread = threading.local()
        self.watch_forks()
        self._generation: Path | None = None
        self._index: index.ExactIndex | None = None

    @contextlib.contextmanager
    def pinned(self) -> Iterator[None]:
        """Let this thread use only what is there now, for a transaction that begins inside.

        A transaction knows all that older generations hold. One that is written later lacks what
        was deleted since, which the transaction still has.
        """
        if getattr(self._thread, "present", None) is not None:
            yield
            return
        self._thread.present, self._thread.searchers = index.folders(self._folder), {}
        try:
            yield
        finally:
            self._thread.present = None

    def after_fork(self, *, in_child: bool) -> None:
        """Another thread of the parent may have had the mutex; what is mapped can be shared."""
        if in_child:
            self._mutex = threading.Lock()

    def open(self, prefix: str, dim: int) -> Searcher:
        """Use the newest sound generation of those pinned."""
        searchers: dict[str, Searcher] = self._thread.searchers
        if prefix not in searchers:
            searchers[prefix] = self._open(prefix, dim, self._thread.present)
        return searchers[prefix]

    def _open(self, prefix: str, dim: int, present: Sequence[Path]) -> Searcher:
        """Damaged generations are deleted, since they can be rebuilt."""
        with self._mutex:
            for generation in index.generations(present, prefix):
                if generation == self._generation:
                    break
                try:
                    self._index = index.ExactIndex(generation, dim)
                except FileNotFoundError:
                    continue  # a newer one has taken its place since
                except (OSError, ValueError, RuntimeError, MemoryError) as error:
                    discard(generation, str(error))
                else:
                    self._generation = generation
                    break
            else:
                self._index = self._generation = None
            return Searcher(self._folder, self._generation, self._index)

    def close(self) -> None:
        """Let go of the mapped files."""
        with self._mutex:
            self._index = self._generation = None

    def forget(self, prefix: str) -> None:
        """Delete every generation of a space."""
        self.close()
        index.drop_others(self._folder, None, prefix)


def discard(generation: Path, why: str) -> None:
    """Delete a generation that is damaged."""
    logger.warning("The search index is damaged (%s). It is rebuilt from the store.", why)
    shutil.rmtree(generation, ignore_errors=True)


@dataclass(frozen=True, slots=True)
class _Nearest:
    """What the index has found for a vector, best first: counting needs the same search."""

    vector: NDArray[np.float32]
    want: int
    ids: NDArray[np.int64]
    scores: NDArray[np.float32]


class Searcher:
    """Searches one space, in one transaction.

    Args:
        folder: where indexes lie.
        generation: the one to use, or None.
        opened: the same, opened.
    """

    def __init__(
        self, folder: Path, generation: Path | None, opened: index.ExactIndex | None
    ) -> None:
        self._folder = folder
        self._generation = generation
        self._index = opened
        self._nearest: _Nearest | None = None

    def _drop(self, why: str) -> None:
        assert self._generation is not None
        discard(self._generation, why)
        self._index = self._generation = self._nearest = None

    def search(
        self,
        db: sqlite3.Connection,
        space: int,
        vector: NDArray[np.float32],
        limit: int,
        scope: Filter,
        *,
        fold: bool,
    ) -> Found:
        """The best images that pass a filter, best first, equal scores by path."""
        import numpy as np

        passing = condition(scope)
        if scope == Filter():
            allowed, total = None, count_images(db, space, scope, fold=fold)
        else:
            rows = _rows_passing(db, space, passing)
            allowed = np.unique(rows)
            total = len(allowed if fold else rows)
        newer = self._scan_newer(db, space, vector, allowed)
        want = limit + _MARGIN
        while True:
            ids, scores = self._candidates(db, space, vector, want, allowed, newer)
            exact = _exact_scores(db, space, vector, ids.tolist())
            if not self._agrees(exact, ids, scores):
                newer = self._scan_newer(db, space, vector, allowed)
                continue
            found = _images(db, list(exact), passing)
            pairs = [(image, exact[id_]) for id_, image in (_first(found) if fold else found)]
            pairs.sort(key=lambda pair: (-pair[1], os.fsencode(pair[0].path)))
            complete = len(ids) < want
            if complete or (
                len(pairs) >= limit and pairs[limit - 1][1] > float(scores[-1]) + _ROUNDING
            ):
                return Found(pairs[:limit], total)
            want *= 4

    def count_above(
        self,
        db: sqlite3.Connection,
        space: int,
        vector: NDArray[np.float32],
        least: float,
        scope: Filter,
        *,
        fold: bool,
    ) -> int:
        """Images that pass a filter and whose score is least or more."""
        import numpy as np

        ids, scores = self._scan(db, space, vector, self._last_id())
        if self._index is not None:
            want, whole = _ABOVE, len(self._index.ids)
            nearest = self._nearest
            if nearest is not None and np.array_equal(nearest.vector, vector):
                want, indexed_ids, indexed_scores = nearest.want, nearest.ids, nearest.scores
            else:
                indexed_ids, indexed_scores = self._index.search(vector, want, None)
            while want < whole and len(indexed_ids) and indexed_scores[-1] >= least - _ROUNDING:
                want = max(_ABOVE, want * _ABOVE_GROWS)
                indexed_ids, indexed_scores = self._index.search(vector, want, None)
            ids = np.concatenate([indexed_ids, ids])
            scores = np.concatenate([indexed_scores, scores])
        near = np.abs(scores - least) <= _ROUNDING
        exact = _exact_scores(db, space, vector, ids[near].tolist())
        above = [*ids[(scores >= least) & ~near].tolist(), *(i for i in exact if exact[i] >= least)]
        passing = condition(scope)
        counted = "DISTINCT embeddings.id" if fold else "*"
        return sum(
            db.execute(
                f"SELECT count({counted}) {_IMAGES_FROM.format(passing.sql, _marks(part))}",
                (*passing.values, *part),
            ).fetchone()[0]
            for part in _parts(above)
        )

    def _candidates(
        self,
        db: sqlite3.Connection,
        space: int,
        vector: NDArray[np.float32],
        want: int,
        allowed: NDArray[np.int64] | None,
        newer: tuple[NDArray[np.int64], NDArray[np.float32]],
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        import numpy as np

        ids, scores = newer
        if self._index is not None:
            indexed_ids, indexed_scores = self._index.search(vector, want, allowed)
            if allowed is None and len(indexed_ids) < min(want, len(self._index.ids)):
                self._drop("it holds numbers that are none")
                newer = self._scan_newer(db, space, vector, allowed)
                return self._candidates(db, space, vector, want, allowed, newer)
            if allowed is None:
                self._nearest = _Nearest(vector, want, indexed_ids, indexed_scores)
            ids = np.concatenate([indexed_ids, ids])
            scores = np.concatenate([indexed_scores, scores])
        best = np.argsort(-scores, kind="stable")[:want]
        return ids[best], scores[best]

    def _agrees(
        self, exact: dict[int, float], ids: NDArray[np.int64], scores: NDArray[np.float32]
    ) -> bool:
        """Whether the index is this store's own; if not, it is dropped."""
        for id_, score in zip(ids.tolist(), scores.tolist(), strict=True):
            if self._index is not None and not abs(exact.get(id_, score) - score) <= _DAMAGE:
                self._drop("it does not match the store")
                return False
        return True

    def _scan_newer(
        self,
        db: sqlite3.Connection,
        space: int,
        vector: NDArray[np.float32],
        allowed: NDArray[np.int64] | None,
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and scores of embeddings that the index does not hold yet."""
        import numpy as np

        ids, scores = self._scan(db, space, vector, self._last_id())
        if allowed is not None:
            within = np.isin(ids, allowed)
            return ids[within], scores[within]
        return ids, scores

    def _scan(
        self, db: sqlite3.Connection, space: int, vector: NDArray[np.float32], after: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids and scores of the stored embeddings with ids above a number."""
        import numpy as np

        ids, scores = [np.empty(0, np.int64)], [np.empty(0, np.float32)]
        for block_ids, block in _blocks(db, space, after, len(vector)):
            ids.append(block_ids)
            scores.append(block.astype(np.float32) @ vector)
        return np.concatenate(ids), np.concatenate(scores)

    def background(
        self, db: sqlite3.Connection, space: int, vector: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Scores of embeddings that stand for all: every one of few, a sample of many."""
        import numpy as np

        sql = "SELECT count(*) FROM (SELECT 1 FROM embeddings WHERE space = ? LIMIT ?)"
        few = db.execute(sql, (space, _SAMPLE + 1)).fetchone()[0] <= _SAMPLE
        if self._index is None or (few and self._amiss(db, space)):
            # The index holds embeddings that are gone, or not all: among few that would count.
            scores = self._scan(db, space, vector, _BEFORE)[1]
        else:
            newer = self._scan(db, space, vector, self._last_id())[1]
            scores = np.concatenate([self._index.sample(_SAMPLE) @ vector, newer])
        return scores[np.isfinite(scores)]

    def _last_id(self) -> int:
        return (
            int(self._index.ids[-1])
            if self._index is not None and len(self._index.ids)
            else _BEFORE
        )

    def lags(self, db: sqlite3.Connection, space: int) -> bool:
        """Whether so much has changed since the index was written that it should be again."""
        held = 0 if self._index is None else len(self._index.ids)
        amiss = self._amiss(db, space)
        return bool(amiss if not held else amiss > max(_LAG_ROWS, held // _LAG_SHARE))

    def _amiss(self, db: sqlite3.Connection, space: int) -> int:
        """How many embeddings the index lacks, and how many it has that are gone."""
        held = 0 if self._index is None else len(self._index.ids)
        total, newer = db.execute(
            "SELECT count(*), count(*) FILTER (WHERE id > ?) FROM embeddings WHERE space = ?",
            (self._last_id(), space),
        ).fetchone()
        return int(newer + abs(held - (total - newer)))

    def write(self, db: sqlite3.Connection, space: int, dim: int, prefix: str) -> None:
        """Write the next generation."""
        rows = db.execute("SELECT count(*) FROM embeddings WHERE space = ?", (space,)).fetchone()[0]
        blocks = ((ids, block.tobytes()) for ids, block in _blocks(db, space, _BEFORE, dim))
        present = index.generations(index.folders(self._folder), prefix)
        number = int(present[0].name.removeprefix(prefix)) + 1 if present else 1
        generation = index.write(self._folder, f"{prefix}{number}", dim, rows, blocks)
        index.drop_others(self._folder, generation, prefix)

    def verify(self, db: sqlite3.Connection, space: int, dim: int) -> Iterator[str]:
        """Check every embedding of a space, and the index against them."""
        import numpy as np

        for ids, block in _blocks(db, space, _BEFORE, dim):
            lengths = np.linalg.norm(block.astype(np.float32), axis=1)
            wrong = int(np.count_nonzero(~(np.abs(lengths - 1) <= _NORM_TOLERANCE)))
            if wrong:
                yield f"{counted(wrong, 'embedding')} not of length 1"
            if self._index is not None and not self._index.holds(ids, block):
                self._drop("it does not match the store")


def _blocks(
    db: sqlite3.Connection, space: int, after: int, dim: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float16]]]:
    """Embeddings by ascending id: ids of shape (n,) and vectors of shape (n, dim)."""
    import numpy as np

    cursor = db.execute(
        # The plus keeps SQLite from walking the whole space by its index instead of the ids.
        "SELECT id, vector FROM embeddings WHERE id > ? AND +space = ? ORDER BY id",
        (after, space),
    )
    while rows := cursor.fetchmany(_BLOCK):
        ids = np.array([row[0] for row in rows], dtype=np.int64)
        yield ids, _matrix(db, [row[1] for row in rows], dim)


def _matrix(db: sqlite3.Connection, vectors: list[Any], dim: int) -> NDArray[np.float16]:
    import numpy as np

    if any(not isinstance(v, bytes) or len(v) != dim * index.FLOAT16 for v in vectors):
        raise ArchiveDamaged(schema.damage(database_file(db), "an embedding has the wrong size"))
    return np.frombuffer(b"".join(vectors), dtype="<f2").reshape(-1, dim)


def count_images(db: sqlite3.Connection, space: int, scope: Filter, *, fold: bool = False) -> int:
    """Images of a space that pass a filter; with fold, exact copies are one."""
    counted = "count(DISTINCT files.content)" if fold else "count(*)"
    spaces = db.execute("SELECT count(*) FROM spaces").fetchone()[0]
    if spaces == 1 and space and scope == Filter():
        # Every content came with an embedding in the only space there is: no need to join.
        row = db.execute(f"SELECT {counted} FROM files WHERE content IS NOT NULL").fetchone()
        return int(row[0])
    passing = condition(scope)
    sql = _PASSING.format(counted, "" if passing.paths_only else _FACTS_TOO, passing.sql)
    return int(db.execute(sql, (space, *passing.values)).fetchone()[0])


def _rows_passing(db: sqlite3.Connection, space: int, passing: Condition) -> NDArray[np.int64]:
    """The embedding's id of every file that passes, ascending; one twice for two files of it."""
    import numpy as np

    sql = _PASSING.format("embeddings.id", "" if passing.paths_only else _FACTS_TOO, passing.sql)
    rows = db.execute(sql, (space, *passing.values))
    return np.sort(np.fromiter((row[0] for row in rows), dtype=np.int64))


def _exact_scores(
    db: sqlite3.Connection, space: int, vector: NDArray[np.float32], ids: list[int]
) -> dict[int, float]:
    """Cosines of stored embeddings, the same number for the same vector wherever it is found."""
    import numpy as np

    exact: dict[int, float] = {}
    query = vector.astype(np.float64)
    for part in _parts(ids):
        rows = db.execute(
            f"SELECT id, vector FROM embeddings WHERE +space = ? AND id IN ({_marks(part)})",
            (space, *part),
        ).fetchall()
        if rows:
            matrix = _matrix(db, [row[1] for row in rows], len(vector)).astype(np.float64)
            scores = np.clip((matrix * query).sum(axis=1), -1, 1)
            if not np.isfinite(scores).all():
                raise ArchiveDamaged(schema.damage(database_file(db), "an embedding is not finite"))
            exact.update(zip((row[0] for row in rows), scores.tolist(), strict=True))
    return exact


def digest_scores(
    db: sqlite3.Connection, space: int, vector: NDArray[np.float32], digests: Iterable[str]
) -> dict[str, float]:
    """The cosine of each content that has an embedding."""
    keys = [bytes.fromhex(digest) for digest in digests]
    ids: dict[int, str] = {}
    for part in _parts(keys):
        rows = db.execute(
            "SELECT embeddings.id, CAST(digest AS BLOB) FROM contents"
            " CROSS JOIN embeddings ON content = contents.id AND space = ?"
            f" WHERE digest IN ({_marks(part)})",
            (space, *part),
        )
        ids |= {id_: digest.hex() for id_, digest in rows}
    exact = _exact_scores(db, space, vector, list(ids))
    return {ids[id_]: score for id_, score in exact.items()}


def _images(
    db: sqlite3.Connection, ids: list[int], passing: Condition
) -> Iterator[tuple[int, ImageFile]]:
    """Every file of the embeddings' contents that passes, one by one."""
    for part in _parts(ids):
        sql = _IMAGES.format(passing.sql, _marks(part))
        for id_, *facts in db.execute(sql, (*passing.values, *part)):
            yield id_, image_of(db, facts)


def _first(images: Iterable[tuple[int, ImageFile]]) -> Iterable[tuple[int, ImageFile]]:
    """The first by path of the images that share an embedding."""
    first: dict[int, ImageFile] = {}
    for id_, image in images:
        held = first.setdefault(id_, image)
        if os.fsencode(image.path) < os.fsencode(held.path):
            first[id_] = image
    return first.items()


def exact_copies(
    db: sqlite3.Connection, images: Sequence[ImageFile], scope: Filter
) -> Sequence[Sequence[str]]:
    """The paths of the other files that have the content of each image, in order."""
    passing = condition(scope)
    paths: dict[str, list[bytes]] = {image.digest: [] for image in images}
    for part in _parts([bytes.fromhex(digest) for digest in paths]):
        rows = db.execute(
            "SELECT CAST(digest AS BLOB), path FROM contents JOIN files ON content = contents.id"
            f" WHERE {passing.sql} AND digest IN ({_marks(part)}) ORDER BY path",
            (*passing.values, *part),
        )
        for digest, path in rows:
            paths[digest.hex()].append(path)
    return [
        [os.fsdecode(path) for path in paths[image.digest] if path != os.fsencode(image.path)]
        for image in images
    ]


def _parts(values: list[Value]) -> Iterable[list[Value]]:
    return (values[start : start + _VARIABLES] for start in range(0, len(values), _VARIABLES))


def _marks(values: Sequence[object]) -> str:
    return ",".join("?" * len(values))
