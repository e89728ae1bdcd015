"""Vector search in the SQLite store: candidates from the index and from what is newer."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memery.query.filters import Filter
from memery.stores.records import Nearest, VectorSearch
from memery.stores.sqlite.browse import FACTS_TOO, PASSING, count_images
from memery.stores.sqlite.filter_sql import Condition, condition
from memery.stores.sqlite.images import FACTS, image_of, marks, parts
from memery.stores.sqlite.indexes import Generation
from memery.stores.sqlite.vectors import exact_scores, scan
from memery.types import ImageFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MARGIN = 64
"""Candidates beyond those asked for: vanished files and equal scores take some."""
_ROUNDING = 1e-5
"""How far float32 sums in another order may lie apart, for unit vectors."""
_DAMAGE = 1e-2
"""An index whose score is this far from the store's does not belong to it."""
_ABOVE, _ABOVE_GROWS = 1024, 8
"""How many of the best are looked at for those above a score; faiss's range search is slower."""

_IMAGES_FROM = """
    FROM embeddings JOIN files USING (content) JOIN contents ON contents.id = embeddings.content
    WHERE {} AND embeddings.id IN ({})
"""
_IMAGES = f"SELECT embeddings.id, {FACTS} {_IMAGES_FROM}"


@dataclass(frozen=True, slots=True)
class _Scored:
    """Embeddings and their approximate scores, best first where they come from the index.

    Attributes:
        ids: int64 of shape (n,).
        scores: float32 of shape (n,).
    """

    ids: NDArray[np.int64]
    scores: NDArray[np.float32]

    def __add__(self, other: _Scored) -> _Scored:
        import numpy as np

        ids, scores = (self.ids, other.ids), (self.scores, other.scores)
        return _Scored(np.concatenate(ids), np.concatenate(scores))


