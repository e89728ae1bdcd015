"""Resizing and cropping of images, with antialiasing as Pillow has it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

INTERPOLATIONS = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")
"""Pillow's resampling filters, in the order of its numbers for them."""


@dataclass(frozen=True, slots=True)
class Resize:
    """How a picture becomes the square that a model takes, with antialiasing as Pillow has it.

    Attributes:
        size: side of the square, pixels.
        mode: "squash" (straight to size × size) or "shortest" (the short side to `edge`, the long
            side to int(edge · long / short), then the centre).
        interpolation: one of `INTERPOLATIONS`.
        edge: what the short side is resized to, pixels; None means size.
        crop: how half a pixel beside the centre is rounded: "floor", or "round" (half to even).
    """

    size: int
    mode: str
    interpolation: str = "bicubic"
    edge: int | None = None
    crop: str = "floor"


def turned_margins(
    margins: tuple[float, float], orientation: int
) -> tuple[float, float, float, float]:
    """Where an EXIF orientation leads margins at the right and bottom: left, top, right, bottom."""
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


def resized(
    image: Image.Image, resize: Resize, margins: tuple[float, float, float, float]
) -> Image.Image:
    """The whole picture, no larger than the model needs it."""
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


def shrunk(
    image: Image.Image, side: int, margins: tuple[float, float, float, float]
) -> Image.Image:
    """The whole image, its longer side at most so many pixels."""
    from PIL.Image import Resampling

    left, top, right, bottom = margins
    box = (left, top, image.width - right, image.height - bottom)
    width, height = box[2] - left, box[3] - top
    scale = min(1.0, side / max(width, height))
    shape = (max(1, round(width * scale)), max(1, round(height * scale)))
    return image.resize(shape, Resampling.BICUBIC, box, reducing_gap=2.0)


def cropped(image: Image.Image, resize: Resize) -> Image.Image:
    """The square in the middle of a resized image."""
    size = resize.size
    if image.size == (size, size):
        return image
    left, top = (_offset(side - size, resize.crop) for side in image.size)
    return image.crop((left, top, left + size, top + size))


def _offset(spare: int, crop: str) -> int:
    """Pixels left of the centre: what transformers, and what torchvision make of half a pixel."""
    return round(spare / 2) if crop == "round" else spare // 2
