"""Uploaded query images, kept in memory up to a total size; never on disk."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass

from memery.errors import ImageError
from memery.imaging import decoding as in_process
from memery.imaging.isolation import ImageDecoder

_THUMBNAIL_SIDE = 320


@dataclass(frozen=True, slots=True)
class Upload:
    """An uploaded image.

    Attributes:
        id: random, 32 hexadecimal digits.
        data: the bytes of the file.
        width: width of the upright image, pixels.
        height: height of the upright image, pixels.
        thumbnail: WebP.
    """

    id: str
    data: bytes
    width: int
    height: int
    thumbnail: bytes


class Uploads:
    """The uploads of one server. The oldest are dropped first.

    Args:
        max_bytes: total size of files and thumbnails, bytes.
        max_pixels: larger images are refused before they are decoded.
        decoder: the image decoder.
    """

    def __init__(self, max_bytes: int, max_pixels: int, decoder: ImageDecoder = in_process) -> None:
        self._decoder = decoder
        self._max_bytes = max_bytes
        self._max_pixels = max_pixels
        self._mutex = threading.Lock()
        self._uploads: OrderedDict[str, Upload] = OrderedDict()
        self.bytes = 0

    def add(self, data: bytes) -> Upload:
        """Keep an image.

        Args:
            data: the bytes of the file.

        Returns:
            The upload.

        Raises:
            ImageError: it cannot be decoded, or is too large.
        """
        width, height = self.check(data)
        try:
            thumbnail = self._decoder.webp(data, _THUMBNAIL_SIDE, self._max_pixels)
        except ImageError as error:
            raise _with_subject(error) from None
        upload = Upload(secrets.token_hex(16), data, width, height, thumbnail)
        with self._mutex:
            self._uploads[upload.id] = upload
            self.bytes += _size(upload)
            while self.bytes > self._max_bytes and len(self._uploads) > 1:
                self.bytes -= _size(self._uploads.popitem(last=False)[1])
        return upload

    def check(self, data: bytes) -> tuple[int, int]:
        """Check the size of an image without decoding its pixels.

        Returns:
            Width and height of the upright image, pixels.

        Raises:
            ImageError: it cannot be decoded, or is too large.
        """
        try:
            return self._decoder.upright_size(data, self._max_pixels)
        except ImageError as error:
            raise _with_subject(error) from None

    def __len__(self) -> int:
        return len(self._uploads)

    def get(self, id_: str) -> Upload | None:
        """Return an upload, or None if the id is unknown or the upload was dropped."""
        return self._uploads.get(id_)


def _with_subject(error: ImageError) -> ImageError:
    return ImageError(error.reason, error.detail, subject="The image")


def _size(upload: Upload) -> int:
    return len(upload.data) + len(upload.thumbnail)
