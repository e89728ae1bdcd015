"""Ranker: scores, filters, cuts, pages: hits."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.stores.interface import Space, Store
from memery.types import Filter, Hit

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Ranker:
    """Ranks by cosine.

    Args:
        archive: which archive is searched.
        store: what searches.
    """

    def __init__(self, archive: Archive, store: Store) -> None:
        self._root = os.fspath(archive.root)
        self._prefix = Filter(archive.scope).prefix
        self._store = store

    def rank(
        self, space: Space, vector: NDArray[np.float32], scope: Filter, top_k: int, offset: int
    ) -> tuple[tuple[Hit, ...], int]:
        """One page of hits, and how many images pass the filter."""
        found = self._store.search(space, vector, offset + top_k, scope)
        hits = tuple(
            Hit(
                rank=rank,
                path=image.path.removeprefix(self._prefix),
                score=score,
                image=image,
                location=f"{self._root}/{image.path}",
            )
            for rank, (image, score) in enumerate(found.ranked[offset:], start=offset + 1)
        )
        return hits, found.total
