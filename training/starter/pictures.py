"""Image files to pixels, and the views of an image that training draws from."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

IMAGE_SIZE = 260  # pixels a side; EfficientNet-Lite2's own resolution

Pixels = NDArray[np.uint8]


def upright(path: Path) -> Image.Image:
    """The whole image as RGB, rotated by its EXIF orientation, transparency over white."""
    with Image.open(path) as file:
        picture = ImageOps.exif_transpose(file)
        if picture.has_transparency_data:
            picture = picture.convert("RGBA")
            white = Image.new("RGBA", picture.size, "white")
            picture = Image.alpha_composite(white, picture)
        return picture.convert("RGB")


def squash(picture: Image.Image) -> Pixels:
    """uint8 [260, 260, 3]: the whole picture, its aspect ratio given up."""
    size = (IMAGE_SIZE, IMAGE_SIZE)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))


def pixels(path: Path) -> Pixels:
    """The model's input, uint8 [260, 260, 3] RGB. The one place that decides the preprocessing."""
    return squash(upright(path))


def mirrored(picture: Image.Image) -> Image.Image:
    """Mirror left and right."""
    return ImageOps.mirror(picture)


def grey(picture: Image.Image) -> Image.Image:
    """Convert to grey with three channels."""
    return picture.convert("L").convert("RGB")


def random_crop(picture: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A crop of half to all of the area, every other time mirrored, slightly recoloured."""
    area, aspect = rng.uniform(0.5, 1.0), np.exp(rng.uniform(-0.3, 0.3))
    width = round(picture.width * min(1.0, np.sqrt(area * aspect)))
    height = round(picture.height * min(1.0, np.sqrt(area / aspect)))
    left = rng.integers(picture.width - width + 1)
    top = rng.integers(picture.height - height + 1)
    crop = picture.crop((left, top, left + width, top + height))
    if rng.random() < 0.5:
        crop = mirrored(crop)
    for enhancer in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
        crop = enhancer(crop).enhance(rng.uniform(0.8, 1.2))
    return crop


def view(path: Path, name: str) -> Pixels:
    """One view of an image as model input: plain, mirrored, grey, or crop0, crop1 and so on.

    A crop depends on the file's name and the view's name alone.
    """
    if name == "plain":
        return pixels(path)
    picture = upright(path)
    if name == "mirrored":
        return squash(mirrored(picture))
    if name == "grey":
        return squash(grey(picture))
    seed = hashlib.sha256(f"{path.name} {name}".encode()).digest()
    return squash(random_crop(picture, np.random.default_rng(list(seed))))
