"""Reader: finds the text written in pictures, after they can be searched by sight."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import re
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.config import Config
from memery.errors import ImageError, MemeryError, ReaderError
from memery.executors.types import OcrBatch
from memery.imaging import decoding as in_process
from memery.imaging.files import read_file
from memery.ocr.interface import OcrEngine, OcrResult
from memery.stores.records import RecognizedText
from memery.types import FileEntry

if TYPE_CHECKING:
    from memery.imaging.isolation import ImageDecoder

logger = logging.getLogger(__name__)

_ATTEMPTS = 2
"""One end of a process may be chance: a power cut, or a user."""
_NOTE = re.compile(r"^([0-9a-f]{64}) (\d)$", re.MULTILINE)
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_BATCH = 16
"""Pictures per transaction: some seconds of work are lost at most."""


class Reader:
    """Reads pictures in threads, in the order given.

    Args:
        archive: whose files to read.
        reader: what reads; its networks are loaded when the first picture is to be read.
        config: threads and limits. One thread unless asked for more: each takes 150 MB more.
        decoder: what decodes them.

    An image during which the process ended twice is passed over, and counts as without text: the
    engine is native code, too, and would end every build at the same place.
    """

    def __init__(
        self,
        archive: Archive,
        reader: OcrEngine,
        config: Config,
        decoder: ImageDecoder = in_process,
    ) -> None:
        self._unfinished = _Unfinished(archive.reading)
        self._decoder = decoder
        self._root = os.fspath(archive.root)
        self._reader = reader
        self._config = config

    def read(self, pending: Sequence[tuple[FileEntry, str]]) -> Generator[OcrBatch, None, None]:
        """Read pictures, batch by batch; a file whose content has changed is passed over.

        Raises:
            ReaderError: the reader cannot be loaded, or failed on every picture of a full batch.
        """
        if not pending:
            return
        info = self._reader.info
        # One at a time where a process has ended, so that the next end tells at which image it was.
        threads = 1 if self._unfinished.load() else self._config.workers or 1
        pool = ThreadPoolExecutor(threads, thread_name_prefix="memery-reader")
        try:
            waiting = iter(pending)
            running: deque[tuple[str, Future[OcrResult | Exception | None]]] = deque()
            while True:
                for entry, digest in islice(waiting, 2 * _BATCH - len(running)):
                    running.append((digest, pool.submit(self._read, entry, digest, info.side)))
                if not running:
                    self._unfinished.clear()
                    return
                batch = [running.popleft() for _ in range(min(_BATCH, len(running)))]
                readings = [(digest, future.result()) for digest, future in batch]
                yield _ocr_batch(readings, f"{info.name} {info.version}")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, entry: FileEntry, digest: str, side: int) -> OcrResult | Exception | None:
        """What stands in a file, or None if it is not (any more) what was indexed."""
        try:
            _, data = read_file(f"{self._root}/{entry.path}", entry, self._config.max_bytes)
            if hashlib.sha256(data).hexdigest() != digest:
                return None
        except ImageError:
            return None
        if self._unfinished.attempts(digest) >= _ATTEMPTS:
            logger.warning(
                "The text in %s is not read: twice the process ended while it was.", entry.path
            )
            return OcrResult((), 0.0, 0.0)
        try:
            with self._unfinished.attempt(digest):
                return self._read_image(data, side)
        except ImageError as error:
            # The content is what was indexed: unless a limit was lowered, it would fail again.
            logger.debug("The text in %s was not read: %s", entry.path, error)
            return None if error.reason == "too large" else OcrResult((), 0.0, 0.0)
        except MemeryError:
            raise
        except Exception as error:  # a reader is anyone's code
            logger.debug("The text in %s was not read: %r", entry.path, error)
            return error

    def _read_image(self, data: bytes, side: int) -> OcrResult:
        from memery.ocr.tiling import is_long, long_side, recognize_tiles

        limit = self._config.max_pixels
        pixels = self._decoder.decode_upright(data, side, limit)
        height, width = pixels.shape[:2]
        if max(height, width) < side or not is_long(width, height):
            return self._reader.read(pixels)
        whole = long_side(*self._decoder.upright_size(data, limit), side)
        if whole > side:
            pixels = self._decoder.decode_upright(data, whole, limit)
        return recognize_tiles(self._reader, pixels)


class _Unfinished:
    """How often a process ended during each of some images; only those are noted.

    Args:
        file: where it is noted, a line with digest and count for each.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._mutex = threading.Lock()
        self._counts: dict[str, int] = {}

    def load(self) -> bool:
        """Take what the last process left behind; returns whether that is anything."""
        self._counts = {}
        with contextlib.suppress(OSError):
            text = self._file.read_text(encoding="ascii", errors="replace")
            self._counts = {digest: int(count) for digest, count in _NOTE.findall(text)}
        return bool(self._counts)

    def attempts(self, digest: str) -> int:
        """How often a process has ended during this image."""
        return self._counts.get(digest, 0)

    @contextlib.contextmanager
    def attempt(self, digest: str) -> Iterator[None]:
        """Note an attempt until it has come to an end, whichever."""
        self._note(digest, self.attempts(digest) + 1)
        try:
            yield
        finally:
            self._note(digest, 0)

    def clear(self) -> None:
        """All images have been dealt with, and what was found is stored."""
        with self._mutex, contextlib.suppress(OSError):
            self._counts.clear()
            self._file.unlink(missing_ok=True)

    def _note(self, digest: str, count: int) -> None:
        with self._mutex, contextlib.suppress(OSError):  # a full disk must not keep it from reading
            self._counts[digest] = count
            lines = [f"{digest} {count}\n" for digest, count in self._counts.items() if count]
            # In one step, and nothing cut off before: another thread may end the process meanwhile.
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | _NO_LINKS, 0o600)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                size = file.write("".join(lines).encode())
                file.truncate(size)


def _ocr_batch(
    readings: Sequence[tuple[str, OcrResult | Exception | None]], reader: str
) -> OcrBatch:
    """A batch. What the reader fails on counts as without text: it would fail again."""
    failures = [reading for _, reading in readings if isinstance(reading, Exception)]
    if len(failures) == _BATCH:
        error = failures[0]
        raise ReaderError(
            f"{reader} fails on every picture ({type(error).__name__}: {error}). Nothing of that"
            " is kept. Repair its installation, or build with --no-ocr."
        ) from error
    known = [
        (digest, OcrResult((), 0.0, 0.0) if isinstance(reading, Exception) else reading)
        for digest, reading in readings
        if reading is not None
    ]
    return OcrBatch(
        tuple(RecognizedText(digest, reader, reading.lines) for digest, reading in known),
        skipped=len(readings) - len(known),
        finding=sum(reading.finding for _, reading in known),
        recognising=sum(reading.recognising for _, reading in known),
    )
