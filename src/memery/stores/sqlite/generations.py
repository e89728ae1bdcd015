"""Generations of an archive's search indexes, opened once and shared by all threads."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from memery.process.forks import ForkAware
from memery.stores.sqlite import faiss_index

logger = logging.getLogger(__name__)

BEFORE_ALL = -(1 << 63)
"""Less than every id."""


@dataclass(slots=True)
class Generation:
    """The generation of a space's search index that a snapshot uses.

    Attributes:
        folder: its folder, or None without an index.
        index: the opened index, or None.
    """

    folder: Path | None
    index: faiss_index.ExactIndex | None

    @property
    def rows(self) -> int:
        """The number of embeddings in the index."""
        return 0 if self.index is None else len(self.index.ids)

    @property
    def last_id(self) -> int:
        """The highest id among its embeddings; without embeddings, less than every id."""
        return int(self.index.ids[-1]) if self.index is not None and self.rows else BEFORE_ALL

    def drop(self, why: str) -> None:
        """Delete the damaged index; searches read the store instead."""
        assert self.folder is not None
        _discard(self.folder, why)
        self.folder = self.index = None


class SearchIndexes(ForkAware):
    """Keeps search indexes open between searches, for any number of threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mutex = threading.Lock()
        self._thread = threading.local()
        self.watch_forks()
        self._newest = Generation(None, None)

    @contextlib.contextmanager
    def pinned(self) -> Iterator[None]:
        """Use only the present generations in this thread, for a transaction that begins inside.

        A generation written after the transaction began may lack embeddings that the transaction
        still sees.
        """
        if getattr(self._thread, "present", None) is not None:
            yield
            return
        self._thread.present, self._thread.generations = faiss_index.list_folders(self.folder), {}
        try:
            yield
        finally:
            self._thread.present = None

    def after_fork(self, *, in_child: bool) -> None:
        """Replace the mutex, which a thread of the parent may have held; maps can be shared."""
        if in_child:
            self._mutex = threading.Lock()

    def open(self, prefix: str, dim: int) -> Generation:
        """Open the newest valid generation of those pinned."""
        opened: dict[str, Generation] = self._thread.generations
        if prefix not in opened:
            opened[prefix] = self._open(prefix, dim, self._thread.present)
        return opened[prefix]

    def _open(self, prefix: str, dim: int, present: Sequence[Path]) -> Generation:
        """Open the newest valid generation; delete damaged ones, since they can be rebuilt."""
        with self._mutex:
            for folder in faiss_index.generations(present, prefix):
                if folder == self._newest.folder:
                    break
                try:
                    self._newest = Generation(folder, faiss_index.ExactIndex(folder, dim))
                except FileNotFoundError:
                    continue  # replaced by a newer one meanwhile
                except (OSError, ValueError, RuntimeError, MemoryError) as error:
                    _discard(folder, str(error))
                else:
                    break
            else:
                self._newest = Generation(None, None)
            return Generation(self._newest.folder, self._newest.index)

    def close(self) -> None:
        """Close the memory-mapped files."""
        with self._mutex:
            self._newest = Generation(None, None)

    def forget(self, prefix: str) -> None:
        """Delete every generation of a space."""
        self.close()
        faiss_index.delete_other_generations(self.folder, None, prefix)


def _discard(folder: Path, why: str) -> None:
    """Delete a damaged generation."""
    logger.warning("The search index is damaged (%s). It is rebuilt from the store.", why)
    shutil.rmtree(folder, ignore_errors=True)
