"""Crafter: bytes → decoded, upright, resized RGB arrays, in parallel, ahead of the model."""

from __future__ import annotations

import hashlib
import logging
import os
from collections import deque
from collections.abc import Callable, Container, Generator, Sequence
from concurrent.futures import Future, wait
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from memery import decoding as in_process
from memery.archive import Archive
from memery.config import Config
from memery.decoding import Decoded, decoders
from memery.errors import FolderError, ImageError, QueryImageError
from memery.executors.types import Batch, LoadedImage
from memery.files import read_file
from memery.models.interface import ModelInfo
from memery.stores.records import SkipRecord
from memery.thumbnails import GRID_SIDE, Thumbnails
from memery.types import FileEntry, Query, Skip, Term

if TYPE_CHECKING:
    from memery.executors.daemon_pool import DaemonPool
    from memery.isolation import ImageDecoder

logger = logging.getLogger(__name__)

_Result = LoadedImage | Skip | SkipRecord
_CHILD_FACTOR = 3
"""How many times the limit a file may take whose decoder is ended in time: it is read, too."""
_SILENT_MAX = 8
"""Files that may fail to be read in time: each costs a thread."""
_FIRST_BATCH = 8
"""Files of the first batch, at most; each later one has twice as many, up to the batch size. So the
first images of a folder are found soon after the start."""
_BATCHES_AHEAD = 2
"""How far decoding may run ahead of encoding: this bounds the memory."""


def decoder_fingerprint(config: Config) -> str:
    """The decoders and limits under which a file may have to be skipped."""
    limits = ("max_pixels", "max_bytes", "decode_seconds")
    return " ".join([decoders(), *(f"{name}={getattr(config, name)}" for name in limits)])


def start_decoder(query: Query, folder: str | os.PathLike[str], config: Config) -> None:
    """Let a child process start that decodes the images of a query, while the archive is opened.

    An image that lies in the folder is most likely indexed, so that it need not be decoded.
    """
    images = [term.image for term in query.terms if term.image is not None]
    if config.isolate is not False and any(not _is_inside(folder, image) for image in images):
        from memery.isolation import start_ahead

        start_ahead()


def _is_inside(folder: str | os.PathLike[str], image: str | os.PathLike[str] | bytes) -> bool:
    if isinstance(image, bytes):
        return False
    try:
        return Path(image).resolve().is_relative_to(Path(folder).resolve())
    except (OSError, ValueError, RuntimeError):  # it is no path: reading it will say so
        return True


