"""Reader: finds the text written in pictures, after they can be searched by sight."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice

from memery.archive import Archive
from memery.config import Config
from memery.decoding import decode_upright
from memery.errors import ImageError
from memery.executors.interface import Read
from memery.files import read_file
from memery.readers.interface import Reading, TextReader
from memery.stores.interface import Text
from memery.types import FileEntry

_BATCH = 16
"""Pictures per transaction: some seconds of work are lost at most."""


class Reader:
    """Reads pictures in threads, in the order given.

    Args:
        archive: whose files to read.
        reader: what reads; its networks are loaded when the first picture is to be read.
        config: threads and limits. One thread unless asked for more: each takes 200 to 500 MB.
    """

    def __init__(self, archive: Archive, reader: TextReader, config: Config) -> None:
        self._root = os.fspath(archive.root)
        self._reader = reader
        self._config = config

    def read(self, pending: Sequence[tuple[FileEntry, str]]) -> Generator[Read, None, None]:
        """Read pictures, batch by batch; a file whose content has changed is passed over."""
        info = self._reader.info
        pool = ThreadPoolExecutor(self._config.workers or 1, thread_name_prefix="memery-reader")
        try:
            waiting = iter(pending)
            running: deque[tuple[str, Future[Reading | None]]] = deque()
            while True:
                for entry, digest in islice(waiting, 2 * _BATCH - len(running)):
                    running.append((digest, pool.submit(self._read, entry, digest, info.side)))
                if not running:
                    return
                batch = [running.popleft() for _ in range(min(_BATCH, len(running)))]
                readings = [(digest, future.result()) for digest, future in batch]
                name = f"{info.name} {info.version}"
                yield Read(
                    tuple(Text(digest, name, r.lines) for digest, r in readings if r is not None),
                    passed=sum(reading is None for _, reading in readings),
                    finding=sum(r.finding for _, r in readings if r is not None),
                    recognising=sum(r.recognising for _, r in readings if r is not None),
                )
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, entry: FileEntry, digest: str, side: int) -> Reading | None:
        """What stands in a file, or None if it is not (any more) what was indexed."""
        try:
            _, data = read_file(f"{self._root}/{entry.path}", entry, self._config.max_bytes)
            if hashlib.sha256(data).hexdigest() != digest:
                return None
            pixels = decode_upright(data, side, self._config.max_pixels)
        except ImageError:
            return None
        return self._reader.read(pixels)
