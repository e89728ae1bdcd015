"""Pictures to search for, kept in memory within a bound; never on disk."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from memery.errors import ImageError
from memery.imaging import decoding as in_process
from memery.imaging.isolation import ImageDecoder

_SIDE = 320


@dataclass(frozen=True, slots=True)
class Upload:
    """A picture.

    Attributes:
        id: random, 32 hexadecimal digits.
        data: the file's bytes.
        width: pixels, upright.
        height: likewise.
        thumbnail: WebP.
    """

    id: str
    data: bytes
    width: int
    height: int
    thumbnail: bytes


class Uploads:
    """The pictures of one server; those that came first go first.

    Args:
        kept: bytes at most, of files and thumbnails.
        max_pixels: larger pictures are refused before they are decoded.
        decoder: what decodes them.
    """

    def __init__(self, kept: int, max_pixels: int, decoder: ImageDecoder = in_process) -> None:
        self._decoder = decoder
        self._kept = kept
        self._max_pixels = max_pixels
        self._mutex = threading.Lock()
        self._uploads: OrderedDict[str, Upload] = OrderedDict()
        self.bytes = 0

    def add(self, data: bytes) -> Upload:
        """Keep a picture.

        Raises:
            ImageError: it cannot be decoded, or is too large.
        """
        width, height = self.check(data)
        try:
            thumbnail = self._decoder.webp(data, _SIDE, self._max_pixels)
        except ImageError as error:
            raise _named(error) from None
        upload = Upload(secrets.token_hex(16), data, width, height, thumbnail)
        with self._mutex:
            self._uploads[upload.id] = upload
            self.bytes += _size(upload)
            while self.bytes > self._kept and len(self._uploads) > 1:
                self.bytes -= _size(self._uploads.popitem(last=False)[1])
        return upload

    def check(self, data: bytes) -> tuple[int, int]:
        """Width and height of a picture, pixels; `ImageError` as `add` has it."""
        try:
            return self._decoder.upright_size(data, self._max_pixels)
        except ImageError as error:
            raise _named(error) from None

    def __len__(self) -> int:
        return len(self._uploads)

    def get(self, id_: str) -> Upload | None:
        """A picture, or None if it was never here or has gone."""
        return self._uploads.get(id_)


def _named(error: ImageError) -> ImageError:
    return ImageError(error.reason, error.detail, subject="The picture")


def _size(upload: Upload) -> int:
    return len(upload.data) + len(upload.thumbnail)