class Search:
    """One search of one space, in one transaction.

    Args:
        db: the connection.
        space: the space's row id.
        request: what to find.
        generation: of the search index.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        space: int,
        request: VectorSearch,
        generation: Generation,
    ) -> None:
        self._db, self._space, self._generation = db, space, generation
        self._vector, self._fold = request.vector, request.fold
        self._limit, self._min_score = request.limit, request.min_score
        self._condition, self._everything = condition(request.filter), request.filter == Filter()
        self._allowed: NDArray[np.int64] | None = None
        self._indexed: _Scored | None = None

    def run(self) -> Nearest:
        """The best images that pass, best first, equal scores by path."""
        limit, min_score = self._limit, self._min_score
        total = self._count()
        ranked = self._rank(limit)
        if min_score is None:
            return Nearest(ranked, total)
        if len(ranked) == limit and (not ranked or ranked[-1][1] >= min_score):
            return Nearest(ranked, total, self._count_above(min_score))
        return Nearest(ranked, total, sum(score >= min_score for _, score in ranked))

    def _count(self) -> int:
        """How many images pass; unless all do, note which embeddings are theirs."""
        import numpy as np

        if self._everything:
            return count_images(self._db, self._space, Filter(), fold=self._fold)
        rows = _rows_passing(self._db, self._space, self._condition)
        self._allowed = np.unique(rows)
        return len(self._allowed if self._fold else rows)

    def _rank(self, limit: int) -> list[tuple[ImageFile, float]]:
        newer, want = self._scan_newer(), limit + _MARGIN
        while True:
            best = self._candidates(want, newer)
            exact = exact_scores(self._db, self._space, self._vector, best.ids.tolist())
            if not self._agrees(exact, best):
                newer = self._scan_newer()
                continue
            found = _images(self._db, list(exact), self._condition)
            images = _first(found) if self._fold else found
            pairs = [(image, exact[id_]) for id_, image in images]
            pairs.sort(key=lambda pair: (-pair[1], os.fsencode(pair[0].path)))
            complete = len(best.ids) < want
            if complete or (
                len(pairs) >= limit and pairs[limit - 1][1] > float(best.scores[-1]) + _ROUNDING
            ):
                return pairs[:limit]
            want *= 4

    def _candidates(self, want: int, newer: _Scored) -> _Scored:
        """The best of the index and of what is newer."""
        import numpy as np

        found, opened, allowed = newer, self._generation.index, self._allowed
        if opened is not None:
            indexed = _Scored(*opened.search(self._vector, want, allowed))
            if allowed is None and len(indexed.ids) < min(want, self._generation.rows):
                self._generation.drop("it contains NaN values")
                return self._candidates(want, self._scan_newer())
            if allowed is None:
                self._indexed = indexed
            found = indexed + newer
        best = np.argsort(-found.scores, kind="stable")[:want]
        return _Scored(found.ids[best], found.scores[best])

    def _agrees(self, exact: dict[int, float], best: _Scored) -> bool:
        """Whether the index is this store's own; if not, it is dropped."""
        if self._generation.index is None:
            return True
        for id_, score in zip(best.ids.tolist(), best.scores.tolist(), strict=True):
            if not abs(exact.get(id_, score) - score) <= _DAMAGE:
                self._generation.drop("it does not match the store")
                self._indexed = None
                return False
        return True

    def _scan_newer(self) -> _Scored:
        """Embeddings that the index does not hold yet, of those that may be found."""
        import numpy as np

        newer = self._scan()
        if self._allowed is None:
            return newer
        within = np.isin(newer.ids, self._allowed)
        return _Scored(newer.ids[within], newer.scores[within])

    def _scan(self) -> _Scored:
        return _Scored(*scan(self._db, self._space, self._vector, self._generation.last_id))

    def _count_above(self, min_score: float) -> int:
        """Images that pass and whose score is min_score or more."""
        import numpy as np

        near_all = self._indexed_above(min_score) + self._scan()
        ids, scores = near_all.ids, near_all.scores
        near = np.abs(scores - min_score) <= _ROUNDING
        exact = exact_scores(self._db, self._space, self._vector, ids[near].tolist())
        above = ids[(scores >= min_score) & ~near].tolist()
        above += [id_ for id_ in exact if exact[id_] >= min_score]
        counted = "DISTINCT embeddings.id" if self._fold else "*"
        return sum(
            self._db.execute(
                f"SELECT count({counted}) {_IMAGES_FROM.format(self._condition.sql, marks(part))}",
                (*self._condition.values, *part),
            ).fetchone()[0]
            for part in parts(above)
        )

    def _indexed_above(self, min_score: float) -> _Scored:
        """The best of the index, as far down as min_score."""
        import numpy as np

        opened = self._generation.index
        if opened is None:
            return _Scored(np.empty(0, np.int64), np.empty(0, np.float32))
        found = self._indexed  # the search has found them already
        want = _ABOVE if found is None else len(found.ids)
        if found is None:
            found = _Scored(*opened.search(self._vector, want, None))
        while (
            want < len(opened.ids) and len(found.ids) and found.scores[-1] >= min_score - _ROUNDING
        ):
            want = max(_ABOVE, want * _ABOVE_GROWS)
            found = _Scored(*opened.search(self._vector, want, None))
        return found


def _rows_passing(db: sqlite3.Connection, space: int, where: Condition) -> NDArray[np.int64]:
    """The embedding's id of every file that passes, ascending; one twice for two files of it."""
    import numpy as np

    sql = PASSING.format("embeddings.id", "" if where.paths_only else FACTS_TOO, where.sql)
    rows = db.execute(sql, (space, *where.values))
    return np.sort(np.fromiter((row[0] for row in rows), dtype=np.int64))


def _images(
    db: sqlite3.Connection, ids: list[int], where: Condition
) -> Iterator[tuple[int, ImageFile]]:
    """Every file of the embeddings' contents that passes, one by one."""
    for part in parts(ids):
        sql = _IMAGES.format(where.sql, marks(part))
        for id_, *facts in db.execute(sql, (*where.values, *part)):
            yield id_, image_of(db, facts)


def _first(images: Iterable[tuple[int, ImageFile]]) -> Iterable[tuple[int, ImageFile]]:
    """The first by path of the images that share an embedding."""
    first: dict[int, ImageFile] = {}
    for id_, image in images:
        held = first.setdefault(id_, image)
        if os.fsencode(image.path) < os.fsencode(held.path):
            first[id_] = image
    return first.items()
