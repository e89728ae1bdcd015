"""Files that are read and decoded in threads, in their order, whatever hangs."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, wait
from typing import TYPE_CHECKING, Generic, TypeVar

from memery.config import Config
from memery.errors import FolderError, ImageError
from memery.imaging import decoding as in_process
from memery.types import FileEntry

if TYPE_CHECKING:
    from memery.executors.daemon_pool import DaemonPool
    from memery.imaging.isolation import ImageDecoder

logger = logging.getLogger(__name__)

R = TypeVar("R")

_CHILD_FACTOR = 3
"""How many times the limit a file may take whose decoder is ended in time: it is read, too."""
_SILENT_MAX = 8
"""Files that may fail to be read in time: each costs a thread."""


class ParallelReads(Generic[R]):
    """Reads files in threads and returns their results in the order of the files.

    Args:
        read: reads a file with a decoder.
        skip: the result for a file that could not be read.
        decoder: what decodes, until it hangs: then child processes do.
        config: the number of threads, and how long an image may take.
    """

    def __init__(
        self,
        read: Callable[[FileEntry, ImageDecoder], R],
        skip: Callable[[FileEntry, ImageError], R],
        decoder: ImageDecoder,
        config: Config,
    ) -> None:
        self._read = read
        self._skip = skip
        self._decoder = decoder
        self._config = config
        self._running: deque[tuple[FileEntry, Future[R]]] = deque()
        self._pool = self._new_pool()
        self._silent = 0

    def __len__(self) -> int:
        return len(self._running)

    def submit(self, entry: FileEntry) -> None:
        """Begin with a file as soon as a thread is free."""
        self._running.append((entry, self._begin(entry)))

    def next(self) -> R:
        """Wait for the file that was submitted first."""
        entry, future = self._running[0]
        # All before it are done, so that a thread has been at it since then at the latest.
        while not wait([future], self._seconds).done:
            if self._decoder is not in_process:
                self._running.popleft()
                return self._give_up(entry)
            self._isolate(entry)
            _, future = self._running[0]
        self._running.popleft()
        return future.result()

    def close(self) -> bool:
        """Let go of the threads; returns whether none of them is left."""
        return self._pool.close()

    @property
    def _seconds(self) -> float:
        seconds = self._config.decode_seconds
        return seconds if self._decoder is in_process else _CHILD_FACTOR * seconds

    def _isolate(self, entry: FileEntry) -> None:
        """Decode in child processes what is not done: the thread of a file hangs."""
        logger.warning(
            "%s takes longer than %d s to decode. Images are decoded in separate processes"
            " from here on.",
            entry.path,
            self._config.decode_seconds,
        )
        from memery.imaging.isolation import IsolatedDecoder

        self._decoder = IsolatedDecoder(self._config.decode_seconds)
        self._replace_threads()

    def _give_up(self, entry: FileEntry) -> R:
        """Skip a file that cannot be read: a child that only decodes it would have been ended."""
        self._silent += 1
        if self._silent > _SILENT_MAX:
            raise FolderError(
                f"{entry.path} and {_SILENT_MAX} more files could not be read in time: check"
                " the disk or the network that they are on."
            )
        self._replace_threads()
        return self._skip(
            entry, ImageError("input/output error", f"no answer in {self._seconds:.0f} s")
        )

    def _replace_threads(self) -> None:
        """Leave a thread behind; what other threads had not finished begins again."""
        self._pool.close(wait=False)
        self._pool = self._new_pool()
        for number, (entry, future) in enumerate(self._running):
            if not future.done():
                self._running[number] = entry, self._begin(entry)

    def _begin(self, entry: FileEntry) -> Future[R]:
        return self._pool.submit(self._read, entry, self._decoder)

    def _new_pool(self) -> DaemonPool:
        from memery.executors.daemon_pool import DaemonPool

        return DaemonPool(self._config.threads, "memery-crafter")
