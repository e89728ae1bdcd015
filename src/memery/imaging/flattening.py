"""Conversion of any image to 8 bits per channel without transparency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

_SHALLOW_MAX, _DEEP_MAX = 255, 65535
_DEEP = ("I", "F")
"""What the modes of 16 and 32 bits begin with."""
_LIGHT = 192
_OPAQUE = [0] * 128 + [255] * 128
"""For each value of an alpha channel, whether it counts as opaque."""
_LIGHT_GROUND, _DARK_GROUND = "#ffffff", "#202020"
_STRIP_PIXELS = 1 << 18
"""Images are converted in parts of about so many pixels."""


def flattened(image: Image.Image, mode: str) -> Image.Image:
    """8 bits per channel of any image; what is transparent shows a ground, see `_ground`."""
    from PIL import Image

    ground = _ground(image)
    if image.mode == mode and ground is None:
        return image
    factor = _depth_factor(image)
    whole = Image.new(mode, image.size)
    for top, strip in _strips(image):
        whole.paste(_flattened_strip(strip, mode, factor, ground), (0, top))
    return whole


def _ground(image: Image.Image) -> str | None:
    """The colour behind a transparent image; None if nothing of it is transparent.

    It is white, or dark if most of what is opaque is light: white drawings would be blank.
    """
    if not image.has_transparency_data or image.mode.startswith(_DEEP):
        return None
    light, opaque, least = 0, 0, _SHALLOW_MAX
    for _, strip in _strips(image):
        rgba = strip.convert("RGBA")
        alpha = rgba.getchannel("A")
        least = min(least, *cast("tuple[int, int]", alpha.getextrema()))
        counts = rgba.convert("L").histogram(alpha.point(_OPAQUE))
        light, opaque = light + sum(counts[_LIGHT:]), opaque + sum(counts)
    if least == _SHALLOW_MAX:
        return None
    return _DARK_GROUND if 2 * light > opaque else _LIGHT_GROUND


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """An image in parts of full width with their first rows: what is made of them stays small."""
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _flattened_strip(
    strip: Image.Image, mode: str, factor: float | None, ground: str | None
) -> Image.Image:
    from PIL import Image

    if factor is not None:
        strip = _deep_to_grey(strip, factor)
    if ground is not None:
        rgba = strip.convert("RGBA")
        strip = Image.new("RGB", rgba.size, ground)
        strip.paste(rgba, mask=rgba.getchannel("A"))
    return strip.convert(mode)


def _depth_factor(image: Image.Image) -> float | None:
    """What 16- or 32-bit integer and float greys are multiplied with to have 8 bits, or None.

    It depends on the type, and not on the image's own range, except that whole numbers of 32 bits
    and floats may be as small as those of 8 bits.
    """
    if not image.mode.startswith(_DEEP):
        return None
    if image.mode.startswith("I;16"):
        return _SHALLOW_MAX / _DEEP_MAX
    largest = max(float(_values(strip).max(initial=0)) for _, strip in _strips(image))
    if image.mode == "F" and largest <= 1:
        return _SHALLOW_MAX
    return _SHALLOW_MAX / _DEEP_MAX if largest > _SHALLOW_MAX else 1


def _deep_to_grey(image: Image.Image, factor: float) -> Image.Image:
    import numpy as np
    from PIL import Image

    values = _values(image) * factor
    return Image.fromarray(np.clip(values.round(), 0, _SHALLOW_MAX).astype(np.uint8))


def _values(image: Image.Image) -> NDArray[np.float64]:
    import numpy as np

    values: NDArray[np.float64] = np.nan_to_num(np.asarray(image, dtype=np.float64))
    return values
