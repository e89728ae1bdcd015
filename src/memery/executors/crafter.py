"""Crafter: bytes → decoded, upright, resized RGB arrays, in parallel, ahead of the model."""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Container, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from itertools import islice

from memery.archive import Archive
from memery.config import Config
from memery.decoding import decode, decoders, read_date
from memery.errors import ImageError
from memery.executors.interface import Batch, Picture
from memery.files import read_file
from memery.models.interface import ModelInfo
from memery.stores.interface import SkipAddition
from memery.types import FileEntry, Query, Skip, Term

_BATCHES_AHEAD = 2
"""How far decoding may run ahead of encoding: this bounds the memory."""


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
        self, entries: Sequence[FileEntry], known: Container[str], undated: Container[str] = ()
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
                    running.append(pool.submit(self._read, entry, known, undated))
                if not running:
                    return
                finished = [running.popleft().result() for _ in range(min(size, len(running)))]
                yield _batch(finished, seen)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def craft_query(self, query: Query, known: Container[str]) -> list[Picture]:
        """Read the image terms of a query; decode those whose digest is not known."""
        return [self._read_term(term, known) for term in query.terms if term.image is not None]

    def _read_term(self, term: Term, known: Container[str]) -> Picture:
        if isinstance(term.image, bytes):
            name, entry = "The picture", FileEntry("", len(term.image), 0)
        else:
            assert term.image is not None
            name = f"The picture {os.fspath(term.image)}"
            entry = FileEntry(os.fspath(term.image), 0, 0)
        try:
            if isinstance(term.image, bytes):
                return self._picture(entry, term.image, known)
            entry, data = read_file(entry.path, entry, self._config.max_bytes)
            return self._picture(entry, data, known)
        except ImageError as error:
            detail = "" if error.reason == "vanished" else error.detail
            reason = "there is no such file" if error.reason == "vanished" else error.reason
            raise ImageError(reason, detail, subject=name) from None

    def _read(
        self, entry: FileEntry, known: Container[str], undated: Container[str]
    ) -> Picture | Skip | SkipAddition:
        try:
            entry, data = read_file(f"{self._root}/{entry.path}", entry, self._config.max_bytes)
            return self._picture(entry, data, known, undated)
        except ImageError as error:
            skip = Skip(entry.path, error.reason, error.detail)
            if error.reason == "vanished":
                return skip
            return SkipAddition(entry, skip, circumstances(self._config))

    def _picture(
        self, entry: FileEntry, data: bytes, known: Container[str], undated: Container[str] = ()
    ) -> Picture:
        digest, limit = hashlib.sha256(data).hexdigest(), self._config.max_pixels
        if digest in known:
            taken = read_date(data, limit) if digest in undated else None
            return Picture(entry, digest, None, taken)
        info = self._info
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
