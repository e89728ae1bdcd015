"""Small versions of pictures, made once and kept in the archive within a bound."""

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
"""Longest sides that are made, pixels, as a request names them."""
GRID_SIDE = 320
"""What a grid of images shows: made while the image is decoded for the index."""
_KEPT_BYTES = 512 << 20
_SHARE_AHEAD = 0.25
"""How much of the bound is filled before anyone has asked for a thumbnail."""
_SHARE_LEFT = 0.9
"""How much of the bound is left when the oldest have been dropped."""
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0) | os.O_NONBLOCK


class Thumbnails(ForkAware):
    """The thumbnails of one archive; where it cannot be written they are made each time.

    Args:
        archive: which one.
        max_pixels: larger pictures are refused before they are decoded.
        kept: bytes at most on disk.
        decoder: what makes them.
    """

    def __init__(
        self,
        archive: Archive,
        max_pixels: int,
        kept: int = _KEPT_BYTES,
        decoder: ImageDecoder = in_process,
    ) -> None:
        self._archive = archive
        self._max_pixels = max_pixels
        self._kept = kept
        self._decoder = decoder
        self._mutex = threading.Lock()
        self.watch_forks()
        self._bytes: int | None = None
        self.hits = self.misses = 0

    def after_fork(self, *, in_child: bool) -> None:
        """Another thread of the parent may have had the mutex."""
        if in_child:
            self._mutex = threading.Lock()

    def find(self, digest: str, side: int) -> bytes | None:
        """A thumbnail that is there already: WebP."""
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
                os.utime(descriptor)  # those not looked at for longest are dropped first
            return file.read(self._kept)

    def make(self, digest: str, side: int, data: bytes) -> bytes:
        """Make a thumbnail of an image file's bytes: WebP, at most side × side, upright.

        Raises:
            ImageError: it cannot be decoded, or has too many pixels.
        """
        picture = self._decoder.webp(data, side, self._max_pixels)
        self.add(digest, side, picture)  # a full disk must not cost the answer
        return picture

    def wants(self, digest: str, side: int) -> bool:
        """Whether a thumbnail is worth making before anyone asks for it.

        None is there yet, and there is room for it without dropping another.
        """
        try:
            with self._mutex:
                has_room = self._count() < _SHARE_AHEAD * self._kept
            return has_room and not self._place(digest, side).exists()
        except (OSError, ArchiveError):
            return False

    def add(self, digest: str, side: int, picture: bytes) -> None:
        """Keep a thumbnail that was made elsewhere, unless it cannot be written."""
        with contextlib.suppress(OSError, ArchiveError):
            self._keep(self._place(digest, side), picture)

    def forget(self, digest: str) -> None:
        """Delete what is kept of a content whose file is gone."""
        with contextlib.suppress(OSError):
            for side in get_args(Side):
                self._place(digest, int(side)).unlink(missing_ok=True)

    def _count(self) -> int:
        if self._bytes is None:
            self._bytes = sum(size for _, size, _ in self._files())
        return self._bytes

    def _place(self, digest: str, side: int) -> Path:
        return self._archive.thumbnails / f"{digest}-{side}-{DECODING}.webp"

    def _keep(self, place: Path, picture: bytes) -> None:
        if not self._archive.exists():  # nothing is indexed: nothing is written
            return
        place.parent.mkdir(exist_ok=True)
        draft = place.with_name(f".{uuid.uuid4().hex}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(picture)
        draft.replace(place)
        with self._mutex:
            self._bytes = self._count() if self._bytes is None else self._bytes + len(picture)
            if self._bytes > self._kept:
                self._drop_oldest()

    def _drop_oldest(self) -> None:
        files = sorted(self._files())
        left = sum(size for _, size, _ in files)
        for _, size, place in files:
            if left <= _SHARE_LEFT * self._kept:
                break
            place.unlink(missing_ok=True)
            left -= size
        self._bytes = left

    def _files(self) -> list[tuple[int, int, Path]]:
        """When each was last looked at, its size, its place."""
        found = []
        for place in self._archive.kept_thumbnails():
            with contextlib.suppress(OSError):
                facts = place.lstat()
                found.append((facts.st_mtime_ns, facts.st_size, place))
        return found