class Crafter:
    """Reads, hashes and decodes files in threads.

    Images of queries are decoded in child processes, and those of a folder where a decoder died or
    hung before: see docs/decisions/0014-decoders-may-die.md.

    Args:
        archive: whose files to read.
        info: of the model that the pictures are for.
        config: threads, batch size and limits.
        has_crashed: whether the archive knows an image on which a decoder dies or hangs.
        thumbnails: where to put the thumbnails that are made of what is decoded anyway.
    """

    def __init__(
        self,
        archive: Archive,
        info: ModelInfo,
        config: Config,
        has_crashed: Callable[[], bool] = lambda: False,
        thumbnails: Thumbnails | None = None,
    ) -> None:
        self._archive = archive
        self._root = os.fspath(archive.root)
        self._info = info
        self._config = config
        self._has_crashed = has_crashed
        self._thumbnails = thumbnails

    def craft(
        self,
        entries: Sequence[FileEntry],
        known: Container[str],
        undated: Container[str] = (),
        outdated: Container[str] = (),
    ) -> Generator[Batch, None, None]:
        """Read files in their order; a content is handed on for encoding once."""
        if not entries:
            return
        seen: set[str] = set()
        size = min(_FIRST_BATCH, self._config.batch_size)
        was_cut_short = self._archive.is_marked
        decoder = self._decoder()
        if was_cut_short and decoder is not in_process:
            logger.warning(
                "The last run was cut short while images were decoded. They are decoded in"
                " separate processes this time: one that makes a decoder crash is skipped."
            )
        if decoder is in_process:
            self._archive.mark()
        reads = _Reads(self, partial(self._read, known, undated, outdated), decoder)
        is_done = False
        try:
            waiting = iter(entries)
            while True:
                for entry in islice(waiting, (1 + _BATCHES_AHEAD) * size - len(reads)):
                    reads.submit(entry)
                if not len(reads):
                    is_done = True
                    return
                yield _batch([reads.next() for _ in range(min(size, len(reads)))], seen)
                size = min(2 * size, self._config.batch_size)
        finally:
            all_ended = reads.close()
            # The mark of another run stays until this one has dealt with every image.
            if is_done or (all_ended and not was_cut_short):
                self._archive.unmark()

    def _decoder(self) -> ImageDecoder:
        isolate = self._config.isolate
        if isolate is None:
            isolate = self._archive.is_marked or self._has_crashed()
        if not isolate:
            return in_process
        from memery.isolation import IsolatedDecoder

        return IsolatedDecoder(self._config.decode_seconds)

    def craft_query(self, query: Query, known: Container[str]) -> list[LoadedImage]:
        """Read the image terms of a query; decode those whose digest is not known."""
        terms = [term for term in query.terms if term.image is not None]
        return [self._read_term(number, term, known) for number, term in enumerate(terms)]

    def _read_term(self, number: int, term: Term, known: Container[str]) -> LoadedImage:
        if isinstance(term.image, bytes):
            name, entry = "The picture", FileEntry("", len(term.image), 0)
        else:
            assert term.image is not None
            name = f"The picture {os.fspath(term.image)}"
            entry = FileEntry(os.fspath(term.image), 0, 0)
        try:
            if isinstance(term.image, bytes):
                data = term.image
            else:
                entry, data = read_file(entry.path, entry, self._config.max_bytes)
            digest = hashlib.sha256(data).hexdigest()
            decoded = None if digest in known else self._decode_term(data)
            return LoadedImage(entry, digest, decoded)
        except ImageError as error:
            detail = "" if error.reason == "vanished" else error.detail
            reason = "there is no such file" if error.reason == "vanished" else error.reason
            raise QueryImageError(ImageError(reason, detail), name, number) from None

    def _decode_term(self, data: bytes) -> Decoded:
        """Decode an image of a query, which may come from anywhere."""
        decoder: ImageDecoder = in_process
        isolate = self._config.isolate
        if isolate is not False:
            from memery.isolation import IsolatedDecoder

            decoder = IsolatedDecoder(self._config.decode_seconds, is_optional=isolate is None)
        limit = self._config.max_pixels
        return decoder.decode(data, self._info.resize, limit, pixels_only=True)

    @property
    def threads(self) -> int:
        """How many files are read at a time."""
        return self._config.threads

    @property
    def decode_seconds(self) -> int:
        """How long an image may take."""
        return self._config.decode_seconds

    def _read(
        self,
        known: Container[str],
        undated: Container[str],
        outdated: Container[str],
        entry: FileEntry,
        decoder: ImageDecoder,
    ) -> _Result:
        try:
            entry, data = read_file(f"{self._root}/{entry.path}", entry, self._config.max_bytes)
            return self._load(
                entry, data, known, lambda: decoder, undated, outdated, self._thumbnails
            )
        except ImageError as error:
            return self.skip(entry, error)

    def skip(self, entry: FileEntry, error: ImageError) -> Skip | SkipRecord:
        """What is kept of a file that cannot be used."""
        skip = Skip(entry.path, error.reason, error.detail)
        if error.reason == "vanished":
            return skip
        return SkipRecord(entry, skip, decoder_fingerprint(self._config))

    def _load(
        self,
        entry: FileEntry,
        data: bytes,
        known: Container[str],
        choose_decoder: Callable[[], ImageDecoder],
        undated: Container[str] = (),
        outdated: Container[str] = (),
        thumbnails: Thumbnails | None = None,
    ) -> LoadedImage:
        digest, limit = hashlib.sha256(data).hexdigest(), self._config.max_pixels
        is_known = digest in known
        if is_known and digest in outdated:
            is_known = not choose_decoder().pixels_have_changed(data, limit)
        if is_known:
            taken = choose_decoder().read_date(data, limit) if digest in undated else None
            return LoadedImage(entry, digest, None, taken)
        side = GRID_SIDE if thumbnails and thumbnails.wants(digest, GRID_SIDE) else 0
        decoded = choose_decoder().decode(data, self._info.resize, limit, side)
        if thumbnails and side:
            thumbnails.add(digest, side, decoded.thumbnail)
            decoded = replace(decoded, thumbnail=b"")
        return LoadedImage(entry, digest, decoded)


