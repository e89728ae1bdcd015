"""Crafter, the preprocessor: reads files, then decodes and resizes them in parallel."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Callable, Container, Generator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from memery.archive import Archive
from memery.config import Config
from memery.errors import ImageError, QueryImageError
from memery.executors.parallel_reads import ParallelReads
from memery.executors.types import Batch, LoadedImage
from memery.imaging import decoding as in_process
from memery.imaging.decoding import Decoded
from memery.imaging.files import read_file
from memery.imaging.formats import decoders
from memery.imaging.thumbnails import GRID_SIDE, Thumbnails
from memery.models.interface import ModelInfo
from memery.query.terms import Query, Term
from memery.stores.records import SkipRecord
from memery.types import FileEntry, Skip

if TYPE_CHECKING:
    from memery.imaging.isolation import ImageDecoder

logger = logging.getLogger(__name__)

_Result = LoadedImage | Skip | SkipRecord
_FIRST_BATCH = 8
"""Maximum size of the first batch; it doubles up to the batch size, so that the first images are
searchable soon after the start."""
_BATCHES_AHEAD = 2
"""How many batches decoding may run ahead of encoding; limits memory use."""


def decoder_fingerprint(config: Config) -> str:
    """Describe the decoders and limits that decide whether a file is skipped."""
    limits = ("max_pixels", "max_bytes", "decode_seconds")
    return " ".join([decoders(), *(f"{name}={getattr(config, name)}" for name in limits)])


def start_decoder(query: Query, folder: str | os.PathLike[str], config: Config) -> None:
    """Start the child process that decodes query images while the archive is being opened.

    An image inside the folder is probably indexed already and needs no decoding.
    """
    images = [term.image for term in query.terms if term.image is not None]
    if config.isolate is not False and any(not _is_inside(folder, image) for image in images):
        from memery.imaging.isolation import start_ahead

        start_ahead()


def _is_inside(folder: str | os.PathLike[str], image: str | os.PathLike[str] | bytes) -> bool:
    if isinstance(image, bytes):
        return False
    try:
        return Path(image).resolve().is_relative_to(Path(folder).resolve())
    except (OSError, ValueError, RuntimeError):  # not a valid path: reading it raises the error
        return True


class Crafter:
    """Reads, hashes, decodes and resizes files in threads.

    Child processes decode query images, and all images of a folder in which a decoder has crashed
    or timed out: see docs/decisions/0014-decoder-crashes.md.

    Args:
        archive: the archive whose files to read.
        info: the model that encodes the images.
        config: threads, batch size and limits.
        has_crashed: whether a decoder has crashed or timed out on an image of the archive.
        thumbnails: where to store thumbnails of the decoded images.
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
        """Read files in order. Of files with the same content, only the first one has pixels.

        Args:
            entries: the files.
            known: digests that need no decoding.
            undated: known digests whose date is read again.
            outdated: known digests that are decoded again if their pixels have changed.
        """
        if not entries:
            return
        seen: set[str] = set()
        size = min(_FIRST_BATCH, self._config.batch_size)
        was_cut_short = self._archive.is_marked
        decoder = self._decoder()
        if was_cut_short and decoder is not in_process:
            logger.warning(
                "The last run was cut short while decoding images. This run decodes them in"
                " separate processes and skips images that crash a decoder."
            )
        if decoder is in_process:
            self._archive.mark()
        read = partial(self._read, known, undated, outdated)
        reads = ParallelReads(read, self._skip, decoder, self._config)
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
            # Keep the mark of an earlier run until this run has processed every image.
            if is_done or (all_ended and not was_cut_short):
                self._archive.unmark()

    def _decoder(self) -> ImageDecoder:
        isolate = self._config.isolate
        if isolate is None:
            isolate = self._archive.is_marked or self._has_crashed()
        if not isolate:
            return in_process
        from memery.imaging.isolation import IsolatedDecoder

        return IsolatedDecoder(self._config.decode_seconds)

    def craft_query(self, query: Query, known: Container[str]) -> list[LoadedImage]:
        """Read the image terms of a query; decode those whose digest is not in `known`."""
        terms = [term for term in query.terms if term.image is not None]
        return [self._read_term(number, term, known) for number, term in enumerate(terms)]

    def _read_term(self, number: int, term: Term, known: Container[str]) -> LoadedImage:
        if isinstance(term.image, bytes):
            name, entry = "The image", FileEntry("", len(term.image), 0)
        else:
            assert term.image is not None
            name = f"The image {os.fspath(term.image)}"
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
            reason = "the file does not exist" if error.reason == "vanished" else error.reason
            raise QueryImageError(ImageError(reason, detail), name, number) from None

    def _decode_term(self, data: bytes) -> Decoded:
        """Decode a query image; it is untrusted."""
        decoder: ImageDecoder = in_process
        isolate = self._config.isolate
        if isolate is not False:
            from memery.imaging.isolation import IsolatedDecoder

            decoder = IsolatedDecoder(self._config.decode_seconds, is_optional=isolate is None)
        limit = self._config.max_pixels
        return decoder.decode(data, self._info.resize, limit, pixels_only=True)

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
            digest, limit = hashlib.sha256(data).hexdigest(), self._config.max_pixels
            is_known = digest in known
            if is_known and digest in outdated:
                is_known = not decoder.pixels_have_changed(data, limit)
            if is_known:
                taken = decoder.read_date(data, limit) if digest in undated else None
                return LoadedImage(entry, digest, None, taken)
            return LoadedImage(entry, digest, self._decode(data, digest, decoder))
        except ImageError as error:
            return self._skip(entry, error)

    def _decode(self, data: bytes, digest: str, decoder: ImageDecoder) -> Decoded:
        """Decode an image for the index, and store its thumbnail if it is missing."""
        thumbnails = self._thumbnails
        side = GRID_SIDE if thumbnails and thumbnails.should_precompute(digest, GRID_SIDE) else 0
        decoded = decoder.decode(data, self._info.resize, self._config.max_pixels, side)
        if thumbnails and side:
            thumbnails.add(digest, side, decoded.thumbnail)
            decoded = replace(decoded, thumbnail=b"")
        return decoded

    def _skip(self, entry: FileEntry, error: ImageError) -> Skip | SkipRecord:
        """Make the skip of a file; a skip with a record is stored."""
        skip = Skip(entry.path, error.reason, error.detail)
        if error.reason == "vanished":
            return skip
        return SkipRecord(entry, skip, decoder_fingerprint(self._config))


def _batch(finished: Sequence[_Result], seen: set[str]) -> Batch:
    images = []
    for image in finished:
        if isinstance(image, LoadedImage):
            # Each content is encoded once per run.
            is_repeated = image.digest in seen
            images.append(replace(image, decoded=None) if is_repeated else image)
            seen.add(image.digest)
    return Batch(
        tuple(images),
        tuple(skip for skip in finished if isinstance(skip, SkipRecord)),
        tuple(skip for skip in finished if isinstance(skip, Skip)),
    )
