"""Bytes → an upright 8-bit RGB picture and its facts; what an image is, its content decides."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memery.errors import ImageError
from memery.imaging.flattening import flattened
from memery.imaging.loading import (
    QUARTER_TURNS,
    LoadedPixels,
    loaded_image,
    opened_image,
    orientation_of,
    turn_upright,
)
from memery.imaging.perceptual_hash import SIDE, colour, likeness
from memery.imaging.resizing import Resize, cropped, resized, shrunk, turned_margins

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

    from memery.imaging.dates import Taken

_WEBP_QUALITY, _WEBP_EFFORT = 80, 2
"""Effort 2 of 6 takes a third of the time of the default, and 5 % more bytes."""
_PNG_ORIENTED = (b"eXIf", b"Raw profile type", b"XML:com.adobe.xmp")
"""One of these stands in a PNG that may have an orientation."""
_DRAFT_FACTOR = 2
"""A JPEG is decoded at a reduced size only while that stays this many times the target: then the
mean difference from a full decode is 0.45 of 255."""
_SEEN_SIDE = 4 * SIDE
"""A likeness is made from no smaller a picture, whatever the model takes."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture ready for the model.

    Attributes:
        pixels: uint8, size × size × 3, RGB.
        width: of the upright original, pixels.
        height: likewise.
        format: what the content is.
        taken_at: date and time in ISO 8601 as its metadata says, or None.
        notes: what someone wrote into the file: title, description, keywords.
        hashes: the likeness of the whole picture, as `memery.imaging.perceptual_hash` makes it.
        colour: its average colour, 0xRRGGBB.
        date_source: of taken_at, one of `memery.imaging.dates.SOURCES`; "" where it is None.
        damage: what is wrong with the file, of which a part was decoded; "" if nothing is.
        thumbnail: a small version as WebP, or b"" where none was asked for.
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
        resize: what the model takes.
        max_pixels: larger images are refused before they are decoded.
        thumbnail_side: longer side of the thumbnail that is made of the same pixels; 0 for none.
        pixels_only: leave out what only an index needs: date, notes, hashes, colour.

    Raises:
        ImageError: with the reason and what the decoder said.
    """
    enough = max(_DRAFT_FACTOR * max(resize.edge or resize.size, _SEEN_SIDE), thumbnail_side)
    with loaded_image(data, enough, max_pixels) as loaded:
        return _decode(loaded, resize, thumbnail_side, pixels_only)


def decode_upright(data: bytes, side: int, max_pixels: int) -> NDArray[np.uint8]:
    """Decode an image file for a reader: upright, RGB, height × width × 3.

    Args:
        data: the file's bytes.
        side: pictures with a longer side are reduced to it, pixels.
        max_pixels: larger images are refused before they are decoded.

    Raises:
        ImageError: with the reason and what the decoder said.
    """
    import numpy as np

    from memery.imaging.icc import conversion

    with loaded_image(data, side, max_pixels) as loaded:
        colours = conversion(loaded.image)
        turn_upright(loaded.image)
        small = flattened(loaded.image, colours.mode if colours else "RGB")
        small.thumbnail((side, side))
        return np.asarray(colours.apply(small) if colours else small, dtype=np.uint8)


def upright_size(data: bytes, max_pixels: int) -> tuple[int, int]:
    """Width and height of an image file as it is shown, pixels.

    Nothing is decoded but a PNG that has EXIF or XMP behind its pixels.

    Raises:
        ImageError: it is no image, or has more pixels than max_pixels.
    """
    with opened_image(data, max_pixels) as image:
        if image.format == "PNG":
            pixels = data.find(b"IDAT")
            if all(data.find(name, pixels) < 0 for name in _PNG_ORIENTED):
                # Without this Pillow decodes the pixels to look for EXIF behind them.
                image.info.setdefault("exif", None)
        turned = orientation_of(image) in QUARTER_TURNS and image.format != "TIFF"
        return (image.height, image.width) if turned else image.size


def read_date(data: bytes, max_pixels: int) -> Taken:
    """When an image was taken, as its metadata says; a file that cannot be decoded has no date."""
    from memery.imaging.dates import Taken, date_taken

    try:
        with opened_image(data, max_pixels) as image:
            return date_taken(image)
    except ImageError:
        return Taken()


def pixels_have_changed(data: bytes, max_pixels: int) -> bool:
    """Whether an image may have other pixels than those that version 1 of `DECODING` decoded.

    That version knew no profiles and one ground, and took broken PNG files for whole ones. An image
    that can no longer be decoded has other pixels, too.
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
    """A small version of an image file, as WebP: upright, its longer side at most `side` pixels.

    Raises:
        ImageError: with the reason and what the decoder said.
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
    from memery.imaging.metadata import written_into

    image, (width, height) = loaded.image, loaded.size
    format_ = image.format or "unknown"
    taken, notes = (Taken(), "") if pixels_only else (date_taken(image), written_into(image))
    orientation = turn_upright(image)
    if orientation in QUARTER_TURNS and format_ != "TIFF":  # a TIFF tells its upright size
        width, height = height, width
    colours, margin = conversion(image), turned_margins(loaded.margins, orientation)
    flat = flattened(image, colours.mode if colours else "RGB")

    def converted(resize: Resize) -> Image.Image:
        small = resized(flat, resize, margin)  # first, since colours cost time for each pixel
        return colours.apply(small) if colours else small

    whole = converted(resize)
    pixels = np.asarray(cropped(whole, resize), dtype=np.uint8)
    if min(whole.size) < _SEEN_SIDE and not pixels_only:
        whole = converted(Resize(_SEEN_SIDE, "squash"))
    seen = (b"", 0) if pixels_only else (likeness(whole), colour(whole))
    thumbnail = b""
    if thumbnail_side:
        small = shrunk(flat, thumbnail_side, margin)
        thumbnail = _as_webp(colours.apply(small) if colours else small)
    facts = (width, height, format_, taken.at, notes)
    return Decoded(pixels, *facts, *seen, taken.source, loaded.damage, thumbnail)
