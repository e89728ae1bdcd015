"""Parallel reading and decoding of files in order, even if a read hangs."""

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
"""Multiple of the decoding limit for a file decoded in a child process; it includes reading."""
_TIMEOUTS_MAX = 8
"""Maximum number of files that cannot be read in time; each one blocks a thread."""


class ParallelReads(Generic[R]):
    """Reads files in threads and returns their results in the order of the files.

    Args:
        read: reads a file with a decoder.
        skip: makes the result for a file that cannot be read.
        decoder: the decoder; if it hangs, child processes replace it.
        config: the number of threads and the time limit of decoding.
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
        self._timeouts = 0

    def __len__(self) -> int:
        return len(self._running)

    def submit(self, entry: FileEntry) -> None:
        """Queue a file."""
        self._running.append((entry, self._start(entry)))

    def next(self) -> R:
        """Wait for the result of the oldest file in the queue.

        Raises:
            FolderError: too many files could not be read in time.
        """
        entry, future = self._running[0]
        # All earlier files are done, so a thread is already working on this one.
        while not wait([future], self._seconds).done:
            if self._decoder is not in_process:
                self._running.popleft()
                return self._give_up(entry)
            self._isolate(entry)
            _, future = self._running[0]
        self._running.popleft()
        return future.result()

    def close(self) -> bool:
        """Stop the threads, and return whether all of them have ended."""
        return self._pool.close()

    @property
    def _seconds(self) -> float:
        seconds = self._config.decode_seconds
        return seconds if self._decoder is in_process else _CHILD_FACTOR * seconds

    def _isolate(self, entry: FileEntry) -> None:
        """Decode the remaining files in child processes: the thread of a file hangs."""
        logger.warning(
            "%s takes longer than %d s to decode. The remaining images are decoded in separate"
            " processes.",
            entry.path,
            self._config.decode_seconds,
        )
        from memery.imaging.isolation import IsolatedDecoder

        self._decoder = IsolatedDecoder(self._config.decode_seconds)
        self._replace_threads()

    def _give_up(self, entry: FileEntry) -> R:
        """Skip a file that cannot be read in time; a child process would have ended by then."""
        self._timeouts += 1
        if self._timeouts > _TIMEOUTS_MAX:
            raise FolderError(
                f"{entry.path} and {_TIMEOUTS_MAX} more files could not be read in time. Check"
                " the disk or the network connection."
            )
        self._replace_threads()
        return self._skip(
            entry, ImageError("input/output error", f"no answer in {self._seconds:.0f} s")
        )

    def _replace_threads(self) -> None:
        """Abandon the hanging thread, and restart the files that were not finished."""
        self._pool.close(wait=False)
        self._pool = self._new_pool()
        for number, (entry, future) in enumerate(self._running):
            if not future.done():
                self._running[number] = entry, self._start(entry)

    def _start(self, entry: FileEntry) -> Future[R]:
        return self._pool.submit(self._read, entry, self._decoder)

    def _new_pool(self) -> DaemonPool:
        from memery.executors.daemon_pool import DaemonPool

        return DaemonPool(self._config.threads, "memery-crafter")
