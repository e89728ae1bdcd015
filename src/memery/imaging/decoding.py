"""Decoding of image files into upright 8-bit RGB pixels and facts."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memery.errors import ImageError
from memery.imaging.flattening import flatten
from memery.imaging.loading import (
    QUARTER_TURNS,
    LoadedPixels,
    loaded_image,
    opened_image,
    orientation_of,
    turn_upright,
)
from memery.imaging.perceptual_hash import SIDE, average_colour, duplicate_signature
from memery.imaging.resizing import Resize, crop_centre, resize_image, rotate_margins, shrink

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from memery.imaging.dates import Taken

_WEBP_QUALITY, _WEBP_EFFORT = 80, 2
"""Effort 2 of 6 takes a third of the time of the default, and 5 % more bytes."""
_PNG_ORIENTED = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
"""A PNG with an orientation contains one of these."""
_DRAFT_FACTOR = 2
"""A JPEG is decoded at a reduced size of at least this many times the target size. The mean
difference from a full decode is then 0.45 of 255."""
_HASHED_SIDE = 4 * SIDE
"""Smallest size of images from which hashes are computed, pixels, whatever size the model takes."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """An image ready for the model.

    Attributes:
        pixels: uint8 RGB of shape (size, size, 3).
        width: of the upright original, pixels.
        height: of the upright original, pixels.
        format: image format, as Pillow names it.
        taken_at: date and time from its metadata in ISO 8601, or None.
        notes: title, description and keywords from its metadata.
        hashes: its duplicate signature, see `memery.imaging.perceptual_hash`.
        colour: average colour, 0xRRGGBB.
        date_source: source of taken_at, one of `memery.imaging.dates.SOURCES`; "" if it is None.
        damage: why the file was only decoded in part, or "".
        thumbnail: a thumbnail as WebP, or b"" if none was requested.
    """

    pixels: NDArray[np.uint8]
    width: int
    height: int
    format: str
    taken_at: str | None
    notes: str = ""
    hashes: bytes = b""
    colour: int = 0
    date_source: str = ""
    damage: str = ""
    thumbnail: bytes = b""


def decode(
    data: bytes,
    resize: Resize,
    max_pixels: int,
    thumbnail_side: int = 0,
    pixels_only: bool = False,
) -> Decoded:
    """Decode an image file for a model.

    Args:
        data: the file's bytes.
        resize: the size that the model takes.
        max_pixels: larger images are rejected before they are decoded.
        thumbnail_side: longer side of the thumbnail to make, pixels; 0 for none.
        pixels_only: omit date, metadata text, hashes and colour, which only an index needs.

    Raises:
        ImageError: the file cannot be decoded.
    """
    enough = max(_DRAFT_FACTOR * max(resize.edge or resize.size, _HASHED_SIDE), thumbnail_side)
    with loaded_image(data, enough, max_pixels) as loaded:
        return _decode(loaded, resize, thumbnail_side, pixels_only)


def decode_upright(data: bytes, side: int, max_pixels: int) -> NDArray[np.uint8]:
    """Decode an image file, upright.

    Args:
        data: the file's bytes.
        side: images are reduced until no side is longer than this, pixels.
        max_pixels: larger images are rejected before they are decoded.

    Returns:
        uint8 RGB of shape (height, width, 3).

    Raises:
        ImageError: the file cannot be decoded.
    """
    import numpy as np

    from memery.imaging.icc import conversion

    with loaded_image(data, side, max_pixels) as loaded:
        colours = conversion(loaded.image)
        turn_upright(loaded.image)
        small = flatten(loaded.image, colours.mode if colours else "RGB")
        small.thumbnail((side, side))
        return np.asarray(colours.apply(small) if colours else small, dtype=np.uint8)


def upright_size(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Read width and height of the upright image, pixels.

    Pixels are not decoded, except for a PNG with EXIF or XMP after its pixels.

    Raises:
        ImageError: the file is not an image, or has more pixels than max_pixels.
    """
    with opened_image(data, max_pixels) as image:
        if image.format == "PNG":
            pixels = data.find(b"IDAT")
            if all(data.find(name, pixels) < 0 for name in _PNG_ORIENTED):
                # Otherwise Pillow decodes the pixels to look for EXIF after them.
                image.info.setdefault("exif", None)
        turned = orientation_of(image) in QUARTER_TURNS and image.format != "TIFF"
        return (image.height, image.width) if turned else image.size


def read_date(data: bytes, max_pixels: int) -> Taken:
    """Read when an image was taken from its metadata; a file that cannot be opened has no date."""
    from memery.imaging.dates import Taken, date_taken

    try:
        with opened_image(data, max_pixels) as image:
            return date_taken(image)
    except ImageError:
        return Taken()


def pixels_have_changed(data: bytes, max_pixels: int) -> bool:
    """Whether decoding may give other pixels than version 1 of `DECODING`.

    Version 1 ignored colour profiles, used a single background for transparent images, and accepted
    damaged PNG files. The answer is also True if the image can no longer be decoded.
    """
    from memery.imaging.icc import conversion
    from memery.imaging.repair import has_wrong_checksum

    try:
        with opened_image(data, max_pixels) as image:
            differs = image.has_transparency_data or conversion(image) is not None
            return differs or has_wrong_checksum(data)
    except ImageError:
        return True


def webp(data: bytes, side: int, max_pixels: int) -> bytes:
    """Make a thumbnail as WebP: upright, its longer side at most `side` pixels.

    Raises:
        ImageError: the file cannot be decoded.
    """
    from PIL import Image

    return _as_webp(Image.fromarray(decode_upright(data, side, max_pixels)))


def _as_webp(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "WEBP", quality=_WEBP_QUALITY, method=_WEBP_EFFORT)
    return buffer.getvalue()


def _decode(
    loaded: LoadedPixels, resize: Resize, thumbnail_side: int, pixels_only: bool
) -> Decoded:
    import numpy as np

    from memery.imaging.dates import Taken, date_taken
    from memery.imaging.icc import conversion
    from memery.imaging.metadata import metadata_text

    image, (width, height) = loaded.image, loaded.size
    format_ = image.format or "unknown"
    taken, notes = (Taken(), "") if pixels_only else (date_taken(image), metadata_text(image))
    orientation = turn_upright(image)
    if orientation in QUARTER_TURNS and format_ != "TIFF":  # Pillow has rotated TIFF sizes already
        width, height = height, width
    colours, margin = conversion(image), rotate_margins(loaded.margins, orientation)
    flat = flatten(image, colours.mode if colours else "RGB")

    def converted(resize: Resize) -> Image.Image:
        small = resize_image(flat, resize, margin)  # before the slow conversion of colours
        return colours.apply(small) if colours else small

    whole = converted(resize)
    pixels = np.asarray(crop_centre(whole, resize), dtype=np.uint8)
    if min(whole.size) < _HASHED_SIDE and not pixels_only:
        whole = converted(Resize(_HASHED_SIDE, "squash"))
    hashed = (b"", 0) if pixels_only else (duplicate_signature(whole), average_colour(whole))
    thumbnail = b""
    if thumbnail_side:
        small = shrink(flat, thumbnail_side, margin)
        thumbnail = _as_webp(colours.apply(small) if colours else small)
    facts = (width, height, format_, taken.at, notes)
    return Decoded(pixels, *facts, *hashed, taken.source, loaded.damage, thumbnail)
