"""Thumbnails, cached in the archive up to a size limit."""

from __future__ import annotations

import contextlib
import os
import stat
import threading
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from memery.archive import Archive
from memery.errors import ArchiveError
from memery.imaging import decoding as in_process
from memery.imaging.formats import DECODING
from memery.process.forks import ForkAware

if TYPE_CHECKING:
    from memery.imaging.isolation import ImageDecoder

Side = Literal["160", "320", "640", "1280"]
"""Sizes of thumbnails: the longest side in pixels, as in requests."""
GRID_SIDE = 320
"""Size used by the page's grid, made while the image is decoded for the index."""
_MAX_BYTES = 512 << 20
_PRECOMPUTED_SHARE = 0.25
"""Fraction of the limit that thumbnails may fill before they are requested."""
_EVICTION_TARGET = 0.9
"""Fraction of the limit in use after the oldest thumbnails were deleted."""
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | os.O_NONBLOCK


class Thumbnails(ForkAware):
    """The thumbnails of an archive; if it is not writable, they are made for each request.

    Args:
        archive: the archive.
        max_pixels: larger images are rejected before they are decoded.
        max_bytes: limit of the thumbnails' size on disk.
        decoder: makes the thumbnails.
    """

    def __init__(
        self,
        archive: Archive,
        max_pixels: int,
        max_bytes: int = _MAX_BYTES,
        decoder: ImageDecoder = in_process,
    ) -> None:
        self._archive = archive
        self._max_pixels = max_pixels
        self._max_bytes = max_bytes
        self._decoder = decoder
        self._mutex = threading.Lock()
        self.watch_forks()
        self._bytes: int | None = None
        self.hits = self.misses = 0

    def after_fork(self, *, in_child: bool) -> None:
        """Replace the mutex in a child: a thread of the parent may have held it."""
        if in_child:
            self._mutex = threading.Lock()

    def find(self, digest: str, side: int) -> bytes | None:
        """Read a cached thumbnail (WebP); return None if there is none."""
        place = self._place(digest, side)
        try:
            descriptor = os.open(place, os.O_RDONLY | _NO_LINKS)
        except OSError:
            self.misses += 1
            return None
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return None
            self.hits += 1
            with contextlib.suppress(OSError):
                os.utime(descriptor)  # the least recently used are deleted first
            return file.read(self._max_bytes)

    def make(self, digest: str, side: int, data: bytes) -> bytes:
        """Make a thumbnail from an image file's bytes: upright WebP of at most side × side pixels.

        Raises:
            ImageError: the file cannot be decoded, or has too many pixels.
        """
        webp = self._decoder.webp(data, side, self._max_pixels)
        self.add(digest, side, webp)  # succeeds even if the disk is full
        return webp

    def should_precompute(self, digest: str, side: int) -> bool:
        """Whether to make a thumbnail before it is requested.

        True if it is not cached and there is room without deleting others.
        """
        try:
            with self._mutex:
                has_room = self._count() < _PRECOMPUTED_SHARE * self._max_bytes
            return has_room and not self._place(digest, side).exists()
        except (OSError, ArchiveError):
            return False

    def add(self, digest: str, side: int, webp: bytes) -> None:
        """Cache a thumbnail that was made elsewhere, if it can be written."""
        with contextlib.suppress(OSError, ArchiveError):
            self._write(self._place(digest, side), webp)

    def forget(self, digest: str) -> None:
        """Delete the thumbnails of a content."""
        with contextlib.suppress(OSError):
            for side in get_args(Side):
                self._place(digest, int(side)).unlink(missing_ok=True)

    def _count(self) -> int:
        if self._bytes is None:
            self._bytes = sum(size for _, size, _ in self._files())
        return self._bytes

    def _place(self, digest: str, side: int) -> Path:
        return self._archive.thumbnails / f"{digest}-{side}-{DECODING}.webp"

    def _write(self, place: Path, webp: bytes) -> None:
        if not self._archive.exists():  # do not create an archive only for thumbnails
            return
        place.parent.mkdir(exist_ok=True)
        draft = place.with_name(f".{uuid.uuid4().hex}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(webp)
        draft.replace(place)
        with self._mutex:
            self._bytes = self._count() if self._bytes is None else self._bytes + len(webp)
            if self._bytes > self._max_bytes:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, place in files:
            if left <= _EVICTION_TARGET * self._max_bytes:
                break
            place.unlink(missing_ok=True)
            left -= size
        self._bytes = left

    def _files(self) -> list[tuple[int, int, Path]]:
        """List last use in nanoseconds, size in bytes and path of each thumbnail."""
        found = []
        for place in self._archive.kept_thumbnails():
            with contextlib.suppress(OSError):
                facts = place.lstat()
                found.append((facts.st_mtime_ns, facts.st_size, place))
        return found
