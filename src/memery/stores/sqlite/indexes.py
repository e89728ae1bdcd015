"""The generations of an archive's search indexes: opened once, used by any number of threads."""

from __future__ import annotations

import contextlib
import logging
import shutil
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from memery.process.forks import ForkAware
from memery.stores.sqlite import index

logger = logging.getLogger(__name__)

BEFORE_ALL = -(1 << 63)
"""Less than every id."""


@dataclass(slots=True)
class Generation:
    """The generation of a space's search index that a snapshot uses.

    Attributes:
        folder: where it lies; None where there is none.
        index: the same, opened.
    """

    folder: Path | None
    index: index.ExactIndex | None

    @property
    def rows(self) -> int:
        """How many embeddings it holds."""
        return 0 if self.index is None else len(self.index.ids)

    @property
    def last_id(self) -> int:
        """The highest id among its embeddings, less than every id where there are none."""
        return int(self.index.ids[-1]) if self.index is not None and self.rows else BEFORE_ALL

    def drop(self, why: str) -> None:
        """Delete what turned out to be damaged: searches read the store instead."""
        assert self.folder is not None
        _discard(self.folder, why)
        self.folder = self.index = None


class Indexes(ForkAware):
    """Keeps the search index open from one search to the next, for any number of threads."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._mutex = threading.Lock()
        self._thread = threading.local()
        self.watch_forks()
        self._newest = Generation(None, None)

    @contextlib.contextmanager
    def pinned(self) -> Iterator[None]:
        """Let this thread use only what is there now, for a transaction that begins inside.

        A transaction knows all that older generations hold. One that is written later lacks what
        was deleted since, which the transaction still has.
        """
        if getattr(self._thread, "present", None) is not None:
            yield
            return
        self._thread.present, self._thread.generations = index.folders(self.folder), {}
        try:
            yield
        finally:
            self._thread.present = None

    def after_fork(self, *, in_child: bool) -> None:
        """Another thread of the parent may have had the mutex; what is mapped can be shared."""
        if in_child:
            self._mutex = threading.Lock()

    def open(self, prefix: str, dim: int) -> Generation:
        """The newest sound generation of those pinned."""
        opened: dict[str, Generation] = self._thread.generations
        if prefix not in opened:
            opened[prefix] = self._open(prefix, dim, self._thread.present)
        return opened[prefix]

    def _open(self, prefix: str, dim: int, present: Sequence[Path]) -> Generation:
        """Damaged generations are deleted, since they can be rebuilt."""
        with self._mutex:
            for folder in index.generations(present, prefix):
                if folder == self._newest.folder:
                    break
                try:
                    self._newest = Generation(folder, index.ExactIndex(folder, dim))
                except FileNotFoundError:
                    continue  # a newer one has taken its place since
                except (OSError, ValueError, RuntimeError, MemoryError) as error:
                    _discard(folder, str(error))
                else:
                    break
            else:
                self._newest = Generation(None, None)
            return Generation(self._newest.folder, self._newest.index)

    def close(self) -> None:
        """Release the mapped files."""
        with self._mutex:
            self._newest = Generation(None, None)

    def forget(self, prefix: str) -> None:
        """Delete every generation of a space."""
        self.close()
        index.drop_others(self.folder, None, prefix)


def _discard(folder: Path, why: str) -> None:
    """Delete a generation that is damaged."""
    logger.warning("The search index is damaged (%s). It is rebuilt from the store.", why)
    shutil.rmtree(folder, ignore_errors=True)
