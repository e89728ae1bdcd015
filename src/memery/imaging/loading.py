"""Loading of image files: all pixels, or the decodable part of a damaged file."""

from __future__ import annotations

import contextlib
import io
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memery.errors import ImageError
from memery.imaging.formats import as_image_error, open_image

if TYPE_CHECKING:
    from collections.abc import Callable

    from PIL import Image
    from PIL.ImageFile import ImageFile

logger = logging.getLogger(__name__)

_BROKEN = ("truncated", "damaged")
"""Reasons for which a file may still be decoded in part."""
_ORIENTATION, _UPRIGHT = 0x0112, 1
QUARTER_TURNS = (5, 6, 7, 8)


@dataclass(frozen=True, slots=True)
class LoadedPixels:
    """A decoded image.

    Attributes:
        image: as stored, not rotated; a JPEG may be reduced.
        size: width and height of the stored image, pixels.
        margins: as `_reduce` returns them.
        damage: why only a part was decoded, or "".
    """

    image: Image.Image
    size: tuple[int, int]
    margins: tuple[float, float]
    damage: str = ""


@contextlib.contextmanager
def opened_image(data: bytes, max_pixels: int) -> Iterator[ImageFile]:
    """Open an image within the limits; errors raised inside become ImageErrors."""
    with _errors_as_reasons(), _open_bytes(data, max_pixels) as image:
        yield image


@contextlib.contextmanager
def loaded_image(data: bytes, enough: int, max_pixels: int) -> Iterator[LoadedPixels]:
    """Decode an image, or a part of a damaged one; a JPEG is reduced, see `_reduce`."""
    from memery.imaging.ppm import load_scaled

    size, margins = (0, 0), (0.0, 0.0)

    def open_reduced(data: bytes) -> ImageFile:
        nonlocal size, margins
        image = _open_bytes(data, max_pixels)
        size = image.size
        margins = _reduce(image, enough, max_pixels)
        load_scaled(image, data)
        if image.format == "TIFF":
            orientation_of(image)  # read EXIF now: decoding closes the file
        return image

    with _errors_as_reasons():
        image, damage = _load(data, open_reduced)
        with image:
            yield LoadedPixels(image, size, margins, damage)


def _load(data: bytes, open_file: Callable[[bytes], ImageFile]) -> tuple[ImageFile, str]:
    """Decode an image: all of it, else without its metadata, else the undamaged part."""
    from memery.imaging.repair import decoded_part, without_broken_metadata, without_reserved_end

    data = without_reserved_end(data)
    loaded = _load_whole(data, open_file)
    if isinstance(loaded, ImageError) and loaded.reason in _BROKEN:
        data = without_broken_metadata(data)
        loaded = _load_whole(data, open_file)
    if not isinstance(loaded, ImageError):
        return loaded, ""
    part = decoded_part(open_file, data) if loaded.reason in _BROKEN else None
    if part is None:
        raise loaded
    return part


def _load_whole(data: bytes, open_file: Callable[[bytes], ImageFile]) -> ImageFile | ImageError:
    """Decode an image, or return the error without references to the image."""
    try:
        image = open_file(data)
        image.load()
    except Exception as error:
        return as_image_error(error).with_traceback(None)
    return image


@contextlib.contextmanager
def _errors_as_reasons() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        raise as_image_error(error) from None


def _open_bytes(data: bytes, max_pixels: int) -> ImageFile:
    """Open an image that may be decoded within the limits, whatever its metadata."""
    from memery.imaging.limits import check_cost

    if not data:
        raise ImageError("truncated", "the file is empty")
    try:
        image = open_image(io.BytesIO(data))
    except ImageError as error:
        from memery.imaging.repair import without_broken_metadata

        broken = error.reason in _BROKEN
        sound = without_broken_metadata(data) if broken else data
        if sound == data:
            raise
        image = open_image(io.BytesIO(sound))
    check_cost(image, data, max_pixels)
    return image


def orientation_of(image: Image.Image) -> int:
    """Read the EXIF orientation, 1 to 8; 1 if the metadata is broken."""
    with contextlib.suppress(Exception):
        orientation = image.getexif().get(_ORIENTATION)
        if isinstance(orientation, int):
            return orientation
    return _UPRIGHT


def turn_upright(image: Image.Image) -> int:
    """Rotate a decoded image upright, in place; return its previous orientation."""
    from PIL import ImageOps

    orientation = orientation_of(image)
    try:
        ImageOps.exif_transpose(image, in_place=True)
    except MemoryError:
        raise
    except Exception as error:  # Pillow also rewrites the metadata, which may be broken
        logger.debug("The metadata of an image is broken: %r", error)
    return orientation


def _reduce(image: Image.Image, enough: int, max_pixels: int) -> tuple[float, float]:
    """Configure a JPEG to be decoded at 1/2, 1/4 or 1/8 of its size.

    Its sides stay at least `enough` pixels long, unless the limit of pixels requires a further
    reduction.

    Returns:
        The fractions of the last column and the last row that lie outside the image: 900 pixels
        become 113 at 1/8, of which the last is half empty. Resizing must not include them, or it
        would stretch the image.
    """
    from memery.imaging.limits import jpeg_reduction

    least = jpeg_reduction(image, max_pixels)
    drafted = image.draft(
        "RGB", (min(enough, image.width // least or 1), min(enough, image.height // least or 1))
    )
    if drafted is None:
        return 0.0, 0.0
    return image.width - drafted[1][2], image.height - drafted[1][3]