class _Reads:
    """Files that are read in threads, their results in the files' order.

    Args:
        crafter: whose files they are.
        read: reads one of them with a decoder.
        decoder: what decodes, until it hangs.
    """

    def __init__(
        self,
        crafter: Crafter,
        read: Callable[[FileEntry, ImageDecoder], _Result],
        decoder: ImageDecoder,
    ) -> None:
        self._crafter = crafter
        self._read = read
        self._decoder = decoder
        self._running: deque[tuple[FileEntry, Future[_Result]]] = deque()
        self._pool = self._new_pool()
        self._silent = 0

    def __len__(self) -> int:
        return len(self._running)

    def submit(self, entry: FileEntry) -> None:
        """Begin with a file as soon as a thread is free."""
        self._running.append((entry, self._begin(entry)))

    def next(self) -> _Result:
        """Wait for the file that was submitted first."""
        entry, future = self._running[0]
        # All before it are done, so that a thread has been at it since then at the latest.
        if not wait([future], self._seconds).done:
            result = self._give_up(entry)
            if result is not None:
                self._running.popleft()
                return result
            return self.next()
        self._running.popleft()
        return future.result()

    def close(self) -> bool:
        """Let go of the threads; returns whether none of them is left."""
        return self._pool.close()

    @property
    def _seconds(self) -> float:
        seconds = self._crafter.decode_seconds
        return seconds if self._decoder is in_process else _CHILD_FACTOR * seconds

    def _give_up(self, entry: FileEntry) -> _Result | None:
        """Leave a thread behind; what other threads had not finished begins again.

        Returns:
            the result for the file, or None where it is to be tried in a child process.
        """
        result = None
        if self._decoder is in_process:
            logger.warning(
                "%s takes longer than %d s to decode. Images are decoded in separate processes"
                " from here on.",
                entry.path,
                self._crafter.decode_seconds,
            )
            from memery.isolation import IsolatedDecoder

            self._decoder = IsolatedDecoder(self._crafter.decode_seconds)
        else:  # a child would have been ended: it is the file itself that does not come
            self._silent += 1
            if self._silent > _SILENT_MAX:
                raise FolderError(
                    f"{entry.path} and {_SILENT_MAX} more files could not be read in time: check"
                    " the disk or the network that they are on."
                )
            reason = ImageError("input/output error", f"no answer in {self._seconds:.0f} s")
            result = self._crafter.skip(entry, reason)
        self._pool.close(wait=False)
        self._pool = self._new_pool()
        for number, (other, future) in enumerate(self._running):
            if not future.done() and not (other is entry and result):
                self._running[number] = other, self._begin(other)
        return result

    def _begin(self, entry: FileEntry) -> Future[_Result]:
        return self._pool.submit(self._read, entry, self._decoder)

    def _new_pool(self) -> DaemonPool:
        from memery.executors.daemon_pool import DaemonPool

        return DaemonPool(self._crafter.threads, "memery-crafter")


def _batch(finished: Sequence[_Result], seen: set[str]) -> Batch:
    images = []
    for image in finished:
        if isinstance(image, LoadedImage):
            # The same content a second time in one run: its first occurrence carries the pixels.
            again = image.digest in seen
            images.append(replace(image, decoded=None) if again else image)
            seen.add(image.digest)
    return Batch(
        tuple(images),
        tuple(skip for skip in finished if isinstance(skip, SkipRecord)),
        tuple(skip for skip in finished if isinstance(skip, Skip)),
    )
