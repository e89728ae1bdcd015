"""Progress of one stage of the indexing flow."""

from __future__ import annotations

import time
from collections.abc import Callable

from memery.types import Progress

_COUNT_SECONDS = 1.0
"""Interval of counting searchable images; counting 100,000 takes a while."""


class ProgressTracker:
    """Tracks the progress of one stage.

    Args:
        stage: "images" or "text", as in `Progress`.
        total: files to process.
        count_searchable: counts the images that a search can find.
    """

    def __init__(self, stage: str, total: int, count_searchable: Callable[[], int]) -> None:
        self._stage = stage
        self._total = total
        self._count_searchable = count_searchable
        self._done = self._skipped = self._searchable = 0
        self._counted = 0.0

    def advance(self, done: int, skipped: int) -> Progress:
        """Add processed files, `skipped` of which were skipped."""
        self._done += done
        self._skipped += skipped
        return self.progress()

    def progress(self) -> Progress:
        """The current counts."""
        if not self._searchable or time.monotonic() - self._counted > _COUNT_SECONDS:
            self._searchable = self._count_searchable()
            self._counted = time.monotonic()
        return Progress(self._done, self._total, self._skipped, self._searchable, self._stage)
