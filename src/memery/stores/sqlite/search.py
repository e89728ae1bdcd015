"""Vector search in the SQLite store: candidates from the index and from newer embeddings."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memery.query.filters import Filter
from memery.stores.records import Nearest, VectorSearch
from memery.stores.sqlite.browse import FILTERED_EMBEDDINGS, JOIN_CONTENTS, count_images
from memery.stores.sqlite.filter_sql import Condition, condition
from memery.stores.sqlite.generations import Generation
from memery.stores.sqlite.images import IMAGE_COLUMNS, chunked, image_from_row, placeholders
from memery.stores.sqlite.vectors import exact_scores, scan
from memery.types import ImageFile

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_MARGIN = 64
"""Extra candidates, since some belong to deleted files or have equal scores."""
_ROUNDING = 1e-5
"""Difference between float32 sums of unit vectors in another order."""
_DAMAGE = 1e-2
"""An index whose scores differ more from the store's does not belong to it."""
_ABOVE, _ABOVE_GROWS = 1024, 8
"""Number of best candidates to fetch when counting scores above a threshold, and its growth factor.
faiss's range search is slower."""

_IMAGES_FROM = """
    FROM embeddings JOIN files USING (content) JOIN contents ON contents.id = embeddings.content
    WHERE {} AND embeddings.id IN ({})
"""
_IMAGES = f"SELECT embeddings.id, {IMAGE_COLUMNS} {_IMAGES_FROM}"


@dataclass(frozen=True, slots=True)
class _Scored:
    """Embeddings and their approximate scores; those from the index are sorted, best first.

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
        request: selects the images.
        generation: the generation of the search index to use.
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
        self._condition, self._matches_all = condition(request.filter), request.filter == Filter()
        self._allowed: NDArray[np.int64] | None = None
        self._indexed: _Scored | None = None

    def run(self) -> Nearest:
        """Find the best images that pass, best first, equal scores by path."""
        limit, min_score = self._limit, self._min_score
        total = self._count()
        ranked = self._rank(limit)
        if min_score is None:
            return Nearest(ranked, total)
        if len(ranked) == limit and (not ranked or ranked[-1][1] >= min_score):
            return Nearest(ranked, total, self._count_above(min_score))
        return Nearest(ranked, total, sum(score >= min_score for _, score in ranked))

    def _count(self) -> int:
        """Count the images that pass and, if the filter excludes any, collect their embeddings."""
        import numpy as np

        if self._matches_all:
            return count_images(self._db, self._space, Filter(), fold=self._fold)
        rows = _filtered_rows(self._db, self._space, self._condition)
        self._allowed = np.unique(rows)
        return len(self._allowed if self._fold else rows)

    def _rank(self, limit: int) -> list[tuple[ImageFile, float]]:
        newer, want = self._scan_newer(), limit + _MARGIN
        while True:
            best = self._candidates(want, newer)
            exact = exact_scores(self._db, self._space, self._vector, best.ids.tolist())
            if not self._index_matches_store(exact, best):
                newer = self._scan_newer()
                continue
            found = _images(self._db, list(exact), self._condition)
            images = _first_per_embedding(found) if self._fold else found
            pairs = [(image, exact[id_]) for id_, image in images]
            pairs.sort(key=lambda pair: (-pair[1], os.fsencode(pair[0].path)))
            complete = len(best.ids) < want
            if complete or (
                len(pairs) >= limit and pairs[limit - 1][1] > float(best.scores[-1]) + _ROUNDING
            ):
                return pairs[:limit]
            want *= 4

    def _candidates(self, want: int, newer: _Scored) -> _Scored:
        """Select the best of the index and of the newer embeddings."""
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

    def _index_matches_store(self, exact: dict[int, float], best: _Scored) -> bool:
        """Whether the scores of the index match the store's; if not, delete the index."""
        if self._generation.index is None:
            return True
        for id_, score in zip(best.ids.tolist(), best.scores.tolist(), strict=True):
            if not abs(exact.get(id_, score) - score) <= _DAMAGE:
                self._generation.drop("it does not match the store")
                self._indexed = None
                return False
        return True

    def _scan_newer(self) -> _Scored:
        """Score the allowed embeddings that are newer than the index."""
        import numpy as np

        newer = self._scan()
        if self._allowed is None:
            return newer
        within = np.isin(newer.ids, self._allowed)
        return _Scored(newer.ids[within], newer.scores[within])

    def _scan(self) -> _Scored:
        return _Scored(*scan(self._db, self._space, self._vector, self._generation.last_id))

    def _count_above(self, min_score: float) -> int:
        """Count the images that pass and whose score is at least min_score."""
        import numpy as np

        candidates = self._indexed_above(min_score) + self._scan()
        ids, scores = candidates.ids, candidates.scores
        near = np.abs(scores - min_score) <= _ROUNDING
        exact = exact_scores(self._db, self._space, self._vector, ids[near].tolist())
        above = ids[(scores >= min_score) & ~near].tolist()
        above += [id_ for id_ in exact if exact[id_] >= min_score]
        counted = "DISTINCT embeddings.id" if self._fold else "*"
        return sum(
            self._db.execute(
                f"SELECT count({counted})"
                f" {_IMAGES_FROM.format(self._condition.sql, placeholders(chunk))}",
                (*self._condition.values, *chunk),
            ).fetchone()[0]
            for chunk in chunked(above)
        )

    def _indexed_above(self, min_score: float) -> _Scored:
        """Find the best of the index, down to min_score."""
        import numpy as np

        opened = self._generation.index
        if opened is None:
            return _Scored(np.empty(0, np.int64), np.empty(0, np.float32))
        found = self._indexed  # of the search that ran before
        want = _ABOVE if found is None else len(found.ids)
        if found is None:
            found = _Scored(*opened.search(self._vector, want, None))
        while (
            want < len(opened.ids) and len(found.ids) and found.scores[-1] >= min_score - _ROUNDING
        ):
            want = max(_ABOVE, want * _ABOVE_GROWS)
            found = _Scored(*opened.search(self._vector, want, None))
        return found


def _filtered_rows(db: sqlite3.Connection, space: int, where: Condition) -> NDArray[np.int64]:
    """Read the embedding id of each file that passes, ascending, with repetitions for copies."""
    import numpy as np

    sql = FILTERED_EMBEDDINGS.format(
        "embeddings.id", "" if where.paths_only else JOIN_CONTENTS, where.sql
    )
    rows = db.execute(sql, (space, *where.values))
    return np.sort(np.fromiter((row[0] for row in rows), dtype=np.int64))


def _images(
    db: sqlite3.Connection, ids: list[int], where: Condition
) -> Iterator[tuple[int, ImageFile]]:
    """Yield each file that passes and has one of the embeddings."""
    for chunk in chunked(ids):
        sql = _IMAGES.format(where.sql, placeholders(chunk))
        for id_, *facts in db.execute(sql, (*where.values, *chunk)):
            yield id_, image_from_row(db, facts)


def _first_per_embedding(
    images: Iterable[tuple[int, ImageFile]],
) -> Iterable[tuple[int, ImageFile]]:
    """Select the first by path of the images that share an embedding."""
    first: dict[int, ImageFile] = {}
    for id_, image in images:
        current = first.setdefault(id_, image)
        if current is not image and os.fsencode(image.path) < os.fsencode(current.path):
            first[id_] = image
    return first.items()
