"""Crafter: bytes → decoded, upright, resized RGB arrays, in parallel, ahead of the model."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import time
from collections import deque
from collections.abc import Container, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

from memery.archive import Archive
from memery.config import Config
from memery.decoding import decode, decoders
from memery.errors import ImageError
from memery.executors.interface import Batch, Picture
from memery.models.interface import ModelInfo
from memery.stores.interface import SkipAddition
from memery.types import FileEntry, Query, Skip, Term

_BATCHES_AHEAD = 2
"""How far decoding may run ahead of encoding: this bounds the memory."""
_TICK_NS, _COARSE_TICK_NS = 20_000_000, 2_000_000_000
"""A file system's clock: usually a few milliseconds a tick, on some 1 or 2 s."""
_SECOND_NS = 1_000_000_000
_OPEN_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe with an image's name must not hold the flow up
)


def circumstances(config: Config) -> str:
    """The decoders and limits under which a file may have to be skipped."""
    return f"{decoders()} max_pixels={config.max_pixels} max_bytes={config.max_bytes}"


class Crafter:
    """Reads, hashes and decodes files in threads.

    Args:
        archive: whose files to read.
        info: of the model that the pictures are for.
        config: threads, batch size and limits.
    """

    def __init__(self, archive: Archive, info: ModelInfo, config: Config) -> None:
        self._root = os.fspath(archive.root)
        self._info = info
        self._config = config

    def craft(
        self, entries: Sequence[FileEntry], known: Container[str]
    ) -> Generator[Batch, None, None]:
        """Read files in their order; a content is handed on for encoding once."""
        seen: set[str] = set()
        pool = ThreadPoolExecutor(self._config.threads, thread_name_prefix="memery-crafter")
        try:
            waiting = iter(entries)
            running: deque[Future[Picture | Skip | SkipAddition]] = deque()
            size = self._config.batch_size
            while True:
                for entry in islice(waiting, (1 + _BATCHES_AHEAD) * size - len(running)):
                    running.append(pool.submit(self._read, entry, known))
                if not running:
                    return
                finished = [running.popleft().result() for _ in range(min(size, len(running)))]
                yield _batch(finished, seen)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def craft_query(self, query: Query) -> list[Picture]:
        """Read and decode the image terms of a query."""
        return [self._read_term(term) for term in query.terms if term.image is not None]

    def _read_term(self, term: Term) -> Picture:
        if isinstance(term.image, bytes):
            name, entry = "The picture", FileEntry("", len(term.image), 0)
        else:
            assert term.image is not None
            name = f"The picture {os.fspath(term.image)}"
            entry = FileEntry(os.fspath(term.image), 0, 0)
        try:
            if isinstance(term.image, bytes):
                return self._picture(entry, term.image, ())
            entry, data = _read_file(entry.path, entry, self._config.max_bytes)
            return self._picture(entry, data, ())
        except ImageError as error:
            detail = "" if error.reason == "vanished" else error.detail
            reason = "there is no such file" if error.reason == "vanished" else error.reason
            raise ImageError(reason, detail, subject=name) from None

    def _read(self, entry: FileEntry, known: Container[str]) -> Picture | Skip | SkipAddition:
        try:
            entry, data = _read_file(f"{self._root}/{entry.path}", entry, self._config.max_bytes)
            return self._picture(entry, data, known)
        except ImageError as error:
            skip = Skip(entry.path, error.reason, error.detail)
            if error.reason == "vanished":
                return skip
            return SkipAddition(entry, skip, circumstances(self._config))

    def _picture(self, entry: FileEntry, data: bytes, known: Container[str]) -> Picture:
        digest = hashlib.sha256(data).hexdigest()
        if digest in known:
            return Picture(entry, digest, None)
        info, limit = self._info, self._config.max_pixels
        return Picture(entry, digest, decode(data, info.resize, limit))


def _batch(finished: Sequence[Picture | Skip | SkipAddition], seen: set[str]) -> Batch:
    pictures = []
    for picture in finished:
        if isinstance(picture, Picture):
            # The same content a second time in one run: its first occurrence carries the pixels.
            again = picture.digest in seen
            pictures.append(replace(picture, decoded=None) if again else picture)
            seen.add(picture.digest)
    return Batch(
        tuple(pictures),
        tuple(skip for skip in finished if isinstance(skip, SkipAddition)),
        tuple(skip for skip in finished if isinstance(skip, Skip)),
    )


def _read_file(path: str, entry: FileEntry, max_bytes: int) -> tuple[FileEntry, bytes]:
    """The file's bytes, and its facts as they were then."""
    try:
        with open(path, "rb", opener=_open) as file:
            descriptor = file.fileno()
            before = os.fstat(descriptor)
            if before.st_size > max_bytes:
                raise ImageError("too large", f"{before.st_size} bytes; the limit is {max_bytes}")
            data = file.read(before.st_size + 1)
            mtime_ns = _trusted_mtime(before, os.fstat(descriptor))
    except (FileNotFoundError, NotADirectoryError):
        raise ImageError("vanished", "there is no such file") from None
    except PermissionError as error:
        raise ImageError("forbidden", error.strerror or "") from None
    except ValueError as error:  # a NUL in the name
        raise ImageError("vanished", str(error)) from None
    except OSError as error:
        long = error.errno == errno.ENAMETOOLONG
        reason = "name too long" if long else "input/output error"
        raise ImageError(reason, error.strerror or "") from None
    return replace(entry, size=before.st_size, mtime_ns=mtime_ns), data


def _open(path: str, _flags: int) -> int:
    """Open a regular file and nothing else, without waiting for anyone."""
    descriptor = os.open(path, _OPEN_FLAGS)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ImageError("not an image", "it is not a regular file")
    return descriptor


def _trusted_mtime(before: os.stat_result, after: os.stat_result) -> int:
    """The time to store; off by 1 ns if the file may have changed without its time telling.

    A file changed twice within one tick of the file system's clock looks unchanged the second time.
    Storing a time that it never has makes the next scan read it once more (as git does with its
    "racily clean" entries).
    """
    tick = _TICK_NS if before.st_mtime_ns % _SECOND_NS else _COARSE_TICK_NS
    same = (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size)
    if same and abs(time.time_ns() - before.st_mtime_ns) > tick:
        return before.st_mtime_ns
    return before.st_mtime_ns - 1
