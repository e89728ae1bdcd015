"""Conversion of images to 8 bits per channel without transparency."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

_SHALLOW_MAX, _DEEP_MAX = 255, 65535
_DEEP = ("I", "F")
"""Prefixes of Pillow's modes with 16 and 32 bits."""
_LIGHT = 192
_OPAQUE = [0] * 128 + [255] * 128
"""Mask for each value of an alpha channel: 255 if it counts as opaque."""
_LIGHT_GROUND, _DARK_GROUND = "#ffffff", "#202020"
_STRIP_PIXELS = 1 << 18
"""Images are converted in strips of about this many pixels, to limit memory."""


def flatten(image: Image.Image, mode: str) -> Image.Image:
    """Convert an image to 8 bits per channel, with a background behind transparent parts."""
    from PIL import Image

    ground = _ground(image)
    if image.mode == mode and ground is None:
        return image
    factor = _depth_factor(image)
    whole = Image.new(mode, image.size)
    for top, strip in _strips(image):
        whole.paste(_flatten_strip(strip, mode, factor, ground), (0, top))
    return whole


def _ground(image: Image.Image) -> str | None:
    """Choose the background of a transparent image; None if no part of it is transparent.

    It is white, or dark if most opaque pixels are light: white drawings on white would be blank.
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
    """Yield strips of full width with their top rows."""
    rows = max(1, _STRIP_PIXELS // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _flatten_strip(
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
    """Return the factor that scales 16- and 32-bit greys to 8 bits; None for other images.

    It depends on the mode and not on the image's range, except that 32-bit integers and floats may
    use the range of 8 bits.
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
