"""TextReader: recognises the text in images (OCR), after they have been encoded."""

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
"""A single crash may have another cause, such as a power cut or the user."""
_COUNT_LINE = re.compile(r"^([0-9a-f]{64}) (\d)$", re.MULTILINE)
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_BATCH = 16
"""Images per transaction; a crash loses a few seconds of work at most."""


class TextReader:
    """Runs OCR on images in threads, in the given order.

    An image on which the process crashed twice is skipped and stored as an image without text: the
    engine is native code, and would crash every build on the same image.

    Args:
        archive: the archive whose files to read.
        reader: the OCR engine; it loads its networks on first use.
        config: threads and limits. One thread by default, since each takes 150 MB more.
        decoder: the image decoder.
    """

    def __init__(
        self,
        archive: Archive,
        reader: OcrEngine,
        config: Config,
        decoder: ImageDecoder = in_process,
    ) -> None:
        self._crash_counts = _CrashCounts(archive.reading)
        self._decoder = decoder
        self._root = os.fspath(archive.root)
        self._reader = reader
        self._config = config

    def read(self, pending: Sequence[tuple[FileEntry, str]]) -> Generator[OcrBatch, None, None]:
        """Recognise text, batch by batch; skip files whose content has changed.

        Args:
            pending: files, each with its digest when it was indexed.

        Raises:
            ReaderError: the OCR engine cannot be loaded, or failed on every image of a full batch.
        """
        if not pending:
            return
        info = self._reader.info
        # After a crash use one thread, so that the next crash identifies its image.
        threads = 1 if self._crash_counts.load() else self._config.workers or 1
        pool = ThreadPoolExecutor(threads, thread_name_prefix="memery-reader")
        try:
            waiting = iter(pending)
            running: deque[tuple[str, Future[OcrResult | Exception | None]]] = deque()
            while True:
                for entry, digest in islice(waiting, 2 * _BATCH - len(running)):
                    running.append((digest, pool.submit(self._read, entry, digest, info.side)))
                if not running:
                    self._crash_counts.clear()
                    return
                batch = [running.popleft() for _ in range(min(_BATCH, len(running)))]
                readings = [(digest, future.result()) for digest, future in batch]
                yield _ocr_batch(readings, f"{info.name} {info.version}")
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _read(self, entry: FileEntry, digest: str, side: int) -> OcrResult | Exception | None:
        """Recognise the text in a file; None if its content has changed or cannot be read."""
        try:
            _, data = read_file(f"{self._root}/{entry.path}", entry, self._config.max_bytes)
            if hashlib.sha256(data).hexdigest() != digest:
                return None
        except ImageError:
            return None
        if self._crash_counts.attempts(digest) >= _ATTEMPTS:
            logger.warning("Skipping OCR of %s: the process crashed on it twice.", entry.path)
            return OcrResult((), 0.0, 0.0)
        try:
            with self._crash_counts.attempt(digest):
                return self._read_image(data, side)
        except ImageError as error:
            # The content has not changed: it fails again unless the limit is raised.
            logger.debug("OCR of %s failed: %s", entry.path, error)
            return None if error.reason == "too large" else OcrResult((), 0.0, 0.0)
        except MemeryError:
            raise
        except Exception as error:  # the engine may be a plug-in
            logger.debug("OCR of %s failed: %r", entry.path, error)
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


class _CrashCounts:
    """Counts the crashes of the process per image, in a file.

    Args:
        file: one line with digest and count for each image with a crash.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self._mutex = threading.Lock()
        self._counts: dict[str, int] = {}

    def load(self) -> bool:
        """Load the counts of the last process, and return whether there are any."""
        self._counts = {}
        with contextlib.suppress(OSError):
            text = self._file.read_text(encoding="ascii", errors="replace")
            self._counts = {digest: int(count) for digest, count in _COUNT_LINE.findall(text)}
        return bool(self._counts)

    def attempts(self, digest: str) -> int:
        """How often the process has crashed on this image."""
        return self._counts.get(digest, 0)

    @contextlib.contextmanager
    def attempt(self, digest: str) -> Iterator[None]:
        """Record an attempt for as long as it runs."""
        self._record(digest, self.attempts(digest) + 1)
        try:
            yield
        finally:
            self._record(digest, 0)

    def clear(self) -> None:
        """Delete the file: all images have been processed, and their texts are stored."""
        with self._mutex, contextlib.suppress(OSError):
            self._counts.clear()
            self._file.unlink(missing_ok=True)

    def _record(self, digest: str, count: int) -> None:
        with self._mutex, contextlib.suppress(OSError):  # a full disk must not prevent OCR
            self._counts[digest] = count
            lines = [f"{digest} {count}\n" for digest, count in self._counts.items() if count]
            # One write, then truncate: another thread may crash the process at any time.
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | _NO_LINKS, 0o600)
            with os.fdopen(descriptor, "wb", buffering=0) as file:
                size = file.write("".join(lines).encode())
                file.truncate(size)


def _ocr_batch(
    readings: Sequence[tuple[str, OcrResult | Exception | None]], reader: str
) -> OcrBatch:
    """Make a batch; images on which the engine failed count as images without text."""
    failures = [reading for _, reading in readings if isinstance(reading, Exception)]
    if len(failures) == _BATCH:
        error = failures[0]
        raise ReaderError(
            f"{reader} fails on every image ({type(error).__name__}: {error}). No text was"
            " stored. Fix its installation, or build with --no-ocr."
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
