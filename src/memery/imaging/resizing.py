"""Resizing and cropping of images with Pillow's antialiasing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's resampling filters, in the order of their numbers."""


@dataclass(frozen=True, slots=True)
class Resize:
    """How an image is resized to the square that a model takes, with Pillow's antialiasing.

    Attributes:
        size: side of the square, pixels.
        mode: "squash" (directly to size × size) or "shortest" (the short side to `edge`, the long
            side to int(edge · long / short), then a centre crop).
        interpolation: one of `INTERPOLATIONS`.
        edge: length of the short side after resizing, pixels; None means size.
        crop: rounding of half pixels in the offset: "floor", or "round" (half to even).
    """

    size: int
    mode: str
    interpolation: str = "bicubic"
    edge: int | None = None
    crop: str = "floor"


def rotate_margins(
    margins: tuple[float, float], orientation: int
) -> tuple[float, float, float, float]:
    """Rotate margins at the right and bottom by an EXIF orientation: left, top, right, bottom."""
    right, bottom = margins
    return {
        2: (right, 0, 0, bottom),
        3: (right, bottom, 0, 0),
        4: (0, bottom, right, 0),
        5: (0, 0, bottom, right),
        6: (bottom, 0, 0, right),
        7: (bottom, right, 0, 0),
        8: (0, right, bottom, 0),
    }.get(orientation, (0, 0, right, bottom))


def resize_image(
    image: Image.Image, resize: Resize, margins: tuple[float, float, float, float]
) -> Image.Image:
    """Resize the whole image as the model needs it, before cropping."""
    from PIL.Image import Resampling

    size, kind = resize.size, Resampling(INTERPOLATIONS.index(resize.interpolation))
    left, top, right, bottom = margins
    box = (left, top, image.width - right, image.height - bottom)
    if resize.mode == "squash":
        return image.resize((size, size), kind, box)
    edge = resize.edge or size
    width, height = box[2] - left, box[3] - top
    short, long = sorted((width, height))
    scaled = int(edge * long / short)
    shape = (edge, scaled) if width <= height else (scaled, edge)
    return image.resize(shape, kind, box)


def shrink(
    image: Image.Image, side: int, margins: tuple[float, float, float, float]
) -> Image.Image:
    """Reduce the whole image so that its longer side has at most `side` pixels."""
    from PIL.Image import Resampling

    left, top, right, bottom = margins
    box = (left, top, image.width - right, image.height - bottom)
    width, height = box[2] - left, box[3] - top
    scale = min(1.0, side / max(width, height))
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    return image.resize(shape, Resampling.BICUBIC, box, reducing_gap=2.0)


def crop_centre(image: Image.Image, resize: Resize) -> Image.Image:
    """Crop the square in the centre of a resized image."""
    size = resize.size
    if image.size == (size, size):
        return image
    left, top = (_offset(side - size, resize.crop) for side in image.size)
    return image.crop((left, top, left + size, top + size))


def _offset(spare: int, crop: str) -> int:
    """Return the offset of a centre crop; transformers and torchvision round it differently."""
    return round(spare / 2) if crop == "round" else spare // 2
